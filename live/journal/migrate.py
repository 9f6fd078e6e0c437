"""Making a journal, checking whose it is, and bringing an earlier version of its schema to the present one.

Versions of the schema
    1: the first. 2: what an order is for (``intents.purpose``), and heartbeats.

A migration is one transaction: whoever kills it finds the journal as it was. Its statements stay as they were
written, whatever becomes of `live.journal.schema`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import sqlalchemy as sa

from ares7.errors import MissingData
from live.journal.database import Database
from live.journal.failures import JournalDamaged, JournalVersion, WrongJournal, another_program
from live.journal.guards import create_guards
from live.journal.place import masked
from live.journal.schema import VERSION, identity, metadata, schema_versions
from live.journal.trouble import DAMAGED
from live.journal.views import create_views, drop_views


def prepare(database: Database, account: str, now: dt.datetime) -> None:
    """Make the tables of an empty journal or migrate them, and check whose they are. Holds the writer's lock.

    Raises
    ------
    WrongJournal, JournalVersion, JournalDamaged, JournalUnavailable
    """
    with database.transaction() as connection:
        _check_pages(database, connection)
        _make_schema(database, connection)
        found = version_of(database, connection)
        if found is None:
            _create(database, connection, account, now)
            return
        _check_identity(database, connection, account)
        if found < VERSION:
            _migrate(connection, found, now)


def check(database: Database, account: str) -> None:
    """Check version and owner of a journal that is only read, or that another process writes.

    Parameters
    ----------
    database : Database
    account : str
        Empty for whichever it is.

    Raises
    ------
    MissingData, WrongJournal, JournalVersion
    """
    with database.reading() as connection:
        found = version_of(database, connection)
        if found is None and not database.is_sqlite:
            raise MissingData(
                f"{database.place} is not there; the runner makes it at its first start in this mode"
            )
        if found is None:
            raise WrongJournal(
                f"{database.place} is empty; the runner fills it at its first start in this mode"
            )
        if found < VERSION:
            raise JournalVersion(
                f"{database.place} has version {found}, and {VERSION} is needed; start the runner once, it migrates"
            )
        _check_identity(database, connection, account)


def version_of(database: Database, connection: sa.Connection) -> int | None:
    """Version of the tables, or None where there are none.

    Raises
    ------
    WrongJournal
        The tables are those of another program.
    JournalVersion
        They are of a later version of this one.
    """
    if database.is_sqlite:
        tables = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table'"
    else:
        tables = "SELECT COUNT(*) FROM pg_tables WHERE schemaname = :schema"
    named = {} if database.is_sqlite else {"schema": database.place.schema}
    if not _scalar(connection, tables, **named):
        return None
    column = "name" if database.is_sqlite else "tablename"
    if not _scalar(connection, f"{tables} AND {column} = 'schema_versions'", **named):
        raise another_program(database.place)
    found: int = connection.execute(sa.select(sa.func.max(schema_versions.c.version))).scalar_one()
    if found > VERSION:
        raise JournalVersion(
            f"{database.place} was written by a later program (version {found}; this one knows {VERSION}); "
            "update this program"
        )
    return found


def _scalar(connection: sa.Connection, text: str, **values: str) -> object:
    return connection.execute(sa.text(text), values).scalar_one()


def _make_schema(database: Database, connection: sa.Connection) -> None:
    name = database.place.schema
    if database.is_sqlite:
        return
    # Making one needs a right that using it does not.
    if _scalar(connection, "SELECT to_regnamespace(:name) IS NULL", name=name):
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")


def _check_pages(database: Database, connection: sa.Connection) -> None:
    if database.is_sqlite:
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        if found != "ok":
            raise JournalDamaged(f"{database.place}: {DAMAGED} ({' '.join(str(found).split())})")


def _check_identity(database: Database, connection: sa.Connection, account: str) -> None:
    mode, owner = connection.execute(sa.select(identity.c.mode, identity.c.account)).one()
    if mode != database.place.mode:
        raise WrongJournal(
            f"{database.place} is the journal of mode {mode}, not {database.place.mode}; each mode has its own"
        )
    if account and owner != account:
        raise WrongJournal(
            f"{database.place} is the journal of account {masked(owner)}, not {masked(account)}; name another place "
            "for this account"
        )


def _create(database: Database, connection: sa.Connection, account: str, now: dt.datetime) -> None:
    if not account:
        raise WrongJournal(f"{database.place} is new: its account must be named")
    metadata.create_all(connection, checkfirst=False)
    connection.execute(schema_versions.insert(), {"at": now, "version": VERSION})
    connection.execute(identity.insert(), {"at": now, "mode": database.place.mode, "account": account})
    _finish(connection)


def _finish(connection: sa.Connection) -> None:
    create_guards(connection)
    create_views(connection)


def _migrate(connection: sa.Connection, found: int, now: dt.datetime) -> None:
    drop_views(connection)
    for version in range(found + 1, VERSION + 1):
        MIGRATIONS[version](connection)
        connection.execute(schema_versions.insert(), {"at": now, "version": version})
    _finish(connection)


def _to_2(connection: sa.Connection) -> None:
    sqlite = connection.dialect.name == "sqlite"
    key = "INTEGER NOT NULL PRIMARY KEY" if sqlite else "BIGSERIAL PRIMARY KEY"
    time, number = ("TEXT", "INTEGER") if sqlite else ("TIMESTAMP WITH TIME ZONE", "BIGINT")
    connection.exec_driver_sql("ALTER TABLE intents ADD COLUMN purpose TEXT DEFAULT 'rebalance' NOT NULL")
    connection.exec_driver_sql(
        f"CREATE TABLE heartbeats (id {key}, at {time} NOT NULL, run_id {number} REFERENCES runs (id), "
        "state TEXT NOT NULL, pid BIGINT NOT NULL, session DATE)"
    )


MIGRATIONS: dict[int, Callable[[sa.Connection], None]] = {2: _to_2}
"""What brings the version before to each version."""
