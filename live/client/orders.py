"""Orders: checked, numbered, and written to the socket. Nothing here decides whether an order is wise."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ares7.errors import ConfigError, ServiceUnavailable
from live.client import convert
from live.client.failures import NotSent
from live.client.messages import ContractFacts, OrderTicket, State
from live.client.supervisor import Supervisor

MAX_REF = 40
SIDES = ("BUY", "SELL")
NEEDS_LIMIT = ("LMT", "STP LMT", "LOC")
NEEDS_STOP = ("STP", "STP LMT")
TYPES = ("MKT", "MOC", "LMT", "STP", "STP LMT", "LOC")
TIFS = {
    "MKT": ("DAY", "OPG", "GTC", "IOC"),
    "LMT": ("DAY", "OPG", "GTC", "IOC", "GTD"),
    "STP": ("DAY", "GTC", "GTD"),
    "STP LMT": ("DAY", "GTC", "GTD"),
    "MOC": ("DAY",),
    "LOC": ("DAY",),
}


@dataclass(frozen=True, slots=True)
class Reserved:
    """An order id, good for one connection only."""

    order_id: int
    generation: int


def check_ticket(ticket: OrderTicket, facts: ContractFacts | None) -> None:
    """Refuse a ticket that the gateway would refuse, or worse, would read differently.

    Raises
    ------
    ConfigError
        What is wrong with which field.
    """
    where = f"order {ticket.ref or '(without reference)'} of {ticket.symbol}"
    if facts is None:
        raise ConfigError(f"{where}: contract {ticket.con_id} was not qualified; qualify it first")
    if facts.kind != "STK":
        raise ConfigError(f"{where}: {facts.symbol} is no share ({facts.kind}) and cannot be traded")
    if not ticket.ref or len(ticket.ref) > MAX_REF or not ticket.ref.isascii():
        raise ConfigError(f"{where}: the reference needs 1 to {MAX_REF} ASCII characters")
    if ticket.side not in SIDES:
        raise ConfigError(f"{where}: side {ticket.side} is neither BUY nor SELL")
    if ticket.quantity < 1 or ticket.quantity != int(ticket.quantity):
        raise ConfigError(f"{where}: {ticket.quantity} is no positive number of whole shares")
    _check_kind(where, ticket)


def _check_kind(where: str, ticket: OrderTicket) -> None:
    kind = ticket.order_type
    if kind not in TYPES:
        raise ConfigError(f"{where}: order type {kind} is not known; use one of {', '.join(TYPES)}")
    if ticket.tif not in TIFS[kind]:
        raise ConfigError(
            f"{where}: a {kind} order is valid {' or '.join(TIFS[kind])}, not {ticket.tif or 'unset'}"
        )
    if (ticket.tif == "GTD") != bool(ticket.good_till):
        raise ConfigError(f"{where}: good_till belongs to GTD, and GTD needs it; correct one of them")
    for name, value, needed in (
        ("limit price", ticket.limit_price, kind in NEEDS_LIMIT),
        ("stop price", ticket.stop_price, kind in NEEDS_STOP),
    ):
        if needed and not (value is not None and 0 < value < float("inf")):
            raise ConfigError(f"{where}: a {kind} order needs a positive {name}, not {value}")
        if not needed and value is not None:
            raise ConfigError(f"{where}: a {kind} order has no {name}; leave it out")


def with_parent(ticket: OrderTicket, ids: list[int]) -> OrderTicket:
    """Fill in the parent of a bracket's child, which is -1 until the parent has its id."""
    return replace(ticket, parent_id=ids[0]) if ticket.parent_id == -1 and ids else ticket


def not_started(where: str) -> ServiceUnavailable:
    """Nothing can be asked yet, or any more."""
    return ServiceUnavailable(f"the connection to {where} was not started, or was stopped; call start first")


async def reserve(supervisor: Supervisor, what: str) -> Reserved:
    """Give out an order id, once a message may be sent.

    Raises
    ------
    NotSent
        The connection is not ready for orders.
    """
    require_ready(supervisor, what)
    try:
        await supervisor.require_link(what).pace()
        return Reserved(supervisor.next_order_id(), supervisor.generation)
    except ServiceUnavailable as error:
        raise NotSent(str(error)) from None


def require_ready(supervisor: Supervisor, what: str) -> None:
    """Raise unless orders are possible now.

    Raises
    ------
    NotSent
    """
    state = supervisor.state
    if state is not State.READY:
        raise NotSent(f"{what}: not sent, the connection to {supervisor.target.where} is {state}, not ready")


async def write(
    supervisor: Supervisor, reserved: Reserved, ticket: OrderTicket, facts: ContractFacts
) -> None:
    """Write an order to the socket, in the connection its id belongs to.

    Raises
    ------
    NotSent
        That connection is gone, or not ready any more.
    """
    what = f"order {ticket.ref} of {ticket.symbol}"
    require_ready(supervisor, what)
    link = supervisor.link
    if link is None or not link.is_open or supervisor.generation != reserved.generation:
        raise NotSent(f"{what}: not sent, the connection that its id belongs to is gone; decide again")
    account = supervisor.connected.account if supervisor.connected else ""
    contract = convert.contract(link.library, facts)
    order = convert.order(link.library, ticket, account)
    client_id = supervisor.target.client_id
    order.orderId, order.clientId = reserved.order_id, client_id
    # Before the write: the answer may come at once.
    link.tap.refs[client_id, reserved.order_id] = ticket.ref
    link.ib.client.placeOrder(reserved.order_id, contract, order)


async def cancel(supervisor: Supervisor, order_id: int) -> None:
    """Ask the gateway to cancel an order. Only its wire status tells whether it was cancelled."""
    what = f"cancelling order {order_id}"
    link = supervisor.require_link(what)
    await link.pace()
    link.check_open(what)
    link.ib.client.cancelOrder(order_id, "")


async def cancel_all(supervisor: Supervisor) -> None:
    """Ask the gateway to cancel every order of every client and of TWS itself."""
    what = "cancelling all orders"
    link = supervisor.require_link(what)
    await link.pace()
    link.check_open(what)
    link.ib.client.reqGlobalCancel()
