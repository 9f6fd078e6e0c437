"""One connection to the database of a journal, its transactions, and its settings for durability."""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ares7.errors import Ares7Error, ConfigError, MissingData
from live.journal.columns import to_json
from live.journal.failures import JournalUnavailable, another_program
from live.journal.lock import lock_file, lock_key, lock_server
from live.journal.place import Place
from live.journal.trouble import KEPT, READ_ONLY, translate

BUSY_S = 10.0
"""How long a statement waits for another one's lock."""
SERVER_OPTIONS = {
    "lock_timeout": "10s",
    "statement_timeout": "60s",
    "synchronous_commit": "on",
    # A holder of the lock whose computer vanished is noticed within a minute.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}


class Database:
    """A connection that is made when it is first used; one statement at a time, from any thread.

    Parameters
    ----------
    place : Place
    writes : bool
        Rows may be added; otherwise the database itself refuses.
    sole : bool
        Take the lock of the only writer, and make the file or schema. A lost connection, and so a lost lock, stays
        lost: open the journal again.

    Raises
    ------
    ConfigError
        The driver of PostgreSQL is not installed.
    """

    def __init__(self, place: Place, *, writes: bool, sole: bool = False) -> None:
        self.place = place
        self._writes, self._sole = writes or sole, sole
        self._mutex = threading.RLock()
        self._connection: sa.Connection | None = None
        self._lock: int | None = None
        self._opened = False
        self._changes = False
        self._engine = self._make_engine()

    @property
    def is_sqlite(self) -> bool:
        """A file, and no server."""
        return self.place.path is not None

    @property
    def is_lost(self) -> bool:
        """The lock of the only writer went with its connection, or was given back: nothing more can be written."""
        return self._sole and self._opened and self._lock is None and self._connection is None

    def _make_engine(self) -> sa.Engine:
        shared: dict[str, Any] = {"poolclass": sa.pool.NullPool, "json_serializer": to_json}
        if self.is_sqlite:
            engine = sa.create_engine("sqlite://", creator=self._open_file, **shared)
            sa.event.listen(engine, "begin", self._begin)
            return engine
        options = {**SERVER_OPTIONS, "search_path": self.place.schema}
        if not self._writes:
            options["default_transaction_read_only"] = "on"
        arguments = {
            "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
            "connect_timeout": 10,
            "application_name": f"ares7 {self.place.mode} on {socket.gethostname()} pid {os.getpid()}",
        }
        try:
            return sa.create_engine(self.place.url, connect_args=arguments, **shared)
        except ImportError:
            raise ConfigError(
                f'{self.place} needs the driver psycopg; install it: pip install -e ".[postgres]"'
            ) from None

    # SQLite

    def _begin(self, connection: sa.Connection) -> None:
        # A transaction that turns from reading to writing could not wait for another writer.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if self._changes else "BEGIN")

    def _open_file(self) -> sqlite3.Connection:
        path = self.place.path
        if self._writes and path is not None and not os.access(path, os.W_OK, effective_ids=True):
            # SQLite would open it for reading, and fail at the first order.
            raise JournalUnavailable(f"{self.place}: {READ_ONLY}")
        name = urllib.parse.quote(str(path))
        opened = sqlite3.connect(
            f"file:{name}?mode={'rw' if self._writes else 'ro'}",
            uri=True,
            timeout=BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            if self._writes:
                self._check_ours(opened)
                journal = opened.execute("PRAGMA journal_mode = WAL").fetchone()[0]
                if journal != "wal":
                    raise JournalUnavailable(
                        f"{self.place}: this file system has no write-ahead log ({journal}); use a local disk"
                    )
                opened.execute("PRAGMA synchronous = FULL")
                opened.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            opened.close()
            raise
        return opened

    def _check_ours(self, opened: sqlite3.Connection) -> None:
        """Look before the first setting is written: it would change the file of another program."""
        tables = {name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if tables and "schema_versions" not in tables:
            raise another_program(self.place)

    def _claim_file(self, path: Path) -> None:
        """Lock the journal, and make its folder and an empty file that nobody else may read.

        SQLite gives its log the rights of the file. A file that exists is not opened here: closing it would take
        from a connection of this process the locks that SQLite holds on it.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = lock_file(path)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            pass
        except OSError as error:
            raise JournalUnavailable(f"{self.place}: {READ_ONLY} ({error.strerror or error})") from None

    # Connection

    def open(self) -> None:
        """Connect; with ``sole`` take the lock.

        Raises
        ------
        JournalInUse, JournalUnavailable, JournalDamaged
        """
        try:
            with self._mutex, self._translated():
                self._connected()
        except BaseException:
            self.close()
            raise

    def _connected(self) -> sa.Connection:
        if self._connection is not None:
            return self._connection
        path = self.place.path
        if self._sole:
            # A file is locked apart from its connection, so its writer may go on after a full disk.
            if self.is_lost:
                why = "the connection to the server was lost" if path is None else "it was closed"
                raise JournalUnavailable(
                    f"{self.place}: {why}, and with it the lock of the only writer; start again; {KEPT}"
                )
            if path is not None and not self._opened:
                self._claim_file(path)
            self._opened = True
        elif path is not None and not path.exists():
            raise MissingData(
                f"{self.place} is not there; the runner makes it at its first start in this mode"
            )
        self._connection = self._engine.connect()
        if path is None:
            self._prepare_server(self._connection)
        return self._connection

    def _prepare_server(self, connection: sa.Connection) -> None:
        with connection.begin():
            if self._sole:
                lock_server(connection, self.place)
            if self._writes and connection.exec_driver_sql("SHOW fsync").scalar_one() != "on":
                raise JournalUnavailable(
                    f"{self.place}: the server runs with fsync off, so a power cut loses orders; switch it on"
                )

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Ask: a view of the journal at one moment, which waits for no writer.

        Raises
        ------
        JournalUnavailable, JournalDamaged
        """
        with self._block(changes=False) as connection:
            yield connection

    @contextmanager
    def appending(self) -> Iterator[sa.Connection]:
        """Add rows, whatever others add; they are on disk when the block has ended, or none of them is.

        Raises
        ------
        JournalUnavailable, JournalDamaged, RowRefused
        """
        with self._block(changes=True) as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Check and then add rows: what was checked stays true until the block ends. Errors as `appending`."""
        with self._block(changes=True) as connection:
            if not self.is_sqlite:
                # As in SQLite anyway: one at a time.
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock_key(self.place) - 1)))
            yield connection

    @contextmanager
    def _block(self, *, changes: bool) -> Iterator[sa.Connection]:
        with self._mutex, self._translated():
            connection = self._connected()
            if connection.in_transaction():
                raise JournalUnavailable(
                    f"{self.place}: it was called from within one of its own transactions (by a signal handler?)"
                )
            self._changes = changes
            with connection.begin():
                yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            failed = translate(error, self.place)
            # A server that refused one statement still holds our lock; a file is better opened anew.
            if error.connection_invalidated or (self.is_sqlite and isinstance(failed, JournalUnavailable)):
                self._drop()
            raise failed from None
        except SQLAlchemyError as error:
            refused = getattr(error, "orig", None)
            if isinstance(refused, Ares7Error):
                # A value that was refused on its way to the database.
                raise refused from None
            self._drop()
            raise JournalUnavailable(f"{self.place}: {str(error).splitlines()[0]}; start again") from None

    def _drop(self) -> None:
        """Forget a connection that failed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.invalidate()
                connection.close()

    def close(self) -> None:
        """Disconnect and give the lock back; safe to call again."""
        with self._mutex:
            connection, self._connection = self._connection, None
            if connection is not None:
                with suppress(SQLAlchemyError):
                    connection.close()
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None
