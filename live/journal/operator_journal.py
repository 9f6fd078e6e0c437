"""What an operator's command writes while a runner runs, hangs, or is not there: it takes no lock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from live.journal import rows, schema
from live.journal.columns import to_columns
from live.journal.database import Database
from live.journal.failures import RowRefused
from live.journal.holdings import ignored_of, positions_of
from live.journal.reader import JournalReader
from live.machine import utc_now

Clock = Callable[[], dt.datetime]


class OperatorJournal(JournalReader):
    """A journal to which commands add alerts, halts, adoptions and names of flows; durable when a method returns.

    A runner that is stopped in the middle of a transaction holds the database: then a method ends with
    `JournalUnavailable` after some seconds, and the halt file remains.
    """

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        super().__init__(database)
        self._clock = clock
        self.run_id: int | None = None

    @classmethod
    def _writes(cls) -> bool:
        return True

    def _insert(self, connection: sa.Connection, row: rows.Row) -> int:
        return self._insert_into(connection, schema.TABLE_OF[type(row)], row)

    def _insert_into(
        self, connection: sa.Connection, table: sa.Table, row: rows.Row | None = None, **more: Any
    ) -> int:
        now = self._clock()
        values: dict[str, Any] = {"at": now} if row is None else to_columns(row, table, now)
        values |= more
        if "run_id" in table.c:
            values.setdefault("run_id", self.run_id)
        key = connection.execute(table.insert(), values).inserted_primary_key
        return int(key[0]) if key is not None else 0

    def _append(self, *written: rows.Row) -> list[int]:
        """Write rows together."""
        with self._database.appending() as connection:
            return [self._insert(connection, row) for row in written]

    def _holds(self, connection: sa.Connection, column: sa.Column[Any], value: object) -> bool:
        found = connection.execute(sa.select(sa.literal(1)).where(column == value).limit(1))
        return found.scalar() is not None

    # Alerts

    def alert(self, alert: rows.Alert) -> int:
        """Write an alert; return its number, by which it is acknowledged."""
        return self._append(alert)[0]

    def ack(self, alert_id: int, who: str, note: str = "") -> bool:
        """Acknowledge an alert; False if somebody did before.

        Raises
        ------
        RowRefused
            There is no such alert.
        """
        table = schema.acknowledgements
        with self._database.transaction() as connection:
            if not self._holds(connection, schema.alerts.c.id, alert_id):
                raise RowRefused(f"{self}: there is no alert {alert_id}; see: python run.py status")
            if self._holds(connection, table.c.alert_id, alert_id):
                return False
            self._insert_into(connection, table, alert_id=alert_id, who=who, note=note)
            return True

    # Halt

    def halt(self, level: str, who: str, reason: str = "") -> None:
        """Set the halt level: one of `live.journal.rows.HALT_LEVELS`; NONE resumes."""
        self._append(rows.Halt(level, who, reason))

    # What is ours

    def adopt(self, *adjustments: rows.Adjustment) -> None:
        """Take shares over, set them aside, or accept differences; all of them, or none.

        Raises
        ------
        RowRefused
            What the journal holds is not what it held when that was decided (`Adjustment.before_shares`).
        """
        with self._database.transaction() as connection:
            for adjustment in adjustments:
                _check_unchanged(connection, adjustment)
                self._insert(connection, adjustment)

    def flow(self, flow: rows.CashFlow) -> bool:
        """Write money that came or went, or name an earlier flow; False if its key is there already.

        Raises
        ------
        RowRefused
            The flow that it names is not there, or has another amount or session.
        """
        with self._database.transaction() as connection:
            if flow.key is not None and self._holds(connection, schema.flows.c.key, flow.key):
                return False
            if flow.names is not None:
                _check_named(connection, flow)
            self._insert(connection, flow)
            return True


def _check_unchanged(connection: sa.Connection, adjustment: rows.Adjustment) -> None:
    if adjustment.kind == rows.IGNORE:
        held = ignored_of(connection, adjustment.con_id).get(adjustment.con_id, 0.0)
    else:
        position = positions_of(connection, adjustment.con_id).get(adjustment.con_id)
        held = 0.0 if position is None else position.shares
    if held != adjustment.before_shares:
        raise RowRefused(
            f"{adjustment.kind} of {adjustment.symbol} was decided on {adjustment.before_shares:g} shares in the "
            f"journal, and there are {held:g} now; look at it again: python run.py reconcile"
        )


def _check_named(connection: sa.Connection, flow: rows.CashFlow) -> None:
    table = schema.flows
    found = connection.execute(sa.select(table).where(table.c.id == flow.names)).mappings().one_or_none()
    if found is None or found["names"] is not None:
        raise RowRefused(f"there is no flow {flow.names} to be named {flow.kind}")
    if (found["amount_usd"], found["session"]) != (flow.amount_usd, flow.session):
        raise RowRefused(
            f"flow {flow.names} is {found['amount_usd']:.2f} USD of {found['session']}; naming it {flow.kind} cannot "
            f"make it {flow.amount_usd:.2f} USD of {flow.session}"
        )
