"""The points of a grid, read back from the run folder."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ares7.arrays import Bool1D, Float1D, Int1D, Int2D
from ares7.errors import DataError
from ares7.tearsheet_data import REMEDY

_NUMBER, _SAME, _RANK, _SATISFIED = "point", "same_as", "rank", "satisfied"
_CURVE = "curve"
"""Row of curves.npy; of no interest to a reader."""


@dataclass(frozen=True, slots=True)
class Points:
    """Every point of a grid.

    Attributes
    ----------
    axes : mapping of dotted field to tuple of str
        The values of each axis as they are written, in their order.
    place : (P, A) int64
        Which value of each axis a point has.
    number : (P,) int64
    same_as : (P,) int64
        The earlier point that is run instead of it; -1 where a point is run itself.
    figures : mapping of column to (P,) float64
        NaN where a figure is not defined.
    """

    axes: Mapping[str, tuple[str, ...]]
    place: Int2D
    number: Int1D
    same_as: Int1D
    figures: Mapping[str, Float1D]

    @property
    def distinct(self) -> Bool1D:
        """(P,) points that were run themselves."""
        return self.same_as < 0

    @property
    def windows(self) -> list[str]:
        """Names of the out-of-sample windows that have columns."""
        end = "_active_sharpe"
        return [name.removesuffix(end) for name in self.figures if name.endswith(end) and name != end[1:]]

    def row_of(self, number: object) -> int | None:
        """Row of a point by its number; None where there is no such point."""
        if not isinstance(number, int):
            return None
        rows = np.flatnonzero(self.number == number)
        return int(rows[0]) if len(rows) else None

    def column(self, name: str) -> Float1D:
        """Return a figure; NaN throughout where the file does not have it."""
        return self.figures.get(name, np.full(len(self.number), np.nan))

    def known(self, *names: str) -> list[str]:
        """Those of the figures that some point has."""
        return [name for name in names if np.isfinite(self.column(name)).any()]

    def by_rank(self, objective: str) -> Int1D:
        """Rows of the distinct points: those that may be chosen by rank, then the others by the objective."""
        rank, score = self.column(_RANK), self.column(objective)
        order = np.lexsort(
            (
                self.number,
                -np.where(np.isfinite(score), score, -np.inf),
                np.where(np.isfinite(rank), rank, np.inf),
            )
        )
        return order[self.distinct[order]]


def read_points(folder: Path) -> Points:
    """Read ``points.csv`` of a run folder.

    Raises
    ------
    DataError
        Naming what is missing or damaged.
    """
    path = folder / "points.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            for name in (_NUMBER, _SAME, _RANK, _SATISFIED):
                if name not in header:
                    raise _damaged(folder, f"has no column {name!r}")
            return _parsed(folder, header, reader)
    except FileNotFoundError:
        raise _damaged(folder, "is missing") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _damaged(folder, f"cannot be read: {error}") from None


def _damaged(folder: Path, problem: str) -> DataError:
    return DataError(f"run folder {folder}: points.csv {problem}; {REMEDY}")


def _parsed(folder: Path, header: list[str], rows: Iterator[list[str]]) -> Points:
    """Columns of the rows; the axes are the columns between ``same_as`` and ``rank``."""
    last = header.index(_RANK)
    along = [i for i in range(header.index(_SAME) + 1, last) if header[i] != _CURVE]
    others = [header.index(_NUMBER), header.index(_SAME), *range(last, len(header))]
    axes: list[dict[str, int]] = [{} for _ in along]
    places, numbers = [], []
    for line, row in enumerate(rows, 2):
        try:
            values = [row[i] for i in along]
            places.append(
                [axis.setdefault(value, len(axis)) for axis, value in zip(axes, values, strict=True)]
            )
            numbers.append([float(row[i]) if row[i] else np.nan for i in others])
        except (ValueError, IndexError) as error:
            raise _damaged(folder, f"line {line}: {error}") from None
    if not numbers:
        raise _damaged(folder, "holds no point")
    table = np.array(numbers)
    place = np.array(places, dtype=np.int64).reshape(len(places), len(axes))
    labels = [_in_order(tuple(axis)) for axis in axes]
    for a, axis in enumerate(axes):
        place[:, a] = np.array([labels[a].index(value) for value in axis])[place[:, a]]
    return Points(
        axes={header[i]: values for i, values in zip(along, labels, strict=True)},
        place=place,
        number=table[:, 0].astype(np.int64),
        same_as=np.where(np.isfinite(table[:, 1]), table[:, 1], -1).astype(np.int64),
        figures=dict(zip(header[last:], np.ascontiguousarray(table[:, 2:].T), strict=True)),
    )


def _in_order(values: tuple[str, ...]) -> tuple[str, ...]:
    """Numbers ascending; any other values as the grid has them."""
    try:
        return tuple(sorted(values, key=float))
    except ValueError:
        return values
