"""D13: every headline figure from one return series, and that series from the fills."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from ares7.arrays import Float1D
from ares7.audit.finding import Finding, Severity, found
from ares7.audit.subject import Subject
from ares7.errors import DataError
from ares7.metrics import SESSIONS_PER_YEAR, performance

EXACT = 1e-9
"""Relative difference above which two figures are not the same one."""
HEADLINE = ("sharpe", "cagr", "volatility", "max_drawdown", "total_return", "final_nav")
REMEDY = "compute every figure in ares7.metrics from the NAV of one run, and quote no figure of another run beside it"


class OneSeries:
    """D13: metric identity.

    The NAV is cash and positions, rebuilt from every fill; the figures are those of that NAV, by formulas of their
    own; and where the run's report is known (``ledger["performance"]``), it quotes the same ones.
    """

    id: ClassVar[str] = "D13"
    title: ClassVar[str] = "One return series"

    def run(self, subject: Subject) -> list[Finding]:
        """Rebuild the NAV and every figure; all that disagrees is a failure."""
        try:
            stated = performance(subject.run.dates, subject.run.nav, _risk_free(subject))
        except DataError as error:
            return [found(self, Severity.FAILURE, f"the run has no figures: {error}", REMEDY)]
        failures = [*self._account(subject), *self._figures(subject, stated)]
        if failures:
            return failures
        against = " and with the report" if _reported(subject) else ""
        message = (
            f"{len(subject.run.nav)} sessions of NAV equal cash and positions from {_fills(subject)} fills; "
            f"{', '.join(HEADLINE)} agree with that one series{against}"
        )
        return [found(self, Severity.PASS, message, **{name: stated[name] for name in HEADLINE})]

    def _account(self, subject: Subject) -> Iterator[Finding]:
        run = subject.run
        if run.ledger is None:
            return
        cash, positions = rebuilt_account(subject)
        pairs = [("NAV is not cash and positions", run.nav, run.cash + positions)]
        if not _earns_interest(subject):
            pairs.append(("cash is not what the fills left", run.cash, cash))
        for words, stated, own in pairs:
            gap = np.abs(stated - own) / np.maximum(np.abs(run.nav), 1.0)
            wrong = np.flatnonzero(~(gap <= EXACT))
            if len(wrong):
                row = int(wrong[0])
                yield found(
                    self,
                    Severity.FAILURE,
                    f"{words} on {run.dates[row]}: {stated[row]:.2f} USD stated, {own[row]:.2f} USD from the fills "
                    f"({len(wrong)} of {len(gap)} sessions)",
                    "take the NAV from the account that was traded, never from weights or from another run",
                    first_date=str(run.dates[row]),
                    stated=float(stated[row]),
                    rebuilt=float(own[row]),
                    sessions=len(wrong),
                )

    def _figures(self, subject: Subject, stated: Mapping[str, Any]) -> Iterator[Finding]:
        own = headline(subject.run.nav, _risk_free(subject))
        for source, figures in (("ares7.metrics", stated), ("the report", _reported(subject))):
            wrong = {
                name: (figures[name], own[name])
                for name in HEADLINE
                if name in figures and not _same(figures[name], own[name])
            }
            if wrong:
                told = ", ".join(f"{name} {_told(a)} (series: {_told(b)})" for name, (a, b) in wrong.items())
                yield found(
                    self,
                    Severity.FAILURE,
                    f"figures of {source} are not those of the NAV of this run: {told}",
                    REMEDY,
                    source=source,
                    figures={name: {"stated": a, "series": b} for name, (a, b) in wrong.items()},
                )


def headline(nav: Float1D, risk_free: float = 0.0) -> dict[str, float]:
    """Headline figures of (S,) NAV, written out a second time and apart from `ares7.metrics` (C8, rulings 8).

    Parameters
    ----------
    nav : (S,) USD, starting value first
    risk_free : float
        Annual rate.
    """
    gains = np.diff(nav) / nav[:-1]
    count = len(gains)
    mean = math.fsum(gains.tolist()) / count if count else math.nan
    squares = math.fsum(((gains - mean) ** 2).tolist())
    deviation = math.sqrt(squares / (count - 1)) if count > 1 else math.nan
    deviation = deviation if not deviation <= 1e-14 else 0.0
    peak, deepest = -math.inf, 0.0
    for value in nav.tolist():
        peak = max(peak, value)
        deepest = max(deepest, 1.0 - value / peak)
    growth = max(float(nav[-1] / nav[0]), 0.0)
    return {
        "sharpe": (mean - risk_free / SESSIONS_PER_YEAR) / deviation * math.sqrt(SESSIONS_PER_YEAR)
        if deviation > 0
        else math.nan,
        "cagr": growth ** (SESSIONS_PER_YEAR / count) - 1.0 if count else math.nan,
        "volatility": deviation * math.sqrt(SESSIONS_PER_YEAR),
        "max_drawdown": deepest,
        "total_return": float(nav[-1] / nav[0]) - 1.0,
        "final_nav": float(nav[-1]),
    }


def rebuilt_account(subject: Subject) -> tuple[Float1D, Float1D]:
    """(S,) cash without interest and (S,) value of positions at each close, USD, from the fills alone."""
    run, bars = subject.run, subject.bars
    fills = run.ledger.fills
    row = np.searchsorted(run.dates, fills.date)
    shares = np.zeros(bars.bar.shape)
    np.add.at(shares, (row, fills.symbol), fills.quantity)
    spent = np.bincount(row, fills.quantity * fills.price + fills.fee, minlength=len(run.dates))
    positions = (np.cumsum(shares, axis=0) * bars.prices["close"]).sum(axis=1)
    return np.asarray(subject.account.cash - np.cumsum(spent)), np.asarray(positions)


def _risk_free(subject: Subject) -> float:
    return 0.0 if subject.config is None else subject.config.metrics.risk_free


def _reported(subject: Subject) -> Mapping[str, Any]:
    reported = subject.ledger.get("performance", {})
    return reported if isinstance(reported, Mapping) else {}


def _earns_interest(subject: Subject) -> bool:
    return subject.account.cash_rate > 0 or bool(subject.account.financing_bps)


def _fills(subject: Subject) -> int:
    return 0 if subject.run.ledger is None else len(subject.run.ledger.fills.date)


def _same(stated: Any, own: float) -> bool:
    if not isinstance(stated, int | float):
        return False
    if math.isnan(stated) or math.isnan(own):
        return math.isnan(stated) and math.isnan(own)
    if math.isinf(stated) or math.isinf(own):
        return stated == own
    return abs(stated - own) <= EXACT * max(1.0, abs(own))


def _told(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, int | float) else "missing"
