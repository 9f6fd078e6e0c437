"""Requests about orders, executions and completed orders."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from live.double import wire
from live.double.clock import NEW_YORK, local
from live.double.orders import Execution, Order, Refused

if TYPE_CHECKING:
    from live.double.server import Gateway
    from live.double.session import ClientSession

READ_ONLY = "Error validating request.-'bW' : cause - The API interface is currently in Read-Only mode."


def _place(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    number = int(values["orderId"])
    gateway.used_id(session.client, number)
    gateway.engine.place(session.client, values)


def _cancel(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    if gateway.knobs.read_only:
        raise Refused(321, READ_ONLY)
    number = int(values["orderId"])
    order = gateway.engine.orders.get((session.client, number))
    if order is None:
        raise Refused(10147, f"OrderId {number} that needs to be cancelled is not found.")
    gateway.engine.cancel(order)


def _cancel_all(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    if gateway.knobs.read_only:
        raise Refused(321, READ_ONLY)
    for order in list(gateway.engine.live.values()):
        if order.live and order.status != "PendingCancel":
            gateway.engine.cancel(order)


def _send_open(gateway: Gateway, session: ClientSession, wanted: Callable[[Order], bool]) -> None:
    if gateway.knobs.read_only:
        session.error(-1, 321, READ_ONLY)
    else:
        for order in list(gateway.engine.live.values()):
            if order.announced and wanted(order) and not gateway.knobs.hold_orders:
                session.send(wire.open_order(session.version, order))
                session.send(wire.order_status(session.version, order))
    session.send(["53", "1"])


def _open(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    _send_open(gateway, session, lambda order: order.client_id == session.client)


def _all_open(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    _send_open(gateway, session, lambda order: True)


def _completed(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    today = local(gateway.clock.now).date()
    for order in list(gateway.engine.every):
        if order.ended_at and not order.live and local(order.ended_at).date() == today:
            session.send(wire.completed_order(session.version, order, gateway.settings.time_zone))
    session.send(["102"])


def _executions(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    request = int(values["reqId"])
    today = local(gateway.clock.now).date()
    since = _since(values["time"])
    for done in list(gateway.engine.executions):
        # The gateway knows today's only.
        if local(done.time).date() == today and done.time >= since and _matches(done, values):
            session.send(wire.execution(session.version, done, request, gateway.settings.time_zone))
            if done.reported:
                session.send(wire.commission(session.version, done))
    session.send(["55", "1", str(request)])


def _matches(done: Execution, values: dict[str, Any]) -> bool:
    order = done.order
    side = "BUY" if order.action == "BUY" else "SELL"
    return (
        int(values["clientId"] or 0) in (0, order.client_id)
        and values["account"] in ("", order.account)
        and values["symbol"] in ("", order.listing.symbol)
        and values["secType"] in ("", order.listing.kind)
        and values["side"] in ("", side)
    )


def _since(text: str) -> float:
    """Seconds since 1970 of ``yyyymmdd-hh:mm:ss`` (UTC) or ``yyyymmdd hh:mm:ss`` (New York)."""
    if not text:
        return 0.0
    plain = " ".join(text.split(" ")[:2]).replace("  ", " ")
    zone = dt.UTC if "-" in plain else NEW_YORK
    return dt.datetime.strptime(plain.replace("-", " "), "%Y%m%d %H:%M:%S").replace(tzinfo=zone).timestamp()


HANDLERS = {
    "placeOrder": _place,
    "cancelOrder": _cancel,
    "reqGlobalCancel": _cancel_all,
    "reqOpenOrders": _open,
    "reqAllOpenOrders": _all_open,
    "reqCompletedOrders": _completed,
    "reqExecutions": _executions,
}
