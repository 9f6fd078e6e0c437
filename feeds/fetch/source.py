"""What a vendor is to ``data fetch``: it cuts a wish into pieces, and fetches one piece at a time."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

import pandas as pd

from ares7.errors import MissingData

Kind = Literal["bars", "filings", "earnings", "names"]
TABLES: dict[Kind, tuple[str, ...]] = {
    "bars": ("prices", "market"),
    "filings": ("fundamentals",),
    "earnings": ("earnings",),
    "names": ("symbols",),
}
"""Tables of a data folder that the rows of a kind go to."""
PRICES = ("open", "high", "low", "close", "adj_close")
BARS = ("date", "symbol", *PRICES, "volume")
FILINGS = (
    "symbol",
    "report_period",
    "filing_date",
    "roe",
    "ebitda_margin",
    "operating_margin",
    "debt_to_equity",
    "liabilities_to_equity",
    "equity",
    "late_filing",
    "dimension",
)
EARNINGS = (
    "symbol",
    "announce_date",
    "session",
    "eps_actual",
    "announce_time_et",
    "eps_estimate",
    "source",
)
NAMES = ("symbol", "name", "sector", "industry", "exchange", "first_date", "last_date", "delisted")
COLUMNS: dict[Kind, tuple[str, ...]] = {
    "bars": BARS,
    "filings": FILINGS,
    "earnings": EARNINGS,
    "names": NAMES,
}


class NoData(MissingData):
    """The source knows nothing of what was asked for; a name costs only itself."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something to tell about fetched data.

    Attributes
    ----------
    code : str
        Stable slug: ``split``, ``dividend``, ``revision``, ``no-data``, ...
    symbol : str
    text : str
    """

    code: str
    symbol: str
    text: str


@dataclass(frozen=True, slots=True)
class Piece:
    """One unit of work. It is fetched whole or not at all, and a stopped run does not fetch it again.

    Attributes
    ----------
    kind : str
    symbols : tuple of str
        Ours.
    first, last : date
        Both inclusive.
    whole : bool
        All that is known of the symbols is replaced; otherwise rows are added.
    perishable : bool
        Good only on the day on which it was fetched: its adjustment is that of the day, and other pieces hold
        other bars of the same symbols.
    """

    kind: Kind
    symbols: tuple[str, ...]
    first: dt.date
    last: dt.date
    whole: bool = False
    perishable: bool = False

    @property
    def key(self) -> str:
        """Name of its file."""
        told = repr((self.kind, self.symbols, self.first, self.last, self.whole))
        lead = f"{self.kind}-{self.first}-{self.last}{'-whole' if self.whole else ''}"
        return f"{lead}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an answer comes from.

    Attributes
    ----------
    url : str
        Without key.
    sha256 : str
        Of the answer's bytes, as sent.
    size : int
        Bytes.
    time : str
        UTC, ISO.
    """

    url: str
    sha256: str
    size: int
    time: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Got:
    """What a piece gave.

    Attributes
    ----------
    rows : DataFrame
        Canonical columns of the kind; numbers float64, dates datetime64[s], text object. ``symbol`` is ours.
    origins : tuple of Origin
        One a request.
    notes : tuple of Note
    """

    rows: pd.DataFrame
    origins: tuple[Origin, ...]
    notes: tuple[Note, ...] = field(default=())


class Source(Protocol):
    """A vendor.

    Attributes
    ----------
    name : str
        As on the command line.
    kinds : tuple of str
        What it has; the first ones up to ``usual`` are fetched unless others are named.
    usual : int
    adjustment : mapping
        How each column of its bars is adjusted: ``split``, ``total_return``, ``none``; empty without bars.
    """

    name: str
    kinds: tuple[Kind, ...]
    usual: int
    adjustment: Mapping[str, str]

    def has(self, symbol: str, role: str) -> bool:
        """Whether bars of a symbol can be asked for; ``role`` is ``stock``, ``fund`` or ``index``."""
        ...

    def cut(
        self, kind: Kind, starts: Mapping[str, dt.date], last: dt.date, days: Sequence[dt.date], whole: bool
    ) -> list[Piece]:
        """Cut a wish into pieces.

        Parameters
        ----------
        kind : str
        starts : mapping of symbol to first day
        last : date
        days : sequence of date
            Exchange sessions from the earliest start to ``last``.
        whole : bool
            The history of each symbol is to be replaced.
        """
        ...

    def fetch(self, piece: Piece) -> Got:
        """Fetch a piece.

        Raises
        ------
        NoData
            Nothing of it exists.
        ConfigError
            A key is absent or was refused.
        DataError
            The answer is not what it should be.
        ServiceUnavailable
            No answer, after all retries.
        """
        ...

    def close(self) -> None:
        """End what was opened."""
        ...


class OneByOne:
    """What sources have in common that are asked for one symbol at a time."""

    def cut(
        self, kind: Kind, starts: Mapping[str, dt.date], last: dt.date, days: Sequence[dt.date], whole: bool
    ) -> list[Piece]:
        """One piece a symbol."""
        return by_symbol(kind, starts, last, whole)

    def close(self) -> None:
        """Nothing is open between two requests."""


def by_symbol(
    kind: Kind, starts: Mapping[str, dt.date], last: dt.date, whole: bool, size: int = 1
) -> list[Piece]:
    """Pieces of up to ``size`` symbols that begin on the same day."""
    groups: dict[dt.date, list[str]] = {}
    for symbol, first in starts.items():
        groups.setdefault(first, []).append(symbol)
    pieces = []
    for first, symbols in sorted(groups.items()):
        symbols = sorted(symbols)
        for at in range(0, len(symbols), size):
            pieces.append(Piece(kind, tuple(symbols[at : at + size]), first, last, whole))
    return pieces
