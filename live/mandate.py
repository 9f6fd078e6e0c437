"""Who trades, within what, and where: what a conductor is given."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ares7.limits import Limits
from live.capital import Capital
from live.client.order_messages import OrderTicket
from live.journal import rows
from live.pre_trade import Book


@dataclass(frozen=True, slots=True)
class Market:
    """What a conductor asks of the place where orders are sent.

    Attributes
    ----------
    why_not : callable
        ``why_not(ticket)``: why this place does not take an order at this moment (a frozen contract, shares that are
        not ours), or an empty text.
    book : callable
        ``book()``: cash of the account, our shares and what works (`live.pre_trade.Book` with ``nav`` of the account).
    begin : callable
        ``begin(session, rebalance id)``: names the orders that follow.
    cancel : callable
        ``cancel(contract)``: asks for the cancellation of every working order of a contract.
    expired : callable
        ``expired(order)``: whether a cancelled order ended because its time was over.
    money : callable
        ``money()``: journals money that came or went up to now, so that it counts as neither profit nor loss.
    is_open : callable
        ``is_open()``: whether orders can be sent at all; what is refused meanwhile waits.
    """

    why_not: Callable[[OrderTicket], str]
    book: Callable[[], Book]
    begin: Callable[[dt.date, str], None]
    cancel: Callable[[int], None]
    expired: Callable[[rows.JournalOrder], bool]
    money: Callable[[], None]
    is_open: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Mandate:
    """Who trades, and within what.

    Attributes
    ----------
    strategy, config_digest : str
    client_id : int
    contracts : mapping of symbol to contract id
    sectors : mapping of symbol to str
    capital : Capital
    limits : Limits
    remainder_sessions : int
        After how many closes what is missing of a rebalance is ordered again.
    """

    strategy: str
    config_digest: str
    client_id: int
    contracts: Mapping[str, int]
    sectors: Mapping[str, str]
    capital: Capital
    limits: Limits
    remainder_sessions: int = 0
