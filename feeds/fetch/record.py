"""``fetch.json`` of a data folder: which source gave which symbol from when on, and every request of the last fetch.

``provenance.json`` has the short form: it goes into every run.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ares7.errors import ConfigError, DataError
from ares7.run_files import to_json
from feeds.fetch.source import TABLES
from feeds.inputs import read_source
from feeds.tables import find_table

if TYPE_CHECKING:
    from feeds.fetch.fetching import Fetched, Wish

NAME = "fetch.json"
KEPT = 50
"""Fetches that the history in ``fetch.json`` goes back."""


@dataclass(slots=True)
class Record:
    """What is known about the tables of a folder.

    Attributes
    ----------
    folder : Path
    told : dict
        Content of ``fetch.json``: ``sources`` (by name: ``start``, ``symbols``, ``requests``), ``tables``, ``history``.
    provenance : dict
        Content of ``provenance.json``.
    """

    folder: Path
    told: dict[str, Any] = field(default_factory=lambda: {"sources": {}, "tables": {}, "history": []})
    provenance: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Record:
        """Read the record of a folder; an empty one where there is none.

        Raises
        ------
        ConfigError
            The folder holds the synthetic market.
        DataError
            A file that is no JSON.
        """
        provenance = read_source(folder)
        if provenance.get("synthetic"):
            raise ConfigError(f"{folder} holds a synthetic market; name another folder with --to")
        path = folder / NAME
        if not path.is_file():
            return cls(folder, provenance=provenance)
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            assert {"sources", "tables", "history"} <= set(told)  # noqa: S101 - becomes the error below
        except (OSError, ValueError, AssertionError, TypeError):
            raise DataError(
                f"{path} is damaged; restore it, or fetch into another folder with --to"
            ) from None
        return cls(folder, told, provenance)

    def source(self, name: str) -> dict[str, Any]:
        """Entry of a source, made if need be."""
        entry: dict[str, Any] = self.told["sources"].setdefault(name, {"start": None, "symbols": {}})
        return entry

    def asked_from(self, name: str, table: str) -> dict[str, str]:
        """First day that was asked for, by symbol, of what a source gave to a table."""
        entry = self.told["sources"].get(name, {"symbols": {}})
        rows: dict[str, str] = entry["symbols"].get(table, {})
        return rows

    def is_foreign(self, table: str) -> bool:
        """Whether a table is there that ``data fetch`` did not write."""
        return table not in self.told["tables"] and find_table(self.folder, table) is not None

    def require_own(self, name: str, table: str, symbols: tuple[str, ...]) -> None:
        """Raise if symbols of a table are another source's, or the table is not of ``data fetch`` at all.

        Raises
        ------
        ConfigError
        """
        if self.is_foreign(table):
            path = find_table(self.folder, table)
            raise ConfigError(
                f"{path} was not written by data fetch, which would replace it; name another folder with --to, or move "
                "the file away"
            )
        for other in self.told["sources"]:
            both = sorted(set(symbols) & set(self.asked_from(other, table))) if other != name else []
            if both:
                raise ConfigError(
                    f"{self.folder}: {table} of {', '.join(both[:5])} is from {other}, and vendors adjust differently; "
                    f"fetch from {name} into another folder with --to"
                )

    def edited(self, table: str) -> bool:
        """Whether a table is no longer what ``data fetch`` wrote."""
        path, known = find_table(self.folder, table), self.told["tables"].get(table)
        if path is None or known is None:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() != str(known["sha256"])

    def take(self, wish: Wish, done: Fetched, findings: list[dict[str, str]]) -> None:
        """Note what a fetch gave: symbols, requests, adjustment, findings."""
        name = wish.source.name
        entry, begin = self.source(name), wish.start.isoformat()
        entry["start"] = min(entry["start"] or begin, begin)
        entry["adjustment"] = (
            dict(wish.source.adjustment) if "bars" in wish.kinds else entry.get("adjustment", {})
        )
        entry["until"] = entry.get("until", {}) | dict.fromkeys(wish.kinds, wish.last.isoformat())
        for table, symbols in done.asked.items():
            known = entry["symbols"].setdefault(table, {})
            for symbol in symbols:
                known[symbol] = min(known.get(symbol, begin), begin)
        answers = hashlib.sha256("".join(origin.sha256 for origin in done.origins).encode()).hexdigest()
        entry |= {
            "time": max((origin.time for origin in done.origins), default=None),
            "url": _places(done),
            "request_count": len(done.origins),
            "bytes": sum(origin.size for origin in done.origins),
            "sha256_of_answers": answers,
            "findings": dict(Counter(finding["code"] for finding in findings)),
            "requests": [origin.to_dict() for origin in done.origins],
        }
        line = {k: entry[k] for k in ("time", "request_count", "bytes", "findings")}
        line |= {"source": name, "last": wish.last.isoformat(), "told": findings}
        self.told["history"] = [*self.told["history"], line][-KEPT:]

    def _adjustments(self, table: str) -> dict[str, Any]:
        """How the prices of a table are adjusted, by source; nothing of a table without prices."""
        if table not in TABLES["bars"]:
            return {}
        named = self.told["sources"].items()
        found = {name: entry.get("adjustment", {}) for name, entry in named if entry["symbols"].get(table)}
        return {"adjustment": found}

    def files(self) -> dict[str, bytes]:
        """``fetch.json`` and ``provenance.json``, as they are to be written."""
        short = {
            name: {k: v for k, v in entry.items() if k not in ("symbols", "requests", "universe")}
            for name, entry in self.told["sources"].items()
        }
        tables = {name: {**told, **self._adjustments(name)} for name, told in self.told["tables"].items()}
        provenance = {**self.provenance, "fetch": {"sources": short, "tables": tables}}
        return {
            NAME: to_json(self.told).encode(),
            "provenance.json": to_json(provenance).encode(),
        }


def _places(done: Fetched) -> list[str]:
    """Addresses that answered, without query, each once; many under one path are told by that path."""
    found = sorted({origin.url.partition("?")[0] for origin in done.origins})
    if len(found) > 5:
        found = sorted({url.rpartition("/")[0] if urlsplit(url).path.strip("/") else url for url in found})[
            :5
        ]
    return found
