"""A Cerebro over one panel: one feed a symbol, one clock for all of them."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import backtrader as bt

from ares7.bars import EngineBars, engine_bars
from ares7.config import AccountConfig
from ares7.costs import CostModel
from ares7.panel import Panel
from feeds.broker import PanelBroker
from feeds.panel_feed import Clock, aligned_feeds


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Walk no orders and lines for garbage meanwhile: next to nothing dies before the end."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


class PanelCerebro(bt.Cerebro):
    """Cerebro whose feeds all come from one panel and move together.

    While every feed shows the same sessions, one clock moves them instead of 7 line buffers a feed; anything
    else that is added to it runs through Backtrader's own loop.
    """

    # Backtrader's default observers cost two lines a symbol; analyzers and reports do not read them.
    params: Any = (("stdstats", False),)

    def __init__(self, bars: EngineBars, **_: Any) -> None:
        super().__init__()
        self._bars = bars
        self._clock = Clock()
        self._step: Callable[[int], None] | None = None
        with _nothing_collected():
            for feed in aligned_feeds(bars, self._clock):
                self.adddata(feed)
        self._own_feeds = len(self.datas)

    def on_step(self, callback: Callable[[int], None]) -> None:
        """Call ``callback(sessions done)`` after each session, for progress bars."""
        self._step = callback

    def run(self, **kwargs: Any) -> Any:
        """Run to the panel's last session; see Backtrader."""
        with _nothing_collected():
            return super().run(**kwargs)

    def _runonce(self, runstrats: list[Any]) -> None:
        if len(self.datas) != self._own_feeds or self.p.cheat_on_open:
            super()._runonce(runstrats)
            return
        for strat in runstrats:
            strat._once()
            strat.reset()
            # Feeds grow together, so one subtraction a session tells whether every minimum period is over.
            starts = [feed.p.listed for feed in self.datas]
            needs = [need + start for need, start in zip(strat._minperiods, starts, strict=True)]
            strat._minperiods = [max(needs) - starts[0]]
        for feed in self.datas:
            # The clock does not refresh the prices that Backtrader's own loop leaves behind in each feed.
            if feed.tick_last is not None:
                feed._tick_nullify()
        try:
            for row, number in enumerate(self._bars.ordinals.tolist()):
                self._clock.row = row
                self._session(runstrats, number)
                if self._event_stop:
                    return
                if self._step is not None:
                    self._step(row + 1)
        finally:
            self._release()

    def _session(self, runstrats: list[Any], number: float) -> None:
        """Do what Backtrader's own loop does in one session."""
        if self._timerscheat:
            self._check_timers(runstrats, number, cheat=True)
        self._brokernotify()
        if self._event_stop:
            return
        if self._timers:
            self._check_timers(runstrats, number, cheat=False)
        for strat in runstrats:
            strat._oncepost(number)
            if self._event_stop:
                return
            if self.runwriters:
                self._next_writers(runstrats)

    def _brokernotify(self) -> None:
        """Let the broker do its session and pass on what it tells."""
        broker = self._broker
        broker.next()
        # In most sessions that is nothing, and Backtrader's broker finds out by catching an exception.
        while getattr(broker, "notifs", True) and (order := broker.get_notification()) is not None:
            owner = self.runningstrats[0] if order.owner is None else order.owner
            owner._addnotification(order, quicknotify=self.p.quicknotify)

    def stop_writers(self, runstrats: list[Any]) -> None:
        """Let writers describe the run, if there are any."""
        if self.runwriters:
            super().stop_writers(runstrats)

    def _release(self) -> None:
        """Leave every line where the clock was, so that analyzers can still read it."""
        row = self._clock.row or 0
        for feed in self.datas:
            feed.stand_at(row)
        self._clock.row = None


def ares7_cerebro(
    panel: Panel,
    *,
    costs: CostModel,
    account: AccountConfig | None = None,
    stop: int | None = None,
    **kwargs: Any,
) -> PanelCerebro:
    """Return a Cerebro that is ready for ``addstrategy``: feeds, broker, cash and commission.

    Parameters
    ----------
    panel : Panel
        Runs from ``panel.start`` to its last row, or to row ``stop`` (exclusive).
    costs : CostModel
    account : AccountConfig, optional
    **kwargs
        Handed to ``bt.Cerebro``.
    """
    account = account or AccountConfig()
    bars = engine_bars(panel, stop=stop)
    cerebro = PanelCerebro(bars, **kwargs)
    cerebro.broker = PanelBroker(
        bars=bars,
        costs=costs,
        cash=account.cash,
        cash_rate=account.cash_rate,
        margin=account.margin,
        financing_bps=account.financing_bps or 0.0,
    )
    return cerebro
