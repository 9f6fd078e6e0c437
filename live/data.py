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
FIVE_SECONDS = dt.timedelta(seconds=5)
MINUTES = (1, 2, 3, 5, 10, 15, 20, 30)
"""Lengths of minute bars that IB has."""


class IBData(bt.feed.DataBase):  # type: ignore[misc]
    """Bars of one contract. Made by `live.store.IBStore.getdata`.

    Daily bars (``source="session"``) come through the store's barrier: all feeds of a session together, after its
    close. The other sources deliver each bar when it is finished, stamped with its end (UTC): no bar carries a time at
    which it was not known.

    The latest close is always a traded price. With ``adjusted`` the bars before it are adjusted for dividends as
    well as for splits; when either happens, the bars that the feed has delivered are rescaled (and the store notes
    it), so that windows over ``close`` stay right. Indicators that carry a value forward themselves keep theirs.

    Parameters
    ----------
    symbol : str
        As this project writes it, for example ``BRK-B``.
    kind : str
        ``STK`` or ``IND``.
    source : str
        ``session``, ``five_seconds`` or ``keep_up_to_date`` (bars of ``compression`` minutes).
    backfill : int
        Finished sessions delivered before the first live one, with status DELAYED; no order is accepted on them.
    adjusted : bool
    exchange, primary_exchange : str
        For a symbol that means several contracts.

    Attributes
    ----------
    facts : ContractFacts or None
        After the start.
    stale : bool
        The latest session was published without a bar of this contract.
    """

    params: Any = (
        ("symbol", ""),
        ("kind", "STK"),
        ("source", "session"),
        ("backfill", 0),
        ("adjusted", False),
        ("exchange", ""),
        ("primary_exchange", ""),
        ("timeframe", bt.TimeFrame.Days),
        ("compression", 1),
        ("qcheck", 0.5),
    )

    def __init__(self, store: IBStore, **kwargs: Any) -> None:
        super().__init__()
        if kwargs:
            raise ConfigError(f"a feed has no parameter {', '.join(sorted(kwargs))}; see live.data.IBData")
        self.store = store
        self.facts: ContractFacts | None = None
        self.stale = False
        self._queue: collections.deque[tuple[Bar, float]] = collections.deque()
        self._history: collections.deque[Bar] = collections.deque()
        self._latest: dt.datetime | None = None
        if not self.p.symbol:
            raise ConfigError("a feed needs a symbol: store.getdata(symbol='AAPL')")
        self._name = self.p.dataname = self.p.name or self.p.symbol
        self._set_timeframe()

    def _set_timeframe(self) -> None:
        source, minutes = self.p.source, self.p.compression
        if source not in ("session", "five_seconds", "keep_up_to_date"):
            raise ConfigError(f"source {source} is not known; use session, five_seconds or keep_up_to_date")
        if source == "five_seconds":
            self.p.timeframe, self.p.compression = bt.TimeFrame.Seconds, 5
        elif source == "keep_up_to_date":
            self.p.timeframe = bt.TimeFrame.Minutes
            if minutes not in MINUTES:
                raise ConfigError(f"{minutes} minutes are no bar of IB; set compression to one of {MINUTES}")
        elif (self.p.timeframe, minutes) != (bt.TimeFrame.Days, 1):
            raise ConfigError("session bars are daily; for minutes use source='keep_up_to_date'")
        if source != "session" and self.p.backfill:
            raise ConfigError("backfill is for session bars; intraday feeds begin with the first live bar")

    @property
    def is_daily(self) -> bool:
        """Its bars are sessions and pass the barrier."""
        return bool(self.p.source == "session")

    @property
    def length(self) -> dt.timedelta:
        """Length of an intraday bar."""
        return FIVE_SECONDS if self.p.source == "five_seconds" else dt.timedelta(minutes=self.p.compression)

    @property
    def what(self) -> str:
        """What IB is asked for."""
        return "ADJUSTED_LAST" if self.p.adjusted and self.p.kind == "STK" else "TRADES"

    # What Backtrader calls

    def islive(self) -> bool:
        """Bars arrive while the run goes on: no preloading."""
        return True

    def haslivedata(self) -> bool:
        """A bar is waiting."""
        return bool(self._queue)

    def setenvironment(self, env: Any) -> None:
        """Attach to a Cerebro, and the store with it, so that its notifications are delivered.

        Turns on ``quicknotify``: with daily bars an order would otherwise be notified a session late, the last ones
        never. ``cerebro.run(quicknotify=False)`` turns it off again.
        """
        super().setenvironment(env)
        env.addstore(self.store)
        env.p.quicknotify = True

    def start(self) -> None:
        """Qualify the contract and ask for the history; called by Cerebro."""
        super().start()
        self.store.start(data=self)
        self.put_notification(self.DELAYED if self._history else self.LIVE)

    def load(self) -> bool | None:
        """Deliver the next bar, if there is one; without one the lines are not touched."""
        if not (self._history or self._queue or self._barstack or self._barstash):
            self._end_of_history()
            if not self.store.finished:
                self.store.pump_once(self._qcheck)
            if not self._queue:
                return False if self.store.finished else None
        loaded: bool | None = super().load()
        return loaded

    def _load(self) -> bool | None:
        if self._history:
            self._write(self._history.popleft())
            return True
        if not self._queue:
            # Asked again after a filter took a bar away.
            return False if self.store.finished else None
        self._end_of_history()
        bar, factor = self._queue.popleft()
        if factor != 1.0:
            self._rescale(factor)
        self._write(bar)
        return True

    def _end_of_history(self) -> None:
        if self._laststatus == self.DELAYED:
            self.put_notification(self.LIVE)

    # What the store calls

    def fill(self, history: list[Bar]) -> None:
        """Bars of the past to be delivered first."""
        self._history.extend(history)

    def push(self, bar: Bar, factor: float = 1.0) -> None:
        """Queue a bar that is finished; one that is not later than the latest is dropped.

        Parameters
        ----------
        bar : Bar
        factor : float
            The prices of all bars before it are multiplied by it: a dividend was paid, or the share was split.
        """
        moment = self._moment(bar)
        if self._latest is None or moment > self._latest:
            self._latest = moment
            self._queue.append((bar, factor))

    def interrupted(self, *, broken: bool) -> None:
        """Tell the strategies that the connection is gone, or is back."""
        if broken and self._laststatus in (self.LIVE, self.DELAYED):
            self.put_notification(self.CONNBROKEN)
        elif not broken and self._laststatus == self.CONNBROKEN:
            self.put_notification(self.DELAYED if self._history else self.LIVE)

    @property
    def is_current(self) -> bool:
        """The latest bar delivered is a live one."""
        return not self._history and self._laststatus == self.LIVE

    def _moment(self, bar: Bar) -> dt.datetime:
        if bar.start is None:
            return dt.datetime.combine(bar.session, DAY_END)
        return (bar.start + self.length).astimezone(dt.UTC).replace(tzinfo=None)

    def _rescale(self, factor: float) -> None:
        lines = self.lines
        for line in (lines.open, lines.high, lines.low, lines.close):
            _multiply(line, factor)
        if not self.p.adjusted:
            # Only a split changes traded prices, and it changes the shares as well.
            _multiply(lines.volume, 1.0 / factor)

    def _write(self, bar: Bar) -> None:
        lines = self.lines
        lines.datetime[0] = bt.date2num(self._moment(bar))
        lines.open[0], lines.high[0], lines.low[0], lines.close[0] = bar.open, bar.high, bar.low, bar.close
        lines.volume[0], lines.openinterest[0] = bar.volume, 0.0
        if self.facts is not None:
            self.store.getbroker().mark(self.facts.con_id, bar.close)


def _multiply(line: Any, factor: float) -> None:
    values = line.array
    for i in range(len(values)):
        values[i] *= factor
