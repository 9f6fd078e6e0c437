"""The account's curve: whoever asks, and whenever, a session has the value of cash and shares at its close."""

import numpy as np
import pytest

from ares7.orders import net_asset_value
from feeds.account_curve import AccountCurve

DATES = np.datetime64("2020-01-01") + np.arange(700)


def lived(seed, sessions, names, changing, asking):
    """Drive a curve session by session; returns it, what was answered, and cash and shares of every session."""
    rng = np.random.default_rng(seed)
    close = rng.uniform(1.0, 900.0, (sessions, names))
    curve, answers, cash, held = AccountCurve(close), {}, [], []
    now = 1e5, np.zeros(names)
    curve.change(0, *now)
    for row in range(sessions):
        if rng.random() < changing:
            now = float(rng.normal(0, 1e5)), np.where(rng.random(names) < 0.3, 0.0, rng.normal(50, 99, names))
            curve.change(row, *now)
            now[1].flags.writeable = False
        cash.append(now[0])
        held.append(now[1])
        if rng.random() < asking:
            answers[row] = curve.nav(row)
    return curve, close, answers, np.array(cash), np.array(held)


@pytest.mark.parametrize("names", [1, 3, 60])
@pytest.mark.parametrize("asking", [0.0, 0.05, 1.0])
@pytest.mark.parametrize("changing", [0.0, 0.1, 1.0])
def test_every_close_is_valued_to_the_last_bit(names, changing, asking):
    curve, close, answers, cash, held = lived(names, 700, names, changing, asking)
    history = curve.until(700, DATES)
    for row in range(0, 700, 7):
        assert history.nav[row] == net_asset_value(cash[row], held[row], close[row])
    assert all(history.nav[row] == value for row, value in answers.items())
    np.testing.assert_array_equal(history.cash, cash)
    np.testing.assert_array_equal(history.names, np.count_nonzero(held, axis=1))
    np.testing.assert_allclose(history.gross, np.abs(held * close).sum(axis=1) / history.nav, rtol=1e-12)


def test_the_history_is_what_has_been_so_far():
    curve = AccountCurve(np.full((9, 2), 10.0))
    for row, shares in enumerate((0.0, 1.0, 1.0, 1.0, 4.0, 4.0, 2.0, 2.0, 2.0)):
        if row in (0, 1, 4, 6):
            curve.change(row, 100.0, np.array([shares, 0.0]))
        if row in (0, 2, 3, 5, 8):
            history = curve.until(row + 1, DATES)
            assert history.dates.tolist() == DATES[: row + 1].tolist()
            assert (
                history.nav.tolist()
                == [100.0, 110.0, 110.0, 110.0, 140.0, 140.0, 120.0, 120.0, 120.0][: row + 1]
            )


def test_sessions_that_somebody_else_has_valued_stay_as_they_were_put():
    curve = AccountCurve(np.full((6, 2), 10.0))
    for row in range(3):
        curve.put(row, 100.0 + row, 50.0, 0.5, 1)
    curve.change(3, 40.0, np.array([1.0, 3.0]))
    history = curve.until(5, DATES)
    assert history.nav.tolist() == [100.0, 101.0, 102.0, 80.0, 80.0]
    assert history.gross.tolist() == [0.5] * 5
    assert history.names.tolist() == [1, 1, 1, 2, 2]


def test_few_sessions_wait_to_be_valued_however_long_nobody_asks():
    curve = AccountCurve(np.ones((2000, 1)))
    for row in range(2000):
        curve.change(row, float(row), np.ones(1))
        assert len(curve._since) <= 258
    assert curve.until(2000, np.arange(2000)).nav.tolist() == [row + 1.0 for row in range(2000)]
