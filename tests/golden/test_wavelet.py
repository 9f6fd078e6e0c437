"""The wavelet signal against what shares no line with it: recursions, PyWavelets, loops, arithmetic by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import pywt

from ares7.signals.filters import filtered, log_returns, macd_taps
from ares7.signals.wavelet import energy, haar_taps, modwt_taps, slope_taps, support, trend_score
from tests.signals.walks import closes

PYWT = {"haar": "haar", "la8": "sym4", "db4": "db4"}
PERCIVAL_WALDEN = {
    "la8": [
        *(-0.0757657147893407, -0.0296355276459541, 0.4976186676324578, 0.8037387518052163),
        *(0.2978577956055422, -0.0992195435769354, -0.0126039672622612, 0.0322231006040713),
    ],
    "db4": [
        *(0.2303778133074431, 0.7148465705484058, 0.6308807679358788, -0.0279837694166834),
        *(-0.1870348117179132, 0.0308413818353661, 0.0328830116666778, -0.0105974017850021),
    ],
}
"""Scaling coefficients of LA(8) and D(8) as Percival and Walden (2000) print them."""


def walk(rows: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(rows,) log closes, (rows, 1) closes."""
    x = 4 + np.cumsum(np.random.default_rng(seed).normal(0.0003, 0.015, rows))
    return x, np.exp(x)[:, None]


def every(close: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """(T,) filter of the one name at every row."""
    return filtered(log_returns(close), taps, np.arange(len(close)))[:, 0]


def recursion(x: np.ndarray, levels: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """c_J and d_1 .. d_J of log closes by the definition; NaN before their first whole window."""
    smooth, details = x, []
    for j in range(1, levels + 1):
        coarser = np.full(len(x), np.nan)
        for t in range(2**j - 1, len(x)):
            coarser[t] = (smooth[t] + smooth[t - 2 ** (j - 1)]) / 2
        details.append(smooth - coarser)
        smooth = coarser
    return smooth, details


def test_the_details_are_those_of_the_a_trous_recursion_on_log_closes():
    x, close = walk()
    _, details = recursion(x, 6)
    for level, expected in enumerate(details, start=1):
        got = every(close, haar_taps(level))
        assert np.isnan(got[: 2**level - 1]).all()
        assert np.array_equal(np.isnan(got), np.isnan(expected))
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


def test_the_smooth_and_the_details_add_up_to_the_log_close():
    x, close = walk(seed=1)
    total = sum(every(close, haar_taps(level)) for level in range(1, 7))
    for t in range(63, len(x)):
        assert math.fsum(x[t - 63 : t + 1]) / 64 + total[t] == pytest.approx(x[t], abs=1e-12)


def test_the_slope_is_that_of_the_recursion():
    x, close = walk(seed=2)
    for levels in (1, 3, 6):
        smooth, _ = recursion(x, levels)
        step = 2 ** (levels - 1)
        got = every(close, slope_taps(levels))
        first = 2**levels - 1 + step
        assert np.isnan(got[:first]).all()
        np.testing.assert_allclose(
            got[first:], (smooth[first:] - smooth[first - step : -step]) / step, atol=1e-12
        )


def stationary(x: np.ndarray, level: int, name: str) -> tuple[np.ndarray, int]:
    """Details of PyWavelets' stationary transform, put at the last close that each reads; closes it reads.

    PyWavelets centres them and wraps around the ends. Its db4 leads with the small coefficients: the mirror image of
    Percival and Walden's D(8), reached by transforming the mirrored series.
    """
    width = len(pywt.Wavelet(PYWT[name]).dec_lo)
    reach, shift = (2**level - 1) * (width - 1) + 1, (width // 2) * (2**level - 1)
    if name == "db4":
        mirrored = pywt.swt(x[::-1], PYWT[name], level=level, norm=True, trim_approx=True)[1]
        return np.roll(mirrored[::-1], reach - 1 - shift), reach
    return np.roll(pywt.swt(x, PYWT[name], level=level, norm=True, trim_approx=True)[1], shift), reach


@pytest.mark.parametrize("name", ["haar", "la8", "db4"])
@pytest.mark.parametrize("level", [1, 2, 3, 4, 5, 6])
def test_away_from_the_ends_the_details_are_those_of_pywavelets(name, level):
    x, close = walk(1024, seed=3)
    expected, reach = stationary(x, level, name)
    got = every(close, modwt_taps(level, name))
    assert np.isnan(got[: reach - 1]).all()
    np.testing.assert_allclose(np.abs(got[reach - 1 :]), np.abs(expected[reach - 1 :]), atol=1e-11)
    # One sign for the whole level.
    assert len(np.unique(np.sign(got[reach - 1 :] * expected[reach - 1 :]))) == 1


@pytest.mark.parametrize("level", range(1, 9))
def test_the_maximal_overlap_transform_by_haar_is_the_a_trous_transform(level):
    assert np.array_equal(modwt_taps(level, "haar"), haar_taps(level))


@pytest.mark.parametrize("name", PERCIVAL_WALDEN)
def test_the_first_level_is_the_wavelet_that_percival_and_walden_print(name):
    scaling = np.array(PERCIVAL_WALDEN[name])
    wavelet = (-1.0) ** np.arange(8) * scaling[::-1] / math.sqrt(2)
    got = np.diff(modwt_taps(1, name), prepend=0.0, append=0.0)
    np.testing.assert_allclose(got * np.sign(got[0]) * np.sign(wavelet[0]), wavelet, atol=1e-10)


@pytest.mark.parametrize("name", ["haar", "la8", "db4"])
@pytest.mark.parametrize("level", range(1, 7))
def test_a_recent_rise_counts_upwards_under_every_filter_and_details_carry_the_variance_of_their_scale(
    name, level
):
    taps = modwt_taps(level, name)
    haar = haar_taps(level)
    assert np.dot(taps[: len(haar)], haar) > 0
    prices = np.diff(taps, prepend=0.0, append=0.0)
    # Sum of squares of a maximal overlap filter (Percival and Walden 2000, chapter 5).
    assert math.fsum(prices * prices) == pytest.approx(2.0**-level, rel=1e-9)
    assert math.fsum(prices) == pytest.approx(0, abs=1e-12)


def test_eight_closes_by_hand():
    """Closes 1, 2, 1, 4, 2, 8, 4, 16: log closes 0 1 0 2 1 3 2 4 times log 2."""
    close = np.array([1.0, 2, 1, 4, 2, 8, 4, 16])[:, None]
    found = [every(close, haar_taps(level))[7] / math.log(2) for level in (1, 2, 3)]
    # (4 - 2)/2; (4 + 2 - 3 - 1)/4; (4 + 2 + 3 + 1 - 2 - 0 - 1 - 0)/8
    assert found == pytest.approx([1.0, 0.5, 0.875], abs=1e-15)
    assert sum(found) + 13 / 8 == pytest.approx(4.0, abs=1e-15)
    # Energy of levels 1 and 2 over the last three rows: d_1 = 1, -.5, 1 and d_2 = .5, .5, .5 (times log 2).
    got = energy(log_returns(close), [haar_taps(1), haar_taps(2)], np.array([7]), 3)[0, 0]
    squares = (1 + 0.25 + 1) + (0.25 + 0.25 + 0.25)
    assert got == pytest.approx(squares / 3 * math.log(2) ** 2, rel=1e-14)


def last_close_repeated(close: np.ndarray, first: int, row: int) -> list[float] | None:
    """Log closes of the window, a hole of up to four sessions filled with the last one; None where it is not full."""
    window, out, hole = close[first : row + 1], [], 0
    if first < 0 or math.isnan(window[0]) or math.isnan(window[-1]):
        return None
    for value in window:
        hole = hole + 1 if math.isnan(value) else 0
        if hole > 4:
            return None
        out.append(out[-1] if hole else math.log(value))
    return out


def score_by_loops(
    close: np.ndarray, row: int, band, noise, window: int, levels: int, feature: str, ratio: bool
):
    """The Haar score of one name from the definition: domain notes 8.2, rulings 21."""
    deepest = levels if ratio else max(noise)
    width = 2**levels + 2 ** (levels - 1) if feature == "slope" else 2 ** max(band)
    width = max(width, window - 1 + 2**deepest)
    x = last_close_repeated(close, row - width + 1, row)
    if x is None:
        return math.nan
    c, d = recursion(np.array(x), levels)
    trend = math.fsum(d[j - 1][-1] for j in band)
    if feature == "slope":
        trend = (c[-1] - c[-1 - 2 ** (levels - 1)]) / 2 ** (levels - 1)
    variance = [math.fsum(v * v for v in detail[-window:]) / window for detail in d]
    noise_energy = sum(variance[j - 1] for j in noise)
    if noise_energy == 0:
        return math.nan
    share = sum(variance[j - 1] for j in band) / sum(variance) if ratio else 1.0
    return trend / math.sqrt(noise_energy) * share


SETTINGS = [
    {},
    {"feature": "slope"},
    {"energy_ratio": True},
    {"band": (2, 4), "noise": (1,), "window": 10, "levels": 4},
    {"band": (3, 1), "noise": (2, 1), "window": 5, "levels": 3, "feature": "slope", "energy_ratio": True},
]
DEFAULTS = {
    "band": (4, 5, 6),
    "noise": (1, 2),
    "window": 63,
    "levels": 6,
    "feature": "trend",
    "energy_ratio": False,
}


@pytest.mark.parametrize("given", SETTINGS)
def test_rulings_21_the_score_is_that_of_the_definition(given):
    full = DEFAULTS | given
    order = ("band", "noise", "window", "levels", "feature", "energy_ratio")
    close = closes(4)
    rows = np.arange(3, len(close), 9)
    got = trend_score(close, rows, **given)
    expected = [
        [score_by_loops(close[:, n], t, *(full[name] for name in order)) for n in range(close.shape[1])]
        for t in rows.tolist()
    ]
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)
    assert np.isfinite(got[:, [0, 1, 2]]).any(axis=0).all()
    assert np.isnan(got[:, [6, 7]]).all()


@pytest.mark.parametrize(
    ("given", "closes_read"),
    [
        ({}, 66),
        ({"window": 10}, 64),
        ({"feature": "slope"}, 96),
        ({"energy_ratio": True}, 126),
        ({"filter": "la8"}, 63 * 7 + 1),
        ({"filter": "db4", "band": (2,), "window": 63}, 62 + 3 * 7 + 1),
        ({"filter": "la8", "feature": "slope", "levels": 3, "band": (1,), "window": 2}, 7 * 7 + 1 + 4),
    ],
)
def test_a_move_at_s_changes_the_rows_s_to_s_plus_support_less_2_and_no_other(given, closes_read):
    assert support(**given) == closes_read
    _, close = walk(2 * closes_read + 30, seed=5)
    s, rows = closes_read + 8, np.arange(2 * closes_read + 30)
    moved = close.copy()
    moved[s:] *= 1.25
    before, after = (trend_score(c, rows, **given)[:, 0] for c in (close, moved))
    # All but the last bit: the returns beyond s are of scaled closes.
    changed = np.flatnonzero(~np.isclose(before, after, rtol=1e-9, atol=0, equal_nan=True))
    assert changed[0] == s
    assert changed[-1] == s + closes_read - 2
    untouched = np.flatnonzero(before != after)
    assert untouched[untouched < s].tolist() == np.flatnonzero(np.isnan(before[:s])).tolist()


def test_a_single_close_changes_the_rows_of_its_support_and_no_other():
    _, close = walk(220, seed=6)
    spiked = close.copy()
    spiked[100] *= 2.0
    before, after = (trend_score(c, np.arange(220))[:, 0] for c in (close, spiked))
    changed = np.flatnonzero((before != after) & ~np.isnan(before))
    assert changed.tolist() == list(range(100, 166))


def test_macd_is_the_difference_of_two_exponential_averages_of_the_window():
    x, close = walk(300, seed=7)
    got = every(close, macd_taps(12, 26, 126))
    assert np.isnan(got[:125]).all()
    for t in range(125, 300, 25):
        window = pd.Series(x[t - 125 : t + 1])
        fast, slow = (window.ewm(span=span, adjust=True).mean().iloc[-1] for span in (12, 26))
        assert got[t] == pytest.approx(fast - slow, abs=1e-12)


def test_momentum_is_the_log_return_over_the_period():
    x, close = walk(300, seed=8)
    got = every(close, np.ones(126))
    assert np.isnan(got[:126]).all()
    np.testing.assert_allclose(got[126:], x[126:] - x[:-126], atol=1e-12)


@pytest.mark.parametrize("name", ["la8", "db4"])
@pytest.mark.parametrize("level", [1, 4, 6])
def test_a_steady_trend_is_seen_by_haar_and_not_by_wavelets_with_vanishing_moments(name, level):
    close = np.exp(0.001 * np.arange(900))[:, None]
    # Half a mean of 2^(j-1) closes less the mean before it, which lies 2^(j-1) sessions back.
    assert every(close, haar_taps(level))[-1] == pytest.approx(0.0005 * 2 ** (level - 1), rel=1e-9)
    assert every(close, modwt_taps(level, name))[-1] == pytest.approx(0, abs=1e-12)
