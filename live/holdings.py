"""Cash and positions: the gateway's at the last synchronisation, and every execution since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import backtrader as bt

from live.order_book import Booking


@dataclass(frozen=True, slots=True)
class Moved:
    """What a booking did to a position, in shares and USD a share.

    Attributes
    ----------
    size, price : float
        Position and its average price afterwards.
    opened, closed : float
        Signed shares.
    price_before : float
        Average price before.
    """

    size: float
    price: float
    opened: float
    closed: float
    price_before: float


@dataclass(slots=True)
class Holdings:
    """Positions by contract id, and cash."""

    cash: float = 0.0
    positions: dict[int, bt.Position] = field(default_factory=dict)

    def adopt(self, cash: float, positions: Mapping[int, tuple[float, float]]) -> None:
        """Replace everything by what the gateway says: shares and average cost by contract."""
        self.cash = cash
        self.positions = {
            con_id: bt.Position(shares, cost) for con_id, (shares, cost) in positions.items() if shares
        }

    def book(self, booking: Booking) -> Moved:
        """Apply an execution or its correction; fees are charged apart."""
        self.cash += booking.cash
        position = self.positions.setdefault(booking.con_id, bt.Position())
        before = position.price
        if booking.shares == 0:
            return Moved(position.size, before, 0.0, 0.0, before)
        size, price, opened, closed = position.update(booking.shares, booking.price)
        if size == 0:
            del self.positions[booking.con_id]
        return Moved(size, price, opened, closed, before)

    def charge(self, fee: float) -> None:
        """Take a fee, or give back part of one that was corrected."""
        self.cash -= fee
