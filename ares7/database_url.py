"""A PostgreSQL database in the place of the data folder: its URL, which never holds a password."""

from __future__ import annotations

import re
import urllib.parse
from pathlib import PosixPath
from typing import Any

SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
EXAMPLE = "postgresql://user@host/database"
_BEFORE_HOST = re.compile(r"(://[^/@:]*):[^@]*@")
_OPTION = re.compile(r"([?&][^=&]*password[^=&]*=)[^&\s]*", re.IGNORECASE)


class DatabasePath(PosixPath):
    """A database where a folder could be named.

    As a path it names nothing: code that reads folders only says that it does not exist. `feeds.database.snapshot`
    gives the folder to read instead.
    """

    url: str = ""

    def __str__(self) -> str:
        return self.url or super().__str__()

    def __fspath__(self) -> str:
        return str(self)

    def __reduce__(self) -> Any:
        return (database_path, (self.url,)) if self.url else super().__reduce__()

    def __copy__(self) -> DatabasePath:
        return self

    def __deepcopy__(self, memo: Any) -> DatabasePath:
        return self


def is_url(text: str) -> bool:
    """Whether a place is written as a URL, of whatever kind."""
    return "://" in text


def masked(text: str) -> str:
    """Hide the passwords of URLs in a text."""
    return _OPTION.sub(r"\1***", _BEFORE_HOST.sub(r"\1:***@", text))


def database_path(text: str) -> DatabasePath:
    """Check the URL of a database.

    Parameters
    ----------
    text : str
        ``postgresql://user@host:port/database``; options of libpq may follow ``?``.

    Raises
    ------
    ValueError
        Another kind of URL, no database, or a password; the message shows none.
    """
    shown = masked(text)
    try:
        parts = urllib.parse.urlsplit(text)
        secret = parts.password is not None
        _ = parts.port
    except ValueError:
        raise ValueError(f"{shown} cannot be read as a URL; write it like {EXAMPLE}") from None
    if parts.scheme not in SCHEMES:
        raise ValueError(f"{shown} is no database of PostgreSQL and no folder; write it like {EXAMPLE}")
    options = urllib.parse.parse_qsl(parts.query, keep_blank_values=True)
    if secret or any("password" in name.lower() for name, _ in options):
        raise ValueError(
            f"{shown} holds a password; take it out of the URL and put it into the environment (PGPASSWORD) or into "
            "~/.pgpass"
        )
    if not parts.path.strip("/"):
        raise ValueError(f"{shown} names no database; write it like {EXAMPLE}")
    made = DatabasePath(text)
    made.url = text
    return made
