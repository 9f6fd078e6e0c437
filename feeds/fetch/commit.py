"""Several files of a data folder replaced together: a list of what is to happen, then the renames.

A reader that finds the list knows that the files do not belong together yet (`feeds.load.check_path`), and the next
fetch finishes the renames: after a kill at any moment the folder is as before or as after, or says that it is between.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ares7.errors import CheckFailed, ConfigError, DataError
from feeds.fetch.pieces import write_atomically
from feeds.load import PENDING, WORK


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold the lock of a data folder; the kernel gives it back when its holder ends, however it ends.

    Raises
    ------
    CheckFailed
        Another fetch holds it.
    ConfigError
        The folder cannot be written.
    """
    place = folder / WORK
    try:
        place.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(place / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ConfigError(
            f"data folder {folder} cannot be written: {error.strerror or error}; correct it, or name another with --to"
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CheckFailed(
                f"another fetch works in {folder}; wait until it has ended, or stop it"
            ) from None
        yield
    finally:
        os.close(descriptor)


def commit(folder: Path, files: Mapping[str, bytes], remove: tuple[str, ...] = ()) -> None:
    """Replace files of a folder together.

    Parameters
    ----------
    folder : Path
    files : mapping of name to content
    remove : tuple of str
        Names that the new files take the place of.
    """
    stage = folder / WORK / "staged"
    shutil.rmtree(stage, ignore_errors=True)
    for name, content in files.items():
        write_atomically(stage / name, content)
    told = {
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        "remove": list(remove),
    }
    write_atomically(folder / PENDING, json.dumps(told).encode())
    recover(folder)


def recover(folder: Path) -> None:
    """Finish a replacement that was stopped between its renames; does nothing where there is none.

    Raises
    ------
    DataError
        A staged file is neither in its place nor where it waits.
    """
    pending, stage = folder / PENDING, folder / WORK / "staged"
    if not pending.exists():
        shutil.rmtree(stage, ignore_errors=True)
        return
    try:
        told = json.loads(pending.read_text(encoding="utf-8"))
        for name, digest in told["files"].items():
            if (stage / name).exists():
                (stage / name).replace(folder / name)
            elif hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
                raise DataError(
                    f"{folder / name} is not what a stopped fetch was to put there; delete {pending} and fetch again"
                )
        for name in told["remove"]:
            (folder / name).unlink(missing_ok=True)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{folder}: files of a stopped fetch cannot be put in place ({error}); correct the folder, or delete it"
        ) from None
    _flush(folder)
    pending.unlink()
    shutil.rmtree(stage, ignore_errors=True)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
