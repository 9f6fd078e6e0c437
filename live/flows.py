"""Money in and out: recognised from the account's cash, and kept out of profit, drawdown and alerts (rulings 29).

Three curves of one account:

* The *time-weighted* curve takes out what its owner moved: deposits, withdrawals, and what nobody has named yet. It
  is the one that is reported and compared with a backtest. Dividends, interest and fees stay in: they are earned and
  paid by the book itself, as total-return prices of a backtest hold them.
* The *trading* return of a day takes out every event. Daily limits and alerts read it, so that no event ever trips
  one.
* Each event is a line of its own in the report, never part of a trade's profit.

A flow counts at the start of its session: what came in on a day was there all day. That is a convention, right for
transfers that a bank books over night; a method that weights flows within the day (modified Dietz) would need times
that a gateway does not tell, and is not used.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares7 import metrics
from ares7.arrays import Float1D
from ares7.errors import DataError
from live.journal.rows import FLOW_KINDS, CashFlow, Fill

EXTERNAL = frozenset({"deposit", "withdrawal", "unknown"})
"""Kinds that the owner moved, or may have moved: no return of the book. ``unknown`` is one until it is named."""
CENT = 0.01
"""USD: the gateway tells cash in whole cents."""
ROUNDING = 0.005
"""USD a fill: fees are charged in fractions of a cent and told rounded."""


@dataclass(frozen=True, slots=True)
class CashCheck:
    """Cash before and after, and what lies between.

    Attributes
    ----------
    before, after : float
        USD, as the gateway told it.
    traded : float
        USD that the fills brought (sales) or took (purchases).
    fees : float
        USD, positive.
    flows : float
        USD of flows that are known already.
    tolerance : float
        USD that rounding may make.
    """

    before: float
    after: float
    traded: float
    fees: float
    flows: float
    tolerance: float

    @property
    def unexplained(self) -> float:
        """USD that nothing known explains, rounding included; positive came in."""
        return math.fsum((self.after, -self.before, -self.traded, self.fees, -self.flows))

    @property
    def differs(self) -> bool:
        """More than rounding is unexplained."""
        return abs(self.unexplained) > self.tolerance


def check_cash(
    before: float,
    after: float,
    fills: Sequence[Fill],
    fees: Iterable[float],
    known: Iterable[CashFlow] = (),
) -> CashCheck:
    """Compare the change of cash with what trades, fees and known flows make of it.

    Parameters
    ----------
    before, after : float
        USD.
    fills : sequence of Fill
        Everything traded between, in its latest revision, trades by hand included.
    fees : iterable of float
        USD of every fill; call only when all are known, or a fee that is late looks like a withdrawal.
    known : iterable of CashFlow
        Flows between that are recorded already.

    Raises
    ------
    DataError
        A figure is not a number: nothing is guessed.
    """
    traded = math.fsum(-fill.signed_shares * fill.price for fill in fills)
    found = CashCheck(
        before,
        after,
        traded,
        math.fsum(fees),
        math.fsum(flow.amount_usd for flow in known),
        CENT + ROUNDING * len(fills),
    )
    if not math.isfinite(found.unexplained):
        raise DataError(
            f"cash before {before}, after {after}, traded {traded}, fees {found.fees}: one is not a number, so no "
            "flow is recognised; read the account again"
        )
    return found


def recognised(check: CashCheck, session: dt.date) -> CashFlow | None:
    """Return the flow that a change of cash without a trade is, of kind ``unknown`` until the operator names it.

    Its key is made of the session and of the cash after it, so that a second look at the same figures, also of
    another process, records nothing twice.
    """
    if not check.differs:
        return None
    amount = round(check.unexplained, 2)
    return CashFlow(
        session,
        "unknown",
        amount,
        key=f"cash {session} {check.before:.2f} {check.after:.2f}",
        text=f"cash moved by {amount:.2f} USD without a trade; name it: deposit, withdrawal, dividend, fee, ...",
    )


def named(flow: CashFlow, kind: str, text: str = "") -> CashFlow:
    """Return the row by which the operator names a flow.

    Raises
    ------
    DataError
        The kind does not exist, or its sign contradicts the amount.
    """
    if kind not in FLOW_KINDS:
        raise DataError(f"flow kind {kind!r} does not exist; kinds: {', '.join(FLOW_KINDS)}")
    sign = {"deposit": 1, "withdrawal": -1}.get(kind, 0)
    if sign * flow.amount_usd < 0:
        raise DataError(f"{flow.amount_usd:.2f} USD is no {kind}: its sign is the other one")
    return CashFlow(
        flow.session,
        kind,
        flow.amount_usd,
        symbol=flow.symbol,
        con_id=flow.con_id,
        text=text or flow.text,
        names=flow.id,
    )


def flow_series(
    flows: Iterable[CashFlow], sessions: Sequence[dt.date], kinds: frozenset[str] = EXTERNAL
) -> Float1D:
    """(T,) USD of flows by session; one between two sessions counts at the start of the later one.

    Raises
    ------
    DataError
        A flow lies after the last session: its effect is in no NAV yet. Leave it out, or add the session.
    """
    out = np.zeros(len(sessions))
    days = np.array([np.datetime64(day, "D") for day in sessions], dtype="datetime64[D]")
    for flow in flows:
        if flow.kind not in kinds:
            continue
        row = int(np.searchsorted(days, np.datetime64(flow.session, "D")))
        if row == len(days):
            raise DataError(
                f"flow of {flow.amount_usd:.2f} USD on {flow.session} lies after the last session "
                f"{sessions[-1] if len(sessions) else '(none)'}"
            )
        out[row] += flow.amount_usd
    return out


def time_weighted_returns(nav: Float1D, flows: Float1D) -> Float1D:
    """Return of every session but the first: ``nav[t] / (nav[t-1] + flows[t]) - 1``.

    Parameters
    ----------
    nav : (T,) USD
        At the close of each session, flows included.
    flows : (T,) USD
        At the start of each session; that of the first row lies in its NAV already.

    Returns
    -------
    (T - 1,) fraction

    Raises
    ------
    DataError
        Nothing was left to earn a return on (a withdrawal of everything), or a figure is not a number.
    """
    start = nav[:-1] + flows[1:]
    wrong = np.flatnonzero(~(start > 0) | ~np.isfinite(nav[1:]))
    if len(wrong):
        row = int(wrong[0]) + 1
        raise DataError(
            f"row {row}: NAV {nav[row - 1]:.2f} and flows {flows[row]:.2f} USD leave nothing to earn a return on, or "
            f"NAV {nav[row]:.2f} is no number; begin the curve after it"
        )
    return np.asarray(nav[1:] / start - 1.0)


def time_weighted_curve(nav: Float1D, flows: Float1D) -> Float1D:
    """(T,) USD: what the first NAV would have become without flows. `ares7.metrics` reads it as a NAV.

    Raises
    ------
    DataError
        As `time_weighted_returns`.
    """
    if len(nav) == 0:
        return nav.copy()
    growth = np.concatenate([[1.0], 1.0 + time_weighted_returns(nav, flows)])
    return np.asarray(nav[0] * np.cumprod(growth))


def trading_return(nav_before: float, nav: float, flows: Iterable[CashFlow]) -> float:
    """Return of one session with every event taken out, whatever its kind: what daily limits and alerts read.

    NaN where there is nothing to earn it on; a limit that meets NaN fails closed.
    """
    start = nav_before + math.fsum(flow.amount_usd for flow in flows)
    return nav / start - 1.0 if start > 0 and math.isfinite(nav) else math.nan


@dataclass(frozen=True, slots=True)
class LossBases:
    """What daily-loss and drawdown limits compare the present NAV with, in USD of the present account.

    Attributes
    ----------
    previous_nav : float
        The latest close, with every event since added: no event is a loss of the day.
    peak_nav : float
        What the NAV would be at the height of the time-weighted curve: no deposit and no withdrawal is a drawdown or
        ends one. At least the present NAV.
    """

    previous_nav: float
    peak_nav: float


def loss_bases(
    closes: Sequence[tuple[dt.date, float]], flows: Sequence[CashFlow], session: dt.date, nav: float
) -> LossBases:
    """Return what limits on losses compare the present NAV with.

    Parameters
    ----------
    closes : sequence of (session, USD)
        Closing values before ``session``, oldest first; empty before the first one, when nothing was lost yet.
    flows : sequence of CashFlow
    session : date
        The present one.
    nav : float
        Now, USD.

    Raises
    ------
    DataError
        As `time_weighted_returns`.
    """
    if not closes:
        return LossBases(nav, nav)
    last = closes[-1][0]
    since = [flow for flow in flows if last < flow.session <= session]
    previous = closes[-1][1] + math.fsum(flow.amount_usd for flow in since)
    sessions = [day for day, _ in closes] + [session]
    between = [flow for flow in flows if sessions[0] < flow.session <= session]
    values = np.array([value for _, value in closes] + [nav])
    curve = time_weighted_curve(values, flow_series(between, sessions))
    return LossBases(previous, max(nav, float(nav * (curve.max() / curve[-1]))))


def account_figures(
    sessions: Sequence[dt.date], nav: Float1D, flows: Sequence[CashFlow], risk_free: float = 0.0
) -> dict[str, Any]:
    """Figures of an account from its NAV and flows, every one by `ares7.metrics` from the time-weighted curve.

    Parameters
    ----------
    sessions : sequence of T dates
    nav : (T,) USD
    flows : sequence of CashFlow
    risk_free : float
        Annual rate.

    Returns
    -------
    dict
        ``total_return cagr sharpe volatility max_drawdown drawdown`` (fractions), ``nav_usd``, ``flows_usd`` by kind
        and ``earned_usd``: the change of NAV less what the owner moved.
    """
    outside = flow_series(flows, sessions)
    curve = time_weighted_curve(nav, outside)
    returns = metrics.returns_from_nav(curve)
    moved = math.fsum(outside[1:])
    return {
        "total_return": float(curve[-1] / curve[0] - 1.0) if len(curve) else math.nan,
        "cagr": metrics.cagr(curve),
        "sharpe": metrics.sharpe(returns, risk_free),
        "volatility": metrics.volatility(returns),
        "max_drawdown": metrics.max_drawdown(curve),
        "drawdown": float(metrics.drawdown_series(curve)[-1]) if len(curve) else math.nan,
        "nav_usd": float(nav[-1]) if len(nav) else math.nan,
        "flows_usd": totals(flows),
        "earned_usd": float(nav[-1] - nav[0] - moved) if len(nav) else math.nan,
    }


def totals(flows: Iterable[CashFlow]) -> Mapping[str, float]:
    """USD by kind, for kinds that occur."""
    found: dict[str, list[float]] = {}
    for flow in flows:
        found.setdefault(flow.kind, []).append(flow.amount_usd)
    return {kind: math.fsum(found[kind]) for kind in FLOW_KINDS if kind in found}
