"""``run.py data fetch`` between the command line and the data folder."""

from __future__ import annotations

import argparse
import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ares7.errors import ConfigError

if TYPE_CHECKING:
    from ares7.config import Config
    from feeds.fetch.fetching import Fetched, Wish
    from feeds.fetch.record import Record
    from feeds.fetch.source import Kind, Source
    from feeds.fetch.universe import Universe

SOURCES = ("yfinance", "ib", "sharadar", "polygon", "fred", "cboe", "sec")
KINDS = ("bars", "filings", "earnings", "names")
SHOWN = 20
"""Findings that are printed; ``fetch.json`` has all."""
Maker = Callable[["Config"], "Source"]


@dataclass(slots=True)
class Outcome:
    """What a call did.

    Attributes
    ----------
    folder : Path
    source : str
    last : date
        Latest session that was asked for.
    tables : dict
        Rows, symbols, first and last day of each table that was written.
    findings : list of dict
        ``code``, ``symbol``, ``text``.
    requests, size, resumed : int
        Requests made (those of a stopped fetch included), bytes received, pieces taken over from it.
    universe, survivorship : str
    """

    folder: Path
    source: str
    last: dt.date
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    findings: list[dict[str, str]] = field(default_factory=list)
    requests: int = 0
    size: int = 0
    resumed: int = 0
    universe: str = ""
    survivorship: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "folder": str(self.folder),
            "source": self.source,
            "last": self.last.isoformat(),
            "tables": self.tables,
            "findings": self.findings,
            "requests": self.requests,
            "bytes": self.size,
            "pieces_of_a_stopped_fetch": self.resumed,
            "universe": self.universe,
            "survivorship": self.survivorship,
        }

    def lines(self) -> list[str]:
        """Lines for a person."""
        if not self.tables:
            return [f"{self.folder} is up to date: {self.source} until {self.last}", *self._told()]
        found = [
            f"{name}: {t['rows']:,} rows of {t['symbols']:,} symbols, {t['first']} to {t['last']}"
            for name, t in sorted(self.tables.items())
        ]
        resumed = f", {self.resumed} pieces of a fetch that was stopped" if self.resumed else ""
        found.append(f"{self.source}: {self.requests} requests, {self.size / 1e6:.1f} MB{resumed}")
        if self.survivorship:
            found.append(f"universe ({self.universe}): {self.survivorship}")
        return [*found, *self._told(), f"check it: python run.py data check {self.folder}"]

    def _told(self) -> list[str]:
        counts = Counter(finding["code"] for finding in self.findings)
        told = [f"findings: {', '.join(f'{n} {code}' for code, n in counts.most_common())}"] if counts else []
        told += [f"  {f['code']} {f['symbol']}: {f['text']}" for f in self.findings[:SHOWN]]
        more = len(self.findings) - SHOWN
        return told + ([f"  and {more} more in {self.folder}/fetch.json"] if more > 0 else [])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``data fetch``."""
    parser.add_argument("--source", required=True, choices=SOURCES)
    parser.add_argument(
        "--universe",
        metavar="NAMES",
        help="AAPL,MSFT; a file; or members, sp100, sp500 as the tables of the folder have them; default: as before",
    )
    parser.add_argument("--start", dest="since", metavar="DATE", help="default: as before, else fetch.start")
    parser.add_argument(
        "--end", dest="until", metavar="DATE", help="default: the latest session that has closed"
    )
    parser.add_argument("--to", metavar="FOLDER", help="data folder; default: fetch.folder")
    parser.add_argument(
        "--kinds",
        metavar="KINDS",
        help=f"of {','.join(KINDS)}; default: what the source is usually asked for",
    )
    parser.add_argument(
        "--from",
        dest="files",
        metavar="FOLDER",
        help="sharadar, polygon: files that are already on this machine",
    )


def maker_of(name: str, files: Path | None) -> Maker:
    """What makes a source of the settings; ``ib`` is handed in by ``run.py``."""
    from feeds.fetch.vendors import making

    if files is not None and name not in making.FROM_FILES:
        raise ConfigError(
            f"--from is for {' and '.join(making.FROM_FILES)}; leave it out with --source {name}"
        )
    return lambda config: making.make(name, config.fetch, files)


def fetch_data(
    args: argparse.Namespace, config: Config, others: Mapping[str, Maker], now: dt.datetime | None = None
) -> Outcome:
    """Fetch what is missing into a data folder.

    Parameters
    ----------
    args : Namespace
        Of `add_arguments`.
    config : Config
    others : mapping
        Makers of sources that this package cannot import.
    now : datetime, optional
        Aware; for tests.

    Raises
    ------
    ConfigError, DataError, ServiceUnavailable
    """
    from feeds.fetch.commit import one_at_a_time, recover

    folder = Path(args.to).expanduser().resolve() if args.to else config.fetch.folder
    files = Path(args.files).expanduser().resolve() if args.files else None
    make = others[args.source] if args.source in others else maker_of(args.source, files)
    given = _day(args.until, "--end")
    now = now or dt.datetime.now(dt.UTC)
    source = make(config)
    try:
        with one_at_a_time(folder):
            recover(folder)
            return _passes(args, config, source, folder, given, now)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("what was fetched is kept; the same command goes on from there") from None
    finally:
        source.close()


def _passes(
    args: argparse.Namespace,
    config: Config,
    source: Source,
    folder: Path,
    given: dt.date | None,
    now: dt.datetime,
) -> Outcome:
    """Fetch up to the wanted day; a fetch that was stopped on an earlier day is finished first."""
    from ares7.sessions import latest_closed
    from feeds.fetch.pieces import PieceStore

    store = PieceStore(folder / ".fetch" / source.name)
    newest = dt.date.fromisoformat(str(latest_closed(now, config.data.calendar)))
    if given is not None and given > newest:
        raise ConfigError(f"--end {given} is after {newest}, the latest session that has closed; correct it")
    wanted = given or newest
    pinned = store.pinned_last()
    if pinned is not None and given is None and pinned < wanted:
        _one(args, config, source, folder, store, pinned)
    return _one(args, config, source, folder, store, wanted)


def _one(
    args: argparse.Namespace, config: Config, source: Source, folder: Path, store: Any, last: dt.date
) -> Outcome:
    from feeds.fetch.fetching import Fetching, Wish
    from feeds.fetch.record import Record
    from feeds.fetch.universe import file_of

    record = Record.read(folder)
    entry = record.source(source.name)
    start = _day(args.since, "--start") or _day(entry["start"], "start") or config.fetch.start
    if start > last:
        raise ConfigError(f"--start {start} is after the last day, {last}; correct one of them")
    kinds = _kinds(args.kinds, source)
    if args.kinds is None and record.is_foreign("symbols"):
        # The user's own list of names stays; --kinds names asks for the source's all the same.
        kinds = tuple(kind for kind in kinds if kind != "names")
    names = _universe(args.universe, entry, folder, start, last, kinds, source)
    store.pin_last(last)
    wish = Wish(source, kinds, names.symbols, start, last)
    done = Fetching(wish, record, config, store).run()
    outcome = Outcome(
        folder,
        source.name,
        last,
        findings=[{"code": n.code, "symbol": n.symbol, "text": n.text} for n in done.notes],
        requests=len(done.origins),
        size=sum(origin.size for origin in done.origins),
        resumed=done.from_before,
        universe=names.source,
        survivorship=names.survivorship if names.symbols else "",
    )
    if args.universe:
        entry["universe"] = str(file_of(args.universe) or args.universe)
    if done.tables:
        _put_in_place(record, wish, done, outcome)
    store.clear()
    return outcome


def _put_in_place(record: Record, wish: Wish, done: Fetched, outcome: Outcome) -> None:
    """Write the tables and what is known about them, all together."""
    from feeds.fetch.commit import commit
    from feeds.fetch.writing import told_of, written

    edited = [table for table in done.tables if record.edited(table)]
    for table in edited:
        text = "the table was changed since data fetch wrote it; rows that were not fetched again stay as they were"
        outcome.findings.append({"code": "edited", "symbol": table, "text": text})
    files = {}
    for table, rows in done.tables.items():
        files[f"{table}.parquet"] = content = written(rows)
        outcome.tables[table] = record.told["tables"][table] = told_of(table, rows, content)
    record.take(wish, done, outcome.findings)
    commit(record.folder, files | record.files())


def _day(text: str | None, option: str) -> dt.date | None:
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{option} {text!r} is no date; write YYYY-MM-DD") from None


def _kinds(text: str | None, source: Source) -> tuple[Kind, ...]:
    if text is None:
        return source.kinds[: source.usual]
    named = [name.strip() for name in text.split(",") if name.strip()]
    wrong = [name for name in named if name not in source.kinds]
    if wrong or not named:
        raise ConfigError(f"--kinds {text}: {source.name} has {', '.join(source.kinds)}; name some of these")
    return tuple(kind for kind in source.kinds if kind in named)


def _universe(
    text: str | None,
    entry: dict[str, Any],
    folder: Path,
    start: dt.date,
    last: dt.date,
    kinds: tuple[Kind, ...],
    source: Source,
) -> Universe:
    """Names as told now, as before, or those that the folder has prices of."""
    import numpy as np

    from feeds.fetch.merging import read_kind
    from feeds.fetch.universe import Universe, universe

    text = text or entry.get("universe")
    if text is not None:
        return universe(text, folder, np.datetime64(start, "D"), np.datetime64(last, "D"))
    if kinds == ("bars",) and not source.has("AAPL", "stock"):
        return Universe((), "indices only", "")
    there = tuple(sorted(set(read_kind(folder, "prices", "bars")["symbol"])))
    if not there:
        raise ConfigError(
            f"--universe is not given, and {folder} has no prices yet; name symbols or a file: --universe AAPL,MSFT"
        )
    return Universe(there, f"{folder}/prices", "")
