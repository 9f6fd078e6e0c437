"""A clock that stands still until it is moved, and an alarm that remembers."""

from __future__ import annotations

import datetime as dt

START = dt.datetime(2024, 1, 2, 15, 0, tzinfo=dt.UTC)


class Clock:
    """UTC time of a test."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> dt.datetime:
        return self.time

    def move(self, seconds: float) -> None:
        self.time += dt.timedelta(seconds=seconds)


class Alarms(list):
    """(code, message) of every alarm."""

    def __call__(self, code: str, message: str) -> None:
        self.append((code, message))

    @property
    def codes(self) -> list[str]:
        return [code for code, _ in self]
