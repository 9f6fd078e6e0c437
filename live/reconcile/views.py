"""The two sides that are compared, and what a difference between them is. Frozen values."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from live.client.order_messages import CompletedOrder, Execution, OpenOrder

OUR_REF = re.compile(r"A7-\d{8}-[0-9a-f]{8}-\d+-[BS]-\d+")
"""Form of an order reference of this program (rulings 27)."""


class Kind(StrEnum):
    """Names of differences."""

    MANUAL_TRADE = "manual_trade"
    """Executions without a reference of our journal."""
    MISSING_FILL = "missing_fill"
    """An execution of an order of ours that the journal lacks; booking it ends the difference."""
    FOREIGN_ORDER = "foreign_order"
    """A working order that is not ours."""
    SPLIT = "split"
    """The position changed by a simple ratio, and the price by its inverse."""
    DIVIDEND_REINVESTMENT = "dividend_reinvestment"
    """A few shares more, a fraction of one among them, or as many as a dividend buys."""
    UNKNOWN_POSITION = "unknown_position"
    """Shares of a contract that the journal has never held."""
    CURRENCY = "currency"
    """A holding in another currency than USD."""
    UNEXPLAINED = "unexplained"
    """None of the above: a transfer, or a trade by hand on a day whose executions the gateway does not tell."""


class PositionLike(Protocol):
    """A position as the gateway tells it (`live.client.messages.PositionRow`)."""

    @property
    def con_id(self) -> int:
        """IB's number of the contract."""

    @property
    def symbol(self) -> str:
        """As we write it."""

    @property
    def kind(self) -> str:
        """``STK`` for stocks and funds."""

    @property
    def currency(self) -> str:
        """Of the price."""

    @property
    def shares(self) -> float:
        """Signed."""


@dataclass(frozen=True, slots=True)
class JournalBook:
    """What the journal says is there.

    Attributes
    ----------
    positions : mapping of contract id to float
        Signed shares: fills, adopted holdings and accepted differences.
    symbols : mapping of contract id to str
        Every contract that the journal has ever held or ordered.
    refs : frozenset of str
        References of all journalled intents, of whatever age.
    booked : mapping of execution root to (int, float)
        Latest booked revision of every execution of ours, and its signed shares.
    decided : mapping of contract id to datetime
        When the operator last accepted, adopted or ignored something of a contract: executions by hand up to then
        are explained.
    tolerated : frozenset of str
        Keys (`Difference.key`) of working orders of others that the operator has accepted.
    ignored : frozenset of int
        Contracts that the operator keeps for himself (``run.py adopt --ignore``): they may change at will, as long
        as the gateway holds at least what is ours.
    settled : bool
        The operator has said what becomes of foreign holdings, or this journal has traded already.
    """

    positions: Mapping[int, float] = field(default_factory=dict)
    symbols: Mapping[int, str] = field(default_factory=dict)
    refs: frozenset[str] = frozenset()
    booked: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    decided: Mapping[int, dt.datetime] = field(default_factory=dict)
    tolerated: frozenset[str] = frozenset()
    ignored: frozenset[int] = frozenset()
    settled: bool = False


@dataclass(frozen=True, slots=True)
class GatewayBook:
    """What the gateway says is there, every answer complete.

    Attributes
    ----------
    positions : tuple of PositionLike
    open_orders : tuple of OpenOrder
    executions : tuple of Execution
        Today's only: that is all that a gateway tells.
    completed : tuple of CompletedOrder
    cash : mapping of currency to float
    taken : datetime or None
        When the last answer ended, UTC.
    """

    positions: tuple[PositionLike, ...] = ()
    open_orders: tuple[OpenOrder, ...] = ()
    executions: tuple[Execution, ...] = ()
    completed: tuple[CompletedOrder, ...] = ()
    cash: Mapping[str, float] = field(default_factory=dict)
    taken: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Hint:
    """What is known of a contract's price beside the positions.

    Attributes
    ----------
    price_before : float or None
        Traded close of the session before the difference, as it was then, USD a share.
    price_now : float or None
        Traded price after it, USD a share.
    dividend_usd : float or None
        Dividend a share paid since, if known.
    """

    price_before: float | None = None
    price_now: float | None = None
    dividend_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One named difference between journal and gateway.

    Attributes
    ----------
    kind : Kind
    symbol : str
        A currency code for a holding of money.
    con_id : int
        0 for money.
    journal, gateway : float
        Signed shares of the position in each; for a foreign order 0 and its open shares; for money the amounts.
    shares : float
        Signed part of ``gateway - journal`` that this difference accounts for; 0 for orders and money. Over a
        contract they add up to it.
    explanation : str
        What, how much, and what the operator can do.
    roots : tuple of str
        Executions that make it.
    refs : tuple of str
        Order references that it concerns; ``perm N`` for an order without one.
    """

    kind: Kind
    symbol: str
    con_id: int
    journal: float
    gateway: float
    shares: float
    explanation: str
    roots: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What tells it from others of its contract, the same in every comparison."""
        return f"{self.kind}:{self.con_id}:{'+'.join(self.refs)}"

    @property
    def stops_trading(self) -> bool:
        """Its symbol is not traded until the operator accepts. Money in another currency stops nothing."""
        return self.con_id != 0


def is_explained(execution: Execution, book: JournalBook) -> bool:
    """Whether an execution by hand lies before what the operator decided on its contract."""
    decided = book.decided.get(execution.con_id)
    return decided is not None and execution.time_utc <= decided


def is_ours(ref: str, book: JournalBook) -> bool:
    """Whether an order reference is one of this journal's intents."""
    return ref in book.refs


def is_rival(ref: str, book: JournalBook) -> bool:
    """Whether a reference has our form but is not of this journal: another runner, or a lost journal."""
    return ref not in book.refs and OUR_REF.fullmatch(ref) is not None
