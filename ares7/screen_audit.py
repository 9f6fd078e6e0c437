"""Audits and the bias ladder on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill
from typing import Any

from ares7.screen import number, percent, table

COUNTED = {"failure": "failed", "warning": "warned", "skipped": "skipped", "pass": "passed"}
"""What is said of the number of findings of a severity, the worst first."""
ORDER = tuple(COUNTED)
LOUD = frozenset(ORDER[:2])
"""Severities that are shown first, with their remedy, and in capitals."""
TITLE, FOLD = 26, 100
"""Longer titles and messages continue on the next line."""


def show_audit(found: Mapping[str, Any]) -> None:
    """Print failures and warnings with what to do about them, then what passed or could not be checked."""
    findings = sorted(found["findings"], key=lambda f: ORDER.index(f["severity"]))
    loud = [f for f in findings if f["severity"] in LOUD]
    quiet = [f for f in findings if f["severity"] not in LOUD]
    told = ", ".join(
        f"{count} {says}"
        for name, says in COUNTED.items()
        if (count := sum(f["severity"] == name for f in findings))
    )
    title = f"audit of {found['name']}: {told}"
    if loud:
        table(title, ("", "", "checked", "found, and what to do"), map(_row, loud), text_columns=4)
    if quiet:
        table("" if loud else title, ("", "", "checked", "found"), map(_row, quiet), text_columns=4)


def _row(finding: Mapping[str, Any]) -> tuple[str, str, str, str]:
    severity = finding["severity"]
    loud = severity in LOUD
    lines = [finding["message"], *([f"-> {finding['remedy']}"] if loud and finding["remedy"] else [])]
    told = "\n".join(fill(line, FOLD, break_on_hyphens=False) for line in lines)
    return finding["check"], severity.upper() if loud else severity, fill(finding["title"], TITLE), told


def show_ladder(metrics: Mapping[str, Any]) -> None:
    """Print the ladder of each market: every mistake alone, and all up to it together."""
    for name, market in metrics["markets"].items():
        alone = {row["bias"]: row for row in market["rows"] if row["mode"] == "alone"}
        together = {row["bias"]: row for row in market["rows"] if row["mode"] == "cumulative"}
        honest = next(row for row in market["rows"] if row["mode"] == "honest")
        rows = [("honest", *_figures(honest), *_figures(honest))]
        rows += [(bias, *_figures(alone[bias]), *_figures(together[bias])) for bias in alone]
        header = ("", "Sharpe", "CAGR", "drawdown", "Sharpe", "CAGR", "drawdown")
        title = f"{name}, {market['start']} to {market['end']}: each mistake alone | all up to it"
        table(
            title, header, rows, captions=[f"equal weight: Sharpe {number(market['equal_weight']['sharpe'])}"]
        )
    rows = list(metrics["explained"].items())
    table("the mistakes", ("", "what it does"), rows, text_columns=2)


def _figures(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return number(row["sharpe"]), percent(row["cagr"]), percent(row["max_drawdown"])
