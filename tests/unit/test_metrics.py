"""Figures of a return series: hand-computed numbers, empyrical as oracle, properties (C8, rulings 8)."""

import json
import math

import empyrical
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares7 import metrics
from ares7.errors import DataError

RETURNS = np.array([0.01, -0.02, 0.03])
NAV = np.array([100.0, 110.0, 99.0, 104.5, 121.0])
NAV_DATES = np.arange("2024-01-02", "2024-01-07", dtype="datetime64[D]")

returns_lists = st.lists(st.floats(-0.2, 0.2), min_size=2, max_size=60).map(np.array)
nav_lists = st.lists(st.floats(1.0, 1e6), min_size=1, max_size=60).map(np.array)


def nav_of(returns, start=1e6):
    return start * np.append(1.0, np.cumprod(1.0 + returns))


def random_returns(count, seed=3):
    return np.random.default_rng(seed).normal(0.0005, 0.01, count)


# Hand-computed


def test_sharpe_is_mean_over_sample_sd_times_root_252():
    # mean .02/3; squared deviations .0012666...; sd with ddof 1
    by_hand = (0.02 / 3) / math.sqrt(0.0038 / 3 / 2) * math.sqrt(252)
    assert metrics.sharpe(RETURNS) == pytest.approx(by_hand, rel=1e-12)


def test_risk_free_rate_is_annual_and_subtracted_per_session():
    by_hand = (0.02 / 3 - 0.0252 / 252) / math.sqrt(0.0038 / 3 / 2) * math.sqrt(252)
    assert metrics.sharpe(RETURNS, risk_free=0.0252) == pytest.approx(by_hand, rel=1e-12)


def test_standard_error_is_lo_iid_with_the_ratio_per_session():
    per_session = (0.02 / 3) / math.sqrt(0.0038 / 3 / 2)
    by_hand = math.sqrt((1 + per_session**2 / 2) / 3) * math.sqrt(252)
    assert metrics.sharpe_standard_error(RETURNS) == pytest.approx(by_hand, rel=1e-12)


def test_standard_error_of_a_long_unskilled_series_is_one_over_root_years():
    flat_mean = np.tile([0.01, -0.01], 5 * 126)
    assert metrics.sharpe_standard_error(flat_mean) == pytest.approx(1 / math.sqrt(5), rel=1e-12)


def test_cagr_is_by_252_over_the_number_of_returns():
    assert metrics.cagr(NAV) == pytest.approx(1.21 ** (252 / 4) - 1, rel=1e-12)


def test_cagr_at_ruin_is_a_total_loss():
    assert metrics.cagr(np.array([100.0, 50.0, -3.0])) == -1.0


def test_sortino_counts_every_session_in_the_downside():
    by_hand = (0.02 / 3) / math.sqrt(0.0004 / 3) * math.sqrt(252)
    assert metrics.sortino(RETURNS) == pytest.approx(by_hand, rel=1e-12)


def test_calmar_is_cagr_over_drawdown():
    assert metrics.calmar(NAV) == pytest.approx((1.21**63 - 1) / 0.1, rel=1e-12)


def test_deepest_drawdown_names_peak_trough_and_recovery():
    worst = metrics.deepest_drawdown(NAV)
    assert worst == metrics.Drawdown(pytest.approx(0.1), 1, 2, 4, 3, 2)


def test_drawdown_that_lasts_has_no_recovery_and_runs_to_the_end():
    worst = metrics.deepest_drawdown(np.array([100.0, 120.0, 90.0, 110.0]))
    assert (worst.start, worst.trough, worst.recovery, worst.length, worst.time_to_recovery) == (
        1,
        2,
        None,
        2,
        None,
    )


def test_drawdown_starts_at_the_last_of_equal_peaks_and_recovers_at_the_peak_itself():
    worst = metrics.deepest_drawdown(np.array([100.0, 100.0, 80.0, 100.0]))
    assert (worst.start, worst.trough, worst.recovery) == (1, 2, 3)


def test_drawdown_includes_the_starting_value():
    # From returns alone the first loss would be the first peak.
    nav = nav_of(np.array([-0.1, 0.05]))
    assert metrics.max_drawdown(nav) == pytest.approx(0.1)
    assert metrics.deepest_drawdown(nav).start == 0


def test_nav_that_never_falls_has_no_drawdown():
    assert metrics.deepest_drawdown(np.array([1.0, 1.0, 2.0])) is None
    assert metrics.max_drawdown(np.array([1.0, 1.0, 2.0])) == 0.0


def test_monthly_returns_chain_month_ends_and_skip_the_starting_value():
    dates = np.array(["2023-11-30", "2023-12-15", "2023-12-29", "2024-01-31", "2024-03-01"], "datetime64[D]")
    found = metrics.monthly_returns(dates, np.array([100.0, 90.0, 110.0, 121.0, 60.5]))
    assert found.years.tolist() == [2023, 2024]
    expected = np.full((2, 12), np.nan)
    expected[0, 11], expected[1, 0], expected[1, 2] = 0.1, 0.1, -0.5
    np.testing.assert_allclose(found.table, expected, rtol=1e-12)
    np.testing.assert_allclose(found.annual, [0.1, -0.45], rtol=1e-12)


def test_a_year_without_returns_has_none():
    dates = np.array(["2020-12-30", "2020-12-31", "2022-01-03"], "datetime64[D]")
    found = metrics.monthly_returns(dates, np.array([1.0, 2.0, 2.0]))
    assert found.years.tolist() == [2020, 2021, 2022]
    assert math.isnan(found.annual[1])


@pytest.mark.parametrize("count", [0, 1])
def test_monthly_returns_of_the_starting_value_alone_are_empty(count):
    found = metrics.monthly_returns(NAV_DATES[:count], NAV[:count])
    assert found.table.shape == (0, 12)
    assert len(found.annual) == 0


# Never None, never a stand-in


@pytest.mark.parametrize(
    "returns",
    [np.array([]), np.array([0.01]), np.zeros(5), np.full(300, 0.001), np.array([0.01, np.nan])],
    ids=["none", "one", "flat", "constant", "gap"],
)
def test_ratio_that_is_not_defined_is_nan(returns):
    for figure in (metrics.sharpe, metrics.sharpe_standard_error):
        value = figure(returns)
        assert isinstance(value, float)
        assert math.isnan(value)


def test_nav_that_grows_at_a_constant_rate_has_no_sharpe_ratio_in_spite_of_rounding():
    returns = metrics.returns_from_nav(1e6 * 1.0003 ** np.arange(500))
    assert np.std(returns, ddof=1) > 0
    assert math.isnan(metrics.sharpe(returns))


def test_flat_nav_has_zero_volatility_and_no_ratios():
    found = metrics.performance(NAV_DATES, np.full(5, 1e6))
    assert (found["volatility"], found["max_drawdown"], found["cagr"]) == (0.0, 0.0, 0.0)
    assert all(math.isnan(found[key]) for key in ("sharpe", "sharpe_se", "sortino", "calmar"))
    assert found["max_drawdown_start"] is found["max_drawdown_trough"] is None


def test_one_session_has_nan_figures():
    found = metrics.performance(NAV_DATES[:1], NAV[:1])
    assert (found["sessions"], found["final_nav"], found["total_return"]) == (0, 100.0, 0.0)
    assert all(math.isnan(found[key]) for key in ("sharpe", "sharpe_se", "cagr", "volatility", "sortino"))


def test_performance_has_its_keys_and_json_values():
    found = metrics.performance(NAV_DATES, NAV)
    assert list(found) == [
        "sharpe",
        "sharpe_se",
        "cagr",
        "volatility",
        "sortino",
        "calmar",
        "total_return",
        "final_nav",
        "max_drawdown",
        "max_drawdown_start",
        "max_drawdown_trough",
        "max_drawdown_recovery",
        "max_drawdown_sessions",
        "sessions",
        "start",
        "end",
    ]
    assert json.loads(json.dumps(found)) == found
    assert (found["start"], found["end"], found["sessions"]) == ("2024-01-02", "2024-01-06", 4)
    assert (found["max_drawdown_start"], found["max_drawdown_trough"], found["max_drawdown_recovery"]) == (
        "2024-01-03",
        "2024-01-04",
        "2024-01-06",
    )
    assert found["max_drawdown_sessions"] == 3


@pytest.mark.parametrize(
    ("nav", "says"),
    [
        ([], "0 values for 5 sessions"),
        ([1.0, 2.0], "2 values for 5 sessions"),
        ([1.0, np.nan, 1.0, np.nan, 1.0], "2024-01-03 is nan (2 of 5"),
        ([1.0, 2.0, np.inf, 1.0, 1.0], "2024-01-04 is inf"),
        ([0.0, 1.0, 1.0, 1.0, 1.0], "starts at 0.0 USD on 2024-01-02"),
    ],
)
def test_nav_without_honest_figures_is_refused(nav, says):
    with pytest.raises(DataError) as caught:
        metrics.performance(NAV_DATES, np.array(nav))
    assert says in str(caught.value)


def test_ruin_gives_nan_ratios_and_a_drawdown():
    found = metrics.performance(NAV_DATES, np.array([100.0, 50.0, -20.0, 10.0, 20.0]))
    assert math.isnan(found["sharpe"])
    assert found["max_drawdown"] == pytest.approx(1.2)


# Oracle: empyrical. It takes the risk-free rate per session and gives drawdowns a negative sign.


@pytest.mark.parametrize("seed", range(5))
def test_empyrical_agrees(seed):
    returns = random_returns(700, seed)
    found = metrics.performance(np.arange(701).astype("datetime64[D]"), nav_of(returns), risk_free=0.02)
    rate = 0.02 / 252
    assert found["sharpe"] == pytest.approx(empyrical.sharpe_ratio(returns, rate), rel=1e-9)
    assert found["sortino"] == pytest.approx(empyrical.sortino_ratio(returns, rate), rel=1e-9)
    assert found["volatility"] == pytest.approx(empyrical.annual_volatility(returns), rel=1e-9)
    assert found["cagr"] == pytest.approx(empyrical.annual_return(returns), rel=1e-9)
    assert found["calmar"] == pytest.approx(empyrical.calmar_ratio(returns), rel=1e-9)
    assert found["max_drawdown"] == pytest.approx(-empyrical.max_drawdown(returns), rel=1e-9)


# Properties


@given(nav_lists)
def test_drawdown_is_a_fraction(nav):
    below = metrics.drawdown_series(nav)
    assert below[0] == 0
    assert ((below >= 0) & (below < 1)).all()
    worst = metrics.deepest_drawdown(nav)
    assert (worst.depth if worst else 0.0) == metrics.max_drawdown(nav)


@given(nav_lists)
def test_drawdown_rows_are_in_order_and_hold_what_they_claim(nav):
    worst = metrics.deepest_drawdown(nav)
    if worst:
        assert worst.start < worst.trough
        assert nav[worst.start] == nav[: worst.trough + 1].max()
        end = len(nav) if worst.recovery is None else worst.recovery
        assert (nav[worst.start + 1 : end] < nav[worst.start]).all()
        assert worst.recovery is None or nav[worst.recovery] >= nav[worst.start]


@given(nav_lists, st.integers(-20, 20))
def test_figures_do_not_depend_on_the_amount_of_money(nav, exponent):
    dates = np.arange(len(nav)).astype("datetime64[D]")
    first, second = metrics.performance(dates, nav), metrics.performance(dates, nav * 2.0**exponent)
    first.pop("final_nav")
    second.pop("final_nav")
    assert str(first) == str(second)


@given(returns_lists)
def test_sharpe_has_the_sign_of_the_mean_and_turns_with_it(returns):
    value = metrics.sharpe(returns)
    if not math.isnan(value):
        assert np.sign(value) == np.sign(np.mean(returns))
        assert metrics.sharpe(-returns) == -value
        assert metrics.sharpe(4.0 * returns) == pytest.approx(value)


@given(nav_lists, nav_lists)
def test_joined_series_are_at_least_as_deep_as_their_parts_and_grow_by_their_product(first, second):
    joined = np.append(first, second[1:] * (first[-1] / second[0]))
    deepest = max(metrics.max_drawdown(first), metrics.max_drawdown(second))
    assert metrics.max_drawdown(joined) >= deepest - 1e-12
    growth = (first[-1] / first[0]) * (second[-1] / second[0])
    assert np.prod(1 + metrics.returns_from_nav(joined)) == pytest.approx(growth)


@settings(max_examples=30)
@given(returns_lists, st.integers(2, 20))
def test_rolling_sharpe_is_the_sharpe_ratio_of_each_window_alone(returns, window):
    rolling = metrics.rolling_sharpe(returns, window, 0.01)
    expected = [
        metrics.sharpe(returns[t + 1 - window : t + 1].copy(), 0.01) if t + 1 >= window else math.nan
        for t in range(len(returns))
    ]
    np.testing.assert_allclose(rolling, expected, rtol=1e-12)


def test_rolling_sharpe_of_a_row_is_the_same_to_the_last_bit_from_its_window_alone():
    returns = random_returns(600)
    rolling = metrics.rolling_sharpe(returns)
    for t in (251, 252, 400, 599):
        assert rolling[t] == metrics.rolling_sharpe(returns[: t + 1])[-1]
        assert rolling[t] == metrics.rolling_sharpe(returns[t - 251 : t + 1])[-1]
