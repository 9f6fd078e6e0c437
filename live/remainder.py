"""The remainder policy: which shares are ordered again after the orders of a rebalance have ended. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from live.journal.rows import Decision, JournalOrder


def remainder(
    decisions: Iterable[Decision],
    orders: Iterable[JournalOrder],
    held: Mapping[int, float],
    working: Mapping[int, float],
    expired: Callable[[JournalOrder], bool],
) -> dict[int, float]:
    """Return signed whole shares by contract that bring positions nearer to what was decided.

    Never more than what the latest order of the name left unfilled, and never on the other side of the decision. An
    order that was rejected, or that somebody cancelled before it expired, is not repeated.

    Parameters
    ----------
    decisions : iterable of Decision
        Of one rebalance.
    orders : iterable of JournalOrder
        Of the same one, oldest first.
    held, working : mapping of contract id to signed shares
        Now.
    expired : callable
        Whether an order that ended without being filled ended because its time was over.
    """
    latest = {order.intent.con_id: order for order in orders}
    out = {}
    for decision in decisions:
        con_id = decision.con_id
        wanted = decision.target_shares - decision.held_shares - decision.working_shares
        left = _left(decision, latest.get(con_id), wanted, expired)
        missing = decision.target_shares - held.get(con_id, 0.0) - working.get(con_id, 0.0)
        if left <= 0 or missing * wanted <= 0:
            continue
        shares = math.floor(min(abs(missing), left))
        if shares:
            out[con_id] = math.copysign(shares, wanted)
    return out


def _left(
    decision: Decision, order: JournalOrder | None, wanted: float, expired: Callable[[JournalOrder], bool]
) -> float:
    """Shares of a name that may be ordered again."""
    if decision.outcome == "opposed":
        # Nothing was sent: an order on the other side had to be cancelled first.
        return abs(wanted) if order is None else _unfilled(order, expired)
    return 0.0 if order is None else _unfilled(order, expired)


def _unfilled(order: JournalOrder, expired: Callable[[JournalOrder], bool]) -> float:
    return order.intent.quantity - order.filled if order.is_done and expired(order) else 0.0
