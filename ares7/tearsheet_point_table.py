"""The table of a grid's points: every figure of each, sortable by the page's script."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares7.arrays import AnyArray, Int1D
from ares7.tearsheet_charts import compact
from ares7.tearsheet_contamination import LABEL
from ares7.tearsheet_format import Markup, count, ratio, section, short_names, text
from ares7.tearsheet_points import Points

ALL, TOP = 2_000, 1_000
"""Up to so many distinct points are listed; of more, the best so many."""
SAME_SHOWN = 3
"""Numbers of equal points that a cell names."""

LONG = 10
"""Letters of a name that may be broken."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table.

    Attributes
    ----------
    group, name : str
        The two lines of its head.
    key : (P,) array
        What it is sorted by.
    show : callable
        Text of a row's cell, by its row.
    baseline : str
        The baseline's cell.
    rising : bool
        The smallest comes first when it is sorted.
    """

    group: str
    name: str
    key: AnyArray
    show: Callable[[int], str]
    baseline: str = ""
    rising: bool = False


def listed(points: Points, metrics: Mapping[str, Any]) -> Int1D:
    """Rows of the points that are listed, in the order of the page."""
    rows = points.by_rank(_objective(metrics))
    return rows if len(rows) <= ALL else rows[:TOP]


def sort_keys(points: Points, metrics: Mapping[str, Any]) -> list[list[float | None]]:
    """For each column of the table the number that each listed point is sorted by."""
    rows = listed(points, metrics)
    return [compact(column.key[rows].astype(np.float64)) for column in columns(points, metrics)]


def points_section(points: Points, metrics: Mapping[str, Any], chosen: int | None) -> Markup:
    """The table; the chosen, or leading, point is marked and the baseline stands on top."""
    rows, every = listed(points, metrics), int(points.distinct.sum())
    shown = [*columns(points, metrics)]
    body = "".join(_row(shown, row, row == chosen) for row in rows.tolist())
    part = (
        f"All {count(every)} distinct points"
        if len(rows) == every
        else f"The best {count(len(rows))} of {count(every)} distinct points by the rule"
    )
    note = (
        f"{part}; points.csv holds every figure of all {count(len(points.number))}. Click a head to sort. Drawdowns, "
        "growth, volatility and degradation in percent; active: minus the baseline’s returns. Equal: points that "
        "are the same after normalising, run once. Satisfied: every constraint."
    )
    table = (
        f'<div class="scroll points" tabindex="0"><table id="points"><thead>{_head(shown)}</thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
    return section("Points", Markup(table), note=note)


def columns(points: Points, metrics: Mapping[str, Any]) -> Iterator[Column]:
    """Columns in the order of the page; those of figures that no point has are left out."""
    yield Column("", "point", points.number, lambda row: str(points.number[row]), "baseline", rising=True)
    yield _equal(points)
    for a, (name, values) in enumerate(zip(short_names([*points.axes]), points.axes.values(), strict=True)):
        yield _axis(points, a, name, values)
    for name in points.known("rank"):
        yield _figure(points, "choice", name, name, 0, rising=True)
    yield _satisfied(points)
    base = _section(metrics, "baseline_performance")
    for name in points.known(*_OBJECTIVES):
        yield _figure(points, "objectives", _OBJECTIVES[name], name, 3)
    for name in points.known("degradation"):
        yield _figure(points, "objectives", name, name, 1, 100)
    for name, head, digits, scale in _WHOLE:
        if points.known(name):
            yield _figure(points, "whole run", head, name, digits, scale, baseline=base.get(name))
    yield from _windows(points, metrics)


_OBJECTIVES = {
    "train_sharpe": "train Sharpe",
    "oos_min_sharpe": "OOS min. Sharpe",
    "purged_cv": "purged CV",
    "walk_forward": "walk-forward",
}
_WHOLE = (
    ("sharpe", "Sharpe", 3, 1),
    ("active_sharpe", "active", 3, 1),
    ("cagr", "CAGR", 2, 100),
    ("volatility", "vol.", 2, 100),
    ("max_drawdown", "MDD", 2, 100),
    ("calmar", "Calmar", 2, 1),
    ("turnover", "turnover", 2, 1),
    ("fees_usd", "fees USD", 0, 1),
)


def _windows(points: Points, metrics: Mapping[str, Any]) -> Iterator[Column]:
    base = {str(w.get("name")): w for w in metrics.get("windows") or [] if isinstance(w, Mapping)}
    touched = _section(metrics, "selection").get("contaminated") or []
    for window in points.windows:
        group = f"{window}, {LABEL}" if window in touched else window
        other = base.get(window, {}).get("baseline_sharpe")
        for name, head, digits, scale, beside in (
            ("sharpe", "Sharpe", 3, 1, other),
            ("active_sharpe", "active", 3, 1, None),
            ("max_drawdown", "MDD", 2, 100, None),
        ):
            yield _figure(points, group, head, f"{window}_{name}", digits, scale, baseline=beside)


def _figure(
    points: Points,
    group: str,
    head: str,
    name: str,
    digits: int,
    scale: int = 1,
    *,
    baseline: object = None,
    rising: bool = False,
) -> Column:
    values = points.column(name)
    beside = ratio(scale * baseline, digits) if isinstance(baseline, int | float) else ""
    return Column(group, head, values, lambda row: _cell(scale * values[row], digits), beside, rising)


def _cell(value: float, digits: int) -> str:
    return ratio(float(value), digits) if np.isfinite(value) else ""


def _axis(points: Points, a: int, name: str, values: tuple[str, ...]) -> Column:
    place = points.place[:, a]
    return Column("parameters", name, place, lambda row: values[place[row]], rising=True)


def _equal(points: Points) -> Column:
    same: dict[int, list[int]] = {}
    for number, first in zip(points.number.tolist(), points.same_as.tolist(), strict=True):
        if first >= 0:
            same.setdefault(first, []).append(number)
    sizes = np.array([len(same.get(number, ())) for number in points.number.tolist()])

    def show(row: int) -> str:
        found = same.get(int(points.number[row]), [])
        more = f" +{len(found) - SAME_SHOWN}" if len(found) > SAME_SHOWN else ""
        return ", ".join(map(str, found[:SAME_SHOWN])) + more

    return Column("", "equal", sizes, show)


def _satisfied(points: Points) -> Column:
    values = points.column("satisfied")
    return Column("choice", "satisfied", values, lambda row: "yes" if values[row] > 0 else "no")


def _section(metrics: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = metrics.get(name)
    return value if isinstance(value, Mapping) else {}


def _objective(metrics: Mapping[str, Any]) -> str:
    return str(_section(metrics, "selection").get("objective") or "sharpe")


def _head(shown: list[Column]) -> str:
    groups: list[tuple[str, int]] = []
    for column in shown:
        if groups and groups[-1][0] == column.group:
            groups[-1] = column.group, groups[-1][1] + 1
        else:
            groups.append((column.group, 1))
    top = "".join(
        f'<th scope="colgroup" colspan="{size}" class="group">{_breakable(name)}</th>'
        for name, size in groups
    )
    heads = "".join(
        f'<th scope="col"{_first(shown, i)}><button type="button" data-column="{i}"'
        f"{' data-rising' if column.rising else ''}>{_breakable(column.name)}</button></th>"
        for i, column in enumerate(shown)
    )
    beside = "".join(
        f'<th scope="row">{text(column.baseline)}</th>'
        if i == 0
        else f"<td{_first(shown, i)}>{text(column.baseline)}</td>"
        for i, column in enumerate(shown)
    )
    return f'<tr>{top}</tr><tr>{heads}</tr><tr class="beside">{beside}</tr>'


def _first(shown: list[Column], i: int) -> str:
    """Mark the first column of a group."""
    return ' class="first"' if i and shown[i].group != shown[i - 1].group else ""


def _breakable(name: str) -> str:
    """Let a dotted name break after a dot, and a long part of it after an underscore."""
    parts = [part if len(part) < LONG else part.replace("_", "_<wbr>") for part in text(name).split(".")]
    return ".<wbr>".join(parts)


def _row(shown: list[Column], row: int, chosen: bool) -> str:
    cells = "".join(f"<td{_first(shown, i)}>{text(c.show(row))}</td>" for i, c in enumerate(shown) if i)
    mark = ' class="chosen"' if chosen else ""
    return f'<tr{mark}><th scope="row">{text(shown[0].show(row))}</th>{cells}</tr>\n'
