"""A canonical folder into the database: what is new is added, and the past is not changed unseen.

One load is one transaction: whoever kills it, the server or the disk, nothing of it is there.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ares7.config import DataConfig
from ares7.errors import DataError
from feeds.database.bars import Bars, read_bars, write_bars
from feeds.database.changes import Change, compare_bars
from feeds.database.files import MORE, bars_of, further_columns, read_document, read_file
from feeds.database.layout import DOCUMENT, LAYOUTS, Layout, find_files
from feeds.database.migrate import Content, content_of, prepare
from feeds.database.records import compare_records, read_records, write_records
from feeds.database.server import Server
from feeds.database.tables import DATA, SCHEMA, contents, documents, load_tables, loads
from feeds.findings import Finding
from feeds.load import check_path


@dataclass(slots=True)
class Loaded:
    """What a load did.

    Attributes
    ----------
    number : int or None
        Of the load; None if it was refused.
    content : Content or None
        What the database holds now.
    changes : list of Change
    findings : list of Finding
        Errors if it was refused: then nothing was written.
    """

    number: int | None = None
    content: Content | None = None
    changes: list[Change] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def refused(self) -> bool:
        """Nothing was written."""
        return any(finding.severity == "error" for finding in self.findings)


class _Refused(Exception):
    """Takes back what the transaction has done so far."""


def load_folder(folder: Path, server: Server, *, replace: bool = False) -> Loaded:
    """Load every table of a folder.

    Parameters
    ----------
    folder : Path
        Canonical layout; it may hold a part of the tables, symbols or dates only.
    server : Server
    replace : bool
        Rows of the past that differ are replaced; otherwise nothing is loaded.

    Raises
    ------
    DataError
        A file cannot be read, or the database is of another version.
    ServiceUnavailable, ConfigError
        The server does not take it; nothing was written.
    """
    check_path(DataConfig(), folder)
    files = find_files(folder)
    document = read_document(folder, DOCUMENT)
    done = Loaded()
    try:
        with server.writing() as connection:
            prepare(server, connection)
            _require_same_market(server, connection, document)
            done.number = _begin(connection, folder, replace)
            for layout in LAYOUTS:
                if layout.name in files:
                    _load_table(connection, layout, files[layout.name], done, replace)
            _load_document(connection, document, done, replace)
            if done.refused:
                raise _Refused
            done.content = content_of(server, connection)
    except _Refused:
        done.number = None
    return done


def _begin(connection: sa.Connection, folder: Path, replace: bool) -> int:
    row = {
        "who": getpass.getuser(),
        "host": socket.gethostname(),
        "folder": str(folder.resolve()),
        "replaced": replace,
    }
    return int(connection.execute(loads.insert().returning(loads.c.load), row).scalar_one())


def _load_table(connection: sa.Connection, layout: Layout, path: Path, done: Loaded, replace: bool) -> None:
    change, columns = (_load_bars if layout.bars else _load_records)(connection, layout, path, replace)
    done.changes.append(change)
    done.findings += change.findings(replace=replace)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    named = {"load": done.number, "name": layout.name, "file": path.name, "sha256": digest}
    connection.execute(load_tables.insert(), named | change.counts)
    _note_columns(connection, layout, path.stem, columns)


def _load_bars(
    connection: sa.Connection, layout: Layout, path: Path, replace: bool
) -> tuple[Change, list[str]]:
    new, columns = bars_of(layout, path)
    table = DATA[layout.name]
    found = compare_bars(layout.name, read_bars(connection, table), new)
    if found.change.rewritten and not replace:
        return found.change, columns
    if len(found.gone.days):
        _delete(connection, table, found.gone)
    if len(found.fresh.days):
        write_bars(connection, table.name, SCHEMA, found.fresh)
    return found.change, columns


def _delete(connection: sa.Connection, table: sa.Table, gone: Bars) -> None:
    temporary = sa.Table(
        "gone_bars",
        sa.MetaData(),
        *(sa.Column(column.name, column.type) for column in table.columns),
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DROP",
    )
    temporary.create(connection)
    write_bars(connection, temporary.name, None, gone)
    connection.execute(
        table.delete().where(table.c.symbol == temporary.c.symbol, table.c.date == temporary.c.date)
    )
    temporary.drop(connection)


def _load_records(
    connection: sa.Connection, layout: Layout, path: Path, replace: bool
) -> tuple[Change, list[str]]:
    new = read_file(layout, path)
    columns = [str(name) for name in new.columns]
    if layout.more:
        new[MORE] = further_columns(layout, path, len(new))
    table = DATA[layout.name]
    found = compare_records(layout, read_records(connection, layout, table), new)
    if found.change.writes and (replace or not found.change.rewritten):
        write_records(connection, layout, table, found.table)
    return found.change, columns


def _note_columns(connection: sa.Connection, layout: Layout, stem: str, columns: list[str]) -> None:
    known = connection.execute(
        sa.select(contents.c.stem, contents.c.columns).where(contents.c.name == layout.name)
    ).one_or_none()
    if known is None:
        row: dict[str, Any] = {"name": layout.name, "stem": stem, "columns": columns}
        connection.execute(contents.insert(), row)
        return
    every = [name for name in layout.kinds if name in {*known.columns, *columns}]
    if (known.stem, sorted(known.columns)) != (stem, sorted(every)):
        changed = contents.update().where(contents.c.name == layout.name)
        connection.execute(changed.values(stem=stem, columns=every))


def _known_document(connection: sa.Connection) -> str | None:
    asked = sa.select(documents.c.content).where(documents.c.name == DOCUMENT)
    return connection.execute(asked).scalar_one_or_none()


def _is_synthetic(document: str | None) -> bool:
    return document is not None and bool(json.loads(document).get("synthetic"))


def _require_same_market(server: Server, connection: sa.Connection, document: str | None) -> None:
    """Refuse to mix a synthetic market with another one."""
    if connection.execute(sa.select(sa.func.count()).select_from(contents)).scalar_one() == 0:
        return
    ours, theirs = _is_synthetic(document), _is_synthetic(_known_document(connection))
    if ours != theirs:
        words = ("a real", "a synthetic")
        raise DataError(
            f"{server} holds {words[theirs]} market and the folder {words[ours]} one ({DOCUMENT}); name another "
            "database"
        )


def _load_document(connection: sa.Connection, document: str | None, done: Loaded, replace: bool) -> None:
    known = _known_document(connection)
    if document is None or (known is not None and json.loads(known) == json.loads(document)):
        return
    if known is None:
        connection.execute(documents.insert(), {"name": DOCUMENT, "content": document})
        return
    text = f"{DOCUMENT} differs from that of the database; " + (
        "replaced" if replace else "load it with --replace"
    )
    done.findings.append(Finding("warning" if replace else "error", "prices", "changed-provenance", text))
    if replace:
        connection.execute(documents.update().where(documents.c.name == DOCUMENT).values(content=document))
