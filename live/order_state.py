"""What is known of an order, and what a message changes: values of `live.order_book`."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum

from live.client.order_messages import OrderTicket


class Stage(StrEnum):
    """How far an order has come."""

    SENT = "sent"
    """Written to the socket, or about to be; no answer yet."""
    WORKING = "working"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"

    @property
    def is_done(self) -> bool:
        """Nothing more is expected, though a late fill is still booked."""
        return self in (Stage.FILLED, Stage.CANCELLED, Stage.REJECTED)


@dataclass(slots=True)
class Fill:
    """One execution in its latest revision."""

    root: str
    revision: int
    shares: float
    price: float
    time_utc: dt.datetime
    fee: float | None = None
    fee_revision: int = 0
    absorbed: bool = False
    """Cash was taken over from the gateway after this fill: its fee is in there, reported or not."""


@dataclass(slots=True)
class Known:
    """An order and everything the wire said about it.

    Attributes
    ----------
    ticket : OrderTicket
    order_id : int
        Of the connection that sent it.
    perm_ids : set of int
        More than one means that the gateway holds the reference twice.
    fills : dict of execution root to Fill
    refused : str
        Text of a rejection (201), which counts together with the status Inactive only.
    inactive : bool
        The latest status is Inactive.
    reason : str
        Why it was rejected or is doubtful.
    cancel_asked : bool
        We asked for its cancellation.
    absent : int
        Answers in a row that did not name it.
    assumed : bool
        It is done because the gateway does not know it, not because the gateway said so.
    """

    ticket: OrderTicket
    order_id: int
    sent: dt.datetime
    stage: Stage = Stage.SENT
    perm_ids: set[int] = field(default_factory=set)
    fills: dict[str, Fill] = field(default_factory=dict)
    refused: str = ""
    inactive: bool = False
    reason: str = ""
    cancel_asked: bool = False
    absent: int = 0
    assumed: bool = False

    @property
    def filled(self) -> float:
        """Shares, corrections applied."""
        return sum(fill.shares for fill in self.fills.values())

    @property
    def remaining(self) -> float:
        """Shares that may still fill; 0 when the order is final."""
        return 0.0 if self.stage.is_done else max(self.ticket.quantity - self.filled, 0.0)

    @property
    def sign(self) -> int:
        """1 buys, -1 sells."""
        return 1 if self.ticket.side == "BUY" else -1


@dataclass(frozen=True, slots=True)
class StageChange:
    """An order moved to another stage."""

    ref: str
    stage: Stage
    reason: str


@dataclass(frozen=True, slots=True)
class Booking:
    """An execution, or what its correction changes.

    Attributes
    ----------
    ref : str
        Empty for an order that is not ours.
    root : str
    con_id : int
    sign : int
        1 buys, -1 sells.
    was, is_now : (float, float)
        Shares and price of the revision before (0 shares for a new execution), and of this one.
    time_utc : datetime
        When it was traded.
    """

    ref: str
    root: str
    con_id: int
    sign: int
    was: tuple[float, float]
    is_now: tuple[float, float]
    time_utc: dt.datetime

    @property
    def shares(self) -> float:
        """Signed change of the position; 0 for a correction of the price alone."""
        return self.sign * (self.is_now[0] - self.was[0])

    @property
    def price(self) -> float:
        """USD a share of this revision."""
        return self.is_now[1]

    @property
    def cash(self) -> float:
        """Change of cash before fees."""
        return self.sign * (self.was[0] * self.was[1] - self.is_now[0] * self.is_now[1])

    @property
    def corrects(self) -> bool:
        """It revises an execution that was booked before."""
        return self.was[0] > 0


@dataclass(frozen=True, slots=True)
class FeeBooking:
    """A fee became known, or changed by ``amount``; ``cash`` is what is still to be taken for it."""

    ref: str
    root: str
    amount: float
    cash: float


@dataclass(frozen=True, slots=True)
class Doubt:
    """The gateway must be asked what became of an order."""

    ref: str
    reason: str


@dataclass(frozen=True, slots=True)
class HeldTwice:
    """The gateway holds a reference under a second permanent id: one order became two."""

    ref: str


Change = StageChange | Booking | FeeBooking | Doubt | HeldTwice
