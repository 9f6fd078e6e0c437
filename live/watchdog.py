"""The dead-man switch: a process of its own that tells when the runner is silent, frozen or gone.

It looks at files and at the process table only: no gateway, no database, nothing that could hang with the runner. It
never ends a process.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ares7.errors import Ares7Error, DataError
from ares7.halt_config import HaltConfig
from live.halt.file_source import HaltFile
from live.halt.level import HaltLevel
from live.halt.switch import Alarm
from live.heartbeat import STARTING, STOPPED, Beat, life_of, read_beat

START_S = 1800.0
"""How long a start may take: it loads the history of every name."""
AHEAD_S = 60.0
"""A heartbeat this far in the future says that a clock was moved, and proves no life."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with the runner: a code for machines, a sentence for a person."""

    code: str
    message: str


def trouble_of(beat: Beat | None, life: str, now: dt.datetime, silence_s: float) -> Trouble | None:
    """Judge a sign of life; None if all is well.

    Parameters
    ----------
    beat : Beat or None
        None if there never was one.
    life : str
        Of the process, as `live.heartbeat.life_of`.
    now : datetime
        UTC.
    silence_s : seconds
        How old a heartbeat may be; that of a runner that starts may be `START_S` old.
    """
    if beat is None:
        return Trouble("runner-absent", "no runner has given a sign of life yet; start it")
    if beat.state == STOPPED and life == "gone":
        return None
    age = (now - beat.time).total_seconds()
    last = f"last sign of life {beat.time:%Y-%m-%d %H:%M:%S} UTC ({beat.state}), pid {beat.pid}"
    if life == "gone":
        return Trouble("runner-gone", f"the runner's process is gone without a farewell; {last}; restart it")
    if life == "frozen":
        return Trouble(
            "runner-frozen", f"the runner's process is stopped by a signal; {last}; continue it with SIGCONT"
        )
    patience = max(silence_s, START_S) if beat.state == STARTING else silence_s
    if age > patience:
        return Trouble(
            "runner-silent",
            f"the runner is silent for {age:.0f} s, at most {patience:g} s are allowed; {last}; look at its log, "
            "restart it if it hangs",
        )
    if age < -AHEAD_S:
        return Trouble(
            "runner-clock",
            f"the runner's heartbeat lies {-age:.0f} s in the future; {last}; correct the clock",
        )
    return None


class Watchdog:
    """Looks at the runner of one folder, tells what is wrong, and trips the halt if it was told to.

    Parameters
    ----------
    config : HaltConfig
    now : callable
        UTC.
    alarm : callable
        Tells a person.
    """

    def __init__(self, config: HaltConfig, now: Callable[[], dt.datetime], alarm: Alarm) -> None:
        self._config, self._now, self._alarm = config, now, alarm
        self._folder: Path = config.folder
        self._told: dict[str, dt.datetime] = {}

    def look(self) -> Trouble | None:
        """Look once; returns what is wrong. The same trouble is told again after ``repeat_s``."""
        now = self._now()
        trouble = self._found(now)
        if trouble is None:
            if self._told:
                self._alarm("runner-back", "the runner gives signs of life again")
            self._told.clear()
            return None
        told = self._told.get(trouble.code)
        if told is None or (now - told).total_seconds() >= self._config.repeat_s:
            self._told[trouble.code] = now
            self._alarm(trouble.code, trouble.message)
            self._trip(trouble)
        return trouble

    def _found(self, now: dt.datetime) -> Trouble | None:
        try:
            beat = read_beat(self._folder)
        except DataError as error:
            return Trouble("runner-heartbeat", str(error))
        return trouble_of(beat, "gone" if beat is None else life_of(beat), now, self._config.silence_s)

    def _trip(self, trouble: Trouble) -> None:
        # A runner that never lived has sent nothing, and a halt would only be in the way of its first start.
        if self._config.on_silence == "alert" or trouble.code in ("runner-absent", "runner-clock"):
            return
        level = HaltLevel[self._config.on_silence]
        try:
            HaltFile(self._folder, self._now).trip(level, "watchdog", trouble.message)
        except Ares7Error as error:
            self._alarm("halt-failed", f"{level.name} could not be set: {error}")
