"""Column types that mean the same in SQLite and PostgreSQL, and rows to columns and back."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import numbers
from collections.abc import Mapping
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from live.journal.failures import RowRefused
from live.journal.row import columns_of
from live.journal.rows import Row

R = TypeVar("R", bound=Row)
Identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""SQLite numbers rows by itself in a column of the type INTEGER only."""
Json = sa.JSON().with_variant(JSONB(), "postgresql")
Float: sa.Double[float] = sa.Double()


class Utc(sa.types.TypeDecorator[dt.datetime]):
    """A moment: ``timestamptz`` in PostgreSQL, in SQLite text like ``2024-01-05T14:30:00.000000Z``, which sorts."""

    impl = sa.String
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Return the type of this database."""
        kind = sa.DateTime(timezone=True) if dialect.name == "postgresql" else sa.Text()
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: dt.datetime | None, dialect: sa.Dialect) -> Any:
        """To the database."""
        if value is None:
            return None
        moment = value.astimezone(dt.UTC)
        if dialect.name == "postgresql":
            return moment
        return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> dt.datetime | None:
        """From the database."""
        if value is None:
            return None
        moment = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(value)
        return moment.astimezone(dt.UTC)


def to_json(value: Any) -> str:
    """Write JSON with sorted keys; a number that is not finite is refused, for no database could read it back.

    Raises
    ------
    RowRefused
    """
    try:
        return json.dumps(value, sort_keys=True, allow_nan=False, default=_plain)
    except (TypeError, ValueError) as error:
        raise RowRefused(f"a journal row cannot be written as JSON: {error}; use None for unknown") from None


def _plain(value: Any) -> Any:
    if isinstance(value, dt.date):
        return value.isoformat()
    if hasattr(value, "tolist"):
        return value.tolist()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def to_columns(row: Row, table: sa.Table, now: dt.datetime) -> dict[str, Any]:
    """Values of a row for the columns of its table; ``at`` is ``now`` if it has none."""
    found = {
        field.name: _scalar(getattr(row, field.name))
        for field in dataclasses.fields(row)
        if field.name in table.c and field.name != "id" and not field.metadata.get("read_only")
    }
    found["at"] = row.at or now
    return found


def _scalar(value: Any) -> Any:
    """Plain Python numbers: drivers store the integers of numpy as bytes."""
    if isinstance(value, bool | str | dict | tuple | None.__class__):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    return value.item() if hasattr(value, "item") else value


def to_row(kind: type[R], found: Mapping[str, Any]) -> R:
    """Make the row of a database record; columns that the row does not have are left out."""
    names = columns_of(kind)
    values = {name: value for name, value in found.items() if name in names}
    if "algo_params" in values:
        values["algo_params"] = tuple((str(name), str(value)) for name, value in values["algo_params"])
    return kind(**values)
