"""What the journal raises, beside the exceptions of `ares7.errors`.

::

    ConfigError
    +-- WrongJournal        it belongs to another mode or account, or is no journal at all
    +-- JournalInUse        another process writes it
    DataError
    +-- JournalDamaged      the file cannot be read as a database
    +-- JournalVersion      written by a later version of this program, or not migrated yet
    +-- RowRefused          a row that contradicts the schema, or one that is there already
    CheckFailed
    +-- AlreadyJournalled   an order reference that was used before
    ServiceUnavailable
    +-- JournalUnavailable  disk full, not writable, locked, or the server is gone: nothing may be sent
"""

from __future__ import annotations

from ares7.errors import CheckFailed, ConfigError, DataError, ServiceUnavailable


class WrongJournal(ConfigError):
    """The database is that of another mode or account, or of another program."""


class JournalInUse(ConfigError):
    """Another process holds the lock of the only writer."""


class JournalDamaged(DataError):
    """The file is damaged."""


class JournalVersion(DataError):
    """The schema is of a version with which this program cannot work."""


class RowRefused(DataError):
    """A value that is not a number, a row that the database refuses, or one that contradicts an earlier one."""


class AlreadyJournalled(CheckFailed):
    """An order of this reference was journalled before: it must not be sent again."""


class JournalUnavailable(ServiceUnavailable):
    """The database does not store or does not answer. What it confirmed before is not lost."""


def another_program(where: object) -> WrongJournal:
    """The database holds something, and no journal."""
    return WrongJournal(f"{where} holds the tables of another program; name another place")
