"""What lies around a journal and is not in it: the runner's sign of life, the halt, the calendar, the age of data."""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ares7.errors import DataError
from live.halt.level import HaltLevel
from live.halt.switch import HaltSource, HaltSwitch
from live.heartbeat import Beat, life_of, read_beat
from live.watchdog import Trouble, trouble_of

if TYPE_CHECKING:
    from ares7.config import Config
    from live.journal.reader import JournalReader

DATED = {"fundamentals": "filing_date", "earnings": "announce_date"}
"""Column whose latest date says how fresh a table of the data folder is."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a snapshot of a journal cannot learn from the journal.

    Attributes
    ----------
    beat : Beat or None
        The runner's last sign of life.
    trouble : Trouble or None
        What is wrong with it, in the words of the watchdog.
    halt_level : str
        The highest level of halt file, journal and Redis.
    halt_source, halt_who, halt_why : str
        Where it is set, by whom, and why; empty at NONE.
    halt_readable : bool
        Every place where a halt can be set could be read; one that cannot be counts as HALT.
    expected_session : date or None
        Latest session whose value must be in the journal by now.
    data_days : mapping of table to date
        Latest filing and announcement of the data folder, where they are known.
    """

    beat: Beat | None = None
    trouble: Trouble | None = None
    halt_level: str = "NONE"
    halt_source: str = ""
    halt_who: str = ""
    halt_why: str = ""
    halt_readable: bool = True
    expected_session: dt.date | None = None
    data_days: tuple[tuple[str, dt.date], ...] = ()


NOTHING_KNOWN = Surroundings()


def surroundings_of(
    config: Config, now: dt.datetime, journal: JournalReader | None = None, mode: str = ""
) -> Surroundings:
    """Look at the files of a runner, and at the calendar.

    Parameters
    ----------
    config : Config
    now : datetime
        UTC.
    journal : JournalReader, optional
        Also asked for its halt level.
    mode : str
        Of the journal; a runner that sends no orders gives no sign of life.
    """
    beat, trouble = _life(config, now, mode)
    alarms: list[str] = []
    halt = HaltSwitch(_sources(config, now, journal), lambda code, text: alarms.append(text), lambda: now)
    found = halt.standing()
    record = found.record
    return Surroundings(
        beat,
        trouble,
        found.level.name,
        found.source,
        "" if record is None else record.who,
        "" if record is None else record.why,
        not alarms,
        # The double's days are not those of this machine.
        None
        if config.live.clock == "gateway"
        else expected_session(now, config.data.calendar, config.alerts.session_patience_s),
        data_days(config.data.path),
    )


def _life(config: Config, now: dt.datetime, mode: str) -> tuple[Beat | None, Trouble | None]:
    try:
        beat = read_beat(config.halt.folder)
    except DataError as error:
        return None, Trouble("runner-heartbeat", str(error))
    if beat is None or mode == "shadow":
        # A first start is the watchdog's affair, and the sign of life here may be that of another runner.
        return beat, None
    return beat, trouble_of(beat, life_of(beat), now, config.halt.silence_s)


def _sources(config: Config, now: dt.datetime, journal: JournalReader | None) -> list[HaltSource]:
    from live.halt.file_source import HaltFile
    from live.halt.journal_source import JournalSource
    from live.halt.redis_source import RememberedRedis

    sources: list[HaltSource] = [HaltFile(config.halt.folder, lambda: now)]
    if journal is not None:
        sources.append(JournalSource(journal))
    if config.halt.redis is not None:
        sources.append(RememberedRedis(config.halt.folder))
    return sources


def expected_session(now: dt.datetime, calendar: str, patience_s: float) -> dt.date:
    """Return the latest session that closed at least ``patience_s`` ago."""
    from ares7.sessions import latest_closed

    day = latest_closed(now - dt.timedelta(seconds=patience_s), calendar)
    return dt.date.fromisoformat(str(day))


def missing_sessions(found: np.ndarray, calendar: str) -> tuple[dt.date, ...]:
    """Return exchange sessions between the first and the last of (T,) datetime64[D] that are not among them."""
    from ares7.sessions import sessions

    if not len(found):
        return ()
    every = sessions(found[0], found[-1], calendar)
    return tuple(np.setdiff1d(every, found).tolist())


_read: dict[Path, tuple[tuple[int, int], dt.date | None]] = {}


def data_days(folder: Path | None) -> tuple[tuple[str, dt.date], ...]:
    """Return the latest date of each table of `DATED` in a data folder; a table that cannot be read is left out.

    A file is read again only when it has changed.
    """
    if folder is None:
        return ()
    found = []
    for table, column in DATED.items():
        for path in (folder / f"{table}.parquet", folder / f"{table}.csv"):
            day = _latest(path, column)
            if day is not None:
                found.append((table, day))
                break
    return tuple(found)


def _latest(path: Path, column: str) -> dt.date | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    marks = (stat.st_mtime_ns, stat.st_size)
    if path not in _read or _read[path][0] != marks:
        try:
            day = _of_parquet(path, column) if path.suffix == ".parquet" else _of_csv(path, column)
        except (OSError, ValueError, KeyError, TypeError):
            day = None
        _read[path] = (marks, day)
    return _read[path][1]


def _of_parquet(path: Path, column: str) -> dt.date | None:
    from pyarrow import compute, parquet

    latest = compute.max(parquet.read_table(path, columns=[column])[column]).as_py()
    return None if latest is None else dt.date.fromisoformat(str(latest)[:10])


def _of_csv(path: Path, column: str) -> dt.date | None:
    with path.open(encoding="utf-8", newline="") as file:
        latest = max((row[column] for row in csv.DictReader(file)), default="")
    return dt.date.fromisoformat(latest[:10]) if latest else None


def is_halted(around: Surroundings) -> bool:
    """Whether somebody halted trading."""
    return around.halt_level != HaltLevel.NONE.name
