"""Out-of-sample windows: what the data reach, figures of each, degradation (rulings 8)."""

import datetime as dt
import math
from functools import cache

import numpy as np
import pytest

from ares7 import folds, metrics
from ares7.config import DEFAULT_WINDOWS, OosWindow
from ares7.errors import DataError
from ares7.sessions import sessions


def nav_of(returns, start=1e6):
    return start * np.append(1.0, np.cumprod(1.0 + returns))


def random_returns(count, seed=3):
    return np.random.default_rng(seed).normal(0.0005, 0.01, count)


@cache
def days():
    return sessions(np.datetime64("2018-12-31"), np.datetime64("2023-06-30"))


def oos(returns=None, baseline=None, windows=DEFAULT_WINDOWS, dates=None, **kwargs):
    dates = days() if dates is None else dates
    returns = random_returns(len(dates) - 1) if returns is None else returns
    return folds.oos_windows(dates[1:], returns, baseline, windows, **kwargs)


def test_windows_show_what_the_data_reach():
    full, cut, missing = oos()["windows"]
    assert (full["name"], full["sessions"], full["expected_sessions"]) == ("OOS1", 505, 505)
    assert (full["reached"], full["cut_short"]) == (True, False)
    assert (cut["sessions"], cut["expected_sessions"], cut["cut_short"]) == (375, 753, True)
    assert (missing["name"], missing["reached"], missing["sessions"]) == ("OOS3", False, 0)
    assert missing["cut_short"]
    assert math.isnan(missing["sharpe"])
    assert math.isnan(missing["max_drawdown"])
    assert missing["beats_baseline"] is None


def test_a_run_that_starts_with_the_window_is_not_cut_short():
    dates = sessions(np.datetime64("2020-01-02"), np.datetime64("2021-12-31"))
    (window,) = oos(dates=dates, windows=DEFAULT_WINDOWS[:1])["windows"]
    assert (window["sessions"], window["expected_sessions"], window["cut_short"]) == (504, 504, False)


def test_a_run_that_starts_inside_the_window_is_cut_short():
    dates = sessions(np.datetime64("2020-03-02"), np.datetime64("2021-12-31"))
    (window,) = oos(dates=dates, windows=DEFAULT_WINDOWS[:1])["windows"]
    assert window["cut_short"]


def test_without_a_calendar_nothing_is_expected():
    window = oos(calendar=None)["windows"][0]
    assert (window["expected_sessions"], window["cut_short"]) == (None, None)


def test_window_figures_are_those_of_its_returns_alone():
    returns = random_returns(len(days()) - 1)
    window = oos(returns)["windows"][0]
    inside = returns[
        (days()[1:] >= np.datetime64("2020-01-01")) & (days()[1:] <= np.datetime64("2021-12-31"))
    ]
    nav = nav_of(inside, 1.0)
    assert window["sharpe"] == metrics.sharpe(inside)
    assert window["sharpe_se"] == metrics.sharpe_standard_error(inside)
    assert window["cagr"] == metrics.cagr(nav)
    assert window["max_drawdown"] == metrics.max_drawdown(nav)


def test_train_rows_lie_before_the_earliest_window_whatever_the_order():
    returns = random_returns(len(days()) - 1)
    train = returns[days()[1:] < np.datetime64("2020-01-01")]
    for windows in (DEFAULT_WINDOWS, DEFAULT_WINDOWS[::-1]):
        found = oos(returns, windows=windows)
        assert found["train_sharpe"] == metrics.sharpe(train)
        assert found["train_sessions"] == len(train) == 252


def test_minimum_mean_and_degradation_are_over_the_windows_that_have_a_figure():
    found = oos()
    figures = [w["sharpe"] for w in found["windows"][:2]]
    assert found["min_sharpe"] == min(figures)
    assert found["mean_sharpe"] == pytest.approx(np.mean(figures))
    assert found["degradation"] == folds.degradation(found["train_sharpe"], figures)


def test_baseline_is_compared_window_by_window():
    returns = random_returns(len(days()) - 1)
    better = np.where(days()[1:] < np.datetime64("2022-01-01"), returns - 0.001, returns + 0.001)
    first, second, missing = oos(returns, better)["windows"]
    assert (first["beats_baseline"], second["beats_baseline"]) == (True, False)
    assert first["baseline_sharpe"] < first["sharpe"]
    assert missing["beats_baseline"] is None


def test_no_baseline_beats_nothing():
    assert oos()["windows"][0]["beats_baseline"] is None


def test_a_window_of_one_session_is_shown_and_left_out_of_the_mean():
    windows = (
        DEFAULT_WINDOWS[0],
        OosWindow(name="day", start=dt.date(2022, 1, 3), end=dt.date(2022, 1, 3)),
    )
    found = oos(windows=windows)
    assert (found["windows"][1]["sessions"], found["windows"][1]["cut_short"]) == (1, False)
    assert found["mean_sharpe"] == found["windows"][0]["sharpe"]


def test_no_window_and_no_data():
    nothing = oos(windows=())
    assert (nothing["windows"], nothing["train_sessions"]) == ([], len(days()) - 1)
    empty = oos(dates=days()[:1])
    assert [w["reached"] for w in empty["windows"]] == [False] * 3
    assert all(math.isnan(empty[key]) for key in ("train_sharpe", "min_sharpe", "mean_sharpe", "degradation"))


def test_series_of_another_length_are_refused():
    with pytest.raises(DataError, match="baseline_returns has 3 rows for"):
        oos(baseline=np.zeros(3))


def test_degradation_is_the_share_of_the_train_ratio_that_is_lost():
    assert folds.degradation(2.0, [1.0, 1.5, 2.0]) == pytest.approx(0.25)


@pytest.mark.parametrize(("train", "oos"), [(0.0, [1.0]), (-1.0, [1.0]), (math.nan, [1.0]), (1.0, [])])
def test_degradation_of_nothing_is_nan(train, oos):
    assert math.isnan(folds.degradation(train, oos))
