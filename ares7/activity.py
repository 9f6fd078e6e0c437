"""Figures of what was traded and held: turnover, costs, orders, exposure, regimes (rulings 8).

Complements `ares7.metrics`, with the same conventions: T session closes, NAV with its starting value first,
USD, 252 sessions a year, NaN where a figure is not defined.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ares7.arrays import Dates, Float1D, Float2D, Label1D
from ares7.errors import DataError
from ares7.ledger import Fills, OrderKind, Orders, OrderStatus
from ares7.metrics import SESSIONS_PER_YEAR, returns_from_nav, sharpe
from ares7.signals.regime import UNKNOWN, Regime

if TYPE_CHECKING:
    from ares7.costs import CostModel

HALF_CENT = 0.005
"""Fees are reconciled when they differ by less than this, in USD."""


def by_session(fills: Fills, amounts: Float1D, dates: Dates) -> Float1D:
    """(T,) sum of (F,) ``amounts`` in the session of each fill.

    Raises
    ------
    DataError
        A fill lies outside ``dates``.
    """
    rows = np.searchsorted(dates, fills.date)
    inside = rows < len(dates)
    inside[inside] = dates[rows[inside]] == fills.date[inside]
    if not inside.all():
        raise DataError(
            f"a fill of {fills.date[~inside][0]} lies in no session of the NAV ({len(dates)} sessions; "
            f"{np.count_nonzero(~inside)} such fills); give the NAV of every session that has fills"
        )
    return np.bincount(rows, weights=amounts, minlength=len(dates)).astype(np.float64)


def turnover_one_way_annual(notional: Float1D, nav: Float1D) -> float:
    """Half the traded notional over the previous close's NAV, summed, times 252 / R (rulings 8).

    Parameters
    ----------
    notional : (T,) USD
        Sum of |quantity| * price over all fills of each session: the first purchase and delisting exits too.
    nav : (T,) USD, starting value first
        R = T - 1; nothing can be filled in the first session, because decisions fill at the next open.
    """
    if len(nav) < 2:
        return math.nan
    return float(np.sum(notional[1:] / 2.0 / nav[:-1])) * SESSIONS_PER_YEAR / (len(nav) - 1)


def cost_reconciliation(fills: Fills, costs: CostModel | None) -> dict[str, Any]:
    """Compare the fees charged with the fees that the cost model asks for (C9).

    The expected fees of a bps model are sum |notional| * bps, whatever the engine's own arithmetic; those of
    a model by the share are its own function of each fill.

    Returns
    -------
    dict
        ``fills traded_notional_usd fees_usd fees_bps expected_fees_usd fees_difference_usd reconciles``;
        the last is None, and the two before it NaN, without a cost model. ``fees_bps`` is NaN without a fill.
    """
    notional, fees = math.fsum(fills.notional.tolist()), math.fsum(fills.fee.tolist())
    expected = math.nan
    if costs is not None and costs.model == "bps":
        expected = notional * costs.bps / 1e4
    elif costs is not None:
        expected = math.fsum(costs.fees(fills.quantity, fills.price).tolist())
    return {
        "fills": len(fills.quantity),
        "traded_notional_usd": notional,
        "fees_usd": fees,
        "fees_bps": fees / notional * 1e4 if notional > 0 else math.nan,
        "expected_fees_usd": expected,
        "fees_difference_usd": fees - expected,
        "reconciles": None if costs is None else abs(fees - expected) < HALF_CENT,
    }


def switch_fees(fills: Fills, orders: Orders) -> float:
    """USD: fees of the fills decided on a regime change that is no month end (rulings 8)."""
    return math.fsum(fills.fee[orders.on_switch[fills.order]].tolist())


def trading_costs(
    dates: Dates, nav: Float1D, fills: Fills, orders: Orders, costs: CostModel | None = None
) -> dict[str, Any]:
    """Turnover and costs of one run.

    Parameters
    ----------
    dates : (T,) datetime64[D]
    nav : (T,) USD, starting value first
    fills : Fills
    orders : Orders
        Those that the fills number.
    costs : CostModel, optional
        What fees are reconciled with.

    Returns
    -------
    dict
        Those of `cost_reconciliation`, ``turnover_one_way`` (a year), ``fees_annual`` (fees over the previous
        close's NAV, a year), ``switch_fees_usd`` and ``switch_fees_annual`` (likewise).
    """
    years = (len(nav) - 1) / SESSIONS_PER_YEAR

    def annual(fees: Float1D) -> float:
        return float(np.sum(by_session(fills, fees, dates)[1:] / nav[:-1])) / years if years else math.nan

    on_switch = orders.on_switch[fills.order]
    return {
        "turnover_one_way": turnover_one_way_annual(by_session(fills, fills.notional, dates), nav),
        **cost_reconciliation(fills, costs),
        "fees_annual": annual(fills.fee),
        "switch_fees_usd": switch_fees(fills, orders),
        "switch_fees_annual": annual(np.where(on_switch, fills.fee, 0.0)),
    }


def order_figures(orders: Orders) -> dict[str, Any]:
    """What became of the orders.

    Returns
    -------
    dict
        ``submitted`` = ``filled`` + ``refused`` + ``cancelled`` + ``waiting``; ``retried`` and ``delisting``
        count orders by why they were made; ``refusals`` lists the refused ones: ``date`` (session of the
        refusal), ``symbol``, ``size`` (signed shares).
    """
    refused = np.flatnonzero(orders.status == OrderStatus.REFUSED)
    return {
        "submitted": len(orders.status),
        "filled": int(np.count_nonzero(orders.status == OrderStatus.FILLED)),
        "refused": len(refused),
        "cancelled": int(np.count_nonzero(orders.status == OrderStatus.CANCELLED)),
        "waiting": int(np.count_nonzero(orders.status == OrderStatus.WAITING)),
        "retried": int(np.count_nonzero(orders.kind == OrderKind.RETRY)),
        "delisting": int(np.count_nonzero(orders.kind == OrderKind.DELISTING)),
        "refusals": [
            {
                "date": str(orders.resolved[i]),
                "symbol": orders.symbols[orders.symbol[i]],
                "size": float(orders.quantity[i]),
            }
            for i in refused.tolist()
        ],
    }


def from_the_start(dates: Dates, table: Float2D, starting: float) -> tuple[Dates, Float2D]:
    """Make sure that row 0 is the starting value: it is added, dated the day before, unless it is there.

    Parameters
    ----------
    dates : (T,) datetime64[D]
    table : (T, 4)
        NAV, cash, gross and names at each close.
    starting : USD

    Returns
    -------
    (T,) or (T + 1,) and (T, 4) or (T + 1, 4)
    """
    if len(table) and table[0, 0] == starting and table[0, 2] == 0:
        return dates, table
    before = dates[:1] - np.timedelta64(1, "D") if len(dates) else np.array(["NaT"], dtype="datetime64[D]")
    return np.append(before, dates), np.vstack([[starting, starting, 0.0, 0.0], table])


def exposure(nav: Float1D, cash: Float1D, gross: Float1D, names: Float1D) -> dict[str, Any]:
    """Mean exposure over the sessions after the starting value.

    Parameters
    ----------
    nav, cash : (T,) USD
    gross : (T,) fraction of NAV
        Sum of absolute position values at the close.
    names : (T,) count of positions
    """

    def mean(values: Float1D) -> float:
        return float(np.mean(values[1:])) if len(values) > 1 else math.nan

    return {"mean_gross": mean(gross), "mean_cash": mean(cash / nav), "mean_names": mean(names)}


def regime_name(label: int) -> str:
    """Name of a label; -1 is UNKNOWN, another number that `Regime` does not have is its own name."""
    if label == UNKNOWN:
        return "UNKNOWN"
    return Regime(label).name if label in Regime._value2member_map_ else str(label)


def switches_per_year(labels: Label1D) -> float:
    """Changes from one session's label to the next, times 252 / (T - 1)."""
    if len(labels) < 2:
        return math.nan
    return float(np.count_nonzero(labels[1:] != labels[:-1])) * SESSIONS_PER_YEAR / (len(labels) - 1)


def time_in_regime(labels: Label1D) -> dict[str, float]:
    """Share of the (T,) sessions under each label, by name; `Regime` names without a session are 0."""
    known = sorted({int(regime) for regime in Regime} | {int(label) for label in np.unique(labels)})
    return {
        regime_name(label): float(np.mean(labels == label)) if len(labels) else math.nan for label in known
    }


def regime_attribution(nav: Float1D, labels: Label1D) -> dict[str, Any]:
    """Return earned under each regime: the return of session t belongs to the label known at close t - 1.

    Parameters
    ----------
    nav : (T,) USD, starting value first
    labels : (T,) int8
        Held label known at each close, in the same rows as ``nav``.

    Returns
    -------
    dict
        By regime name: ``sessions``, their ``share``, ``return_annual`` (arithmetic mean of their returns
        * 252) and ``sharpe``; ``contribution`` = share * return_annual, which adds up to the arithmetic mean
        annual return; ``log_return``, which adds up to the log of the total growth.
    """
    returns, held = returns_from_nav(nav), labels[:-1]
    regimes = {}
    for label in np.unique(held).tolist():
        own = returns[held == label]
        regimes[regime_name(label)] = {
            "sessions": len(own),
            "share": len(own) / len(returns),
            "return_annual": float(np.mean(own)) * SESSIONS_PER_YEAR,
            "sharpe": sharpe(own),
            "contribution": float(np.sum(own)) * SESSIONS_PER_YEAR / len(returns),
            "log_return": float(np.sum(np.log1p(own))) if (own > -1).all() else math.nan,
        }
    return regimes
