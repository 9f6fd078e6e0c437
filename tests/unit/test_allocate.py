"""Answers worked out by hand, sleeves that leave little to optimise, regimes, and what bad input gets."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from ares7.allocate import allocate, by_regime, max_sharpe, min_variance, risk_parity
from ares7.cvar import conditional_value_at_risk, min_cvar
from ares7.errors import ConfigError, DataError
from ares7.metrics import sharpe, volatility
from ares7.risk_parity import risk_shares
from ares7.signals.regime import UNKNOWN, Regime

METHODS = ("cvar", "max_sharpe", "min_variance", "risk_parity")
SIGNS = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=float)


def uncorrelated(means, deviations, repeats=25):
    """(4 * repeats, 3) returns with exactly these means and population deviations, and no correlation."""
    return np.tile(np.asarray(means) + SIGNS * np.asarray(deviations), (repeats, 1))


def random_returns(rows=400, sleeves=3, seed=5):
    rng = np.random.default_rng(seed)
    return rng.normal(0.0006, 0.01, (rows, sleeves)) @ (
        np.eye(sleeves) + 0.3 * rng.random((sleeves, sleeves))
    )


def normed(values):
    return np.asarray(values) / np.sum(values)


def test_uncorrelated_sleeves_are_weighted_by_inverse_variance_volatility_and_mean_over_variance():
    means, deviations = np.array([4e-4, 2e-4, 1e-4]), np.array([0.02, 0.01, 0.005])
    returns = uncorrelated(means, deviations)
    np.testing.assert_allclose(min_variance(returns).weights, normed(1 / deviations**2), atol=1e-9)
    np.testing.assert_allclose(risk_parity(returns).weights, normed(1 / deviations), atol=1e-12)
    np.testing.assert_allclose(max_sharpe(returns).weights, normed(means / deviations**2), atol=1e-9)


def test_a_binding_cap_goes_to_the_others_in_their_own_proportions():
    returns = uncorrelated([0, 0, 0], [0.02, 0.01, 0.005])
    np.testing.assert_allclose(
        min_variance(returns, caps=[1, 1, 0.5]).weights, [0.1, 0.4, 0.5], atol=1e-9
    )  # 1 : 4 for inverse variances 2500 : 10000
    capped = risk_parity(returns, caps=[1, 1, 0.5])
    np.testing.assert_allclose(capped.weights, [1 / 6, 1 / 3, 0.5], atol=1e-12)
    shares = risk_shares(np.cov(returns.T), capped.weights)
    assert shares[0] == pytest.approx(shares[1], abs=1e-12)
    assert shares[2] < shares[0]


def test_cvar_is_the_mean_of_the_tail_with_a_share_of_the_edge():
    returns = np.array([-0.05, 0.01, -0.02, 0.03, -0.01, 0.0, 0.02, 0.01, 0.01, 0.01])
    assert conditional_value_at_risk(returns, 0.9) == pytest.approx(0.05)
    assert conditional_value_at_risk(returns, 0.8) == pytest.approx(0.035)
    assert conditional_value_at_risk(returns, 0.85) == pytest.approx((0.05 + 0.5 * 0.02) / 1.5)


def test_objectives_are_those_of_metrics():
    returns = random_returns()
    for answer, figure in (
        (max_sharpe(returns, risk_free=0.02), lambda r: sharpe(r, 0.02)),
        (min_variance(returns), volatility),
        (risk_parity(returns), volatility),
        (min_cvar(returns, alpha=0.9), lambda r: conditional_value_at_risk(r, 0.9)),
    ):
        assert answer.objective == figure(returns @ answer.weights)
        assert answer.note == ""


def test_one_entry_gives_what_each_method_gives():
    returns = random_returns()
    caps = [0.5, 0.4, 0.6]
    wanted = {
        "cvar": min_cvar(returns, alpha=0.9, caps=caps, total=0.8),
        "max_sharpe": max_sharpe(returns, caps=caps, total=0.8, risk_free=0.01),
        "min_variance": min_variance(returns, caps=caps, total=0.8),
        "risk_parity": risk_parity(returns, caps=caps, total=0.8),
    }
    for method, answer in wanted.items():
        found = allocate(method, returns, caps=caps, total=0.8, alpha=0.9, risk_free=0.01)
        assert found.weights.tolist() == answer.weights.tolist()
        assert found.weights.sum() == pytest.approx(0.8, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_one_sleeve_gets_everything(method):
    assert allocate(method, random_returns(sleeves=1), total=0.9).weights.tolist() == [0.9]


@pytest.mark.parametrize("method", METHODS)
def test_caps_that_add_up_to_the_total_leave_one_mix(method):
    caps = [0.1, 0.2, 0.7]
    assert allocate(method, random_returns(), caps=caps).weights.tolist() == pytest.approx(caps, abs=1e-15)


@pytest.mark.parametrize("method", METHODS)
def test_a_sleeve_with_a_cap_of_0_is_as_if_it_were_not_there(method):
    returns = random_returns()
    found = allocate(method, returns, caps=[1, 0, 1]).weights
    assert found[1] == 0
    np.testing.assert_allclose(found[[0, 2]], allocate(method, returns[:, [0, 2]]).weights, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_equal_sleeves_are_no_obstacle(method):
    returns = random_returns(seed=6)
    doubled = allocate(method, returns[:, [0, 0, 1, 2]])
    assert doubled.weights.sum() == pytest.approx(1, abs=1e-12)
    if method in ("min_variance", "max_sharpe"):
        single = allocate(method, returns)
        assert doubled.weights[0] == pytest.approx(doubled.weights[1], abs=1e-6)
        assert doubled.objective == pytest.approx(single.objective, rel=1e-9)
    if method == "cvar":
        assert doubled.objective == pytest.approx(min_cvar(returns).objective, rel=1e-9)
    if method == "risk_parity":
        shares = risk_shares(np.cov(returns[:, [0, 0, 1, 2]].T), doubled.weights)
        np.testing.assert_allclose(shares, 0.25, atol=1e-10)


def test_sleeves_that_hedge_each_other_have_no_risk_to_share():
    one = random_returns(sleeves=1)
    answer = risk_parity(np.hstack([one, -2 * one]))
    np.testing.assert_allclose(answer.weights, [2 / 3, 1 / 3], atol=1e-6)
    assert answer.objective < 1e-6
    assert "hedge each other without risk" in answer.note


def test_sleeves_that_almost_hedge_each_other_still_share_the_risk():
    rng = np.random.default_rng(3)
    one = rng.normal(0, 0.01, (300, 1))
    returns = np.hstack([one, -2 * one + rng.normal(0, 1e-4, (300, 1)), rng.normal(0, 0.01, (300, 1))])
    answer = risk_parity(returns)
    assert answer.note == ""
    np.testing.assert_allclose(risk_shares(np.cov(returns.T), answer.weights), 1 / 3, atol=1e-8)


def test_cash_has_no_share_of_the_risk_and_takes_what_caps_leave():
    returns = random_returns()
    returns[:, 1] = 1e-4
    answer = risk_parity(returns, sleeves=("qm", "cash", "lv"))
    assert answer.weights[1] == 0
    assert answer.note == "cash: no variance, so no share of the risk"
    capped = risk_parity(returns, caps=0.4)
    np.testing.assert_allclose(capped.weights, [0.4, 0.2, 0.4], atol=1e-12)
    assert min_variance(returns).weights.tolist() == [0, 1, 0]
    assert min_variance(returns, caps=[1, 0.3, 1]).weights[1] == pytest.approx(0.3, abs=1e-12)


def test_several_constant_sleeves_share_evenly_up_to_their_caps():
    flat = np.zeros((100, 3))
    np.testing.assert_allclose(risk_parity(flat, caps=[0.1, 1, 1]).weights, [0.1, 0.45, 0.45], atol=1e-12)
    np.testing.assert_allclose(min_variance(flat).weights, 1 / 3, atol=1e-9)


def test_without_a_positive_mean_max_sharpe_is_cash_and_says_so():
    returns = random_returns() - 0.01
    answer = max_sharpe(returns)
    assert answer.weights.tolist() == [0, 0, 0]
    assert math.isnan(answer.objective)
    assert answer.note == "no mix has a positive mean excess return over these 400 sessions: all cash"
    assert max_sharpe(random_returns(), risk_free=5.0).weights.sum() == 0


def test_caps_can_leave_no_mix_with_a_positive_mean():
    returns = uncorrelated([1e-4, -4e-4, -4e-4], [0.01, 0.01, 0.01])
    assert max_sharpe(returns).weights.tolist() == [1, 0, 0]
    assert "no mix has a positive mean" in max_sharpe(returns, caps=[0.5, 1, 1]).note


def test_a_riskless_gain_has_no_sharpe_ratio():
    returns = random_returns()
    returns[:, 2] = 1e-4
    answer = max_sharpe(returns)
    np.testing.assert_allclose(answer.weights, [0, 0, 1], atol=1e-12)
    assert math.isnan(answer.objective)
    assert "unbounded" in answer.note
    beaten = max_sharpe(returns, risk_free=0.0252)  # the same sleeve earns the risk-free rate, and no more
    assert beaten.weights[2] == pytest.approx(0, abs=1e-6)
    assert math.isfinite(beaten.objective)


def test_scales_that_differ_ten_thousand_times_are_solved():
    rng = np.random.default_rng(8)
    returns = rng.normal(0, 1, (500, 3)) * [1e-2, 1e-4, 1e-6]
    variances = returns.var(axis=0, ddof=1)
    weights = min_variance(returns).weights
    assert (returns @ weights).var(ddof=1) <= variances[2]
    covariance = np.cov(returns.T)
    np.testing.assert_allclose(risk_shares(covariance, risk_parity(returns).weights), 1 / 3, atol=1e-9)


def test_a_floor_on_the_return_is_met_exactly_where_it_binds():
    returns = random_returns()
    returns[:, 1] += 0.0005
    free = min_cvar(returns)
    floor = 252 * float(returns.mean(axis=0) @ free.weights) + 0.05
    held = min_cvar(returns, return_floor=floor)
    assert 252 * float(returns.mean(axis=0) @ held.weights) == pytest.approx(floor, abs=1e-9)
    assert held.objective > free.objective


def test_with_cash_the_least_risky_mix_is_cash_and_a_floor_takes_the_least_that_reaches_it():
    returns = random_returns()
    np.testing.assert_allclose(min_cvar(returns, cash=True).weights, 0, atol=1e-9)
    whole = min_cvar(returns, return_floor=0.1)
    part = min_cvar(returns, return_floor=0.1, cash=True)
    assert part.weights.sum() < 1
    assert part.objective < whole.objective
    assert 252 * float(returns.mean(axis=0) @ part.weights) == pytest.approx(0.1, abs=1e-9)


def test_a_thin_tail_is_admitted():
    assert min_cvar(random_returns(rows=60)).note == "the tail holds 3 sessions only"


def test_answers_are_the_same_each_time():
    returns = random_returns(seed=9)
    for method in METHODS:
        first, second = (allocate(method, returns, caps=0.5).weights for _ in range(2))
        assert first.tobytes() == second.tobytes()


def regimes(rows=400):
    return np.repeat(np.array([0, 1, 2, 3], dtype=np.int8), rows // 4)


def test_each_regime_is_optimised_on_its_own_rows():
    returns, labels = random_returns(), regimes()
    labels[5] = UNKNOWN
    found = by_regime(returns, labels, "min_variance", caps=0.6)
    assert list(found) == ["NEUTRAL", "BULL", "BEAR", "HIGH_VOL"]
    for regime in Regime:
        own = min_variance(returns[labels == regime], caps=0.6)
        assert found[regime.name].weights.tolist() == own.weights.tolist()


def test_a_regime_with_few_sessions_keeps_the_default_mix_and_says_so():
    labels = regimes()
    labels[250:300] = Regime.BULL
    found = by_regime(random_returns(), labels, "risk_parity", default={"BEAR": [0.0, 0.5, 0.2]})
    assert found["BEAR"].weights.tolist() == [0.0, 0.5, 0.2]
    assert found["BEAR"].note == "BEAR has 50 sessions, fewer than 60: keeps the default mix"
    assert math.isnan(found["BEAR"].objective)
    assert found["BULL"].note == ""


def bear_is_rare(**settings):
    labels = regimes()
    labels[250:300] = Regime.BULL
    return by_regime(random_returns(), labels, "risk_parity", **settings)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda r: allocate("best", r), ("unknown method best", "risk_parity")),
        (lambda r: min_variance(r, caps=0.2), ("3 sleeves add up to 0.6", "total weight 1", "raise")),
        (lambda r: risk_parity(r, caps=[0.5, -0.1, 1]), ("cap of sleeve 2 is -0.1", "0 or more")),
        (lambda r: max_sharpe(r, caps=[0.5, math.nan, 1]), ("cap of sleeve 2 is nan",)),
        (lambda r: max_sharpe(r, caps=[0.5, 1]), ("caps have shape (2,) for 3 sleeves",)),
        (lambda r: min_cvar(r, total=1.2), ("add up to 1.2", "at most 1")),
        (lambda r: min_cvar(r, total=0), ("add up to 0;", "above 0")),
        (lambda r: min_cvar(r, alpha=1.0), ("alpha of the CVaR is 1", "0.95")),
        (lambda r: min_cvar(r, alpha=0.999), ("0.4 of 400 sessions", "at least 1000 sessions")),
        (
            lambda r: min_cvar(r, return_floor=9.0),
            ("return_floor 9 a year", "highest mean", "lower the floor"),
        ),
        (lambda r: min_cvar(r, return_floor=math.nan), ("return_floor nan",)),
        (lambda r: min_variance(r, sleeves=["a", "b"]), ("2 sleeve names for 3 columns",)),
        (lambda r: bear_is_rare(), ("BEAR has 50 sessions, fewer than 60", "default mix")),
        (lambda r: bear_is_rare(default={"BULL": [1, 0, 0]}), ("BEAR has 50 sessions",)),
        (
            lambda r: bear_is_rare(default={"BEAR": [1, 0]}),
            ("default mix of BEAR is [1.0, 0.0]", "3 weights"),
        ),
        (lambda r: bear_is_rare(default={"BEAR": [1, 0, 0.2]}), ("add up to at most 1",)),
        (lambda r: bear_is_rare(default={"BEAR": [1, -0.1, 0]}), ("none negative",)),
    ],
)
def test_bad_settings_get_one_clear_line(call, words):
    with pytest.raises(ConfigError) as caught:
        call(random_returns())
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == []


def with_hole(value):
    returns = random_returns()
    returns[17, 2] = value
    return returns


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: min_variance(with_hole(math.nan), sleeves=("qm", "lv", "def")), ("row 17, def: nan",)),
        (lambda: allocate("cvar", with_hole(math.inf)), ("row 17, sleeve 3: inf", "1 such value")),
        (lambda: risk_parity(np.zeros((1, 3))), ("shape (1, 3)", "at least two sessions")),
        (lambda: risk_parity(np.zeros(30)), ("shape (30,)",)),
        (lambda: by_regime(random_returns(), regimes()[:-1], "cvar"), ("shape (399,) for 400 returns",)),
        (lambda: by_regime(random_returns(), regimes() + np.int8(1), "cvar"), ("row 300 is 4", "-1 to 3")),
    ],
)
def test_bad_data_get_one_clear_line(call, words):
    with pytest.raises(DataError) as caught:
        call()
    assert [word for word in words if word not in str(caught.value)] == []


def test_without_scipy_only_cvar_is_refused(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "scipy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scipy", None)
    returns = random_returns()
    with pytest.raises(ConfigError, match=r'pip install -e "\.\[search\]"'):
        allocate("cvar", returns)
    for method in METHODS[1:]:
        assert allocate(method, returns).weights.sum() == pytest.approx(1)
