"""Edge cases 13 to 15 of the domain notes, by hand: VIX guard, volatility target, drawdown."""

from __future__ import annotations

import numpy as np
import pytest

from ares7.risk import (
    RiskParams,
    drawdown_scale,
    floor_to_step,
    ladder_scale,
    trailing_drawdown,
    vix_scale,
    vol_target_scale,
)
from strategies.low_volatility import Params as LowVolatilityParams
from strategies.low_volatility import sleeve as low_volatility_sleeve
from tests.contracts.panels import market

D = np.datetime64


# 13: VIX guard


@pytest.mark.parametrize(
    ("vix", "scale"),
    [(24.99, 1.0), (25.0, 0.75), (29.99, 0.75), (30.0, 0.5), (34.99, 0.5), (35.0, 0.25), (80.0, 0.25)],
)
def test_case_13_vix_levels_are_inclusive(vix, scale):
    assert vix_scale(np.array([vix]), RiskParams(vix_guard=True)).tolist() == [scale]


def test_case_13_a_spike_multiplies_the_level_scale():
    # 62 values of 19 and 21, then 31: mean 20.1746, deviation 1.7091 (ddof 1), z 6.33.
    vix = np.append(np.tile([19.0, 21.0], 31), 31.0)
    both = RiskParams(vix_guard=True, vix_spike=True)
    z = (31.0 - vix.mean()) / vix.std(ddof=1)
    assert z == pytest.approx(6.3339, abs=1e-3)
    assert vix_scale(vix, both)[-1] == 0.25
    assert vix_scale(vix, RiskParams(vix_spike=True))[-1] == 0.5
    assert vix_scale(vix, RiskParams(vix_guard=True))[-1] == 0.5


def test_case_13_the_spike_threshold_is_inclusive():
    vix = np.append(np.tile([19.0, 21.0], 31), 31.0)
    z = (31.0 - vix.mean()) / vix.std(ddof=1)
    for threshold, scale in ((z - 1e-9, 0.5), (z + 1e-9, 1.0)):
        assert vix_scale(vix, RiskParams(vix_spike=True, vix_spike_z=threshold))[-1] == scale


def test_case_13_no_spread_and_short_history_leave_the_level_scale():
    both = RiskParams(vix_guard=True, vix_spike=True)
    assert vix_scale(np.full(63, 26.0), both).tolist() == [0.75] * 63
    short = np.append(np.tile([19.0, 21.0], 15)[:29], 31.0)
    assert vix_scale(short, both)[-1] == 0.5
    enough = np.append(np.tile([19.0, 21.0], 15), 31.0)
    assert vix_scale(enough, both)[-1] == 0.25


# 14: volatility target


def test_case_14_fewer_than_60_returns_leave_the_exposure_at_1():
    returns = np.tile([0.03, -0.03], 30)
    assert vol_target_scale(returns, 0.12)[:59].tolist() == [1.0] * 59
    # Deviation .03 * sqrt(60/59), times sqrt(252): .4803; .12 / .4803.
    assert vol_target_scale(returns, 0.12)[59] == pytest.approx(0.12 / (0.03 * np.sqrt(60 / 59 * 252)))


def test_case_14_the_return_of_the_day_it_acts_on_is_not_in_the_window():
    returns = np.tile([0.01, -0.01], 40)
    crash = returns.copy()
    crash[70] = -0.30
    calm, shaken = vol_target_scale(returns, 0.12), vol_target_scale(crash, 0.12)
    # Row t acts on the session after t: what row 69 decides for row 70 knows nothing of row 70.
    assert calm[:70].tolist() == shaken[:70].tolist()
    assert shaken[70] < calm[70]


def test_case_14_the_exposure_is_capped():
    quiet = np.tile([0.001, -0.001], 40)
    assert vol_target_scale(quiet, 0.12)[-1] == 1.0
    assert vol_target_scale(quiet, 0.12, cap=1.5)[-1] == 1.5
    assert vol_target_scale(np.zeros(80), 0.12)[-1] == 1.0


# 15: drawdown ladder and breaker


@pytest.mark.parametrize(
    ("drawdown", "scale"),
    [
        (-0.0499999, 1.0),
        (-0.05, 0.9),
        (-0.0799999, 0.9),
        (-0.08, 0.7),
        (-0.10, 0.5),
        (-0.1499999, 0.5),
        (-0.15, 0.3),
        (-0.9, 0.3),
    ],
)
def test_case_15_ladder_steps_are_inclusive(drawdown, scale):
    assert ladder_scale(np.array([drawdown]), RiskParams().ladder).tolist() == [scale]


def test_case_15_the_breaker_trips_at_exactly_6_percent_and_multiplies_the_ladder():
    both = RiskParams(drawdown_ladder=True, breaker=True)
    np.testing.assert_allclose(drawdown_scale(np.array([0.0, -0.0599999, -0.06]), both), [1.0, 0.9, 0.36])
    np.testing.assert_allclose(drawdown_scale(np.array([0.0, -0.08]), both), [1.0, 0.28])
    assert floor_to_step(np.array([0.36, 0.28]), 0.1).tolist() == [0.3, 0.2]


def test_case_15_the_breaker_stays_for_its_cool_down_and_until_the_reset():
    only = RiskParams(breaker=True)
    # Tripped in row 1; recovered at once: released in the 20th session after.
    quick = np.array([0.0, -0.07] + [-0.01] * 30)
    tripped = drawdown_scale(quick, only) == 0.4
    assert np.flatnonzero(tripped).tolist() == list(range(1, 21))
    # Never above -3 %: stays.
    slow = np.array([0.0, -0.07] + [-0.03] * 60)
    assert (drawdown_scale(slow, only)[1:] == 0.4).all()
    # Above -3 % at last, long after the cool-down: released in that session.
    late = np.append(slow, -0.0299)
    assert drawdown_scale(late, only)[-1] == 1.0


def test_rulings_10_a_drawdown_longer_than_252_values_heals():
    returns = np.zeros(400)
    returns[10] = -0.20
    depth = trailing_drawdown(returns)
    # The peak, row 9, is among the last 252 values until row 260.
    np.testing.assert_allclose(depth[10:261], -0.20)
    np.testing.assert_allclose(depth[261:], 0.0)


def test_rulings_15_the_memory_of_the_breaker_is_252_sessions():
    depth = np.full(400, -0.04)
    depth[0] = -0.07
    tripped = drawdown_scale(depth, RiskParams(breaker=True)) == 0.4
    assert np.flatnonzero(tripped).tolist() == list(range(252))


def test_rulings_19_at_least_one_name_is_held():
    panel = market()
    tiny = low_volatility_sleeve(panel, LowVolatilityParams(top_quantile=0.001))
    held = (tiny.weights > 0).sum(axis=1)
    assert set(held.tolist()) == {1}
    np.testing.assert_allclose(tiny.weights.sum(axis=1), 1.0)
