"""Fetches the bars of each session after its close and publishes them through the barrier."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping

from live.barrier import Published, SessionBarrier
from live.client.client import Client
from live.client.history import DailyBars
from live.client.messages import Bar, ContractFacts
from live.store_options import StoreOptions
from live.trading_clock import Calendar, Hours

LATEST = 3
"""Bars asked for a session: a name without a bar that day shows its earlier ones."""
Key = tuple[int, str]
"""Contract and ``what``."""


def bars_of(found: DailyBars) -> list[Bar]:
    """Daily bars as single ones, oldest first."""
    columns = (found.open, found.high, found.low, found.close, found.volume)
    rows = zip(found.dates.tolist(), *(column.tolist() for column in columns), strict=True)
    return [Bar(date, None, *figures) for date, *figures in rows]


class SessionBars:
    """The bars of one session after the other.

    Parameters
    ----------
    client : Client
    wanted : mapping of name to (facts, what)
        Feeds of the barrier; names are unique.
    calendar : Calendar
    options : StoreOptions
    after : date
        The first session fetched is the one after it.
    warn : callable
    observe : callable
        Is handed every answer of the gateway, the bars before the session included; default nobody.
    """

    def __init__(
        self,
        client: Client,
        wanted: Mapping[str, tuple[ContractFacts, str]],
        calendar: Calendar,
        options: StoreOptions,
        after: dt.date,
        warn: Callable[[str], None],
        observe: Callable[[DailyBars], None] | None = None,
    ) -> None:
        self._client, self._wanted = client, dict(wanted)
        self._calendar, self._options, self._warn = calendar, options, warn
        self._observe = observe
        self._barrier = self._next_barrier(after)
        self._asked: dt.datetime | None = None

    def _next_barrier(self, after: dt.date) -> SessionBarrier:
        session: Hours = self._calendar.after(after)
        return SessionBarrier.of(self._wanted, session.date, session.closes, self._options.bar_patience)

    @property
    def session(self) -> dt.date:
        """Session that is being waited for."""
        return self._barrier.session

    def poll(self, now: dt.datetime) -> Published | None:
        """Ask for what is missing once it may be there; return the session when it is complete, or overdue."""
        barrier = self._barrier
        if now < barrier.closes + self._options.bar_delay:
            return None
        if self._asked is None or now - self._asked >= self._options.bar_retry:
            self._asked = now
            self._ask(barrier.waiting_for(), now)
        published = barrier.ready(now)
        if published is None:
            return None
        self._calendar = self._calendar.renewed(now)
        self._barrier, self._asked = self._next_barrier(barrier.session), None
        return published

    def _ask(self, names: Iterable[str], now: dt.datetime) -> None:
        by_what: dict[str, list[str]] = {}
        for name in names:
            by_what.setdefault(self._wanted[name][1], []).append(name)
        behind = sum(s.closes > self._barrier.closes and s.closes <= now for s in self._calendar.sessions)
        for what, group in by_what.items():
            facts = [self._wanted[name][0] for name in group]
            found = self._client.daily_bars_of(facts, LATEST + behind, what=what)
            for name, contract in zip(group, facts, strict=True):
                answer = found[contract.con_id]
                if isinstance(answer, Exception):
                    self._warn(f"{name}: no bar of {self._barrier.session} yet: {answer}")
                    continue
                taken = [self._barrier.offer(name, bar, now) for bar in bars_of(answer)]
                if self._observe is not None and any(taken):
                    self._observe(answer)
