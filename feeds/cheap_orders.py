"""Backtrader's own market orders and their clones, made without the metaclass.

`bt.Order` keeps its parameters in an object of their own, and the metaclass sets 15 of them one by one; `copy.copy`
goes through pickle's protocol. What comes out here has the same class and, name by name, the same attributes.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from typing import Any

from backtrader.order import BuyOrder, Order, OrderData, SellOrder
from backtrader.utils import AutoOrderedDict

_PLAIN = (BuyOrder, SellOrder)


def _order_data(
    *,
    price: float,
    pclose: float,
    when: float | None = None,
    size: float = 0,
    remsize: float = 0,
    trail: float | None = 0.0,
    limit: float | None = 0.0,
) -> Any:
    data = object.__new__(OrderData)
    data.__dict__ = {
        "pclose": pclose,
        "exbits": deque(),
        "p1": 0,
        "p2": 0,
        "dt": when,
        "size": size,
        "remsize": remsize,
        "price": price,
        "pricelimit": price,
        "trailamount": trail,
        "trailpercent": trail,
        "_plimit": limit,
        "value": 0.0,
        "comm": 0.0,
        "margin": None,
        "pnl": 0.0,
        "psize": 0,
        "pprice": 0,
    }
    return data


def _params(kind: Any, owner: Any, data: Any, size: float, price: float | None, tradeid: int) -> Any:
    params = object.__new__(kind.params)
    params.__dict__ = {
        "owner": owner,
        "data": data,
        "size": size,
        "price": price,
        "pricelimit": None,
        "exectype": None,
        "valid": None,
        "tradeid": tradeid,
        "oco": None,
        "trailamount": None,
        "trailpercent": None,
        "parent": None,
        "transmit": True,
        "simulated": False,
        "histnotify": False,
    }
    return params


def market_order(
    kind: Any,
    owner: Any,
    data: Any,
    size: float,
    price: float | None,
    tradeid: int,
    *,
    close: float,
    now: float,
    session_end: float,
) -> Any:
    """Return a market order as ``kind(owner=owner, data=data, ...)`` of Backtrader would be.

    Parameters
    ----------
    kind : type
        ``bt.order.BuyOrder`` or ``bt.order.SellOrder``, not a subclass.
    owner : Strategy
    data : feed
    size : float
        Shares, positive.
    price : float or None
        Reference price in USD a share; the close if None or 0.
    tradeid : int
    close : float
        The feed's close in USD a share.
    now, session_end : float
        The feed's time and the end of its session, in Backtrader's date numbers.
    """
    params = _params(kind, owner, data, size, price, tradeid)
    signed = size if kind is BuyOrder else -size
    order = object.__new__(kind)
    order.__dict__ = attributes = {
        "params": params,
        "p": params,
        "ref": next(Order.refbasis),
        "broker": None,
        "info": AutoOrderedDict(),
        "comminfo": None,
        "triggered": False,
        "_active": True,
        "status": Order.Created,
        "_plimit": None,
        "exectype": Order.Market,
    }
    if kind is SellOrder:
        attributes["size"] = signed
    attributes["created"] = _order_data(
        price=price or close, pclose=close, when=now, size=signed, trail=None, limit=None
    )
    attributes["_limitoffset"] = 0.0
    attributes["executed"] = _order_data(price=0.0, pclose=0.0, remsize=signed)
    attributes["position"] = 0
    attributes["dteos"] = session_end
    return order


def session_end(data: Any) -> float:
    """Return the end of a feed's present session as a new order of Backtrader notes it."""
    now, end = data.datetime.datetime(0), data.p.sessionend
    stamp = now.replace(hour=end.hour, minute=end.minute, second=end.second, microsecond=end.microsecond)
    if stamp < now:
        stamp += dt.timedelta(days=1)
    return float(data.date2num(stamp))


def clone(order: Any) -> Any:
    """Return what ``order.clone()`` would: shared creation data, own execution data, pending fills marked."""
    if type(order) not in _PLAIN:
        return order.clone()
    executed = order.executed
    if type(executed) is not OrderData:
        return order.clone()
    executed.markpending()
    twin = object.__new__(OrderData)
    twin.__dict__ = executed.__dict__.copy()
    copy = object.__new__(type(order))
    copy.__dict__ = attributes = order.__dict__.copy()
    attributes["executed"] = twin
    return copy
