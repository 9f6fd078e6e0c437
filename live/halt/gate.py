"""What may be sent under a halt: asked right before each order goes to the socket, together with the limits."""

from __future__ import annotations

from ares7.limits import AccountView, Limits, ProposedOrder, Verdict, Working
from ares7.limits.view import REDUCES, WITHIN, reduces_exposure
from live.halt.level import HaltLevel
from live.halt.switch import HaltStanding


def halt_verdict(
    standing: HaltStanding, order: ProposedOrder, view: AccountView, *, flattening: bool = False
) -> Verdict:
    """Judge an order by the halt alone.

    Parameters
    ----------
    standing : HaltStanding
    order : ProposedOrder
    view : AccountView
        Only positions and working orders are read.
    flattening : bool
        The order comes out of `live.halt.flatten.flatten_plan`.

    Returns
    -------
    Verdict
        Code ``halt`` if it is refused; ``value`` is the level.
    """
    level = standing.level
    if level is HaltLevel.NONE:
        return WITHIN
    reduces = reduces_exposure(
        order.quantity, view.positions.get(order.symbol, 0.0), view.working.get(order.symbol, Working())
    )
    if reduces and (level is HaltLevel.BLOCK_NEW or (level is HaltLevel.FLATTEN and flattening)):
        return REDUCES
    reason = (
        f"order of {order.quantity:g} {order.symbol}: trading is halted at {standing.describe()}; "
        "run 'python run.py resume' once the cause is gone"
    )
    return Verdict(False, "halt", reason, float(HaltLevel.NONE), float(level))


def verdict(
    standing: HaltStanding,
    limits: Limits,
    order: ProposedOrder,
    view: AccountView,
    *,
    flattening: bool = False,
) -> Verdict:
    """Judge an order by the halt, then by the limits.

    Returns
    -------
    Verdict
        The first refusal.
    """
    halted = halt_verdict(standing, order, view, flattening=flattening)
    return limits.check(order, view) if halted.allowed else halted
