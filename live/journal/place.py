"""Where a journal lies: the URL, checked and in the form of SQLAlchemy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from ares7.errors import ConfigError
from live.journal.rows import MODES

EXAMPLES = "sqlite:///runs/live/journal-paper.sqlite or postgresql://user@host/database"
POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")


def default_url(folder: Path, mode: str) -> str:
    """Return the URL of the journal of a mode in a folder: ``sqlite:///<folder>/journal-<mode>.sqlite``."""
    return f"sqlite:///{folder / f'journal-{mode}.sqlite'}"


def journal_url(configured: str, folder: Path, mode: str) -> str:
    """Return the URL of the journal of a mode: the configured one (``live.journal``), or a file in the folder.

    Raises
    ------
    ConfigError
        It is no URL of a PostgreSQL database, or holds a password.
    """
    if not configured:
        return default_url(folder, mode)
    place = parse(configured, mode)
    if place.path is not None:
        raise ConfigError(
            "live.journal names a PostgreSQL database; a file of SQLite lies in halt.folder, one for each mode: leave "
            "live.journal empty"
        )
    if place.holds_password:
        raise ConfigError(
            "live.journal holds a password; take it out of the URL and put it into the environment (PGPASSWORD) or "
            "into ~/.pgpass"
        )
    return configured


@dataclass(frozen=True, slots=True)
class Place:
    """A checked URL.

    Attributes
    ----------
    url : URL
    mode : str
        A PostgreSQL database keeps the journal of each mode in a schema of its own, ``ares7_<mode>``; empty for the
        database as a whole.
    path : Path or None
        The file of SQLite.
    """

    url: sa.URL
    mode: str
    path: Path | None

    @property
    def schema(self) -> str:
        """Schema of PostgreSQL."""
        return f"ares7_{self.mode}"

    @property
    def holds_password(self) -> bool:
        """The URL tells a password, before the host or among its options."""
        return self.url.password is not None or any(map(_is_secret, self.url.query))

    def __str__(self) -> str:
        """Say where, without a password."""
        if self.path is not None:
            return f"journal {self.path}"
        shown = self.url.difference_update_query([name for name in self.url.query if _is_secret(name)])
        where = shown.render_as_string(hide_password=True)
        return f"journal {where} (schema {self.schema})" if self.mode else f"database {where}"


def _is_secret(option: str) -> bool:
    return "password" in option.lower()


def parse(url: str, mode: str) -> Place:
    """Check the URL of a journal.

    Parameters
    ----------
    url : str
        ``sqlite:///relative``, ``sqlite:////absolute`` or ``postgresql://...``; options of libpq may follow ``?``.
    mode : str
        shadow, paper, real or simulated.

    Raises
    ------
    ConfigError
        Another kind of URL, or another mode.
    """
    if mode not in MODES:
        raise ConfigError(f"journal: mode {mode!r} is not known; it is one of {', '.join(MODES)}")
    try:
        made = sa.make_url(url)
    except ArgumentError:
        raise ConfigError(f"journal: the URL cannot be read; write it like {EXAMPLES}") from None
    if made.drivername == "sqlite":
        if not made.database or made.database == ":memory:" or made.query:
            raise ConfigError(f"journal: {made} names no file without options; write it like {EXAMPLES}")
        return Place(made, mode, Path(made.database).absolute())
    if made.drivername in POSTGRESQL:
        return Place(made.set(drivername="postgresql+psycopg"), mode, None)
    raise ConfigError(f"journal: {made.drivername} is no database for a journal; write it like {EXAMPLES}")


def masked(account: str) -> str:
    """Return an account id as it may be shown: first and last two characters (live_ib R15)."""
    return account[:2] + "*" * max(len(account) - 4, 0) + account[-2:]
