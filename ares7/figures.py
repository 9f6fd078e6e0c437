"""Every figure of one run from its record, whichever engine made it: the sections of metrics.json."""

from __future__ import annotations

from typing import Any

import numpy as np

from ares7.activity import (
    exposure,
    from_the_start,
    order_figures,
    regime_attribution,
    switches_per_year,
    time_in_regime,
    trading_costs,
)
from ares7.arrays import Dates, Float1D, Label1D
from ares7.config import Config
from ares7.folds import oos_windows
from ares7.ledger import Fills, Orders
from ares7.metrics import performance, returns_from_nav


def window_calendar(config: Config, all_sessions: Dates) -> str | Dates:
    """Sessions by which windows are counted: the data's own where they reach over every window.

    Otherwise the name of the calendar, whose library takes half a second to load.
    """
    edges = [np.datetime64(day, "D") for w in config.oos for day in (w.start, w.end)]
    inside = all(all_sessions[0] <= day <= all_sessions[-1] for day in edges)
    return all_sessions if inside else config.data.calendar


def figures(
    config: Config,
    dates: Dates,
    nav: Float1D,
    cash: Float1D,
    gross: Float1D,
    names: Float1D,
    fills: Fills,
    orders: Orders,
    *,
    labels: Label1D | None,
    baseline_nav: Float1D,
    all_sessions: Dates,
) -> dict[str, Any]:
    """Figures of one run; equal to what the analyzers of an event-driven run give.

    Parameters
    ----------
    config : Config
        Windows, costs and conventions.
    dates, nav, cash, gross, names, baseline_nav : (S,)
        At the close of each session: USD, USD, fraction of NAV, count, USD.
    fills, orders : Fills, Orders
    labels : (S,) int8, optional
        Held regime known at each close.
    all_sessions : (T,) datetime64[D]
        Every exchange session of the data, warm-up included.

    Returns
    -------
    dict
        ``performance costs exposure attribution windows oos orders``.
    """
    risk_free = config.metrics.risk_free
    # Interest may be earned before the first close; windows and regimes count the sessions of the run alone.
    days, table = from_the_start(dates, np.column_stack([nav, cash, gross, names]), config.account.cash)
    curve = np.ascontiguousarray(table.T)
    invested = exposure(*curve)
    if labels is not None:
        invested |= {
            "time_in_regime": time_in_regime(labels),
            "switches_per_year": switches_per_year(labels),
        }
    oos = oos_windows(
        dates[1:],
        returns_from_nav(nav),
        returns_from_nav(baseline_nav),
        config.oos,
        risk_free=risk_free,
        calendar=window_calendar(config, all_sessions),
    )
    windows = oos.pop("windows")
    return {
        "performance": performance(days, curve[0], risk_free),
        "costs": trading_costs(days, curve[0], fills, orders, costs=config.costs),
        "exposure": invested,
        "attribution": {} if labels is None else regime_attribution(nav, labels),
        "windows": windows,
        "oos": oos,
        "orders": order_figures(orders),
    }
