"""The switch: the highest level of all sources, read anew before every order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from live.halt.level import HaltLevel, HaltRecord

Alarm = Callable[[str, str], None]
"""``alarm(code, message)``: tells a person, durably; must not raise."""


class HaltSource(Protocol):
    """Somewhere a level can be set."""

    @property
    def name(self) -> str:
        """Short name for messages."""

    def read(self) -> HaltRecord | None:
        """Return what is set now, None if nothing ever was; anything raised counts as HALT."""


@dataclass(frozen=True, slots=True)
class HaltStanding:
    """The effective level and what every source says.

    Attributes
    ----------
    level : HaltLevel
    source : str
        Name of a source that demands it; empty at NONE.
    record : HaltRecord or None
        Of that source.
    records : mapping of source to HaltRecord
    """

    level: HaltLevel
    source: str = ""
    record: HaltRecord | None = None
    records: dict[str, HaltRecord] = field(default_factory=dict)

    def describe(self) -> str:
        """One line for a person."""
        return "NONE" if self.record is None else f"{self.record.describe()} ({self.source})"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        own = {} if self.record is None else self.record.to_dict()
        return own | {
            "level": self.level.name,
            "source": self.source,
            "sources": {name: record.to_dict() for name, record in self.records.items()},
        }


class HaltSwitch:
    """Reads every source; the highest level holds, and a source that cannot be read counts as HALT.

    Parameters
    ----------
    sources : sequence of HaltSource
    alarm : callable
        Told once of each source that cannot be read, again after it could be.
    now : callable
        UTC.
    """

    def __init__(self, sources: Sequence[HaltSource], alarm: Alarm, now: Callable[[], dt.datetime]) -> None:
        self._sources, self._alarm, self._now = tuple(sources), alarm, now
        self._failed: dict[str, HaltRecord] = {}

    def level(self) -> HaltLevel:
        """Return the effective level. Ask right before each order is written to the socket."""
        return self.standing().level

    def standing(self) -> HaltStanding:
        """Return the effective level, and who set it where."""
        records = {}
        for source in self._sources:
            record = self._read(source)
            if record is not None:
                records[source.name] = record
        if not records:
            return HaltStanding(HaltLevel.NONE)
        # The first of equals: sources are named in the order of their reliability.
        name = max(records, key=lambda source: records[source].level)
        level = records[name].level
        if level is HaltLevel.NONE:
            return HaltStanding(level, records=records)
        return HaltStanding(level, name, records[name], records)

    def _read(self, source: HaltSource) -> HaltRecord | None:
        try:
            record = source.read()
        except Exception as error:  # whatever is wrong with it: trading blind is worse than not trading
            return self._broken(source.name, error)
        self._failed.pop(source.name, None)
        return record

    def _broken(self, name: str, error: Exception) -> HaltRecord:
        why = f"halt source {name} cannot be read: {' '.join(str(error).split()) or type(error).__name__}"
        known = self._failed.get(name)
        if known is None or known.why != why:
            known = self._failed[name] = HaltRecord(HaltLevel.HALT, "ares7", self._now(), why)
            self._alarm("halt-source", f"{why}; counted as HALT until it can be read again")
        return known
