"""What crosses from the event loop's thread to the others: frozen values, nothing of the client library.

Times are aware datetimes in UTC, dates are exchange dates, money is in the currency named beside it,
quantities are shares (a gateway may report fractions of one), prices are traded prices a share.
A field that the gateway leaves unset is ``None`` here; it is never filled in.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from live.client.envelope import Envelope, Message
from live.client.order_messages import (
    Commission,
    CompletedOrder,
    Execution,
    OpenOrder,
    OrderStatus,
    OrderTicket,
)

__all__ = [
    "AccountKind",
    "AccountValue",
    "Bar",
    "BarUpdate",
    "Commission",
    "CompletedOrder",
    "Connected",
    "ContractFacts",
    "Disconnected",
    "Envelope",
    "ErrorMessage",
    "Execution",
    "FarmState",
    "Message",
    "Notice",
    "OpenOrder",
    "OrderStatus",
    "OrderTicket",
    "Outage",
    "PositionRow",
    "Quote",
    "Restored",
    "State",
    "StateChanged",
    "SubscriptionFailed",
]


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
    read_only : bool
        The gateway refuses orders (its Read-Only API setting).
    skew_s : float or None
        The gateway's clock minus ours, within half a second; ``None`` if it was not asked.
    time_text : str
        The gateway's time in its own zone, as it wrote it in the handshake.
    """

    account: str
    kind: AccountKind
    accounts: tuple[str, ...]
    server_version: int
    next_order_id: int
    generation: int
    read_only: bool
    skew_s: float | None
    time_text: str


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
    ref : str
        Order reference, if the id is that of an order placed in this connection; else empty.
    """

    code: int
    text: str
    request: int
    ref: str = ""


@dataclass(frozen=True, slots=True)
class ErrorMessage(Message):
    """An error of the gateway. On an order id it says nothing about the order: only its wire status does.

    Attributes
    ----------
    code : int
        0 is ours: a message that could not be decoded, so something is not known, or an internal error.
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
class SubscriptionFailed(Message):
    """A subscription gives no more bars. It is opened again after a reconnection, or by hand."""

    subscription: int
    con_id: int
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Quote(Message):
    """A snapshot of the market; what the gateway did not send is ``None``. ``delayed``: not real time."""

    con_id: int
    bid: float | None
    ask: float | None
    last: float | None
    close: float | None
    delayed: bool
