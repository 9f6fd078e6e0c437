"""One monitor a folder: two would tell everything twice."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ares7.errors import Ares7Error, ConfigError
from live.alerts.outbox import FILE


@contextmanager
def sole(folder: Path) -> Iterator[None]:
    """Hold the lock of the outbox of a folder; the kernel gives it back when the process ends, however it ends.

    Raises
    ------
    ConfigError
        Another monitor holds it.
    Ares7Error
        The folder cannot be written.
    """
    path = folder / f"{FILE}.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Ares7Error(
            f"{path} cannot be written: {error.strerror or error}; allow writing there, or name another halt.folder"
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace") or "not known yet"
            raise ConfigError(
                f"another monitor (process {holder}) watches {folder}; one is enough: stop it, or name another "
                "halt.folder"
            ) from None
        except OSError as error:
            raise Ares7Error(
                f"{path} cannot be locked: {error.strerror or error}; use a local disk"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        # The file stays: removing it would let two monitors lock two files of one name.
        os.close(descriptor)
