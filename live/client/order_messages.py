"""What is known of orders, and an order to be placed. Frozen values, with the conventions of `live.client.messages`."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from live.client.envelope import Message


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
    good_till : str
        With GTD, the end of its validity in UTC, ``20240110-21:00:00``; empty otherwise.
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
    good_till: str = ""
