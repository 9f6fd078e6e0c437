"""Progress of long work on stderr: a bar on a terminal, a plain line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

BAR_SECONDS = 0.1
"""The bar is redrawn at most this often, so that a step costs no more than reading the clock."""
LINE_SECONDS = 5.0
"""A log gets at most one line in this time."""

Step = Callable[[int], None]
"""Call with the number of units done since the last call."""


def stage(text: str) -> None:
    """Say on stderr what begins now."""
    sys.stderr.write(f"{text} ...\n")
    sys.stderr.flush()


@contextmanager
def progress(name: str, total: int, *, done: int = 0) -> Iterator[Step]:
    """Show how far ``name`` has come, how fast it goes and how long it still takes.

    Parameters
    ----------
    name : str
        What is being done, for example ``backtest``.
    total : int
        Units of work, for example sessions.
    done : int
        Units that were done before; they count towards the total and not towards the speed.

    Yields
    ------
    callable
        ``step(n)`` reports ``n`` more units.

    Examples
    --------
    >>> with progress("backtest", total=3) as step:
    ...     for _ in range(3):
    ...         step(1)
    """
    with (_bar if sys.stderr.isatty() else _lines)(name, total, done) as step:
        yield step


def pace(done: int, left: int, seconds: float) -> str:
    """Return ``902 a second, 5 s left``; nothing where no time has passed or nothing is done."""
    if seconds <= 0 or done <= 0:
        return ""
    rate = done / seconds
    shown = f"{rate:,.0f} a second" if rate >= 10 else f"{rate:.2g} a second"
    return f"{shown}, {_duration(left / rate)} left"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}" if minutes else f"{rest} s"
    )


@contextmanager
def _bar(name: str, total: int, before: int) -> Iterator[Step]:
    # Imported here: rich costs 60 ms, and a log needs none of it.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as display:
        task = display.add_task(name, total=total, completed=before, pace="")
        done = before
        began = shown = time.monotonic()

        def step(n: int) -> None:
            nonlocal done, shown
            done += n
            now = time.monotonic()
            if now - shown >= BAR_SECONDS:
                shown = now
                speed = pace(done - before, total - done, now - began)
                display.update(task, completed=done, pace=speed, refresh=True)

        yield step
        display.update(task, completed=done, pace="")


@contextmanager
def _lines(name: str, total: int, before: int) -> Iterator[Step]:
    began = shown = time.monotonic()
    done = before

    def step(n: int) -> None:
        nonlocal done, shown
        done += n
        now = time.monotonic()
        if now - shown >= LINE_SECONDS:
            shown = now
            speed = pace(done - before, total - done, now - began)
            stage(f"{name}: {done:,} of {total:,} ({done / max(total, 1):.0%}){speed and f', {speed}'}")

    yield step
    sys.stderr.write(f"{name}: {done:,} of {total:,} in {time.monotonic() - began:.1f} s\n")
    sys.stderr.flush()
