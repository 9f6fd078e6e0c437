"""Sharadar by Nasdaq Data Link: SEP and SFP (prices), SF1 (fundamentals), TICKERS; or its files of this machine.

``close`` is split-adjusted, ``closeadj`` for dividends and spin-offs as well. Fundamentals are dimension ART: as
reported, trailing year, by the date on which they were filed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from ares7.arrays import AnyArray
from ares7.errors import ConfigError, DataError, MissingData
from ares7.fetch_config import SourceSettings
from feeds.fetch.answers import CHANGED, json_of, numbers_of, require_columns
from feeds.fetch.source import BARS, FILINGS, NAMES, Got, Kind, NoData, OneByOne, Origin, Piece, by_symbol
from feeds.fetch.vendors.polygon import ticker_of
from feeds.fetch.web import Web

SEP = {
    "ticker": "symbol",
    "date": "date",
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "closeadj": "adj_close",
    "volume": "volume",
}
SF1_NUMBERS = ("revenue", "ebitda", "opinc", "netinc", "equity", "debt", "liabilities")
SF1 = ("ticker", "dimension", "datekey", "reportperiod", "lastupdated", *SF1_NUMBERS)
RATIOS = {
    "roe": ("netinc", "equity"),
    "ebitda_margin": ("ebitda", "revenue"),
    "operating_margin": ("opinc", "revenue"),
    "debt_to_equity": ("debt", "equity"),
    "liabilities_to_equity": ("liabilities", "equity"),
}
TICKERS = {
    "ticker": "symbol",
    "name": "name",
    "sector": "sector",
    "industry": "industry",
    "exchange": "exchange",
    "firstpricedate": "first_date",
    "lastpricedate": "last_date",
    "isdelisted": "delisted",
}
DIMENSION = "ART"
FILED_BEFORE = dt.timedelta(days=550)
"""Filings so much older than the first bar are known on it."""
MAX_PAGES = 10_000
CHUNK_ROWS = 1_000_000
_DATES = ("date", "datekey", "reportperiod", "lastupdated", "firstpricedate", "lastpricedate")
_WORDS = ("ticker", "dimension", "name", "sector", "industry", "exchange", "isdelisted")

Given = tuple[pd.DataFrame, list[Origin]]


class Tables(Protocol):
    """Where Sharadar's tables are read."""

    def rows(
        self,
        table: str,
        columns: Sequence[str],
        tickers: Sequence[str],
        between: tuple[str, dt.date, dt.date] | None,
    ) -> Given:
        """Rows of some tickers; ``between`` bounds a column of dates, both inclusive."""
        ...


class Sharadar(OneByOne):
    """Bars, filings and names of stocks and funds."""

    name = "sharadar"
    kinds: tuple[Kind, ...] = ("bars", "filings", "names")
    usual = 3
    adjustment: Mapping[str, str] = {
        "open high low close": "split",
        "adj_close": "total_return",
        "volume": "split",
    }

    def __init__(self, tables: Tables, sizes: tuple[int, int] = (10, 100)) -> None:
        self._tables, self._sizes = tables, sizes

    def has(self, symbol: str, role: str) -> bool:
        """Stocks and funds."""
        return role != "index"

    def cut(
        self, kind: Kind, starts: Mapping[str, dt.date], last: dt.date, days: Sequence[dt.date], whole: bool
    ) -> list[Piece]:
        """Ten histories a piece, or the new days of a hundred symbols."""
        return by_symbol(kind, starts, last, whole, self._sizes[0 if whole and kind == "bars" else 1])

    def fetch(self, piece: Piece) -> Got:
        """Fetch a piece."""
        ours = {ticker_of(symbol): symbol for symbol in piece.symbols}
        read: Mapping[str, Callable[[Piece, dict[str, str]], Given]] = {
            "bars": self._bars,
            "filings": self._filings,
            "names": self._named,
        }
        rows, origins = read[piece.kind](piece, ours)
        if rows.empty:
            raise NoData(f"sharadar has no {piece.kind} of {', '.join(piece.symbols[:5])}")
        rows["symbol"] = rows["symbol"].map(ours).astype(object)
        return Got(rows.reset_index(drop=True), tuple(origins))

    def _bars(self, piece: Piece, ours: dict[str, str]) -> Given:
        """SEP has stocks; what it does not have may be a fund, of SFP."""
        between = ("date", piece.first, piece.last)
        rows, origins = self._tables.rows("SEP", [*SEP], [*ours], between)
        rest = sorted(set(ours) - set(rows["ticker"]))
        if rest:
            funds, more = self._tables.rows("SFP", [*SEP], rest, between)
            rows, origins = pd.concat([part for part in (rows, funds) if len(part)] or [rows]), origins + more
        return rows.rename(columns=SEP)[[*BARS]], origins

    def _filings(self, piece: Piece, ours: dict[str, str]) -> Given:
        between = ("datekey", piece.first - FILED_BEFORE, piece.last)
        rows, origins = self._tables.rows("SF1", SF1, [*ours], between)
        rows = rows[rows["dimension"] == DIMENSION].sort_values("lastupdated", kind="stable")
        rows = rows.drop_duplicates(["ticker", "reportperiod", "datekey"], keep="last")
        found = rows.rename(
            columns={"ticker": "symbol", "reportperiod": "report_period", "datekey": "filing_date"}
        )
        for name, (above, below) in RATIOS.items():
            found[name] = (found[above] / found[below].where(found[below] != 0)).astype(np.float64)
        return found.assign(late_filing=False)[[*FILINGS]], origins

    def _named(self, piece: Piece, ours: dict[str, str]) -> Given:
        rows, origins = self._tables.rows("TICKERS", [*TICKERS], [*ours], None)
        rows = rows.drop_duplicates("ticker").rename(columns=TICKERS)
        unknown = sorted(set(rows["delisted"]) - {"Y", "N"})
        if unknown:
            raise DataError(f"sharadar: isdelisted holds {unknown[0]!r}, neither Y nor N; {CHANGED}")
        return rows.assign(delisted=(rows["delisted"] == "Y").to_numpy(dtype=bool))[[*NAMES]], origins


def _typed(raw: Mapping[str, AnyArray | list[Any]], where: str) -> pd.DataFrame:
    """Columns with their types; None and empty text are missing."""
    columns: dict[str, Any] = {}
    for name, values in raw.items():
        if name in _WORDS:
            columns[name] = np.array([*("" if _missing(v) else str(v) for v in values), None], dtype=object)[
                :-1
            ]
        elif name in _DATES:
            columns[name] = _dates([None if _missing(v) else str(v) for v in values], name, where)
        else:
            columns[name] = numbers_of([None if _missing(v) else v for v in values], name, where)
    return pd.DataFrame(columns)


def _missing(value: Any) -> bool:
    return value is None or value == "" or value != value


def _dates(texts: list[str | None], name: str, where: str) -> AnyArray:
    try:
        found: AnyArray = np.array([text or "NaT" for text in texts], dtype="datetime64[D]")
    except ValueError:
        raise DataError(f"{where}: {name} holds something that is no date YYYY-MM-DD; {CHANGED}") from None
    return found.astype("datetime64[s]")


class Api:
    """Datatables of Nasdaq Data Link, page by page. The order of rows is the server's, so that nothing rests on it."""

    def __init__(self, settings: SourceSettings, web: Web) -> None:
        self._settings, self._web = settings, web

    def rows(
        self,
        table: str,
        columns: Sequence[str],
        tickers: Sequence[str],
        between: tuple[str, dt.date, dt.date] | None,
    ) -> Given:
        """Rows of some tickers."""
        asked = {"ticker": ",".join(tickers), "qopts.columns": ",".join(columns), "qopts.per_page": "10000"}
        if between is not None:
            asked |= {f"{between[0]}.gte": str(between[1]), f"{between[0]}.lte": str(between[2])}
        if table == "SF1":
            asked["dimension"] = DIMENSION
        if table == "TICKERS":
            asked["table"] = "SEP"
        parts, origins = [], []
        for _ in range(MAX_PAGES):
            answer = self._web.get(f"{self._settings.url}/api/v3/datatables/SHARADAR/{table}.json", asked)
            rows, cursor = _page(json_of(answer), columns, f"sharadar: {answer.origin.url}")
            parts.append(rows)
            origins.append(answer.origin)
            if not cursor:
                return pd.concat(parts, ignore_index=True), origins
            asked["qopts.cursor_id"] = cursor
        raise DataError(f"sharadar: {table} has more than {MAX_PAGES} pages; ask for fewer symbols")


def _page(told: dict[str, Any], columns: Sequence[str], where: str) -> tuple[pd.DataFrame, str]:
    try:
        names = [column["name"] for column in told["datatable"]["columns"]]
        data, cursor = told["datatable"]["data"], told["meta"]["next_cursor_id"]
    except (KeyError, TypeError):
        raise DataError(f"{where} is no datatable (datatable, columns, data, meta); {CHANGED}") from None
    require_columns(names, columns, where)
    if any(len(row) != len(names) for row in data):
        raise DataError(f"{where} has a row of another length than its header; {CHANGED}")
    at = {name: names.index(name) for name in columns}
    return _typed({name: [row[i] for row in data] for name, i in at.items()}, where), cursor or ""


class Files:
    """``SEP.csv``, ``SHARADAR_SEP.zip``, ``SHARADAR_SEP_2_....csv`` and so on, in one folder."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ConfigError(
                f"--from {folder} is no folder; name the folder that holds SEP, SF1 and TICKERS"
            )
        self._folder = folder

    def rows(
        self,
        table: str,
        columns: Sequence[str],
        tickers: Sequence[str],
        between: tuple[str, dt.date, dt.date] | None,
    ) -> Given:
        """Rows of some tickers; a file is read in parts, so that a whole market fits."""
        path = self._path(table)
        if path is None:
            return _typed({name: [] for name in columns}, table), []
        try:
            parts = [part[part["ticker"].isin(list(tickers))] for part in self._parts(path, columns)]
        except (ValueError, OSError, zipfile.BadZipFile) as error:
            said = " ".join(str(error).split())[:200]
            raise DataError(f"{path} is no readable Sharadar table ({said}); download it again") from None
        raw = pd.concat(parts, ignore_index=True)
        rows = _typed({name: raw[name].to_numpy(dtype=object) for name in columns}, str(path))
        if between is not None:
            name, first, last = between
            rows = rows[(rows[name] >= pd.Timestamp(first)) & (rows[name] <= pd.Timestamp(last))]
        stat = path.stat()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        stamp = dt.datetime.fromtimestamp(stat.st_mtime, dt.UTC).isoformat(timespec="seconds")
        return rows.reset_index(drop=True), [Origin(path.name, digest, stat.st_size, stamp)]

    def _path(self, table: str) -> Path | None:
        found = [
            path
            for path in sorted(self._folder.iterdir())
            if path.suffix in (".csv", ".zip") and table in path.stem.upper().split("_")
        ]
        if len(found) > 1:
            raise DataError(
                f"{self._folder} holds {[path.name for path in found]} for {table}; keep one of them"
            )
        if not found and table == "SEP":
            raise MissingData(f"{self._folder} has no SEP.csv, SEP.zip or SHARADAR_SEP...; add it")
        return found[0] if found else None

    @staticmethod
    def _parts(path: Path, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        def read(file: Any) -> Iterator[pd.DataFrame]:
            header = pd.read_csv(file, nrows=0)
            require_columns([str(name) for name in header], columns, str(path))
            file.seek(0)
            words = {name: "str" for name in columns if name in (*_WORDS, *_DATES)}
            numbers = {name: "float64" for name in columns if name not in words}
            yield from pd.read_csv(
                file,
                usecols=[*columns],
                dtype={**words, **numbers},
                keep_default_na=False,
                na_values={name: [""] for name in numbers},
                chunksize=CHUNK_ROWS,
            )

        if path.suffix == ".csv":
            with path.open("rb") as file:
                yield from read(file)
            return
        with zipfile.ZipFile(path) as archive:
            (name,) = [name for name in archive.namelist() if name.endswith(".csv")]
            with archive.open(name) as packed:
                yield from read(io.BytesIO(packed.read()))
