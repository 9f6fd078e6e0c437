"""The trial ledger's file: its tables, its version, and what is said when it cannot be used.

SQLite in write-ahead mode. Every batch is one transaction that is on the disk when it is reported as
recorded, so a process may be killed at any time; a reader sees whole batches only. Triggers refuse to change
or delete a row, also by ``INSERT OR REPLACE``, from whatever program. Any SQLite client reads it, for example
``sqlite3 trials.db 'SELECT * FROM every_trial'``; ``.schema`` shows the comments below. While a
process has it open, the newest rows lie in ``trials.db-wal``: copy it with ``sqlite3 trials.db '.backup FILE'``.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from ares7.errors import Ares7Error, DataError, ServiceUnavailable

APPLICATION_ID = 0x41375452
"""Marks a SQLite file as a trial ledger ("A7TR"; bytes 68 to 71 of the file)."""
BUSY_SECONDS = 60.0
"""How long to wait while other processes write; a batch of 10^5 trials takes a sixth of it."""
_CACHE_KIB = 65536

_DATA_SETS = """
CREATE TABLE data_sets (
    -- What is searched: one row a market, universe and set of fields.
    id           INTEGER PRIMARY KEY,
    market       TEXT NOT NULL,  -- 'real', or 'synthetic <digest>': two markets never share trials
    universe_key TEXT NOT NULL,  -- kind of universe and hash of its symbols
    fields       TEXT NOT NULL,  -- names of the fields read, sorted, with commas; tells no families apart
    symbols      TEXT NOT NULL,  -- JSON array of the stock symbols, sorted
    UNIQUE (market, universe_key, fields)
)"""
_CONDITIONS = """
CREATE TABLE conditions (
    -- Under what a point is evaluated: numbers, dates, engine and program.
    id            INTEGER PRIMARY KEY,
    data_set      INTEGER NOT NULL REFERENCES data_sets (id),
    first_session TEXT NOT NULL,  -- ISO date of the first return
    last_session  TEXT NOT NULL,  -- ISO date of the last return
    data_hash     TEXT NOT NULL,  -- hash of every number in the panel
    settings_hash TEXT NOT NULL,  -- hash of the engine's settings: costs, account
    code_version  TEXT NOT NULL,  -- version of the program
    UNIQUE (data_set, first_session, last_session, data_hash, settings_hash, code_version),
    CHECK (first_session <= last_session)
)"""
_POINTS = """
CREATE TABLE points (
    -- A parameter point: everything that was chosen about a strategy.
    id          INTEGER PRIMARY KEY,
    params_hash TEXT NOT NULL UNIQUE,  -- hash of strategy and params
    strategy    TEXT NOT NULL,  -- registry name, package.module:Class or path/file.py:Class
    params      TEXT NOT NULL   -- canonical JSON: keys sorted, 1.0 written as 1
)"""
_BATCHES = """
CREATE TABLE batches (
    -- Trials that were recorded together.
    id      INTEGER PRIMARY KEY,
    run     TEXT NOT NULL,  -- run folder or other name of what evaluated them
    purpose TEXT NOT NULL,  -- grid, walkforward, optimize, backtest or cpcv
    created TEXT NOT NULL   -- ISO time, UTC
)"""
_TRIALS = """
CREATE TABLE trials (
    -- A point evaluated under conditions; counted once. A figure that is not defined is NULL.
    -- Returns are fractions, one a session; 'active' is total minus baseline. Nothing is annualised.
    id              INTEGER PRIMARY KEY,  -- rising: a later trial has a greater one
    conditions      INTEGER NOT NULL REFERENCES conditions (id),
    point           INTEGER NOT NULL REFERENCES points (id),
    batch           INTEGER NOT NULL REFERENCES batches (id),
    sessions        INTEGER NOT NULL CHECK (sessions > 0),  -- number of returns
    sharpe          REAL,  -- mean / sd, a session
    mean            REAL,
    sd              REAL,  -- ddof 1
    skew            REAL,
    kurtosis        REAL,  -- not excess: 3 for a normal distribution
    active_sharpe   REAL,
    active_mean     REAL,
    active_sd       REAL,
    active_skew     REAL,
    active_kurtosis REAL,
    nav_ratio       REAL,  -- last NAV over the NAV before the first return
    max_drawdown    REAL,  -- positive fraction of the highest NAV before
    turnover        REAL,  -- one-way, a year
    UNIQUE (conditions, point)
)"""
_WEEKS = """
CREATE TABLE weekly_returns (
    -- Active return of each ISO week, by itself because it is ten times the size of the rest of a trial.
    trial      INTEGER PRIMARY KEY REFERENCES trials (id),
    first_week TEXT NOT NULL,  -- ISO date of the Monday of the first week; the weeks follow without a hole
    active     BLOB NOT NULL CHECK (length(active) % 4 = 0)  -- float32, little-endian; NaN: no session
)"""
_TOUCHED = """
CREATE TABLE touched_windows (
    -- Out-of-sample windows that a selection has looked at: no longer out of sample for what comes after.
    id         INTEGER PRIMARY KEY,
    data_set   INTEGER NOT NULL REFERENCES data_sets (id),
    name       TEXT NOT NULL,
    first_date TEXT NOT NULL,  -- ISO date
    last_date  TEXT NOT NULL,  -- ISO date, inclusive
    run        TEXT NOT NULL,
    reason     TEXT NOT NULL,
    created    TEXT NOT NULL,  -- ISO time, UTC
    UNIQUE (data_set, name, first_date, last_date, run, reason),
    CHECK (first_date <= last_date)
)"""
_VIEW = """
CREATE VIEW every_trial AS  -- a trial a row, with all that belongs to it but the weekly returns
    SELECT t.*, p.strategy, p.params, p.params_hash, c.first_session, c.last_session, c.data_hash,
           c.settings_hash, c.code_version, d.market, d.universe_key, d.fields, b.run, b.purpose, b.created
    FROM trials AS t
    JOIN points AS p ON p.id = t.point
    JOIN conditions AS c ON c.id = t.conditions
    JOIN data_sets AS d ON d.id = c.data_set
    JOIN batches AS b ON b.id = t.batch"""

_TABLES = (_DATA_SETS, _CONDITIONS, _POINTS, _BATCHES, _TRIALS, _WEEKS, _TOUCHED, _VIEW)
_KEYS = {
    "data_sets": ("id", "market universe_key fields"),
    "conditions": ("id", "data_set first_session last_session data_hash settings_hash code_version"),
    "points": ("id", "params_hash"),
    "batches": ("id", ""),
    "trials": ("id", "conditions point"),
    "weekly_returns": ("trial", ""),
    "touched_windows": ("id", "data_set name first_date last_date run reason"),
}


def _append_only(table: str, primary: str, unique: str) -> Iterator[str]:
    """Triggers of a table. A row whose key is there already is left out, so the first one stays.

    BEFORE INSERT comes before conflicts are resolved, so that REPLACE, which fires no delete trigger, finds
    nothing to replace.
    """
    for action in ("UPDATE", "DELETE"):
        yield (
            f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
            "BEGIN SELECT RAISE(ABORT, 'the trial ledger is append-only'); END"
        )
    taken = [
        f"EXISTS (SELECT 1 FROM {table} WHERE "  # noqa: S608 - names from the table above
        + " AND ".join(f"{column} = NEW.{column}" for column in key.split())
        + ")"
        for key in (primary, unique)
        if key
    ]
    yield (
        f"CREATE TRIGGER {table}_first_stays BEFORE INSERT ON {table} "
        f"WHEN {' OR '.join(taken)} BEGIN SELECT RAISE(IGNORE); END"
    )


MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (*_TABLES, *(sql for table, keys in _KEYS.items() for sql in _append_only(table, *keys))),
)
"""Statements that lead from version i to version i + 1. Published ones are never edited; append another."""


def open_ledger(path: Path) -> sqlite3.Connection:
    """Open a ledger, made or brought to the present version if need be; a connection for `failing`.

    Raises
    ------
    DataError
        The file is damaged, no ledger, of a newer version, or cannot be written. It is left as it is.
    ServiceUnavailable
        Another process held it for `BUSY_SECONDS`.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from None
    with failing(path):
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        with failing(path):
            _check_kind(connection, path)
            _write_ahead(connection)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            _migrate(connection, path)
    except Ares7Error:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(
    connection: sqlite3.Connection, lock: Literal["IMMEDIATE", "DEFERRED"] = "IMMEDIATE"
) -> Iterator[None]:
    """Write all of it or none of it, whatever happens inside, an interrupt included; deferred to read only."""
    connection.execute(f"BEGIN {lock}")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextmanager
def failing(path: Path) -> Iterator[None]:
    """Say what is wrong with a ledger that SQLite cannot use, and what to do about it.

    Raises
    ------
    DataError, ServiceUnavailable
        As `open_ledger`.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:  # the caller's mistake, not the file's
            raise
        if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise ServiceUnavailable(
                f"trial ledger {path} was locked by another process for {BUSY_SECONDS:.0f} s; nothing was "
                "recorded; wait for the other run, or end it, and run again"
            ) from None
        raise _unusable(path, str(error), code & 0xFF) from None


_KEEP = "nothing was recorded, nothing that was there is lost"
_REMEDIES = {
    sqlite3.SQLITE_FULL: "free space on that disk and run again",
    sqlite3.SQLITE_IOERR: "free space on that disk, or check the disk, and run again",
    sqlite3.SQLITE_READONLY: "allow writing to the file and its folder, or name another ledger",
    sqlite3.SQLITE_CANTOPEN: "name a file in a folder that can be written: search.ledger, or runs.folder",
    sqlite3.SQLITE_NOTADB: "name another file, or move this one aside",
    sqlite3.SQLITE_CORRUPT: "move it aside, and save its rows with: sqlite3 FILE .recover",
}


def _unusable(path: Path, reason: str, code: int = sqlite3.SQLITE_CANTOPEN) -> DataError:
    remedy = _REMEDIES.get(code, "move it aside; its rows can be read with any SQLite client")
    return DataError(f"trial ledger {path} cannot be used: {reason}; {_KEEP}; {remedy}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _check_kind(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse somebody else's database and a newer ledger before anything is written to it."""
    # Tables first: another process may make the ledger in between, and writes both at once.
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    kind = connection.execute("PRAGMA application_id").fetchone()[0]
    if kind != APPLICATION_ID and (kind or tables):
        raise _unusable(path, "it is a database of another program", sqlite3.SQLITE_NOTADB)
    if _version(connection) > len(MIGRATIONS):
        raise DataError(
            f"trial ledger {path} has version {_version(connection)}, this program knows up to "
            f"{len(MIGRATIONS)}; {_KEEP}; update the program, or name another ledger"
        )


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Set write-ahead mode, which the file keeps; SQLite does not wait for others while it changes over.

    Where the file system cannot do it, SQLite keeps its rollback journal, which is as safe and slower.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    while _version(connection) < len(MIGRATIONS):
        with transaction(connection):
            # Read again: another process may have done it while this one waited.
            _check_kind(connection, path)
            version = _version(connection)
            for statement in MIGRATIONS[version] if version < len(MIGRATIONS) else ():
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {min(version + 1, len(MIGRATIONS))}")
