"""The feeds of a store: their contracts, their history, and the bars that come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

from ares7.errors import ConfigError, MissingData, ServiceUnavailable, StaleData
from live.barrier import Published
from live.client.client import Client
from live.client.contracts import Wanted as WantedContract
from live.client.history import DailyBars
from live.client.messages import Bar, BarUpdate, ContractFacts, SubscriptionFailed
from live.data import IBData
from live.growing_bars import GrowingBars
from live.history_cache import HistoryCache
from live.session_bars import COMPARED, SessionBars, Wanted, bars_of
from live.store_options import StoreOptions
from live.trading_clock import Calendar

GRACE = dt.timedelta(seconds=5)
"""After the end of an intraday bar, for its last change."""
ROUNDING = 5e-5
"""Relative change of earlier prices that a vendor's rounding makes; nobody is told of it."""
NOT_SUBSCRIBED = (354, 420, 10197)
"""Codes that mean: no permission for the data."""


class MarketFeeds:
    """Serves every feed of one store.

    Parameters
    ----------
    client : Client
    options : StoreOptions
    note : callable
        Tells the strategies.
    cache : Path or None
        Folder for daily history.
    until : date or None
        The run ends after this session.

    Attributes
    ----------
    datas : list of IBData
    finished : bool
        No bar will come any more.
    latest_session : date
        The latest whose bars were final when history was loaded; live sessions come after it.
    until : date or None
    observe_bars : callable or None
        Is handed the daily bars of every session's requests; set before the start.
    on_session : callable or None
        Is called with each session before its bars are delivered.
    """

    def __init__(
        self,
        client: Client,
        options: StoreOptions,
        note: Callable[[str], None],
        cache: Path | None,
        until: dt.date | None,
    ) -> None:
        self.datas: list[IBData] = []
        self.finished, self.until = False, until
        self.latest_session = dt.date.min
        self.again: dt.date | None = None
        """A session that has closed and is delivered as a live one all the same: nobody has acted on it."""
        self.observe_bars: Callable[[DailyBars], None] | None = None
        self.on_session: Callable[[dt.date], None] | None = None
        self._client, self._options, self._note = client, options, note
        self._cache = None if cache is None else HistoryCache(cache)
        self._bars: SessionBars | None = None
        self._subscribed: dict[int, IBData] = {}
        self._growing: dict[int, GrowingBars] = {}

    # Start

    def qualify(self) -> None:
        """Find the contract of every feed.

        Raises
        ------
        MissingData
            One is unknown, ambiguous or not in USD; names it and the remedy.
        ConfigError
            Two feeds have one name.
        """
        names = [data._name for data in self.datas]
        if len(set(names)) < len(names):
            raise ConfigError("two feeds have the same name; give one of them name=")
        problems = []
        for kind in sorted({data.p.kind for data in self.datas}):
            group = [data for data in self.datas if data.p.kind == kind]
            wanted = {
                data.p.symbol: WantedContract(
                    data.p.symbol, kind, exchange=data.p.exchange, primary_exchange=data.p.primary_exchange
                )
                for data in group
            }
            found = self._client.qualify(wanted.values())
            problems += [problem.text for problem in found.problems.values()]
            for data in group:
                data.facts = found.facts.get(data.p.symbol)
        if problems:
            others = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
            raise MissingData(f"{problems[0]}{others}")

    def load(self, now: dt.datetime, calendar: Calendar) -> None:
        """Load history up to the latest session whose bars are final, and open what goes on."""
        daily = [data for data in self.datas if data.is_daily]
        latest = calendar.finished(now)
        if now < latest.closes + self._options.bar_delay:
            latest = calendar.finished(latest.opens)
        if self.again is not None and latest.date == self.again:
            latest = calendar.finished(latest.opens)
        self.latest_session = latest.date
        last: dict[str, tuple[Bar, ...]] = {}
        for what in ("TRADES", "ADJUSTED_LAST"):
            group = [data for data in daily if data.what == what and data.p.backfill]
            if group:
                last |= self._backfill(group, what, latest.date)
        if daily:
            wanted = {data._name: Wanted(_facts(data), data.what, last.get(data._name, ())) for data in daily}
            self._bars = SessionBars(
                self._client, wanted, calendar, self._options, latest.date, self._note, self.observe_bars
            )
        for data in self.datas:
            if not data.is_daily:
                self._subscribe(data)

    def _backfill(self, group: list[IBData], what: str, session: dt.date) -> dict[str, tuple[Bar, ...]]:
        """Fill the feeds; returns the last bars of each."""
        # One more than asked: today's unfinished bar may be among them.
        count = max(data.p.backfill for data in group) + 2
        found = self._history([_facts(data) for data in group], what, session, count)
        last = {}
        for data in group:
            answer = found[_facts(data).con_id]
            if isinstance(answer, Exception):
                raise answer
            bars = [bar for bar in bars_of(answer) if bar.session <= session][-data.p.backfill :]
            data.fill(bars)
            last[data._name] = tuple(bars[-COMPARED:])
            if not bars or bars[-1].session < session:
                data.stale = True
                self._note(f"{data._name}: no bar of {session} in its history")
        return last

    def _history(
        self, wanted: list[ContractFacts], what: str, session: dt.date, count: int
    ) -> dict[int, DailyBars | Exception]:
        found: dict[int, DailyBars | Exception] = {}
        if self._cache is not None:
            for facts in wanted:
                stored = self._cache.read(facts, what, session, count)
                if stored is not None:
                    found[facts.con_id] = stored
        asked = [facts for facts in wanted if facts.con_id not in found]
        if asked:
            answers = self._client.daily_bars_of(asked, count, what=what)
            found |= answers
            for answer in answers.values():
                if self._cache is not None and isinstance(answer, DailyBars):
                    self._cache.write(_finished(answer, session), session, count)
        return found

    def _subscribe(self, data: IBData) -> None:
        facts = _facts(data)
        if data.p.source == "five_seconds":
            number = self._client.five_second_bars(facts)
        else:
            minutes = data.p.compression
            size = f"{minutes} min{'s' if minutes > 1 else ''}"
            number = self._client.keep_up_to_date(facts, bar_size=size, duration="1 D")
            self._growing[number] = GrowingBars(data.length, GRACE)
        self._subscribed[number] = data

    # Bars

    def on_update(self, update: BarUpdate) -> None:
        """Take a bar of a subscription."""
        data = self._subscribed.get(update.subscription)
        if data is None:
            return
        growing = self._growing.get(update.subscription)
        for bar in [update.bar] if growing is None else growing.offer(update.bar):
            data.push(bar)

    def on_failure(self, failed: SubscriptionFailed) -> None:
        """Tell the strategies that a feed gives nothing any more."""
        data = self._subscribed.get(failed.subscription)
        if data is not None:
            denied = failed.code in NOT_SUBSCRIBED
            data.put_notification(data.NOTSUBSCRIBED if denied else data.DISCONNECTED)
            self._note(f"{data._name}: no more bars: {failed.code} {failed.text}")

    def interrupted(self, *, broken: bool) -> None:
        """Tell every feed that the connection is gone, or is back."""
        for data in self.datas:
            data.interrupted(broken=broken)

    def poll(self, now: dt.datetime) -> None:
        """Publish what is complete.

        Raises
        ------
        StaleData
            Bars are missing and ``on_missing`` is ``abort``.
        """
        for number, growing in self._growing.items():
            for bar in growing.expire(now):
                self._subscribed[number].push(bar)
        if self._bars is None or self.finished:
            return
        try:
            published = self._bars.poll(now)
        except ServiceUnavailable as error:
            self._note(f"bars of {self._bars.session} could not be asked for: {error}")
            return
        if published is not None:
            self._publish(published)

    def _publish(self, published: Published) -> None:
        missing = published.missing
        if self.on_session is not None:
            self.on_session(published.session)
        if missing and self._options.on_missing == "abort":
            raise StaleData(
                f"no bar of {published.session} for {list(missing[:5])} ({len(missing)} names); nothing was decided; "
                "find out why, or set on_missing: skip"
            )
        if missing:
            self._note(f"session {published.session} without {list(missing)}")
        for data in self.datas:
            if data.is_daily:
                self._deliver(data, published)
        self.finished = self.until is not None and published.session >= self.until

    def _deliver(self, data: IBData, published: Published) -> None:
        bar = published.bars.get(data._name)
        data.stale = bar is None
        if bar is None:
            return
        factor = published.rescaled.get(data._name, 1.0)
        if abs(factor - 1.0) > ROUNDING:
            self._note(f"{data._name}: earlier prices times {factor:.6f} (dividend or split)")
        data.push(bar, factor)


def _facts(data: IBData) -> ContractFacts:
    if data.facts is None:
        raise ConfigError(f"{data._name} was not qualified; make all feeds before the store is started")
    return data.facts


def _finished(bars: DailyBars, session: dt.date) -> DailyBars:
    """Bars up to a session: what is stored is finished."""
    count = sum(date <= session for date in bars.dates.tolist())
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    return DailyBars(bars.con_id, bars.symbol, bars.what, bars.dates[:count], *(c[:count] for c in columns))
