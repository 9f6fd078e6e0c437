"""What can be asked of a journal. Readers are possible at any time, also while a runner writes."""

from __future__ import annotations

import datetime as dt
from types import TracebackType
from typing import Any, Self, TypeVar

import sqlalchemy as sa

from live.journal import rows, schema
from live.journal.columns import to_row
from live.journal.database import Database
from live.journal.holdings import ignored_of, positions_of
from live.journal.migrate import check
from live.journal.place import parse
from live.journal.view_tables import V_FEES, V_FILLS, V_ORDERS, to_order

R = TypeVar("R", bound=rows.Row)


class JournalReader:
    """A journal that is read. Every method sees what was written before it was called.

    Use `open`; close it, or use it as a context manager.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, url: str, mode: str, account: str = "") -> Self:
        """Open a journal that exists.

        Parameters
        ----------
        url : str
            See `live.journal.place.parse`.
        mode : str
            shadow, paper, real or simulated.
        account : str
            Refused if the journal is that of another; empty for whichever it is.

        Raises
        ------
        ConfigError, MissingData, WrongJournal, JournalVersion, JournalDamaged, JournalUnavailable
        """
        database = Database(parse(url, mode), writes=cls._writes())
        try:
            database.open()
            check(database, account)
        except BaseException:
            database.close()
            raise
        return cls(database)

    @classmethod
    def _writes(cls) -> bool:
        return False

    def close(self) -> None:
        """Disconnect; safe to call again."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _all(self, statement: sa.Select[Any]) -> list[dict[str, Any]]:
        with self._database.reading() as connection:
            return [dict(found) for found in connection.execute(statement).mappings()]

    def _scalar(self, statement: sa.Select[Any]) -> Any:
        with self._database.reading() as connection:
            return connection.execute(statement).scalar()

    def _rows(self, kind: type[R], /, **equal: object) -> list[R]:
        """Rows of a kind in the order in which they were written; ``None`` in ``equal`` asks for nothing."""
        table = schema.TABLE_OF[kind]
        statement = sa.select(table).order_by(table.c.id)
        for column, value in equal.items():
            if value is not None:
                statement = statement.where(table.c[column] == value)
        return [to_row(kind, found) for found in self._all(statement)]

    def _latest(self, kind: type[R], /, **equal: object) -> R | None:
        table = schema.TABLE_OF[kind]
        statement = sa.select(table).order_by(table.c.id.desc()).limit(1)
        for column, value in equal.items():
            if value is not None:
                statement = statement.where(table.c[column] == value)
        found = self._all(statement)
        return to_row(kind, found[0]) if found else None

    # Whose it is

    @property
    def mode(self) -> str:
        """Mode of this journal."""
        return self._database.place.mode

    @property
    def account(self) -> str:
        """Account of this journal, in full; show it through `live.journal.place.masked`."""
        return str(self._scalar(sa.select(schema.identity.c.account)))

    def __str__(self) -> str:
        """Where it lies, without a password."""
        return str(self._database.place)

    def runs(self) -> list[rows.Run]:
        """Starts of the runner, oldest first."""
        return self._rows(rows.Run)

    def latest_heartbeat(self) -> rows.Heartbeat | None:
        """The latest sign of life."""
        return self._latest(rows.Heartbeat)

    # Decisions

    def rebalance(self, rebalance_id: str) -> rows.Rebalance | None:
        """One rebalance, or None; its ``outcome`` is ``open`` until it was finished."""
        found = self._rebalances(schema.rebalances.c.rebalance_id == rebalance_id)
        return found[0] if found else None

    def rebalances(self, session: dt.date | None = None) -> list[rows.Rebalance]:
        """All rebalances, or those of a session, oldest first."""
        return self._rebalances(sa.true() if session is None else schema.rebalances.c.session == session)

    def latest_rebalance(self) -> rows.Rebalance | None:
        """Return the rebalance that was begun last."""
        table = schema.rebalances
        latest = self._rebalances(table.c.id == sa.select(sa.func.max(table.c.id)).scalar_subquery())
        return latest[0] if latest else None

    def _rebalances(self, where: sa.ColumnElement[bool]) -> list[rows.Rebalance]:
        table, ends = schema.rebalances, schema.rebalance_ends
        outcome = sa.func.coalesce(ends.c.outcome, "open").label("outcome")
        joined = table.outerjoin(ends, ends.c.rebalance_id == table.c.rebalance_id)
        statement = sa.select(table, outcome).select_from(joined).where(where).order_by(table.c.id)
        return [to_row(rows.Rebalance, found) for found in self._all(statement)]

    def decisions(self, rebalance_id: str | None = None, symbol: str | None = None) -> list[rows.Decision]:
        """What was decided for each name."""
        return self._rows(rows.Decision, rebalance_id=rebalance_id, symbol=symbol)

    def regimes(self, session: dt.date | None = None) -> list[rows.RegimeRow]:
        """Regimes; the last row of a session counts."""
        return self._rows(rows.RegimeRow, session=session)

    # Orders

    def refs(self) -> set[str]:
        """Every order reference that was ever journalled."""
        return {found["ref"] for found in self._all(sa.select(schema.intents.c.ref))}

    def order(self, ref: str) -> rows.JournalOrder | None:
        """One order and how far it has come."""
        found = self._orders(V_ORDERS.c.ref == ref)
        return found[0] if found else None

    def orders(
        self, session: dt.date | None = None, rebalance_id: str | None = None
    ) -> list[rows.JournalOrder]:
        """Orders in the order in which they were journalled."""
        by_session = sa.true() if session is None else V_ORDERS.c.session == session
        by_rebalance = sa.true() if rebalance_id is None else V_ORDERS.c.rebalance_id == rebalance_id
        return self._orders(by_session, by_rebalance)

    def working(self) -> list[rows.JournalOrder]:
        """Orders of which more may come: journalled, not ended, not filled in full."""
        return self._orders(V_ORDERS.c.done == 0)

    def orders_of_now(self) -> list[rows.JournalOrder]:
        """Orders that work, and all of the latest decision session; in one look, for a journal of years has many."""
        table, stages = schema.intents, schema.stages
        latest = sa.select(sa.func.max(stages.c.id)).group_by(stages.c.ref)
        ended = sa.select(stages.c.ref).where(stages.c.id.in_(latest), stages.c.stage.in_(rows.DONE))
        open_refs = [row["ref"] for row in self._all(sa.select(table.c.ref).where(table.c.ref.not_in(ended)))]
        last = sa.select(table.c.session).order_by(table.c.id.desc()).limit(1).scalar_subquery()
        found = self._orders((V_ORDERS.c.session == last) | V_ORDERS.c.ref.in_(open_refs))
        newest = found[-1].intent.session if found else None
        return [order for order in found if not order.is_done or order.intent.session == newest]

    def _orders(self, *where: sa.ColumnElement[bool]) -> list[rows.JournalOrder]:
        return [
            to_order(found) for found in self._all(sa.select(V_ORDERS).where(*where).order_by(V_ORDERS.c.id))
        ]

    def stages(self, ref: str) -> list[rows.StageRow]:
        """Stages of one order, oldest first."""
        return self._rows(rows.StageRow, ref=ref)

    def wire_events(self, ref: str | None = None, kind: str | None = None) -> list[rows.WireEvent]:
        """Messages of the gateway, oldest first."""
        return self._rows(rows.WireEvent, ref=ref, kind=kind)

    def wire_kinds(self, since: dt.datetime) -> dict[str, int]:
        """How many messages of each kind came since a moment; rows are written in the order of their time."""
        table = schema.wire_events
        statement = sa.select(table.c.kind, sa.func.count()).group_by(table.c.kind)
        with self._database.reading() as connection:
            first = _first_since(connection, table, since)
            found = connection.execute(statement.where(table.c.id >= first))
            return {kind: int(count) for kind, count in found}

    def last_written(self) -> dt.datetime | None:
        """When the latest row of any kind was written; None in an empty journal."""
        with self._database.reading() as connection:
            latest = [
                connection.execute(sa.select(table.c.at).order_by(table.c.id.desc()).limit(1)).scalar()
                for table in schema.metadata.sorted_tables
            ]
        return max((at for at in latest if at is not None), default=None)

    def highest_order_id(self) -> int:
        """Highest order id that was ever used, 0 if none; the next must be above it."""
        return int(self._scalar(sa.select(sa.func.max(schema.intents.c.order_id))) or 0)

    # Executions and positions

    def fills(self, session: dt.date | None = None, ref: str | None = None) -> list[rows.Fill]:
        """Latest revision of every execution, ours and others, in the order of their trades."""
        statement = sa.select(V_FILLS).order_by(V_FILLS.c.traded_at, V_FILLS.c.id)
        if session is not None:
            statement = statement.where(V_FILLS.c.session == session)
        if ref is not None:
            statement = statement.where(V_FILLS.c.ref == ref)
        return [to_row(rows.Fill, found) for found in self._all(statement)]

    def fill_revisions(self) -> list[rows.Fill]:
        """Every revision of every execution, a later one of the same execution after the earlier."""
        return sorted(self._rows(rows.Fill), key=lambda fill: fill.revision)

    def fee_revisions(self) -> list[rows.Fee]:
        """Every fee that was told, later ones of the same execution after the earlier."""
        return sorted(self._rows(rows.Fee), key=lambda fee: fee.revision)

    def fees(self) -> dict[str, rows.Fee]:
        """Latest fee of every execution whose fee is known, by execution root."""
        table = schema.fees
        found = self._all(sa.select(table).order_by(table.c.revision, table.c.id))
        return {fee["root"]: to_row(rows.Fee, fee) for fee in found}

    def trades(self) -> list[tuple[dt.date, float, float, float | None]]:
        """Session, shares, price and fee (None while it is not known) of every execution, in the order of `fills`."""
        joined = V_FILLS.outerjoin(V_FEES, V_FEES.c.root == V_FILLS.c.root)
        columns = (V_FILLS.c.session, V_FILLS.c.shares, V_FILLS.c.price, V_FEES.c.amount)
        statement = sa.select(*columns).select_from(joined).order_by(V_FILLS.c.traded_at, V_FILLS.c.id)
        with self._database.reading() as connection:
            return [tuple(found) for found in connection.execute(statement)]

    def adjustments(self, con_id: int | None = None) -> list[rows.Adjustment]:
        """What was adopted, ignored and accepted, oldest first."""
        return self._rows(rows.Adjustment, con_id=con_id)

    def positions(self, con_id: int | None = None) -> dict[int, rows.JournalPosition]:
        """What is ours, by contract, or of one: executions of journalled orders, and what was adopted or accepted.

        Executions of orders that are not in this journal do not count, nor what was ignored. Flat contracts are
        left out.
        """
        with self._database.reading() as connection:
            return positions_of(connection, con_id)

    def ignored(self) -> dict[int, float]:
        """Shares by contract that the operator set aside: in the account, never ours."""
        with self._database.reading() as connection:
            return ignored_of(connection)

    def latest_reconciliation(self) -> rows.Reconciliation | None:
        """The latest comparison with the gateway, with its differences (whose ``id`` an acceptance names)."""
        table = schema.reconciliations
        found = self._all(sa.select(table).order_by(table.c.id.desc()).limit(1))
        if not found:
            return None
        row = found[0]
        differences = self._rows(rows.DifferenceRow, reconciliation_id=row["id"])
        return rows.Reconciliation(
            row["trigger_name"], row["complete"], tuple(differences), at=row["at"], id=row["id"]
        )

    # Money

    def latest_nav(self, kind: str | None = None) -> rows.Nav | None:
        """The value of the account that was written last; ``kind`` start, intraday or close."""
        return self._latest(rows.Nav, kind=kind)

    def navs(self, kind: str = "close") -> list[rows.Nav]:
        """The last value of every session that has one, by session."""
        by_session = {nav.session: nav for nav in self._rows(rows.Nav, kind=kind)}
        return [by_session[session] for session in sorted(by_session)]

    def flows(self) -> list[rows.CashFlow]:
        """Money in and out, each as it was last named; rows that name others are not listed apart."""
        written = self._rows(rows.CashFlow)
        named = {row.names: row for row in written if row.names is not None}
        return [_renamed(row, named.get(row.id or 0, row)) for row in written if row.names is None]

    # Alerts and halt

    def alerts(self, *, open_only: bool = False) -> list[rows.Alert]:
        """Alerts, oldest first; ``open_only`` leaves out those that were acknowledged."""
        found = self._rows(rows.Alert)
        if not open_only:
            return found
        seen = {row["alert_id"] for row in self._all(sa.select(schema.acknowledgements.c.alert_id))}
        return [alert for alert in found if alert.id not in seen]

    def alerts_after(self, number: int) -> list[rows.Alert]:
        """Alerts whose number is above one, oldest first."""
        table = schema.alerts
        statement = sa.select(table).where(table.c.id > number).order_by(table.c.id)
        return [to_row(rows.Alert, found) for found in self._all(statement)]

    def acknowledged(self) -> dict[int, tuple[str, str]]:
        """Who acknowledged each alert, and with what note, by its number."""
        found = self._all(sa.select(schema.acknowledgements))
        return {row["alert_id"]: (row["who"], row["note"]) for row in found}

    def latest_halt(self) -> rows.Halt | None:
        """Who set the halt level last, when and why; None if nobody ever did."""
        return self._latest(rows.Halt)

    def halt_level(self) -> str:
        """The halt level of this journal, one of `live.journal.rows.HALT_LEVELS`."""
        latest = self.latest_halt()
        return "NONE" if latest is None else latest.level


def _first_since(connection: sa.Connection, table: sa.Table, since: dt.datetime) -> int:
    """Return the lowest id of a row that is not older than a moment, by halving: there is no index on time."""
    low, high = 0, int(connection.execute(sa.select(sa.func.max(table.c.id))).scalar() or 0) + 1
    while low < high:
        middle = (low + high) // 2
        asked = sa.select(table.c.id, table.c.at).where(table.c.id >= middle).order_by(table.c.id).limit(1)
        found = connection.execute(asked).one_or_none()
        if found is None or found.at >= since:
            high = middle
        else:
            low = int(found.id) + 1
    return low


def _renamed(row: rows.CashFlow, by: rows.CashFlow) -> rows.CashFlow:
    return rows.CashFlow(
        row.session,
        by.kind,
        row.amount_usd,
        row.key,
        row.symbol,
        row.con_id,
        by.text,
        at=row.at,
        id=row.id,
    )
