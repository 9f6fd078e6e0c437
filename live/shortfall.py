"""Implementation shortfall: what trading cost against the price at the decision.

Source: Perold, "The implementation shortfall: paper versus reality", J. of Portfolio Management 14(3), 1988. The paper
portfolio holds what was decided from the decision price on; the real one holds what was filled, at its price, less
fees. Their difference at the end is the shortfall; it is taken apart into delay, execution, fees and opportunity, which
add up to it. A cost is positive.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ares7.errors import DataError
from live.journal.rows import JournalOrder

SHARES_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """What became of one order.

    Attributes
    ----------
    ref : str
    session : date
        Of the decision.
    symbol : str
    quantity : float
        Signed shares that were decided.
    decision_price : float
        Traded close it was sized with, USD a share.
    filled : float
        Signed shares; towards ``quantity``, and possibly beyond it.
    average_price : float or None
        USD a share; None without a fill.
    fee_usd : float or None
        None while one is not known.
    arrival_price : float or None
        Market price when the order reached the market (the open, for an opening order), USD a share.
    end_price : float or None
        Price at which what was not filled is valued: the close of the session in which the order ended.
    stage : str
        filled, cancelled, rejected, expired, working, ...
    reason : str
        Of its stage.
    """

    ref: str
    session: dt.date
    symbol: str
    quantity: float
    decision_price: float
    filled: float
    average_price: float | None
    fee_usd: float | None
    arrival_price: float | None = None
    end_price: float | None = None
    stage: str = ""
    reason: str = ""

    @classmethod
    def of(
        cls, order: JournalOrder, arrival_price: float | None = None, end_price: float | None = None
    ) -> OrderRecord:
        """Make the record of a journalled order.

        Raises
        ------
        DataError
            It has no decision price: it was not decided by a strategy, and has no shortfall.
        """
        intent = order.intent
        if intent.decision_price is None:
            raise DataError(
                f"order {intent.ref} ({intent.purpose}) has no decision price, so it has no shortfall"
            )
        return cls(
            intent.ref,
            intent.session,
            intent.symbol,
            float(intent.sign * intent.quantity),
            intent.decision_price,
            intent.sign * order.filled,
            order.average_price,
            order.fee_usd if order.filled else 0.0,
            arrival_price,
            end_price,
            order.stage,
            order.reason,
        )

    @property
    def unfilled(self) -> float:
        """Signed shares that were decided and not filled."""
        return self.quantity - self.filled


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Shortfall of one order; costs in USD are positive. What is not known is None.

    Attributes
    ----------
    order : OrderRecord
    delay_usd : float or None
        From the decision to the arrival, on what was filled; None without an arrival price.
    execution_usd : float
        From the arrival to the fill; from the decision where the arrival is not known.
    fees_usd : float or None
    opportunity_usd : float or None
        What the unfilled part would have earned from the decision to the end; None while its end is not known.
    """

    order: OrderRecord
    delay_usd: float | None
    execution_usd: float
    fees_usd: float | None
    opportunity_usd: float | None

    @property
    def total_usd(self) -> float | None:
        """Sum of the parts; None while fees or the end are not known."""
        if self.fees_usd is None or self.opportunity_usd is None:
            return None
        return math.fsum((self.delay_usd or 0.0, self.execution_usd, self.fees_usd, self.opportunity_usd))

    @property
    def notional_usd(self) -> float:
        """What was decided, at the decision price."""
        return abs(self.order.quantity) * self.order.decision_price

    @property
    def total_bps(self) -> float | None:
        """Total in basis points of what was decided."""
        return bps(self.total_usd, self.notional_usd)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            **asdict(self.order),
            "delay_usd": self.delay_usd,
            "execution_usd": self.execution_usd,
            "fees_usd": self.fees_usd,
            "opportunity_usd": self.opportunity_usd,
            "total_usd": self.total_usd,
            "notional_usd": self.notional_usd,
            "total_bps": self.total_bps,
        }


def bps(cost_usd: float | None, notional_usd: float) -> float | None:
    """Cost in basis points of a notional; None where either is not there."""
    return None if cost_usd is None or notional_usd <= 0 else 1e4 * cost_usd / notional_usd


def shortfall(order: OrderRecord) -> Shortfall:
    """Take the shortfall of one order apart.

    Raises
    ------
    DataError
        A price is no positive number, or there are shares without a price: a cost of 0 would be invented.
    """
    _require_prices(order)
    decision, filled = order.decision_price, order.filled
    price = decision if order.average_price is None else order.average_price
    arrival = order.arrival_price
    delay = None if arrival is None else filled * (arrival - decision)
    execution = filled * (price - (decision if arrival is None else arrival))
    opportunity: float | None = 0.0
    if abs(order.unfilled) > SHARES_TINY:
        opportunity = None if order.end_price is None else order.unfilled * (order.end_price - decision)
    return Shortfall(order, delay, execution, order.fee_usd, opportunity)


def _require_prices(order: OrderRecord) -> None:
    given = {
        "decision price": order.decision_price,
        "average price": order.average_price,
        "arrival price": order.arrival_price,
        "end price": order.end_price,
    }
    for name, value in given.items():
        if value is not None and not (math.isfinite(value) and value > 0):
            raise DataError(f"order {order.ref} of {order.symbol}: {name} {value} is no positive number")
    if order.filled and order.average_price is None:
        raise DataError(
            f"order {order.ref} of {order.symbol}: {order.filled:g} shares were filled without a price"
        )


@dataclass(frozen=True, slots=True)
class SessionShortfall:
    """Shortfall of the orders of one decision session.

    Attributes
    ----------
    session : date
    orders : tuple of Shortfall
        Largest known cost first.
    """

    session: dt.date
    orders: tuple[Shortfall, ...]

    def total(self, part: str) -> float | None:
        """Sum over the orders of ``delay_usd``, ``execution_usd``, ...; None while one order's is not known.

        A delay that is not known counts as 0, because it is in the execution then.
        """
        values = [getattr(order, part) for order in self.orders]
        if part == "delay_usd":
            values = [value or 0.0 for value in values]
        return None if any(value is None for value in values) else math.fsum(values)

    def counts(self) -> dict[str, int]:
        """Orders by what became of them."""
        orders = [s.order for s in self.orders]
        return {
            "orders": len(orders),
            "filled": sum(abs(o.unfilled) <= SHARES_TINY for o in orders),
            "partly_filled": sum(o.filled != 0 and abs(o.unfilled) > SHARES_TINY for o in orders),
            "unfilled": sum(o.filled == 0 for o in orders),
            "rejected": sum(o.stage == "rejected" for o in orders),
            "fees_unknown": sum(o.fee_usd is None for o in orders),
            "arrival_unknown": sum(o.arrival_price is None for o in orders),
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain values: totals in USD and basis points, counts, orders."""
        notional = math.fsum(order.notional_usd for order in self.orders)
        parts = ("delay_usd", "execution_usd", "fees_usd", "opportunity_usd", "total_usd")
        totals = {part: self.total(part) for part in parts}
        return {
            "session": str(self.session),
            "notional_usd": notional,
            **totals,
            **{part.replace("_usd", "_bps"): bps(value, notional) for part, value in totals.items()},
            "counts": self.counts(),
            "orders": [order.to_dict() for order in self.orders],
        }


def by_session(orders: Iterable[OrderRecord]) -> list[SessionShortfall]:
    """Shortfalls by decision session, oldest first.

    Raises
    ------
    DataError
        As `shortfall`.
    """
    found: dict[dt.date, list[Shortfall]] = {}
    for order in orders:
        found.setdefault(order.session, []).append(shortfall(order))
    return [SessionShortfall(day, _sorted(found[day])) for day in sorted(found)]


def _sorted(orders: Sequence[Shortfall]) -> tuple[Shortfall, ...]:
    def key(s: Shortfall) -> tuple[float, str]:
        return -abs(s.total_usd) if s.total_usd is not None else 0.0, s.order.ref

    return tuple(sorted(orders, key=key))
