"""Rows of the outbox."""

from __future__ import annotations

import datetime as dt
import sqlite3
from dataclasses import dataclass
from typing import Any

BACKWARDS_S = 60.0
"""A clock that went back by more than this is not waited for."""


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """One alert: an event, several of one code, or a state. Times are UTC.

    Attributes
    ----------
    id : int
    code, severity, message, mode : str
        The message is that of the latest event.
    session : date or None
    lasting : bool
    opened_at, last_at : datetime
        First and latest event, by the clock of the monitor.
    ended_at : datetime or None
        A state is over.
    count, told_count : int
        Events, and how many of them were told.
    first_told_at, told_at : datetime or None
    stage : int
        The farthest of the targets that was told, from 0.
    acked_at : datetime or None
    acked_by, note : str
    """

    id: int
    code: str
    severity: str
    message: str
    mode: str
    session: dt.date | None
    lasting: bool
    opened_at: dt.datetime
    last_at: dt.datetime
    ended_at: dt.datetime | None = None
    count: int = 1
    told_count: int = 0
    first_told_at: dt.datetime | None = None
    told_at: dt.datetime | None = None
    stage: int = 0
    acked_at: dt.datetime | None = None
    acked_by: str = ""
    note: str = ""

    @classmethod
    def of(cls, row: sqlite3.Row) -> AlertRecord:
        """Make the record of a row."""
        opened, last = from_text(row["opened_at"]), from_text(row["last_at"])
        assert opened is not None and last is not None  # noqa: S101, PT018 - the columns are NOT NULL
        return cls(
            row["id"],
            row["code"],
            row["severity"],
            row["message"],
            row["mode"],
            None if row["session"] is None else dt.date.fromisoformat(row["session"]),
            bool(row["lasting"]),
            opened,
            last,
            from_text(row["ended_at"]),
            row["count"],
            row["told_count"],
            from_text(row["first_told_at"]),
            from_text(row["told_at"]),
            row["stage"],
            from_text(row["acked_at"]),
            row["acked_by"] or "",
            row["note"] or "",
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "id": self.id,
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "mode": self.mode,
            "session": None if self.session is None else str(self.session),
            "lasting": self.lasting,
            "opened_at": to_text(self.opened_at),
            "last_at": to_text(self.last_at),
            "ended_at": None if self.ended_at is None else to_text(self.ended_at),
            "count": self.count,
            "told": self.told_count > 0,
            "acked_at": None if self.acked_at is None else to_text(self.acked_at),
            "acked_by": self.acked_by,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Notice:
    """One message about an alert, to the targets of one stage; ``kind`` is first, more, repeat or escalation."""

    id: int
    alert_id: int
    kind: str
    stage: int
    severity: str
    title: str
    body: str


def to_text(moment: dt.datetime) -> str:
    """Write a moment as the journal does: UTC, microseconds, ``Z``; texts sort as moments."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def from_text(text: str | None) -> dt.datetime | None:
    """Read a moment; None where there is none."""
    return dt.datetime.fromisoformat(text) if text else None


def elapsed(since: dt.datetime, now: dt.datetime) -> float:
    """Seconds since a moment; without end where the clock went back, so that nothing waits for it to come again."""
    seconds = (now - since).total_seconds()
    if seconds < -BACKWARDS_S:
        return float("inf")
    return max(seconds, 0.0)
