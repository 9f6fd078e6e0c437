"""A grid from configuration to everything that its run folder keeps: points, choice, and how much of it is luck."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np

from ares7.arrays import Float1D, Int1D
from ares7.batch import run_plans
from ares7.bootstrap import Interval
from ares7.config import Config
from ares7.errors import ConfigError
from ares7.figures import window_calendar
from ares7.folds import oos_windows
from ares7.goals import Honest, compare
from ares7.grid import Grid
from ares7.metrics import performance, returns_from_nav
from ares7.params import BookParams
from ares7.progress import stage
from ares7.provenance import code_version, versions
from ares7.search_files import SearchResult
from ares7.search_statistics import luck
from ares7.selection import Selection, select
from ares7.selection_table import table
from ares7.trials import Family, TrialLedger
from feeds.engines import Chosen
from feeds.evaluating import keeping
from feeds.executors import Place
from feeds.searching import ROOT, Evaluated, Search, prepare, record_points, run
from feeds.study import data_warnings, stamps
from feeds.trial_record import ledger_path

JUDGED = 4096
"""Points whose curves are compared with one another at most; time and memory grow with it."""
LEADERS = 5
"""Points that the screen shows beside each other."""
NORMAL_95 = 1.96
"""Half the width of a 95 % interval, in standard errors."""


def grid_of(config: Config, chosen: Chosen) -> Grid:
    """Return the configured grid: its own axes, else the preset, else the strategy's first one.

    Raises
    ------
    ConfigError
        There is no such preset, or a preset and axes are given.
    """
    search, known = config.search, chosen.strategy.grids
    if search.grid and search.preset is not None:
        raise ConfigError(
            f"search.preset {search.preset!r} and the axes {', '.join(search.grid)} are both given; leave one out"
        )
    if search.grid:
        return Grid("own", search.grid, search.normalised)
    if search.preset is None and known:
        return next(iter(known.values()))  # type: ignore[no-any-return]
    if search.preset not in known:
        named = f"no grid named {search.preset!r}" if search.preset else "no grid of its own"
        raise ConfigError(
            f"{chosen.name} has {named}; it has {', '.join(sorted(known)) or 'none'}; name fields and values "
            "instead, for example --set search.gross=0.9,0.95"
        )
    return known[search.preset]  # type: ignore[no-any-return]


def grid_study(
    config: Config,
    chosen: Chosen,
    baseline: Chosen,
    place: Place,
    *,
    created: dt.datetime,
    allowed: bool = False,
) -> SearchResult:
    """Evaluate a grid, choose, and judge the choice against everything that was ever tried on this market.

    Parameters
    ----------
    place : Place
        Where points run.
    created : datetime
        Recorded with every trial.
    allowed : bool
        A grid of more than 10^7 points is meant.

    Returns
    -------
    SearchResult
        After Ctrl-C that of the points that were finished by then, stamped ``PARTIAL``.

    Raises
    ------
    ConfigError, DataError
        Before any point is run; the ledger is untouched.
    """
    rule = config.search.selection
    search = prepare(config, chosen, baseline, grid_of(config, chosen), rule, allowed=allowed)
    name = f"grid-{chosen.name}-{search.digest[:8]}"
    done = run(search, place, run=name, purpose="grid", created=created, partial=True)
    with keeping(done):
        return _judged_result(done, name, search.digest[:8], created)


def _judged_result(done: Evaluated, name: str, digest: str, created: dt.datetime) -> SearchResult:
    search, config = done.search, done.search.config
    rule = config.search.selection
    selection = select(done.figures, rule.objective, rule.constraints)
    phases = phase_curves(search, run=name, created=created)
    stage("statistics")
    family = _touch(search, selection, name, created)
    row = next((r for r in (selection.best, selection.leader) if r is not None), 0)
    nav = done.curves.nav
    judged = _compared(len(nav), row)
    found = luck(
        nav if len(judged) == len(nav) else nav[judged],
        search.bench.baseline_nav,
        int(np.searchsorted(judged, row)),
        family,
        bootstrap=config.search.bootstrap,
        blocks=config.search.pbo_blocks,
        risk_free=config.metrics.risk_free,
    ) | {"judged": len(judged)}
    metrics = _metrics(search, done, selection, row) | {
        "statistics": found,
        "targets": _targets(search, done, selection, row, found, phases),
        "notes": _notes(search, done, len(judged)),
    }
    return SearchResult(
        kind="grid",
        config_yaml=config.to_yaml(),
        digest=digest,
        strategy=search.points.chosen.name,
        provenance=provenance(search)
        | {"trials": found["trials"], "resumed": done.resumed, "duration_s": round(done.seconds, 3)},
        metrics=metrics,
        tables={
            "points": _point_columns(search, done, selection),
            "equity": {
                "date": search.dates.astype(str).tolist(),
                "nav": nav[row].tolist(),
                "baseline_nav": search.bench.baseline_nav.tolist(),
            },
        },
        arrays={"curves": nav},
        chosen_yaml=None if selection.best is None else chosen_yaml(search, row),
    )


def _touch(search: Search, selection: Selection, name: str, created: dt.datetime) -> Family:
    """Mark the windows that the choice has looked at; return everything that was ever tried on this market."""
    with TrialLedger(ledger_path(search.config)) as ledger:
        for window in search.config.oos:
            if window.name in selection.contaminated:
                edges = np.datetime64(window.start, "D"), np.datetime64(window.end, "D")
                reason = f"grid {selection.objective}"
                ledger.touch(window.name, *edges, search.data_set, name, reason, created=created)
        return ledger.family(search.data_set)


def _compared(count: int, row: int) -> Int1D:
    """Rows that overfitting and superiority are measured over: all, or `JUDGED` evenly spread ones and the best."""
    if count <= JUDGED:
        return np.arange(count)
    return np.union1d(np.linspace(0, count - 1, JUDGED).astype(np.int64), [row])


def provenance(search: Search) -> dict[str, Any]:
    """Where a search comes from."""
    return {
        "code": code_version(ROOT),
        "code_digest": search.code,
        "versions": versions(),
        "data": dict(search.bench.market.panel.provenance),
        "parameters": search.points.chosen.settings.model_dump(mode="json"),
    }


def chosen_yaml(search: Search, row: int) -> str:
    """Return the configuration that runs one point as a backtest."""
    return chosen_yaml_of(search.config, search.points.settings(row))


def chosen_yaml_of(config: Config, settings: BookParams) -> str:
    """Return the configuration that runs these parameters as a backtest."""
    strategy = config.strategy.model_copy(update={"params": settings.model_dump(mode="json")})
    return config.model_copy(update={"strategy": strategy}).to_yaml()


def phase_curves(search: Search, *, run: str, created: dt.datetime) -> dict[str, Float1D]:
    """Curves of the strategy's published phases, run beside the grid; each of them is a trial too."""
    chosen, curves = search.points.chosen, {}
    for phase, changes in chosen.strategy.phases.items():
        settings = chosen.settings.model_copy(update=changes)
        plan = search.bench.plan(search.bench.market.panel, settings, search.bench.memo)
        done = run_plans(search.bench.market, [plan])
        record_points(search, [settings], done, run=run, purpose="backtest", created=created)
        curves[phase] = done.nav[0]
    return curves


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


def _metrics(search: Search, done: Evaluated, selection: Selection, row: int) -> dict[str, Any]:
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


def _notes(search: Search, done: Evaluated, judged: int) -> list[str]:
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


def _targets(
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


def _point_columns(search: Search, done: Evaluated, selection: Selection) -> dict[str, list[Any]]:
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
