"""Halting by a row of the journal's database."""

from __future__ import annotations

import datetime as dt
from typing import Protocol

from ares7.errors import DataError
from live.halt.level import HaltLevel, HaltRecord


class HaltRow(Protocol):
    """A row of the table ``halts``."""

    @property
    def level(self) -> str:
        """Name of a level."""

    @property
    def who(self) -> str:
        """Who wrote it."""

    @property
    def reason(self) -> str:
        """Why."""

    @property
    def at(self) -> dt.datetime | None:
        """When, UTC."""


class HaltRows(Protocol):
    """The part of the journal that this source reads."""

    def halt_level(self) -> HaltRow | None:
        """Return the latest row, None if there is none; raises if the database cannot be read."""


class JournalSource:
    """The latest row of the journal's table ``halts``: a level written there halts until a row says NONE.

    Whoever mirrors other sources into that table must mirror their lifting too.

    Parameters
    ----------
    rows : HaltRows
    """

    name = "journal"

    def __init__(self, rows: HaltRows) -> None:
        self._rows = rows

    def read(self) -> HaltRecord | None:
        """Return the latest row.

        Raises
        ------
        DataError
            It is no halt record.
        """
        row = self._rows.halt_level()
        if row is None:
            return None
        if row.level not in HaltLevel.__members__ or row.at is None:
            raise DataError(f"the latest halt row of the journal has level {row.level!r} and time {row.at}")
        return HaltRecord(HaltLevel[row.level], row.who, row.at, row.reason)
