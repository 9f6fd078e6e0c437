"""Views for people and for the reader, in the SQL that SQLite and PostgreSQL share."""

from __future__ import annotations

import sqlalchemy as sa

from live.journal.rows import DONE, IGNORE, SHARE_DIGITS


def _rounded(sum_of: str) -> str:
    # PostgreSQL rounds decimals only, to a number of places.
    total = f"SUM({sum_of})"
    return f"CAST(ROUND(CAST({total} AS NUMERIC), {SHARE_DIGITS}) AS DOUBLE PRECISION)"


_DONE = ", ".join(f"'{stage}'" for stage in DONE)
_SIGNED = "CASE side WHEN 'BUY' THEN shares ELSE -shares END"


VIEWS: dict[str, str] = {
    # What counts of each execution: its highest revision.
    "v_fills": """
        SELECT f.* FROM fills f
        WHERE NOT EXISTS (SELECT 1 FROM fills g WHERE g.root = f.root AND g.revision > f.revision)
    """,
    "v_fees": """
        SELECT e.* FROM fees e
        WHERE NOT EXISTS (
            SELECT 1 FROM fees g
            WHERE g.root = e.root AND (g.revision > e.revision OR (g.revision = e.revision AND g.id > e.id))
        )
    """,
    "v_stages": """
        SELECT s.* FROM stages s WHERE NOT EXISTS (SELECT 1 FROM stages t WHERE t.ref = s.ref AND t.id > s.id)
    """,
    "v_filled": f"""
        SELECT f.ref AS ref, {_rounded("f.shares")} AS filled,
            CASE WHEN SUM(f.shares) > 0 THEN SUM(f.shares * f.price) / SUM(f.shares) END AS average_price,
            CASE WHEN COUNT(*) = COUNT(e.amount) THEN SUM(e.amount) END AS fee_usd
        FROM v_fills f LEFT JOIN v_fees e ON e.root = f.root AND e.currency = 'USD'
        WHERE f.ref <> '' GROUP BY f.ref
    """,  # noqa: S608 - words of our own
    "v_orders": f"""
        SELECT i.id, i.at, i.run_id, i.ref, i.con_id, i.symbol, i.side, i.quantity, i.order_type, i.tif, i.session,
            i.order_id, i.client_id, i.rebalance_id, i.decision_price, i.purpose, i.limit_price, i.stop_price,
            i.good_till, i.oca_group, i.parent_id, i.transmit, i.outside_hours, i.algo, i.algo_params,
            COALESCE(s.stage, 'intent') AS stage, s.at AS stage_at, COALESCE(s.reason, '') AS stage_reason,
            COALESCE(x.filled, 0) AS filled, x.average_price, x.fee_usd,
            CASE WHEN s.stage IN ({_DONE}) THEN 1 WHEN x.filled >= i.quantity THEN 1 ELSE 0 END AS done
        FROM intents i LEFT JOIN v_stages s ON s.ref = i.ref LEFT JOIN v_filled x ON x.ref = i.ref
    """,  # noqa: S608 - words of our own
    # Ours only: executions of journalled orders, and what the operator adopted or accepted.
    "v_positions": f"""
        SELECT con_id, MAX(symbol) AS symbol, {_rounded("shares")} AS shares
        FROM (
            SELECT con_id, symbol, {_SIGNED} AS shares FROM v_fills WHERE ref IN (SELECT ref FROM intents)
            UNION ALL
            SELECT con_id, symbol, shares FROM adjustments WHERE kind <> '{IGNORE}'
        ) AS moves
        GROUP BY con_id HAVING {_rounded("shares")} <> 0
    """,  # noqa: S608 - words of our own
    "v_flows": """
        SELECT f.id, f.at, f.run_id, f.session, COALESCE(n.kind, f.kind) AS kind, f.amount_usd, f.key, f.symbol,
            f.con_id, COALESCE(n.text, f.text) AS text
        FROM flows f
        LEFT JOIN flows n ON n.id = (SELECT MAX(m.id) FROM flows m WHERE m.names = f.id)
        WHERE f.names IS NULL
    """,
    "v_nav": """
        SELECT n.session, n.nav_usd, n.cash_usd, n.gross_usd, n.net_usd, n.source, n.at,
            COALESCE((SELECT SUM(f.amount_usd) FROM v_flows f WHERE f.session = n.session), 0) AS flow_usd
        FROM navs n
        WHERE n.id = (SELECT MAX(m.id) FROM navs m WHERE m.session = n.session AND m.kind = 'close')
    """,
    "v_trades": """
        SELECT f.session, f.traded_at, f.symbol, f.con_id, f.side, f.shares, f.price,
            f.shares * f.price AS notional_usd, e.amount AS fee_usd, f.ref, i.rebalance_id, i.decision_price,
            CASE WHEN i.decision_price > 0 THEN 10000.0 * (f.price - i.decision_price) / i.decision_price
                * CASE f.side WHEN 'BUY' THEN 1 ELSE -1 END END AS shortfall_bps,
            CASE WHEN i.ref IS NULL THEN 0 ELSE 1 END AS ours, f.root, f.revision
        FROM v_fills f
        LEFT JOIN intents i ON i.ref = f.ref
        LEFT JOIN v_fees e ON e.root = f.root AND e.currency = 'USD'
        WHERE f.shares > 0
    """,
}
"""SQL of each view, in an order in which they can be made."""


def drop_views(connection: sa.Connection) -> None:
    """Drop all views that there are, so that tables can change."""
    for name in reversed(VIEWS):
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")


def create_views(connection: sa.Connection) -> None:
    """Make all views."""
    for name, text in VIEWS.items():
        connection.exec_driver_sql(f"CREATE VIEW {name} AS {text}")
