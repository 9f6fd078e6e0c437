"""Overlays on 30 seeds of the synthetic market: planted effects are found, and nothing is where nothing is.

**The figure.** A tilt book holds an engine's tilts of the last overlay date before the session, and earns a year

    252 * mean over sessions t of sum_i h_i(t-1) (r_i(t) - beta_i r_SPY(t)).

Tilts sum to 0, but not times beta: a trend engine holds high betas after rises. The market's part is taken out with
the exposure known at the close before, sum_i h_i(t-1) beta_i, and the generator's betas. A slope from a regression
would average that exposure over time, weighted by the market's variance, and hand the rest to the intercept
(`tests.stat.test_null_and_planted`). What is subtracted has no expected excess over beta times the premium, so on
``null`` every session's expectation is exactly 0, whatever the tilts.

**The truth** is the same sum with the expected returns of the generator, given everything up to close t-1. Estimate
less truth is a mean of martingale differences; its standard error is Newey and West's (1987). The 95 % interval is
1.96 of them either way.

**Size and power.** A market of the shipped default size: 200 names over 16 years, the first 300 sessions left out.
PEAD is the weakest effect. It tilts .17 of the block on average; at 1 % / 60 sessions that is .7 % a year, less a
fifth for what finances it, for signs that a standardised surprise gets wrong and for drifts that overlap: .56 %.
Spread over some 20 names at a time with 27 % of own volatility it has 1.05 % a year of noise, which is .27 over 15
years: the truth lies two standard errors from 0. From 1.96 on a wrong sign is also a miss of the interval, so that
both hold with probability .95, and then in 25 of 30 seeds or more with .997. A test below requires that power.
``wavelet`` reads periods of 16 to 128 sessions and correlates .4 with the planted 252-session momentum: .36 % a year
of it, and .59 % with what drifts after the surprises that moved the price, over .15 of noise. ``momentum``, beside
it, has 1.0 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from ares7 import metrics
from ares7.batch import market as batch_market
from ares7.batch import run_plans
from ares7.bootstrap import resampled_means
from ares7.config import AccountConfig, DataConfig, SyntheticConfig
from ares7.costs import BpsCosts
from ares7.overlay.engines import ENGINES, blended, latest
from ares7.overlay.params import OverlayParams
from ares7.stages import Remembered
from feeds import synthetic
from feeds.load import load_panel
from feeds.synthetic_prices import MOMENTUM_ALPHA, YEAR
from strategies import registry

pytestmark = pytest.mark.stat

SEEDS = range(1000, 1030)
ENOUGH = 25
START_ROW = 300
AHEAD = 5
"""Sessions that the engines which must be caught see ahead."""
WEIGHTS: dict[str, dict[str, float]] = {
    "pead": {"pead": 1.0},
    "wavelet": {"wavelet": 1.0},
    "momentum": {"momentum": 1.0},
    "54/46": {"wavelet": 0.54, "pead": 0.46},
}
PEEKING = ("pead", "wavelet")


@dataclass(frozen=True)
class Book:
    """One tilt book on one seed, fractions of the block a year.

    ``estimate`` and its standard error ``error``; ``truth``, and the part of it that planted momentum makes;
    ``gross`` sum of |tilt|; ``beta`` the largest sensitivity to the market that it had on any day.
    """

    estimate: float
    error: float
    truth: float
    momentum: float
    gross: float
    beta: float

    def holds(self, value: float) -> bool:
        """The 95 % interval holds the value."""
        return abs(self.estimate - value) <= 1.96 * self.error


@dataclass(frozen=True)
class Seed:
    """Tilt books by name, those that see ahead, and what each overlay adds to equal weight's Sharpe ratio."""

    books: dict[str, Book]
    ahead: dict[str, Book]
    sharpe: dict[str, float]


class World:
    """Everything of one market that the books are judged by, (T, N) or (T,)."""

    def __init__(self, market: synthetic.SyntheticMarket) -> None:
        close = market.adj_close.copy()
        for t in range(1, len(close)):
            close[t] = np.where(np.isfinite(close[t]), close[t], close[t - 1])
        self.returns = np.zeros(close.shape)
        self.returns[1:] = np.nan_to_num(close[1:] / close[:-1] - 1.0)
        self.expected = np.nan_to_num(market.expected)
        # The expected return of a name that is gone is unknown, and it has no exposure any more.
        self.beta = np.where(np.isfinite(market.expected), market.beta, 0.0)
        self.index = market.symbols.index("SPY")
        self.momentum = np.zeros(close.shape)
        if market.config.preset == "planted":
            self.momentum[1:] = market.scores["momentum"][:-1] * (MOMENTUM_ALPHA / YEAR)

    def judge(self, tilts: Any, ahead: int = 0) -> Book:
        """The book that holds these tilts; ``ahead`` sessions before they are known."""
        rows = np.arange(START_ROW, len(self.returns) - ahead)
        held = latest(tilts, rows - 1 + ahead)
        beta = (held * self.beta[rows]).sum(axis=1)
        earned, due = (
            (held * each[rows]).sum(axis=1) - beta * each[rows, self.index]
            for each in (self.returns, self.expected)
        )
        return Book(
            estimate=YEAR * float(earned.mean()),
            error=YEAR * newey_west(earned - due),
            truth=YEAR * float(due.mean()),
            momentum=YEAR * float((held * self.momentum[rows]).sum(axis=1).mean()),
            gross=float(np.abs(held).sum(axis=1).mean()),
            beta=float(np.abs(beta).max()),
        )


def newey_west(series: np.ndarray) -> float:
    """Standard error of the mean, Bartlett weights, lag 4 (n / 100)^(2/9)."""
    count = len(series)
    lag = int(4.0 * (count / 100.0) ** (2.0 / 9.0))
    deviation = series - series.mean()
    variance = deviation @ deviation
    for k in range(1, lag + 1):
        variance += 2.0 * (1.0 - k / (lag + 1)) * (deviation[k:] @ deviation[:-k])
    return math.sqrt(variance / count) / math.sqrt(count)


def overlay_of(name: str) -> OverlayParams:
    return OverlayParams.model_validate({"engines": tuple(WEIGHTS[name]), "weights": WEIGHTS[name]})


def tilts_of(panel, name):
    overlay = overlay_of(name)
    return blended(panel, overlay, Remembered()) if len(overlay.acting) > 1 else ENGINES[name](panel, overlay)


def config_of(preset: str, seed: int) -> SyntheticConfig:
    """The shipped default size."""
    return SyntheticConfig(preset=preset, seed=seed)


def added_sharpe(panel) -> dict[str, float]:
    """What each overlay adds to the Sharpe ratio of equal weight, traded through the compiled engine at no cost.

    The base decides on the overlay dates too.
    """
    strategy, memo = registry.resolve("equal_weight"), Remembered()
    plans = [
        strategy.plan(panel, strategy.Params(overlay=overlay_of(name)), memo)
        for name in WEIGHTS
        if name != "momentum"
    ]
    free = AccountConfig(shares="fractional", min_trade_nav=0.0)
    place = batch_market(panel.starting(panel.dates[START_ROW]), account=free, costs=BpsCosts(bps=0.0))
    nav = run_plans(place, [*plans, replace(plans[0], tilt=None)]).nav
    ratios = [metrics.sharpe(curve[1:] / curve[:-1] - 1.0) for curve in nav]
    return {name: ratios[i] - ratios[-1] for i, name in enumerate(n for n in WEIGHTS if n != "momentum")}


@cache
def results(preset: str) -> list[Seed]:
    found = []
    for seed in SEEDS:
        config = config_of(preset, seed)
        market = synthetic.generate(config)
        panel = synthetic.to_panel(market, DataConfig(synthetic=config))
        world = World(market)
        tilts = {name: tilts_of(panel, name) for name in WEIGHTS}
        found.append(
            Seed(
                books={name: world.judge(each) for name, each in tilts.items()},
                ahead={name: world.judge(tilts[name], AHEAD) for name in PEEKING},
                sharpe=added_sharpe(panel.starting(panel.dates[START_ROW])),
            )
        )
    return found


def books(preset: str, name: str) -> list[Book]:
    return [seed.books[name] for seed in results(preset)]


def mean_and_error(values: list[float]) -> tuple[float, float]:
    """Mean over seeds and its standard error."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))


def show(capsys: pytest.CaptureFixture[str], line: str) -> None:
    """Print past pytest's capture: the numbers are the result."""
    with capsys.disabled():
        print(f"\n  {line}")  # noqa: T201


def percent(value: float) -> str:
    return f"{100 * value:+.3f} %"


def line_of(preset: str, name: str) -> str:
    found = books(preset, name)
    mean, error = mean_and_error([b.estimate for b in found])
    truth, own, gross = (np.mean([getattr(b, key) for b in found]) for key in ("truth", "error", "gross"))
    right = sum(b.estimate > 0 for b in found)
    truths, zeros = sum(b.holds(b.truth) for b in found), sum(b.holds(0.0) for b in found)
    return (
        f"{preset:8s}{name:9s} tilts {gross:.2f}, truth {percent(truth)} a year, found {percent(mean)} +- "
        f"{100 * error:.3f}, one seed's error {100 * own:.3f}; right sign {right}, truth inside {truths}, 0 inside "
        f"{zeros} of {len(found)}"
    )


@pytest.mark.parametrize("name", WEIGHTS)
def test_planted_effects_are_found_with_the_right_sign_and_size(name, capsys):
    found = books("planted", name)
    show(capsys, line_of("planted", name))
    assert all(b.truth > 0 for b in found)
    assert sum(b.estimate > 0 for b in found) >= ENOUGH
    assert sum(b.holds(b.truth) for b in found) >= ENOUGH
    assert sum(b.estimate > 0 and b.holds(b.truth) for b in found) >= ENOUGH
    mean, error = mean_and_error([b.estimate - b.truth for b in found])
    assert abs(mean) <= 3.0 * error


@pytest.mark.parametrize("name", WEIGHTS)
def test_the_markets_are_large_enough_for_25_of_30(name):
    """Two standard errors: below them a right sign in 25 seeds would be luck."""
    assert np.mean([b.truth / b.error for b in books("planted", name)]) >= 1.96


@pytest.mark.parametrize("name", ["wavelet", "momentum"])
def test_what_a_trend_engine_finds_is_the_planted_momentum(name, capsys):
    """Without what drifts after surprises, quality and low volatility add: by their known expectations."""
    found = books("planted", name)
    alone = [b.estimate - (b.truth - b.momentum) for b in found]
    share = np.mean([b.momentum / b.truth for b in found])
    right = sum(value > 0 for value in alone)
    mean, _ = mean_and_error(alone)
    show(
        capsys,
        f"{name:9s} momentum alone: {percent(mean)} a year ({share:.0%} of its truth), right sign {right}",
    )
    assert share > 0.5
    assert right >= ENOUGH


@pytest.mark.parametrize("name", WEIGHTS)
def test_nothing_is_found_on_the_null_market(name, capsys):
    found = books("null", name)
    show(capsys, line_of("null", name))
    assert max(abs(b.truth) for b in found) < 1e-12
    assert sum(b.holds(0.0) for b in found) >= ENOUGH
    mean, error = mean_and_error([b.estimate for b in found])
    assert abs(mean) <= 3.0 * error


@pytest.mark.parametrize("name", PEEKING)
def test_an_engine_that_sees_a_week_ahead_is_found_on_the_null_market(name, capsys):
    found = [seed.ahead[name] for seed in results("null")]
    inside = sum(b.holds(0.0) for b in found)
    show(
        capsys,
        f"{name:9s} a week ahead: {percent(np.mean([b.estimate for b in found]))} a year, 0 inside {inside}",
    )
    assert inside < ENOUGH
    assert sum(b.estimate > 0 for b in found) >= ENOUGH


@pytest.mark.parametrize("name", ["pead", "wavelet", "54/46"])
def test_overlays_add_to_the_sharpe_ratio_where_there_is_an_edge_and_nothing_elsewhere(name, capsys):
    planted, null = ([seed.sharpe[name] for seed in results(preset)] for preset in ("planted", "null"))
    (gain, gain_error), (none, none_error) = mean_and_error(planted), mean_and_error(null)
    show(
        capsys,
        f"{name:9s} adds to equal weight's Sharpe ratio: planted {gain:+.4f} +- {gain_error:.4f}, null {none:+.4f}"
        f" +- {none_error:.4f}",
    )
    assert gain > 3.0 * gain_error
    assert abs(none) <= 3.0 * none_error
    assert abs(none) < 0.01
    assert gain > none + 3.0 * math.hypot(gain_error, none_error)


def test_tilts_are_neutral_in_sum_and_not_in_beta():
    """Why the market's part must come out."""
    for name in WEIGHTS:
        assert max(b.beta for b in books("null", name)) > 0.01


def test_the_error_is_that_of_a_bootstrap():
    """Newey and West's against independent draws, on a series without dependence."""
    rng = np.random.default_rng(5)
    series = rng.standard_t(5, 3000)
    drawn = resampled_means(series[None], 1.0, 2000, 1)[:, 0]
    assert newey_west(series) == pytest.approx(drawn.std(), rel=0.1)
    moving = np.convolve(rng.standard_normal(3005), np.ones(4), "valid")
    drawn = resampled_means(moving[None], 40.0, 2000, 1)[:, 0]
    assert newey_west(moving) == pytest.approx(drawn.std(), rel=0.25)
    assert newey_west(moving) > 1.5 * moving.std() / math.sqrt(len(moving))


def test_panels_loaded_from_files_have_the_same_tilts(tmp_path):
    config = config_of("planted", SEEDS[0])
    market = synthetic.generate(config)
    synthetic.write(market, tmp_path / "market")
    needs = frozenset({"earnings", "index", "vix"})
    loaded = load_panel(DataConfig(path=tmp_path / "market", cache=None), needs)
    memory = synthetic.to_panel(market, DataConfig(synthetic=config))
    for name in WEIGHTS:
        one, other = tilts_of(loaded, name), tilts_of(memory, name)
        assert np.array_equal(one.rows, other.rows)
        assert np.array_equal(one.values, other.values)
        assert one.values.any()
