"""Logs of the daily job: plain lines with a UTC time, made to be searched with grep, and a file of alerts."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ares7.errors import Ares7Error

Clock = Callable[[], dt.datetime]
"""Returns the present moment with its time zone."""
JOB, COMBINER = "daily_wavelet_pead", "wavelet_pead_combiner"
ALERTS = "alerts.jsonl"


class JobLog:
    """One log file, ``<stem>_YYYYMMDD_HHMMSS.log`` (UTC), of lines ``[YYYY-mm-dd HH:MM:SS] text``.

    Parameters
    ----------
    folder : Path
        Made if need be.
    stem : str
    clock : callable
    echo : bool
        Also write every line to stderr.

    Raises
    ------
    Ares7Error
        The folder cannot be written.
    """

    def __init__(self, folder: Path, stem: str, clock: Clock, *, echo: bool = False) -> None:
        self._clock, self._echo, self._silent = clock, echo, False
        name = f"{stem}_{clock().astimezone(dt.UTC):%Y%m%d_%H%M%S}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.path, self._file = _new_file(folder, name)
        except OSError as error:
            raise Ares7Error(
                f"log folder {folder} cannot be written: {error.strerror or error}; free space or allow writing "
                "there, or name another folder with --set daily.logs=DIR"
            ) from None

    def line(self, text: str) -> None:
        """Write one line. A disk that has become full is told once on stderr and stops nothing."""
        stamped = f"[{self._clock().astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}] {' '.join(text.split())}\n"
        if self._echo:
            sys.stderr.write(stamped)
        try:
            os.write(self._file, stamped.encode())
        except OSError as error:
            if not self._silent:
                sys.stderr.write(f"log {self.path} cannot be written: {error.strerror}; the job goes on\n")
            self._silent = True

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Log what a step is and how many seconds it took, also when it fails."""
        began = time.perf_counter()
        self.line(f"Step {name}: begin")
        outcome = "failed"
        try:
            yield
            outcome = "done"
        finally:
            self.line(f"Step {name}: {outcome} in {time.perf_counter() - began:.3f} s")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _new_file(folder: Path, name: str) -> tuple[Path, int]:
    """Create a log; a second one of the same second gets a number."""
    number = 1
    while True:
        path = folder / f"{name}{'' if number == 1 else f'_{number}'}.log"
        try:
            return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        except FileExistsError:
            number += 1


@contextmanager
def logged(log: JobLog, what: str) -> Iterator[list[int]]:
    """Write ``START what`` first and ``END (exit=N)`` last, whatever happens between.

    Yields
    ------
    list of int
        Put the exit code in place 0; an error brings its own.
    """
    code = [0]
    log.line(f"START {what}")
    try:
        yield code
    except Ares7Error as error:
        code[0] = error.exit_code
        log.line(f"ERROR {error}")
        raise
    except KeyboardInterrupt:
        code[0] = 130
        raise
    except SystemExit as stop:
        code[0] = stop.code if isinstance(stop.code, int) else 1
        raise
    except BaseException as error:
        code[0] = 1
        log.line(f"ERROR {type(error).__name__}: {error}")
        raise
    finally:
        log.line(f"END (exit={code[0]})")
        log.close()


def alert(folder: Path, clock: Clock, *, session: Any, severity: str, code: str, message: str) -> None:
    """Append one event to ``alerts.jsonl`` and say it on stderr; never stops the job that tells it."""
    event = {
        "session": None if session is None else str(session),
        "severity": severity,
        "code": code,
        "message": message,
        "time": clock().astimezone(dt.UTC).isoformat(timespec="seconds"),
    }
    sys.stderr.write(f"ALERT {severity} {code}: {message}\n")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / ALERTS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            # One write, so that two jobs never mix their lines.
            os.write(descriptor, (json.dumps(event, sort_keys=True) + "\n").encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        sys.stderr.write(f"alert file {folder / ALERTS} cannot be written: {error.strerror or error}\n")
