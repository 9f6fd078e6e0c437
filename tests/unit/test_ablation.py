"""What overlays add: pairing of the bootstrap, figures of a window, capacity, likeness, blends, tangency."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pytest
from pydantic import ValidationError

from ares7 import metrics
from ares7.bootstrap import optimal_block_length, stationary_indices
from ares7.errors import DataError
from ares7.overlay.ablation import Traded, added, blends, figures_of, likeness, tangency
from ares7.participation import capacity
from ares7.search_config import BootstrapConfig, OverlayStudyConfig, StudyWindow

DRAWS = BootstrapConfig(draws=200, seed=3)
BASE = np.random.default_rng(1).normal(4e-4, 0.01, 500)
NOISE = np.random.default_rng(2).normal(1e-4, 0.001, (3, 500))


def edges(span):
    return span.estimate, span.low, span.high


def test_an_overlay_that_is_the_base_adds_exactly_nothing_wherever_it_stands():
    for place in range(4):
        books = np.insert(BASE + NOISE, place, BASE, axis=0)
        same = added(BASE, books, DRAWS)[place]
        assert edges(same.sharpe) == edges(same.annual_return) == (0.0, 0.0, 0.0)
        assert same.own.low < same.own.estimate < same.own.high


def test_a_constant_shift_adds_that_return_for_sure():
    (found,) = added(BASE, (BASE + 1e-4)[None], DRAWS)
    assert edges(found.annual_return) == pytest.approx((0.0252, 0.0252, 0.0252), abs=1e-12)
    gain = 0.0252 / metrics.volatility(BASE)
    assert found.sharpe.estimate == pytest.approx(gain)
    assert found.sharpe.low < gain < found.sharpe.high
    assert found.sharpe.high - found.sharpe.low < 0.2 * gain


@pytest.mark.parametrize("risk_free", [0.0, 0.03])
def test_an_interval_is_that_of_both_books_over_the_same_sessions(risk_free):
    book = BASE + NOISE[0]
    (found,) = added(BASE, book[None], DRAWS, risk_free)
    block = math.ceil(optimal_block_length(NOISE[0]))
    rows = stationary_indices(np.random.default_rng(DRAWS.seed), len(BASE), block, DRAWS.draws)
    drawn = [
        (
            metrics.sharpe(book[r], risk_free),
            metrics.sharpe(book[r], risk_free) - metrics.sharpe(BASE[r], risk_free),
            (book[r] - BASE[r]).mean() * 252,
        )
        for r in rows
    ]
    low, high = np.quantile(np.array(drawn), [0.025, 0.975], axis=0)
    for span, a, b in zip((found.own, found.sharpe, found.annual_return), low, high, strict=True):
        assert (span.low, span.high) == pytest.approx((a, b), rel=1e-9, abs=1e-12)
    assert found.own.estimate == metrics.sharpe(book, risk_free)
    assert found.sharpe.estimate == metrics.sharpe(book, risk_free) - metrics.sharpe(BASE, risk_free)


def test_what_the_books_share_cancels():
    (found,) = added(BASE, (BASE + NOISE[0])[None], DRAWS)
    assert found.sharpe.high - found.sharpe.low < 0.2 * (found.own.high - found.own.low)


def test_what_is_said_of_a_book_does_not_depend_on_the_others():
    together = added(BASE, BASE + NOISE, DRAWS)
    for row, found in zip(NOISE, together, strict=True):
        (alone,) = added(BASE, (BASE + row)[None], DRAWS)
        for name in ("own", "sharpe", "annual_return"):
            assert edges(getattr(found, name)) == pytest.approx(
                edges(getattr(alone, name)), rel=1e-9, abs=1e-12
            )


def test_nearly_all_intervals_of_a_known_gain_hold_it():
    """A gain of 2.5 % a year at a tracking error of 1.6 %: 95 % intervals hold it in about 95 of 100 samples."""
    rng, held = np.random.default_rng(5), 0
    for _ in range(100):
        base = rng.normal(4e-4, 0.01, 300)
        (found,) = added(base, (base + rng.normal(1e-4, 0.001, 300))[None], BootstrapConfig(draws=100))
        held += found.annual_return.low <= 0.0252 <= found.annual_return.high
    assert 85 <= held <= 100


def test_too_short_a_window_and_a_gap_are_refused():
    with pytest.raises(DataError, match="20"):
        added(BASE[:10], BASE[None, :10], DRAWS)
    with pytest.raises(DataError):
        added(BASE, np.where(np.arange(500) == 7, np.nan, BASE)[None], DRAWS)


def traded(nav, fees=None, notional=None, fills=()):
    flat = np.zeros(len(nav))
    row, share, amount, stock = zip(*fills, strict=True) if fills else ((), (), (), ())
    return Traded(
        np.array(nav),
        flat if fees is None else np.array(fees),
        flat if notional is None else np.array(notional),
        np.array(row, dtype=np.int64),
        np.array(share, dtype=np.float64),
        np.array(amount, dtype=np.float64),
        np.array(stock, dtype=bool),
    )


def test_figures_of_a_window_by_hand():
    base = traded([100.0, 100.0, 110.0, 99.0], notional=[0.0, 0.0, 20.0, 0.0])
    # Of 10 USD a session: gained 10 then fees took 1; lost 20.
    book = traded(
        [100.0, 100.0, 109.0, 89.0],
        fees=[0.0, 0.0, 1.0, 0.0],
        notional=[0.0, 0.0, 40.0, 0.0],
        fills=[(1, 0.5, 100.0, True), (2, 0.01, 30.0, True), (2, 0.02, 10.0, False)],
    )
    found = figures_of(book, base, slice(1, 3))
    net, other = np.array([0.09, 89 / 109 - 1]), np.array([0.1, -0.1])
    gross = np.array([0.10, 89 / 109 - 1])
    assert found["sharpe"] == pytest.approx(metrics.sharpe(net))
    assert found["gross_sharpe"] == pytest.approx(metrics.sharpe(gross))
    assert found["gross_sharpe_added"] == pytest.approx(metrics.sharpe(gross) - metrics.sharpe(other))
    assert found["gross_return_added"] == pytest.approx((gross - other).mean() * 252)
    assert found["costs_added"] == pytest.approx(0.005 * 252)
    assert (found["turnover"], found["turnover_added"]) == pytest.approx((0.2 / 2 * 252, 0.1 / 2 * 252))
    assert found["tracking_error"] == pytest.approx(metrics.volatility(net - other))
    assert found["max_drawdown"] == pytest.approx(20 / 109)
    # The fill of session 1 lies before the window. Of two fills of .3 and .1 of NAV the smaller takes .02 at a
    # NAV of 100, which is more than 1 % of what is traded.
    assert found["capacity_usd"] == pytest.approx(0.05 / 0.02 * 100)
    assert found["stock_capacity_usd"] == pytest.approx(0.05 / 0.01 * 100)


def test_capacity_is_where_one_percent_of_the_turnover_takes_too_much_of_the_volume():
    share, turnover = np.full(200, 1e-9), np.ones(200)
    assert capacity(share, turnover) == pytest.approx(0.05 / 1e-9)
    share[:2] = 1e-6
    assert capacity(share, turnover) == pytest.approx(0.05 / 1e-9)
    share[2] = 1e-6
    assert capacity(share, turnover) == pytest.approx(0.05 / 1e-6)
    share[:3] = np.inf
    assert capacity(share, turnover) == 0.0
    assert math.isnan(capacity(np.zeros(0), np.zeros(0)))
    assert capacity(np.zeros(3), np.ones(3)) == math.inf


def test_the_limits_of_capacity_are_those_of_the_audit():
    rng = np.random.default_rng(4)
    share, turnover = rng.lognormal(-20, 2, 1000), rng.uniform(0, 1, 1000)
    found = capacity(share, turnover)
    above = [turnover[share * found * scale > 0.05].sum() / turnover.sum() for scale in (1 - 1e-9, 1 + 1e-9)]
    assert above[0] <= 0.01 < above[1]


def test_likeness_is_a_correlation_over_the_names_that_both_tilt():
    one = np.array(
        [[0.3, -0.1, -0.2, 0.0], [0.3, -0.1, -0.2, 0.5], [0.1, 0.1, 0.1, 0.0], [0.1, -0.1, 0.0, 0.0]]
    )
    assert likeness(one, one)[:2] == pytest.approx([1.0, 1.0])
    assert likeness(one, -2 * one)[0] == pytest.approx(-1.0)
    assert np.isnan(likeness(one, one)[2:]).all()
    other = one.copy()
    other[1, 3] = 0.0
    assert likeness(one, other)[1] == pytest.approx(1.0)
    assert likeness(one, one[:, [1, 2, 0, 3]])[0] == pytest.approx(
        np.corrcoef(one[0, :3], one[0, [1, 2, 0]])[0, 1]
    )


def test_tangency_weights_of_two_unlike_streams_are_mean_over_variance():
    risk = np.tile([1.0, -1.0, 1.0, -1.0], 50), np.tile([1.0, 1.0, -1.0, -1.0], 50)
    streams = np.array([0.002 + 0.01 * risk[0], 0.001 + 0.005 * risk[1]])
    found = tangency(streams)
    raw = np.array([0.002 / 0.01**2, 0.001 / 0.005**2])
    assert found.weights == pytest.approx(raw / raw.sum())
    assert found.why_not == ""
    against = tangency(np.array([-0.0005 + 0.01 * risk[0], 0.001 + 0.005 * risk[1]]))
    assert against.weights[0] < 0 < against.weights[1]
    assert against.weights.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("streams", "why"),
    [
        (np.array([NOISE[0], np.zeros(500)]), "do not vary"),
        (np.array([NOISE[0], NOISE[0]]), "are those of others"),
        (NOISE[:2] - NOISE[:2].mean(axis=1, keepdims=True) - 1e-4, "less than nothing"),
    ],
)
def test_tangency_says_why_there_are_no_weights(streams, why):
    found = tangency(streams)
    assert np.isnan(found.weights).all()
    assert why in found.why_not


@pytest.mark.parametrize(("overlays", "points"), [(2, 51), (3, 66), (4, 56), (5, 35)])
def test_blends_are_all_points_of_a_regular_grid(overlays, points):
    found = blends(overlays)
    assert found.shape == (points, overlays)
    assert found.sum(axis=1) == pytest.approx(1.0)
    assert found.min() == 0.0
    assert len({tuple(row) for row in found.tolist()}) == points
    for k in range(overlays):
        assert (found[:, k] == 1.0).sum() == 1


def test_two_overlays_are_blended_in_steps_of_a_fiftieth():
    assert blends(2)[:, 0].tolist() == [(50 - k) / 50 for k in range(51)]


def window(first, last):
    return StudyWindow(start=dt.date(first, 1, 1), end=dt.date(last, 12, 31))


def test_windows_of_a_study_follow_each_other():
    assert list(OverlayStudyConfig().windows) == ["train", "validation", "test"]
    with pytest.raises(ValidationError, match="follow each other"):
        OverlayStudyConfig(train=window(2016, 2020))
    with pytest.raises(ValidationError, match="is after end"):
        window(2019, 2018)
    with pytest.raises(ValidationError, match="named twice"):
        OverlayStudyConfig(engines=("pead", "pead"))
