"""The exchange's day: opening auction, closing auction, expiry. Half days come from the calendar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from live.double.clock import Session, local
from live.double.market import Listing
from live.double.orders import Order
from live.double.working import auction_fill, seek

if TYPE_CHECKING:
    from live.double.engine import Engine


def opening(engine: Engine, session: Session) -> None:
    """Fill what waited for the open; market orders of the night and opening orders get the opening print."""
    for order in list(engine.live.values()):
        if order.waits or order.at_close or not order.live:
            continue
        bar = engine.market.bar(order.listing, session.date)
        if bar is None or engine.market.trading(order.listing) is None:
            if order.at_open:
                engine.end(order, "Cancelled", "No opening print")
            continue
        _open_one(engine, order, session, bar[0])


def _open_one(engine: Engine, order: Order, session: Session, price: float) -> None:
    if order.kind == "MKT" or (order.limit is not None and order.kind == "LMT" and _reaches(order, price)):
        auction_fill(engine, order, price)
    elif order.at_open:
        engine.end(order, "Cancelled", "Opening price outside the limit")
    else:
        if order.kind == "LMT" and order.status != "Submitted":
            order.status = "Submitted"
            engine.listener.order_changed(order)
        seek(engine, order, session)


def _reaches(order: Order, price: float) -> bool:
    limit = order.limit or 0.0
    return price <= limit if order.action == "BUY" else price >= limit


def closing(engine: Engine, session: Session) -> None:
    """Fill closing orders at the closing print; what is left of the day's orders expires."""
    for order in list(engine.live.values()):
        if not order.live or order.waits or not order.at_close:
            continue
        bar = engine.market.bar(order.listing, session.date)
        traded = bar is not None and order.listing.column not in engine.market.halted
        if bar is not None and traded and (order.kind == "MOC" or _reaches(order, bar[3])):
            auction_fill(engine, order, bar[3])
        else:
            engine.end(order, "Cancelled", "No closing print within the limit")
    for order in list(engine.live.values()):
        # Fills that are due now, or that the knobs delay past the close of an auction, are still to come.
        coming = any(timer.call is not None for timer in order.timers)
        if order.live and not coming and _expires(order, session):
            engine.end(order, "Cancelled", "Expired")


def _expires(order: Order, session: Session) -> bool:
    if order.placed_at >= session.closes or order.tif == "GTC":
        return False
    if order.tif == "GTD":
        until = str(order.raw.get("goodTillDate", ""))[:8]
        return until <= f"{local(session.closes):%Y%m%d}"
    return True


def resume(engine: Engine, listing: Listing) -> None:
    """Let the orders of a name that trades again look for their price."""
    session = engine.market.trading(listing)
    for order in list(engine.live.values()):
        ready = order.listing is listing and not (order.waits or order.at_open or order.at_close)
        if session is not None and order.live and ready:
            seek(engine, order, session)
