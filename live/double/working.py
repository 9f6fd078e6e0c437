"""What becomes of an accepted order: it fills at once, waits for a price, or waits for an auction."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from live.double.clock import ZONE, Session, local
from live.double.orders import Order

if TYPE_CHECKING:
    from live.double.engine import Engine


def work(engine: Engine, order: Order) -> None:
    """Announce a live order and let it fill now, at a price, or in an auction."""
    session = engine.market.trading(order.listing)
    waiting = order.waits or session is None or order.at_open or order.at_close
    order.status = "PreSubmitted" if waiting or order.kind in ("MKT", "STP", "STP LMT") else "Submitted"
    engine.listener.order_changed(order, status=waiting or not engine.knobs.skip_status)
    if order.waits:
        return
    if session is None and not order.at_close and not order.at_open:
        _warn_of_delay(engine, order)
    if session is not None and not order.at_open and not order.at_close:
        seek(engine, order, session)


def _warn_of_delay(engine: Engine, order: Order) -> None:
    opens = local(engine.market.calendar.coming(engine.clock.now).opens)
    listing = order.listing
    engine.listener.order_error(
        order,
        399,
        f"Order Message:\n{order.action} {order.quantity:.0f} {listing.symbol} {listing.exchange}\nWarning: your "
        f"order will not be placed at the exchange until {opens:%Y-%m-%d %H:%M:%S} {ZONE}",
    )


def seek(engine: Engine, order: Order, session: Session) -> None:
    """Find when and at which price an order of an open market fills; IOC that cannot fill now ends."""
    order.stop_timers()
    market, now = engine.market, engine.clock.now
    quote = market.quote(order.listing)
    if quote.bid is None or quote.ask is None or quote.last is None:
        return
    buy = order.action == "BUY"
    touch = quote.ask if buy else quote.bid
    if order.stop is not None and not order.triggered and order.kind != "MKT":
        reach = market.first_reach(order.listing, session.date, order.stop, falling=not buy)
        _later(engine, order, reach, partial(_trigger, engine, order, session))
    elif order.limit is None or order.sign * touch <= order.sign * order.limit:
        _fill(engine, order, touch)
    elif order.tif == "IOC":
        engine.end(order, "Cancelled", "Immediate or cancel")
    else:
        reach = market.first_reach(order.listing, session.date, order.limit, falling=buy)
        if reach is not None and reach <= now:
            # The last price is at the limit and the quote is not: it fills when the price goes on.
            reach = now + 1.0
        _later(engine, order, reach, partial(_fill, engine, order, order.limit))


def _later(engine: Engine, order: Order, when: float | None, call: partial[None]) -> None:
    if when is None:
        return
    if when <= engine.clock.now:
        call()
    else:
        order.timers.append(engine.clock.at(when, call))


def _trigger(engine: Engine, order: Order, session: Session) -> None:
    """Turn a stop whose price was reached into a market or limit order."""
    if not order.live:
        return
    order.triggered, order.status = True, "Submitted"
    engine.listener.order_changed(order)
    if order.kind == "STP":
        _fill(engine, order, engine.market.last(order.listing) or order.stop or 0.0)
    else:
        seek(engine, order, session)


def _fill(engine: Engine, order: Order, price: float) -> None:
    """Fill at a price, in slices and after a delay where the knobs say so."""
    knobs = engine.knobs
    slices = max(1, min(knobs.partial_slices, int(order.remaining)))
    if slices == 1 and knobs.fill_delay == 0:
        engine.fill(order, order.remaining, price)
        return
    each = max(1, math.ceil(order.remaining / slices))
    left, when = order.remaining, engine.clock.now + knobs.fill_delay
    while left > 0:
        part = min(each, left)
        _later(engine, order, when, partial(_slice, engine, order, part, price))
        left -= part
        when += knobs.slice_seconds


def _slice(engine: Engine, order: Order, shares: float, price: float) -> None:
    if order.live:
        if order.status == "PreSubmitted":
            order.status = "Submitted"
        engine.fill(order, shares, price)


def auction_fill(engine: Engine, order: Order, price: float) -> None:
    """Fill at the price of an auction, now."""
    order.stop_timers()
    _fill(engine, order, price)
