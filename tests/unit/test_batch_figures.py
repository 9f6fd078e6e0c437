"""Figures of many curves at once are those of each curve by itself (C8)."""

import importlib.util
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares7 import figure_kernels, folds, metrics
from ares7.batch_figures import equity_figures, joined
from ares7.config import DEFAULT_WINDOWS
from ares7.errors import DataError

WINDOWS = (slice(0, 30), slice(30, 47), slice(40, 80), slice(79, 80), slice(80, 80))
"""Disjoint, overlapping, of one return, and one that the data do not reach."""


def random_navs(curves=4, sessions=81, seed=3):
    steps = np.random.default_rng(seed).normal(0.0005, 0.01, (curves, sessions - 1))
    return 1e6 * np.column_stack([np.ones(curves), np.cumprod(1 + steps, axis=1)])


def reference(nav, windows, baseline, risk_free):
    """The same figures from `ares7.metrics`, one curve."""
    returns = metrics.returns_from_nav(nav)
    active = returns - metrics.returns_from_nav(baseline)
    out = {
        "sharpe": metrics.sharpe(returns, risk_free),
        "volatility": metrics.volatility(returns),
        "cagr": metrics.cagr(nav),
        "max_drawdown": metrics.max_drawdown(nav),
        "calmar": metrics.calmar(nav),
        "final_ratio": nav[-1] / nav[0],
        "active_sharpe": metrics.sharpe(active),
        "window_sharpe": [metrics.sharpe(returns[w], risk_free) for w in windows],
        "window_active_sharpe": [metrics.sharpe(active[w]) for w in windows],
        "window_max_drawdown": [
            metrics.max_drawdown(np.append(1.0, np.cumprod(1 + returns[w]))) if len(returns[w]) else math.nan
            for w in windows
        ],
    }
    for prefix, series in (("", returns), ("active_", active)):
        out |= {f"{prefix}{name}": value for name, value in moments(series).items()}
    return out


def moments(series):
    mean = float(np.mean(series)) if len(series) else math.nan
    sd = metrics.volatility(series) / math.sqrt(252)
    around = series - mean
    m2 = float(np.mean(around**2)) if sd > 0 else math.nan
    with np.errstate(divide="ignore"):
        return {
            "mean": mean,
            "sd": sd,
            "skew": float(np.mean(around**3)) / m2**1.5 if sd > 0 else math.nan,
            "kurtosis": float(np.mean(around**4)) / m2**2 if sd > 0 else math.nan,
        }


def assert_same_as_one_by_one(nav, windows=WINDOWS, baseline=None, risk_free=0.0):
    baseline = random_navs(1, nav.shape[1], seed=9)[0] if baseline is None else baseline
    found = equity_figures(nav, windows, baseline, risk_free)
    for point, curve in enumerate(nav):
        for name, value in reference(curve, windows, baseline, risk_free).items():
            np.testing.assert_allclose(
                getattr(found, name)[point], value, rtol=1e-12, atol=1e-12, err_msg=f"{name} of {point}"
            )
    return found


@pytest.mark.parametrize("risk_free", [0.0, 0.03])
def test_every_figure_of_every_curve_is_that_of_metrics(risk_free):
    found = assert_same_as_one_by_one(random_navs(), risk_free=risk_free)
    assert len(fields(found)) == 18
    assert found.window_sharpe.shape == (4, 5)
    assert np.isfinite(found.window_sharpe[:, :3]).all()


def test_window_figures_are_those_of_the_report():
    dates = np.arange("2019-06-03", "2022-07-01", dtype="datetime64[D]")
    nav, baseline = random_navs(2, len(dates)), random_navs(1, len(dates), seed=5)[0]
    rows = [
        slice(*np.searchsorted(dates[1:], [np.datetime64(w.start), np.datetime64(w.end) + 1]))
        for w in DEFAULT_WINDOWS
    ]
    found = equity_figures(nav, rows, baseline)
    for point in range(2):
        report = folds.oos_windows(
            dates[1:],
            metrics.returns_from_nav(nav[point]),
            metrics.returns_from_nav(baseline),
            DEFAULT_WINDOWS,
            calendar=None,
        )["windows"]
        for ours, name in ((found.window_sharpe, "sharpe"), (found.window_max_drawdown, "max_drawdown")):
            np.testing.assert_allclose(ours[point], [w[name] for w in report], rtol=1e-12, atol=1e-12)


def test_a_flat_curve_has_no_ratio_and_no_drawdown():
    found = assert_same_as_one_by_one(np.full((1, 81), 1e6))
    for name in ("sharpe", "calmar", "skew", "kurtosis"):
        assert math.isnan(getattr(found, name)[0]), name
    assert (found.volatility[0], found.max_drawdown[0], found.cagr[0], found.sd[0]) == (0.0, 0.0, 0.0, 0.0)
    assert np.isnan(found.window_sharpe).all()


def test_a_curve_that_grows_evenly_varies_only_by_rounding():
    found = assert_same_as_one_by_one(1e6 * 1.001 ** np.arange(81)[None, :])
    assert math.isnan(found.sharpe[0])
    assert found.volatility[0] == 0.0


def test_returns_after_ruin_are_unknown():
    nav = random_navs(2)
    nav[0, 50] = 0.0
    nav[1, 50:] = -5e5
    found = assert_same_as_one_by_one(nav)
    assert np.isnan(found.sharpe).all()
    assert np.isfinite(found.window_sharpe[:, :2]).all()
    assert np.isnan(found.window_max_drawdown[:, 2]).all()
    assert found.max_drawdown[1] > 1.0
    assert found.cagr[1] == -1.0


def test_ruin_in_the_last_session_is_a_return():
    nav = random_navs(1)
    nav[0, -1] = 0.0
    found = assert_same_as_one_by_one(nav)
    assert math.isfinite(found.sharpe[0])
    assert (found.final_ratio[0], found.window_max_drawdown[0, 2]) == (0.0, 1.0)


@pytest.mark.parametrize("sessions", [1, 2, 3, 4, 5])
def test_short_curves(sessions):
    found = assert_same_as_one_by_one(random_navs(sessions=sessions), windows=(slice(None),))
    assert np.isnan(found.sharpe).all() == (sessions < 3)


def test_a_slice_without_ends_is_the_whole_period():
    found = equity_figures(random_navs(), (slice(None), slice(0, None), slice(None, 80)))
    np.testing.assert_allclose(found.window_sharpe, np.tile(found.sharpe[:, None], 3), rtol=1e-13)
    np.testing.assert_array_equal(found.window_max_drawdown, np.tile(found.max_drawdown[:, None], 3))


def test_the_baseline_itself_has_no_active_return():
    nav = random_navs(1)
    found = equity_figures(nav, WINDOWS, nav[0])
    assert (found.active_mean[0], found.active_sd[0]) == (0.0, 0.0)
    assert math.isnan(found.active_sharpe[0])


def test_without_a_baseline_active_figures_are_nan_and_the_others_are_not():
    found, compared = equity_figures(random_navs(), WINDOWS), assert_same_as_one_by_one(random_navs())
    for field in fields(found):
        if "active" in field.name:
            assert np.isnan(getattr(found, field.name)).all(), field.name
        else:
            np.testing.assert_array_equal(getattr(found, field.name), getattr(compared, field.name))


def test_kurtosis_of_a_normal_sample_is_near_three():
    found = equity_figures(random_navs(1, 20_001))
    assert found.kurtosis[0] == pytest.approx(3.0, abs=0.15)
    assert found.skew[0] == pytest.approx(0.0, abs=0.1)


wild = st.one_of(
    st.floats(1.0, 1e7), st.sampled_from([1e6, 1e6, 1e6 * (1 + 1e-15), 0.0, -1.0]), st.floats(9.9e5, 1.01e6)
)


@settings(max_examples=200)
@given(first=st.floats(1.0, 1e7), rest=st.lists(wild, max_size=40), cut=st.tuples(*[st.integers(0, 40)] * 2))
def test_any_curve_and_window(first, rest, cut):
    nav = np.array([[first, *rest]])
    window = slice(*sorted(min(row, len(rest)) for row in cut))
    found = equity_figures(nav, (window,), nav[0])
    expected = reference(nav[0], (window,), nav[0], 0.0)
    for name, value in expected.items():
        # A curve may leap by 1e7 here, and higher powers of such returns lose digits in any order of addition.
        loose = 1e-9 if name in {"skew", "kurtosis", "sharpe", "window_sharpe"} else 1e-12
        np.testing.assert_allclose(getattr(found, name)[0], value, rtol=loose, atol=loose, err_msg=name)


# Blocks, threads and modes


def same(one, other):
    return all(
        np.array_equal(getattr(one, f.name), getattr(other, f.name), equal_nan=True) for f in fields(one)
    )


def test_blocks_on_threads_give_the_same_bits_as_one_call():
    nav, baseline = random_navs(13), random_navs(1, seed=8)[0]
    whole = equity_figures(nav, WINDOWS, baseline)
    with ThreadPoolExecutor(2) as threads:
        blocks = threads.map(
            lambda rows: equity_figures(nav[rows], WINDOWS, baseline),
            [slice(0, 5), slice(5, 5), slice(5, 12), slice(12, 13)],
        )
    assert same(joined(list(blocks)), whole)


def test_the_kernel_as_plain_python_gives_the_same_figures():
    spec = importlib.util.find_spec("ares7.figure_kernels")
    python = importlib.util.module_from_spec(spec)
    with mock.patch("numba.njit", return_value=lambda function: function):
        spec.loader.exec_module(python)
    nav = random_navs(3)
    nav[2, 50] = 0.0
    compiled = equity_figures(nav, WINDOWS, nav[1])
    with mock.patch.object(figure_kernels, "curve_sums", python.curve_sums):
        plain = equity_figures(nav, WINDOWS, nav[1])
    for f in fields(plain):
        np.testing.assert_allclose(
            getattr(plain, f.name), getattr(compiled, f.name), rtol=1e-12, atol=1e-12, err_msg=f.name
        )


def test_importing_the_module_does_not_import_numba():
    code = "import sys, ares7.batch_figures, ares7.selection; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_curves_are_left_as_they_were():
    nav = random_navs()
    before = nav.copy()
    equity_figures(nav[:, ::-1], WINDOWS)
    assert np.array_equal(nav, before)


# Bad input


def with_value(value, row=7, point=2):
    nav = random_navs()
    nav[point, row] = value
    return nav


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_curve_that_is_not_finite_is_named(value):
    with pytest.raises(DataError, match=r"NAV of curve 2 is .* at session 7 \(1 of 4 curves\)"):
        equity_figures(with_value(value))


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_a_curve_starts_above_zero(value):
    with pytest.raises(DataError, match=r"NAV of curve 2 is .* at session 0"):
        equity_figures(with_value(value, row=0))


@pytest.mark.parametrize(
    "window", [slice(0, 81), slice(-3, 10), slice(10, 5), slice(0, 10, 2), slice(90, 95), slice(-5, None)]
)
def test_a_window_outside_the_returns_is_refused(window):
    with pytest.raises(DataError, match="window 1 covers returns"):
        equity_figures(random_navs(), (slice(0, 10), window))


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match=r"baseline NAV has shape \(3,\) for curves of 81 sessions"):
        equity_figures(random_navs(), baseline_nav=np.ones(3))
    for nav in (np.ones(5), np.ones((3, 0)), np.ones((2, 2, 2))):
        with pytest.raises(DataError, match="equity curves have shape"):
            equity_figures(nav)


def test_no_curve_is_no_row():
    found = equity_figures(np.ones((0, 81)), WINDOWS)
    assert found.sharpe.shape == (0,)
    assert found.window_sharpe.shape == (0, 5)
