"""What a limit is asked about: an order, the account that it would change, and the answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

UNKNOWN = math.nan


@dataclass(frozen=True, slots=True)
class Name:
    """What is known of a security. What is not known stays NaN or empty, and refuses what would need it.

    Attributes
    ----------
    close : USD a share
        Last close, in the units in which the shares are counted.
    age_sessions : float
        Sessions since that close; 0 for the latest session.
    volume : float
        Mean daily volume in shares of the same units.
    sector : str
        Empty if unknown; a fund needs none.
    fund : bool
        Traded as one security that holds many: the limits for funds apply.
    """

    close: float = UNKNOWN
    age_sessions: float = UNKNOWN
    volume: float = UNKNOWN
    sector: str = ""
    fund: bool = False


@dataclass(frozen=True, slots=True)
class Working:
    """Shares of a name in orders that may still fill, both sides as positive numbers."""

    buys: float = 0.0
    sells: float = 0.0


@dataclass(frozen=True, slots=True)
class AccountView:
    """The account at the moment at which an order is about to be sent.

    Attributes
    ----------
    nav : USD
    cash : USD
        That may be spent, before working orders.
    names : mapping of symbol to Name
    positions : mapping of symbol to signed shares
    working : mapping of symbol to Working
    orders_today : int
        Sent in this session so far.
    traded_usd : USD
        Notional of the orders of this rebalance so far, both sides, filled or working.
    previous_nav : USD
        NAV of the previous close, plus deposits and less withdrawals since; on the first session that at its start.
    peak_nav : USD
        The highest NAV of a close, corrected for deposits and withdrawals since.
    """

    nav: float
    cash: float
    names: Mapping[str, Name]
    positions: Mapping[str, float] = field(default_factory=dict)
    working: Mapping[str, Working] = field(default_factory=dict)
    orders_today: int = 0
    traded_usd: float = 0.0
    previous_nav: float = UNKNOWN
    peak_nav: float = UNKNOWN


@dataclass(frozen=True, slots=True)
class ProposedOrder:
    """An order that has not been sent.

    Attributes
    ----------
    symbol : str
    quantity : float
        Signed shares; negative sells.
    limit_price : USD a share or None
        None for an order at the market.
    quote : USD a share or None
        The latest price, if there is one later than the close; None if nobody asked for it.
    """

    symbol: str
    quantity: float
    limit_price: float | None = None
    quote: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an order may be sent.

    Attributes
    ----------
    allowed : bool
    code : str
        ``within``, ``reduces``, or the limit that refuses.
    reason : str
        One sentence: what, where, limit, remedy; empty if allowed.
    limit, value : float
        What is allowed and what the order would make of it; NaN where there is no such number.
    """

    allowed: bool
    code: str
    reason: str = ""
    limit: float = math.nan
    value: float = math.nan


WITHIN = Verdict(True, "within")
REDUCES = Verdict(True, "reduces")


def reduces_exposure(quantity: float, position: float, working: Working) -> bool:
    """Whether an order can only bring a position nearer to zero, whatever of the working ones fills.

    A sale of at most what is held long and not already being sold, or a purchase of at most what is short and not
    already being bought. Working orders on the other side do not count: they may never fill. A position that is not
    known is not reduced by anything.

    Parameters
    ----------
    quantity : signed shares
    position : signed shares held
    working : Working
    """
    if not (math.isfinite(quantity) and math.isfinite(position)):
        return False
    if quantity < 0 < position:
        return -quantity <= position - working.sells
    if quantity > 0 > position:
        return quantity <= -position - working.buys
    return False
