"""The views of orders and executions as the reader selects from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from live.journal import rows
from live.journal.columns import Float, Utc, to_row
from live.journal.schema import fees, fills, intents

# Described apart from the tables, so that they are never made as such.
_views = sa.MetaData()


def _like(table: sa.Table) -> list[sa.Column[Any]]:
    return [sa.Column(column.name, column.type) for column in table.columns]


V_FILLS = sa.Table("v_fills", _views, *_like(fills))
V_FEES = sa.Table("v_fees", _views, *_like(fees))
V_ORDERS = sa.Table(
    "v_orders",
    _views,
    *_like(intents),
    sa.Column("stage", sa.Text),
    sa.Column("stage_at", Utc),
    sa.Column("stage_reason", sa.Text),
    sa.Column("filled", Float),
    sa.Column("average_price", Float),
    sa.Column("fee_usd", Float),
    sa.Column("done", sa.Integer),
)


def to_order(found: Mapping[str, Any]) -> rows.JournalOrder:
    """Make an order of a record of ``v_orders``."""
    return rows.JournalOrder(
        to_row(rows.Intent, found),
        found["stage"],
        found["stage_at"],
        found["stage_reason"],
        float(found["filled"]),
        found["average_price"],
        found["fee_usd"],
    )
