"""Signals against brute force, on whatever hypothesis thinks of."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ares7.risk import (
    RiskParams,
    breaker_state,
    floor_to_step,
    ladder_scale,
    trailing_drawdown,
    vix_scale,
    vol_target_scale,
)
from ares7.signals.cross_section import (
    best_first,
    leg,
    merge,
    normalised,
    places,
    standard_score,
    winsorise,
    zscore,
)
from ares7.signals.momentum import momentum
from ares7.signals.regime import HOLD_WINDOW, Regime, held_labels, raw_labels
from ares7.signals.volatility import risk_at
from ares7.signals.windows import (
    latest_bar,
    mean_at,
    previous_bar,
    spanning_returns,
    trailing_mean,
    trailing_std,
    trailing_sum,
)

quick = settings(deadline=None, max_examples=60, derandomize=True)

values = st.floats(-1e3, 1e3, allow_nan=False).map(lambda x: round(x, 4))
gappy = st.one_of(values, st.just(math.nan))
series = st.lists(gappy, min_size=0, max_size=40).map(np.array)
widths = st.integers(1, 12)
cross = st.lists(gappy, min_size=1, max_size=60).map(np.array)
prices = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 25), st.integers(1, 4)),
    elements=st.one_of(st.floats(1.0, 100.0), st.just(math.nan)),
)


def same(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9, equal_nan=True)


@quick
@given(series, widths)
def test_trailing_sum_and_mean_are_those_of_the_window(x, width):
    x = x.astype(float)
    expected = [np.nan if t < width - 1 else sum(x[t - width + 1 : t + 1]) for t in range(len(x))]
    same(trailing_sum(x, width), expected)
    same(trailing_mean(x, width), np.array(expected) / width)


@quick
@given(series, st.integers(2, 12), st.integers(1, 12))
def test_trailing_std_is_the_sample_deviation_of_what_is_there(x, width, least):
    x = x.astype(float)
    expected = []
    for t in range(len(x)):
        there = [v for v in x[max(t - width + 1, 0) : t + 1] if math.isfinite(v)]
        expected.append(np.std(there, ddof=1) if len(there) >= max(least, 2) else np.nan)
    same(trailing_std(x, width, least), expected)


@quick
@given(series, widths, st.data())
def test_rulings_9_trailing_windows_do_not_depend_on_what_lies_outside(x, width, data):
    x = x.astype(float)
    if len(x) < width:
        return
    t = data.draw(st.integers(width - 1, len(x) - 1))
    alone = x[t - width + 1 : t + 1].copy()
    assert np.array_equal(trailing_sum(x, width)[t], trailing_sum(alone, width)[-1], equal_nan=True)
    assert np.array_equal(trailing_std(x, width, 1)[t], trailing_std(alone, width, 1)[-1], equal_nan=True)


@quick
@given(prices, st.integers(1, 6), st.data())
def test_a_mean_at_chosen_rows_is_the_trailing_mean_there_to_the_last_bit(x, width, data):
    rows = np.array(data.draw(st.lists(st.integers(0, len(x) - 1), max_size=3)), dtype=np.int64)
    expected = np.stack([trailing_mean(column, width) for column in x.T], axis=1)[rows]
    assert np.array_equal(mean_at(x, rows, width), expected, equal_nan=True)


@quick
@given(prices)
def test_bars_and_spanning_returns_by_looking_back(close):
    bar = np.isfinite(close)
    returns = spanning_returns(close)
    for t in range(len(close)):
        for i in range(close.shape[1]):
            upto = [row for row in range(t + 1) if bar[row, i]]
            before = [row for row in range(t) if bar[row, i]]
            assert latest_bar(bar)[t, i] == (upto[-1] if upto else -1)
            assert previous_bar(bar)[t, i] == (before[-1] if before else -1)
            if bar[t, i] and before:
                assert returns[t, i] == close[t, i] / close[before[-1], i] - 1.0
            else:
                assert math.isnan(returns[t, i])


@quick
@given(prices, st.integers(1, 6), st.data())
def test_momentum_is_the_return_between_its_two_closes(close, period, data):
    skip = data.draw(st.integers(0, period - 1))
    rows = np.arange(len(close))
    got = momentum(close, rows, period, skip)
    for t in rows:
        expected = (
            close[t - skip] / close[t - period] - 1.0 if t >= period else np.full(close.shape[1], np.nan)
        )
        assert np.array_equal(got[t], expected, equal_nan=True)


@quick
@given(cross)
def test_zscores_have_mean_0_and_deviation_1_or_are_0(x):
    x = x.astype(float)
    z = zscore(x)
    assert np.array_equal(np.isfinite(z), np.isfinite(x))
    z, x = z[np.isfinite(z)], x[np.isfinite(x)]
    if len(x) == 0:
        return
    assert abs(z.mean()) < 1e-6
    if np.ptp(x) > 1e-3:
        assert abs(z.std() - 1) < 1e-6
        assert np.array_equal(np.argsort(z, kind="stable"), np.argsort(x, kind="stable"))
    elif np.ptp(x) == 0:
        assert not z.any()


@quick
@given(cross, st.floats(0.1, 50), values)
def test_zscores_ignore_unit_and_origin(x, unit, origin):
    x = x.astype(float)
    there = x[np.isfinite(x)]
    if len(there) == 0 or np.ptp(there) < 1.0:
        return
    np.testing.assert_allclose(zscore(unit * x + origin), zscore(x), atol=1e-6, equal_nan=True)


@quick
@given(cross, st.floats(0, 0.49))
def test_winsorised_values_are_clipped_to_quantiles_of_what_is_there(x, tail):
    x = x.astype(float)
    got = winsorise(x, tail)
    there = np.isfinite(x)
    assert np.array_equal(np.isfinite(got), there)
    if not there.any():
        return
    low, high = np.quantile(x[there], tail), np.quantile(x[there], 1 - tail)
    inside = there & (x >= low) & (x <= high)
    assert np.array_equal(got[inside], x[inside])
    assert (got[there & (x < low)] == low).all()
    assert (got[there & (x > high)] == high).all()


@quick
@given(cross, st.data())
def test_a_source_column_needs_20_eligible_names(x, data):
    x = x.astype(float)
    among = np.array(data.draw(st.lists(st.booleans(), min_size=len(x), max_size=len(x))))
    got = standard_score(x, among)
    there = among & np.isfinite(x)
    assert np.array_equal(np.isfinite(got), there if there.sum() >= 20 else np.zeros(len(x), dtype=bool))
    outside = np.where(among, x, 7.0)
    assert np.array_equal(standard_score(outside, among), got, equal_nan=True)


@quick
@given(cross, st.data(), st.integers(1, 25))
def test_a_slot_takes_the_fallback_name_by_name(first, data, least):
    first = first.astype(float)
    fallback = np.array(data.draw(st.lists(gappy, min_size=len(first), max_size=len(first))), dtype=float)
    expected = [a if math.isfinite(a) else b for a, b in zip(first, fallback, strict=True)]
    if sum(map(math.isfinite, expected)) < least:
        expected = [math.nan] * len(first)
    assert np.array_equal(merge(first, fallback, least), np.array(expected), equal_nan=True)


@quick
@given(st.lists(st.lists(gappy, min_size=8, max_size=8), min_size=1, max_size=4), st.data())
def test_a_leg_is_the_standardised_mean_of_what_is_there_and_0_for_the_rest(columns, data):
    among = np.array(data.draw(st.lists(st.booleans(), min_size=8, max_size=8)))
    got = leg([np.array(c, dtype=float) for c in columns], among)
    means = {}
    for i in range(8):
        there = [c[i] for c in columns if math.isfinite(c[i])]
        if among[i] and there:
            means[i] = sum(there) / len(there)
    assert np.isfinite(got).all()
    assert not got[[i for i in range(8) if i not in means]].any()
    if means and np.ptp(list(means.values())) > 1e-3:
        spread = np.std(list(means.values()))
        expected = [(m - np.mean(list(means.values()))) / spread for m in means.values()]
        np.testing.assert_allclose(got[list(means)], expected, atol=1e-6)


@quick
@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.data())
def test_best_first_sorts_by_score_then_symbol(scores, data):
    count = len(scores)
    among = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    rank = np.array(data.draw(st.permutations(range(count))))
    expected = sorted(np.flatnonzero(among), key=lambda i: (-scores[i], rank[i]))
    assert best_first(np.array(scores, dtype=float), among, rank).tolist() == expected
    values = np.where(among, np.array(scores, dtype=float), math.nan)
    above = np.array([scores, scores[::-1]], dtype=float)
    together = places(np.vstack([values, above]), np.vstack([among, above > 0]), rank)
    assert together[0][expected].tolist() == list(range(len(expected)))
    assert np.array_equal(np.sort(together, axis=1), np.tile(np.arange(count), (3, 1)))


@quick
@given(hnp.arrays(np.float64, st.tuples(st.integers(0, 3), st.integers(1, 5)), elements=st.floats(0, 9)))
def test_normalised_rows_sum_to_1_or_hold_nothing(x):
    got = normalised(x)
    for row, share in zip(x, got, strict=True):
        assert np.array_equal(share, row / row.sum() if row.sum() > 0 else np.zeros(len(row)))


@quick
@given(st.lists(st.tuples(st.floats(50, 150), st.floats(10, 40)), min_size=1, max_size=40))
def test_raw_labels_row_by_row(rows):
    index, vix = (np.array(column) for column in zip(*rows, strict=True))
    got = raw_labels(index, vix, sma=5, short=3, long=8)
    for t in range(len(index)):
        if vix[t] >= 30:
            expected = Regime.HIGH_VOL
        elif t < 8:
            expected = Regime.NEUTRAL
        else:
            above = index[t] > trailing_sum(index[t - 4 : t + 1], 5)[-1] / 5
            up = index[t] / index[t - 3] > 1, index[t] / index[t - 8] > 1
            if above and all(up) and vix[t] < 25:
                expected = Regime.BULL
            elif not above and not all(up):
                expected = Regime.BEAR
            else:
                expected = Regime.NEUTRAL
        assert got[t] == expected


runs = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 40)), min_size=1, max_size=40)


@quick
@given(runs, st.integers(0, 12))
def test_rulings_13_held_labels_row_by_row(stretches, hold):
    raw = np.repeat(*(np.array(x) for x in zip(*stretches, strict=True))).astype(np.int8)
    got = held_labels(raw, hold)
    if hold <= 1:
        assert np.array_equal(got, raw)
        return
    for t in range(0, len(raw), 7):
        expected = Regime.NEUTRAL
        for last in range(t, max(t - HOLD_WINDOW, -1), -1):
            first = last - hold + 1
            if first < max(t - HOLD_WINDOW + 1, 0):
                break
            if len(set(raw[first : last + 1].tolist())) == 1:
                expected = raw[last]
                break
        assert got[t] == expected


def test_rulings_13_a_label_is_forgotten_when_its_run_leaves_the_252_rows():
    # Three BULL, then labels that never stay: forgotten when the run's first row is t-252.
    raw = np.array([1, 1, 1] + [0, 2] * 200, dtype=np.int8)
    got = held_labels(raw, 3)
    assert got[:2].tolist() == [Regime.NEUTRAL] * 2
    assert (got[2:252] == Regime.BULL).all()
    assert (got[252:] == Regime.NEUTRAL).all()


@quick
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.sampled_from([0.05, 0.1, 0.2, 0.25, 0.5, 1.0]))
def test_floored_scales_are_the_largest_step_not_above(scales, step):
    scale = np.array(scales)
    got = floor_to_step(scale, step)
    multiples = np.round(np.arange(round(1 / step) + 1) * step, 12)
    for value, low in zip(scale, got, strict=True):
        below = multiples[multiples <= value + 1e-9 * step * 2]
        assert abs(low - below.max()) <= 1e-9 or abs(value - multiples).min() < 3e-9
        assert low in multiples
    assert np.array_equal(floor_to_step(got, step), got)
    assert np.array_equal(floor_to_step(multiples, step), multiples)


returns = st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=60).map(np.array)


@quick
@given(returns, st.integers(1, 20))
def test_trailing_drawdown_against_the_highest_of_the_last_values(moves, memory):
    got = trailing_drawdown(moves, memory)
    curve = np.cumprod(1 + np.concatenate([np.zeros(memory), moves]))
    for t in range(len(moves)):
        window = curve[t + 1 : t + memory + 1]
        assert abs(got[t] - (window[-1] / window.max() - 1)) < 1e-12
    assert ((got > -1) & (got <= 0)).all()


@quick
@given(returns, st.integers(2, 12), st.floats(0.01, 0.5), st.floats(0.5, 2.0))
def test_the_volatility_scale_lies_between_0_and_its_cap(moves, window, target, cap):
    scale = vol_target_scale(moves, target, window, cap)
    assert ((scale >= 0) & (scale <= max(cap, 1.0))).all()
    for t in range(window - 1, len(moves)):
        deviation = np.std(moves[t - window + 1 : t + 1], ddof=1)
        if deviation > 1e-6:
            assert abs(scale[t] - min(target / (deviation * math.sqrt(252)), cap)) < 1e-6


@quick
@given(
    st.lists(st.floats(-0.12, 0.0), min_size=1, max_size=60),
    st.integers(0, 25),
    st.floats(-0.08, -0.03),
    st.floats(0, 1),
)
def test_the_breaker_session_by_session(depths, cooldown, trip, share):
    params = RiskParams(
        breaker=True, breaker_trip=trip, breaker_reset=trip * share, breaker_cooldown=cooldown
    )
    got = breaker_state(np.array(depths), params)
    since = None
    for t, depth in enumerate(depths):
        if since is not None:
            since += 1
            if depth > params.breaker_reset and since >= cooldown:
                since = None
        if since is None and depth <= trip:
            since = 0
        assert got[t] == (since is not None)


@quick
@given(st.lists(st.floats(-0.99, 0.0), min_size=2, max_size=30))
def test_a_deeper_drawdown_never_has_a_larger_scale(depths):
    depths = np.sort(np.array(depths))
    scale = ladder_scale(depths, RiskParams().ladder)
    assert (np.diff(scale) >= 0).all()


@quick
@given(st.lists(st.floats(9, 80), min_size=1, max_size=90))
def test_the_vix_scale_lies_between_an_eighth_and_1(levels):
    scale = vix_scale(np.array(levels), RiskParams(vix_guard=True, vix_spike=True))
    assert ((scale >= 0.125) & (scale <= 1)).all()


@settings(deadline=None, max_examples=25, derandomize=True)
@given(st.integers(0, 10_000))
def test_rulings_19_a_window_may_miss_two_returns_and_not_three(seed):
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, (41, 4)), axis=0))
    index = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 41)))
    gone = rng.choice(np.arange(31, 40), 3, replace=False)
    close[gone[:2], 1] = np.nan
    close[gone, 2] = np.nan
    close[0, 3] = np.nan  # the first close of the window: one return is missing
    got = risk_at(close, index, np.array([40]), 10, 40)
    assert np.isfinite(got.volatility[0]).tolist() == [True, True, False, True]
    assert np.isfinite(got.beta[0]).tolist() == [True, True, False, True]
    moves = np.diff(close[30:, 0]) / close[30:-1, 0]
    assert abs(got.volatility[0, 0] - np.std(moves, ddof=1)) < 1e-12
    assert abs(got.downside[0, 0] - np.std(np.minimum(moves, 0), ddof=1)) < 1e-12
    slope = np.polyfit(np.diff(index) / index[:-1], np.diff(close[:, 0]) / close[:-1, 0], 1)[0]
    assert abs(got.beta[0, 0] - slope) < 1e-9
