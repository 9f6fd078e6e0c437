"""From configuration to the curves of every point of a grid: data, baseline, windows, executor, ledger."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np

from ares7.arrays import Dates
from ares7.batch import market, run_plans
from ares7.batch_figures import EquityFigures, equity_figures
from ares7.book import assemble, planned
from ares7.config import Config
from ares7.errors import ConfigError
from ares7.grid import Grid
from ares7.point_figures import PointWindows, point_windows
from ares7.progress import stage
from ares7.purged import purged_folds, walk_forward_windows
from ares7.search import Bench
from ares7.selection import SelectionConfig, require_readable
from ares7.trials import DataSet, data_set_of
from feeds.backtest import computed_targets, require_affordable, usable_targets
from feeds.engines import Chosen
from feeds.evaluating import Evaluated as Evaluated
from feeds.evaluating import record_points as record_points
from feeds.evaluating import run as run
from feeds.points import Points, numbered, plan_of
from feeds.study import load_for, require_margin
from feeds.trial_record import code_of, settings_hash

ROOT = Path(__file__).resolve().parent.parent
FILL_HORIZON = 1
"""A decision at the last close that trains fills in the session after it."""


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
            np.__version__,
            numba.__version__,
        ]
        parts += [self.points.chosen.name, *self.points.hashes]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    @property
    def folder(self) -> Path:
        """Where curves and panels lie while a search runs: in ``data.cache``, else beside the runs."""
        return (self.config.data.cache or self.config.runs.folder / ".searches") / "searches"


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
    points, needs = numbered(config, grid, chosen, allowed=allowed)
    for settings in (chosen.settings, baseline.settings):
        require_margin(config, settings)
    stage("loading data")
    warmup = max(needs.warmup, baseline.settings.warmup)
    panel = load_for(config, needs.inputs | baseline.settings.requires, warmup, chosen.name)
    place = market(panel, account=config.account, costs=config.costs)
    windows = windows_of(config, place.dates, rule, warmup)
    targets = computed_targets(panel, baseline.strategy, baseline.settings, baseline.name, config.data.cache)
    require_affordable(panel, targets, config.account, baseline.name)
    _say_what_is_compiled()
    nav = run_plans(place, [planned(panel, targets)]).nav
    free = config.metrics.risk_free
    bench = Bench(place, plan_of(chosen.strategy, chosen.name), windows.slices, nav[0], free)
    _try_first(config, bench, points)
    return Search(
        config=config,
        points=points,
        bench=bench,
        windows=windows,
        baseline=equity_figures(nav, windows.slices, nav[0], free),
        data_set=data_set_of(panel, place.dates[0], place.dates[-1]),
        settings_hash=settings_hash(config, baseline.settings),
        code=code_of(chosen.strategy),
    )


def _try_first(config: Config, bench: Bench, points: Points) -> None:
    """Refuse what a backtest of the first point would refuse: unusable weights, too little cash."""
    settings, name, panel = points.settings(0), points.chosen.name, bench.market.panel
    targets = usable_targets(panel, assemble(panel, bench.plan(panel, settings, bench.memo)), settings, name)
    require_affordable(panel, targets, config.account, name)


def _say_what_is_compiled() -> None:
    """Say why the first search of an installation takes longer."""
    from ares7 import batch_kernel

    source = Path(batch_kernel.__file__)
    cache = getattr(batch_kernel.run_block, "_cache", None)
    if cache is None:
        return  # plain Python: NUMBA_DISABLE_JIT
    compiled = list(Path(cache.cache_path).glob(f"{source.stem}.run_block-*.nbi"))
    if not any(index.stat().st_mtime >= source.stat().st_mtime for index in compiled):
        stage("compiling for the first time, about 10 s")
