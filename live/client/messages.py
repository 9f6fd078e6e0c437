"""What crosses from the event loop's thread to the others: frozen values, nothing of the client library.

Times are aware datetimes in UTC, dates are exchange dates, money is in the currency named beside it,
quantities are shares (a gateway may report fractions of one), prices are traded prices a share.
A field that the gateway leaves unset is ``None`` here; it is never filled in.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum


class State(StrEnum):
    """Where the connection stands. Orders are accepted in ``READY`` only."""

    STOPPED = "stopped"
    CONNECTING = "connecting"
    SYNCING = "syncing"
    READY = "ready"
    DEGRADED = "degraded"
    QUIET = "quiet"
    DISCONNECTED = "disconnected"


class AccountKind(StrEnum):
    """Simulated or real money, decided by the account id."""

    PAPER = "paper"
    REAL = "real"


@dataclass(frozen=True, slots=True)
class Message:
    """Anything the gateway, or the connection to it, reports."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message with its place in the queue.

    Attributes
    ----------
    seq : int
        Grows by one with every message of a client, reconnections included; a gap cannot occur.
    received : datetime
        When it arrived, by the client's clock (UTC).
    message : Message
    """

    seq: int
    received: dt.datetime
    message: Message


@dataclass(frozen=True, slots=True)
class Connected(Message):
    """Connected, checked and synchronised: every start-up query was answered to its end.

    Attributes
    ----------
    account : str
    kind : AccountKind
    accounts : tuple of str
        All accounts that the gateway manages.
    server_version : int
        Negotiated protocol version.
    next_order_id : int
    generation : int
        Number of this connection, from 1; order ids of an earlier one mean nothing in this one.
    """

    account: str
    kind: AccountKind
    accounts: tuple[str, ...]
    server_version: int
    next_order_id: int
    generation: int


@dataclass(frozen=True, slots=True)
class Disconnected(Message):
    """The socket is gone. ``retry_in_s`` is ``None`` when nobody will try again."""

    reason: str
    retry_in_s: float | None


@dataclass(frozen=True, slots=True)
class StateChanged(Message):
    """The connectivity state machine moved."""

    state: State
    previous: State
    reason: str


@dataclass(frozen=True, slots=True)
class Restored(Message):
    """Connectivity between TWS and the IB servers is back (1101, 1102), and everything was read again."""

    data_lost: bool


@dataclass(frozen=True, slots=True)
class Outage(Message):
    """Orders have not been possible for longer than the limit. Sent once an outage."""

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Notice(Message):
    """Information of the gateway that is no error: a warning, an advisory, a farm message.

    Attributes
    ----------
    code : int
    text : str
    request : int
        Request or order id that it concerns; -1 for none.
    """

    code: int
    text: str
    request: int


@dataclass(frozen=True, slots=True)
class ErrorMessage(Message):
    """An error of the gateway. On an order id it says nothing about the order: only its wire status does.

    Attributes
    ----------
    code : int
    text : str
    request : int
        Request or order id that it concerns; -1 for none.
    ref : str
        Order reference, if the id is that of an order placed in this connection; else empty.
    reject : str
        Structured reason of a rejection (JSON); empty when the gateway sent none.
    """

    code: int
    text: str
    request: int
    ref: str = ""
    reject: str = ""


@dataclass(frozen=True, slots=True)
class FarmState(Message):
    """A data farm of IB: ``kind`` is market, history or definitions; ``status`` ok, inactive or broken."""

    farm: str
    kind: str
    status: str
    text: str


@dataclass(frozen=True, slots=True)
class AccountValue(Message):
    """One figure of the account; ``currency`` may be ``BASE``, or empty for what is no money."""

    account: str
    tag: str
    value: str
    currency: str


@dataclass(frozen=True, slots=True)
class PositionRow(Message):
    """What the account holds of one contract; 0 shares when it was closed."""

    account: str
    con_id: int
    symbol: str
    kind: str
    currency: str
    shares: float
    average_cost: float


@dataclass(frozen=True, slots=True)
class ContractFacts(Message):
    """A contract as the gateway describes it.

    Attributes
    ----------
    con_id : int
        IB's number of the contract; all later requests use it.
    symbol : str
        As we write it (``BRK-B``).
    ib_symbol : str
        As IB writes it (``BRK B``).
    kind : str
        ``STK`` or ``IND``.
    exchange : str
        Where orders and requests are routed: SMART for a stock.
    primary_exchange, currency, long_name : str
    min_tick : float
        Smallest price step, in ``currency``.
    lot : float
        Smallest step of a quantity, in shares.
    order_types : tuple of str
    time_zone : str
        Zone of the hours.
    trading_hours, liquid_hours : str
        As IB sends them; see `live.client.hours.parse_hours`.
    """

    con_id: int
    symbol: str
    ib_symbol: str
    kind: str
    exchange: str
    primary_exchange: str
    currency: str
    long_name: str
    min_tick: float
    lot: float
    order_types: tuple[str, ...]
    time_zone: str
    trading_hours: str
    liquid_hours: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar. ``start`` is ``None`` for a daily bar, whose ``session`` is the exchange date."""

    session: dt.date
    start: dt.datetime | None
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, slots=True)
class BarUpdate(Message):
    """A bar of a subscription. A keep-up-to-date bar is repeated while it grows: it is not finished.

    Attributes
    ----------
    subscription : int
        As returned when it was opened; stays the same over reconnections.
    con_id : int
    bar : Bar
    """

    subscription: int
    con_id: int
    bar: Bar


@dataclass(frozen=True, slots=True)
class OrderStatus(Message):
    """Status of an order as the gateway sent it; never one that a client library made up.

    Attributes
    ----------
    order_id, client_id, perm_id, parent_id : int
        ``order_id`` means something only together with ``client_id`` and within one connection.
    ref : str
        Order reference, if known in this connection; the message itself does not carry it.
    status : str
        PendingSubmit, PreSubmitted, Submitted, PendingCancel, Cancelled, ApiCancelled, Filled, Inactive.
    filled, remaining : float
    avg_price : float
        0 while nothing is filled.
    why_held : str
    """

    order_id: int
    client_id: int
    perm_id: int
    parent_id: int
    ref: str
    status: str
    filled: float
    remaining: float
    avg_price: float
    why_held: str


@dataclass(frozen=True, slots=True)
class OpenOrder(Message):
    """A working order, or the last word on one, as the gateway sent it.

    Attributes
    ----------
    order_id, client_id, perm_id, parent_id : int
        A manual order of TWS has an ``order_id`` of 0 or less.
    account, ref : str
        ``ref`` is empty for orders that are not ours.
    con_id : int
    symbol, kind, side : str
        ``side`` is BUY or SELL.
    quantity : float
    order_type, tif : str
    limit_price, stop_price : float or None
    oca_group : str
    status : str
    commission : float or None
        Known for a filled order only.
    """

    order_id: int
    client_id: int
    perm_id: int
    parent_id: int
    account: str
    ref: str
    con_id: int
    symbol: str
    kind: str
    side: str
    quantity: float
    order_type: str
    tif: str
    limit_price: float | None
    stop_price: float | None
    oca_group: str
    status: str
    commission: float | None


@dataclass(frozen=True, slots=True)
class Execution(Message):
    """One fill, or a correction of one: a higher ``revision`` of the same ``root`` replaces it.

    Attributes
    ----------
    exec_id, root : str
        ``root`` is ``exec_id`` without its last part, the revision.
    revision : int
    ref, account : str
    order_id, client_id, perm_id, con_id : int
    symbol, side, exchange : str
        ``side`` is BUY or SELL.
    shares, price : float
    cumulative, avg_price : float
        Of the order up to and including this fill.
    time_utc : datetime
    replayed : bool
        It answers a query; the same execution may have been seen before.
    """

    exec_id: str
    root: str
    revision: int
    ref: str
    account: str
    order_id: int
    client_id: int
    perm_id: int
    con_id: int
    symbol: str
    side: str
    exchange: str
    shares: float
    price: float
    cumulative: float
    avg_price: float
    time_utc: dt.datetime
    replayed: bool


@dataclass(frozen=True, slots=True)
class Commission(Message):
    """Fee of an execution; may come before it, after it, or never. ``realised_pnl`` is unset on openings."""

    exec_id: str
    fee: float
    currency: str
    realised_pnl: float | None


@dataclass(frozen=True, slots=True)
class CompletedOrder(Message):
    """An order that is done today. The gateway forgets its order id: match by ``perm_id`` or ``ref``."""

    perm_id: int
    account: str
    ref: str
    con_id: int
    symbol: str
    side: str
    filled: float
    order_type: str
    status: str
    completed_status: str
    completed_time: str


@dataclass(frozen=True, slots=True)
class Quote(Message):
    """A snapshot of the market; what the gateway did not send is ``None``. ``delayed``: not real time."""

    con_id: int
    bid: float | None
    ask: float | None
    last: float | None
    close: float | None
    delayed: bool


@dataclass(frozen=True, slots=True)
class OrderTicket:
    """An order to be placed.

    Attributes
    ----------
    ref : str
        Order reference, at most 40 ASCII characters; unique for ever.
    con_id : int
    symbol : str
        For messages only; the contract is ``con_id``.
    side : str
        BUY or SELL.
    quantity : int
        Shares.
    order_type : str
        MKT, LMT, STP, STP LMT, MOC, LOC.
    tif : str
        DAY, GTC, OPG (market or limit on open), GTD, IOC. Never empty.
    limit_price, stop_price : float or None
    oca_group : str
    parent_id : int
        Order id of the parent in a bracket; 0 for none.
    transmit : bool
        False holds the order at the gateway until a child is transmitted.
    outside_hours : bool
        May fill outside regular hours.
    algo : str
        Empty, or ``Adaptive``.
    algo_params : tuple of (name, value)
    """

    ref: str
    con_id: int
    symbol: str
    side: str
    quantity: int
    order_type: str
    tif: str
    limit_price: float | None = None
    stop_price: float | None = None
    oca_group: str = ""
    parent_id: int = 0
    transmit: bool = True
    outside_hours: bool = False
    algo: str = ""
    algo_params: tuple[tuple[str, str], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of the account at one moment.

    Attributes
    ----------
    seq : int
        All messages up to this number are included.
    state : State
    account : str
    values : dict of (tag, currency) to str
        A copy; changing it changes nothing.
    positions : dict of contract id to PositionRow
    open_orders : dict of permanent id to OpenOrder
        Working orders of every client of this account; an order without a permanent id yet is not here.
    """

    seq: int
    state: State
    account: str
    values: dict[tuple[str, str], str]
    positions: dict[int, PositionRow]
    open_orders: dict[int, OpenOrder]
