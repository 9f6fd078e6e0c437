"""Which function answers which request."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from live.double import account_requests, data_requests, order_requests

if TYPE_CHECKING:
    from live.double.server import Gateway
    from live.double.session import ClientSession

Handler = Callable[["Gateway", "ClientSession", dict[str, Any]], None]


def _start(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    session.client = int(values["clientId"])
    taken = session.client in gateway.knobs.clients_in_use or any(
        other.client == session.client and other.ready and not other.closed
        for other in gateway.sessions
        if other is not session
    )
    if taken:
        session.error(
            -1, 326, "Unable to connect as the client id is already in use. Retry with a unique client id."
        )
        session.close()
        return
    session.welcome()


def _ids(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    session.send(["9", "1", str(gateway.next_id(session.client))])


def _managed(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    session.send(["15", "1", ",".join(gateway.engine.accounts)])


def _time(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    session.send(["49", "1", str(int(gateway.clock.now + gateway.knobs.clock_skew))])


def _nothing(gateway: Gateway, session: ClientSession, values: dict[str, Any]) -> None:
    """Accept; there is nothing to answer."""


HANDLERS: dict[str, Handler] = {
    "startApi": _start,
    "reqIds": _ids,
    "reqManagedAccts": _managed,
    "reqCurrentTime": _time,
    "setServerLogLevel": _nothing,
    "reqAutoOpenOrders": _nothing,
    **order_requests.HANDLERS,
    **account_requests.HANDLERS,
    **data_requests.HANDLERS,
}
