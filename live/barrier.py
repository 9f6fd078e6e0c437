"""The session barrier: one cross-section of finished bars a session, published at once or not at all (live_ib 1.6).

Backtrader calls ``next`` once an arrival. A strategy that compares names must see all of them together.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from live.client.messages import Bar

Policy = Literal["skip", "abort"]


@dataclass(frozen=True, slots=True)
class Published:
    """One session.

    Attributes
    ----------
    session : date
    bars : dict of name to Bar
    missing : tuple of str
        Names without a bar when the deadline passed.
    """

    session: dt.date
    bars: Mapping[str, Bar]
    missing: tuple[str, ...]


@dataclass(slots=True)
class SessionBarrier:
    """Collects the bars of one session.

    Parameters
    ----------
    names : iterable of str
        Names that the session needs.
    session : date
    closes : datetime
        UTC; bars of the session are unfinished before it.
    deadline : datetime
        UTC; from then on names without a bar are missing.
    """

    names: frozenset[str]
    session: dt.date
    closes: dt.datetime
    deadline: dt.datetime
    _bars: dict[str, Bar] = field(default_factory=dict)

    @classmethod
    def of(
        cls, names: Iterable[str], session: dt.date, closes: dt.datetime, patience: dt.timedelta
    ) -> SessionBarrier:
        """Barrier of a session whose names may be late by ``patience`` after the close."""
        return cls(frozenset(names), session, closes, closes + patience)

    def offer(self, name: str, bar: Bar, now: dt.datetime) -> bool:
        """Take a bar; False if it is not this session's, or the session has not closed yet."""
        if bar.session != self.session or now < self.closes or name not in self.names:
            return False
        self._bars[name] = bar
        return True

    def waiting_for(self) -> list[str]:
        """Names without a bar, sorted."""
        return sorted(self.names - self._bars.keys())

    def ready(self, now: dt.datetime) -> Published | None:
        """Return the whole session once it is complete, or what is there once the deadline has passed."""
        missing = self.waiting_for()
        if missing and now < self.deadline:
            return None
        return Published(self.session, dict(self._bars), tuple(missing))
