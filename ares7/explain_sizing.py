"""From a target weight to an order of one name, step by step, by the rules of `ares7.orders` (rulings 3)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ares7.orders import target_shares

OUTCOMES = ("order", "unchanged", "below_minimum", "no_bar")


@dataclass(frozen=True, slots=True)
class Sizing:
    """How an order, or none, came of a target weight.

    Attributes
    ----------
    weight : float
        Fraction of NAV.
    nav, close : float
        USD, USD a share: what it was sized with.
    exact_shares : float
        ``weight * nav / close``.
    target_shares : float
        Whole shares where whole ones are traded.
    held_shares, working_shares : float
        Signed; what working orders may still trade counts as held.
    change : float
        ``target - held - working``; what would be ordered.
    minimum_usd : float
        Smaller changes are not traded, unless the target is 0 shares.
    outcome : str
        One of `OUTCOMES`.
    """

    weight: float
    nav: float
    close: float
    exact_shares: float
    target_shares: float
    held_shares: float
    working_shares: float
    change: float
    minimum_usd: float
    outcome: str

    @property
    def ordered(self) -> float:
        """Signed shares of the order; 0 without one."""
        return self.change if self.outcome == "order" else 0.0

    @property
    def rounded_usd(self) -> float:
        """USD that whole shares leave in cash."""
        return (self.exact_shares - self.target_shares) * self.close

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"ordered": self.ordered, "rounded_usd": self.rounded_usd}


def sizing(
    weight: float,
    nav: float,
    close: float,
    held: float,
    *,
    working: float = 0.0,
    bar: bool = True,
    whole: bool = True,
    min_trade_nav: float,
) -> Sizing:
    """Size one name.

    Parameters
    ----------
    weight : float
        Target, fraction of NAV.
    nav, close : float
        USD, USD a share; finite.
    held, working : float
        Signed shares.
    bar : bool
        The name traded in this session.
    whole : bool
    min_trade_nav : float
        Fraction of NAV.

    Returns
    -------
    Sizing
        With the order that `ares7.orders.decide_orders` makes.
    """
    target = float(target_shares(np.array([weight]), nav, np.array([close]), whole)[0])
    change = target - (held + working)
    minimum = min_trade_nav * nav
    if change == 0:
        outcome = "unchanged"
    elif not bar:
        outcome = "no_bar"
    elif abs(change) * close < minimum and target != 0:
        outcome = "below_minimum"
    else:
        outcome = "order"
    exact = weight * nav / close if weight > 0 else 0.0
    return Sizing(
        weight,
        nav,
        close,
        exact,
        target,
        held,
        working,
        change,
        minimum,
        outcome,
    )
