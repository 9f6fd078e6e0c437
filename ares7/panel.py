"""The Panel: everything a strategy may know, as dates x symbols arrays on exchange sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ares7.arrays import Bool1D, Bool2D, Dates, Float1D, Float2D, Int1D
from ares7.errors import ConfigError, MissingData

PRICE_FIELDS = ("open", "high", "low", "close")
"""Total-return prices (rulings 1). ``price`` is the split-adjusted traded close."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Market data aligned on exchange sessions.

    Attributes
    ----------
    dates : (T,) datetime64[D]
        Exchange sessions, strictly increasing, without holes.
    symbols : tuple of N str
        Column names, sorted in a loaded panel.
    fields : mapping of str to (T, N) float64
        ``open high low close`` in total-return USD, ``price`` in split-adjusted traded USD, ``volume`` in
        shares, and any point-in-time field (``roe``, ``de``, ...) already at its session of visibility.
        NaN where a name has no bar, or a field no visible value.
    series : mapping of str to (T,) float64
        Inputs that are not traded, by role: ``index`` and ``vix`` closes.
    is_stock : (N,) bool
        False for exchange-traded funds.
    member : (T, N) bool
        Point-in-time universe membership; true for funds.
    month_end, week_end : (T,) bool
        Last session of the calendar month or week, from the exchange calendar.
    start : datetime64[D] or None
        First session on which a strategy decides (rulings 2); None means the first row.
    provenance : mapping
        Where the data came from: files, hashes, ``synthetic`` flag, counts of warnings.
    """

    dates: Dates
    symbols: tuple[str, ...]
    fields: Mapping[str, Float2D]
    series: Mapping[str, Float1D]
    is_stock: Bool1D
    member: Bool2D
    month_end: Bool1D
    week_end: Bool1D
    start: np.datetime64 | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = (len(self.dates), len(self.symbols))
        for name, values in [*self.fields.items(), ("member", self.member)]:
            if values.shape != shape:
                raise ConfigError(f"panel field {name!r} has shape {values.shape}; expected {shape}")
        for name, row in [*self.series.items(), ("month_end", self.month_end), ("week_end", self.week_end)]:
            if row.shape != shape[:1]:
                raise ConfigError(f"panel series {name!r} has shape {row.shape}; expected {shape[:1]}")

    @property
    def shape(self) -> tuple[int, int]:
        """(T, N)."""
        return len(self.dates), len(self.symbols)

    @property
    def bar(self) -> Bool2D:
        """(T, N) bool: the name has a bar in that session."""
        return np.isfinite(self.fields["close"])

    @property
    def start_row(self) -> int:
        """Row of the first decision; 0 when ``start`` is unset or lies before the first row."""
        return 0 if self.start is None else int(np.searchsorted(self.dates, self.start))

    @property
    def symbol_rank(self) -> Int1D:
        """(N,) int64: rank of each column's symbol in alphabetical order; breaks ties (C4)."""
        rank = np.empty(len(self.symbols), dtype=np.int64)
        rank[np.argsort(np.array(self.symbols))] = np.arange(len(self.symbols))
        return rank

    def field(self, name: str) -> Float2D:
        """Return a (T, N) field, or raise `MissingData` with the names that exist."""
        try:
            return self.fields[name]
        except KeyError:
            raise MissingData(
                f"panel has no field {name!r}; it has {sorted(self.fields)}; add the file that carries it"
            ) from None

    def signal(self, name: str) -> Float1D:
        """Return a (T,) series by role, or raise `MissingData` with the roles that exist."""
        try:
            return self.series[name]
        except KeyError:
            raise MissingData(
                f"panel has no series {name!r}; it has {sorted(self.series)}; "
                f"name its symbol in config data.{name}"
            ) from None

    def rows(self, first: int, stop: int) -> Panel:
        """Rows ``first`` to ``stop`` (exclusive), as views."""
        cut = slice(first, stop)
        return replace(
            self,
            dates=self.dates[cut],
            fields={k: v[cut] for k, v in self.fields.items()},
            series={k: v[cut] for k, v in self.series.items()},
            member=self.member[cut],
            month_end=self.month_end[cut],
            week_end=self.week_end[cut],
        )

    def upto(self, t: int) -> Panel:
        """Rows 0 to ``t``, inclusive: what was known at close t."""
        return self.rows(0, t + 1)

    def last(self, n: int) -> Panel:
        """The last ``n`` rows: what live trading holds in memory."""
        return self.rows(max(0, len(self.dates) - n), len(self.dates))

    def columns(self, order: Sequence[int] | Int1D) -> Panel:
        """Return a panel with the columns at ``order``, C-ordered copies."""
        index = np.asarray(order, dtype=np.int64)
        return replace(
            self,
            symbols=tuple(self.symbols[i] for i in index),
            fields={k: np.ascontiguousarray(v[:, index]) for k, v in self.fields.items()},
            is_stock=self.is_stock[index],
            member=np.ascontiguousarray(self.member[:, index]),
        )

    def starting(self, start: np.datetime64 | None) -> Panel:
        """Return the same data with another first decision session."""
        return replace(self, start=start)
