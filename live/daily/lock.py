"""One job at a time: an advisory lock that the kernel gives back when its holder ends, however it ends."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ares7.errors import Ares7Error, CheckFailed

NAME = ".daily.lock"


@contextmanager
def exclusive(folder: Path, started: str) -> Iterator[None]:
    """Hold the lock of an output folder.

    Parameters
    ----------
    folder : Path
        Made if need be.
    started : str
        Told to whoever comes second.

    Raises
    ------
    CheckFailed
        Another process holds it; the message names its id and when it started.
    Ares7Error
        The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise Ares7Error(
            f"output folder {folder} cannot be written: {error.strerror or error}; allow writing there, or name "
            "another folder with --set daily.outputs=DIR"
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CheckFailed(
                f"another job ({_holder(descriptor)}) works in {folder}; wait until it has ended, or stop it"
            ) from None
        except OSError as error:
            raise Ares7Error(
                f"output folder {folder} cannot be locked: {error.strerror or error}; use a folder on a local disk: "
                "--set daily.outputs=DIR"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "started": started}).encode(), 0)
        yield
    finally:
        # The file stays: removing it would let two jobs lock two files of one name.
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    try:
        told = json.loads(os.pread(descriptor, 1000, 0))
        return f"pid {told['pid']}, started {told['started']}"
    except (ValueError, KeyError, TypeError):
        return "pid not known yet"
