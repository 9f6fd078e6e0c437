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
    *,
    unsent: bool = False,
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
    unsent : bool
        An interruption kept orders of the rebalance from being sent: those that were decided and are not among
        ``orders`` count as left.
    """
    latest = {order.intent.con_id: order for order in orders}
    out = {}
    for decision in decisions:
        con_id = decision.con_id
        wanted = decision.target_shares - decision.held_shares - decision.working_shares
        waits = decision.outcome == "opposed" or (unsent and decision.outcome == "order")
        order = latest.get(con_id)
        left = _unfilled(order, expired) if order is not None else abs(wanted) if waits else 0.0
        missing = decision.target_shares - held.get(con_id, 0.0) - working.get(con_id, 0.0)
        if left <= 0 or missing * wanted <= 0:
            continue
        shares = math.floor(min(abs(missing), left))
        if shares:
            out[con_id] = math.copysign(shares, wanted)
    return out


def _unfilled(order: JournalOrder, expired: Callable[[JournalOrder], bool]) -> float:
    return order.intent.quantity - order.filled if order.is_done and expired(order) else 0.0
