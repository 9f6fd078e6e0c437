"""Halting by a row of the journal's database, and the journals that a command can find by itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn, Protocol

from ares7.errors import Ares7Error, DataError
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
    """What is read of a journal (`live.journal.reader.JournalReader`)."""

    def latest_halt(self) -> HaltRow | None:
        """Return the latest row, None if there is none; raises if the database cannot be read."""


class HaltJournal(HaltRows, Protocol):
    """What a command writes to (`live.journal.operator_journal.OperatorJournal`)."""

    def halt(self, level: str, who: str, reason: str = "") -> None:
        """Add a row, durably."""

    def close(self) -> None:
        """Disconnect."""


Journals = Callable[[Path], dict[str, Callable[[], HaltJournal]]]
"""What opens each journal of a folder, by the name under which it is shown."""


class JournalSource:
    """The latest row of the journal's table ``halts``: a level written there halts until a row says NONE.

    Parameters
    ----------
    rows : HaltRows
    name : str
    """

    def __init__(self, rows: HaltRows, name: str = "journal") -> None:
        self._rows, self.name = rows, name

    def read(self) -> HaltRecord | None:
        """Return the latest row.

        Raises
        ------
        DataError
            It is no halt record.
        """
        row = self._rows.latest_halt()
        if row is None:
            return None
        if row.level not in HaltLevel.__members__ or row.at is None:
            raise DataError(f"the latest halt row of the journal has level {row.level!r} and time {row.at}")
        return HaltRecord(HaltLevel[row.level], row.who, row.at, row.reason)


class ClosedJournal:
    """The latest row of a journal that is opened for each reading: for commands.

    Parameters
    ----------
    name : str
    opened : callable
        Opens the journal.
    """

    def __init__(self, name: str, opened: Callable[[], HaltJournal]) -> None:
        self.name, self._opened = name, opened

    def read(self) -> HaltRecord | None:
        """Return the latest row.

        Raises
        ------
        Ares7Error
            The journal cannot be opened, or the row is no halt record.
        """
        journal = self._opened()
        try:
            return JournalSource(journal).read()
        finally:
            journal.close()


def sqlite_journals(folder: Path) -> dict[str, Callable[[], HaltJournal]]:
    """Return what opens each ``journal-<mode>.sqlite`` of a folder."""
    return {
        path.stem: partial(_opened, folder, path.stem.removeprefix("journal-"))
        for path in sorted(folder.glob("journal-*.sqlite"))
    }


def journals_of(configured: str) -> Journals:
    """Return what finds the journals of a configuration: in the database ``live.journal``, or in the folder."""
    return partial(_server_journals, configured) if configured else sqlite_journals


def _server_journals(configured: str, folder: Path) -> dict[str, Callable[[], HaltJournal]]:
    """Return what opens the journal of each mode in a PostgreSQL database, or says why it cannot be asked."""
    try:
        from live.journal.place import journal_url
        from live.journal.schemas import modes_on

        url = journal_url(configured, folder, "paper")
        modes = sorted(modes_on(url))
    except Ares7Error as error:
        return {"journal": partial(_unreachable, error)}
    return {f"journal-{mode}": partial(_on_server, url, mode) for mode in modes}


def _unreachable(error: Ares7Error) -> NoReturn:
    raise error


def _on_server(url: str, mode: str) -> HaltJournal:
    from live.journal.operator_journal import OperatorJournal

    return OperatorJournal.open(url, mode)


def _opened(folder: Path, mode: str) -> HaltJournal:
    # Imported here: a folder without a journal is halted without a database library.
    from live.journal.operator_journal import OperatorJournal
    from live.journal.place import default_url

    return OperatorJournal.open(default_url(folder, mode), mode)
