"""Sleeve weights against skfolio, and against every mix on a grid."""

from __future__ import annotations

import warnings
from functools import cache
from itertools import product

import numpy as np
import pytest

from ares7.allocate import allocate
from ares7.cvar import conditional_value_at_risk, min_cvar
from ares7.metrics import sharpe, volatility
from ares7.risk_parity import risk_shares

METHODS = ("cvar", "max_sharpe", "min_variance", "risk_parity")


@cache
def market(seed, sleeves, rows=600):
    """Correlated returns with fat tails and unequal scales."""
    rng = np.random.default_rng(seed)
    common = rng.standard_t(4, (rows, 1)) * 0.006
    own = rng.standard_t(5, (rows, sleeves)) * rng.uniform(0.003, 0.012, sleeves)
    return common * rng.uniform(-0.4, 1.0, sleeves) + own + rng.uniform(1e-4, 9e-4, sleeves)


def theirs(method, returns, largest):
    pytest.importorskip("skfolio")
    from skfolio import RiskMeasure
    from skfolio.optimization import MeanRisk, ObjectiveFunction, RiskBudgeting

    limits = {"max_weights": largest, "risk_measure": RiskMeasure.VARIANCE}
    model = {
        "cvar": lambda: MeanRisk(**limits | {"risk_measure": RiskMeasure.CVAR}),
        "min_variance": lambda: MeanRisk(**limits),
        "max_sharpe": lambda: MeanRisk(objective_function=ObjectiveFunction.MAXIMIZE_RATIO, **limits),
        "risk_parity": lambda: RiskBudgeting(**limits),
    }[method]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(returns * 100.0)  # in per cent, where its solver's tolerances bite later
    return model.weights_


FREE, CAPPED = [(1, 3, 1.0), (2, 5, 1.0)], [(3, 5, 0.3), (4, 8, 0.2)]
# skfolio gives another meaning to equal risk under a binding cap.
CASES = [(method, *case) for method in METHODS for case in FREE + CAPPED * (method != "risk_parity")]


@pytest.mark.parametrize(("method", "seed", "sleeves", "cap"), CASES)
def test_weights_are_those_of_skfolio(method, seed, sleeves, cap):
    returns = market(seed, sleeves)
    found = allocate(method, returns, caps=cap).weights
    np.testing.assert_allclose(found, theirs(method, returns, cap), atol=5e-5)


@pytest.mark.parametrize("seed", [1, 2])
def test_cvar_is_that_of_skfolio(seed):
    measures = pytest.importorskip("skfolio.measures")
    returns = market(seed, 3, rows=333).mean(axis=1)
    for alpha in (0.9, 0.95, 0.975):
        ours = conditional_value_at_risk(returns, alpha)
        assert ours == pytest.approx(measures.cvar(returns, beta=alpha), rel=1e-9)


@pytest.mark.parametrize("seed", [1, 2])
def test_cvar_under_a_floor_is_that_of_skfolio(seed):
    pytest.importorskip("skfolio")
    from skfolio import RiskMeasure
    from skfolio.optimization import MeanRisk

    returns = market(seed, 4)
    floor = float(np.quantile(returns.mean(axis=0), 0.8))
    model = MeanRisk(risk_measure=RiskMeasure.CVAR, min_return=floor).fit(returns)
    found = min_cvar(returns, return_floor=252 * floor)
    np.testing.assert_allclose(found.weights, model.weights_, atol=1e-6)


def simplex(sleeves, steps, cap):
    grid = np.array([w for w in product(range(steps + 1), repeat=sleeves) if sum(w) == steps]) / steps
    return grid[np.all(grid <= cap + 1e-12, axis=1)]


@pytest.mark.parametrize("cap", [1.0, 0.6])
@pytest.mark.parametrize(
    ("method", "figure"),
    [
        ("cvar", conditional_value_at_risk),
        ("max_sharpe", lambda r: -sharpe(r)),
        ("min_variance", volatility),
    ],
)
@pytest.mark.parametrize("sleeves", [2, 3])
def test_no_mix_on_a_grid_is_better_and_the_best_one_is_near(sleeves, method, figure, cap):
    returns = market(1, sleeves, rows=250) + 5e-4  # no mean is far below 0
    answer = allocate(method, returns, caps=cap).weights
    grid = simplex(sleeves, 40, cap)
    figures = np.array([figure(returns @ weights) for weights in grid])
    own = figure(returns @ answer)
    assert own <= figures.min() + 1e-12
    near = grid[np.abs(grid - answer).max(axis=1) <= 1 / 40 + 1e-12]
    assert len(near)
    assert figures.min() - own <= abs(own) * 0.01


@pytest.mark.parametrize("sleeves", [2, 3])
def test_no_mix_on_a_grid_shares_risk_more_evenly(sleeves):
    returns = market(7, sleeves, rows=250)
    covariance = np.cov(returns.T)
    spread = [np.ptp(risk_shares(covariance, weights)) for weights in simplex(sleeves, 40, 1.0)]
    answer = allocate("risk_parity", returns).weights
    assert np.ptp(risk_shares(covariance, answer)) < 1e-11 < min(spread)
