"""Tables of the schema ``ares7_data``, and its version."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON, UUID

from feeds.database.layout import LAYOUTS, Kind, Layout

SCHEMA = "ares7_data"
VERSION = 1
"""Of the schema; `feeds.database.migrate` brings earlier ones to it."""

metadata = sa.MetaData(schema=SCHEMA)

TYPES: dict[Kind, Any] = {
    "date": sa.Date(),
    # Byte order, as Python sorts.
    "text": sa.Text(collation="C"),
    "number": sa.Double(),
    "flag": sa.Boolean(),
}

state = sa.Table(
    "state",
    metadata,
    sa.Column("sole", sa.Boolean, sa.CheckConstraint("sole"), primary_key=True, server_default=sa.true()),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("content", UUID(as_uuid=False), nullable=False, server_default=sa.text("gen_random_uuid()")),
    sa.Column("changes", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
)
"""One row: version of the schema, and a name of what the tables hold, which every statement that writes changes."""

loads = sa.Table(
    "loads",
    metadata,
    sa.Column("load", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("login", sa.Text, nullable=False, server_default=sa.text("session_user")),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("replaced", sa.Boolean, nullable=False),
)
load_tables = sa.Table(
    "load_tables",
    metadata,
    sa.Column("load", sa.BigInteger, sa.ForeignKey(loads.c.load), primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("file", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    *(
        sa.Column(name, sa.BigInteger, nullable=False)
        for name in ("rows", "added", "filled", "changed", "removed", "kept")
    ),
)
contents = sa.Table(
    "contents",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("stem", sa.Text, nullable=False),
    sa.Column("columns", JSON, nullable=False),
)
"""Tables that hold something, under which name their file lay, and which columns it had."""
documents = sa.Table(
    "documents",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("content", sa.Text, nullable=False),
)


def _data(layout: Layout) -> sa.Table:
    columns = [
        sa.Column(name, TYPES[kind], nullable=name not in layout.key[:2])
        for name, kind in layout.kinds.items()
    ]
    if layout.bars:
        return sa.Table(layout.name, metadata, *columns, sa.PrimaryKeyConstraint(*layout.key))
    row = sa.Column("row", sa.BigInteger, primary_key=True, autoincrement=False)
    more = [sa.Column("more", JSON)] if layout.more else []
    return sa.Table(layout.name, metadata, row, *columns, *more)


DATA = {layout.name: _data(layout) for layout in LAYOUTS}
"""Tables of market data by name. ``row`` is the place of a row in its file."""
WATCHED = (*DATA.values(), contents, documents)
"""Whoever writes to them changes the name of the content."""
