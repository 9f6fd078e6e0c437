"""Errors of the server, said in one way: what, where, remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ares7.errors import Ares7Error, ConfigError, DataError, MissingData, ServiceUnavailable

GONE = "the server does not answer, or refuses the login; start it, check host, port, user and password (PGPASSWORD or "
GONE += "~/.pgpass), then run the command again; a load that was interrupted wrote all or nothing"
LOAD = "python run.py data load DIR --to URL"
STATES: dict[str, tuple[type[Ares7Error], str]] = {
    "53100": (
        ServiceUnavailable,
        "its disk is full; free space there and run the command again; nothing was written",
    ),
    "25006": (ServiceUnavailable, "it takes no writes (a standby, or read-only); name the primary server"),
    "42501": (
        ConfigError,
        "the database user may not do this; a load needs CREATE on the database, or to own the schema ares7_data; to "
        "read, see: python run.py data role NAME",
    ),
    "55P03": (ServiceUnavailable, "another program holds it locked; try again when that has ended"),
    "57014": (
        ServiceUnavailable,
        "it was too slow and the statement was cancelled; look at its load and its locks",
    ),
    "42P01": (MissingData, f"a table of ares7_data is missing; drop the schema and load again: {LOAD}"),
    "42703": (MissingData, f"a column of ares7_data is missing; drop the schema and load again: {LOAD}"),
    "22P05": (DataError, "a text cannot be written in the database's encoding; make the database with UTF8"),
}


def translate(error: Exception, where: object) -> Ares7Error:
    """Return the error to raise instead of one of the driver.

    Parameters
    ----------
    error : Exception
        Of psycopg.
    where : object
        Its text names the database, without a password.
    """
    state = str(getattr(error, "sqlstate", None) or "")
    text = " ".join(str(error).split())[:300]
    kind, what = STATES.get(state) or _by_class(state[:2])
    return kind(f"{where}: {what} ({state or 'no answer'}: {text})")


def _by_class(state: str) -> tuple[type[Ares7Error], str]:
    if state in ("22", "23"):
        return DataError, "it refuses a value; correct the file"
    # Connection, login, name of the database, shutdown.
    if state in ("", "08", "28", "3D", "57"):
        return ServiceUnavailable, GONE
    return ServiceUnavailable, "it reports an error; nothing was written; look at its log"


@contextmanager
def translated(where: object) -> Iterator[None]:
    """Raise errors of the driver as ours.

    Raises
    ------
    ServiceUnavailable, ConfigError, DataError
    """
    import psycopg
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    try:
        yield
    except DBAPIError as error:
        raise translate(error.orig if isinstance(error.orig, Exception) else error, where) from None
    except psycopg.Error as error:
        raise translate(error, where) from None
    except SQLAlchemyError as error:
        raise ServiceUnavailable(f"{where}: {str(error).splitlines()[0]}; run the command again") from None
