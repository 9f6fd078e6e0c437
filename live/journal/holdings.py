"""What is ours, added up from executions and from what the operator adopted, accepted or set aside."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Iterable

import sqlalchemy as sa

from live.journal.columns import to_row
from live.journal.rows import IGNORE, SHARE_DIGITS, Adjustment, Fill, JournalPosition
from live.journal.schema import adjustments, intents
from live.journal.view_tables import V_FILLS

EVER = dt.datetime.min.replace(tzinfo=dt.UTC)


def positions_of(connection: sa.Connection) -> dict[int, JournalPosition]:
    """Positions by contract, flat ones left out; the symbol is the one used last."""
    ours = sa.select(V_FILLS).where(V_FILLS.c.ref.in_(sa.select(intents.c.ref)))
    fills = [to_row(Fill, dict(found)) for found in connection.execute(ours).mappings()]
    taken = [row for row in _adjustments(connection) if row.kind != IGNORE]
    names = [(fill.traded_at, fill.con_id, fill.symbol) for fill in fills]
    names += [(row.at or EVER, row.con_id, row.symbol) for row in taken]
    symbols = {con_id: symbol for _, con_id, symbol in sorted(names)}
    moves = [(fill.con_id, fill.signed_shares) for fill in fills]
    totals = added_up(moves + [(row.con_id, row.shares) for row in taken])
    return {con_id: JournalPosition(con_id, symbols[con_id], shares) for con_id, shares in totals.items()}


def ignored_of(connection: sa.Connection) -> dict[int, float]:
    """Shares by contract that were set aside."""
    return added_up((row.con_id, row.shares) for row in _adjustments(connection) if row.kind == IGNORE)


def added_up(moves: Iterable[tuple[int, float]]) -> dict[int, float]:
    """Sum of signed shares by contract, without those that come to nothing.

    The sum does not depend on the order, and is rounded to `SHARE_DIGITS` decimals.
    """
    parts: dict[int, list[float]] = defaultdict(list)
    for con_id, shares in moves:
        parts[con_id].append(shares)
    totals = {con_id: round(math.fsum(found), SHARE_DIGITS) for con_id, found in sorted(parts.items())}
    return {con_id: total for con_id, total in totals.items() if total}


def _adjustments(connection: sa.Connection) -> list[Adjustment]:
    found = connection.execute(sa.select(adjustments).order_by(adjustments.c.id)).mappings()
    return [to_row(Adjustment, dict(row)) for row in found]
