"""Orders and executions as the gateway keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from live.double.clock import Timer
from live.double.market import Listing

LIVE = frozenset({"PreSubmitted", "Submitted", "PendingCancel"})
TYPES = frozenset({"MKT", "LMT", "STP", "STP LMT", "MOC", "LOC"})
AT_CLOSE = frozenset({"MOC", "LOC"})
WITH_LIMIT = frozenset({"LMT", "STP LMT", "LOC"})
WITH_STOP = frozenset({"STP", "STP LMT"})
TIFS = frozenset({"DAY", "GTC", "OPG", "IOC", "GTD"})
ECHOED = (
    "outsideRth", "hidden", "discretionaryAmt", "goodAfterTime", "goodTillDate", "rule80A", "allOrNone", "minQty",
    "triggerMethod", "trailStopPrice", "trailingPercent", "algoStrategy", "algoParams", "sweepToFill", "blockOrder",
    "notHeld", "ocaType",
)  # fmt: skip
"""Fields that come back as the client sent them; the others have the gateway's own conventions."""


class Refused(Exception):
    """An order or a request that the gateway does not accept.

    Attributes
    ----------
    code : int
        Of the error message.
    inactive : bool
        The order is kept with status Inactive, as for error 201.
    """

    def __init__(self, code: int, text: str, *, inactive: bool = False) -> None:
        super().__init__(text)
        self.code, self.text, self.inactive = code, text, inactive


@dataclass(slots=True, eq=False)
class Order:
    """One order of a client.

    Attributes
    ----------
    quantity, filled : float
        Shares.
    limit, stop : float or None
        USD.
    value : float
        Sum of shares times price over the fills, USD.
    reserved : float
        USD by which the whole order changes the account's gross position.
    waits : bool
        Not sent to the exchange yet: not transmitted, or its parent has not filled.
    triggered : bool
        A stop whose price was reached.
    raw : mapping
        Fields as the client sent them.
    """

    order_id: int
    client_id: int
    perm_id: int
    listing: Listing
    account: str
    action: str
    quantity: float
    kind: str
    limit: float | None
    stop: float | None
    tif: str
    oca: str
    parent_id: int
    ref: str
    transmit: bool
    raw: Mapping[str, Any]
    placed_at: float
    status: str = "PreSubmitted"
    filled: float = 0.0
    value: float = 0.0
    last_price: float = 0.0
    fee: float = 0.0
    reserved: float = 0.0
    why_held: str = ""
    waits: bool = False
    triggered: bool = False
    announced: bool = False
    ended_at: float = 0.0
    ended_as: str = ""
    timers: list[Timer] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)

    @property
    def sign(self) -> float:
        """1 for a purchase, -1 for a sale."""
        return 1.0 if self.action == "BUY" else -1.0

    @property
    def remaining(self) -> float:
        """Shares that are not filled."""
        return max(0.0, self.quantity - self.filled)

    @property
    def average(self) -> float:
        """Average price of the fills, USD; 0 without any."""
        if not self.filled:
            return 0.0
        # One price throughout is that price, and not a rounding of it.
        return self.last_price if self.value == self.filled * self.last_price else self.value / self.filled

    @property
    def live(self) -> bool:
        """Whether it can still fill."""
        return self.status in LIVE

    @property
    def at_open(self) -> bool:
        """For the opening auction only."""
        return self.tif == "OPG"

    @property
    def at_close(self) -> bool:
        """For the closing auction only."""
        return self.kind in AT_CLOSE

    def stop_timers(self) -> None:
        """Take what is due for it off the clock."""
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()


@dataclass(slots=True, eq=False)
class Execution:
    """One fill.

    Attributes
    ----------
    exec_id : str
        Four parts; the last one counts corrections.
    time : float
        Virtual, seconds since 1970.
    cumulative, average : float
        Of the order after this fill.
    fee : float
        USD.
    realized : float or None
        USD; None when nothing was closed.
    reported : bool
        The commission report may be sent.
    """

    exec_id: str
    order: Order
    time: float
    shares: float
    price: float
    cumulative: float
    average: float
    exchange: str
    fee: float
    realized: float | None
    reported: bool = True
    liquidity: int = 2


def number(value: str) -> float | None:
    """A price that a client sent; None where it is unset."""
    if value in ("", "1.7976931348623157e+308", "1.7976931348623157E308"):
        return None
    return float(value)


def prices(kind: str, raw: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Limit and stop price of an order; a price that its type does not use counts for nothing."""
    limit = number(raw["lmtPrice"]) if kind in WITH_LIMIT else None
    return limit, number(raw["auxPrice"]) if kind in WITH_STOP else None


def conform(kind: str) -> str:
    """The order type in the gateway's spelling."""
    return {"MKTCLS": "MOC", "LMTCLS": "LOC", "STPLMT": "STP LMT"}.get(kind, kind)


def echoed(order: Order) -> dict[str, Any]:
    """Fields that are sent back as they came, where the client set them."""
    return {name: order.raw[name] for name in ECHOED if order.raw.get(name)}
