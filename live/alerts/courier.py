"""Takes messages to targets, one at a time to each, so that one that hangs holds up no other."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from live.alerts.record import Notice
from live.alerts.targets import Target

ABANDONED = 10.0
"""A thread that has not come back after so many times the patience is left behind."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one attempt; ``error`` is empty if the target was told."""

    notice_id: int
    target: str
    error: str


@dataclass(slots=True, eq=False)
class _Flight:
    notice_id: int
    target: str
    began: float
    given_up: bool = False


class Courier:
    """Sends in threads of its own. A target that hangs is waited for by its thread alone, which ends with the process.

    Parameters
    ----------
    targets : sequence of Target
    timeout_s : seconds
        After which an attempt counts as failed; the target is tried again once its thread is back, or after
        `ABANDONED` times as long.
    clock : callable
        Seconds that never go back.
    """

    def __init__(
        self, targets: Sequence[Target], timeout_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.targets, self._timeout, self._clock = tuple(targets), timeout_s, clock
        self._flights: dict[str, _Flight] = {}
        self._back: queue.SimpleQueue[tuple[_Flight, str]] = queue.SimpleQueue()

    @property
    def stages(self) -> int:
        """Groups of targets."""
        return 1 + max((target.stage for target in self.targets), default=-1)

    def busy(self, target: Target) -> bool:
        """Whether a message to a target is on its way."""
        flight = self._flights.get(target.label)
        return flight is not None and self._clock() - flight.began <= ABANDONED * self._timeout

    def send(self, notice: Notice, target: Target) -> None:
        """Send a message to a target that is not busy; returns at once."""
        flight = self._flights[target.label] = _Flight(notice.id, target.label, self._clock())

        def carry() -> None:
            self._back.put((flight, target.send(notice.title, notice.body, notice.severity)))

        threading.Thread(target=carry, name=f"alert to {target.label}", daemon=True).start()

    def results(self, wait_s: float = 0.0) -> list[Result]:
        """Return what came back, waiting up to ``wait_s`` for the first.

        An attempt that takes too long is told once as failed, and once more if it succeeds after all.
        """
        found: list[Result] = []
        while (back := self._next(0.0 if found else wait_s)) is not None:
            flight, error = back
            if self._flights.get(flight.target) is flight:
                del self._flights[flight.target]
            if not error or not flight.given_up:
                found.append(Result(flight.notice_id, flight.target, error))
        for flight in self._flights.values():
            if not flight.given_up and self._clock() - flight.began > self._timeout:
                flight.given_up = True
                found.append(Result(flight.notice_id, flight.target, f"no answer within {self._timeout:g} s"))
        return found

    def _next(self, wait_s: float) -> tuple[_Flight, str] | None:
        try:
            return self._back.get(timeout=wait_s) if wait_s else self._back.get_nowait()
        except queue.Empty:
            return None

    @property
    def flying(self) -> int:
        """Messages on their way that are not given up."""
        return sum(not flight.given_up for flight in self._flights.values())
