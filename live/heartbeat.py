"""The runner's sign of life: a small file, replaced as a whole every few seconds, that a watchdog reads."""

from __future__ import annotations

import datetime as dt
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ares7.errors import DataError

FILE = "heartbeat.json"
EVERY_S = 1.0
"""The same sign of life is not written more often."""


@dataclass(frozen=True, slots=True)
class Beat:
    """One sign of life.

    Attributes
    ----------
    time : datetime
        UTC, by the clock of the machine, a double's clock or not.
    session : date or None
        Session that the runner works on.
    state : str
        What it is doing, for a person; ``stopped`` after an orderly end.
    pid : int
    started : int
        When the process started, in the kernel's ticks since boot; 0 where that is not known. Tells it from a later
        process of the same id.
    """

    time: dt.datetime
    session: dt.date | None
    state: str
    pid: int
    started: int = 0


STARTING = "starting"
"""State until the history is loaded and journal and gateway are compared, which may take long."""
STOPPED = "stopped"
"""State of a runner that ended in order: its silence is no trouble."""


class Heartbeat:
    """Writes the file.

    Parameters
    ----------
    folder : Path
        Of the halt file; made if need be.
    now : callable
        UTC, the clock of the machine.
    """

    def __init__(self, folder: Path, now: Callable[[], dt.datetime]) -> None:
        self.path = folder / FILE
        self._now = now
        self._started = started_of(os.getpid())
        self._said: tuple[str, dt.date | None] | None = None
        self._said_at = 0.0

    def beat(self, state: str, session: dt.date | None = None) -> bool:
        """Write a sign of life; False if the disk does not take it, which stops no trading: the watchdog will tell."""
        moment = time.monotonic()
        if self._said == (state, session) and moment - self._said_at < EVERY_S:
            return True
        content = {
            "time": self._now().isoformat(timespec="milliseconds"),
            "session": None if session is None else session.isoformat(),
            "state": state,
            "pid": os.getpid(),
            "started": self._started,
        }
        temporary = self.path.with_name(f".{FILE}-{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Not flushed to the disk: after a power cut no process lives that it could speak for.
            temporary.write_text(json.dumps(content), encoding="utf-8")
            temporary.replace(self.path)
        except OSError:
            return False
        self._said, self._said_at = (state, session), moment
        return True


def read_beat(folder: Path) -> Beat | None:
    """Return the last sign of life, None if there never was one.

    Raises
    ------
    DataError
        The file is damaged or cannot be read.
    """
    path = folder / FILE
    try:
        content = json.loads(path.read_bytes())
        time, session = dt.datetime.fromisoformat(content["time"]), content["session"]
        if time.tzinfo is None:
            raise ValueError("its time has no zone")
        return Beat(
            time.astimezone(dt.UTC),
            None if session is None else dt.date.fromisoformat(session),
            str(content["state"]),
            int(content["pid"]),
            int(content["started"]),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is no heartbeat ({type(error).__name__}: {error}); restart the runner"
        ) from None


def _process(pid: int) -> tuple[str, int] | None:
    """State letter and start time of a process, from the kernel; None where it does not tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name in parentheses may hold anything; what follows the last parenthesis are numbers.
    rest = text.rpartition(")")[2].split()
    return rest[0], int(rest[19])


def started_of(pid: int) -> int:
    """Start of a process in the kernel's ticks since boot, 0 if it is not known."""
    found = _process(pid)
    return 0 if found is None else found[1]


def life_of(beat: Beat) -> str:
    """What became of the process that wrote a heartbeat: ``running``, ``frozen`` (stopped by a signal) or ``gone``."""
    if beat.pid <= 0:
        return "gone"
    try:
        os.kill(beat.pid, 0)
    except ProcessLookupError:
        return "gone"
    except PermissionError:
        pass  # it lives and belongs to somebody else
    found = _process(beat.pid)
    if found is None:
        return "running"
    state, started = found
    if beat.started and started != beat.started:
        return "gone"
    if state in "ZXx":
        return "gone"
    return "frozen" if state in "Tt" else "running"
