"""Time series of an account or of a run: one row a session, every figure by the function that reports it.

::

    with JournalReader.open(url, "paper") as journal:
        series = series_of(journal)
    series = series_of_run(load_run("RUN1", Path("runs")))
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ares7 import metrics
from ares7.arrays import Dates, Float1D, Int1D
from ares7.errors import DataError
from ares7.runs import Run
from live.flows import EXTERNAL, flow_series, time_weighted_curve
from live.journal.reader import JournalReader
from live.journal.rows import CashFlow, Nav, RegimeRow


@dataclass(frozen=True, slots=True)
class Read:
    """Rows of a journal: closes by session, money in and out, regimes in the order of their writing."""

    navs: tuple[Nav, ...]
    flows: tuple[CashFlow, ...]
    regimes: tuple[RegimeRow, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """T sessions that have a closing value, oldest first; what is not known is NaN or an empty text.

    Attributes
    ----------
    sessions : (T,) datetime64[D]
        Exchange sessions.
    nav_usd, cash_usd : (T,) USD
        At the close.
    gross, net : (T,) fraction of NAV
        Sum of absolute and of signed position values.
    flow_usd : (T,) USD
        What the owner moved, at the start of the session; positive came in.
    curve_usd : (T,) USD
        What the first value would have become without flows (rulings 29); all NaN where it cannot be computed.
    returns : (T,) fraction
        Of ``curve_usd``; the first is NaN.
    drawdown : (T,) fraction
        Below the highest value of ``curve_usd`` so far; positive, 0 at a new high.
    rolling_sharpe : (T,)
        Annualised, of the latest ``rolling_sessions`` returns; NaN before the first full window.
    rolling_sessions : int
    traded_usd, fees_usd : (T,) USD
        Sum of shares times price, and of the fees that are known, of the executions of the session.
    fees_unknown : (T,) int
        Executions whose fee is not known.
    turnover : (T,) fraction
        One way: half of ``traded_usd`` over the value at the close before; the first is NaN.
    regime : tuple of T str
        Label in force at the close; of a journal, that of the latest decision.
    sleeves : mapping of str to (T,) fraction
        Of a journal, what the latest decision gave each sleeve of the capital; of a run, the fraction of NAV held.
    problem : str
        Why there is no curve; empty if there is one.
    read : Read or None
        The rows that a series of a journal was made of, so that a snapshot need not read them again.
    """

    sessions: Dates
    nav_usd: Float1D
    cash_usd: Float1D
    gross: Float1D
    net: Float1D
    flow_usd: Float1D
    curve_usd: Float1D
    returns: Float1D
    drawdown: Float1D
    rolling_sharpe: Float1D
    traded_usd: Float1D
    fees_usd: Float1D
    fees_unknown: Int1D
    turnover: Float1D
    regime: tuple[str, ...]
    sleeves: Mapping[str, Float1D] = field(default_factory=dict)
    rolling_sessions: int = metrics.SESSIONS_PER_YEAR
    problem: str = ""
    read: Read | None = None

    def __len__(self) -> int:
        return len(self.sessions)


def series_of(
    journal: JournalReader, *, rolling_sessions: int = metrics.SESSIONS_PER_YEAR, risk_free: float = 0.0
) -> Series:
    """Return the series of an account from its journal.

    Parameters
    ----------
    journal : JournalReader
    rolling_sessions : int
        Returns in a window of the rolling Sharpe ratio.
    risk_free : float
        Annual rate.
    """
    read = Read(tuple(journal.navs("close")), tuple(journal.flows()), tuple(journal.regimes()))
    navs = read.navs
    sessions = np.array([nav.session for nav in navs], dtype="datetime64[D]")
    values = np.array([nav.nav_usd for nav in navs], dtype=np.float64)
    flows = _between(read.flows, navs)
    traded, fees, unknown = _trades(journal, sessions)
    labels = {row.session: row.held for row in read.regimes}
    return _made(
        sessions,
        values,
        flow_series(flows, [nav.session for nav in navs]),
        rolling_sessions,
        risk_free,
        cash_usd=_known(nav.cash_usd for nav in navs),
        gross=_known(nav.gross_usd for nav in navs) / _positive(values),
        net=_known(nav.net_usd for nav in navs) / _positive(values),
        traded_usd=traded,
        fees_usd=fees,
        fees_unknown=unknown,
        regime=tuple(_in_force(sessions, labels, "")),
        sleeves=_sleeves(journal, sessions),
        read=read,
    )


def series_of_run(run: Run) -> Series:
    """Return the series of a run folder, with the rolling window and the risk-free rate of its configuration.

    Raises
    ------
    DataError
        A file is missing or damaged.
    """
    from ares7.tearsheet_data import read_curves, read_report_data

    data = read_report_data(run)
    _, columns = read_curves(run.folder / "equity.csv", required=("nav", "cash", "gross"))
    size = len(data.dates)
    return _made(
        data.dates,
        data.nav,
        np.zeros(size),
        data.rolling_sessions,
        data.risk_free,
        cash_usd=columns["cash"],
        gross=columns["gross"],
        # A backtest is long only.
        net=columns["gross"].copy(),
        traded_usd=data.traded,
        fees_usd=data.fees,
        fees_unknown=np.zeros(size, dtype=np.int64),
        regime=tuple(data.held),
        sleeves=data.sleeves,
    )


def _made(
    sessions: Dates, nav: Float1D, flows: Float1D, rolling: int, risk_free: float, **others: Any
) -> Series:
    nothing = np.full(len(nav), np.nan)
    try:
        curve, problem = time_weighted_curve(nav, flows), ""
    except DataError as error:
        curve, problem = nothing, str(error)
    known = not problem and len(curve) > 0
    returns = nothing.copy()
    if known:
        returns[1:] = metrics.returns_from_nav(curve)
    turnover = nothing.copy()
    turnover[1:] = others["traded_usd"][1:] / 2.0 / _positive(nav[:-1])
    ratios = nothing.copy()
    if known:
        ratios[1:] = metrics.rolling_sharpe(returns[1:], rolling, risk_free)
    return Series(
        sessions=sessions,
        nav_usd=nav,
        flow_usd=flows,
        curve_usd=curve,
        returns=returns,
        drawdown=metrics.drawdown_series(curve) if known else nothing,
        rolling_sharpe=ratios,
        rolling_sessions=rolling,
        turnover=turnover,
        problem=problem,
        **others,
    )


def _between(flows: Sequence[CashFlow], navs: Sequence[Nav]) -> list[CashFlow]:
    """Flows that the returns are corrected for, as the figures of ``status``: after the first close, up to the last."""
    if not navs:
        return []
    first, last = navs[0].session, navs[-1].session
    return [flow for flow in flows if flow.kind in EXTERNAL and first < flow.session <= last]


def _positive(values: Float1D) -> Float1D:
    return np.where(values > 0, values, np.nan)


def _known(values: Any) -> Float1D:
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def _trades(journal: JournalReader, sessions: Dates) -> tuple[Float1D, Float1D, Int1D]:
    """Sums by session; a trade without a close of its session counts in the next one, a later one not yet."""
    traded, fees = np.zeros(len(sessions)), np.zeros(len(sessions))
    unknown = np.zeros(len(sessions), dtype=np.int64)
    found = journal.trades()
    days = np.array([day for day, *_ in found], dtype="datetime64[D]")
    for row, (_, shares, price, fee) in zip(np.searchsorted(sessions, days).tolist(), found, strict=True):
        if row == len(sessions):
            continue
        traded[row] += shares * price
        if fee is None:
            unknown[row] += 1
        else:
            fees[row] += fee
    return traded, fees, unknown


def _in_force(sessions: Dates, decided: Mapping[dt.date, Any], before: Any) -> list[Any]:
    """Return what the latest decision up to each session said."""
    days = sorted(decided)
    rows = np.searchsorted(np.array(days, dtype="datetime64[D]"), sessions, side="right")
    return [decided[days[row - 1]] if row else before for row in rows.tolist()]


def _sleeves(journal: JournalReader, sessions: Dates) -> dict[str, Float1D]:
    decided = {row.session: sleeves_of(row.detail) for row in journal.rebalances()}
    names = dict.fromkeys(name for sleeves in decided.values() for name in sleeves)
    inside = _in_force(sessions, decided, {})
    return {
        name: np.array([sleeves.get(name, 0.0) if sleeves else math.nan for sleeves in inside])
        for name in names
    }


def sleeves_of(detail: Mapping[str, Any]) -> dict[str, float]:
    """Fraction of the capital that a decision gave each sleeve; empty where it was not taken apart."""
    sleeves, gross = detail.get("sleeves"), detail.get("gross")
    if not isinstance(sleeves, list) or not isinstance(gross, int | float):
        return {}
    return {
        str(sleeve["name"]): float(gross * sleeve["mix"])
        for sleeve in sleeves
        if isinstance(sleeve, dict) and "name" in sleeve and isinstance(sleeve.get("mix"), int | float)
    }
