"""The two engines behind one interface: what a strategy did on a panel, from either of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ares7.arrays import Float1D, Label1D
from ares7.bars import engine_bars
from ares7.book import Targets, delayed
from ares7.config import Config
from ares7.figures import figures, window_calendar
from ares7.ledger import Fills, Ledger, Orders
from ares7.panel import Panel
from ares7.params import BookParams
from ares7.progress import progress
from feeds.account_curve import History
from feeds.backtest import computed_targets, require_affordable, run_backtest


@dataclass(frozen=True, slots=True)
class Chosen:
    """A strategy that the configuration names: its name there, its class and its parameters."""

    name: str
    strategy: type[Any]
    settings: BookParams


@dataclass(frozen=True, slots=True)
class Tools:
    """What is handed in, so that this package imports no analyzers.

    Attributes
    ----------
    add_analyzers : callable
        ``analyzers.add_default_analyzers``.
    figures : callable
        ``analyzers.document.figures``.
    """

    add_analyzers: Callable[..., None]
    figures: Callable[..., dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a strategy did.

    Attributes
    ----------
    targets : Targets
        Rows of the whole panel, as they were acted on.
    history : History
        From the start session to the end.
    fills, orders, ledger
        The record; ``ledger.reference`` names orders.
    figures : dict
        Sections of metrics.json; empty for a baseline, of which only the history is used.
    """

    targets: Targets
    history: History
    fills: Fills
    orders: Orders
    ledger: Ledger
    figures: dict[str, Any]


Labels = Callable[[Targets], Label1D | None]
"""Held regime of each session that is run, given the target rows."""


def event_driven(
    config: Config, panel: Panel, chosen: Chosen, tools: Tools, labels: Labels, baseline_nav: Float1D | None
) -> Outcome:
    """Run through Backtrader, with the default analyzers unless it is the baseline that runs."""
    dates = panel.dates[panel.start_row :]

    def analyzers(cerebro: Any, targets: Targets) -> None:
        held = labels(targets)
        tools.add_analyzers(
            cerebro,
            windows=config.oos,
            baseline=(dates, baseline_nav),
            costs=config.costs,
            labels=None if held is None else (dates, held),
            risk_free=config.metrics.risk_free,
            rolling_sessions=config.metrics.rolling_sessions,
            calendar=window_calendar(config, panel.dates),
        )

    with progress(chosen.name, len(dates)) as step:
        run = run_backtest(
            panel,
            chosen.strategy,
            chosen.settings,
            account=config.account,
            costs=config.costs,
            analyzers=None if baseline_nav is None else analyzers,
            on_step=lambda _: step(1),
            name=chosen.name,
            cache=config.data.cache,
        )
    broker = run.cerebro.broker
    if baseline_nav is None:
        ledger = broker.ledger or Ledger(panel.symbols)
        return Outcome(run.targets, broker.history, ledger.fills, ledger.orders, ledger, {})
    recorded = run.strategy.analyzers.getbyname("fills")
    found = tools.figures(run.strategy, risk_free=config.metrics.risk_free)
    return Outcome(run.targets, broker.history, recorded.fills, recorded.orders, recorded.ledger, found)


def compiled(
    config: Config, panel: Panel, chosen: Chosen, tools: Tools, labels: Labels, baseline_nav: Float1D | None
) -> Outcome:
    """Run through `ares7.simulate`, without Backtrader."""
    # Imported here: numba takes longer to import than an event-driven run takes to finish.
    from ares7.simulate import simulate

    targets = computed_targets(panel, chosen.strategy, chosen.settings, chosen.name, config.data.cache)
    targets = delayed(targets, config.account.exec_lag - 1, panel.start_row)
    require_affordable(panel, targets, config.account, chosen.name)
    run = simulate(engine_bars(panel), targets, account=config.account, costs=config.costs)
    history = History(run.dates, run.nav, run.cash, run.gross, run.names)
    ledger = run.ledger or Ledger(panel.symbols)
    fills, orders = ledger.fills, ledger.orders
    found = {}
    if baseline_nav is not None:
        held = labels(targets)
        found = figures(
            config, *history, fills, orders, labels=held, baseline_nav=baseline_nav, all_sessions=panel.dates
        )
    return Outcome(targets, history, fills, orders, ledger, found)


ENGINES = {"event": event_driven, "compiled": compiled}
