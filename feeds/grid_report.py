"""What a grid's run folder says: figures of the chosen point, one row a point, targets beside honest figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ares7.arrays import Float1D
from ares7.bootstrap import Interval
from ares7.figures import window_calendar
from ares7.folds import oos_windows
from ares7.goals import Honest, compare
from ares7.metrics import performance, returns_from_nav
from ares7.selection import Selection
from ares7.selection_table import table
from feeds.searching import Evaluated, Search
from feeds.study import data_warnings, stamps

LEADERS = 5
"""Points that the screen shows beside each other."""
NORMAL_95 = 1.96
"""Half the width of a 95 % interval, in standard errors."""


def oos_of(search: Search, nav: Float1D) -> dict[str, Any]:
    """Figures of the out-of-sample windows of one curve."""
    config, dates = search.config, search.dates
    return oos_windows(
        dates[1:],
        returns_from_nav(nav),
        returns_from_nav(search.bench.baseline_nav),
        config.oos,
        risk_free=config.metrics.risk_free,
        calendar=window_calendar(config, search.bench.market.panel.dates),
    )


def metrics(search: Search, done: Evaluated, selection: Selection, row: int) -> dict[str, Any]:
    """Return ``metrics.json`` but for statistics, targets and notes; ``row`` is the point that is described."""
    config, points, nav = search.config, search.points, done.curves.nav[row]
    oos = oos_of(search, nav)
    free = config.metrics.risk_free
    return {
        "kind": "grid",
        "strategy": points.chosen.name,
        "baseline": config.baseline,
        "synthetic": bool(search.bench.market.panel.provenance.get("synthetic")),
        "stamps": stamps(config, search.bench.market.panel) + ["PARTIAL"] * bool(done.missing),
        "start": str(search.dates[0]),
        "end": str(search.dates[-1]),
        "sessions": len(search.dates),
        "grid": {
            "name": points.grid.name,
            "axes": {name: list(values) for name, values in points.grid.axes.items()},
            "normalised": list(points.grid.normalised),
            "points": len(points.grid),
            "distinct": len(points.hashes) + done.missing,
            "evaluated": len(points.hashes),
        },
        "exact_points": int(done.curves.exact.sum()),
        "selection": {
            "objective": selection.objective,
            "constraints": config.search.selection.constraints.model_dump(mode="json"),
            "best": None if selection.best is None else int(points.unique[selection.best]),
            "leader": None if selection.leader is None else int(points.unique[selection.leader]),
            "reason": selection.reason,
            "score": float(selection.score[row]),
            "rejections": {
                name: {"alone": found.alone, "cumulative": found.cumulative}
                for name, found in selection.rejections.items()
            },
            "contaminated": list(selection.contaminated),
        },
        "point": {"number": int(points.unique[row]), "values": points.grid.values(int(points.unique[row]))},
        "performance": performance(search.dates, nav, free),
        "baseline_performance": performance(search.dates, search.bench.baseline_nav, free),
        "windows": oos.pop("windows"),
        "oos": oos,
        "turnover": float(done.curves.turnover[row]),
        "fees_usd": float(done.curves.fees[row]),
        "leaders": _leaders(search, done, selection),
        "warnings": data_warnings(search.bench.market.panel),
    }


def _leaders(search: Search, done: Evaluated, selection: Selection) -> list[dict[str, Any]]:
    """The first `LEADERS` rows of the table of points, for the screen."""
    points = search.points
    rows = table([{}] * len(points.hashes), done.figures, selection, LEADERS)
    numbers = [int(points.unique[line["point"]]) for line in rows]
    return [
        {**line, "point": number, "parameters": points.grid.values(number)}
        for line, number in zip(rows, numbers, strict=True)
    ]


def notes(search: Search, done: Evaluated, judged: int) -> list[str]:
    """Say what a reader of the table would not guess; ``judged`` points were compared with one another."""
    points, exact, evaluated = search.points, int(done.curves.exact.sum()), len(search.points.hashes)
    distinct = evaluated + done.missing
    notes = []
    if done.missing:
        notes.append(
            f"Interrupted: {evaluated:,} of {distinct:,} points were evaluated, and the choice is among them."
        )
    if distinct < len(points.grid):
        notes.append(
            f"{distinct:,} of {len(points.grid):,} points are distinct"
            f"{' after normalising' if points.grid.normalised else ''}; each is run and counted once."
        )
    if exact:
        notes.append(f"{exact:,} points held a close call and were run by the exact kernel.")
    for name, reached in zip(search.windows.names, search.windows.reached, strict=True):
        if not reached:
            notes.append(f"Window {name} lies outside the data ({search.dates[0]} to {search.dates[-1]}).")
    if judged < evaluated:
        notes.append(
            f"Overfitting and superiority are measured over {judged:,} of {evaluated:,} points, evenly spread; the "
            "deflated Sharpe ratio counts all trials."
        )
    return notes


def targets(
    search: Search,
    done: Evaluated,
    selection: Selection,
    row: int,
    found: Mapping[str, Any],
    phases: Mapping[str, Float1D],
) -> list[dict[str, Any]]:
    """Print the roadmap's targets beside honest figures; the grid is its phase 5."""
    figures = {phase: _honest(search, nav) for phase, nav in phases.items()}
    if phases:
        spans = {k: Interval(**v) for k, v in found["intervals"].items() if k != "level"}
        figures["phase5"] = _honest(search, done.curves.nav[row], spans)
    return compare(search.config.targets, figures)


def _honest(search: Search, nav: Float1D, spans: Mapping[str, Interval] | None = None) -> Any:
    from ares7.bootstrap import intervals

    cut = search.config.search.bootstrap
    if spans is None:
        spans = intervals(returns_from_nav(nav), cut.level, cut.draws, cut.seed)
    oos = oos_of(search, nav)
    lowest = min(
        (w for w in oos["windows"] if np.isfinite(w["sharpe"])), key=lambda w: w["sharpe"], default=None
    )
    out = {what: Honest(span.estimate, span.low, span.high) for what, span in spans.items() if what != "cagr"}
    if lowest is not None:
        reach = NORMAL_95 * lowest["sharpe_se"]
        out["oos_min_sharpe"] = Honest(lowest["sharpe"], lowest["sharpe"] - reach, lowest["sharpe"] + reach)
    out["degradation"] = Honest(oos["degradation"])
    return out


def point_columns(search: Search, done: Evaluated, selection: Selection) -> dict[str, list[Any]]:
    """One row a grid point, in its order; ``same_as`` names an equal earlier one, ``curve`` a row of curves.npy."""
    points = search.points
    rows = {line["point"]: line for line in table([{}] * len(points.hashes), done.figures, selection)}
    skipped = ("point", "parameters", "satisfied", "windows")
    columns: dict[str, list[Any]] = {
        "point": [],
        "same_as": [],
        "curve": [],
        **{name: [] for name in points.grid.axes},
    }
    for point, row in enumerate(points.place.tolist()):
        if row < 0:
            continue
        first = int(points.unique[row])
        same = first if first != point else ""
        line = {"point": point, "same_as": same, "curve": row, **points.grid.values(point)}
        line |= {name: _cell(value) for name, value in rows[row].items() if name not in skipped}
        for window in rows[row]["windows"]:
            line[f"{window['name']}_sharpe"] = _cell(window["sharpe"])
            line[f"{window['name']}_active_sharpe"] = _cell(window["active_sharpe"])
            line[f"{window['name']}_max_drawdown"] = _cell(window["max_drawdown"])
        line["satisfied"] = int(all(rows[row]["satisfied"].values()))
        line["exact"] = int(done.curves.exact[row])
        for name, value in line.items():
            columns.setdefault(name, []).append(value)
    return columns


def _cell(value: Any) -> Any:
    """Leave a figure that is not defined empty."""
    return "" if value is None or (isinstance(value, float) and not np.isfinite(value)) else value
