"""Rare things that happen to orders: corrections, second incarnations, late fills, trades by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ares7.errors import ConfigError
from live.double.account import Account
from live.double.market import Listing
from live.double.orders import Execution, Order

if TYPE_CHECKING:
    from live.double.engine import Engine


def correct(engine: Engine, exec_id: str, price: float) -> Execution:
    """Replace an execution by one at another price, whose id ends one higher; the client is told.

    Raises
    ------
    ConfigError
        There is no such execution.
    """
    places = [i for i, execution in enumerate(engine.executions) if execution.exec_id == exec_id]
    if not places:
        raise ConfigError(f"the gateway has no execution {exec_id!r}; name one of its executions")
    old = engine.executions[places[0]]
    order, step = old.order, (price - old.price) * old.shares
    root, _, revision = exec_id.rpartition(".")
    order.value += step
    order.last_price = price
    new = replace(
        old,
        exec_id=f"{root}.{int(revision) + 1:02d}",
        price=price,
        average=old.average + step / old.cumulative,
    )
    engine.executions[places[0]] = order.executions[order.executions.index(old)] = new
    owner = engine.accounts[order.account]
    owner.cash -= order.sign * step
    held = owner.holding(order.listing)
    if held.quantity * order.sign > 0:
        held.average_cost += step / abs(held.quantity)
    engine.listener.executed(new)
    engine.listener.commission(new)
    engine.listener.position_changed(owner, order.listing)
    return new


def duplicate(engine: Engine, order: Order) -> Order:
    """Bring an order to life a second time, unfilled, under another permanent id and the same reference."""
    twin = replace(
        order,
        perm_id=engine.new_perm_id(),
        status="PreSubmitted",
        filled=0.0,
        value=0.0,
        fee=0.0,
        timers=[],
        executions=[],
        ended_at=0.0,
        ended_as="",
    )
    engine.revive(twin)
    return twin


def fill_done(engine: Engine, order: Order, shares: float, price: float) -> Execution:
    """Fill an order that is cancelled or expired: the fill overtook that on the exchange."""
    done = engine.book(order, shares, price, order.listing.exchange)
    if order.remaining == 0:
        order.status, order.ended_as = "Filled", f"Filled Size: {order.filled:.0f}"
    engine.listener.executed(done)
    engine.listener.order_changed(order)
    engine.listener.commission(done)
    engine.listener.position_changed(engine.accounts[order.account], order.listing)
    return done


def by_hand(engine: Engine, owner: Account, listing: Listing, shares: float, price: float) -> Order:
    """Trade as a person does in TWS: order id and client id 0, no reference; filled at once."""
    order = Order(
        order_id=0,
        client_id=0,
        perm_id=engine.new_perm_id(),
        listing=listing,
        account=owner.name,
        action="BUY" if shares > 0 else "SELL",
        quantity=abs(shares),
        kind="MKT",
        limit=None,
        stop=None,
        tif="DAY",
        oca="",
        parent_id=0,
        ref="",
        transmit=True,
        raw={},
        placed_at=engine.clock.now,
        waits=True,
    )
    engine.revive(order)
    order.waits = False
    engine.fill(order, abs(shares), price)
    return order
