"""Polygon: one request a day for the whole market, or one a symbol for its history; or day files of this machine.

By the interface, prices are adjusted for splits as of the request. Flat files hold traded prices: they are adjusted
here by ``splits.csv``, which must lie beside them. There are no dividends: ``adj_close`` is the split-adjusted close.
"""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ares7.errors import ConfigError, DataError, MissingData
from ares7.fetch_config import SourceSettings
from feeds.fetch.answers import CHANGED, json_of, numbers_of, require_columns, table_of
from feeds.fetch.source import BARS, Got, Kind, NoData, OneByOne, Origin, Piece, by_symbol
from feeds.fetch.web import Answer, Web
from feeds.vendor_text import new_york_days_from_ns

ADJUSTMENT = {
    "open high low close": "split",
    "adj_close": "split",
    "volume": "split",
}
FIELDS = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
FLAT = ("ticker", "volume", "open", "close", "high", "low", "window_start")
SPLITS = ("ticker", "execution_date", "split_from", "split_to")
NEAR_SESSIONS = 10
"""Symbols whose first missing days lie so close together are asked for by day."""
MAX_PAGES = 100


def ticker_of(symbol: str) -> str:
    """``BRK-B`` as Polygon and Sharadar write it."""
    return symbol.replace("-", ".")


class Polygon(OneByOne):
    """The interface, version 2 of its aggregates."""

    name = "polygon"
    kinds: tuple[Kind, ...] = ("bars",)
    usual = 1
    adjustment: Mapping[str, str] = ADJUSTMENT

    def __init__(self, settings: SourceSettings, web: Web) -> None:
        self._settings, self._web = settings, web

    def has(self, symbol: str, role: str) -> bool:
        """Stocks and funds; indices are another product."""
        return role != "index"

    def cut(
        self, kind: Kind, starts: Mapping[str, dt.date], last: dt.date, days: Sequence[dt.date], whole: bool
    ) -> list[Piece]:
        """By day where that is fewer requests, else by symbol."""
        if whole:
            return by_symbol(kind, starts, last, whole)
        latest = max(starts.values())
        upto = sum(day <= latest for day in days)
        bound = days[max(upto - NEAR_SESSIONS, 0)] if days else latest
        near = tuple(sorted(symbol for symbol, first in starts.items() if first >= bound))
        begins = min(starts[symbol] for symbol in near)
        asked = [day for day in days if day >= begins]
        if len(asked) > len(near):
            return by_symbol(kind, starts, last, whole)
        far = {symbol: first for symbol, first in starts.items() if symbol not in near}
        by_day = [Piece(kind, near, day, day, perishable=True) for day in asked]
        return [*by_day, *by_symbol(kind, far, last, whole)]

    def fetch(self, piece: Piece) -> Got:
        """Fetch a day of many symbols, or a history of one."""
        return self._day(piece) if piece.perishable else self._history(piece)

    def _day(self, piece: Piece) -> Got:
        address = f"{self._settings.url}/v2/aggs/grouped/locale/us/market/stocks/{piece.first}"
        answer = self._web.get(address, {"adjusted": "true"})
        ours = {ticker_of(symbol): symbol for symbol in piece.symbols}
        found = [row for row in _results(answer) if row.get("T") in ours]
        if not found:
            raise NoData(
                f"polygon: {answer.origin.url} has none of {len(ours)} names; the day may not be there yet"
            )
        days = np.full(len(found), np.datetime64(piece.first, "s"))
        rows = _frame(found, [ours[row["T"]] for row in found], days, answer)
        return Got(rows, (answer.origin,))

    def _history(self, piece: Piece) -> Got:
        (symbol,) = piece.symbols
        address = (
            f"{self._settings.url}/v2/aggs/ticker/{ticker_of(symbol)}/range/1/day/{piece.first}/{piece.last}"
        )
        answer = self._web.get(address, {"adjusted": "true", "sort": "asc", "limit": "50000"})
        parts, origins = [], []
        for _ in range(MAX_PAGES):
            origins.append(answer.origin)
            found = _results(answer)
            if found:
                stamps = pd.to_datetime(
                    numbers_of([row.get("t") for row in found], "t", answer.origin.url), unit="ms", utc=True
                )
                local = stamps.tz_convert("America/New_York").tz_localize(None).normalize()
                days = local.to_numpy().astype("datetime64[s]")
                parts.append(_frame(found, [symbol] * len(found), days, answer))
            following = json_of(answer).get("next_url")
            if not following:
                break
            if not str(following).startswith(self._settings.url + "/"):
                raise DataError(f"polygon: {answer.origin.url} names a next page at another place; {CHANGED}")
            answer = self._web.get(str(following))
        if not parts:
            raise NoData(f"polygon: {origins[0].url} has no bars")
        return Got(pd.concat(parts, ignore_index=True), tuple(origins))


def _results(answer: Answer) -> list[dict[str, Any]]:
    """Rows of an answer that says of itself that it is adjusted."""
    told = json_of(answer)
    if told.get("status") not in ("OK", "DELAYED"):
        said = told.get("error") or told.get("message") or told.get("status")
        raise DataError(f"polygon: {answer.origin.url} says {said!r}; {CHANGED}")
    if told.get("adjusted") is not True:
        raise DataError(
            f"polygon: {answer.origin.url} does not say that its prices are adjusted for splits; {CHANGED}"
        )
    found = told.get("results") or []
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise DataError(f"polygon: {answer.origin.url} has results that are no rows; {CHANGED}")
    return found


def _frame(found: list[dict[str, Any]], symbols: list[str], days: Any, answer: Answer) -> pd.DataFrame:
    where = f"polygon: {answer.origin.url}"
    require_columns([*found[0]], [*FIELDS.values()], where)
    columns: dict[str, Any] = {"date": days, "symbol": np.array(symbols, dtype=object)}
    for name, field in FIELDS.items():
        columns[name] = numbers_of([row.get(field) for row in found], field, where)
    columns["adj_close"] = columns["close"]
    return pd.DataFrame(columns)[[*BARS]]


class PolygonFiles(OneByOne):
    """Day files ``2024-03-07.csv`` or ``.csv.gz`` of a folder, and ``splits.csv``."""

    name = "polygon"
    kinds: tuple[Kind, ...] = ("bars",)
    usual = 1
    adjustment: Mapping[str, str] = ADJUSTMENT

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ConfigError(f"--from {folder} is no folder; name the folder that holds the day files")
        self._folder = folder
        path = folder / "splits.csv"
        if not path.is_file():
            raise MissingData(
                f"{folder} has no splits.csv ({','.join(SPLITS)}), and day files hold traded prices: without it a "
                "split would look like a loss; download the splits, or fetch by the interface, without --from"
            )
        self._splits = table_of(
            path.read_bytes(), str(path), SPLITS, dates=("execution_date",), numbers=SPLITS[2:]
        )
        bad = ~((self._splits["split_from"] > 0) & (self._splits["split_to"] > 0))
        if bad.any():
            raise DataError(
                f"{path}: row {int(np.argmax(bad)) + 1} has a split that is not above 0; correct it"
            )

    def has(self, symbol: str, role: str) -> bool:
        """Stocks and funds."""
        return role != "index"

    def cut(
        self, kind: Kind, starts: Mapping[str, dt.date], last: dt.date, days: Sequence[dt.date], whole: bool
    ) -> list[Piece]:
        """One piece for all: each file is read once."""
        return [Piece(kind, tuple(sorted(starts)), min(starts.values()), last, whole, perishable=True)]

    def fetch(self, piece: Piece) -> Got:
        """Read the day files of a period and adjust them for the splits up to its end."""
        ours = {ticker_of(symbol): symbol for symbol in piece.symbols}
        parts, origins = [], []
        for path in self._paths(piece):
            sent = path.read_bytes()
            parts.append(_flat(path, sent, ours))
            stamp = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
            origins.append(Origin(path.name, hashlib.sha256(sent).hexdigest(), len(sent), stamp))
        rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
        if rows.empty:
            raise NoData(
                f"polygon: {self._folder} has none of {len(ours)} names from {piece.first} to {piece.last}"
            )
        return Got(self._adjusted(rows, ours, piece.last), tuple(origins))

    def _paths(self, piece: Piece) -> list[Path]:
        found: dict[str, Path] = {}
        for path in sorted(self._folder.glob("*.csv*")):
            stem, _, ending = path.name.partition(".")
            if ending in ("csv", "csv.gz") and str(piece.first) <= stem <= str(piece.last):
                if stem in found:
                    raise DataError(
                        f"{self._folder} holds {found[stem].name} and {path.name}; keep one of them"
                    )
                found[stem] = path
        return [found[stem] for stem in sorted(found)]

    def _adjusted(self, rows: pd.DataFrame, ours: Mapping[str, str], last: dt.date) -> pd.DataFrame:
        splits = self._splits[self._splits["ticker"].isin(list(ours))]
        splits = splits[splits["execution_date"] <= pd.Timestamp(last)]
        for ticker, day, before, after in splits[[*SPLITS]].itertuples(index=False):
            earlier = ((rows["symbol"] == ours[ticker]) & (rows["date"] < day)).to_numpy(dtype=bool)
            rows.loc[earlier, ["open", "high", "low", "close"]] *= before / after
            rows.loc[earlier, "volume"] *= after / before
        rows["adj_close"] = rows["close"]
        return rows[[*BARS]]


def _flat(path: Path, sent: bytes, ours: Mapping[str, str]) -> pd.DataFrame:
    if path.name.endswith(".gz"):
        try:
            sent = gzip.decompress(sent)
        except (OSError, EOFError) as error:
            raise DataError(f"{path} is a damaged gzip file ({error}); download it again") from None
    rows = table_of(sent, str(path), FLAT, numbers=FLAT[1:-1])
    days = new_york_days_from_ns(rows["window_start"], path)
    if {str(day)[:10] for day in np.unique(days)} != {path.name[:10]}:
        raise DataError(
            f"{path} holds {np.unique(days)[0]!s:.10}, not the day of its name; rename or replace it"
        )
    rows = rows.assign(date=days)
    rows = rows[rows["ticker"].isin(list(ours))]
    return rows.assign(symbol=rows["ticker"].map(dict(ours)).astype(object))
