"""One comparison of two books as plain values and as lines for a person: returns, causes, the worst sessions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares7.arrays import Float1D
from live.drift import CAUSES, BookHistory, drift
from live.flows import time_weighted_curve

LABELS = {
    "prices": "other closes",
    "fills": "other fill prices",
    "fees": "fees and costs",
    "rounding": "other shares: targets, whole shares, minimum trade",
    "missing_orders": "rejected and unfilled orders, until made up for",
    "corporate_actions": "shares that came or went without a trade",
    "flows": "money in and out",
    "unexplained": "unexplained by the books themselves",
}
UNEXPLAINED = "unexplained"
SHOWN_USD = 0.005


@dataclass(frozen=True, slots=True)
class Side:
    """One of two books that are compared.

    Attributes
    ----------
    name : str
        ``paper``, ``shadow``, the name of a run.
    book : BookHistory
    external : (T,) USD
        What came and went that is no return: deposits, withdrawals, unnamed flows.
    note : str
        How the book was made, for a person.
    """

    name: str
    book: BookHistory
    external: Float1D
    note: str = ""

    @property
    def total_return(self) -> float:
        """Time-weighted, over the compared sessions."""
        curve = time_weighted_curve(self.book.nav, self.external)
        return float(curve[-1] / curve[0] - 1.0)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name,
            "note": self.note,
            "nav_from_usd": float(self.book.nav[0]),
            "nav_to_usd": float(self.book.nav[-1]),
            "return": self.total_return,
        }


def compared(first: Side, second: Side, tolerance_bps: float) -> dict[str, Any]:
    """Take the difference of two books apart.

    Parameters
    ----------
    first, second : Side
        Of the same sessions and names.
    tolerance_bps : float
        Basis points of the first NAV that may stay unexplained, in any session and in all together.

    Returns
    -------
    dict
        ``sessions``, ``from``, ``to``, both sides, ``difference_usd`` and ``difference_bps``, ``causes_usd`` and
        ``causes_bps`` (which add up to them), ``names_usd``, ``by_session``, and ``unexplained`` with its verdict.
    """
    found = drift(first.book, second.book)
    start = float(first.book.nav[0])
    causes = {name: math.fsum(part) for name, part in found.by_cause.items()}
    left = found.by_cause[UNEXPLAINED]
    largest = float(max(np.abs(left).max(), abs(causes[UNEXPLAINED])))
    tolerance = tolerance_bps / 1e4 * abs(start)
    total = math.fsum(found.total)
    return {
        "sessions": len(found.dates),
        "base": str(first.book.dates[0]),
        "from": str(found.dates[0]),
        "to": str(found.dates[-1]),
        "first": first.to_dict(),
        "second": second.to_dict(),
        "return_difference": first.total_return - second.total_return,
        "difference_usd": total,
        "difference_bps": 1e4 * total / start,
        "causes_usd": causes,
        "causes_bps": {name: 1e4 * value / start for name, value in causes.items()},
        "names_usd": found.to_dict()["names_usd"],
        "by_session": [
            {
                "session": str(day),
                "difference_usd": float(found.total[row]),
                "causes_usd": {name: float(found.by_cause[name][row]) for name in CAUSES},
            }
            for row, day in enumerate(found.dates)
        ],
        "unexplained": {
            "largest_usd": largest,
            "tolerance_usd": tolerance,
            "good": largest <= tolerance,
        },
    }


def lines_of(record: dict[str, Any], worst: int) -> list[str]:
    """Return a comparison as text, with its worst sessions."""
    first, second = record["first"], record["second"]
    lines = [
        f"{first['name']} against {second['name']}: {record['sessions']} sessions, {record['from']} to {record['to']}, "
        f"from the close of {record['base']}"
    ]
    width = max(len(first["name"]), len(second["name"]), 10)
    for side in (first, second):
        note = f"  {side['note']}" if side["note"] else ""
        lines.append(
            f"  {side['name']:<{width}} {side['nav_from_usd']:>16,.2f} to {side['nav_to_usd']:>16,.2f} USD, return "
            f"{side['return']:+.4%}{note}"
        )
    lines.append(
        f"  {'difference':<{width}} {record['difference_usd']:+,.2f} USD, {record['difference_bps']:+.2f} bps of NAV; "
        f"returns differ by {record['return_difference']:+.4%}"
    )
    lines += _cause_lines(record)
    if record["names_usd"]:
        furthest = ", ".join(f"{name} {value:+,.2f}" for name, value in record["names_usd"].items())
        lines.append(f"  names that drifted furthest: {furthest}")
    lines += _session_lines(record, worst)
    left = record["unexplained"]
    if not left["good"]:
        lines.append(
            f"  NOT EXPLAINED: up to {left['largest_usd']:,.2f} USD, more than {left['tolerance_usd']:,.2f}; see "
            "unknown fees and flows (run.py flows), holdings adopted meanwhile, and the prices of the data folder"
        )
    return lines


def _cause_lines(record: dict[str, Any]) -> list[str]:
    rows = [
        (name, value, record["causes_bps"][name])
        for name, value in record["causes_usd"].items()
        if abs(value) >= SHOWN_USD or name == UNEXPLAINED
    ]
    lines = [f"    {usd:>14,.2f} USD {part:>9.2f} bps  {name}: {LABELS[name]}" for name, usd, part in rows]
    total = (record["difference_usd"], record["difference_bps"])
    return [*lines, f"    {total[0]:>14,.2f} USD {total[1]:>9.2f} bps  sum"]


def _session_lines(record: dict[str, Any], worst: int) -> list[str]:
    found = [s for s in record["by_session"] if abs(s["difference_usd"]) >= SHOWN_USD]
    found = sorted(found, key=lambda s: -abs(s["difference_usd"]))[:worst]
    if not found:
        return []
    names = [n for n in CAUSES if any(abs(s["causes_usd"][n]) >= SHOWN_USD for s in found)]
    head = "".join(f"{name:>18}" for name in names)
    return [
        "  worst sessions, USD:",
        f"    {'session':<12}{'difference':>14}{head}",
        *(
            f"    {s['session']:<12}{s['difference_usd']:>14,.2f}"
            + "".join(f"{s['causes_usd'][name]:>18,.2f}" for name in names)
            for s in found
        ),
    ]


def order_lines(unfilled: Sequence[dict[str, Any]], costs: dict[str, Any]) -> list[str]:
    """Return what was not filled, and the implementation shortfall of the period, as text."""
    lines = []
    if unfilled:
        lines.append(f"not filled: {len(unfilled)}")
    lines += [
        f"  {o['session']} {o['symbol']:<8} {o['left']:+g} of {o['decided']:+g}, {o['stage']}"
        + (f": {o['reason']}" if o["reason"] else "")
        for o in unfilled
    ]
    if costs["orders"]:
        parts = ("delay", "execution", "fees", "opportunity", "total")
        told = ", ".join(f"{name} {_known(costs[f'{name}_usd'])}" for name in parts)
        bps = "" if costs["total_bps"] is None else f" ({costs['total_bps']:+.1f} bps of what was decided)"
        lines.append(f"shortfall of {costs['orders']} orders, USD: {told}{bps}")
    return lines


def _known(value: float | None) -> str:
    return "not known" if value is None else f"{value:+,.2f}"
