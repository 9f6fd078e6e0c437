"""The session barrier: one cross-section of finished bars a session, published at once or not at all (live_ib 1.6).

Backtrader calls ``next`` once an arrival. A strategy that compares names must see all of them together.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from live.client.messages import Bar


@dataclass(frozen=True, slots=True)
class Published:
    """One session.

    Attributes
    ----------
    session : date
    bars : dict of name to Bar
    missing : tuple of str
        Names without a bar when the deadline passed.
    rescaled : mapping of name to float
        Names whose earlier prices changed by this factor: a dividend or a split.
    """

    session: dt.date
    bars: Mapping[str, Bar]
    missing: tuple[str, ...]
    rescaled: Mapping[str, float] = field(default_factory=dict)


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
    late : mapping of name to timedelta
        Names that are final only so long after the close.
    """

    names: frozenset[str]
    session: dt.date
    closes: dt.datetime
    deadline: dt.datetime
    late: Mapping[str, dt.timedelta] = field(default_factory=dict)
    _bars: dict[str, Bar] = field(default_factory=dict)

    def offer(self, name: str, bar: Bar, now: dt.datetime) -> bool:
        """Take a bar; False if it is not this session's, is not final yet, or is no price."""
        if bar.session != self.session or name not in self.names or now < self.settles_at(name):
            return False
        if not all(math.isfinite(x) and x > 0 for x in (bar.open, bar.high, bar.low, bar.close)):
            return False
        self._bars[name] = bar
        return True

    def settles_at(self, name: str) -> dt.datetime:
        """When the bar of a name is final, UTC."""
        return self.closes + self.late.get(name, dt.timedelta())

    def waiting_for(self) -> list[str]:
        """Names without a bar, sorted."""
        return sorted(self.names - self._bars.keys())

    def ready(self, now: dt.datetime) -> Published | None:
        """Return the whole session once it is complete, or what is there once the deadline has passed."""
        missing = self.waiting_for()
        if missing and now < self.deadline:
            return None
        return Published(self.session, dict(self._bars), tuple(missing))
