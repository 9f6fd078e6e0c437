"""A PostgreSQL database as a whole: which modes have a journal there."""

from __future__ import annotations

import sqlalchemy as sa

from live.journal.database import Database
from live.journal.place import Place, parse
from live.journal.rows import MODES


def server_of(url: str) -> Place:
    """Return a PostgreSQL database without a mode: its text names no schema.

    Raises
    ------
    ConfigError
        The URL cannot be read.
    """
    return Place(parse(url, MODES[0]).url, "", None)


def modes_on(url: str) -> set[str]:
    """Return the modes that have a schema in a PostgreSQL database.

    Raises
    ------
    ConfigError, JournalUnavailable
    """
    place = server_of(url)
    by_schema = {Place(place.url, mode, None).schema: mode for mode in MODES}
    names = sa.text("SELECT nspname FROM pg_namespace WHERE nspname IN :names").bindparams(
        sa.bindparam("names", expanding=True)
    )
    database = Database(place, writes=False)
    try:
        with database.reading() as connection:
            return {
                by_schema[name] for name in connection.execute(names, {"names": list(by_schema)}).scalars()
            }
    finally:
        database.close()
