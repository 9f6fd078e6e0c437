"""The filters as numba compiles them and as plain Python: the same bits."""

from __future__ import annotations

import importlib.util
from unittest import mock

import numpy as np
import pytest

from ares7.signals import filter_kernels
from ares7.signals.filters import complete, filtered, log_returns, macd_taps
from ares7.signals.wavelet import energy, haar_taps, trend_score
from tests.parity.comparing import COMPILED
from tests.signals.walks import closes

KERNELS = ("returns_of", "windows_of", "filter_rows", "add_squares", "window_means")
SETTINGS = [{}, {"feature": "slope"}, {"energy_ratio": True, "levels": 4, "band": (3, 4), "window": 21}]


def as_python():
    """A second copy of the kernels that numba has not touched; an index past an array's end raises in it."""
    spec = importlib.util.find_spec("ares7.signals.filter_kernels")
    module = importlib.util.module_from_spec(spec)
    with mock.patch("numba.njit", return_value=lambda function: function):
        spec.loader.exec_module(module)
    return module


PLAIN = as_python()


def results(close):
    """Everything that the kernels compute."""
    rows = np.array([140, 3, 66, 100, 149, 66])
    returns = log_returns(close)
    yield returns
    yield complete(close, rows, 40)
    yield filtered(returns, macd_taps(3, 9, 40), rows)
    yield energy(returns, [haar_taps(1), haar_taps(3)], rows, 30)
    for given in SETTINGS:
        yield trend_score(close, rows, **given)


@pytest.mark.parametrize("names", [1, 3, 8])
@pytest.mark.parametrize("seed", [0, 1])
def test_compiled_and_plain_filters_give_the_same_bits(names, seed):
    close = closes(seed, rows=150)[:, :names]
    usual = list(results(close))
    with mock.patch.multiple(filter_kernels, **{name: getattr(PLAIN, name) for name in KERNELS}):
        plain = list(results(close))
    for got, expected in zip(usual, plain, strict=True):
        assert got.tobytes() == expected.tobytes()
    assert np.isfinite(usual[-1]).any()


def test_the_copy_is_plain_and_the_other_is_what_the_process_says():
    for name in KERNELS:
        assert not hasattr(getattr(PLAIN, name), "py_func")
        assert hasattr(getattr(filter_kernels, name), "py_func") == COMPILED


def test_an_array_that_is_too_short_is_noticed_by_the_plain_kernels():
    with pytest.raises(IndexError):
        PLAIN.filter_rows(np.zeros((5, 2)), np.ones(2), np.array([5]), np.zeros((1, 2)))
