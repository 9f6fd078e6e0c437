"""How often a source is asked, and how long an answer is waited for: one pace and one rule of retries."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ares7.errors import ServiceUnavailable

T = TypeVar("T")
LONGEST_PAUSE_S = 60.0


class Transient(Exception):
    """Something that may be otherwise in a moment: 429, 5xx, a lost connection, a body that ended early.

    Parameters
    ----------
    text : str
        What happened.
    wait_s : float or None
        How long the server asks to wait.
    """

    def __init__(self, text: str, wait_s: float | None = None) -> None:
        super().__init__(text)
        self.wait_s = wait_s


class Patience:
    """Keeps requests apart and repeats those that failed for a passing reason.

    Parameters
    ----------
    source : str
        For messages.
    per_minute : float
    retries : int
    backoff_s, longest_wait_s : float
    sleep, clock : callable
        For tests.
    """

    def __init__(
        self,
        source: str,
        *,
        per_minute: float,
        retries: int,
        backoff_s: float,
        longest_wait_s: float,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._apart = 60.0 / per_minute
        self._retries = retries
        self._backoff = backoff_s
        self._longest = longest_wait_s
        self._sleep = sleep
        self._clock = clock
        self._next = 0.0
        self.asked = 0

    def ask(self, request: Callable[[], T]) -> T:
        """Make a request in its turn, again while it fails for a passing reason.

        Raises
        ------
        ServiceUnavailable
            It failed each time, or the server asks for more patience than is allowed.
        """
        for attempt in range(self._retries + 1):
            self._turn()
            try:
                return request()
            except Transient as error:
                self._pause(error, attempt)
        raise AssertionError("unreachable")

    def _turn(self) -> None:
        now = self._clock()
        if now < self._next:
            self._sleep(self._next - now)
            now = self._next
        self._next = now + self._apart
        self.asked += 1

    def _pause(self, error: Transient, attempt: int) -> None:
        if attempt == self._retries:
            raise ServiceUnavailable(
                f"{self._source}: {error}, {attempt + 1} times (fetch.retries {self._retries}); run the same command "
                "again later, it goes on from what was fetched"
            ) from None
        wait = error.wait_s
        if wait is None:
            wait = min(self._backoff * 2**attempt, LONGEST_PAUSE_S)
        elif wait > self._longest:
            raise ServiceUnavailable(
                f"{self._source}: {error}, and asks to wait {wait:.0f} s (fetch.longest_wait_s {self._longest:g}); run "
                "the same command again after that, it goes on from what was fetched"
            ) from None
        self._sleep(wait)
