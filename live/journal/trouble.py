"""Errors of the two databases, said in one way: what, where, remedy."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError

from ares7.errors import Ares7Error
from live.journal.failures import JournalDamaged, JournalUnavailable, RowRefused

KEPT = "what it confirmed before is kept"
FULL = f"its disk is full; free space there, {KEPT}"
READ_ONLY = "it cannot be written; allow this user to write the file and its folder, or name another place"
BUSY = "another program holds it locked; close that program, then try again"
GONE = f"the server does not answer; start it, check host, port and login, then start again; {KEPT}"
DAMAGED = "it is damaged; keep the file, restore the latest copy, or recover it with: sqlite3 FILE .recover"

SQLITE = {
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_IOERR: f"its disk does not read or write (is it full or gone?); {KEPT}",
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_PERM: READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that the folder is there and may be written",
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
}
POSTGRESQL = {
    "53100": FULL,
    "25006": "the server takes no writes (a standby, or read-only); name the primary server",
    "42501": "the database user may not do this; grant CREATE on the database to who makes a journal, SELECT and "
    "INSERT on its tables and USAGE on its sequences to who uses it",
    "55P03": BUSY,
    "57014": "the server was too slow and the statement was cancelled; look at its load and its locks",
}


def translate(error: DBAPIError, where: object) -> Ares7Error:
    """Return the error to raise instead of one of a database.

    Parameters
    ----------
    error : DBAPIError
    where : object
        Its text names the journal.

    Returns
    -------
    JournalDamaged, RowRefused or JournalUnavailable
    """
    original = error.orig
    text = " ".join(str(original).split())
    if isinstance(original, sqlite3.Error):
        return _sqlite(original, text, where)
    state = str(getattr(original, "sqlstate", None) or "")
    if state[:2] in ("22", "23"):
        return RowRefused(f"{where} refuses a row: {text}")
    if state in ("XX001", "XX002"):
        return JournalDamaged(f"{where}: the database is damaged ({text}); restore the latest copy")
    return JournalUnavailable(f"{where}: {POSTGRESQL.get(state, GONE)} ({state or 'no answer'}: {text})")


def _sqlite(original: sqlite3.Error, text: str, where: object) -> Ares7Error:
    code = getattr(original, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return JournalDamaged(f"{where}: {DAMAGED} ({text})")
    if code in (sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG):
        return RowRefused(f"{where} refuses a row: {text}")
    return JournalUnavailable(f"{where}: {SQLITE.get(code, 'the database reports an error')} ({text})")
