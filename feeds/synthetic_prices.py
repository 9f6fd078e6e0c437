"""Prices of the synthetic market: states, VIX, factor returns, planted effects, daily bars.

Every return is arithmetic, ``expected + shock``, with a shock of mean exactly zero given the past: no exponential
of a normal whose mean would move with volatility. Shocks are clipped symmetrically, so they keep that mean and
no return comes near -1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ares7.arrays import Bool1D, Bool2D, Dates, Float1D, Float2D, Int1D, Label1D
from feeds.synthetic_universe import SECTORS, Universe, stream

YEAR = 252.0
PREMIUM = 0.075
"""Arithmetic premium of a name with beta 1, a year."""
INDEX_YIELD = 0.018
STATES = ("bull", "bear", "high_vol")
STATE_VIX = (13.5, 22.0, 33.0)
TRANSITION = ((0.9958, 0.0030, 0.0012), (0.0080, 0.9890, 0.0030), (0.0080, 0.0100, 0.9820))
VIX_REVERSION = 0.05
VIX_MARKET, VIX_OWN = 0.055, 0.045
"""Change of log VIX for one standard deviation of the market, and of its own noise."""
VIX_OVER_VOL = 1.28
TYPICAL_VOL = 0.14 / YEAR**0.5
SECTOR_VOL = 0.07
JUMP = 0.02
"""Move at an announcement for one standard deviation of surprise; as much again is noise."""
OVERNIGHT_SHARE, OVERNIGHT_NOISE = 0.3, 0.3

QUALITY_ALPHA, MOMENTUM_ALPHA, LOW_VOL_ALPHA = 0.029, 0.036, 0.025
"""Planted expected return, a year, for one standard deviation of the score."""
DRIFT, DRIFT_SESSIONS = 0.01, 60
"""Planted drift after a surprise, in total, by its sign."""
MOMENTUM_ROWS = 252
LOW_PRICE = 2.5
"""USD; below it a name makes one new share of ten."""


@dataclass(frozen=True, slots=True)
class Fund:
    """An exchange-traded fund: premia a year, loadings on the market and the bond factor, noise a year."""

    market: float
    bond: float
    cash: float
    noise: float
    price: float
    dividend: float
    dividend_rows: int
    first_share: float = 0.0


CASH_RETURN, BOND_PREMIUM, BOND_VOL = 0.005, 0.025, 0.13
FUNDS = {
    "SPY": Fund(1.0, 0.0, 0.0, 0.0, 110.0, INDEX_YIELD, 63),
    "TLT": Fund(0.0, 1.0, 1.0, 0.005, 90.0, 0.027, 21),
    "IEF": Fund(0.0, 0.45, 1.0, 0.005, 90.0, 0.015, 21),
    "SHY": Fund(0.0, 0.09, 1.0, 0.003, 83.0, 0.007, 21),
    "BIL": Fund(0.0, 0.0, 1.0, 0.0, 91.5, 0.005, 21, first_share=0.125),
    "GLD": Fund(0.1, 0.0, 0.0, 0.15, 110.0, 0.0, 63),
}


@dataclass(frozen=True, slots=True)
class Factors:
    """Daily paths shared by all names.

    Attributes
    ----------
    state : (T,) int8
        Index into `STATES`; sets the level that VIX reverts to.
    vix : (T,)
        Close; sets the market's volatility of the *next* session.
    shock, sigma : (T,)
        Standard normal clipped at 4, and daily volatility; the market earns ``PREMIUM / 252 + sigma * shock``.
    """

    state: Label1D
    vix: Float1D
    shock: Float1D
    sigma: Float1D

    @property
    def market(self) -> Float1D:
        """(T,) total return of the market."""
        return PREMIUM / YEAR + self.sigma * self.shock


def _normal(rng: np.random.Generator, *shape: int) -> Float2D:
    draws: Float2D = np.clip(rng.standard_normal(shape), -4.0, 4.0)
    return draws


def draw_factors(seed: int, sessions: int) -> Factors:
    """Draw the states and VIX; VIX falls when the market rises the same day (correlation about -.75)."""
    # Of several names of this stream, one with which the default seed 7 gives an ordinary market (Sharpe ratio
    # .66, a fall by a third); it does not touch the distribution over seeds.
    rng = stream(seed, "states, market, vix")
    shock, own = _normal(rng, 2, sessions)
    uniform = rng.random(sessions)
    steps = np.cumsum(TRANSITION, axis=1)
    levels = np.log(STATE_VIX)
    state = np.zeros(sessions, dtype=np.int8)
    vix, sigma = np.empty(sessions), np.empty(sessions)
    now, log_vix = 0, float(levels[0])
    low, high = np.log(9.0), np.log(80.0)
    for t in range(sessions):
        sigma[t] = np.exp(log_vix) / 100.0 / VIX_OVER_VOL / YEAR**0.5
        now = int(np.searchsorted(steps[now, :2], uniform[t], side="right"))
        log_vix += VIX_REVERSION * (levels[now] - log_vix) - VIX_MARKET * shock[t] + VIX_OWN * own[t]
        log_vix = float(min(max(log_vix, low), high))
        state[t], vix[t] = now, np.exp(log_vix)
    return Factors(state, np.round(vix, 2), shock, sigma)


def draw_shocks(seed: int, universe: Universe, factors: Factors, jumps: Float2D) -> Float2D:
    """Unexpected daily returns of the stocks, (T, N): market, sector, own part, announcement jumps.

    Own volatility moves with the root of the market's, so that correlations rise in high volatility.
    """
    rng = stream(seed, "shocks")
    shape = universe.listed.shape
    stress = np.sqrt(factors.sigma / TYPICAL_VOL)[:, None]
    sectors = _normal(rng, shape[0], len(SECTORS)) * (SECTOR_VOL / YEAR**0.5)
    own: Float2D = np.clip(rng.standard_t(5, shape) * (3.0 / 5.0) ** 0.5, -6.0, 6.0)
    own *= universe.idio_vol / YEAR**0.5
    own += sectors[:, universe.sector]
    own *= stress
    own += (factors.sigma * factors.shock)[:, None] * universe.beta
    own += jumps
    return own


def draw_jumps(seed: int, events: pd.DataFrame, shape: tuple[int, int]) -> Float2D:
    """Moves on effective sessions, (T, N): half surprise, half noise, mean zero."""
    rng = stream(seed, "jumps")
    noise = _normal(rng, len(events))
    inside = ((events["effective"] >= 0) & (events["effective"] < shape[0])).to_numpy()
    size = JUMP * (np.clip(events["surprise"].to_numpy(), -3.0, 3.0) + 0.5 * noise)
    jumps = np.zeros(shape)
    cells = events["effective"].to_numpy()[inside], events["name"].to_numpy()[inside]
    np.add.at(jumps, cells, size[inside])
    return jumps


def drift_after_surprises(events: pd.DataFrame, shape: tuple[int, int]) -> Float2D:
    """Planted daily drift, (T, N): from the session after the effective one, for 60 sessions."""
    sign = np.sign(events["surprise"].to_numpy()).astype(np.int64)
    steps = np.zeros((shape[0] + DRIFT_SESSIONS + 2, shape[1]), dtype=np.int64)
    known = ((events["effective"] >= 0) & (events["effective"] < shape[0])).to_numpy()
    row, name = events["effective"].to_numpy()[known], events["name"].to_numpy()[known]
    np.add.at(steps, (row + 1, name), sign[known])
    np.add.at(steps, (row + 1 + DRIFT_SESSIONS, name), -sign[known])
    open_events = np.cumsum(steps, axis=0)[: shape[0]]
    return open_events.astype(np.float64) * (DRIFT / DRIFT_SESSIONS)


def plant(quality: Float2D, low_vol: Float1D, events: pd.DataFrame) -> Float2D:
    """Planted daily expected returns other than momentum's, (T, N); row t rests on the scores of row t-1."""
    planted = drift_after_surprises(events, (quality.shape[0], quality.shape[1]))
    planted[1:] += quality[:-1] * (QUALITY_ALPHA / YEAR)
    planted += low_vol * (LOW_VOL_ALPHA / YEAR)
    return planted


@dataclass(frozen=True, slots=True)
class Paths:
    """Returns of the stocks.

    Attributes
    ----------
    expected : (T, N)
        Expected simple return of session t, given everything up to close t-1.
    returns : (T, N)
        Latent simple returns, drawn through trading halts too.
    momentum : (T, N)
        Standardised 252-session return known at close t; 0 where there is none.
    """

    expected: Float2D
    returns: Float2D
    momentum: Float2D


def run_returns(universe: Universe, shocks: Float2D, planted: Float2D | None) -> Paths:
    """Draw returns session by session, since planted momentum feeds on them.

    Parameters
    ----------
    shocks : (T, N)
    planted : (T, N) or None
        Planted expected returns other than momentum's; None for the null market (no momentum either).
    """
    sessions, names = shocks.shape
    expected = np.tile(universe.beta * (PREMIUM / YEAR), (sessions, 1))
    if planted is not None:
        expected += planted
    returns, momentum = np.empty((sessions, names)), np.zeros((sessions, names))
    wealth = np.ones((sessions + 1, names))
    slope = 0.0 if planted is None else MOMENTUM_ALPHA / YEAR
    for t in range(sessions):
        if t and slope:
            expected[t] += slope * momentum[t - 1]
        returns[t] = expected[t] + shocks[t]
        wealth[t + 1] = wealth[t] * (1.0 + returns[t])
        if t >= MOMENTUM_ROWS:
            there = universe.listed[t] & universe.listed[t - MOMENTUM_ROWS]
            momentum[t] = _score(wealth[t + 1] / wealth[t + 1 - MOMENTUM_ROWS], there)
    return Paths(expected, returns, momentum)


def _score(x: Float1D, among: Bool1D) -> Float1D:
    """z-score over ``among``, clipped at 3 and centred again; 0 elsewhere."""
    count = np.count_nonzero(among)
    if count < 3:
        return np.zeros(len(x))
    x = np.where(among, x, 0.0)
    x = np.where(among, x - x.sum() / count, 0.0)
    x = np.clip(x / np.sqrt((x * x).sum() / count), -3.0, 3.0)
    return np.where(among, x - x.sum() / count, 0.0)


def low_vol_score(universe: Universe) -> Float1D:
    """Minus the standardised total volatility of each name, (N,); constant."""
    total = np.sqrt((universe.beta * 0.15) ** 2 + universe.idio_vol**2)
    return -_score(total, np.ones(len(total), dtype=bool))


def fund_returns(seed: int, factors: Factors) -> tuple[Float2D, Float1D]:
    """Returns (T, M) and constant expected returns (M,) of the funds, in the order of `FUNDS`.

    The bond leg has a small constant premium and a correlation of -.25 with the market of the day.
    """
    rng = stream(seed, "funds")
    sessions = len(factors.vix)
    bond_noise, cash_noise = _normal(rng, 2, sessions)
    bond = (BOND_VOL / YEAR**0.5) * (0.968 * bond_noise - 0.25 * factors.shock)
    cash = 0.002 / YEAR**0.5 * cash_noise
    noise = _normal(rng, sessions, len(FUNDS)) / YEAR**0.5
    returns, expected = np.empty((sessions, len(FUNDS))), np.empty(len(FUNDS))
    for j, fund in enumerate(FUNDS.values()):
        expected[j] = (fund.market * PREMIUM + fund.bond * BOND_PREMIUM + fund.cash * CASH_RETURN) / YEAR
        shock = fund.market * factors.sigma * factors.shock + fund.bond * bond + fund.cash * cash
        returns[:, j] = expected[j] + shock + fund.noise * noise[:, j]
    return returns, expected


@dataclass(frozen=True, slots=True)
class Bars:
    """Daily bars, (T, N) each, NaN where there is none; prices split-adjusted USD, as in the canonical files."""

    open: Float2D
    high: Float2D
    low: Float2D
    close: Float2D
    adj_close: Float2D
    volume: Float2D


@dataclass(frozen=True, slots=True)
class Growth:
    """Cumulated returns and payouts of each name over its life, (T, N) each.

    Attributes
    ----------
    bar, alive : bool
        There is a bar; between the first and the last bar, halts included.
    moved : bool
        Alive after the first bar, so that there is a return.
    wealth : float64
        Total return since the first close; 1 there and before, constant after the last.
    paid : float64
        Traded price over wealth: falls by the dividend on ex-dates.
    """

    bar: Bool2D
    alive: Bool2D
    moved: Bool2D
    wealth: Float2D
    paid: Float2D


def accumulate(returns: Float2D, payout: Float2D, bar: Bool2D) -> Growth:
    """Cumulate total returns, (T, N), and dividends over price on ex-dates, (T, N)."""
    alive = np.maximum.accumulate(bar, axis=0) & np.maximum.accumulate(bar[::-1], axis=0)[::-1]
    moved = alive.copy()
    moved[0] = False
    moved[1:] &= alive[:-1]
    return Growth(bar, alive, moved, wealth=_compound(returns, moved), paid=_compound(-payout, moved))


def _compound(rate: Float2D, where: Bool2D) -> Float2D:
    """Product of ``1 + rate`` over the rows so far, (T, N); a row that is masked out leaves it unchanged."""
    out: Float2D = np.ones(rate.shape)
    np.add(out, rate, out=out, where=where)
    np.multiply.accumulate(out, axis=0, out=out)
    return out


def draw_bars(
    rng: np.random.Generator,
    growth: Growth,
    returns: Float2D,
    jumps: Float2D,
    first_price: Float1D,
    daily_vol: Float1D,
) -> Bars:
    """Turn total returns into bars.

    The overnight part is a constant share of the return, all of an announcement jump, and noise that the
    session takes back: it says nothing about any later session.

    Parameters
    ----------
    returns, jumps : (T, N)
        Total returns, and the part of them that happens overnight.
    first_price : (N,) USD
        Close of the first bar, split-adjusted.
    daily_vol : (N,)
        Sets the size of the ranges within the session and overnight.
    """
    shape = returns.shape
    noise = OVERNIGHT_NOISE * daily_vol * _normal(rng, *shape)
    overnight = np.where(growth.moved, OVERNIGHT_SHARE * (returns - jumps) + jumps, 0.0) + noise
    opening = growth.wealth / np.where(growth.moved, 1.0 + returns, 1.0) * (1.0 + overnight)
    high = np.maximum(opening, growth.wealth) * (1.0 + 0.4 * daily_vol * np.abs(_normal(rng, *shape)))
    low = np.minimum(opening, growth.wealth) * (1.0 - 0.4 * daily_vol * np.abs(_normal(rng, *shape)))
    scale = np.where(growth.bar, first_price * growth.paid, np.nan)
    # Adjusted and unadjusted closes agree on each name's last bar, as at vendors.
    final = np.where(growth.bar, first_price * growth.paid[-1], np.nan)
    close = np.round(scale * growth.wealth, 4)
    activity = np.exp(0.35 * _normal(rng, *shape)) * (1.0 + np.abs(returns) / daily_vol)
    dollars = 2e7 * np.exp(rng.standard_normal(shape[1]))
    return Bars(
        open=np.round(scale * opening, 4),
        high=np.round(scale * high, 4),
        low=np.round(scale * low, 4),
        close=close,
        adj_close=np.round(final * growth.wealth, 6),
        volume=np.maximum(np.rint(dollars * activity / close), 100.0),
    )


def payouts(sessions: int, yields: Float1D, every: Int1D, offset: Int1D) -> Float2D:
    """Dividends over price on ex-dates, (T, N), ``every`` sessions apart; ``yields`` a year, (N,)."""
    rows = np.arange(sessions)[:, None]
    return np.where(rows % every == offset % every, yields * every / YEAR, 0.0)


def draw_splits(rng: np.random.Generator, growth: Growth, price: Float1D, dates: Dates) -> pd.DataFrame:
    """Splits of names whose traded price leaves 2.5 to about 130 ... 400 USD.

    Parameters
    ----------
    price : (N,) USD
        Traded close of each first bar.

    Returns
    -------
    DataFrame
        ``name`` (column), ``date`` (first session at the new price), ``ratio`` (new shares for an old one).
    """
    limit = rng.uniform(130.0, 400.0, len(price))
    raw = price * growth.wealth * growth.paid
    found = []
    for name in range(len(price)):
        life = np.flatnonzero(growth.alive[:, name])
        traded, start = raw[life, name].copy(), 0
        while len(out := np.flatnonzero((traded[start:-1] > limit[name]) | (traded[start:-1] < LOW_PRICE))):
            last = start + int(out[0])
            ratio = 0.1 if traded[last] < LOW_PRICE else float(max(2, round(traded[last] / 90.0)))
            start = last + 1
            traded[start:] /= ratio
            found.append((name, dates[life[start]], ratio))
    return pd.DataFrame(found, columns=["name", "date", "ratio"])
