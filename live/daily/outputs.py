"""The folder of production files: pairs of a CSV and its JSON sidecar, replaced all together or not at all.

A job writes its files into ``.staging``, flushes them, and renames that folder to ``.publishing``: this is the moment
from which the new files count. Then each file is renamed into place. Whoever is killed before that moment leaves the
previous files as they were; whoever is killed after it leaves ``.publishing``, which the next job empties first.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ares7.errors import Ares7Error, DataError
from ares7.run_files import to_json

STAGING, PUBLISHING = ".staging", ".publishing"
SCHEMA = 1
"""Version of the sidecars; raise it whenever a field changes its meaning."""
AGAIN = "run 'python run.py daily' again"


def sidecar_path(path: Path) -> Path:
    """Where the sidecar of a CSV lies."""
    return path.with_suffix(".json")


def csv_bytes(columns: Mapping[str, Iterable[Any]]) -> bytes:
    """Columns of plain Python values as CSV; floats by repr, which reads back exactly."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue().encode()


def sha256(path: Path) -> str:
    """Hash of a file (hex).

    Raises
    ------
    DataError
        It cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}; correct its permissions"
        ) from None


def read_sidecar(path: Path) -> dict[str, Any] | None:
    """Sidecar of a CSV, after making sure that the two belong together.

    Parameters
    ----------
    path : Path
        The CSV.

    Returns
    -------
    dict or None
        None where there is none of ours.

    Raises
    ------
    DataError
        The sidecar is damaged, or the CSV is not the one that it was written for.
    """
    beside = sidecar_path(path)
    waiting = path.parent / PUBLISHING / beside.name
    if waiting.is_file():  # its CSV is in place already, and it is the next to be
        beside = waiting
    try:
        found = json.loads(beside.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DataError(f"{beside} is no readable JSON ({error}); {AGAIN}, or remove it") from None
    if not isinstance(found, dict) or "schema" not in found:
        return None
    if found["schema"] != SCHEMA:
        raise DataError(f"{beside} has schema {found['schema']!r}; this version reads {SCHEMA}; {AGAIN}")
    if found.get("sha256") != sha256(path):
        raise DataError(
            f"{path.name} and {beside.name} in {path.parent} do not belong together: the sha256 differs, because one "
            f"of them was edited or replaced alone; {AGAIN}"
        )
    return found


class Outputs:
    """The folder of production files.

    Only one process may stage at a time (`live.daily.lock`). `find` sees what this object has staged, then what a
    killed job left to publish, then what is in place.

    Parameters
    ----------
    folder : Path
        Made by `recover` if need be.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._staged: list[str] = []

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Ares7Error(
                f"output folder {self.folder} cannot be written: {error.strerror or error}; nothing was replaced; "
                "free space or allow writing there, or name another folder with --set daily.outputs=DIR"
            ) from None

    def recover(self) -> list[str]:
        """Finish what a killed job had begun to publish; drop what it had only staged.

        Returns
        -------
        list of str
            Files that were put into place.
        """
        with self._writing():
            self.folder.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(self.folder / STAGING, ignore_errors=True)
            return self._put_in_place()

    def stage(self, name: str, content: bytes, sidecar: Mapping[str, Any]) -> Path:
        """Write a CSV and its sidecar where no reader looks yet.

        Parameters
        ----------
        name : str
            Of the CSV.
        content : bytes
        sidecar : mapping
            JSON values; schema, name and hash of the CSV are added.

        Returns
        -------
        Path
            Where the CSV will be.
        """
        known = {"schema": SCHEMA, "file": name, "sha256": hashlib.sha256(content).hexdigest()}
        with self._writing():
            staging = self.folder / STAGING
            staging.mkdir(exist_ok=True)
            _write(staging / name, content)
            _write(sidecar_path(staging / name), to_json({**sidecar, **known}).encode())
        self._staged.append(name)
        return self.folder / name

    def find(self, name: str) -> Path:
        """Path to read a file from; that of its place where it is nowhere."""
        places = [self.folder / PUBLISHING / name, self.folder / name]
        if name in self._staged:
            places.insert(0, self.folder / STAGING / name)
        return next((path for path in places if path.is_file()), places[-1])

    def publish(self) -> list[Path]:
        """Let everything staged take effect at once; returns the CSVs."""
        with self._writing():
            if self._staged:
                _flush(self.folder / STAGING)
                (self.folder / STAGING).rename(self.folder / PUBLISHING)
                self._put_in_place()
        made = [self.folder / name for name in self._staged]
        self._staged.clear()
        return made

    def discard(self) -> None:
        """Drop what is staged."""
        self._staged.clear()
        shutil.rmtree(self.folder / STAGING, ignore_errors=True)

    def _put_in_place(self) -> list[str]:
        publishing = self.folder / PUBLISHING
        if not publishing.is_dir():
            return []
        names = sorted(path.name for path in publishing.iterdir())
        for name in names:
            (publishing / name).replace(self.folder / name)
        _flush(self.folder)
        publishing.rmdir()
        return names


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
