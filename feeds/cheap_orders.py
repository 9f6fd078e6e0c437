"""Backtrader's own market orders and their clones, made without the metaclass.

`bt.Order` keeps its parameters in an object of their own, and the metaclass sets 15 of them one by one; `copy.copy`
goes through pickle's protocol. What comes out here has the same class and, name by name, the same attributes.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from typing import Any

from backtrader.order import BuyOrder, Order, OrderData, SellOrder
from backtrader.utils import AutoOrderedDict, date2num

_PLAIN = (BuyOrder, SellOrder)
_CONDITIONS = frozenset(
    {
        "plimit",
        "exectype",
        "valid",
        "tradeid",
        "oco",
        "trailamount",
        "trailpercent",
        "parent",
        "transmit",
        "histnotify",
        "_checksubmit",
    }
)
_PARAMS = dict(Order.params._getitems())
_CREATED = vars(OrderData(pricelimit=None, trailamount=None, trailpercent=None))
_EXECUTED = vars(OrderData())


def is_plain(conditions: dict[str, Any]) -> bool:
    """Whether the keywords of ``buy`` or ``sell`` ask for a market order that belongs to no group."""
    get = conditions.get
    return not (
        get("exectype")
        or get("plimit") is not None
        or get("valid") is not None
        or get("oco") is not None
        or get("parent") is not None
        or get("trailamount") is not None
        or get("trailpercent") is not None
        or get("histnotify")
        or not get("transmit", True)
        or not get("_checksubmit", True)
    )


def market_order(
    kind: Any,
    owner: Any,
    data: Any,
    size: float,
    price: float | None,
    conditions: dict[str, Any],
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
    conditions : dict
        The other keywords of ``buy`` or ``sell``, of which only ``tradeid``, ``exectype`` (None or Market) and those
        that Backtrader keeps in ``order.info`` say anything (`is_plain`).
    close : float
        The feed's close in USD a share.
    now, session_end : float
        The feed's time and the end of its session, in Backtrader's date numbers.
    """
    params, created, executed, order = map(object.__new__, (kind.params, OrderData, OrderData, kind))
    params.__dict__ = asked = _PARAMS.copy()
    asked["owner"], asked["data"], asked["size"], asked["price"] = owner, data, size, price
    asked["exectype"], asked["tradeid"] = conditions.get("exectype"), conditions.get("tradeid", 0)
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
    }
    if asked["exectype"] is None:
        attributes["exectype"] = Order.Market
    if kind is SellOrder:
        attributes["size"] = size = -size
    created.__dict__ = values = _CREATED.copy()
    values["pclose"], values["exbits"], values["dt"], values["size"] = close, deque(), now, size
    values["price"] = values["pricelimit"] = price or close
    executed.__dict__ = values = _EXECUTED.copy()
    values["exbits"], values["remsize"] = deque(), size
    attributes |= {
        "created": created,
        "_limitoffset": 0.0,
        "executed": executed,
        "position": 0,
        "dteos": session_end,
    }
    if not conditions.keys() <= _CONDITIONS:
        order.addinfo(**{key: value for key, value in conditions.items() if key not in _CONDITIONS})
    return order


def session_end(now: dt.datetime, end: dt.time) -> float:
    """Return the end of a feed's present session as a new order of Backtrader notes it, in its date numbers."""
    stamp = now.replace(hour=end.hour, minute=end.minute, second=end.second, microsecond=end.microsecond)
    if stamp < now:
        stamp += dt.timedelta(days=1)
    return float(date2num(stamp))


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
