"""What overlays add to a book: paired bootstrap, figures of one window, likeness of tilts, blends of several.

Returns are fractions, one a session; NAV in USD at S closes, the starting value first, gives S - 1 of them. All
random draws take a seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from ares7 import metrics
from ares7.activity import turnover_one_way_annual
from ares7.arrays import Bool1D, Float1D, Float2D, Int1D
from ares7.bootstrap import MIN_SESSIONS, Interval, optimal_block_length, resampled_means
from ares7.overfit import checked_family
from ares7.participation import capacity
from ares7.search_config import BootstrapConfig

MOST_BLENDS = 66
"""Points of a simplex grid, at most."""
STEPS_OF_TWO = 50
"""Two overlays are blended in steps of 1/50: the original's 51 points."""
MOST_ALIKE = 1e12
"""Condition number from which a covariance cannot be inverted."""
ROUNDING = 1e-12
FEWEST_NAMES = 3
"""Names that a correlation of tilts needs."""


@dataclass(frozen=True, slots=True)
class Added:
    """Sharpe ratio of a book, and what it has more than the base, with intervals.

    Attributes
    ----------
    own : Interval
        Annual Sharpe ratio of the book.
    sharpe : Interval
        The same less the base's.
    annual_return : Interval
        Mean active return a session, times 252.
    """

    own: Interval
    sharpe: Interval
    annual_return: Interval


def added(base: Float1D, books: Float2D, draws: BootstrapConfig, risk_free: float = 0.0) -> list[Added]:
    """Compare books with a base over the same resampled sessions (stationary bootstrap, percentile intervals).

    A draw takes the same sessions of a book and of the base, so that what they share cancels. The expected block
    length is that of the book's active returns (`ares7.bootstrap.optimal_block_length`), rounded up; of the returns
    themselves where the book is the base. What is said of a book does not depend on the others.

    Parameters
    ----------
    base : (R,)
    books : (P, R)
    draws : BootstrapConfig
    risk_free : float
        Annual rate, subtracted in Sharpe ratios.

    Returns
    -------
    list of P Added
        Exactly 0 for a book that is the base. NaN where a Sharpe ratio is not defined, for some draw or at all.

    Raises
    ------
    DataError
        Fewer than `ares7.bootstrap.MIN_SESSIONS` returns, or one that is not finite.
    """
    books = checked_family(books, sessions=MIN_SESSIONS)
    other = metrics.sharpe(base, risk_free)
    blocks = [math.ceil(optimal_block_length(b if np.array_equal(b, base) else b - base)) for b in books]
    out: dict[int, Added] = {}
    for block in dict.fromkeys(blocks):
        rows = [k for k, own in enumerate(blocks) if own == block]
        # Equal rows of a matrix product may differ in their last bits; one row gives 0.
        series, place = np.unique(np.vstack([base, books[rows]]), axis=0, return_inverse=True)
        means, ratios = _drawn(series, block, draws, risk_free)
        zero, *at = place.reshape(-1).tolist()
        for k, i in zip(rows, at, strict=True):
            own = metrics.sharpe(books[k], risk_free)
            active = float((books[k] - base).mean())
            year = metrics.SESSIONS_PER_YEAR
            out[k] = Added(
                _interval(own, ratios[:, i], draws.level),
                _interval(own - other, ratios[:, i] - ratios[:, zero], draws.level),
                _interval(active * year, (means[:, i] - means[:, zero]) * year, draws.level),
            )
    return [out[k] for k in range(len(books))]


def _interval(estimate: float, values: Float1D, level: float) -> Interval:
    low, high = np.quantile(values, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(estimate, float(low), float(high))


def _drawn(
    series: Float2D, block: float, draws: BootstrapConfig, risk_free: float
) -> tuple[Float2D, Float2D]:
    """(draws, P) resampled means a session, and annual Sharpe ratios by `ares7.metrics.sharpe`'s definition."""
    count = series.shape[1]
    centre = series.mean(axis=1)
    about = series - centre[:, None]
    moments = resampled_means(np.vstack([about, about**2]), block, draws.draws, draws.seed)
    first, second = np.split(moments, 2, axis=1)
    sd = np.sqrt(np.maximum(second - first**2, 0.0) * count / (count - 1))
    means = centre + first
    excess = means - risk_free / metrics.SESSIONS_PER_YEAR
    return means, excess / np.where(sd > metrics.ZERO_SD, sd, np.nan) * np.sqrt(metrics.SESSIONS_PER_YEAR)


@dataclass(frozen=True, slots=True)
class Traded:
    """What a book did.

    Attributes
    ----------
    nav, fees, notional : (S,) USD
        At each close; charged and traded in the session.
    fill_row : (K,) int64
        Session of each fill whose volume is known.
    share : (K,) fraction
        Of that volume.
    fill_notional : (K,) USD
    fill_stock : (K,) bool
        The fill is one of a stock, which overlays tilt, and not of a fund.
    """

    nav: Float1D
    fees: Float1D
    notional: Float1D
    fill_row: Int1D
    share: Float1D
    fill_notional: Float1D
    fill_stock: Bool1D

    @property
    def net(self) -> Float1D:
        """(S - 1,) returns after costs."""
        return metrics.returns_from_nav(self.nav)

    @property
    def gross(self) -> Float1D:
        """(S - 1,) returns of the same trades before costs: each session's fees put back."""
        return np.asarray((self.nav[1:] + self.fees[1:]) / self.nav[:-1] - 1.0)


def figures_of(book: Traded, base: Traded, rows: slice, risk_free: float = 0.0) -> dict[str, float]:
    """Figures of one book over some rows of returns, beside the base.

    Returns
    -------
    dict
        ``sharpe gross_sharpe gross_sharpe_added`` (annual), ``gross_return_added costs_added`` (fractions a year;
        costs over NAV), ``turnover turnover_added`` (one-way, a year), ``tracking_error`` (a year),
        ``max_drawdown`` (positive fraction), ``capacity_usd stock_capacity_usd`` (`ares7.participation.capacity`, of
        all trades and of those in stocks).
    """
    year = metrics.SESSIONS_PER_YEAR
    span = slice(rows.start, rows.stop + 1)
    gross, other = book.gross[rows], base.gross[rows]
    net, plain = book.net[rows], base.net[rows]
    turnover, turned = (turnover_one_way_annual(b.notional[span], b.nav[span]) for b in (book, base))
    ratio = metrics.sharpe(gross, risk_free)
    dearer = float(np.mean((gross - net) - (other - plain)))
    return {
        "sharpe": metrics.sharpe(net, risk_free),
        "gross_sharpe": ratio,
        "gross_sharpe_added": ratio - metrics.sharpe(other, risk_free),
        "gross_return_added": float(np.mean(gross - other)) * year,
        "costs_added": dearer * year,
        "turnover": turnover,
        "turnover_added": turnover - turned,
        "tracking_error": metrics.volatility(net - plain),
        "max_drawdown": metrics.max_drawdown(book.nav[span]),
        "capacity_usd": _capacity(book, rows, np.ones(len(book.share), dtype=bool)),
        "stock_capacity_usd": _capacity(book, rows, book.fill_stock),
    }


def _capacity(book: Traded, rows: slice, among: Bool1D) -> float:
    inside = among & (book.fill_row > rows.start) & (book.fill_row <= rows.stop)
    before = book.nav[book.fill_row[inside] - 1]
    return capacity(book.share[inside] / before, book.fill_notional[inside] / before)


def likeness(one: Float2D, other: Float2D) -> Float1D:
    """(R,) correlation across names of two engines' tilts at each date.

    Over the names that both tilt; NaN with fewer than three of them, or where one's are all equal.
    """
    both = (one != 0) & (other != 0)
    count = both.sum(axis=1)

    def about(tilt: Float2D) -> Float2D:
        mean = np.where(both, tilt, 0.0).sum(axis=1) / np.maximum(count, 1)
        apart = np.where(both, tilt - mean[:, None], 0.0)
        # Equal tilts differ from their mean by its rounding.
        return np.where(np.abs(apart) > ROUNDING * np.abs(tilt), apart, 0.0)

    a, b = about(one), about(other)
    size = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    known = (count >= FEWEST_NAMES) & (size > 0)
    out: Float1D = np.divide((a * b).sum(axis=1), size, out=np.full(len(size), np.nan), where=known)
    return out


@dataclass(frozen=True, slots=True)
class Tangency:
    """Weights, (P,) of any sign with sum 1; or NaN, and in words why there are none."""

    weights: Float1D
    why_not: str = ""


def tangency(streams: Float2D) -> Tangency:
    """Weights of the highest Sharpe ratio, inv(Sigma) mu, rescaled to sum to 1: the original optimiser's.

    Parameters
    ----------
    streams : (P, R)
        Active returns of each overlay.

    Returns
    -------
    Tangency
        None for a stream that does not vary or repeats others, and for weights that sum to nothing or less, whose
        rescaling would turn every sign.
    """
    none = np.full(len(streams), np.nan)
    covariance = np.atleast_2d(np.cov(streams))
    if not np.all(np.diag(covariance) > metrics.ZERO_SD**2) or np.linalg.cond(covariance) > MOST_ALIKE:
        return Tangency(none, "an overlay's active returns do not vary, or are those of others")
    raw = np.linalg.solve(covariance, streams.mean(axis=1))
    total = float(raw.sum())
    if total <= 0:
        return Tangency(none, "the overlays' active returns ask for less than nothing of them together")
    return Tangency(np.asarray(raw / total))


def blends(overlays: int) -> Float2D:
    """(M, P) weights on a regular grid that sum to 1, the first overlay's largest first.

    51 points for two overlays; for more, the finest grid of at most `MOST_BLENDS` points.
    """
    steps = STEPS_OF_TWO
    if overlays > 2:
        steps = max(
            m for m in range(1, MOST_BLENDS) if math.comb(m + overlays - 1, overlays - 1) <= MOST_BLENDS
        )
    rows = [
        _parts(bars, steps + overlays - 1) for bars in combinations(range(steps + overlays - 1), overlays - 1)
    ]
    return np.array(rows[::-1], dtype=np.float64) / steps


def _parts(bars: Sequence[int], places: int) -> list[int]:
    """Stars between bars."""
    edges = [-1, *bars, places]
    return [right - left - 1 for left, right in pairwise(edges)]
