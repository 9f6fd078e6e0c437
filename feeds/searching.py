"""From configuration to the curves of every point of a grid: data, baseline, windows, executor, ledger."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ares7.arrays import Dates, Float2D, Int1D
from ares7.batch import Curves, market, run_plans
from ares7.batch_figures import EquityFigures, equity_figures, joined
from ares7.book import Plan, planned
from ares7.config import Config
from ares7.errors import ConfigError
from ares7.grid import Grid, require_usable, settings_at
from ares7.overfit import Moments
from ares7.panel import Panel
from ares7.params import BookParams
from ares7.point_figures import PointFigures, PointWindows, point_windows
from ares7.progress import progress, stage
from ares7.purged import purged_folds, walk_forward_windows
from ares7.search import Bench, Block, block_points, run_search
from ares7.search_store import CurveStore, prune
from ares7.selection import SelectionConfig, require_readable
from ares7.stages import Memo
from ares7.trials import (
    DataSet,
    Purpose,
    Trial,
    TrialLedger,
    data_set_of,
    params_hash,
)
from feeds.backtest import computed_targets, require_affordable, usable_targets
from feeds.engines import Chosen
from feeds.executors import Place
from feeds.study import load_for, require_margin
from feeds.trial_record import code_of, ledger_path, settings_hash, trials_of

ROOT = Path(__file__).resolve().parent.parent
UNFINISHED = 4
"""Interrupted searches whose curves are kept for a later call."""
FILL_HORIZON = 1
"""A decision at the last close that trains fills in the session after it."""


@dataclass(frozen=True, slots=True)
class Points:
    """The points of a grid and which of them are the same.

    Attributes
    ----------
    grid : Grid
    chosen : Chosen
        Strategy and base parameters.
    hashes : tuple of D str
        `ares7.trials.params_hash` of each distinct point.
    unique : (D,) int64
        Number of the first point with these parameters.
    place : (P,) int64
        Row of each point among the distinct ones.
    """

    grid: Grid
    chosen: Chosen
    hashes: tuple[str, ...]
    unique: Int1D
    place: Int1D

    def settings(self, row: int) -> BookParams:
        """Return the parameters of a distinct point."""
        base = self.chosen.settings.model_dump()
        model = type(self.chosen.settings)
        found = settings_at(self.grid, int(self.unique[row]), model, base, self.chosen.name)
        return found  # type: ignore[return-value]

    def several(self, rows: Int1D) -> list[BookParams]:
        """Return the parameters of distinct points."""
        return [self.settings(row) for row in rows.tolist()]


@dataclass(frozen=True, slots=True)
class Search:
    """A search that is ready to run.

    Attributes
    ----------
    config : Config
    points : Points
    bench : Bench
    windows : PointWindows
    baseline : EquityFigures
        Of the baseline's one curve.
    data_set : DataSet
    settings_hash, code : str
        Engine settings and code under which a point is a trial.
    """

    config: Config
    points: Points
    bench: Bench
    windows: PointWindows
    baseline: EquityFigures
    data_set: DataSet
    settings_hash: str
    code: str

    @property
    def dates(self) -> Dates:
        """(S,) datetime64[D]."""
        return self.bench.market.dates

    @property
    def digest(self) -> str:
        """Identifies the search: the same data, settings, code and points."""
        parts = [
            self.data_set.data_hash,
            str(self.dates[0]),
            str(self.dates[-1]),
            self.settings_hash,
            self.code,
        ]
        parts += [self.points.chosen.name, *self.points.hashes]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Curves and figures of the distinct points.

    Attributes
    ----------
    search : Search
    curves : Curves
    figures : PointFigures
    resumed : int
        Points whose curves an interrupted search had left.
    seconds : float
        Of the evaluation.
    """

    search: Search
    curves: Curves
    figures: PointFigures
    resumed: int
    seconds: float


def plan_of(strategy: type[Any], name: str) -> Any:
    """Return the strategy's plan function; of one that has only ``weights``, its targets as a plan."""
    if strategy.plan is not None:
        return strategy.plan

    def written_out(panel: Panel, params: BookParams, memo: Memo) -> Plan:
        return planned(panel, usable_targets(panel, strategy, params, name))

    return written_out


def numbered(grid: Grid, chosen: Chosen, *, allowed: bool) -> tuple[Points, frozenset[str], int]:
    """Validate a grid and find its distinct points.

    Returns
    -------
    Points, and the inputs and rows of warm-up that the hungriest point needs.
    """
    base, model = chosen.settings.model_dump(), type(chosen.settings)
    require_usable(grid, model, base, chosen.name, allowed=allowed)
    place = np.empty(len(grid), np.int64)
    unique: list[int] = []
    rows: dict[str, int] = {}
    needs, warmup = chosen.settings.requires, 0
    for point in range(len(grid)):
        settings: Any = settings_at(grid, point, model, base, chosen.name)
        digest = params_hash(chosen.name, settings.model_dump(mode="json"))
        if digest not in rows:
            rows[digest] = len(unique)
            unique.append(point)
            needs, warmup = needs | settings.requires, max(warmup, settings.warmup)
        place[point] = rows[digest]
    return Points(grid, chosen, tuple(rows), np.array(unique, np.int64), place), needs, warmup


def windows_of(config: Config, dates: Dates, rule: SelectionConfig, warmup: int) -> PointWindows:
    """Rows of returns that the figures of a point are taken over.

    Raises
    ------
    ConfigError
        The rule reads what the data do not have; folds that share returns; a train window shorter than the
        warm-up.
    """
    plain = point_windows(dates[1:], config.oos)
    train = plain.train.stop
    if config.oos and 0 < train < warmup:
        raise ConfigError(
            f"{train} sessions lie before the earliest out-of-sample window {config.oos[0].name}, fewer than the "
            f"{warmup} of the warm-up; start earlier or move oos"
        )
    folds: tuple[slice, ...] = ()
    years: tuple[slice, ...] = ()
    if rule.objective == "purged_cv":
        cut = config.search.folds
        found = purged_folds(train, cut.folds, cut.purge, cut.embargo, horizon=FILL_HORIZON)
        folds = tuple(fold.tests[0] for fold in found)
    if rule.objective == "walk_forward":
        cut_years = config.search.walkforward
        found_years = walk_forward_windows(
            dates[1 : train + 1],
            train_years=cut_years.train_years,
            purge=cut_years.purge,
            embargo=cut_years.embargo,
            horizon=FILL_HORIZON,
            calendar=config.data.calendar,
        )
        years = tuple(window.test for window in found_years)
    windows = point_windows(dates[1:], config.oos, folds, years)
    require_readable(windows, rule.objective, rule.constraints, baseline=True)
    return windows


def prepare(
    config: Config,
    chosen: Chosen,
    baseline: Chosen,
    grid: Grid,
    rule: SelectionConfig,
    *,
    allowed: bool = False,
) -> Search:
    """Load, validate, run the baseline; nothing of the grid is run yet and nothing is recorded.

    Raises
    ------
    ConfigError, DataError
    """
    points, needs, warmup = numbered(grid, chosen, allowed=allowed)
    for settings in (chosen.settings, baseline.settings):
        require_margin(config, settings)
    stage("loading data")
    warmup = max(warmup, baseline.settings.warmup)
    panel = load_for(config, needs | baseline.settings.requires, warmup, chosen.name)
    place = market(panel, account=config.account, costs=config.costs)
    windows = windows_of(config, place.dates, rule, warmup)
    targets = computed_targets(panel, baseline.strategy, baseline.settings, baseline.name, config.data.cache)
    require_affordable(panel, targets, config.account, baseline.name)
    nav = run_plans(place, [planned(panel, targets)]).nav
    free = config.metrics.risk_free
    return Search(
        config=config,
        points=points,
        bench=Bench(place, plan_of(chosen.strategy, chosen.name), windows.slices, nav[0], free),
        windows=windows,
        baseline=equity_figures(nav, windows.slices, nav[0], free),
        data_set=data_set_of(panel, place.dates[0], place.dates[-1]),
        settings_hash=settings_hash(config, baseline.settings),
        code=code_of(chosen.strategy),
    )


def run(search: Search, place: Place, *, run: str, purpose: Purpose, created: dt.datetime) -> Evaluated:
    """Evaluate every distinct point; each block is on the disk and in the ledger before the search goes on.

    Parameters
    ----------
    place : Place
        Where points are run (`feeds.executors`).
    run : str
        Name under which they are recorded.

    Raises
    ------
    KeyboardInterrupt
        The finished points are kept: the same call goes on from there.
    """
    count, sessions = len(search.points.hashes), len(search.dates)
    home = (search.config.data.cache or search.config.runs.folder / ".searches") / "searches"
    prune(home, UNFINISHED)
    store = CurveStore(home / search.digest, search.digest, count, sessions)
    figures: dict[int, tuple[Int1D, EquityFigures]] = {}
    began = time.perf_counter()
    done = store.done
    left = np.flatnonzero(~done)
    workers = place.workers
    size = block_points(sessions, search.bench.market.tape.close.shape[1], len(left), workers)
    with TrialLedger(ledger_path(search.config)) as ledger, progress("points", count) as step:
        step(int(done.sum()))

        def keep(block: Block) -> None:
            rows = left[block.first : block.first + len(block.curves.nav)]
            store.keep(rows, block.curves)
            figures[block.first] = rows, block.figures
            trials = _trials(search, search.points.several(rows), block.curves, block.figures)
            ledger.record(search.data_set, trials, run=run, purpose=purpose, created=created)
            step(len(rows))

        with place.executor(search) as (executor, task):
            run_search(task, _blocks(search.points, left, size), executor, in_flight=2 * workers, keep=keep)
    rest = np.flatnonzero(done)
    old = store.curves(rest)
    found = [*figures.values(), (rest, _figures_of(search, old.nav))] if len(rest) else list(figures.values())
    order = np.argsort(np.concatenate([rows for rows, _ in found]))
    together = joined([part for _, part in found])
    equity = EquityFigures(**{name: getattr(together, name)[order] for name in EquityFigures.__slots__})
    curves = store.curves(np.arange(count))
    store.remove()
    return Evaluated(
        search,
        curves,
        PointFigures(search.windows, equity, search.baseline, curves.turnover, curves.fees),
        len(rest),
        time.perf_counter() - began,
    )


def _figures_of(search: Search, nav: Float2D) -> EquityFigures:
    bench = search.bench
    return equity_figures(nav, bench.windows, bench.baseline_nav, bench.risk_free)


def _blocks(points: Points, rows: Int1D, size: int) -> Iterator[tuple[int, Sequence[BookParams]]]:
    for first in range(0, len(rows), size):
        yield first, points.several(rows[first : first + size])


def record_points(
    search: Search,
    points: Sequence[BookParams],
    curves: Curves,
    *,
    run: str,
    purpose: Purpose,
    created: dt.datetime,
) -> None:
    """Record points that are not of the grid."""
    figures = _figures_of(search, curves.nav)
    with TrialLedger(ledger_path(search.config)) as ledger:
        trials = _trials(search, points, curves, figures)
        ledger.record(search.data_set, trials, run=run, purpose=purpose, created=created)


def _trials(
    search: Search, points: Sequence[BookParams], curves: Curves, figures: EquityFigures
) -> list[Trial]:
    """What the ledger keeps of a block."""
    f, count = figures, len(search.dates) - 1
    return trials_of(
        search.points.chosen.name,
        points,
        dates=search.dates,
        nav=curves.nav,
        baseline_nav=search.bench.baseline_nav,
        total=Moments(count, f.mean, f.sd, f.skew, f.kurtosis),
        active=Moments(count, f.active_mean, f.active_sd, f.active_skew, f.active_kurtosis),
        drawdown=f.max_drawdown,
        turnover=curves.turnover,
        settings=search.settings_hash,
        code=search.code,
    )
