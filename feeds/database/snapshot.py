"""A database as a folder on this machine, dumped again whenever the database holds something else.

Whoever reads the data reads files, so a panel from the database is the panel from the folder that was loaded. A
snapshot never changes; the database is asked what it holds each time.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from ares7.config import DataConfig
from ares7.database_url import DatabasePath, masked
from ares7.errors import DataError
from ares7.panel import Panel
from feeds import entries
from feeds.database.dumping import FORM, dump_folder
from feeds.database.migrate import Content, content_of
from feeds.database.server import Server
from feeds.findings import Finding

FOLDER = "database"
"""Of ``data.cache``."""
WHOLE = ".whole.json"
"""Sizes of the files of a snapshot; written last."""
KEEP = 5
"""Snapshots kept; the oldest go."""


def content(path: DatabasePath) -> Content:
    """Ask what the database holds.

    Raises
    ------
    ServiceUnavailable, ConfigError
        It does not answer.
    DataError
        It holds nothing, or is of another version.
    """
    server = Server(path)
    with server.reading() as connection:
        return content_of(server, connection)


def local(config: DataConfig) -> DataConfig:
    """Return the settings with a folder in the place of a database; other settings as they are.

    Raises
    ------
    ServiceUnavailable, ConfigError, DataError
        As `content`, or the snapshot cannot be written.
    """
    path = config.path
    if not isinstance(path, DatabasePath):
        return config
    return config.model_copy(update={"path": folder_of(path, content(path), config.cache)[0]})


def folder_of(path: DatabasePath, held: Content, cache: Path | None) -> tuple[Path, Content]:
    """Return the folder of a snapshot, dumped if it is not there, and what it holds.

    Parameters
    ----------
    path : DatabasePath
    held : Content
        What the database holds.
    cache : Path or None
        ``data.cache``; without a cache that can be written, the snapshot goes when the process ends.
    """
    home = cache / FOLDER if cache is not None and entries.is_writable(cache) else Path(_temporary().name)
    place = home / _name(held)
    if _is_whole(place):
        os.utime(place)
        return place, held
    partial = home / f".partial-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        home.mkdir(parents=True, exist_ok=True)
        held = dump_folder(Server(path), partial)
        place = home / _name(held)
        (partial / WHOLE).write_text(json.dumps(_sizes(partial)), encoding="utf-8")
        _publish(partial, place)
    except OSError as error:
        raise DataError(
            f"{home} cannot be written ({error.strerror or error}); free space there, or name another data.cache"
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    _prune(home)
    return place, held


@lru_cache(maxsize=1)
def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="ares7-database-")


def _name(held: Content) -> str:
    return hashlib.sha256(f"{FORM} {held.name}".encode()).hexdigest()[:32]


def _sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.name != WHOLE}


def _is_whole(place: Path) -> bool:
    try:
        return bool(json.loads((place / WHOLE).read_bytes()) == _sizes(place))
    except (OSError, ValueError):
        return False


def _publish(partial: Path, place: Path) -> None:
    """Put a snapshot in its place, unless another process was first; a damaged one gives way."""
    if place.exists() and not _is_whole(place):
        aside = partial.with_name(f"{partial.name}-aside")
        place.replace(aside)
        shutil.rmtree(aside, ignore_errors=True)
    try:
        partial.replace(place)
    except OSError:
        if not _is_whole(place):
            raise


def _prune(home: Path) -> None:
    try:
        places = [path for path in home.iterdir() if path.is_dir() and not path.name.startswith(".")]
        for place in sorted(places, key=lambda path: path.stat().st_mtime)[:-KEEP]:
            shutil.rmtree(place, ignore_errors=True)
    except OSError:
        return


def told_of_database(
    panel: Panel | None, findings: Iterable[Finding], folder: Path, path: DatabasePath
) -> tuple[Panel | None, list[Finding]]:
    """Say the database where findings name the folder of its snapshot, and in the provenance of a panel."""
    place = str(Server(path))
    said = [
        replace(f, message=f.message.replace(f"{folder}/", f"{place}: ").replace(str(folder), place))
        for f in findings
    ]
    if panel is not None:
        panel = replace(panel, provenance={**panel.provenance, "database": masked(path.url)})
    return panel, said
