"""Rows of orders and executions, and what the reader makes of them."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from live.client.order_messages import OrderTicket
from live.journal.failures import RowRefused
from live.journal.row import DONE, PURPOSES, SIDES, STAGES, Row


@dataclass(frozen=True, slots=True)
class Intent(Row):
    """An order before it is written to the socket: the ticket, and where it comes from.

    Attributes
    ----------
    ref, con_id, symbol, side, quantity, order_type, tif, limit_price, stop_price, good_till, oca_group, parent_id, \
transmit, outside_hours, algo, algo_params
        As `live.client.order_messages.OrderTicket`.
    session : date
        Of the decision.
    order_id, client_id : int
        Under which it is sent.
    rebalance_id : str or None
        ``None`` for an order that no rebalance asked for.
    decision_price : float or None
        USD a share.
    purpose : str
        rebalance, retry, remainder, flatten, operator.
    """

    ref: str
    con_id: int
    symbol: str
    side: str
    quantity: int
    order_type: str
    tif: str
    session: dt.date
    order_id: int
    client_id: int = 0
    rebalance_id: str | None = None
    decision_price: float | None = None
    purpose: str = "rebalance"
    limit_price: float | None = None
    stop_price: float | None = None
    good_till: str = ""
    oca_group: str = ""
    parent_id: int = 0
    transmit: bool = True
    outside_hours: bool = False
    algo: str = ""
    algo_params: tuple[tuple[str, str], ...] = ()

    def _check(self) -> None:
        self._one_of("side", SIDES)
        self._one_of("purpose", PURPOSES)
        if not self.ref or len(self.ref) > 40 or not self.ref.isascii():
            raise RowRefused(f"{self._called('ref')} is {self.ref!r}; it needs 1 to 40 ASCII characters")
        if self.quantity <= 0:
            raise RowRefused(f"{self._called('quantity')} is {self.quantity} shares; it must be positive")

    @classmethod
    def of(
        cls,
        ticket: OrderTicket,
        order_id: int,
        *,
        session: dt.date,
        client_id: int = 0,
        rebalance_id: str | None = None,
        decision_price: float | None = None,
        purpose: str = "rebalance",
    ) -> Intent:
        """Make the row of a ticket that is about to be sent under an order id."""
        shared = {f.name: getattr(ticket, f.name) for f in dataclasses.fields(ticket)}
        return cls(
            **shared,
            session=session,
            order_id=order_id,
            client_id=client_id,
            rebalance_id=rebalance_id,
            decision_price=decision_price,
            purpose=purpose,
        )

    @property
    def ticket(self) -> OrderTicket:
        """The ticket, as it was sent."""
        return OrderTicket(**{f.name: getattr(self, f.name) for f in dataclasses.fields(OrderTicket)})

    @property
    def sign(self) -> int:
        """1 buys, -1 sells."""
        return 1 if self.side == "BUY" else -1


@dataclass(frozen=True, slots=True)
class StageRow(Row):
    """An order came to another stage; see `STAGES`."""

    ref: str
    stage: str
    reason: str = ""

    def _check(self) -> None:
        self._one_of("stage", STAGES)


@dataclass(frozen=True, slots=True)
class WireEvent(Row):
    """One message of the gateway, or of the connection, as it came (`live.journal.wire_rows`).

    Attributes
    ----------
    kind : str
        status, open_order, completed_order, error, notice, connected, disconnected, state, restored, outage.
    seq : int or None
        Place in the client's queue.
    ref : str
        Order reference if it is known; else empty.
    order_id, client_id, perm_id, code : int or None
    status, text : str
    filled, remaining, average_price : float or None
    detail : dict
        The whole message.
    """

    kind: str
    seq: int | None = None
    ref: str = ""
    order_id: int | None = None
    client_id: int | None = None
    perm_id: int | None = None
    code: int | None = None
    status: str = ""
    filled: float | None = None
    remaining: float | None = None
    average_price: float | None = None
    text: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fill(Row):
    """One execution, or a correction of one: the highest ``revision`` of a ``root`` is what counts.

    Attributes
    ----------
    root, revision
        Execution id without its last part, and that part.
    ref : str
        Empty for an order that is not ours.
    con_id : int
    symbol, side : str
    shares, price : float
        ``shares`` is not negative; 0 takes an execution back.
    traded_at : datetime
    session : date
        Exchange date of the trade.
    order_id, client_id, perm_id : int
    exchange : str
    replayed : bool
        It answered a query.
    """

    root: str
    revision: int
    ref: str
    con_id: int
    symbol: str
    side: str
    shares: float
    price: float
    traded_at: dt.datetime
    session: dt.date
    order_id: int = 0
    client_id: int = 0
    perm_id: int = 0
    exchange: str = ""
    replayed: bool = False

    def _check(self) -> None:
        self._one_of("side", SIDES)
        if self.shares < 0:
            raise RowRefused(f"{self._called('shares')} is {self.shares}; the side gives the sign")

    @property
    def signed_shares(self) -> float:
        """Shares, negative when sold."""
        return self.shares if self.side == "BUY" else -self.shares


@dataclass(frozen=True, slots=True)
class Fee(Row):
    """Commission of an execution; the latest row of its highest revision counts. No row means not known."""

    root: str
    revision: int
    amount: float
    currency: str = "USD"
    realised_pnl: float | None = None


@dataclass(frozen=True, slots=True)
class JournalOrder:
    """An order and how far it has come, from intents, stages, fills and fees.

    Attributes
    ----------
    intent : Intent
    stage : str
        The latest of `STAGES`; ``intent`` when nothing followed.
    stage_at : datetime or None
    reason : str
    filled : float
        Shares, corrections applied.
    average_price : float or None
        USD a share; ``None`` without a fill.
    fee_usd : float or None
        Sum of the fees that are known; ``None`` if one is not.
    """

    intent: Intent
    stage: str
    stage_at: dt.datetime | None
    reason: str
    filled: float
    average_price: float | None
    fee_usd: float | None

    @property
    def is_done(self) -> bool:
        """Nothing more is expected."""
        return self.stage in DONE or self.filled >= self.intent.quantity

    @property
    def remaining(self) -> float:
        """Shares that may still fill."""
        return 0.0 if self.is_done else self.intent.quantity - self.filled


@dataclass(frozen=True, slots=True)
class JournalPosition:
    """What the journal says is ours: signed shares, never what is merely in the account."""

    con_id: int
    symbol: str
    shares: float
