"""Out-of-sample windows that some selection has looked at (C10): the mark in a table and the footnote below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ares7.tearsheet_format import Markup, bullets, text

LABEL = "selection-contaminated"
SHOWN = 6
"""Longer footnotes are folded."""


def touched(metrics: Mapping[str, Any]) -> dict[str, list[str]]:
    """Why each window of a run is no longer out of sample, by its name; windows that nothing touched are left out.

    A record of the ledger concerns every window that shares a day with it, whatever the window is called.
    """
    selection = metrics.get("selection")
    own = (selection.get("contaminated") if isinstance(selection, Mapping) else None) or []
    records = [record for record in metrics.get("touched") or [] if isinstance(record, Mapping)]
    found: dict[str, list[str]] = {}
    for window in metrics.get("windows") or []:
        if not isinstance(window, Mapping):
            continue
        name = str(window.get("name"))
        reasons = ["the choice of this search has looked at it"] if window.get("name") in own else []
        reasons += [
            f"{record.get('run')}: {record.get('reason')}" for record in records if _concerns(record, window)
        ]
        if reasons:
            found[name] = list(dict.fromkeys(reasons))
    return found


def _concerns(record: Mapping[str, Any], window: Mapping[str, Any]) -> bool:
    edges = [str(item.get(edge) or "")[:10] for item in (record, window) for edge in ("start", "end")]
    if not all(edges):
        return record.get("name") == window.get("name")
    return edges[0] <= edges[3] and edges[2] <= edges[1]


def mark(reasons: Sequence[str]) -> Markup:
    """Label of a window's row, with the first reason as its tooltip; empty without reasons."""
    if not reasons:
        return Markup("")
    more = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    return Markup(f'<br><small class="flag" title="{text(reasons[0] + more)}">{LABEL}</small>')


def footnotes(seen: Mapping[str, Sequence[str]]) -> Markup:
    """Every reason with the windows that it concerns."""
    windows: dict[str, list[str]] = {}
    for name, reasons in seen.items():
        for reason in reasons:
            windows.setdefault(reason, []).append(name)
    items: list[object] = [f"{', '.join(names)}: {reason}" for reason, names in windows.items()]
    if not items:
        return Markup("")
    rest = (
        f"<details><summary>{len(items) - SHOWN} more</summary>{bullets(items[SHOWN:])}</details>"
        if len(items) > SHOWN
        else ""
    )
    return Markup(f"<h3>{LABEL.capitalize()}</h3>{bullets(items[:SHOWN])}{rest}")
