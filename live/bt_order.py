"""A Backtrader order that lives at Interactive Brokers, and what it is called there."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import Any

import backtrader as bt

from ares7.errors import ConfigError
from live.client.messages import ContractFacts
from live.client.order_messages import OrderTicket

ORDER_TYPES = {
    bt.Order.Market: "MKT",
    bt.Order.Close: "MOC",
    bt.Order.Limit: "LMT",
    bt.Order.Stop: "STP",
    bt.Order.StopLimit: "STP LMT",
}
DATED = "%Y%m%d-%H:%M:%S"


class IBOrder(bt.OrderBase):  # type: ignore[misc]
    """An order of a strategy; its state comes from the wire alone (`live.order_book`).

    Parameters
    ----------
    action : str
        BUY or SELL.
    """

    def __init__(self, action: str, **kwargs: Any) -> None:
        self.ordtype = self.Buy if action == "BUY" else self.Sell
        self.ib_ref = ""
        self.reason = ""
        # MetaParams has taken the parameters out of kwargs; what is left over belongs to ``info``.
        super().__init__()
        self.addinfo(**kwargs)


@dataclass(frozen=True, slots=True)
class Routing:
    """How an order is to be sent.

    Attributes
    ----------
    market_open : bool
        The exchange is open: a market order trades now; else it waits for the opening auction.
    whole : int
        Shares after rounding down.
    """

    market_open: bool
    whole: int


def whole_shares(size: float, lot: float) -> int:
    """Shares rounded down to the lot; the API takes no fraction of a share."""
    step = max(int(round(lot)), 1)
    return int(math.floor(abs(size) / step + 1e-9)) * step


def tick_price(price: float, tick: float, side: str, order_type: str) -> float:
    """Price on the contract's grid, never worse than asked: limits away from the market, stops towards it."""
    if tick <= 0:
        return price
    steps = price / tick
    down = (side == "BUY") == (order_type in ("LMT", "LOC"))
    rounded = math.floor(steps + 1e-9) if down else math.ceil(steps - 1e-9)
    digits = max(0, 8 - int(math.floor(math.log10(max(price, tick)))))
    return round(rounded * tick, digits)


def ticket_of(order: Any, facts: ContractFacts, ref: str, routing: Routing, parent_id: int) -> OrderTicket:
    """Write an order as a ticket. Every order has an explicit time in force.

    Raises
    ------
    ConfigError
        An order type that is not supported here.
    """
    side = "BUY" if order.isbuy() else "SELL"
    order_type = order.info.get("order_type") or ORDER_TYPES.get(order.exectype)
    if order_type is None:
        raise ConfigError(
            f"{order.getordername()} orders are not supported on Interactive Brokers here; use Market, Close, Limit, "
            "Stop, StopLimit or a bracket"
        )
    tif = _time_in_force(order, order_type, routing)
    limit, stop = _prices(order, order_type)
    oco = getattr(order.oco, "ib_ref", "") if order.oco is not None else ""
    adaptive = order.info.get("algo", "")
    return OrderTicket(
        ref=ref,
        con_id=facts.con_id,
        symbol=facts.symbol,
        side=side,
        quantity=routing.whole,
        order_type=order_type,
        tif=tif,
        limit_price=None if limit is None else tick_price(limit, facts.min_tick, side, order_type),
        stop_price=None if stop is None else tick_price(stop, facts.min_tick, side, "STP"),
        oca_group=oco or order.info.get("oca_group", ""),
        parent_id=parent_id,
        transmit=bool(order.transmit),
        algo=adaptive,
        algo_params=(("adaptivePriority", order.info.get("priority", "Normal")),) if adaptive else (),
    )


def _prices(order: Any, order_type: str) -> tuple[float | None, float | None]:
    """Limit and stop price; a price on a market order is a reference of Backtrader's, never a limit."""
    if order_type in ("LMT", "LOC"):
        return order.created.price, None
    if order_type == "STP":
        return None, order.created.price
    if order_type == "STP LMT":
        return order.created.pricelimit, order.created.price
    return None, None


def _time_in_force(order: Any, order_type: str, routing: Routing) -> str:
    given = order.info.get("tif")
    if given:
        return str(given)
    if order_type == "MKT":
        return "DAY" if routing.market_open else "OPG"
    if order_type in ("MOC", "LOC"):
        return "DAY"
    if order.valid is None:
        return "GTC"
    end = bt.num2date(order.valid)
    today = order.data.datetime.date(0)
    if end.date() <= today and end.time() >= dt.time(23, 59):
        return "DAY"
    raise ConfigError(
        f"an order valid until {end:%Y-%m-%d %H:%M} cannot be sent; use valid=None (until cancelled) or "
        "valid=bt.Order.DAY"
    )
