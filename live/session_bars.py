"""Fetches the bars of each session after its close and publishes them through the barrier."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from live.barrier import Published, SessionBarrier
from live.client.client import Client
from live.client.history import DailyBars
from live.client.messages import Bar, ContractFacts
from live.store_options import StoreOptions
from live.trading_clock import Calendar

LATEST = 3
"""Bars asked for a session: a name without a bar that day shows its earlier ones."""
COMPARED = 2
"""Earlier bars that are compared with what they are now."""
SETTLES_LATE = {"VIX": dt.timedelta(minutes=15)}
"""Indices that are final only so long after the close (rulings 30)."""
SAME = 1e-9
"""Relative difference below which a close has not changed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a feed of the barrier asks for; ``given`` are the last bars it was given, oldest first."""

    facts: ContractFacts
    what: str
    given: tuple[Bar, ...] = ()


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
    wanted : mapping of name to Wanted
        Feeds of the barrier; names are unique.
    calendar : Calendar
    options : StoreOptions
    after : date
        The first session fetched is the one after it.
    warn : callable
    observe : callable, optional
        Is handed every answer that held the session's bar, the bars before it included.
    """

    def __init__(
        self,
        client: Client,
        wanted: Mapping[str, Wanted],
        calendar: Calendar,
        options: StoreOptions,
        after: dt.date,
        warn: Callable[[str], None],
        observe: Callable[[DailyBars], None] | None = None,
    ) -> None:
        self._client, self._wanted = client, dict(wanted)
        self._calendar, self._options, self._warn = calendar, options, warn
        self._observe = observe
        self._rescaled: dict[str, float] = {}
        self._late = {
            name: SETTLES_LATE[wish.facts.symbol]
            for name, wish in wanted.items()
            if wish.facts.kind == "IND" and wish.facts.symbol in SETTLES_LATE
        }
        self._barrier = self._next_barrier(after)
        self._asked: dt.datetime | None = None

    def _next_barrier(self, after: dt.date) -> SessionBarrier:
        session = self._calendar.after(after)
        deadline = session.closes + self._options.bar_patience
        return SessionBarrier(frozenset(self._wanted), session.date, session.closes, deadline, self._late)

    @property
    def session(self) -> dt.date:
        """Session that is being waited for."""
        return self._barrier.session

    def poll(self, now: dt.datetime) -> Published | None:
        """Ask for what is missing once it may be there; return the session when it is complete, or overdue.

        Raises
        ------
        ServiceUnavailable
            The connection was lost.
        """
        barrier = self._barrier
        if now < barrier.closes + self._options.bar_delay:
            return None
        if self._asked is None or now - self._asked >= self._options.bar_retry:
            # Noted before it is asked: a gateway that fails is not asked again at once.
            self._asked = now
            self._ask([name for name in barrier.waiting_for() if now >= barrier.settles_at(name)], now)
        found = barrier.ready(now)
        if found is None:
            return None
        return self._publish(found, now)

    def _publish(self, found: Published, now: dt.datetime) -> Published:
        rescaled, self._rescaled = self._rescaled, {}
        for name, bar in found.bars.items():
            wish = self._wanted[name]
            self._wanted[name] = replace(wish, given=(*wish.given, bar)[-COMPARED:])
        self._calendar = self._calendar.renewed(now)
        self._barrier, self._asked = self._next_barrier(found.session), None
        return replace(found, rescaled={name: x for name, x in rescaled.items() if name in found.bars})

    def _ask(self, names: Iterable[str], now: dt.datetime) -> None:
        by_what: dict[str, list[str]] = {}
        for name in names:
            by_what.setdefault(self._wanted[name].what, []).append(name)
        behind = sum(s.closes > self._barrier.closes and s.closes <= now for s in self._calendar.sessions)
        for what, group in by_what.items():
            facts = [self._wanted[name].facts for name in group]
            found = self._client.daily_bars_of(facts, LATEST + behind, what=what)
            for name, contract in zip(group, facts, strict=True):
                self._take(name, found[contract.con_id], now)

    def _take(self, name: str, answer: DailyBars | Exception, now: dt.datetime) -> None:
        if isinstance(answer, Exception):
            self._warn(f"{name}: no bar of {self._barrier.session} yet: {answer}")
            return
        bars, taken = bars_of(answer), False
        for bar in bars:
            taken |= self._barrier.offer(name, bar, now)
        self._compare(name, {bar.session: bar.close for bar in bars if bar.close > 0})
        if taken and self._observe is not None:
            self._observe(answer)

    def _compare(self, name: str, now: Mapping[dt.date, float]) -> None:
        """Note by which factor earlier closes changed: all of them by a dividend or split, one by a late correction."""
        given = [bar for bar in self._wanted[name].given if bar.session in now]
        factors = [now[bar.session] / bar.close for bar in given]
        changed = [abs(factor - 1.0) > SAME for factor in factors]
        if changed and all(changed):
            self._rescaled[name] = factors[-1]
        elif any(changed):
            self._warn(f"{name}: the close of {given[changed.index(True)].session} was corrected later")
