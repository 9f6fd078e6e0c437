"""What is ours, added up from executions and from what the operator adopted, accepted or set aside."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from live.journal.rows import IGNORE, SHARE_DIGITS, JournalPosition
from live.journal.schema import adjustments, intents
from live.journal.view_tables import V_FILLS


def positions_of(connection: sa.Connection, con_id: int | None = None) -> dict[int, JournalPosition]:
    """Positions by contract, or that of one, flat ones left out; the symbol is the one used last."""
    signed = sa.case((V_FILLS.c.side == "BUY", V_FILLS.c.shares), else_=-V_FILLS.c.shares)
    moves = [
        sa.select(V_FILLS.c.traded_at, V_FILLS.c.con_id, V_FILLS.c.symbol, signed).where(
            V_FILLS.c.ref.in_(sa.select(intents.c.ref))
        ),
        sa.select(adjustments.c.at, adjustments.c.con_id, adjustments.c.symbol, adjustments.c.shares).where(
            adjustments.c.kind != IGNORE
        ),
    ]
    moved = [row for select in moves for row in connection.execute(_of(select, con_id))]
    symbols = {contract: symbol for _, contract, symbol, _ in sorted(moved, key=lambda row: row[0])}
    totals = added_up((contract, shares) for _, contract, _, shares in moved)
    return {contract: JournalPosition(contract, symbols[contract], held) for contract, held in totals.items()}


def ignored_of(connection: sa.Connection, con_id: int | None = None) -> dict[int, float]:
    """Shares by contract, or of one, that were set aside."""
    aside = sa.select(adjustments.c.con_id, adjustments.c.shares).where(adjustments.c.kind == IGNORE)
    return added_up((contract, shares) for contract, shares in connection.execute(_of(aside, con_id)))


def _of(select: sa.Select[Any], con_id: int | None) -> sa.Select[Any]:
    return select if con_id is None else select.where(select.selected_columns.con_id == con_id)


def added_up(moves: Iterable[tuple[int, float]]) -> dict[int, float]:
    """Sum of signed shares by contract, without those that come to nothing.

    The sum does not depend on the order, and is rounded to `SHARE_DIGITS` decimals.
    """
    parts: dict[int, list[float]] = defaultdict(list)
    for con_id, shares in moves:
        parts[con_id].append(shares)
    totals = {con_id: round(math.fsum(found), SHARE_DIGITS) for con_id, found in sorted(parts.items())}
    return {con_id: total for con_id, total in totals.items() if total}
