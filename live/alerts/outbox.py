"""The outbox: every alert is on disk here before anybody is told, and stays until everybody was.

It is a SQLite file of its own, ``alerts-outbox.sqlite`` in ``halt.folder``, and no part of the journal: the monitor
then needs no right to write what trading depends on, can never hold its lock, and can tell that the journal is out of
reach. Delivery is at least once: a process that is killed after a message was sent and before that was written sends it
again; the number of the alert in the message shows that it is the same one.
"""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ares7.errors import ConfigError, DataError, ServiceUnavailable
from live.alerts.event import Event
from live.alerts.outbox_tables import TABLES, VERSION
from live.alerts.record import AlertRecord, Notice, elapsed, from_text, to_text

FILE = "alerts-outbox.sqlite"
OLD = dt.timedelta(days=1)
"""What happened longer than this before the outbox was made is kept and told to nobody."""
BUSY_S = 10.0
REFRESH_S = 15.0
"""The words of a state that lasts are renewed after this time."""
OPEN = "acked_at IS NULL AND ended_at IS NULL"


class OutboxFailed(ServiceUnavailable):
    """The outbox does not take what it is given: nobody can be told."""


class Outbox:
    """Alerts and their delivery; durable when a method returns. One thread at a time.

    Parameters
    ----------
    folder : Path
        Of the halt file; made if need be.
    now : datetime
        UTC, when the outbox is made if it is not there.

    Raises
    ------
    OutboxFailed
        It cannot be written, or is damaged.
    DataError
        It is of another version.
    """

    def __init__(self, folder: Path, now: dt.datetime) -> None:
        self.path = folder / FILE
        self._made_at = now
        with self._translated():
            folder.mkdir(parents=True, exist_ok=True)
            # Messages name positions and amounts: nobody else reads them.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._base = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)
            self._base.row_factory = sqlite3.Row
            self._prepare(now)
        self._made_at = from_text(self.meta("made_at")) or now

    def _prepare(self, now: dt.datetime) -> None:
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = FULL")
        with self._changing():
            version = self._base.execute("PRAGMA user_version").fetchone()[0]
            if version == 0 and not self._base.execute("SELECT 1 FROM sqlite_master").fetchone():
                for statement in TABLES.split(";\n"):
                    self._base.execute(statement)
                self._base.execute(f"PRAGMA user_version = {VERSION}")
                self._set("made_at", to_text(now))
            elif version != VERSION:
                raise DataError(
                    f"alert outbox {self.path} is of version {version}, and this program of {VERSION}; update the "
                    "program, or move the file away: alerts that were not delivered stay in it"
                )

    def close(self) -> None:
        """Disconnect; safe to call again."""
        self._base.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise OutboxFailed(
                    f"alert outbox {self.path} is damaged ({error}); move it away; a new one is made, and nothing "
                    "else is lost"
                ) from None
            raise OutboxFailed(
                f"alert outbox {self.path} cannot be used: {error}; free space or allow writing there"
            ) from None
        except OSError as error:
            raise OutboxFailed(
                f"alert outbox {self.path} cannot be written: {error.strerror or error}; free space or allow "
                "writing there"
            ) from None

    @contextmanager
    def _changing(self) -> Iterator[None]:
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")

    def _all(self, statement: str, *given: Any) -> list[sqlite3.Row]:
        with self._translated():
            return self._base.execute(statement, given).fetchall()

    # Taking in

    def take(self, events: Iterable[Event], now: dt.datetime, group_s: float) -> dict[str, int]:
        """Keep events; return the alert of each by the key of the event.

        Parameters
        ----------
        events : iterable of Event
        now : datetime
            UTC.
        group_s : seconds
            Single events of one code within this time are one alert.
        """
        with self._translated(), self._changing():
            return {event.key: number for event in events if (number := self._taken(event, now, group_s))}

    def _taken(self, event: Event, now: dt.datetime, group_s: float) -> int:
        if event.lasting:
            return self._lasting(event, now, group_s)
        known = self._base.execute("SELECT alert_id FROM events WHERE key = ?", (event.key,)).fetchone()
        if known is not None:
            return int(known["alert_id"])
        number = self._group(event, now, group_s)
        if number:
            self._base.execute(
                "UPDATE alerts SET count = count + 1, message = ?, last_at = ? WHERE id = ?",
                (event.message, to_text(now), number),
            )
        else:
            number = self._opened(event, now)
        self._attach(event, number)
        return number

    def _lasting(self, event: Event, now: dt.datetime, group_s: float) -> int:
        """Return the alert of a state: the one that is open, one that ended just now, or a new one; 0 for none."""
        found = self._base.execute(
            "SELECT * FROM alerts WHERE key = ? AND lasting = 1 ORDER BY id DESC LIMIT 1", (event.key,)
        ).fetchone()
        if found is not None and found["ended_at"] is None:
            last = from_text(found["last_at"])
            if last is None or elapsed(last, now) >= REFRESH_S or found["session"] != _day(event):
                self._base.execute(
                    "UPDATE alerts SET message = ?, last_at = ?, session = ? WHERE id = ?",
                    (event.message, to_text(now), _day(event), found["id"]),
                )
            return int(found["id"])
        if not event.fires:
            return 0
        if found is not None and found["acked_at"] is None:
            ended = from_text(found["ended_at"])
            if ended is not None and elapsed(ended, now) < group_s:
                self._base.execute(
                    "UPDATE alerts SET ended_at = NULL, message = ? WHERE id = ?",
                    (event.message, found["id"]),
                )
                return int(found["id"])
        return self._opened(event, now)

    def _group(self, event: Event, now: dt.datetime, group_s: float) -> int:
        found = self._base.execute(
            f"SELECT id, opened_at FROM alerts WHERE code = ? AND mode = ? AND lasting = 0 AND {OPEN} "  # noqa: S608
            "ORDER BY id DESC LIMIT 1",
            (event.code, event.mode),
        ).fetchone()
        if found is None:
            return 0
        opened = from_text(found["opened_at"])
        return int(found["id"]) if opened is not None and 0 <= elapsed(opened, now) < group_s else 0

    def _opened(self, event: Event, now: dt.datetime) -> int:
        old = not event.lasting and event.at < min(self._made_at, now) - OLD
        made = self._base.execute(
            "INSERT INTO alerts (key, code, severity, message, session, mode, lasting, opened_at, last_at, ended_at, "
            "count, told_count, stage, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, 0, 0, ?)",
            (
                event.key,
                event.code,
                event.severity,
                event.message,
                _day(event),
                event.mode,
                int(event.lasting),
                to_text(now),
                to_text(now),
                to_text(now) if old else None,
                "older than this outbox: not told" if old else "",
            ),
        )
        return int(made.lastrowid or 0)

    def _attach(self, event: Event, number: int) -> None:
        self._base.execute(
            "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?)",
            (event.key, number, to_text(event.at), event.message, event.mode, event.journal_id),
        )

    def absorb(self, event: Event, number: int) -> None:
        """Keep an event that tells what an alert tells already; nobody is told again."""
        with self._translated(), self._changing():
            self._attach(event, number)

    def end_others(self, found: Iterable[Event], codes: Iterable[str], mode: str, now: dt.datetime) -> None:
        """End the states of some codes that were not found any more, of a mode or of none."""
        held, looked_for = {event.key for event in found}, set(codes)
        over = [
            row["id"]
            for row in self._all(
                "SELECT id, key, code, mode FROM alerts WHERE lasting = 1 AND ended_at IS NULL"
            )
            if row["key"] not in held and row["code"] in looked_for and row["mode"] in (mode, "")
        ]
        if over:
            with self._translated(), self._changing():
                for number in over:
                    self._base.execute("UPDATE alerts SET ended_at = ? WHERE id = ?", (to_text(now), number))

    # Looking

    def alerts(self, *, every: bool = False) -> list[AlertRecord]:
        """Alerts that nobody acknowledged and that are not over, or every one, oldest first."""
        where = "1" if every else OPEN
        return [AlertRecord.of(row) for row in self._all(f"SELECT * FROM alerts WHERE {where} ORDER BY id")]  # noqa: S608

    def waiting(self) -> list[AlertRecord]:
        """Alerts of which somebody may still have to be told: not acknowledged; over only if nobody heard of them."""
        return [
            AlertRecord.of(row)
            for row in self._all(
                "SELECT * FROM alerts WHERE acked_at IS NULL "
                "AND (ended_at IS NULL OR (told_count = 0 AND lasting = 1)) ORDER BY id"
            )
        ]

    def alert_of(self, code: str) -> AlertRecord | None:
        """Return the latest alert of a code."""
        found = self._all("SELECT * FROM alerts WHERE code = ? ORDER BY id DESC LIMIT 1", code)
        return AlertRecord.of(found[0]) if found else None

    def last_event_at(self, number: int) -> dt.datetime | None:
        """Return when the latest event of an alert happened, as its source told."""
        return from_text(self._all("SELECT MAX(at) AS at FROM events WHERE alert_id = ?", number)[0]["at"])

    def journal_ids(self, number: int) -> list[tuple[str, int]]:
        """Mode and number of the rows of journals that an alert is made of."""
        found = self._all(
            "SELECT mode, journal_id FROM events WHERE alert_id = ? AND journal_id IS NOT NULL", number
        )
        return [(row["mode"], row["journal_id"]) for row in found]

    # Telling

    def notice(
        self, alert: AlertRecord, kind: str, stage: int, title: str, body: str, now: dt.datetime
    ) -> None:
        """Keep what is to be told, and that it is no longer due."""
        first = alert.first_told_at or now
        with self._translated(), self._changing():
            self._base.execute(
                "INSERT INTO notices (alert_id, kind, stage, severity, title, body, made_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (alert.id, kind, stage, alert.severity, title, body, to_text(now)),
            )
            self._base.execute(
                "UPDATE alerts SET told_count = ?, first_told_at = ?, told_at = ?, stage = ? WHERE id = ?",
                (alert.count, to_text(first), to_text(now), max(stage, alert.stage), alert.id),
            )

    def notices(self) -> list[Notice]:
        """What is not delivered everywhere yet, oldest first."""
        return [
            Notice(
                row["id"],
                row["alert_id"],
                row["kind"],
                row["stage"],
                row["severity"],
                row["title"],
                row["body"],
            )
            for row in self._all("SELECT * FROM notices WHERE settled_at IS NULL ORDER BY id")
        ]

    def deliveries(self, notice: int) -> dict[str, tuple[int, dt.datetime | None, bool]]:
        """Attempts, time of the next one, and whether it is done, by target."""
        return {
            row["target"]: (row["attempts"], from_text(row["next_at"]), row["done_at"] is not None)
            for row in self._all("SELECT * FROM deliveries WHERE notice_id = ?", notice)
        }

    def delivered(self, notice: int, target: str, now: dt.datetime) -> None:
        """Keep that a target was told."""
        self._delivery(notice, target, to_text(now), None, "")

    def failed(self, notice: int, target: str, error: str, next_at: dt.datetime) -> None:
        """Keep that a target was not told, and when it is tried again."""
        self._delivery(notice, target, None, to_text(next_at), error)

    def _delivery(self, notice: int, target: str, done: str | None, next_at: str | None, error: str) -> None:
        with self._translated(), self._changing():
            self._base.execute(
                "INSERT INTO deliveries VALUES (?, ?, 1, ?, ?, ?) ON CONFLICT DO UPDATE SET attempts = attempts + 1, "
                "next_at = excluded.next_at, done_at = COALESCE(done_at, excluded.done_at), error = excluded.error",
                (notice, target, next_at, done, error),
            )

    def settle(self, notice: int, now: dt.datetime) -> None:
        """Keep that nothing of a notice remains to be told."""
        with self._translated(), self._changing():
            self._base.execute("UPDATE notices SET settled_at = ? WHERE id = ?", (to_text(now), notice))

    # Acknowledging

    def ack(self, number: int, who: str, note: str, now: dt.datetime) -> bool:
        """Acknowledge an alert: nobody is told of it any more; False if somebody did before.

        Raises
        ------
        ConfigError
            There is no such alert.
        """
        with self._translated(), self._changing():
            found = self._base.execute("SELECT acked_at FROM alerts WHERE id = ?", (number,)).fetchone()
            if found is None:
                raise ConfigError(f"there is no alert {number}; see: python run.py alerts")
            if found["acked_at"] is not None:
                return False
            self._base.execute(
                "UPDATE alerts SET acked_at = ?, acked_by = ?, note = ? WHERE id = ?",
                (to_text(now), who, note, number),
            )
            self._base.execute(
                "UPDATE notices SET settled_at = ? WHERE alert_id = ? AND settled_at IS NULL",
                (to_text(now), number),
            )
            return True

    # What else a monitor remembers

    def meta(self, name: str) -> str:
        """Return what was kept under a name; empty if nothing was."""
        found = self._all("SELECT value FROM meta WHERE name = ?", name)
        return str(found[0]["value"]) if found else ""

    def set_meta(self, name: str, value: str) -> None:
        """Keep a text under a name."""
        if self.meta(name) != value:
            with self._translated(), self._changing():
                self._set(name, value)

    def _set(self, name: str, value: str) -> None:
        self._base.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", (name, value)
        )


def _day(event: Event) -> str | None:
    return None if event.session is None else event.session.isoformat()
