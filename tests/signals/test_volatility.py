"""Risk measures against slow, obvious loops, on panels with every irregularity."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ares7.signals import volatility
from ares7.signals.volatility import risk_at

MEASURES = ("volatility", "downside", "beta")


def prices(seed: int, rows: int = 190, names: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Closes with a late listing, a delisting, holes of one to three sessions, a name that never trades; index."""
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, (rows, names)), axis=0))
    index = 1000 * np.exp(np.cumsum(rng.normal(0, 0.01, rows)))
    close[: rng.integers(20, 100), 1] = np.nan
    close[rng.integers(100, 170) :, 2] = np.nan
    for column in (3, 4, 5):
        for row in rng.integers(0, rows, 4):
            close[row : row + rng.integers(1, 4), column] = np.nan
    close[:, 6] = np.nan
    close[:, 7] = 20.0
    return close, index


def deviation(values: list[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))


def returns_of(close: np.ndarray, row: int, depth: int) -> dict[int, float]:
    """Row -> return, from the closes of rows row-depth to row alone; the return after a gap spans it."""
    found, earlier = {}, None
    for t in range(row - depth, row + 1):
        if not math.isnan(close[t]):
            if earlier is not None:
                found[t] = close[t] / earlier - 1
            earlier = close[t]
    return found


def expected_at(
    close: np.ndarray, index: np.ndarray | None, row: int, window: int, beta_window: int
) -> tuple[float, float, float]:
    """The three measures of one name at one row, from the definition (rulings 19)."""
    depth = max(window, beta_window)
    if row < depth:
        return math.nan, math.nan, math.nan
    calm, fall, slope = math.nan, math.nan, math.nan
    recent = [r for t, r in returns_of(close, row, depth).items() if t > row - window]
    if len(recent) >= window - 2:
        calm, fall = deviation(recent), deviation([min(r, 0.0) for r in recent])
    moves = returns_of(close, row, beta_window)
    if index is not None and len(moves) >= beta_window - 2:
        days = [t for t in moves if not math.isnan(index[t] / index[t - 1])]
        market = {t: float(index[t] / index[t - 1] - 1) for t in days}
        m_mean = math.fsum(market.values()) / len(days)
        r_mean = math.fsum(moves[t] for t in days) / len(days)
        variance = math.fsum((market[t] - m_mean) ** 2 for t in days)
        slope = math.fsum((market[t] - m_mean) * (moves[t] - r_mean) for t in days) / variance
    return calm, fall, slope


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("window", "beta_window"), [(10, 40), (40, 10), (25, 25)])
@pytest.mark.parametrize("market", ["index", "index with a hole", "no index"])
def test_rulings_19_the_measures_are_those_of_the_definition(seed, window, beta_window, market):
    close, index = prices(seed)
    if market == "index with a hole":
        index[100:102] = np.nan
    known = None if market == "no index" else index
    rows = np.arange(5, len(close), 19)
    got = risk_at(close, known, rows, window, beta_window)
    expected = np.array(
        [[expected_at(column, known, t, window, beta_window) for column in close.T] for t in rows.tolist()]
    )
    for i, name in enumerate(MEASURES):
        np.testing.assert_allclose(getattr(got, name), expected[:, :, i], rtol=1e-12, atol=1e-12)
    assert np.isnan(got.volatility[:, 6]).all()
    assert np.isfinite(got.volatility[-1, [0, 1, 7, 8]]).all()


def test_every_kind_of_window_occurs():
    whole, holed, missing = 0, 0, 0
    for seed in range(4):
        close, index = prices(seed)
        for t in range(40, len(close), 19):
            bars = np.isfinite(close[t - 40 : t + 1])
            eligible = np.isfinite(risk_at(close, index, np.array([t]), 10, 40).beta[0])
            whole += int((eligible & bars.all(axis=0)).sum())
            holed += int((eligible & ~bars.all(axis=0)).sum())
            missing += int((~eligible & bars.any(axis=0)).sum())
    assert min(whole, holed, missing) >= 15


def test_rulings_19_a_hole_before_the_window_does_not_count_where_older_closes_are_there():
    close, index = prices(10)
    t = 150
    close[[t - 10, t - 5, t - 3], 0] = np.nan  # the window's first return spans back to t-11
    got = risk_at(close, index, np.array([t]), 10, 40)
    assert got.volatility[0, 0] == pytest.approx(expected_at(close[:, 0], index, t, 10, 40)[0], abs=1e-15)
    assert np.isnan(got.beta[0, 0])
    assert np.isnan(risk_at(close, None, np.array([t]), 10, 10).volatility[0, 0])


def same(one, other, columns=slice(None), rows=slice(None)):
    return all(
        np.array_equal(getattr(one, name)[rows, columns], getattr(other, name), equal_nan=True)
        for name in MEASURES
    )


@pytest.mark.parametrize("windows", [(10, 40), (40, 10)])
def test_rulings_9_a_row_needs_its_own_window_and_nothing_else_to_the_last_bit(windows):
    close, index = prices(5)
    rows = np.arange(41, len(close), 7)
    full = risk_at(close, index, rows, *windows)
    for i, t in enumerate(rows.tolist()):
        assert same(full, risk_at(close[: t + 1], index[: t + 1], rows[: i + 1], *windows), rows=slice(i + 1))
        tail = slice(t - 40, t + 1)
        assert same(full, risk_at(close[tail], index[tail], np.array([40]), *windows), rows=[i])


@pytest.mark.parametrize("windows", [(10, 40), (40, 10)])
@pytest.mark.parametrize("block", [2, 4, 128])
def test_c4_a_name_has_the_same_measures_alone_and_in_any_place_to_the_last_bit(windows, block, monkeypatch):
    close, index = prices(6)
    rows = np.arange(45, len(close), 11)
    full = risk_at(close, index, rows, *windows)
    monkeypatch.setattr(volatility, "BLOCK", block)
    order = np.random.default_rng(0).permutation(close.shape[1])
    assert same(full, risk_at(close[:, order], index, rows, *windows), columns=order)
    for column in range(close.shape[1]):
        assert same(full, risk_at(close[:, [column]], index, rows, *windows), columns=[column])


def test_read_only_and_strided_closes_are_welcome():
    close, index = prices(7)
    rows = np.array([60, 189])
    wide = np.repeat(close, 2, axis=1)
    close.flags.writeable = index.flags.writeable = False
    assert same(risk_at(close, index, rows, 10, 40), risk_at(wide[:, ::2], index, rows, 10, 40))


@pytest.mark.parametrize("rows", [[], [3, 39]])
def test_rows_without_a_full_window_have_no_measure(rows):
    close, index = prices(8)
    got = risk_at(close, index, np.array(rows, dtype=np.int64), 10, 40)
    for name in MEASURES:
        assert getattr(got, name).shape == (len(rows), close.shape[1])
        assert np.isnan(getattr(got, name)).all()


def test_a_price_that_never_moves_has_no_risk_and_no_slope_on_a_flat_index():
    close, index = prices(9)
    got = risk_at(close, index, np.array([150]), 10, 40)
    assert (got.volatility[0, 7], got.downside[0, 7], got.beta[0, 7]) == (0.0, 0.0, 0.0)
    flat = risk_at(close, np.full(len(close), 7.0), np.array([150]), 10, 40)
    assert np.isnan(flat.beta).all()
    assert np.array_equal(flat.volatility, got.volatility, equal_nan=True)
