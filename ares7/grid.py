"""Grids of parameter points: every combination of the values of any fields of a strategy's parameters."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from ares7.config import explain
from ares7.errors import ConfigError
from ares7.search_config import SearchConfig

MANY = 10_000_000
"""Grids with more points than this are run only when they are asked for twice."""
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
            parts = [values[name] for name in group]
            # What is no fraction stays as it is: the field itself says what is wrong with it.
            if not all(isinstance(part, int | float) and part >= 0 for part in parts):
                continue
            total = sum(parts)
            values |= {name: round(values[name] / total, DIGITS) if total else 0.0 for name in group}
        return with_values(base, values)


def with_values(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested settings with dotted fields replaced; nothing of ``base`` is changed.

    A section may be a mapping or a validated model; sections that no field lies in are taken over as they are.
    """
    out = dict(base)
    for name, value in values.items():
        *sections, last = name.split(".")
        node = out
        for section in sections:
            child = node.get(section)
            node[section] = dict(child) if isinstance(child, Mapping | BaseModel) else {}
            node = node[section]
        node[last] = value
    return out


def settings_at(
    grid: Grid, point: int, model: type[BaseModel], base: Mapping[str, Any], strategy: str
) -> BaseModel:
    """Return the validated parameters of a point.

    Parameters
    ----------
    base : mapping
        Of field to value; ``dict(settings)`` is quickest: what no axis changes is then shared by all points.

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
    """Refuse a grid by its axes, before anything of it is run; each value is tried once, not each point.

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
        _require_field(name, model, strategy)
        seen: set[Any] = set()
        for value in values:
            one = repr(value) if isinstance(value, list | dict) else value
            if one in seen:
                raise ConfigError(f"search.grid.{name} names {value!r} twice; a point is counted once")
            seen.add(one)
    for prefix in grid.normalised:
        if not any(name.startswith(prefix + ".") for name in grid.axes):
            raise ConfigError(
                f"search.normalised names {prefix!r}, and no axis of the grid lies below it; its axes are "
                f"{', '.join(grid.axes)}"
            )
    if len(grid) > MANY and not allowed:
        raise ConfigError(
            f"the grid has {len(grid):,} points, more than {MANY:,}; give --yes if that is meant "
            "(docs/guide.md says what it costs)"
        )
    for point in _one_of_each_value(grid):
        settings_at(grid, point, model, base, strategy)


def _require_field(name: str, model: type[BaseModel], strategy: str) -> None:
    known, first = list(model.model_fields), name.split(".", maxsplit=1)[0]
    if first in known:
        return
    near = difflib.get_close_matches(first, [*known, *SearchConfig.model_fields], n=1)
    raise ConfigError(
        f"search.{name}: {first!r} is neither a setting of the search section nor a parameter of {strategy}"
        f"{f'; did you mean {near[0]}?' if near else ''}; its parameters are {', '.join(known)}"
    )


def _one_of_each_value(grid: Grid) -> Iterator[int]:
    """Points in which, together, each axis takes each of its values."""
    step = len(grid)
    for values in grid.axes.values():
        step //= len(values)
        yield from (place * step for place in range(len(values)))
