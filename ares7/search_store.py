"""Curves of a search on disk while it runs: what is finished survives whatever ends the process."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np

from ares7.arrays import AnyArray, Bool1D, Float2D, Int1D
from ares7.batch import Curves
from ares7.errors import DataError

META = "search.json"
FIELDS = ("turnover", "fees", "fills", "exact")
"""Columns of ``totals.npy``."""
SPARE = 256 * 2**20
"""Bytes that must stay free on the disk."""


class CurveStore:
    """Equity curves and totals of the distinct points of one search, memory-mapped.

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
        The curves do not fit on the disk, or the folder cannot be written.
    """

    def __init__(self, folder: Path, digest: str, points: int, sessions: int) -> None:
        self.folder = folder
        meta: dict[str, str | int] = {"digest": digest, "points": points, "sessions": sessions}
        try:
            if self._found() != meta:
                self._make(meta)
            self.nav: Float2D = self._open("curves.npy", (points, sessions))
            self.totals: Float2D = self._open("totals.npy", (points, len(FIELDS)))
            self._done: AnyArray = self._open("done.npy", (points,))
        except OSError as error:
            raise DataError(
                f"curves of {points:,} points x {sessions:,} sessions cannot be kept in {folder}: "
                f"{error.strerror or error}; free space, or name another folder with --set data.cache=DIR"
            ) from None

    def _found(self) -> object:
        try:
            return json.loads((self.folder / META).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def _make(self, meta: dict[str, str | int]) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        points, sessions = int(meta["points"]), int(meta["sessions"])
        needed, free = 8 * points * (sessions + len(FIELDS)) + SPARE, shutil.disk_usage(self.folder).free
        if needed > free:
            raise OSError(0, f"{needed / 2**30:.1f} GiB are needed and {free / 2**30:.1f} GiB are free")
        shapes = {
            "curves.npy": (points, sessions),
            "totals.npy": (points, len(FIELDS)),
            "done.npy": (points,),
        }
        for name, shape in shapes.items():
            np.lib.format.open_memmap(self.folder / name, mode="w+", dtype=np.float64, shape=shape).flush()
        (self.folder / META).write_text(json.dumps(meta), encoding="utf-8")

    def _open(self, name: str, shape: tuple[int, ...]) -> AnyArray:
        mapped = np.lib.format.open_memmap(self.folder / name, mode="r+")
        if mapped.shape != shape or mapped.dtype != np.float64:
            raise OSError(0, f"{name} holds {mapped.dtype} {mapped.shape}; delete {self.folder}")
        return mapped

    @property
    def done(self) -> Bool1D:
        """(P,) bool: the point's curve is complete."""
        return np.asarray(self._done == 1.0)

    def keep(self, points: Int1D, curves: Curves) -> None:
        """Write finished points down; they count as done only once they are on the disk."""
        self.nav[points] = curves.nav
        for column, name in enumerate(FIELDS):
            self.totals[points, column] = getattr(curves, name)
        for mapped in (self.nav, self.totals):
            mapped.flush()  # type: ignore[attr-defined]
        self._done[points] = 1.0
        self._done.flush()  # type: ignore[attr-defined]

    def curves(self, points: Int1D) -> Curves:
        """Read points back."""
        turnover, fees, fills, exact = self.totals[points].T
        return Curves(np.asarray(self.nav[points]), turnover, fees, fills, exact > 0)

    def remove(self) -> None:
        """Delete the files: the result is elsewhere by now."""
        del self.nav, self.totals, self._done
        shutil.rmtree(self.folder, ignore_errors=True)


def prune(folder: Path, keep: int) -> None:
    """Remove all but the ``keep`` newest searches that were left unfinished."""
    try:
        found = sorted((p for p in folder.iterdir() if p.is_dir()), key=os.path.getmtime)
    except OSError:
        return
    for old in found[: max(len(found) - keep, 0)]:
        shutil.rmtree(old, ignore_errors=True)
