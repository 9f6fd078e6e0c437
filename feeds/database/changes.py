"""What a load would do to a table: rows that are new, filled, changed, removed or kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ares7.arrays import Bool1D, Int1D
from feeds.database.bars import Bars
from feeds.findings import Finding, Input
from feeds.price_rows import NUMBERS

SHOWN = 10
"""Symbols that a message names."""
INPUTS: dict[str, Input] = {
    "prices": "prices",
    "market": "etfs",
    "fundamentals": "fundamentals",
    "fundamentals_annual": "fundamentals",
    "earnings": "earnings",
    "buybacks": "buybacks",
    "buyback_events": "buybacks",
    "membership": "membership",
    "symbols": "symbols",
}


@dataclass(slots=True)
class Change:
    """What happens to one table.

    Attributes
    ----------
    name : str
    rows : int
        Of the file.
    added, filled, kept : int
        Rows that the database did not have; rows of which an empty cell got a value; rows that the file says nothing
        about.
    changed, removed : Counter of str
        Rows by symbol that would differ from what the database has, and those that a file lacks between the first and
        the last day that it has of the symbol.
    first : str
        The first of them, in words.
    """

    name: str
    rows: int
    added: int = 0
    filled: int = 0
    kept: int = 0
    changed: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    first: str = ""

    @property
    def writes(self) -> bool:
        """Whether anything is written."""
        return bool(self.added or self.filled or self.rewritten)

    @property
    def rewritten(self) -> int:
        """Rows that are changed or removed."""
        return self.changed.total() + self.removed.total()

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of rows, as `feeds.database.tables.load_tables` keeps them."""
        return {
            "rows": self.rows,
            "added": self.added,
            "filled": self.filled,
            "changed": self.changed.total(),
            "removed": self.removed.total(),
            "kept": self.kept,
        }

    def findings(self, *, replace: bool) -> list[Finding]:
        """Say what of the past would change: an error unless it is meant."""
        found = []
        for code, what, by_symbol in (
            ("changed-past", "differ from those of the database", self.changed),
            ("removed-past", "are in the database and not in the file", self.removed),
        ):
            if not by_symbol:
                continue
            text = (
                f"{self.name}: {by_symbol.total()} rows of {len(by_symbol)} symbols {what} ({_shown(by_symbol)}); "
                f"the first is {self.first}; "
                + (
                    "replaced"
                    if replace
                    else "correct the file, or load it with --replace if the past was corrected"
                )
            )
            found.append(
                Finding("warning" if replace else "error", INPUTS[self.name], code, text, by_symbol.total())
            )
        return found


def _shown(by_symbol: Mapping[str, int]) -> str:
    names = sorted(by_symbol, key=lambda name: (-by_symbol[name], name))
    rest = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(f"{name} {by_symbol[name]}" for name in names[:SHOWN]) + rest


@dataclass(frozen=True, slots=True)
class BarChange:
    """What happens to a table of bars.

    Attributes
    ----------
    change : Change
    gone : Bars
        To be deleted: changed or removed.
    fresh : Bars
        To be written: new or changed.
    """

    change: Change
    gone: Bars
    fresh: Bars


def compare_bars(name: str, old: Bars, new: Bars) -> BarChange:
    """Compare bars of a file with those of the database.

    Parameters
    ----------
    old, new : Bars
        By symbol and day, none twice.
    """
    symbols = tuple(sorted({*old.symbols, *new.symbols}))
    mine, theirs = _keys(new, symbols), _keys(old, symbols)
    place = np.searchsorted(theirs, mine)
    known = np.zeros(len(mine), dtype=bool)
    inside = place < len(theirs)
    known[inside] = theirs[place[inside]] == mine[inside]
    # The same bits, or no number in both.
    a, b = new.values[known], old.values[place[known]]
    same = ((a.view(np.int64) == b.view(np.int64)) | (np.isnan(a) & np.isnan(b))).all(axis=1)
    changed = known.copy()
    changed[known] = ~same
    found = np.isin(theirs, mine, assume_unique=True)
    removed = ~found & _spoken_for(old, new)
    overwritten = np.zeros(len(theirs), dtype=bool)
    overwritten[place[changed]] = True
    change = Change(
        name,
        rows=len(mine),
        added=int((~known).sum()),
        kept=int((~found & ~removed).sum()),
        changed=_by_symbol(new, changed),
        removed=_by_symbol(old, removed),
    )
    if changed.any():
        change.first = _first_changed(new, old, int(np.flatnonzero(changed)[0]), place)
    elif removed.any():
        row = int(np.flatnonzero(removed)[0])
        change.first = f"{old.symbols[old.codes[row]]} on {old.days[row]}"
    return BarChange(change, old.take(removed | overwritten), new.take(~known | changed))


def _keys(bars: Bars, symbols: tuple[str, ...]) -> Int1D:
    """(n,) increasing numbers that stand for symbol and day."""
    position = {symbol: i for i, symbol in enumerate(symbols)}
    code = np.array([position[symbol] for symbol in bars.symbols], dtype=np.int64)
    return (code[bars.codes] << 32) + bars.days.astype(np.int64) + (1 << 31)


def _spoken_for(old: Bars, new: Bars) -> Bool1D:
    """(n,) rows of the database between the first and the last day that the file has of their symbol."""
    span = {symbol: (days.min(), days.max()) for symbol, days in _days_of(new)}
    none = (np.datetime64("NaT"), np.datetime64("NaT"))
    first = np.array([span.get(symbol, none)[0] for symbol in old.symbols], dtype="datetime64[D]")
    last = np.array([span.get(symbol, none)[1] for symbol in old.symbols], dtype="datetime64[D]")
    return np.asarray((old.days >= first[old.codes]) & (old.days <= last[old.codes]))


def _days_of(bars: Bars) -> list[tuple[str, np.ndarray[tuple[int], np.dtype[np.datetime64]]]]:
    edges = np.searchsorted(bars.codes, np.arange(len(bars.symbols) + 1))
    return [
        (symbol, bars.days[a:b])
        for symbol, a, b in zip(bars.symbols, edges[:-1], edges[1:], strict=True)
        if b > a
    ]


def _by_symbol(bars: Bars, rows: Bool1D) -> Counter[str]:
    counts = np.bincount(bars.codes[rows], minlength=len(bars.symbols))
    return Counter({bars.symbols[i]: int(counts[i]) for i in np.flatnonzero(counts)})


def _first_changed(new: Bars, old: Bars, row: int, place: Int1D) -> str:
    mine, theirs = new.values[row], old.values[place[row]]
    at = int(np.argmax((mine != theirs) & ~(np.isnan(mine) & np.isnan(theirs))))
    where = f"{new.symbols[new.codes[row]]} on {new.days[row]}"
    return f"{where}: {NUMBERS[at]} {mine[at]:.10g}, in the database {theirs[at]:.10g}"
