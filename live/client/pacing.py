"""Limits on what is sent: messages a second, historical requests, pauses between reconnections.

Pure bookkeeping of times: each class is told the time and answers how long to wait.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Hashable

from live.client.options import HistoryPacing, Reconnect

TEN_MINUTES = 600.0


class RateLimit:
    """At most ``limit`` messages in any window; 0 switches it off.

    The window is a little longer than a second: the library counts again when it writes, and must not be
    the one who holds a message back, because it loses what it holds when the connection drops.
    """

    WINDOW_S = 1.02

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._times: deque[float] = deque()

    def wait(self, now: float) -> float:
        """Seconds to wait before one more message; 0 means that it counts as sent now."""
        if not self.limit:
            return 0.0
        while self._times and now - self._times[0] >= self.WINDOW_S:
            self._times.popleft()
        if len(self._times) < self.limit:
            self._times.append(now)
            return 0.0
        return self._times[0] + self.WINDOW_S - now


class HistoryPacer:
    """Keeps IB's limits on historical requests.

    The same request (contract, end, duration, bar size, kind) waits ``identical_s``; one contract has at
    most ``per_contract`` requests in its window; bars of 30 seconds or less count against a limit for ten
    minutes; and only so many requests are open at once.

    Parameters
    ----------
    limits : HistoryPacing
    """

    def __init__(self, limits: HistoryPacing) -> None:
        self.limits = limits
        self.open = 0
        self._identical: dict[Hashable, float] = {}
        self._contract: dict[int, deque[float]] = defaultdict(deque)
        self._small: deque[float] = deque()

    def wait(self, now: float, con_id: int, request: Hashable, *, small: bool) -> float:
        """Seconds to wait before this request; 0 means that it counts as sent now, and is open.

        Parameters
        ----------
        now : float
            Monotonic seconds.
        con_id : int
        request : hashable
            Equal for identical requests.
        small : bool
            Bars of 30 seconds or less.
        """
        limits = self.limits
        delays = [self._window(self._contract[con_id], now, limits.per_contract, limits.contract_window_s)]
        if request in self._identical:
            delays.append(self._identical[request] + limits.identical_s - now)
        if small:
            delays.append(self._window(self._small, now, limits.per_ten_minutes, TEN_MINUTES))
        if self.open >= limits.open_requests:
            delays.append(0.05)
        delay = max(delays)
        if delay > 0:
            return delay
        self._identical = {key: t for key, t in self._identical.items() if now - t < limits.identical_s}
        self._identical[request] = now
        self._contract[con_id].append(now)
        if small:
            self._small.append(now)
        self.open += 1
        return 0.0

    def done(self) -> None:
        """One request is no longer open."""
        self.open -= 1

    @staticmethod
    def _window(times: deque[float], now: float, most: int, seconds: float) -> float:
        while times and now - times[0] >= seconds:
            times.popleft()
        return times[0] + seconds - now if len(times) >= most else 0.0


class Backoff:
    """Growing pauses between attempts, with jitter, so that many clients do not come back at once.

    Parameters
    ----------
    settings : Reconnect
    rng : random.Random
        Source of the jitter; seeded in tests.
    """

    def __init__(self, settings: Reconnect, rng: random.Random) -> None:
        self._settings = settings
        self._rng = rng
        self.attempts = 0

    def next_delay(self) -> float:
        """Pause before the next attempt, in seconds; never less than the pause without jitter."""
        s = self._settings
        plain = min(s.cap_s, s.first_s * s.factor ** min(self.attempts, 60))
        self.attempts += 1
        return plain * (1.0 + s.jitter * self._rng.random())

    def reset(self) -> None:
        """Start again from the first pause."""
        self.attempts = 0
