"""The audit of a result in its report: what was checked, what was found, and what to do about it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ares7.tearsheet_format import Markup, any_value, count, facts, section, table, text

Found = Mapping[str, Any]

WATERMARK = "AUDIT FAILED"
TILE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="420" height="260"><text x="210" y="140" text-anchor="middle" '
    'transform="rotate(-28 210 130)" font-family="Arial, sans-serif" font-size="38" font-weight="800" '
    f'letter-spacing="3" fill="#cc5a14" fill-opacity=".15">{WATERMARK}</text></svg>'
)
"""One tile of the mark; the colour is between those of the two themes, so that it serves both."""
ORDER = ("failure", "warning", "skipped", "pass")
"""Severities, the worst first; an unknown one is shown between warnings and checks that could not be made."""
FIRST_NAMED = (re.compile("date$"), re.compile("symbol"), re.compile("field"), re.compile(""))
"""Evidence is shown in the order of the first of these that its name matches: when, which name, which input, rest."""
LISTED = 20
"""Longer lists in the evidence are cut, and say by how much."""


def failed(metrics: Mapping[str, Any]) -> bool:
    """Whether a run was audited and a check failed."""
    return any(f.get("severity") == "failure" for f in findings(metrics))


def findings(metrics: Mapping[str, Any]) -> list[Found]:
    """Findings of a run, the worst first and otherwise in the audit's order; empty where there was none."""
    audit = metrics.get("audit")
    given = (audit.get("findings") if isinstance(audit, Mapping) else None) or []
    return sorted((f for f in given if isinstance(f, Mapping)), key=_rank)


def _rank(finding: Found) -> float:
    severity = finding.get("severity")
    return ORDER.index(severity) if severity in ORDER else 1.5


def repeated_mark() -> Markup:
    """Element that covers the whole page with the mark of an audit that failed."""
    image = base64.b64encode(TILE.encode()).decode()
    return Markup(
        '<div class="watermark failed" aria-hidden="true" '
        f'style="background-image:url(data:image/svg+xml;base64,{image})"></div>'
    )


def audit_section(metrics: Mapping[str, Any]) -> Markup:
    """Headline, the table of all that does not pass, and the rest folded; empty for a run that was not audited."""
    found = findings(metrics)
    if not found:
        return Markup("")
    open_, passed = ([f for f in found if (f.get("severity") == "pass") is told] for told in (False, True))
    folded = (
        Markup(
            f'<details class="passed"><summary>{count(len(passed))} '
            f"{'finding passes' if len(passed) == 1 else 'findings pass'}</summary>{_table(passed)}</details>"
        )
        if passed
        else ""
    )
    return section("Audit", _headline(found), _table(open_) if open_ else "", folded)


def _headline(found: Sequence[Found]) -> Markup:
    """How many checks there were, and which of them failed; a check counts once, with its worst finding."""
    worst: dict[tuple[str, str], str] = {}
    for finding in found:
        name = str(finding.get("check")), str(finding.get("title"))
        worst.setdefault(name, str(finding.get("severity")))
    by = {severity: [name for name, was in worst.items() if was == severity] for severity in ORDER}
    bad = by["failure"]
    says = f"{count(len(worst))} checks, {count(len(bad)) if bad else 'none'} failed"
    parts = [f"{says}: {_listed(bad)}." if bad else f"{says}."]
    if by["warning"]:
        verb = "warns" if len(by["warning"]) == 1 else "warn"
        parts.append(f"{count(len(by['warning']))} {verb}: {_listed(by['warning'])}.")
    if by["skipped"]:
        parts.append(f"{count(len(by['skipped']))} could not be made.")
    css_class = "answer flag" if bad else "answer"
    after = f"<p>{text(' '.join(parts[1:]))}</p>" if parts[1:] else ""
    return Markup(f'<div class="verdict"><p class="{css_class}">{text(parts[0])}</p>{after}</div>')


def _listed(names: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{title} ({check})" for check, title in names)


def _table(found: Iterable[Found]) -> Markup:
    """One row a finding; without the column of remedies where there is none."""
    told = list(found)
    remedies = any(f.get("remedy") for f in told)
    rows = [[_what(f), _said(f), *([_remedy(f)] if remedies else [])] for f in told]
    return table(["check", "found", "what to do"][: 2 + remedies], rows, "audit")


def _remedy(finding: Found) -> Markup:
    return Markup(f'<td class="text">{text(finding.get("remedy") or "")}</td>')


def _what(finding: Found) -> Markup:
    severity = str(finding.get("severity"))
    known = severity if severity in ORDER else "warning"
    return Markup(
        f'<span class="severity {known}">{text(severity)}</span> {text(finding.get("check"))}'
        f"<br>{text(finding.get('title'))}"
    )


def _said(finding: Found) -> Markup:
    evidence = finding.get("evidence")
    shown = facts(dict(_flat(evidence))) if isinstance(evidence, Mapping) and evidence else ""
    details = f"<details><summary>evidence</summary>{shown}</details>" if shown else ""
    return Markup(f'<td class="text">{text(finding.get("message"))}{details}</td>')


def _flat(evidence: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Names and texts of the evidence: first dates, symbols, fields, then the rest; nested mappings flattened."""

    def place(name: str) -> int:
        return next(i for i, pattern in enumerate(FIRST_NAMED) if pattern.search(name))

    for name in sorted(map(str, evidence), key=place):
        value, shown = evidence[name], above + name.replace("_", " ")
        if isinstance(value, Mapping):
            yield from _flat(value, f"{shown} / ")
        elif isinstance(value, list):
            more = f" and {count(len(value) - LISTED)} more" if len(value) > LISTED else ""
            yield shown, ", ".join(map(any_value, value[:LISTED])) + more
        else:
            yield shown, any_value(value)
