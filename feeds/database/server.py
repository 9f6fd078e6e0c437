"""One connection to a database of market data, and its transactions."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ares7.database_url import DatabasePath, masked
from ares7.errors import ConfigError
from feeds.database.trouble import translated

CONNECT_S = 10
OPTIONS = {
    "lock_timeout": "10s",
    "client_encoding": "UTF8",
    "extra_float_digits": "1",
    "datestyle": "ISO",
    "timezone": "UTC",
}
# A server whose computer vanished is noticed within a minute, also in the middle of a load.
KEEPALIVE = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}


@dataclass(frozen=True, slots=True)
class Server:
    """A database by its URL; nothing is connected yet.

    Parameters
    ----------
    path : DatabasePath
    """

    path: DatabasePath

    def __str__(self) -> str:
        return f"database {masked(self.path.url)}"

    def _engine(self, *, writes: bool) -> sa.Engine:
        options = dict(OPTIONS)
        if not writes:
            options["default_transaction_read_only"] = "on"
        arguments: dict[str, Any] = {
            "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
            "connect_timeout": CONNECT_S,
            "application_name": f"ares7 data on {socket.gethostname()} pid {os.getpid()}",
            **KEEPALIVE,
        }
        url = sa.make_url(self.path.url).set(drivername="postgresql+psycopg")
        try:
            return sa.create_engine(url, connect_args=arguments, poolclass=sa.pool.NullPool)
        except ImportError:
            raise ConfigError(
                f'{self} needs the driver psycopg; install it: pip install -e ".[postgres]"'
            ) from None

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Read: every statement sees the database at the same moment.

        Raises
        ------
        ServiceUnavailable, ConfigError, DataError
        """
        engine = self._engine(writes=False)
        with translated(self), engine.connect() as connection:
            isolated = connection.execution_options(isolation_level="REPEATABLE READ")
            with isolated.begin():
                yield isolated

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Write: everything of the block, or nothing.

        Raises
        ------
        ServiceUnavailable, ConfigError, DataError
        """
        engine = self._engine(writes=True)
        with translated(self), engine.connect() as connection, connection.begin():
            yield connection


def driver(connection: sa.Connection) -> Any:
    """Return psycopg's own connection, which can COPY."""
    return connection.connection.driver_connection
