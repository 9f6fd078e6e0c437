"""Tables of the journal, one definition for SQLite and PostgreSQL.

Every table has ``id`` (order of insertion), ``at`` (when, UTC) and ``run_id`` (the run that wrote it; null for an
operator's command). Rows are added, never changed (`live.journal.guards`). Columns and units: `live.journal.rows`
and docs/journal.md.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from live.journal import rows
from live.journal.columns import Float, Identifier, Json, Utc

VERSION = 2
"""Version of the schema; `live.journal.migrate` brings earlier ones to it."""

metadata = sa.MetaData()


def _table(name: str, *columns: sa.schema.SchemaItem, run: bool = True) -> sa.Table:
    items: list[sa.schema.SchemaItem] = [
        sa.Column("id", Identifier, primary_key=True),
        sa.Column("at", Utc, nullable=False),
    ]
    if run:
        items.append(sa.Column("run_id", Identifier, sa.ForeignKey("runs.id")))
    return sa.Table(name, metadata, *items, *columns)


def _text(name: str, *more: Any, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, *more, nullable=False, **options)


def _float(name: str, *, optional: bool = False) -> sa.Column[float]:
    return sa.Column(name, Float, nullable=optional)


def _number(name: str, *, optional: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=optional)


def _date(name: str = "session", *, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Date, nullable=optional)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False)


def _detail(name: str = "detail") -> sa.Column[Any]:
    return sa.Column(name, Json, nullable=False)


# Words that may grow, like stages, are checked where rows are made: SQLite cannot change a constraint.
_SIDES = f"side IN {rows.SIDES}"


schema_versions = _table("schema_versions", _number("version"), sa.UniqueConstraint("version"), run=False)
identity = _table("identity", _text("mode"), _text("account"), run=False)
runs = _table(
    "runs",
    _text("strategy"),
    _text("config_digest"),
    _text("code"),
    _number("pid"),
    _text("host"),
    _number("client_id"),
    _flag("armed"),
    _detail(),
    run=False,
)
run_ends = _table("run_ends", _text("reason"), sa.UniqueConstraint("run_id"))
rebalances = _table(
    "rebalances",
    _text("rebalance_id", unique=True),
    _date(),
    _text("strategy"),
    _text("config_digest"),
    _text("reason"),
    _float("nav_usd", optional=True),
    _float("cash_usd", optional=True),
    _float("capital_usd", optional=True),
    _detail(),
)
rebalance_ends = _table(
    "rebalance_ends",
    _text("rebalance_id", sa.ForeignKey("rebalances.rebalance_id"), unique=True),
    _text("outcome"),
    _detail(),
)
decisions = _table(
    "decisions",
    _text("rebalance_id", sa.ForeignKey("rebalances.rebalance_id"), index=True),
    _text("symbol"),
    _number("con_id"),
    _float("target_weight"),
    _float("target_shares"),
    _float("held_shares"),
    _float("working_shares"),
    _float("delta_shares"),
    _float("price", optional=True),
    _text("outcome"),
    _text("reason"),
    _text("ref"),
    _detail(),
)
intents = _table(
    "intents",
    _text("ref", unique=True),
    _number("con_id"),
    _text("symbol"),
    _text("side"),
    _number("quantity"),
    _text("order_type"),
    _text("tif"),
    _date(),
    _number("order_id"),
    _number("client_id"),
    sa.Column("rebalance_id", sa.Text, sa.ForeignKey("rebalances.rebalance_id"), index=True),
    _float("decision_price", optional=True),
    _text("purpose", server_default="rebalance"),
    _float("limit_price", optional=True),
    _float("stop_price", optional=True),
    _text("good_till"),
    _text("oca_group"),
    _number("parent_id"),
    _flag("transmit"),
    _flag("outside_hours"),
    _text("algo"),
    _detail("algo_params"),
    sa.CheckConstraint(_SIDES),
    sa.CheckConstraint("quantity > 0"),
)
stages = _table(
    "stages",
    _text("ref", sa.ForeignKey("intents.ref"), index=True),
    _text("stage"),
    _text("reason"),
)
wire_events = _table(
    "wire_events",
    _text("kind"),
    _number("seq", optional=True),
    _text("ref", index=True),
    _number("order_id", optional=True),
    _number("client_id", optional=True),
    _number("perm_id", optional=True),
    _number("code", optional=True),
    _text("status"),
    _float("filled", optional=True),
    _float("remaining", optional=True),
    _float("average_price", optional=True),
    _text("text"),
    _detail(),
)
fills = _table(
    "fills",
    _text("root"),
    _number("revision"),
    _text("ref", index=True),
    sa.Column("con_id", sa.BigInteger, nullable=False, index=True),
    _text("symbol"),
    _text("side"),
    _float("shares"),
    _float("price"),
    sa.Column("traded_at", Utc, nullable=False),
    sa.Column("session", sa.Date, nullable=False, index=True),
    _number("order_id"),
    _number("client_id"),
    _number("perm_id"),
    _text("exchange"),
    _flag("replayed"),
    sa.CheckConstraint(_SIDES),
    sa.CheckConstraint("shares >= 0"),
    sa.UniqueConstraint("root", "revision"),
)
fees = _table(
    "fees",
    _text("root", index=True),
    _number("revision"),
    _float("amount"),
    _text("currency"),
    _float("realised_pnl", optional=True),
)
navs = _table(
    "navs",
    sa.Column("session", sa.Date, nullable=False, index=True),
    _text("kind"),
    _float("nav_usd"),
    _float("cash_usd", optional=True),
    _float("gross_usd", optional=True),
    _float("net_usd", optional=True),
    _text("source"),
)
regimes = _table("regimes", _date(), _text("raw"), _text("held"), _detail("inputs"))
flows = _table(
    "flows",
    _date(),
    _text("kind"),
    _float("amount_usd"),
    sa.Column("key", sa.Text, unique=True),
    _text("symbol"),
    _number("con_id", optional=True),
    _text("text"),
    sa.Column("names", Identifier, sa.ForeignKey("flows.id"), index=True),
)
alerts = _table(
    "alerts",
    _text("severity"),
    _text("code"),
    _text("message"),
    _date(optional=True),
    _text("symbol"),
    _text("ref"),
)
acknowledgements = _table(
    "acknowledgements",
    sa.Column("alert_id", Identifier, sa.ForeignKey("alerts.id"), nullable=False, unique=True),
    _text("who"),
    _text("note"),
)
reconciliations = _table("reconciliations", _text("trigger_name"), _flag("complete"), _number("found"))
differences = _table(
    "differences",
    sa.Column(
        "reconciliation_id", Identifier, sa.ForeignKey("reconciliations.id"), nullable=False, index=True
    ),
    _text("kind"),
    _text("symbol"),
    _number("con_id"),
    _float("journal_shares", optional=True),
    _float("gateway_shares", optional=True),
    _text("explanation"),
    _text("ref"),
)
adjustments = _table(
    "adjustments",
    sa.Column("con_id", sa.BigInteger, nullable=False, index=True),
    _text("symbol"),
    _text("kind"),
    _float("shares"),
    _float("before_shares"),
    _float("price", optional=True),
    _text("who"),
    _text("reason"),
    sa.Column("difference_id", Identifier, sa.ForeignKey("differences.id")),
)
halts = _table("halts", _text("level"), _text("who"), _text("reason"))
heartbeats = _table("heartbeats", _text("state"), _number("pid"), _date(optional=True))

TABLE_OF: dict[type[rows.Row], sa.Table] = {
    rows.Run: runs,
    rows.Rebalance: rebalances,
    rows.Decision: decisions,
    rows.Intent: intents,
    rows.StageRow: stages,
    rows.WireEvent: wire_events,
    rows.Fill: fills,
    rows.Fee: fees,
    rows.Nav: navs,
    rows.RegimeRow: regimes,
    rows.CashFlow: flows,
    rows.Alert: alerts,
    rows.Adjustment: adjustments,
    rows.DifferenceRow: differences,
    rows.Halt: halts,
    rows.Heartbeat: heartbeats,
}
"""Which table holds which rows; a reconciliation writes two."""


def unique_keys(table: sa.Table) -> list[tuple[str, ...]]:
    """Sets of columns that are unique together, the primary key first."""
    found = [tuple(column.name for column in table.primary_key.columns)]
    for constraint in sorted(table.constraints, key=lambda c: str(c.name)):
        if isinstance(constraint, sa.UniqueConstraint):
            found.append(tuple(column.name for column in constraint.columns))
    found += [(index.columns[0].name,) for index in table.indexes if index.unique]
    return sorted(set(found), key=lambda names: (names != ("id",), names))
