"""Grids of parameter points: every combination of the values of any fields of a strategy's parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from ares7.config import explain
from ares7.errors import ConfigError
from ares7.trials_records import params_hash

MANY = 10_000_000
"""Grids with more points than this are run only when they are asked for twice."""
CHECKED = 100_000
"""Up to this many points, every one is validated before the first is run; of larger grids, every value."""
DIGITS = 12
"""Decimals of a normalised fraction: .6 / .9 and .8 / 1.2 are the same mix."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The cartesian product of some axes, the last axis changing fastest.

    Attributes
    ----------
    name : str
    axes : mapping of dotted field to tuple of values
        Fields of the strategy's parameters.
    normalised : tuple of str
        Dotted prefixes; the axes below each of them are fractions, rescaled to sum to 1 at every point.
    """

    name: str
    axes: Mapping[str, tuple[Any, ...]]
    normalised: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return math.prod(len(values) for values in self.axes.values())

    def values(self, point: int) -> dict[str, Any]:
        """Return the value of each axis at a point, as they were asked for, before they are normalised."""
        out: dict[str, Any] = {}
        for name, choices in reversed(list(self.axes.items())):
            point, place = divmod(point, len(choices))
            out[name] = choices[place]
        return {name: out[name] for name in self.axes}

    def params(self, point: int, base: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a point: ``base`` with the axes' values in their places."""
        values = self.values(point)
        for prefix in self.normalised:
            group = [name for name in values if name.startswith(prefix + ".")]
            total = sum(values[name] for name in group)
            values |= {name: round(values[name] / total, DIGITS) if total else 0.0 for name in group}
        return with_values(base, values)


def with_values(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested settings with dotted fields replaced; nothing of ``base`` is changed."""
    out = dict(base)
    for name, value in values.items():
        *sections, last = name.split(".")
        node = out
        for section in sections:
            child = node.get(section)
            node[section] = dict(child) if isinstance(child, Mapping) else {}
            node = node[section]
        node[last] = value
    return out


def settings_at(
    grid: Grid, point: int, model: type[BaseModel], base: Mapping[str, Any], strategy: str
) -> BaseModel:
    """Return the validated parameters of a point.

    Raises
    ------
    ConfigError
        Naming the point's values and what is wrong with them.
    """
    try:
        return model.model_validate(grid.params(point, base))
    except ValidationError as error:
        shown = ", ".join(f"{name}={value}" for name, value in grid.values(point).items())
        raise ConfigError(
            f"{explain(error, f'grid point {point} ({shown}) of {strategy}')}; correct search.grid"
        ) from None


def require_usable(
    grid: Grid, model: type[BaseModel], base: Mapping[str, Any], strategy: str, *, allowed: bool
) -> None:
    """Refuse a grid before anything of it is run.

    Parameters
    ----------
    allowed : bool
        More than `MANY` points are wanted.

    Raises
    ------
    ConfigError
        No points, an axis without values or given twice, too many points, a field that does not exist, a value
        outside its limits.
    """
    empty = [name for name, values in grid.axes.items() if not values]
    if not grid.axes or empty:
        raise ConfigError(
            f"the grid has no points: {f'search.grid.{empty[0]} has no values' if empty else 'no axis is given'}; "
            "name fields and values, for example --set search.quality_momentum.top_frac=0.1,0.2"
        )
    for name, values in grid.axes.items():
        twice = [value for i, value in enumerate(values) if value in values[:i]]
        if twice:
            raise ConfigError(f"search.grid.{name} names {twice[0]!r} twice; a point is counted once")
    if len(grid) > MANY and not allowed:
        raise ConfigError(
            f"the grid has {len(grid):,} points, more than {MANY:,}; give --yes if that is meant "
            "(docs/guide.md says what it costs)"
        )
    for point in _to_check(grid):
        settings_at(grid, point, model, base, strategy)


def _to_check(grid: Grid) -> Iterator[int]:
    if len(grid) <= CHECKED:
        yield from range(len(grid))
        return
    step = len(grid)
    for values in grid.axes.values():
        step //= len(values)
        yield from (place * step for place in range(len(values)))


def distinct(strategy: str, settings: Sequence[BaseModel]) -> tuple[list[str], list[int]]:
    """Find the points whose parameters are the same after normalising.

    Returns
    -------
    hashes : list of P str
        `ares7.trials_records.params_hash` of each point.
    first : list of P int
        Number of the first point with the same parameters.
    """
    hashes = [params_hash(strategy, point.model_dump(mode="json")) for point in settings]
    seen: dict[str, int] = {}
    return hashes, [seen.setdefault(digest, i) for i, digest in enumerate(hashes)]
