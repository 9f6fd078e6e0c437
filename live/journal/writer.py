"""The journal of a runner: the only process that writes what was decided, intended, sent and filled.

::

    with Journal.open("sqlite:///runs/live/journal-paper.sqlite", "paper", "DU1234567") as journal:
        journal.begin_run(Run("regime_ensemble", "1a2b3c4d"))
        if journal.begin_rebalance(rebalance):
            journal.intent(Intent.of(ticket, order_id, session=session))
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, Self

import sqlalchemy as sa

from live.journal import rows, schema
from live.journal.database import Database
from live.journal.failures import AlreadyJournalled, RowRefused
from live.journal.migrate import prepare
from live.journal.operator_journal import Clock, OperatorJournal
from live.journal.place import parse
from live.machine import utc_now


class Journal(OperatorJournal):
    """A journal that is written by this process alone. Everything is on disk when a method returns.

    Use `open`; close it, or use it as a context manager.

    Attributes
    ----------
    run_id : int or None
        Of the run that was begun.
    """

    @classmethod
    def open(cls, url: str, mode: str, account: str = "", *, clock: Clock = utc_now) -> Self:
        """Open a journal, make it if it is not there, migrate it if it is of an earlier version.

        Parameters
        ----------
        url : str
            ``sqlite:///relative``, ``sqlite:////absolute`` or ``postgresql://...`` (`live.journal.place`).
        mode : str
            shadow, paper, real or simulated; each has a file or schema of its own.
        account : str
            In full; must be named for a new journal.
        clock : callable
            Time of rows that bring none, UTC.

        Raises
        ------
        ConfigError, JournalInUse, WrongJournal, JournalVersion, JournalDamaged, JournalUnavailable
        """
        database = Database(parse(url, mode), writes=True, sole=True)
        try:
            database.open()
            prepare(database, account, clock())
        except BaseException:
            database.close()
            raise
        return cls(database, clock)

    @property
    def is_lost(self) -> bool:
        """Nothing more can be written here: the server went, and the lock of the only writer with it."""
        return self._database.is_lost

    # Runs

    def begin_run(self, run: rows.Run) -> int:
        """Write the start of a run; every row from now on names it."""
        self.run_id = self._append(run)[0]
        return self.run_id

    def end_run(self, reason: str) -> None:
        """Write why the run ended; a run that was killed has no such row."""
        with self._database.appending() as connection:
            self._insert_into(connection, schema.run_ends, reason=reason)

    def heartbeat(self, heartbeat: rows.Heartbeat) -> None:
        """Write a sign of life; once a minute is plenty, for rows stay for ever."""
        self._append(heartbeat)

    # Decisions

    def begin_rebalance(self, rebalance: rows.Rebalance, *decided: rows.Decision | rows.RegimeRow) -> bool:
        """Write that a rebalance is carried out from now on, and what was decided: all of it, or nothing.

        False, and nothing is written, if one of its id was begun before.

        Raises
        ------
        RowRefused
            The id belongs to a rebalance of another session, strategy or configuration.
        """
        table = schema.rebalances
        with self._database.transaction() as connection:
            same = table.c.rebalance_id == rebalance.rebalance_id
            before = connection.execute(sa.select(table).where(same)).mappings().one_or_none()
            if before is None:
                for row in (rebalance, *decided):
                    self._insert(connection, row)
                return True
            for name in ("session", "strategy", "config_digest"):
                if before[name] != getattr(rebalance, name):
                    raise RowRefused(
                        f"{self}: rebalance {rebalance.rebalance_id} was that of {name} {before[name]}, and is now of "
                        f"{getattr(rebalance, name)}; nothing may be sent under it"
                    )
            return False

    def finish_rebalance(self, rebalance_id: str, outcome: str, detail: dict[str, Any] | None = None) -> bool:
        """Write how a rebalance ended; False if that was written before."""
        table = schema.rebalance_ends
        with self._database.transaction() as connection:
            if self._holds(connection, table.c.rebalance_id, rebalance_id):
                return False
            self._insert_into(
                connection, table, rebalance_id=rebalance_id, outcome=outcome, detail=detail or {}
            )
            return True

    def decision(self, decisions: Iterable[rows.Decision]) -> None:
        """Write what was decided for each name; all of them, or none."""
        self._append(*decisions)

    def regime(self, regime: rows.RegimeRow) -> None:
        """Write the regime of a session."""
        self._append(regime)

    # Orders

    def intent(self, intent: rows.Intent) -> None:
        """Write an order before it is written to the socket.

        Raises
        ------
        AlreadyJournalled
            The reference was used before: the order must not be sent.
        JournalUnavailable
            It is not on disk: the order must not be sent.
        """
        self.intents([intent])

    def intents(self, intents: Iterable[rows.Intent]) -> None:
        """Write the orders of a bracket together: all of them, or none. Errors as `intent`."""
        with self._database.transaction() as connection:
            for intent in intents:
                if self._holds(connection, schema.intents.c.ref, intent.ref):
                    raise AlreadyJournalled(
                        f"{self}: order {intent.ref} was journalled before; it is not sent again"
                    )
                self._insert(connection, intent)

    def stage(self, ref: str, stage: str, reason: str = "", *, at: dt.datetime | None = None) -> bool:
        """Write that an order came to another stage; False if it is there with the same reason.

        Raises
        ------
        RowRefused
            No order of this reference was journalled.
        """
        table = schema.stages
        row = rows.StageRow(ref, stage, reason, at=at)
        with self._database.transaction() as connection:
            if not self._holds(connection, schema.intents.c.ref, ref):
                raise RowRefused(
                    f"{self}: order {ref} was never journalled; its stage {stage} is not written"
                )
            latest = sa.select(table).where(table.c.ref == ref).order_by(table.c.id.desc()).limit(1)
            before = connection.execute(latest).mappings().one_or_none()
            if before is not None and (before["stage"], before["reason"]) == (stage, reason):
                return False
            self._insert(connection, row)
            return True

    def wire(self, *events: rows.WireEvent) -> None:
        """Write messages of the gateway, together."""
        self._append(*events)

    # Executions and money

    def fill(self, fill: rows.Fill) -> bool:
        """Write an execution or a correction of one; False if it is there already.

        Raises
        ------
        RowRefused
            The same execution was written with another order, contract, side, quantity or price.
        """
        table = schema.fills
        with self._database.transaction() as connection:
            same = (table.c.root == fill.root) & (table.c.revision == fill.revision)
            before = connection.execute(sa.select(table).where(same)).mappings().one_or_none()
            if before is None:
                self._insert(connection, fill)
                return True
            for name in ("ref", "con_id", "side", "shares", "price"):
                if before[name] != getattr(fill, name):
                    raise RowRefused(
                        f"{self}: execution {fill.root} revision {fill.revision} was journalled with {name} "
                        f"{before[name]}, and the gateway now says {getattr(fill, name)}; compare both with TWS"
                    )
            return False

    def fee(self, fee: rows.Fee) -> bool:
        """Write the fee of an execution; False if the latest of its revision says the same."""
        table = schema.fees
        with self._database.transaction() as connection:
            same = (table.c.root == fee.root) & (table.c.revision == fee.revision)
            latest = sa.select(table).where(same).order_by(table.c.id.desc()).limit(1)
            before = connection.execute(latest).mappings().one_or_none()
            if before is not None and (before["amount"], before["currency"]) == (fee.amount, fee.currency):
                return False
            self._insert(connection, fee)
            return True

    def nav(self, nav: rows.Nav) -> None:
        """Write the value of the account."""
        self._append(nav)

    def reconciled(self, reconciliation: rows.Reconciliation) -> int:
        """Write a comparison with the gateway and its differences, together; return its number."""
        with self._database.appending() as connection:
            number = self._insert_into(
                connection,
                schema.reconciliations,
                reconciliation,
                trigger_name=reconciliation.trigger,
                found=len(reconciliation.differences),
            )
            for difference in reconciliation.differences:
                self._insert_into(connection, schema.differences, difference, reconciliation_id=number)
            return number
