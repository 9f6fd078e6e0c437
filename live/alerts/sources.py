"""Alerts that others have written: rows of the journal, and lines of the watchdog and of the daily job."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from live.alerts.event import Event
from live.daily.log import ALERTS
from live.journal.reader import JournalReader

OVERLAP = 50
"""Rows that are looked at again: PostgreSQL may show a row after one of a higher number."""
AT_ONCE = 4 * 2**20
"""Bytes of the file of alerts that are read in one look."""
SEVERITIES = ("info", "warning", "error", "critical")


@dataclass(frozen=True, slots=True)
class FilePlace:
    """How far a file was read: its number on the file system, and the byte after the last whole line."""

    inode: int = 0
    offset: int = 0

    @classmethod
    def parse(cls, text: str) -> FilePlace:
        """Read what `__str__` wrote; the beginning if it is anything else."""
        inode, _, offset = text.partition(":")
        return cls(int(inode), int(offset)) if inode.isdigit() and offset.isdigit() else cls()

    def __str__(self) -> str:
        return f"{self.inode}:{self.offset}"


def journal_events(journal: JournalReader, after: int) -> tuple[list[Event], int]:
    """Return the alerts of a journal with a number above ``after``, and the highest number.

    A journal that was replaced by an older copy is read from its beginning; what was known is known by its key.
    """
    mode = journal.mode
    found = journal.alerts_after(max(0, after - OVERLAP))
    if not found and after:
        found = journal.alerts_after(0)
    events = [
        Event(
            f"journal {mode} {row.id} {_moment(row.at)}",
            row.code,
            row.severity,
            row.message,
            row.at or dt.datetime.now(dt.UTC),
            row.session,
            mode,
            journal_id=row.id,
        )
        for row in found
    ]
    return events, max((row.id or 0 for row in found), default=0)


def _moment(at: dt.datetime | None) -> str:
    return "" if at is None else at.astimezone(dt.UTC).isoformat()


def file_events(logs: Path, place: FilePlace, tell: Callable[[str], None]) -> tuple[list[Event], FilePlace]:
    """Return the alerts of ``alerts.jsonl`` that were added since, and how far the file was read.

    A line that is not finished is left for later; one that is no alert is told and passed over. A file that became
    shorter, or another one, is read from its beginning.
    """
    path = logs / ALERTS
    try:
        with path.open("rb") as file:
            stat = os.fstat(file.fileno())
            same = stat.st_ino == place.inode and stat.st_size >= place.offset
            start = place.offset if same else 0
            file.seek(start)
            content = file.read(AT_ONCE)
    except FileNotFoundError:
        return [], FilePlace()
    except OSError as error:
        tell(
            f"{path} cannot be read: {error.strerror or error}; alerts of watchdog and daily job are not told"
        )
        return [], place
    whole = content[: content.rfind(b"\n") + 1]
    if not whole and len(content) == AT_ONCE:
        whole = content
    events = []
    for line in whole.splitlines():
        try:
            events.append(_event(line))
        except (ValueError, KeyError, TypeError):
            if line.strip():
                tell(f"{path} holds a line that is no alert: {line[:80]!r}")
    return events, FilePlace(stat.st_ino, start + len(whole))


def _event(line: bytes) -> Event:
    said: dict[str, Any] = json.loads(line)
    at = dt.datetime.fromisoformat(said["time"])
    if at.tzinfo is None or said["severity"] not in SEVERITIES:
        raise ValueError("no time zone, or another severity")
    session = said.get("session")
    return Event(
        f"line {hashlib.sha256(line).hexdigest()[:32]}",
        str(said["code"]),
        said["severity"],
        str(said["message"]),
        at.astimezone(dt.UTC),
        None if session is None else dt.date.fromisoformat(session),
    )
