"""Making the schema, checking its version, and bringing an earlier one to the present.

A migration is part of the load that asks for it: one transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from ares7.errors import DataError, MissingData
from feeds.database.server import Server
from feeds.database.tables import SCHEMA, VERSION, WATCHED, metadata, state

LOCK = 0x41524553_0007
"""Advisory lock of the only load."""
_TRIGGER = f"""
CREATE FUNCTION {SCHEMA}.note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE {SCHEMA}.state SET content = gen_random_uuid(), changes = changes + 1, changed_at = now();
    RETURN NULL;
END $$
"""  # noqa: S608 - a constant
MIGRATIONS: dict[int, Callable[[sa.Connection], None]] = {}
"""What brings the version before to each version."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a database holds.

    Attributes
    ----------
    name : str
        Another one after every statement that writes to a table of data, by whatever program.
    changes : int
        How many there were.
    """

    name: str
    changes: int


def content_of(server: Server, connection: sa.Connection) -> Content:
    """Name what the database holds, after checking its version.

    Raises
    ------
    MissingData
        Nothing was loaded yet.
    DataError
        Another version.
    """
    version = _version(server, connection)
    if version is None:
        raise MissingData(f"{server} holds no market data; load it: python run.py data load DIR --to URL")
    if version < VERSION:
        raise DataError(
            f"{server} has version {version} of the schema, and {VERSION} is needed; load once, which migrates it: "
            "python run.py data load DIR --to URL"
        )
    name, changes = connection.execute(sa.select(state.c.content, state.c.changes)).one()
    return Content(str(name), int(changes))


def prepare(server: Server, connection: sa.Connection) -> None:
    """Take the lock of the only load; make the schema, or migrate it.

    Raises
    ------
    DataError
        A later version, or tables of another program.
    """
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
    found = _version(server, connection)
    if found is None:
        _create(connection)
        return
    for version in range(found + 1, VERSION + 1):
        MIGRATIONS[version](connection)
        connection.execute(state.update().values(version=version))


def _version(server: Server, connection: sa.Connection) -> int | None:
    there = sa.text("SELECT to_regclass(:name) IS NOT NULL, to_regnamespace(:schema) IS NOT NULL")
    known, schema = connection.execute(there, {"name": f"{SCHEMA}.state", "schema": SCHEMA}).one()
    if not known:
        if (
            schema
            and connection.execute(
                sa.text("SELECT count(*) FROM pg_tables WHERE schemaname = :schema"), {"schema": SCHEMA}
            ).scalar_one()
        ):
            raise DataError(
                f"{server}: schema {SCHEMA} holds tables of another program; name another database"
            )
        return None
    found = connection.execute(sa.select(state.c.version)).scalar_one_or_none()
    if found is None:
        raise DataError(f"{server}: table {SCHEMA}.state is empty; drop the schema and load again")
    if found > VERSION:
        raise DataError(
            f"{server} was written by a later program (version {found} of the schema; this one knows {VERSION}); "
            "update this program"
        )
    return int(found)


def _create(connection: sa.Connection) -> None:
    connection.execute(sa.schema.CreateSchema(SCHEMA, if_not_exists=True))
    metadata.create_all(connection, checkfirst=False)
    connection.execute(state.insert().values(version=VERSION))
    connection.exec_driver_sql(_TRIGGER)
    for table in WATCHED:
        connection.exec_driver_sql(
            f"CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {SCHEMA}.{table.name} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {SCHEMA}.note_change()"
        )
