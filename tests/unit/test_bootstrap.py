"""Block length, resampled sessions and intervals: arch as oracle, properties, what is refused."""

import empyrical
import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap
from arch.bootstrap import optimal_block_length as arch_block_length
from hypothesis import given, settings
from hypothesis import strategies as st

from ares7 import bootstrap, metrics
from ares7.bootstrap import intervals, optimal_block_length, stationary_indices
from ares7.errors import ConfigError, DataError


def autoregressive(count, phi, seed):
    noise = np.random.default_rng(seed).standard_t(5, size=count) * 0.01
    series = noise.copy()
    for t in range(1, count):
        series[t] = phi * series[t - 1] + noise[t]
    return series


@pytest.mark.parametrize("count", [20, 21, 60, 253, 1500])
@pytest.mark.parametrize("phi", [-0.4, 0.0, 0.3, 0.9])
def test_the_block_length_is_archs_but_at_least_one(count, phi):
    series = autoregressive(count, phi, seed=count)
    assert optimal_block_length(series) == pytest.approx(
        max(1.0, arch_block_length(series)["stationary"][0]), rel=1e-9
    )


@pytest.mark.parametrize("seed", range(0, 100, 10))
def test_the_block_length_is_archs_near_the_edge_of_significance(seed):
    series = [autoregressive(60, 0.35, one) for one in range(seed, seed + 10)]
    found = [optimal_block_length(one) for one in series]
    theirs = np.maximum(1.0, [arch_block_length(one)["stationary"][0] for one in series])
    np.testing.assert_allclose(found, theirs, rtol=1e-9)


def test_a_series_that_does_not_vary_has_blocks_of_one():
    assert optimal_block_length(np.full(100, 0.01)) == 1.0


@given(st.integers(20, 120), st.integers(0, 2**31), st.floats(-0.95, 0.99), st.floats(1e-3, 1e3))
@settings(max_examples=50)
def test_the_block_length_lies_within_its_limits_and_ignores_scale(count, seed, phi, scale):
    series = autoregressive(count, phi, seed)
    length = optimal_block_length(series)
    assert 1.0 <= length <= np.ceil(min(3 * np.sqrt(count), count / 3))
    assert optimal_block_length(scale * series) == pytest.approx(length, rel=1e-6)


def test_the_resampled_sessions_are_archs():
    theirs = StationaryBootstrap(7, np.arange(250), seed=5)
    expected = np.array([drawn[0][0] for drawn in theirs.bootstrap(20)])
    np.testing.assert_array_equal(stationary_indices(np.random.default_rng(5), 250, 7, 20), expected)


def test_draws_may_be_asked_for_in_parts():
    whole = stationary_indices(np.random.default_rng(1), 50, 4.5, 9)
    rng = np.random.default_rng(1)
    parts = [stationary_indices(rng, 50, 4.5, count) for count in (2, 3, 4)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_blocks_run_on_have_the_wanted_mean_length_and_wrap():
    rows = stationary_indices(np.random.default_rng(2), 1000, 8.0, 200)
    goes_on = (rows[:, 1:] - rows[:, :-1]) % 1000 == 1
    assert 1.0 / (1.0 - goes_on.mean()) == pytest.approx(8.0, rel=0.03)
    assert ((rows[:, :-1] == 999) & (rows[:, 1:] == 0)).any()
    assert np.bincount(rows.ravel(), minlength=1000).min() > 100


def test_a_block_as_long_as_the_sample_may_still_jump():
    rows = stationary_indices(np.random.default_rng(2), 30, 30.0, 500)
    assert len({tuple(row) for row in rows}) > 250


def test_resampled_means_are_those_of_the_resampled_rows():
    family = np.random.default_rng(3).normal(size=(4, 90))
    means = bootstrap.resampled_means(family, 5.0, 150, seed=11)
    rows = stationary_indices(np.random.default_rng(11), 90, 5.0, 150)
    np.testing.assert_allclose(means, family[:, rows].mean(axis=2).T, atol=1e-14)


@pytest.fixture(scope="module")
def returns():
    return 0.0004 + autoregressive(400, 0.2, seed=9)


def test_the_intervals_are_archs_percentiles(returns):
    found = intervals(returns, level=0.9, draws=200, seed=4, block=6)
    theirs = StationaryBootstrap(6, returns, seed=4)

    def figures(drawn):
        nav = np.append(1.0, np.cumprod(1.0 + drawn))
        return np.array([metrics.sharpe(drawn), metrics.max_drawdown(nav), metrics.cagr(nav)])

    low, high = theirs.conf_int(figures, reps=200, method="percentile", size=0.9)
    np.testing.assert_allclose([f.low for f in found.values()], low, rtol=1e-12)
    np.testing.assert_allclose([f.high for f in found.values()], high, rtol=1e-12)


def test_the_estimates_are_empyricals(returns):
    found = intervals(returns, draws=5)
    assert list(found) == ["sharpe", "max_drawdown", "cagr"]
    assert found["sharpe"].estimate == pytest.approx(empyrical.sharpe_ratio(returns), rel=1e-10)
    assert found["max_drawdown"].estimate == pytest.approx(-empyrical.max_drawdown(returns), rel=1e-10)
    assert found["cagr"].estimate == pytest.approx(empyrical.cagr(returns), rel=1e-10)


def test_a_seed_fixes_the_intervals_and_levels_nest(returns):
    one = intervals(returns, draws=100, seed=1)
    assert intervals(returns, draws=100, seed=1) == one
    assert intervals(returns, draws=100, seed=2) != one
    narrow = intervals(returns, level=0.5, draws=100, seed=1)
    for name, wide in one.items():
        assert wide.low <= narrow[name].low <= narrow[name].high <= wide.high


def test_the_block_length_is_automatic_where_not_given(returns):
    automatic = optimal_block_length(returns)
    assert automatic > 1.0
    assert intervals(returns, draws=50) == intervals(returns, draws=50, block=automatic)


def test_cash_has_no_sharpe_interval_and_no_drawdown():
    found = intervals(np.zeros(60), draws=20)
    assert np.isnan([found["sharpe"].estimate, found["sharpe"].low, found["sharpe"].high]).all()
    assert found["max_drawdown"] == found["cagr"] == bootstrap.Interval(0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"level": 1.0}, r"level 1 lies outside \(0, 1\)"),
        ({"draws": 0}, "0 bootstrap draws; give at least 1"),
        ({"block": 0.5}, "block length 0.5 for 400 sessions; give 1 to 400"),
        ({"block": 401}, "block length 401 for 400"),
    ],
)
def test_wrong_settings_are_refused(returns, settings_, message):
    with pytest.raises(ConfigError, match=message):
        intervals(returns, **settings_)


def test_wrong_returns_are_refused(returns):
    with pytest.raises(DataError, match="at least 1 trials and 20 sessions"):
        intervals(returns[:19])
    with pytest.raises(DataError, match="2 series for one set of intervals"):
        intervals(np.array([returns, returns]))
    holed = returns.copy()
    holed[7] = np.nan
    for function in (intervals, optimal_block_length):
        with pytest.raises(DataError, match="trial 0 in session 7 is nan"):
            function(holed)
