"""Curves of a search on disk while it runs: what is finished survives whatever ends the process."""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ares7.arrays import AnyArray, Bool1D, Float1D, Float2D, Int1D
from ares7.batch import Curves
from ares7.errors import DataError

META = "search.json"
FIELDS = ("turnover", "fees", "fills", "exact")
"""Columns of ``totals.npy``."""
SPARE = 256 * 2**20
"""Bytes that must stay free on the disk."""


class CurveStore:
    """Equity curves and totals of the distinct points of one search.

    They are written as plain files, so that a full disk is an error and not the end of the process, and read
    memory-mapped. Each has a checksum, without which it does not count.

    Parameters
    ----------
    folder : Path
        Made if need be. What it holds of the same search is kept: `done` says which points.
    digest : str
        Identifies the search: data, settings, code and points.
    points, sessions : int

    Raises
    ------
    DataError
        Here and by every method: the curves do not fit on the disk, or the folder cannot be written.
    """

    def __init__(self, folder: Path, digest: str, points: int, sessions: int) -> None:
        self.folder, self._shape = folder, (points, sessions)
        meta: dict[str, str | int] = {"digest": digest, "points": points, "sessions": sessions}
        shapes = {"curves": (points, sessions), "totals": (points, len(FIELDS)), "done": (points,)}
        with self._writing():
            mapped = self._found(meta, shapes)
            if mapped is None:
                self._make(meta, shapes)
                mapped = self._mapped(shapes)
            self._read = mapped
            self._files: dict[str, Any] = {name: self._path(name).open("r+b") for name in shapes}

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npy"

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            points, sessions = self._shape
            raise DataError(
                f"curves of {points:,} points x {sessions:,} sessions cannot be kept in {self.folder}: "
                f"{error.strerror or error}; free space, or name another folder with --set data.cache=DIR"
            ) from None

    def _found(self, meta: object, shapes: dict[str, tuple[int, ...]]) -> dict[str, Any] | None:
        """Return the files of this search if they are there and whole."""
        try:
            same = json.loads((self.folder / META).read_text(encoding="utf-8")) == meta
            return self._mapped(shapes) if same else None
        except (OSError, ValueError):
            return None

    def _make(self, meta: dict[str, str | int], shapes: dict[str, tuple[int, ...]]) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        needed = sum(8 * int(np.prod(shape)) for shape in shapes.values()) + SPARE
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise OSError(0, f"{needed / 2**30:.1f} GiB are needed and {free / 2**30:.1f} GiB are free")
        for name, shape in shapes.items():
            # Not written to: the file is as long as it will be and takes no room yet.
            np.lib.format.open_memmap(self._path(name), mode="w+", dtype=np.float64, shape=shape)
        (self.folder / META).write_text(json.dumps(meta), encoding="utf-8")

    def _mapped(self, shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
        mapped = {name: np.lib.format.open_memmap(self._path(name), mode="r") for name in shapes}
        if any(
            mapped[name].shape != shape or mapped[name].dtype != np.float64 for name, shape in shapes.items()
        ):
            raise ValueError(f"{self.folder} holds other arrays than it says")
        return mapped

    @property
    def done(self) -> Bool1D:
        """(P,) bool: the point's curve is there, as it was written."""
        marks = np.asarray(self._read["done"])
        done = marks > 0
        for row in np.flatnonzero(done).tolist():
            done[row] = marks[row] == _mark(self._read["curves"][row], self._read["totals"][row])
        return np.asarray(done)

    @property
    def nav(self) -> Float2D:
        """(P, S) USD, memory-mapped; rows of points that are not done hold nothing."""
        return np.asarray(self._read["curves"])

    def keep(self, points: Int1D, curves: Curves) -> None:
        """Write finished points; a kill after it returns loses nothing of them."""
        totals = np.column_stack([getattr(curves, name) for name in FIELDS]).astype(np.float64)
        nav = np.ascontiguousarray(curves.nav, dtype=np.float64)
        marks = np.array([_mark(*pair) for pair in zip(nav, totals, strict=True)])
        with self._writing():
            self._write("curves", points, nav)
            self._write("totals", points, totals)
            self._write("done", points, marks)

    def _write(self, name: str, points: Int1D, rows: AnyArray) -> None:
        file, mapped = self._files[name], self._read[name]
        width = mapped.strides[0]
        edges = np.flatnonzero(np.diff(points) != 1) + 1
        for part, first in zip(np.split(rows, edges), points[np.append(0, edges)].tolist(), strict=True):
            file.seek(mapped.offset + first * width)
            file.write(part)
        file.flush()

    def curves(self, points: Int1D) -> Curves:
        """Read points back."""
        return self._curves(np.asarray(self.nav[points]), points)

    def all_curves(self) -> Curves:
        """Read every point; the curves stay on the disk and are mapped."""
        return self._curves(self.nav, np.arange(self._shape[0]))

    def _curves(self, nav: Float2D, points: Int1D) -> Curves:
        turnover, fees, fills, exact = np.asarray(self._read["totals"])[points].T
        return Curves(nav, turnover, fees, fills, exact > 0)

    def close(self) -> None:
        """Close the files. Curves that were read stay mapped."""
        for file in self._files.values():
            try:
                file.close()
            except OSError:
                continue

    def remove(self) -> None:
        """Delete the files: the result is elsewhere by now, or there is none. Curves that were read stay mapped."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _mark(nav: Float1D, totals: Float1D) -> float:
    """Checksum of a finished point, above 0: a disk that lost power may hold the mark and not the curve."""
    return 1.0 + zlib.crc32(totals.tobytes(), zlib.crc32(nav.tobytes()))


def prune(folder: Path, keep: int, spare: str) -> None:
    """Remove all but the ``keep`` newest searches that were left unfinished, and the one named ``spare``."""
    try:
        found = sorted((p for p in folder.iterdir() if p.is_dir()), key=os.path.getmtime)
    except OSError:
        return
    others = [path for path in found if path.name != spare]
    for old in others[: max(len(others) - keep, 0)]:
        shutil.rmtree(old, ignore_errors=True)
