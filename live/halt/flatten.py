"""Flattening: which orders close what our journal bought, given what the gateway says is there.

Pure and idempotent: asked again after any of its orders was sent, filled in part, filled or lost, it asks for what is
still missing and never for more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Placed:
    """A working order as the gateway tells it.

    Attributes
    ----------
    ref : str
        Empty for an order that is not ours.
    con_id : int
    quantity : float
        Signed shares that may still fill.
    closing : bool
        It was sent to flatten.
    """

    ref: str
    con_id: int
    quantity: float
    closing: bool = False


@dataclass(frozen=True, slots=True)
class ClosingOrder:
    """An order that closes: signed whole shares of a contract."""

    con_id: int
    quantity: float


@dataclass(frozen=True, slots=True)
class FlattenPlan:
    """What is to be done now.

    Attributes
    ----------
    cancel : tuple of str
        References of our working orders that do not close.
    orders : tuple of ClosingOrder
        By contract id.
    problems : tuple of str
        What cannot be closed, and why.
    """

    cancel: tuple[str, ...]
    orders: tuple[ClosingOrder, ...]
    problems: tuple[str, ...]

    @property
    def done(self) -> bool:
        """Nothing is left to do but to wait for orders that work already."""
        return not self.cancel and not self.orders


def flatten_plan(
    ours: Mapping[int, float], broker: Mapping[int, float], placed: Iterable[Placed]
) -> FlattenPlan:
    """Say what to cancel and what to send.

    A working order counts as filled if it closes and as never filled if it opens, so that whatever happens to it the
    orders asked for here bring no position beyond zero and touch no share that is not ours. Once it is cancelled or
    filled, the next call asks for the rest. All three must be of one moment, or ``placed`` the oldest: an order that
    has vanished from it while its fill is in neither of the others would be sent again.

    Parameters
    ----------
    ours : mapping of contract id to signed shares
        Bought or sold short by our own journal, or adopted.
    broker : mapping of contract id to signed shares
        What the account holds, by the gateway.
    placed : iterable of Placed
        Every working order of the account, those of others too.

    Returns
    -------
    FlattenPlan
    """
    working = tuple(placed)
    orders, problems = [], []
    for con_id in sorted(ours):
        quantity, problem = _closing(ours[con_id], broker.get(con_id, 0.0), con_id, working)
        if quantity:
            orders.append(ClosingOrder(con_id, quantity))
        if problem:
            problems.append(problem)
    cancel = tuple(sorted(order.ref for order in working if order.ref and not order.closing))
    return FlattenPlan(cancel, tuple(orders), tuple(problems))


def _closing(owned: float, held: float, con_id: int, working: tuple[Placed, ...]) -> tuple[float, str]:
    """Signed shares to send for one contract, and what is wrong with it."""
    on_it = [order for order in working if order.con_id == con_id]
    if not all(math.isfinite(shares) for shares in (owned, held, *(o.quantity for o in on_it))):
        return 0.0, f"contract {con_id}: its position or a working order is not known; close it by hand"
    if owned == 0:
        return 0.0, ""
    side = 1.0 if owned > 0 else -1.0
    if held * side < owned * side:
        problem = f"contract {con_id}: the journal has {owned:g} shares and the account {held:g}; reconcile"
    else:
        problem = ""
    reducing = [order for order in on_it if order.quantity * side < 0]
    of_all = sum(abs(order.quantity) for order in reducing)
    of_ours = sum(abs(order.quantity) for order in reducing if order.ref)
    left = min(owned * side - of_ours, held * side - of_all)
    whole = math.floor(max(left, 0.0))
    if left - whole > 0 and not problem:
        problem = f"contract {con_id}: {left - whole:g} of a share remains; close it by hand"
    return -side * whole if whole else 0.0, problem
