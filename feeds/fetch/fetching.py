"""One fetch: what is missing is cut into pieces, fetched, compared with what is there, and put in place at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from ares7 import sessions
from ares7.arrays import Dates
from ares7.config import Config
from ares7.errors import ConfigError, MissingData
from ares7.progress import progress
from feeds.fetch.merging import KEYS, clean_bars, joined, ordered, read_kind, restated
from feeds.fetch.overlap import changes
from feeds.fetch.pieces import PieceStore
from feeds.fetch.record import Record
from feeds.fetch.source import TABLES, Got, Kind, NoData, Note, Origin, Piece, Source


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of a source.

    Attributes
    ----------
    source : Source
    kinds : tuple of str
    symbols : tuple of str
        Stocks.
    start, last : date
    """

    source: Source
    kinds: tuple[Kind, ...]
    symbols: tuple[str, ...]
    start: dt.date
    last: dt.date


@dataclass(slots=True)
class Fetched:
    """What one fetch did, before it is in place.

    Attributes
    ----------
    tables : mapping of name to DataFrame
        New content of the tables that changed.
    asked : mapping of table to names
        Symbols that the source gave.
    notes : list of Note
    origins : list of Origin
    from_before : int
        Pieces that an earlier, stopped fetch left.
    """

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    asked: dict[str, list[str]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    from_before: int = 0


class Fetching:
    """Fetches the kinds of a wish into memory; pieces survive in the store.

    Parameters
    ----------
    wish : Wish
    record : Record
        Of the data folder.
    config : Config
    store : PieceStore
    """

    def __init__(self, wish: Wish, record: Record, config: Config, store: PieceStore) -> None:
        self._wish, self._record, self._config, self._store = wish, record, config, store
        asked = [
            day for table in TABLES["bars"] for day in record.asked_from(wish.source.name, table).values()
        ]
        first = min([wish.start.isoformat(), *asked])
        self._days: Dates = sessions.sessions(
            np.datetime64(first, "D"), np.datetime64(wish.last, "D"), config.data.calendar
        )
        self._unsettled: set[str] = set()
        self.done = Fetched()

    def run(self) -> Fetched:
        """Fetch everything.

        Raises
        ------
        MissingData
            The source has nothing at all of what is missing.
        """
        for kind in self._wish.kinds:
            if kind == "bars":
                self._bars()
            else:
                self._whole_kind(kind)
        silent = sum(note.code == "no-data" for note in self.done.notes)
        if silent and not self.done.tables:
            first = next(note for note in self.done.notes if note.code == "no-data")
            raise MissingData(
                f"{self._wish.source.name} has nothing of {silent} names; the first, {first.symbol}: {first.text}; "
                "nothing was written"
            )
        return self.done

    def _roles(self) -> dict[str, str]:
        """Role of each symbol of which the source has bars."""
        data, source = self._config.data, self._wish.source
        roles = dict.fromkeys(self._wish.symbols, "stock")
        roles |= dict.fromkeys(data.etfs, "fund") | dict.fromkeys((data.index, data.vix), "index")
        found = {symbol: role for symbol, role in roles.items() if source.has(symbol, role)}
        if not found:
            raise ConfigError(
                f"{source.name} has bars of none of {', '.join(sorted(roles)[:10])}; name others with --universe, or "
                f"write its names of them into fetch.{source.name}.names"
            )
        return found

    def _bars(self) -> None:
        roles, record, source = self._roles(), self._record, self._wish.source
        table_of = {s: "prices" if role == "stock" else "market" for s, role in roles.items()}
        old: dict[str, pd.DataFrame] = {}
        for table in TABLES["bars"]:
            ours = tuple(symbol for symbol, place in table_of.items() if place == table)
            if ours:
                record.require_own(source.name, table, ours)
                old[table] = read_kind(record.folder, table, "bars")
        there = joined(list(old.values()), "bars")
        there = there[there["symbol"].isin(list(roles))]
        fresh, added = self._starts(there, table_of)
        new = self._rows("bars", self._cut("bars", fresh, whole=True), roles)
        more = self._rows("bars", self._cut("bars", added, whole=False), roles)
        new = joined([new, self._again(there, more, table_of, roles)], "bars")
        self._silent(added, there, more)
        replaced = set(new["symbol"])
        more = more[~more["symbol"].isin(list(replaced | self._unsettled))]
        for table, before in old.items():
            names = [symbol for symbol, place in table_of.items() if place == table]
            parts = [before[~before["symbol"].isin(list(replaced))]]
            parts += [rows[rows["symbol"].isin(names)] for rows in (more, new)]
            if any(len(part) for part in parts[1:]):
                self.done.tables[table] = ordered(joined(parts, "bars"), "bars")
            self.done.asked[table] = sorted(set(names) & (set(there["symbol"]) | replaced))

    def _starts(
        self, there: pd.DataFrame, table_of: Mapping[str, str]
    ) -> tuple[dict[str, dt.date], dict[str, dt.date]]:
        """First day to ask for: of symbols fetched whole, and of those that only lack their end."""
        last_of = there.groupby("symbol")["date"].max().to_dict()
        fresh, added = {}, {}
        for symbol, table in table_of.items():
            asked = self._record.asked_from(self._wish.source.name, table).get(symbol)
            if asked is None or symbol not in last_of or self._wish.start.isoformat() < asked:
                fresh[symbol] = self._wish.start
                continue
            known = np.datetime64(last_of[symbol], "D")
            if known < np.datetime64(self._wish.last, "D"):
                added[symbol] = self._overlap(known)
        return fresh, added

    def _silent(self, added: Mapping[str, dt.date], there: pd.DataFrame, more: pd.DataFrame) -> None:
        """Say which names have no bar after those that are there."""
        if not added:
            return
        before = there.groupby("symbol")["date"].max().to_dict()
        newest = more.groupby("symbol")["date"].max().to_dict()
        for symbol in sorted(added):
            if symbol not in newest or newest[symbol] <= before[symbol]:
                text = f"no bar after {before[symbol]:%Y-%m-%d}: delisted, renamed, or not there yet"
                self.done.notes.append(Note("no-new-bars", symbol, text))

    def _overlap(self, known: np.datetime64) -> dt.date:
        """First of the sessions up to ``known`` that are asked for again."""
        upto = int(np.searchsorted(self._days, known, side="right"))
        at = max(upto - self._config.fetch.overlap_sessions, 0)
        day: dt.date = self._days[at].item()
        return day

    def _again(
        self, there: pd.DataFrame, more: pd.DataFrame, table_of: Mapping[str, str], roles: Mapping[str, str]
    ) -> pd.DataFrame:
        """Whole histories of the symbols whose past has changed."""
        limits = self._config.fetch
        found = changes(there, more, limits.tolerance, limits.volume_tolerance)
        self._unsettled = {change.symbol for change in found}
        starts = {}
        for change in found:
            self.done.notes.append(
                Note(change.kind, change.symbol, f"{change.text}; fetched again as a whole")
            )
            asked = self._record.asked_from(self._wish.source.name, table_of[change.symbol])
            starts[change.symbol] = dt.date.fromisoformat(asked[change.symbol])
        rows = self._rows("bars", self._cut("bars", starts, whole=True), roles)
        first = there.groupby("symbol")["date"].min().to_dict()
        short = []
        for symbol, begins in rows.groupby("symbol")["date"].min().to_dict().items():
            if begins > first[symbol]:
                short.append(symbol)
                text = (
                    f"its history now begins {begins:%Y-%m-%d} and is there from {first[symbol]:%Y-%m-%d} on; it "
                    "was left as it was, without new bars; fetch it into another folder"
                )
                self.done.notes.append(Note("shorter-history", str(symbol), text))
        return rows[~rows["symbol"].isin(short)]

    def _whole_kind(self, kind: Kind) -> None:
        """Filings, announcements and names have no increments: all of a symbol is asked for again."""
        (table,) = TABLES[kind]
        source, record, symbols = self._wish.source, self._record, self._wish.symbols
        record.require_own(source.name, table, symbols)
        until = record.source(source.name).get("until", {}).get(kind)
        known = record.asked_from(source.name, table)
        begin = self._wish.start.isoformat()
        wanted = {
            symbol: self._wish.start
            for symbol in symbols
            if until != self._wish.last.isoformat() or known.get(symbol, "9999") > begin
        }
        before = read_kind(record.folder, table, kind)
        new = self._rows(kind, self._cut(kind, wanted, whole=True), None)
        if new.empty:
            self.done.asked[table] = sorted(known)
            return
        self.done.notes += restated(before, new, kind)
        kept = before[~before["symbol"].isin(list(set(new["symbol"])))]
        if kind == "earnings":
            # A source may show only the latest announcements; older ones that are there stay.
            begins = before["symbol"].map(new.groupby("symbol")["announce_date"].min())
            kept = before[~(before["announce_date"] >= begins).to_numpy(dtype=bool)]
        self.done.tables[table] = ordered(joined([new, kept], kind), kind)
        self.done.asked[table] = sorted(set(new["symbol"]) | set(known))

    def _cut(self, kind: Kind, starts: Mapping[str, dt.date], *, whole: bool) -> list[Piece]:
        if not starts:
            return []
        begins = np.datetime64(min(starts.values()), "D")
        days = self._days[self._days >= begins].tolist()
        return self._wish.source.cut(kind, starts, self._wish.last, days, whole)

    def _rows(self, kind: Kind, pieces: list[Piece], roles: Mapping[str, str] | None) -> pd.DataFrame:
        """Fetch pieces, or take them from the store, and join their rows."""
        parts: list[pd.DataFrame] = []
        if not pieces:
            return joined(parts, kind)
        kept = {piece.key: got for piece in pieces if (got := self._store.read(piece)) is not None}
        self.done.from_before += len(kept)
        name = f"fetch {kind} from {self._wish.source.name}"
        with progress(name, len(pieces), done=len(kept)) as step:
            for piece in pieces:
                got = kept.get(piece.key)
                if got is None:
                    got = self._fetched(piece)
                    step(1)
                parts.append(got.rows)
                self.done.origins += got.origins
                self.done.notes += got.notes
        rows = joined(parts, kind)
        if roles is not None:
            rows, notes = clean_bars(rows, roles, self._days)
            self.done.notes += notes
        return rows.drop_duplicates([*KEYS[kind]], keep="last", ignore_index=True)

    def _fetched(self, piece: Piece) -> Got:
        try:
            got = self._wish.source.fetch(piece)
        except NoData as error:
            got = Got(joined([], piece.kind), (), ())
            reason = str(error)
        else:
            reason = f"the answer for {piece.first} to {piece.last} has no row of it"
        if piece.whole:
            told = {*got.rows["symbol"], *(note.symbol for note in got.notes if note.code == "no-data")}
            silent = [symbol for symbol in piece.symbols if symbol not in told]
            got = replace(got, notes=(*got.notes, *(Note("no-data", symbol, reason) for symbol in silent)))
        self._store.write(piece, got)
        return got
