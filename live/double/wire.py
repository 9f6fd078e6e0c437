"""Replies as fields, for a server version. Every function gives the messages in the order they are sent."""

from __future__ import annotations

from typing import Any

from live.double.account import Account, mark
from live.double.clock import ZONE, Calendar, Session, local, stamp
from live.double.codec import text
from live.double.layouts import (
    COMMISSION,
    CONTRACT_DETAILS,
    ERROR,
    EXECUTION,
    ORDER_STATUS,
    PORTFOLIO,
    POSITION,
)
from live.double.market import TICK, Listing, Market
from live.double.order_layouts import COMPLETED_ORDER, OPEN_ORDER
from live.double.orders import Execution, Order, echoed

ORDER_TYPES = "ACTIVETIM,ADJUST,ALERT,ALGO,DAY,GTC,IOC,LMT,LOC,MKT,MOC,OCA,OPG,STP,STPLMT,TIF"
HOURS_DAYS = 5
Message = list[str]


def error(version: int, request: int, code: int, message: str) -> Message:
    """Error or notice; ``request`` is -1 when it is about no request."""
    return ERROR.encode(version, {"reqId": request, "code": code, "text": message})


def _priced(order: Order) -> dict[str, Any]:
    return {
        **order.listing.fields,
        **echoed(order),
        "action": order.action,
        "orderType": order.kind,
        "lmtPrice": 0.0 if order.limit is None else order.limit,
        "auxPrice": 0.0 if order.stop is None else order.stop,
        "tif": order.tif,
        "ocaGroup": order.oca,
        "account": order.account,
        "orderRef": order.ref,
        "permId": order.perm_id,
    }


def open_order(version: int, order: Order) -> Message:
    """Open order with its state; the fee once it is filled and charged."""
    values = _priced(order)
    values |= {
        "orderId": order.order_id,
        "clientId": order.client_id,
        "totalQuantity": order.quantity,
        "parentId": order.parent_id,
        "sharesAllocation": f"{order.perm_id}.0/{order.account}/{order.quantity:.0f}",
        "status": order.status,
        "whatIf": order.raw.get("whatIf", "0"),
    }
    if order.status == "Filled":
        values |= {"commission": order.fee, "commissionCurrency": order.listing.currency}
    return OPEN_ORDER.encode(version, values)


def what_if(version: int, order: Order, figures: dict[str, float], change: float, fee: float) -> Message:
    """Answer to a what-if order: margins before and after, and its fee."""
    values = _priced(order) | {
        "orderId": order.order_id,
        "clientId": order.client_id,
        "totalQuantity": order.quantity,
        "status": "PreSubmitted",
        "whatIf": "1",
        "commission": fee,
        "commissionCurrency": order.listing.currency,
    }
    margins = {
        "initMargin": (figures["InitMarginReq"], change),
        "maintMargin": (figures["MaintMarginReq"], change / 2),
        "equityWithLoan": (figures["EquityWithLoanValue"], -fee),
    }
    for name, (before, step) in margins.items():
        values |= {f"{name}Before": before, f"{name}Change": step, f"{name}After": before + step}
    return OPEN_ORDER.encode(version, values)


def order_status(version: int, order: Order, status: str | None = None) -> Message:
    """Status of an order."""
    values = {
        "orderId": order.order_id,
        "status": status or order.status,
        "filled": order.filled,
        "remaining": order.remaining,
        "avgFillPrice": order.average,
        "permId": order.perm_id,
        "parentId": order.parent_id,
        "lastFillPrice": order.last_price,
        "clientId": order.client_id,
        "whyHeld": order.why_held,
    }
    return ORDER_STATUS.encode(version, values)


def completed_order(version: int, order: Order, zone: str = ZONE) -> Message:
    """A done order, which comes without its order id, client id and quantity."""
    values = _priced(order) | {
        "status": order.status,
        "filledQuantity": order.filled,
        "shareholder": "Not an insider or substantial shareholder",
        "completedTime": stamp(order.ended_at, named=True, zone=zone),
        "completedStatus": order.ended_as,
    }
    return COMPLETED_ORDER.encode(version, values)


def execution(version: int, done: Execution, request: int = -1, zone: str = ZONE) -> Message:
    """One fill; ``request`` is -1 when it is told at once."""
    order = done.order
    values = order.listing.fields | {
        "reqId": request,
        "orderId": order.order_id,
        "exchange": done.exchange,
        "execId": done.exec_id,
        "time": stamp(done.time, named=version > 173, zone=zone),
        "account": order.account,
        "executionExchange": done.exchange,
        "side": "BOT" if order.action == "BUY" else "SLD",
        "shares": done.shares,
        "price": done.price,
        "permId": order.perm_id,
        "clientId": order.client_id,
        "cumQty": done.cumulative,
        "avgPrice": done.average,
        "orderRef": order.ref,
        "lastLiquidity": done.liquidity,
    }
    return EXECUTION.encode(version, values)


def commission(version: int, done: Execution) -> Message:
    """Fee of a fill; the realised profit is unset when nothing was closed."""
    values: dict[str, Any] = {
        "execId": done.exec_id,
        "commission": done.fee,
        "currency": done.order.listing.currency,
    }
    if done.realized is not None:
        values["realizedPNL"] = done.realized
    return COMMISSION.encode(version, values)


def position(version: int, account: Account, listing: Listing) -> Message:
    """A position and its average cost."""
    held = account.holding(listing)
    values = listing.fields | {
        "account": account.name,
        "exchange": listing.exchange,
        "position": held.quantity,
        "avgCost": held.average_cost,
    }
    return POSITION.encode(version, values)


def portfolio(version: int, account: Account, listing: Listing, market: Market) -> Message:
    """A position with its value."""
    held = account.holding(listing)
    price = mark(market, account, listing)
    values = listing.fields | {
        "position": held.quantity,
        "marketPrice": price,
        "marketValue": held.quantity * price,
        "averageCost": held.average_cost,
        "unrealizedPNL": held.quantity * (price - held.average_cost),
        "realizedPNL": held.realized,
        "account": account.name,
    }
    return PORTFOLIO.encode(version, values)


def account_value(account: Account, tag: str, value: str, currency: str) -> Message:
    """One figure of an account."""
    return ["6", "2", tag, value, currency, account.name]


def contract_details(version: int, request: int, listing: Listing, market: Market) -> Message:
    """Everything about a contract, trading hours included."""
    trading, liquid = trading_hours(market.calendar, market.clock.now)
    index = listing.kind == "IND"
    values = listing.fields | {
        "reqId": request,
        "marketName": listing.trading_class,
        "minTick": TICK,
        "orderTypes": "" if index else ORDER_TYPES,
        "validExchanges": listing.exchange if index else f"SMART,{listing.exchange}",
        "longName": listing.name,
        "timeZoneId": ZONE,
        "tradingHours": liquid if index else trading,
        "liquidHours": liquid,
        "stockType": "" if index else "COMMON",
    }
    return CONTRACT_DETAILS.encode(version, values)


def trading_hours(calendar: Calendar, now: float) -> tuple[str, str]:
    """Hours with and without the extended session, for the coming days, as the gateway writes them."""
    first = local(now).date().toordinal()
    extended, regular = [], []
    for ordinal in range(first, first + HOURS_DAYS + 1):
        date = type(local(now).date()).fromordinal(ordinal)
        session = calendar.on(date)
        day = f"{date:%Y%m%d}"
        if session is None:
            extended.append(f"{day}:CLOSED")
            regular.append(f"{day}:CLOSED")
            continue
        opens, closes = local(session.opens), local(session.closes)
        regular.append(f"{day}:{opens:%H%M}-{day}:{closes:%H%M}")
        late = "2000" if f"{closes:%H%M}" == "1600" else "1700"
        extended.append(f"{day}:0400-{day}:{late}")
    return ";".join(extended), ";".join(regular)


def tick(request: int, kind: int, price: float, size: int) -> Message:
    """Price and size of one side of the quote."""
    return ["1", "6", str(request), str(kind), text(price), str(size), "0"]


def session_text(session: Session) -> str:
    """A session for a log line."""
    return f"{session.date} {local(session.opens):%H:%M}-{local(session.closes):%H:%M}"
