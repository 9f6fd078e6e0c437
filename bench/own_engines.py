"""Engines of this project: event-driven from DataFrames, compiled, and the job with signals."""

from __future__ import annotations

from typing import Any

import numpy as np

from ares7.bars import engine_bars
from ares7.book import Targets
from ares7.config import AccountConfig, DataConfig, SyntheticConfig
from ares7.costs import BpsCosts
from ares7.panel import Panel
from bench.job import CASH, COST, SESSIONS, Job, frames

ACCOUNT = AccountConfig(cash=CASH, min_trade_nav=0.0)


def costs() -> BpsCosts:
    """10 bps, as every engine pays."""
    return BpsCosts(bps=COST * 1e4)


def panel_from(job: Job, data: dict[str, Any]) -> Panel:
    """Align one DataFrame a symbol into a panel; the sessions are those of the first one."""
    first = next(iter(data.values()))
    dates = first.index.to_numpy().astype("datetime64[D]")
    # A field at a time, and through (N, T): writing single columns of (T, N) arrays is ten times slower.
    stacked = np.stack([frame.to_numpy().T for frame in data.values()], axis=1)
    fields = [np.ascontiguousarray(values.T) for values in stacked]
    ends = np.zeros(len(dates), dtype=bool)
    ends[job.rows] = True
    shape = (len(dates), len(data))
    return Panel(
        dates=dates,
        symbols=tuple(data),
        fields=dict(zip(first.columns, fields, strict=True)),
        series={"index": job.index, "vix": job.vix},
        is_stock=np.ones(shape[1], dtype=bool),
        member=np.ones(shape, dtype=bool),
        month_end=ends,
        week_end=np.zeros(len(dates), dtype=bool),
    )


def given(job: Job) -> Targets:
    """Return the job's table as target rows and decision mask."""
    decide = np.zeros(len(job.dates), dtype=bool)
    decide[job.rows] = True
    latest = np.cumsum(decide) - 1
    weights = np.where((latest >= 0)[:, None], job.targets[np.maximum(latest, 0)], 0.0)
    return Targets(weights, decide, np.zeros(len(job.dates), dtype=bool))


def event_driven(job: Job, analyzers: bool) -> Any:
    """Our own strategy class: one feed a symbol, ``next`` on every bar, from DataFrames."""
    from analyzers import add_default_analyzers
    from analyzers.document import figures
    from feeds.cerebro import ares7_cerebro
    from strategies.base import PortfolioStrategy

    data, targets = frames(job), given(job)
    labels = (job.dates, np.zeros(len(job.dates), dtype=np.int8))

    def run() -> Any:
        cerebro = ares7_cerebro(panel_from(job, data), costs=costs(), account=ACCOUNT)
        cerebro.addstrategy(PortfolioStrategy, account=ACCOUNT, targets=targets)
        if not analyzers:
            return cerebro.run()[0].broker.history.nav, {}
        add_default_analyzers(cerebro, costs=costs(), labels=labels)
        done = cerebro.run()[0]
        return done.broker.history.nav, {"orders": figures(done)["orders"]}

    return run


def compiled(job: Job, record: bool) -> Any:
    """`ares7.simulate` on prepared bars, as a search calls it."""
    from ares7.simulate import simulate

    bars, targets = engine_bars(panel_from(job, frames(job))), given(job)
    return lambda: simulate(bars, targets, account=ACCOUNT, costs=costs(), record=record).nav


def with_signals(job: Job) -> Any:
    """Signals, weights and run of the default strategy; the panel is in memory.

    The market is this project's synthetic one, because the strategy reads fundamentals and funds.
    """
    from feeds.backtest import run_backtest
    from feeds.load import load_panel
    from strategies.regime_ensemble import Params, RegimeEnsemble

    settings = Params()
    market = SyntheticConfig(symbols=len(job.symbols))
    full = load_panel(DataConfig(synthetic=market), settings.requires)
    panel = full.last(SESSIONS + settings.warmup).columns(range(full.shape[1]))
    panel = panel.starting(panel.dates[settings.warmup])
    account = AccountConfig(cash=CASH)

    def run() -> Any:
        done = run_backtest(panel, RegimeEnsemble, settings, account=account, costs=costs())
        return done.cerebro.broker.history.nav

    return run
