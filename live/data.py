"""A Backtrader feed on Interactive Brokers: finished session bars through the barrier, or intraday bars live."""

from __future__ import annotations

import collections
import datetime as dt
from typing import TYPE_CHECKING, Any, Literal

import backtrader as bt

from ares7.errors import ConfigError
from live.client.messages import Bar, ContractFacts

if TYPE_CHECKING:
    from live.store import IBStore

DAY_END = dt.time(23, 59, 59, 999990)
"""Backtrader's time of a daily bar."""
Source = Literal["session", "five_seconds", "keep_up_to_date"]


class IBData(bt.feed.DataBase):  # type: ignore[misc]
    """Bars of one contract. Made by `live.store.IBStore.getdata`.

    Daily bars (``source="session"``) come through the store's barrier: all feeds of a session together, after its
    close. The other sources deliver each bar when it arrives.

    Parameters
    ----------
    symbol : str
        As this project writes it, for example ``BRK-B``.
    kind : str
        ``STK`` or ``IND``.
    source : str
        ``session``, ``five_seconds`` or ``keep_up_to_date``.
    backfill : int
        Finished sessions delivered before the first live one, with status DELAYED; no order is accepted on them.
    adjusted : bool
        True asks for prices adjusted for dividends too; orders always trade at traded prices.
    """

    params: Any = (
        ("symbol", ""),
        ("kind", "STK"),
        ("source", "session"),
        ("backfill", 0),
        ("adjusted", False),
        ("timeframe", bt.TimeFrame.Days),
        ("compression", 1),
        ("qcheck", 0.05),
    )

    def __init__(self, store: IBStore, **kwargs: Any) -> None:
        super().__init__()
        self.store = store
        self.facts: ContractFacts | None = None
        self.stale = False
        """The latest session was published without a bar of this contract."""
        self._queue: collections.deque[Bar] = collections.deque()
        self._history: collections.deque[Bar] = collections.deque()
        if not self.p.symbol:
            raise ConfigError("a feed needs a symbol: store.getdata(symbol='AAPL')")
        self._name = self.p.dataname = self.p.name or self.p.symbol

    def islive(self) -> bool:
        """Bars arrive while the run goes on: no preloading."""
        return True

    def haslivedata(self) -> bool:
        """A bar is waiting."""
        return bool(self._queue)

    def setenvironment(self, env: Any) -> None:
        """Attach to a Cerebro, and the store with it, so that its notifications are delivered."""
        super().setenvironment(env)
        env.addstore(self.store)

    def start(self) -> None:
        """Qualify the contract and ask for the history; called by Cerebro."""
        super().start()
        self.store.start(data=self)
        if self._history:
            self.put_notification(self.DELAYED)
        else:
            self.put_notification(self.LIVE)

    def fill(self, history: list[Bar]) -> None:
        """Bars of the past to be delivered first."""
        self._history.extend(history)

    def push(self, bar: Bar) -> None:
        """Queue a bar that is final."""
        self._queue.append(bar)

    @property
    def is_current(self) -> bool:
        """The latest bar delivered is a live one."""
        return not self._history and self._laststatus == self.LIVE

    def _load(self) -> bool | None:
        if self._history:
            self._write(self._history.popleft())
            return True
        if self._laststatus == self.DELAYED:
            self.put_notification(self.LIVE)
        if not self._queue:
            if self.store.finished:
                return False
            self.store.pump(wait=self._qcheck)
            if not self._queue:
                return None
        self._write(self._queue.popleft())
        return True

    def _write(self, bar: Bar) -> None:
        moment = dt.datetime.combine(bar.session, DAY_END) if bar.start is None else _naive(bar.start)
        lines = self.lines
        lines.datetime[0] = bt.date2num(moment)
        lines.open[0], lines.high[0], lines.low[0], lines.close[0] = bar.open, bar.high, bar.low, bar.close
        lines.volume[0], lines.openinterest[0] = bar.volume, 0.0
        if self.facts is not None:
            self.store.mark(self.facts.con_id, bar.close)


def _naive(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(dt.UTC).replace(tzinfo=None)
