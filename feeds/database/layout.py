"""What the tables of the canonical folder hold, and by what a row is known again (docs/guide.md, "Your own data")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ares7.errors import DataError
from feeds.buybacks import ORIGINAL, STEM
from feeds.filings import FIELDS, FLAGS
from feeds.membership import find_membership
from feeds.price_rows import NUMBERS
from feeds.tables import find_table

Kind = Literal["date", "text", "number", "flag"]
DOCUMENT = "provenance.json"


@dataclass(frozen=True, slots=True)
class Layout:
    """One table.

    Attributes
    ----------
    name : str
    kinds : mapping of str to kind
        Columns in their order.
    required : tuple of str
        Columns that every file has.
    key : tuple of str
        Columns that name a row; none of the first two may be empty.
    day : str
        Column that says where in time a row lies: a file speaks for each symbol from its first such day to its last.
        Empty: a file speaks for the symbols that it names.
    grows : tuple of str
        Columns whose empty cells may be filled later.
    bars : bool
        One row a symbol and day, many rows.
    more : bool
        Whatever other columns the file has are kept too.
    """

    name: str
    kinds: Mapping[str, Kind]
    required: tuple[str, ...]
    key: tuple[str, ...]
    day: str = ""
    grows: tuple[str, ...] = ()
    bars: bool = False
    more: bool = False

    def of_kind(self, kind: Kind) -> tuple[str, ...]:
        """Columns of a kind."""
        return tuple(name for name, own in self.kinds.items() if own == kind)

    @property
    def optional(self) -> tuple[str, ...]:
        """Columns that a file may lack."""
        return tuple(name for name in self.kinds if name not in self.required)


def _kinds(**columns: Kind) -> dict[str, Kind]:
    return dict(columns)


def _numbers(*names: str) -> dict[str, Kind]:
    return dict.fromkeys(names, "number")


_BAR: dict[str, Kind] = {"date": "date", "symbol": "text", **_numbers(*NUMBERS)}
_FILED = ("symbol", "report_period", "filing_date")
_FILING: dict[str, Kind] = {
    **_kinds(symbol="text", report_period="date", filing_date="date", lastupdated="date"),
    **_numbers(*FIELDS, "equity"),
    **dict.fromkeys(FLAGS, "flag"),
    **_kinds(dimension="text"),
}
_FILING_KEY = (*_FILED, "lastupdated", "dimension")
_EVENT = ("symbol", "announce_date", "session")

LAYOUTS = (
    Layout("prices", _BAR, tuple(_BAR), ("symbol", "date"), "date", bars=True),
    Layout("market", _BAR, ("date", "symbol", "close"), ("symbol", "date"), "date", bars=True),
    Layout("fundamentals", _FILING, _FILED, _FILING_KEY, "filing_date"),
    Layout("fundamentals_annual", _FILING, _FILED, _FILING_KEY, "filing_date"),
    Layout(
        "earnings",
        _kinds(
            symbol="text", announce_date="date", session="text", eps_actual="number", eps_estimate="number"
        )
        | _kinds(fiscal_quarter_end="date", announce_time_et="text", source="text"),
        (*_EVENT, "eps_actual"),
        ("symbol", "announce_date"),
        "announce_date",
        grows=("eps_actual", "eps_estimate", "fiscal_quarter_end", "announce_time_et"),
    ),
    Layout(
        STEM,
        _kinds(symbol="text", announce_date="date", session="text")
        | _numbers("amount_usd", "market_cap_usd")
        | _kinds(source="text"),
        (*_EVENT, "amount_usd"),
        ("symbol", "announce_date"),
        "announce_date",
        grows=("amount_usd", "market_cap_usd"),
    ),
    Layout(
        ORIGINAL,
        _kinds(event_date="date", ticker="text", amount_usd="number"),
        ("event_date", "ticker", "amount_usd"),
        ("ticker", "event_date"),
        "event_date",
        grows=("amount_usd",),
    ),
    Layout(
        "membership",
        _kinds(symbol="text", start_date="date", end_date="date"),
        ("symbol", "start_date", "end_date"),
        ("symbol", "start_date"),
        "start_date",
        grows=("end_date",),
    ),
    Layout("symbols", _kinds(symbol="text"), ("symbol",), ("symbol",), more=True),
)
"""Every table, in the order in which they are loaded."""


def find_file(layout: Layout, folder: Path) -> Path | None:
    """Return the file of a table in a folder, or None.

    Raises
    ------
    DataError
        There are several.
    """
    return find_membership(folder) if layout.name == "membership" else find_table(folder, layout.name)


def find_files(folder: Path) -> dict[str, Path]:
    """Return the file of every table that a folder has.

    Raises
    ------
    DataError
        It has none at all, or one of them twice.
    """
    found = {layout.name: path for layout in LAYOUTS if (path := find_file(layout, folder)) is not None}
    if not found:
        raise DataError(
            f"{folder} has no table of the canonical layout; name the folder that holds prices.parquet"
        )
    if STEM in found and ORIGINAL in found:
        raise DataError(
            f"{folder} holds both {found[STEM].name} and {found[ORIGINAL].name}; keep one of them"
        )
    return found
