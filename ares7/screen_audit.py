"""Audits and the bias ladder on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ares7.screen import number, percent, table

MARK = {"pass": "pass", "skipped": "skipped", "warning": "WARNING", "failure": "FAILURE"}


def show_audit(found: Mapping[str, Any]) -> None:
    """Print every finding, and what to do about those that do not pass."""
    rows = [(f["check"], MARK[f["severity"]], f["title"], f["message"]) for f in found["findings"]]
    counts = {mark: sum(f["severity"] == mark for f in found["findings"]) for mark in MARK}
    told = ", ".join(f"{count} {mark}" for mark, count in counts.items() if count)
    captions = [
        f"{f['check']}: {f['remedy']}"
        for f in found["findings"]
        if f["severity"] in ("warning", "failure") and f["remedy"]
    ]
    table(
        f"audit of {found['name']}: {told}",
        ("", "", "checked", "found"),
        rows,
        captions=captions,
        text_columns=4,
    )


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
