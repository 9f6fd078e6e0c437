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
def progress(name: str, total: int) -> Iterator[Step]:
    """Show how far ``name`` has come.

    Parameters
    ----------
    name : str
        What is being done, for example ``backtest``.
    total : int
        Units of work, for example sessions.

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
    with (_bar if sys.stderr.isatty() else _lines)(name, total) as step:
        yield step


@contextmanager
def _bar(name: str, total: int) -> Iterator[Step]:
    # Imported here: rich costs 60 ms, and a log needs none of it.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as display:
        task = display.add_task(name, total=total)
        done, shown = 0, time.monotonic()

        def step(n: int) -> None:
            nonlocal done, shown
            done += n
            now = time.monotonic()
            if now - shown >= BAR_SECONDS:
                shown = now
                display.update(task, completed=done)

        yield step
        display.update(task, completed=done)


@contextmanager
def _lines(name: str, total: int) -> Iterator[Step]:
    began = shown = time.monotonic()
    done = 0

    def step(n: int) -> None:
        nonlocal done, shown
        done += n
        now = time.monotonic()
        if now - shown >= LINE_SECONDS:
            shown = now
            stage(f"{name}: {done:,} of {total:,} ({done / max(total, 1):.0%})")

    yield step
    sys.stderr.write(f"{name}: {done:,} of {total:,} in {time.monotonic() - began:.1f} s\n")
    sys.stderr.flush()
