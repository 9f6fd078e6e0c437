"""The wavelet signal knows nothing but its own window: to the last bit, at every date, with every kind of hole."""

from __future__ import annotations

import math
import os
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import pywt
from hypothesis import given, settings
from hypothesis import strategies as st

from ares7.errors import ConfigError
from ares7.signals.filters import complete, filtered, log_returns, macd_taps
from ares7.signals.wavelet import energy, haar_taps, modwt_taps, support, trend_score
from tests.signals.walks import closes

SETTINGS = [
    {},
    {"feature": "slope"},
    {"energy_ratio": True},
    {"band": (2, 3), "noise": (1,), "window": 7, "levels": 3},
    {"filter": "la8", "band": (1, 3), "window": 20, "levels": 3},
    {"filter": "db4", "band": (2,), "window": 9, "levels": 3, "feature": "slope", "energy_ratio": True},
]


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return np.array_equal(one, other, equal_nan=True)


def at(row: int) -> np.ndarray:
    return np.array([row], dtype=np.int64)


@pytest.mark.parametrize("given", SETTINGS)
@pytest.mark.parametrize("seed", [0, 1])
def test_c2_at_every_date_a_shorter_panel_gives_the_same_bits(given, seed):
    close = closes(seed)
    full = trend_score(close, np.arange(len(close)), **given)
    assert np.isfinite(full[-1, [0, 1]]).all()
    for t in range(len(close)):
        assert same(trend_score(close[: t + 1], at(t), **given)[0], full[t]), t


@pytest.mark.parametrize("given", SETTINGS)
@pytest.mark.parametrize("seed", [2, 3])
def test_c3_at_every_date_the_closes_of_the_support_alone_give_the_same_bits(given, seed):
    close, width = closes(seed), support(**given)
    full = trend_score(close, np.arange(len(close)), **given)
    assert np.isnan(full[: width - 1]).all()
    for t in range(width - 1, len(close)):
        assert same(trend_score(close[t - width + 1 : t + 1], at(width - 1), **given)[0], full[t]), t


@pytest.mark.parametrize("given", SETTINGS)
def test_one_close_less_than_the_support_gives_no_score(given):
    close, width = closes(4), support(**given)
    assert np.isnan(trend_score(close[: width - 1], np.arange(width - 1), **given)).all()
    assert np.isfinite(trend_score(close[:width], at(width - 1), **given)[0, 0])


def test_what_happens_later_changes_nothing():
    close, rng = closes(5), np.random.default_rng(5)
    rows = np.arange(len(close))
    full = trend_score(close, rows)
    for t in (70, 120, 180):
        later = close.copy()
        later[t + 1 :] *= rng.uniform(0.2, 5, later[t + 1 :].shape)
        later[t + 3] = np.nan
        got = trend_score(later, rows)
        assert same(got[: t + 1], full[: t + 1])
        assert not same(got, full)


@settings(max_examples=30)
@given(st.lists(st.integers(-30, 30), min_size=8, max_size=8), st.sampled_from(SETTINGS))
def test_c4_a_split_by_a_power_of_two_changes_no_bit(powers, given):
    close = closes(6)
    rows = np.arange(0, len(close), 5)
    assert same(
        trend_score(close * 2.0 ** np.array(powers), rows, **given), trend_score(close, rows, **given)
    )


def test_c4_a_name_has_the_same_bits_alone_and_in_any_column():
    close, rows = closes(7), np.arange(60, 220)
    full = trend_score(close, rows)
    order = np.random.default_rng(7).permutation(close.shape[1])
    assert same(trend_score(close[:, order], rows), full[:, order])
    for column in range(close.shape[1]):
        assert same(trend_score(close[:, [column]], rows)[:, 0], full[:, column])


def test_rows_may_come_in_any_order_and_twice():
    close = closes(8)
    full = trend_score(close, np.arange(len(close)))
    rows = np.array([150, 20, 219, 150, 66, 65, 64])
    assert same(trend_score(close, rows), full[rows])
    assert same(complete(close, rows, 66), complete(close, np.arange(len(close)), 66)[rows])


def test_read_only_and_strided_closes_are_welcome():
    close = closes(9)
    wide, rows = np.repeat(close, 2, axis=1), np.arange(60, 220, 3)
    expected = trend_score(close, rows)
    close.flags.writeable = False
    assert same(trend_score(close, rows), expected)
    assert same(trend_score(wide[:, ::2], rows), expected)
    assert same(trend_score(np.asfortranarray(close), rows), expected)


@pytest.mark.parametrize("rows", [[], [0], [3, 64]])
def test_rows_without_a_full_window_have_no_score(rows):
    got = trend_score(closes(10), np.array(rows, dtype=np.int64))
    assert got.shape == (len(rows), 8)
    assert np.isnan(got).all()


def test_a_row_beyond_the_last_is_refused():
    close = closes(10)
    for wrong in (len(close), len(close) + 7):
        with pytest.raises(IndexError):
            filtered(log_returns(close), haar_taps(2), at(wrong))
        with pytest.raises(IndexError):
            trend_score(close, at(wrong))


def test_a_return_depends_on_its_two_closes_alone():
    close = closes(11, names=19)
    returns = log_returns(close)
    for column in range(close.shape[1]):
        bars = np.flatnonzero(np.isfinite(close[:, column]))
        rest = np.setdiff1d(np.arange(len(close)), bars[1:])
        assert (returns[rest, column] == 0).all()
        for earlier, t in pairwise(bars):
            pair = np.array([[close[earlier, column]], [close[t, column]]])
            assert log_returns(pair)[1, 0] == returns[t, column]
            # The bits of one logarithm at a time, wherever the pair lies.
            assert returns[t, column] == math.log(pair[1, 0] / pair[0, 0])


def full_window(close: np.ndarray, row: int, width: int, hole: int) -> bool:
    """Rulings 21 for one name, word by word."""
    first = row - width + 1
    if first < 0 or np.isnan(close[row]) or np.isnan(close[first]):
        return False
    runs = "".join("b" if there else "-" for there in np.isfinite(close[first : row + 1])).split("b")
    return max(map(len, runs)) <= hole


@pytest.mark.parametrize("width", [1, 2, 9, 66])
@pytest.mark.parametrize("hole", [0, 1, 4])
def test_rulings_21_a_window_is_complete_as_the_words_say(width, hole):
    rng = np.random.default_rng(12)
    seen = set()
    for seed in range(3):
        close = closes(seed, rows=130)
        close[rng.random(close.shape) < 0.05] = np.nan
        rows = np.arange(len(close))
        expected = [[full_window(column, t, width, hole) for column in close.T] for t in rows]
        got = complete(close, rows, width, hole)
        assert got.tolist() == expected
        seen |= set(got.ravel().tolist())
    assert seen == {True, False}


def test_rulings_21_a_hole_of_four_is_the_last_close_and_one_of_five_is_no_window():
    close = closes(13)[:, [0]]
    filled, four, five = close.copy(), close.copy(), close.copy()
    four[150:154], filled[150:154] = np.nan, close[149]
    five[150:155] = np.nan
    rows = np.arange(len(close))
    expected, got, broken = (trend_score(x, rows)[:, 0] for x in (filled, four, five))
    inside = np.r_[0:150, 154:215]
    assert same(got[inside], expected[inside])
    # No bar at the row, or none at the first row of the window.
    assert np.isnan(got[150:154]).all()
    assert np.isnan(got[215:219]).all()
    assert np.isfinite(got[154:215]).all()
    assert np.isfinite(got[219])
    assert np.isnan(broken[150:]).all()


def test_a_name_has_no_score_before_it_is_listed_for_as_many_closes():
    close = closes(14)[:, [0]]
    close[:100] = np.nan
    got = trend_score(close, np.arange(len(close)))[:, 0]
    assert np.isnan(got[: 100 + 65]).all()
    assert np.isfinite(got[100 + 65 :]).all()


def test_without_noise_there_is_no_score():
    close = np.full((150, 1), 37.25)
    close[100:] = 40.0
    got = trend_score(close, np.arange(150))[:, 0]
    assert np.isnan(got[:100]).all()
    assert np.isfinite(got[100:]).all()  # the jump is within the noise's 63 sessions
    assert np.isnan(trend_score(np.full((150, 2), 3.1), np.arange(150), energy_ratio=True)).all()


def test_a_rise_scores_above_zero_and_a_fall_below():
    steps = np.array([0.011, -0.005])
    up = np.exp(np.cumsum(np.tile(steps, 60)))[:, None]
    for feature in ("trend", "slope"):
        rising, falling = (trend_score(x, at(119), feature=feature)[0, 0] for x in (up, 1 / up))
        assert rising > 0
        assert falling == pytest.approx(-rising, rel=1e-9)


def test_the_share_of_the_band_lies_between_0_and_1_and_is_1_for_all_levels():
    close, rows = closes(15)[:, :3], np.arange(125, 170)
    plain, shared = (trend_score(close, rows, energy_ratio=ratio) for ratio in (False, True))
    share = (shared / plain)[np.isfinite(shared)]
    assert ((share > 0) & (share < 1)).all()
    whole, shared = (
        trend_score(close, rows, band=range(1, 7), energy_ratio=ratio) for ratio in (False, True)
    )
    there = np.isfinite(shared)
    assert there.any()
    assert same(shared[there], whole[there])


def test_the_order_in_which_levels_are_listed_changes_no_bit():
    close, rows = closes(16), np.arange(66, 220, 4)
    assert same(
        trend_score(close, rows, band=(6, 4, 5), noise=[2, 1]), trend_score(close, rows, band=(4, 5, 6))
    )


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"levels": 0}, "levels 0"),
        ({"window": 0}, "window 0"),
        ({"band": ()}, "band"),
        ({"band": (0, 1)}, "band"),
        ({"band": (5, 7)}, "within 1..6"),
        ({"band": (4, 4)}, "distinct"),
        ({"noise": (7,)}, "noise"),
        ({"feature": "level"}, "trend or slope"),
        ({"filter": "sym9"}, "haar, la8, db4"),
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong, says):
    with pytest.raises(ConfigError, match=says):
        support(**wrong)
    with pytest.raises(ConfigError, match=says):
        trend_score(closes(0), at(100), **wrong)


@pytest.mark.parametrize("wrong", [(0, 26, 126), (26, 26, 126), (30, 26, 126), (12, 26, 1)])
def test_a_macd_of_meaningless_spans_is_refused(wrong):
    with pytest.raises(ConfigError, match="fast < slow"):
        macd_taps(*wrong)


def test_without_pywavelets_haar_works_and_the_others_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pywt", None)
    close = closes(17)
    assert np.isfinite(trend_score(close, at(150))[0, 0])
    assert support(filter="la8") == 442
    for name in ("la8", "db4"):
        with pytest.raises(ConfigError, match=r"\[wavelets\]"):
            trend_score(close, at(150), filter=name)


def test_the_comparisons_are_exact_as_well():
    close = closes(18)
    for taps in (macd_taps(), np.ones(126)):
        full, width = filtered(log_returns(close), taps, np.arange(220)), len(taps) + 1
        for t in range(width - 1, 220):
            window = close[t - width + 1 : t + 1]
            there = complete(close, at(t), width)[0]
            assert same(filtered(log_returns(close[: t + 1]), taps, at(t))[0], full[t])
            assert same(filtered(log_returns(window), taps, at(width - 1))[0, there], full[t, there])


# Traps of causal wavelets (domain notes 8.3): each is what others do, differs from ours, and sees what it must not.


def log_walk(rows: int = 256, seed: int = 20) -> np.ndarray:
    return 4 + np.cumsum(np.random.default_rng(seed).normal(0, 0.01, rows))


def detail(x: np.ndarray, level: int) -> np.ndarray:
    """Our detail of log closes at every row."""
    return filtered(log_returns(np.exp(x)[:, None]), haar_taps(level), np.arange(len(x)))[:, 0]


def later_moves(x: np.ndarray, after: int) -> np.ndarray:
    """The same up to ``after``; from then on another market."""
    out = x.copy()
    out[after + 1 :] += np.cumsum(np.random.default_rng(21).normal(0.01, 0.05, len(x) - after - 1))
    return out


def periodic(x: np.ndarray) -> np.ndarray:
    """Trap 1: stationary transform of the whole series, which joins its end to its start."""
    return np.roll(pywt.swt(x, "haar", level=4, norm=True, trim_approx=True)[1], 15)


def symmetric(x: np.ndarray) -> np.ndarray:
    """Trap 1: the series mirrored at both ends before the transform, centred on each row."""
    mirrored = pywt.pad(x, 64, "symmetric")
    return np.roll(pywt.swt(mirrored, "haar", level=4, norm=True, trim_approx=True)[1], 8)[64:-64]


def zero_phase(x: np.ndarray) -> np.ndarray:
    """Trap 2: the detail shifted back by its delay, so that it peaks where the price does."""
    return np.roll(detail(x, 4), -8)


def denoised(x: np.ndarray) -> np.ndarray:
    """Trap 2: the band brought back by the inverse transform."""
    parts = pywt.wavedec(x, "db4", mode="symmetric", level=4)
    kept = [np.zeros_like(part) if i != 1 else part for i, part in enumerate(parts)]
    return pywt.waverec(kept, "db4", mode="symmetric")[: len(x)]


def thresholded(x: np.ndarray) -> np.ndarray:
    """Trap 4: soft threshold by the noise of the whole sample (Donoho and Johnstone 1994)."""
    noise = np.nanmedian(np.abs(detail(x, 1))) / 0.6745
    # White noise falls by the root of 2 a level.
    return pywt.threshold(detail(x, 4), noise / 8**0.5 * np.sqrt(2 * np.log(len(x))), mode="soft")


@pytest.mark.parametrize(
    ("trap", "row"), [(periodic, 3), (symmetric, 100), (zero_phase, 100), (denoised, 100), (thresholded, 100)]
)
def test_traps_1_2_and_4_see_the_future_and_ours_does_not(trap, row):
    x = log_walk()
    other = later_moves(x, row)
    assert np.array_equal(x[: row + 1], other[: row + 1])
    assert abs(trap(x)[row] - trap(other)[row]) > 1e-5
    assert same(detail(x, 4)[: row + 1], detail(other, 4)[: row + 1])


def test_trap_3_a_decimated_transform_of_a_growing_window_flips_with_its_length():
    x = 4 + 0.01 * np.arange(64.0)
    growing = [pywt.wavedec(x[: t + 1], "haar", mode="symmetric", level=1)[-1][-1] for t in range(20, 60)]
    assert np.ptp(growing[::2]) < 1e-12
    assert np.ptp(growing[1::2]) < 1e-12
    # A straight line, and the last coefficient is there or not by the parity of the number of closes.
    assert abs(growing[0] - growing[1]) > 0.005
    assert np.ptp(detail(x, 1)[20:60]) < 1e-12


def test_trap_3_ours_moves_with_the_series():
    x = log_walk()
    assert same(detail(x, 3)[10:-1], detail(np.r_[4.2, x[:-1]], 3)[11:])


def test_trap_5_a_warm_up_filled_with_the_first_close_biases_the_first_signals():
    x = 4 + 0.01 * np.arange(200.0)
    padded = detail(np.r_[np.full(64, x[0]), x], 6)[64:]
    ours = detail(x, 6)
    settled = ours[-1]
    assert np.isnan(ours[:63]).all()
    np.testing.assert_allclose(ours[63:], settled, rtol=1e-9)
    np.testing.assert_allclose(padded[63:], settled, rtol=1e-9)
    assert (np.abs(padded[:31] / settled - 1) > 0.4).all()


def test_trap_6_a_factor_that_a_later_dividend_puts_on_past_closes_changes_prices_and_not_ours():
    close = np.exp(log_walk())[:, None]
    adjusted = close * 0.97
    rows = np.arange(63, 256)
    # A filter of prices: dollars, which the factor rescales.
    dollars, later = (
        filtered(np.diff(x, axis=0, prepend=x[:1]), haar_taps(6), rows) for x in (close, adjusted)
    )
    assert np.abs(later / dollars - 0.97).max() < 1e-9
    assert np.abs(dollars - later).max() > 0.01
    np.testing.assert_allclose(trend_score(adjusted, rows), trend_score(close, rows), rtol=1e-9, atol=1e-12)
    assert same(trend_score(close * 0.5, rows), trend_score(close, rows))


def test_energy_reads_its_own_window_only():
    close = closes(19)[:, [0]]
    returns, taps = log_returns(close), [haar_taps(1), modwt_taps(2, "la8")]
    full = energy(returns, taps, np.arange(220), 30)
    first = 29 + len(taps[1])
    assert np.isnan(full[:first]).all()
    for t in range(first, 220):
        window = np.vstack([np.zeros((1, 1)), returns[t - first + 1 : t + 1]])
        assert energy(window, taps, at(first), 30)[0, 0] == full[t, 0]


@pytest.mark.real_data
@pytest.mark.skipif("ARES7_DATA" not in os.environ, reason="ARES7_DATA names no real data folder")
def test_on_real_prices_prefix_and_window_give_the_same_bits():
    from ares7.config import DataConfig
    from feeds.load import load_panel

    path = Path(os.environ["ARES7_DATA"])
    close = np.ascontiguousarray(load_panel(DataConfig(path=path, cache=None), frozenset()).fields["close"])
    rows = np.arange(4, len(close), 5)
    full = trend_score(close, rows)
    assert np.isfinite(full).mean() > 0.5
    for i in range(20, len(rows), 40):
        t = int(rows[i])
        assert same(trend_score(close[: t + 1], at(t))[0], full[i])
        assert same(trend_score(close[t - 65 : t + 1], at(65))[0], full[i])
