"""Cash and positions: the gateway's at the last synchronisation, and every execution since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import backtrader as bt

from live.order_state import Booking


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
    """Positions by contract id, and cash in USD."""

    cash: float = 0.0
    positions: dict[int, bt.Position] = field(default_factory=dict)

    def adopt(self, cash: float, positions: Mapping[int, tuple[float, float]]) -> None:
        """Replace everything by what the gateway says: shares and average cost by contract."""
        self.cash = cash
        self.positions = {
            con_id: bt.Position(shares, cost) for con_id, (shares, cost) in positions.items() if shares
        }

    def adopt_position(self, con_id: int, shares: float, cost: float) -> None:
        """Replace one position by what the gateway says."""
        self.positions.pop(con_id, None)
        if shares:
            self.positions[con_id] = bt.Position(shares, cost)

    def shares(self, con_id: int) -> float:
        """Signed shares of a contract."""
        held = self.positions.get(con_id)
        return 0.0 if held is None else float(held.size)

    def book(self, booking: Booking) -> Moved:
        """Apply an execution or its correction; fees are charged apart."""
        self.cash += booking.cash
        position = self.positions.setdefault(booking.con_id, bt.Position())
        before = position.price
        if booking.corrects and position.size * booking.sign > 0:
            moved = _revise(position, booking)
        else:
            moved = _trade(position, booking)
        if position.size == 0:
            del self.positions[booking.con_id]
        return Moved(position.size, position.price, *moved, before)

    def charge(self, fee: float) -> None:
        """Take a fee, or give back part of one that was corrected."""
        self.cash -= fee


def _trade(position: bt.Position, booking: Booking) -> tuple[float, float]:
    """Opened and closed shares of an execution. A corrected price of a closed position moves cash only."""
    if booking.shares == 0:
        return 0.0, 0.0
    _, _, opened, closed = position.update(booking.shares, booking.price)
    return opened, closed


def _revise(position: bt.Position, booking: Booking) -> tuple[float, float]:
    """Correct a position that the execution opened: its average price as if it had been right from the start."""
    size = position.size + booking.shares
    if size * booking.sign <= 0:
        return _trade(position, booking)
    value = position.size * position.price - booking.cash
    position.set(size, value / size)
    changed = booking.shares
    return (changed, 0.0) if changed * booking.sign > 0 else (0.0, changed)
