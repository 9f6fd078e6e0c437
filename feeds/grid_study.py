"""A grid from configuration to everything that its run folder keeps: points, choice, and how much of it is luck."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np

from ares7.arrays import Float1D, Int1D
from ares7.batch import run_plans
from ares7.config import Config
from ares7.errors import ConfigError
from ares7.grid import Grid
from ares7.params import BookParams
from ares7.progress import stage
from ares7.provenance import code_version, versions
from ares7.search_files import SearchResult
from ares7.search_statistics import luck
from ares7.selection import Selection, select
from ares7.trials import Family, TrialLedger
from feeds.engines import Chosen
from feeds.evaluating import keeping
from feeds.executors import Place
from feeds.grid_report import metrics, notes, point_columns, targets
from feeds.searching import ROOT, Evaluated, Search, prepare, record_points, run
from feeds.trial_record import ledger_path

JUDGED = 4096
"""Points whose curves are compared with one another at most; time and memory grow with it."""


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
    described = metrics(search, done, selection, row) | {
        "statistics": found,
        "targets": targets(search, done, selection, row, found, phases),
        "notes": notes(search, done, len(judged)),
    }
    return SearchResult(
        kind="grid",
        config_yaml=config.to_yaml(),
        digest=digest,
        strategy=search.points.chosen.name,
        provenance=provenance(search)
        | {"trials": found["trials"], "resumed": done.resumed, "duration_s": round(done.seconds, 3)},
        metrics=described,
        tables={
            "points": point_columns(search, done, selection),
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
