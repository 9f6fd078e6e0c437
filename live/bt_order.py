"""A Backtrader order that lives at Interactive Brokers, and what it is called there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import backtrader as bt

from ares7.errors import ConfigError
from live.client.messages import ContractFacts
from live.client.order_messages import OrderTicket
from live.validity import TradingDay, time_in_force

ORDER_TYPES = {
    bt.Order.Market: "MKT",
    bt.Order.Close: "MOC",
    bt.Order.Limit: "LMT",
    bt.Order.Stop: "STP",
    bt.Order.StopLimit: "STP LMT",
}
SUPPORTED = "Market, Close, Limit, Stop, StopLimit or a bracket of these"
PARENT_OF_GROUP = -1
"""Stands for the order id of the first order of a group, which has none yet."""


def require_supported(exectype: int | None) -> None:
    """Refuse an execution type that has no counterpart here, before an order exists.

    Raises
    ------
    ConfigError
    """
    if exectype is not None and exectype not in ORDER_TYPES:
        name = bt.Order.ExecTypes[exectype]
        raise ConfigError(f"{name} orders are not supported on Interactive Brokers here; use {SUPPORTED}")


def require_bar(data: Any) -> None:
    """Refuse an order of a feed that has not delivered a bar: Backtrader reads its close.

    Raises
    ------
    ConfigError
    """
    if not len(data):
        raise ConfigError(
            f"no order of {data._name} can exist before its first bar; order in next, or once len(data) is 1"
        )


class IBOrder(bt.OrderBase):  # type: ignore[misc]
    """An order of a strategy; its state comes from the wire alone (`live.order_book`).

    Parameters
    ----------
    action : str
        BUY or SELL.

    Attributes
    ----------
    ib_ref : str
        Order reference at the gateway; empty until the order is submitted.
    oca_group : str
        Group of which the first fill cancels the others.
    reason : str
        Why it was not sent, rejected or cancelled.
    """

    def __init__(self, action: str, **kwargs: Any) -> None:
        self.ordtype = self.Buy if action == "BUY" else self.Sell
        self.ib_ref = self.oca_group = self.reason = ""
        # MetaParams has taken the parameters out of kwargs; what is left over belongs to ``info``.
        super().__init__()
        self.addinfo(**kwargs)

    @property
    def side(self) -> str:
        """BUY or SELL."""
        return "BUY" if self.isbuy() else "SELL"

    def make_whole(self, lot: float) -> int:
        """Round the size down to whole lots; returns the shares, without sign."""
        whole = whole_shares(self.created.size, lot)
        self.size = self.created.size = whole if self.isbuy() else -whole
        self.created.remsize = self.executed.remsize = self.created.size
        return whole


@dataclass(frozen=True, slots=True)
class Routing:
    """How an order is to be sent.

    Attributes
    ----------
    day : TradingDay
    daily : bool
        The feed has daily bars: validity is counted in sessions.
    parent_id : int
        Order id of the parent; `PARENT_OF_GROUP` if it is sent together with this one; 0 for none.
    transmit : bool
        False holds it at the gateway until the last order of its group.
    """

    day: TradingDay
    daily: bool
    parent_id: int = 0
    transmit: bool = True


def whole_shares(size: float, lot: float) -> int:
    """Shares rounded down to the lot; the API takes no fraction of a share."""
    step = max(round(lot), 1)
    return math.floor(abs(size) / step + 1e-9) * step


def tick_price(price: float, tick: float, side: str, order_type: str) -> float:
    """Price on the contract's grid, never worse than asked: limits away from the market, stops towards it."""
    if tick <= 0 or not math.isfinite(price):
        return price
    steps = price / tick
    down = (side == "BUY") == (order_type in ("LMT", "STP LMT", "LOC"))
    rounded = math.floor(steps + 1e-6) if down else math.ceil(steps - 1e-6)
    return round(rounded * tick, 8)


def ticket_of(order: IBOrder, facts: ContractFacts, routing: Routing) -> OrderTicket:
    """Write an order as a ticket. Every order has an explicit time in force.

    Keyword arguments that the strategy gave beyond Backtrader's: ``tif``, ``order_type`` (``LOC``), ``algo``
    (``Adaptive``) with ``priority``, ``oca_group``.

    Raises
    ------
    ConfigError
        Its validity cannot be expressed.
    """
    side, info = order.side, order.info
    order_type = str(info.get("order_type") or ORDER_TYPES[order.exectype])
    tif, good_till = time_in_force(order, order_type, routing.day, daily=routing.daily)
    limit, stop = _prices(order, order_type)
    tick, algo = facts.min_tick, str(info.get("algo", ""))
    return OrderTicket(
        ref=order.ib_ref,
        con_id=facts.con_id,
        symbol=facts.symbol,
        side=side,
        quantity=int(abs(order.created.size)),
        order_type=order_type,
        tif=tif,
        good_till=good_till,
        limit_price=None if limit is None else tick_price(limit, tick, side, order_type),
        stop_price=None if stop is None else tick_price(stop, tick, side, "STP"),
        oca_group=order.oca_group or str(info.get("oca_group", "")),
        parent_id=routing.parent_id,
        transmit=routing.transmit,
        algo=algo,
        algo_params=(("adaptivePriority", str(info.get("priority", "Normal"))),) if algo else (),
    )


def _prices(order: IBOrder, order_type: str) -> tuple[float | None, float | None]:
    """Limit and stop price; a price on a market order is a reference of Backtrader's, never a limit."""
    if order_type in ("LMT", "LOC"):
        return order.created.price, None
    if order_type == "STP":
        return None, order.created.price
    if order_type == "STP LMT":
        return order.created.pricelimit, order.created.price
    return None, None
