"""What the gateway's books say, as plain values that a test compares with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from live.double.account import mark
from live.double.orders import LIVE, Execution, Order

if TYPE_CHECKING:
    from live.double.server import Gateway


@dataclass(frozen=True, slots=True)
class BookOrder:
    """One order."""

    client_id: int
    order_id: int
    perm_id: int
    ref: str
    symbol: str
    action: str
    kind: str
    tif: str
    quantity: float
    filled: float
    average: float
    status: str
    account: str
    text: str


@dataclass(frozen=True, slots=True)
class BookExecution:
    """One execution, corrected where it was; ``time`` in seconds since 1970, ``realized`` None on openings."""

    exec_id: str
    ref: str
    perm_id: int
    symbol: str
    side: str
    shares: float
    price: float
    time: float
    fee: float
    realized: float | None
    account: str


@dataclass(frozen=True, slots=True)
class Book:
    """Everything at one moment.

    Attributes
    ----------
    now : float
        Virtual seconds since 1970.
    cash, equity : mapping of account to USD
    positions : mapping of account to mapping of symbol to shares
        Flat ones are left out.
    average_cost : mapping of account to mapping of symbol to USD
    """

    now: float
    orders: tuple[BookOrder, ...]
    executions: tuple[BookExecution, ...]
    cash: dict[str, float]
    equity: dict[str, float]
    positions: dict[str, dict[str, float]]
    average_cost: dict[str, dict[str, float]]

    @property
    def working(self) -> tuple[BookOrder, ...]:
        """Orders that can still fill."""
        return tuple(order for order in self.orders if order.status in LIVE)


def book(gateway: Gateway) -> Book:
    """Read the books; call it in the gateway's thread."""
    engine, market = gateway.engine, gateway.market
    owners = engine.accounts.values()
    held = {
        owner.name: [holding for holding in owner.holdings.values() if holding.quantity != 0]
        for owner in owners
    }
    equity = {
        owner.name: owner.values(lambda listing, owner=owner: mark(market, owner, listing))["NetLiquidation"]  # type: ignore[misc]
        for owner in owners
    }
    return Book(
        now=gateway.clock.now,
        orders=tuple(_order(order) for order in engine.every),
        executions=tuple(_execution(execution) for execution in engine.executions),
        cash={owner.name: owner.cash for owner in owners},
        equity=equity,
        positions={name: {h.listing.symbol: h.quantity for h in every} for name, every in held.items()},
        average_cost={
            name: {h.listing.symbol: h.average_cost for h in every} for name, every in held.items()
        },
    )


def _order(order: Order) -> BookOrder:
    return BookOrder(
        client_id=order.client_id,
        order_id=order.order_id,
        perm_id=order.perm_id,
        ref=order.ref,
        symbol=order.listing.symbol,
        action=order.action,
        kind=order.kind,
        tif=order.tif,
        quantity=order.quantity,
        filled=order.filled,
        average=order.average,
        status=order.status,
        account=order.account,
        text=order.ended_as,
    )


def _execution(done: Execution) -> BookExecution:
    return BookExecution(
        exec_id=done.exec_id,
        ref=done.order.ref,
        perm_id=done.order.perm_id,
        symbol=done.order.listing.symbol,
        side="BOT" if done.order.action == "BUY" else "SLD",
        shares=done.shares,
        price=done.price,
        time=done.time,
        fee=done.fee,
        realized=done.realized,
        account=done.order.account,
    )
