"""One writer a journal: locks that end with their holder, however it ends."""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path

import sqlalchemy as sa

from live.journal.failures import JournalInUse, JournalUnavailable
from live.journal.place import Place


def lock_file(path: Path) -> int:
    """Lock the file beside a SQLite journal; return its descriptor, whose closing gives the lock back.

    Raises
    ------
    JournalInUse, JournalUnavailable
    """
    name = path.with_name(path.name + ".lock")
    try:
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unlockable(name, error) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    except BlockingIOError:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace") or "not known yet"
        os.close(descriptor)
        raise in_use(f"journal {path}", f"process {holder}") from None
    except OSError as error:
        os.close(descriptor)
        raise _unlockable(name, error) from None
    # The file stays: removing it would let two writers lock two files of one name.
    return descriptor


def lock_server(connection: sa.Connection, place: Place) -> None:
    """Take the advisory lock of a PostgreSQL journal; it ends with the session of this connection.

    Raises
    ------
    JournalInUse
    """
    key = lock_key(place)
    if not connection.execute(sa.select(sa.func.pg_try_advisory_lock(key))).scalar_one():
        holder = connection.execute(
            sa.text(
                "SELECT a.application_name || ', server process ' || l.pid FROM pg_locks l "
                "JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.granted "
                "AND (l.classid::bigint << 32 | l.objid::bigint) = :key LIMIT 1"
            ),
            {"key": key},
        ).scalar()
        raise in_use(str(place), holder or "not known")


def lock_key(place: Place) -> int:
    """63-bit number of a schema; advisory locks are apart for every database already."""
    return int.from_bytes(hashlib.sha256(f"writer of {place.schema}".encode()).digest()[:8]) >> 1


def in_use(where: str, holder: str) -> JournalInUse:
    """Another process writes this journal."""
    return JournalInUse(
        f"{where} is written by another runner ({holder}); one runner an account: stop it, or wait until it has ended"
    )


def _unlockable(name: Path, error: OSError) -> JournalUnavailable:
    return JournalUnavailable(
        f"journal lock {name} cannot be taken: {error.strerror or error}; use a folder on a local disk that this "
        "user may write"
    )
