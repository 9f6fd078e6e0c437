"""The library's objects as messages. Unset numbers become None, never 0."""

from __future__ import annotations

import datetime as dt
import math
import zoneinfo
from typing import Any

from live.client.messages import (
    Bar,
    Commission,
    CompletedOrder,
    ContractFacts,
    Execution,
    OpenOrder,
    OrderTicket,
    PositionRow,
)
from live.client.seam import Library

NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
SIDES = {"BOT": "BUY", "SLD": "SELL"}


def our_symbol(ib_symbol: str) -> str:
    """IB's symbol as we write it: a share class after a hyphen (``BRK B`` is ``BRK-B``)."""
    return ib_symbol.replace(" ", "-")


def ib_symbol(symbol: str) -> str:
    """Our symbol as IB writes it: a share class after a blank (``BRK-B`` and ``BRK.B`` are ``BRK B``)."""
    return symbol.replace("-", " ").replace(".", " ")


def number(library: Library, value: Any) -> float | None:
    """A float, or None if the gateway left it unset."""
    if value is None or value == "":
        return None
    result = float(value)
    unset = result == library.unset_double or result == float(library.unset_int)
    return None if unset or math.isnan(result) else result


def open_order(library: Library, contract: Any, order: Any, state: Any) -> OpenOrder:
    """A working order."""
    return OpenOrder(
        order_id=order.orderId,
        client_id=order.clientId,
        perm_id=order.permId,
        parent_id=order.parentId,
        account=order.account,
        ref=order.orderRef,
        con_id=contract.conId,
        symbol=our_symbol(contract.symbol),
        kind=contract.secType,
        side=order.action,
        quantity=float(order.totalQuantity),
        order_type=order.orderType,
        tif=order.tif,
        # An order without such a price comes back with 0, or with none.
        limit_price=number(library, order.lmtPrice) or None,
        stop_price=number(library, order.auxPrice) or None,
        oca_group=order.ocaGroup,
        status=state.status,
        commission=number(library, state.commission),
    )


def execution(contract: Any, found: Any, *, replayed: bool) -> Execution:
    """A fill. Its time is in UTC: the decoder reads it in the zone that `Options.time_zone` names."""
    root, _, revision = found.execId.rpartition(".")
    return Execution(
        exec_id=found.execId,
        root=root or found.execId,
        revision=int(revision) if root and revision.isdigit() else 0,
        ref=found.orderRef,
        account=found.acctNumber,
        order_id=found.orderId,
        client_id=found.clientId,
        perm_id=found.permId,
        con_id=contract.conId,
        symbol=our_symbol(contract.symbol),
        side=SIDES.get(found.side, found.side),
        exchange=found.exchange,
        shares=float(found.shares),
        price=float(found.price),
        cumulative=float(found.cumQty),
        avg_price=float(found.avgPrice),
        time_utc=found.time.astimezone(dt.UTC),
        replayed=replayed,
    )


def commission(library: Library, report: Any) -> Commission:
    """A fee."""
    return Commission(
        exec_id=report.execId,
        fee=float(report.commission),
        currency=report.currency,
        realised_pnl=number(library, report.realizedPNL),
    )


def position(account: str, contract: Any, shares: float, average_cost: float) -> PositionRow:
    """A holding."""
    return PositionRow(
        account=account,
        con_id=contract.conId,
        symbol=our_symbol(contract.symbol),
        kind=contract.secType,
        currency=contract.currency,
        shares=float(shares),
        average_cost=float(average_cost),
    )


def completed_order(library: Library, contract: Any, order: Any, state: Any) -> CompletedOrder:
    """An order that is done; the gateway reports its order id, client id and quantity as 0."""
    return CompletedOrder(
        perm_id=order.permId,
        account=order.account,
        ref=order.orderRef,
        con_id=contract.conId,
        symbol=our_symbol(contract.symbol),
        side=order.action,
        filled=number(library, order.filledQuantity) or 0.0,
        order_type=order.orderType,
        status=state.status,
        completed_status=state.completedStatus,
        completed_time=state.completedTime,
    )


def contract_facts(details: Any) -> ContractFacts:
    """A contract. Gateways before server version 164 do not send the step of quantities: 1 share."""
    contract = details.contract
    step = float(getattr(details, "sizeIncrement", 0) or 0)
    stock = contract.secType == "STK"
    return ContractFacts(
        con_id=contract.conId,
        symbol=our_symbol(contract.symbol),
        ib_symbol=contract.symbol,
        kind=contract.secType,
        exchange="SMART" if stock else contract.exchange,
        primary_exchange=contract.primaryExchange or contract.exchange,
        currency=contract.currency,
        long_name=details.longName,
        min_tick=float(details.minTick),
        lot=step if step > 0 else 1.0,
        order_types=tuple(name for name in details.orderTypes.split(",") if name),
        time_zone=details.timeZoneId,
        trading_hours=details.tradingHours,
        liquid_hours=details.liquidHours,
    )


def bar(found: Any) -> Bar:
    """A bar of history. A daily bar carries a date, all others a time."""
    when = parse_bar_date(found.date)
    values = (found.open, found.high, found.low, found.close, found.volume)
    if isinstance(when, dt.datetime):
        return Bar(when.astimezone(NEW_YORK).date(), when, *values)
    return Bar(when, None, *values)


def parse_bar_date(text: Any) -> dt.date | dt.datetime:
    """Date of a daily bar, or UTC time of another; seconds since 1970, as we always ask for."""
    if isinstance(text, dt.datetime):
        return text.astimezone(dt.UTC)
    if isinstance(text, dt.date):
        return text
    if len(text) == 8:
        return dt.date(int(text[:4]), int(text[4:6]), int(text[6:]))
    return dt.datetime.fromtimestamp(int(text), dt.UTC)


def contract(library: Library, facts: ContractFacts) -> Any:
    """The library's contract for a request."""
    return library.Contract(
        conId=facts.con_id,
        symbol=facts.ib_symbol,
        secType=facts.kind,
        exchange=facts.exchange,
        primaryExchange=facts.primary_exchange if facts.kind == "STK" else "",
        currency=facts.currency,
    )


def order(library: Library, ticket: OrderTicket, account: str) -> Any:
    """The library's order. Account and time in force are always explicit: no preset of TWS may decide."""
    unset = library.unset_double
    return library.Order(
        action=ticket.side,
        totalQuantity=float(ticket.quantity),
        orderType=ticket.order_type,
        lmtPrice=unset if ticket.limit_price is None else ticket.limit_price,
        auxPrice=unset if ticket.stop_price is None else ticket.stop_price,
        tif=ticket.tif,
        goodTillDate=ticket.good_till,
        account=account,
        orderRef=ticket.ref,
        ocaGroup=ticket.oca_group,
        ocaType=1 if ticket.oca_group else 0,
        parentId=ticket.parent_id,
        transmit=ticket.transmit,
        outsideRth=ticket.outside_hours,
        algoStrategy=ticket.algo,
        algoParams=[library.TagValue(name, value) for name, value in ticket.algo_params],
    )
