"""The conditions that hold at an optimum and nowhere else, for returns and caps that nobody chose."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ares7.allocate import max_sharpe, min_variance, risk_parity
from ares7.cvar import conditional_value_at_risk, min_cvar


@st.composite
def problems(draw):
    """Returns (R, K) of sleeves with common factors and scales up to 300 apart, caps (K,), a total."""
    sleeves = draw(st.integers(1, 7))
    rows = draw(st.integers(2 * sleeves + 5, 80))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    loading = draw(st.sampled_from([0.0, 0.5, 3.0]))
    shape = rng.normal(0, 1, (rows, sleeves)) + loading * rng.normal(0, 1, (rows, 1)) * rng.uniform(
        -0.5, 1, sleeves
    )
    scales = 10.0 ** rng.uniform(-draw(st.sampled_from([0.1, 2.5])), 0, sleeves)
    returns = 0.01 * scales * (shape + rng.normal(draw(st.sampled_from([-0.1, 0.1])), 0.1, sleeves))
    total = draw(st.sampled_from([1.0, 0.6]))
    caps = rng.uniform(0, total, sleeves) if draw(st.booleans()) else np.full(sleeves, total)
    caps[rng.integers(sleeves)] = total if caps.sum() < total else caps.max()
    assume(caps.sum() >= total)
    return returns, caps, total


def check_feasible(weights, caps, total):
    assert np.all(weights >= 0)
    assert np.all(weights <= caps + 1e-15)
    assert abs(weights.sum() - total) <= 1e-9


def check_multipliers(gain, weights, caps, tolerance):
    """Moving weight from one sleeve to another never pays: the gains of the full exceed those of the empty."""
    can_fall, can_rise = gain[weights > 1e-7], gain[weights < caps - 1e-7]
    if len(can_fall) and len(can_rise):
        assert can_rise.max() <= can_fall.min() + tolerance


@given(problems())
@settings(max_examples=150)
def test_lowest_variance(problem):
    returns, caps, total = problem
    weights = min_variance(returns, caps=caps, total=total).weights
    check_feasible(weights, caps, total)
    slope = np.atleast_2d(np.cov(returns.T)) @ weights
    check_multipliers(-slope, weights, caps, 1e-6 * float(weights @ slope) / total)


@given(problems())
@settings(max_examples=150)
def test_highest_sharpe_ratio(problem):
    returns, caps, total = problem
    answer = max_sharpe(returns, caps=caps, total=total)
    mean = returns.mean(axis=0)
    if answer.note:
        order, left, best = np.argsort(-mean), total, 0.0
        for sleeve in order:
            best, left = best + mean[sleeve] * min(caps[sleeve], left), left - min(caps[sleeve], left)
        assert best <= 1e-14
        assert not answer.weights.any()
        return
    weights = answer.weights
    check_feasible(weights, caps, total)
    slope = np.atleast_2d(np.cov(returns.T)) @ weights
    variance, reward = float(weights @ slope), float(weights @ mean)
    assert reward > 0
    # d log(Sharpe) / dw, with respect to weight that replaces some of every other sleeve.
    gain = mean / reward - slope / variance
    check_multipliers(gain, weights, caps, 1e-5 * float(np.abs(mean / reward).max()))


@given(problems())
@settings(max_examples=150)
def test_equal_contributions_below_the_caps_and_smaller_ones_at_them(problem):
    returns, caps, total = problem
    weights = risk_parity(returns, caps=caps, total=total).weights
    check_feasible(weights, caps, total)
    contribution = weights * (np.atleast_2d(np.cov(returns.T)) @ weights)
    below, at = (weights < caps * (1 - 1e-9)), (weights >= caps * (1 - 1e-9)) & (caps > 0)
    if below.any():
        level = contribution[below].max()
        assert np.ptp(contribution[below]) <= 1e-8 * level
        assert np.all(contribution[at] <= level * (1 + 1e-8))


@given(problems(), st.sampled_from([0.6, 0.8, 0.9]), st.integers(0, 10**6))
@settings(max_examples=60)
def test_lowest_cvar(problem, alpha, seed):
    returns, caps, total = problem
    assume(len(returns) >= 10)  # one session in the tail at least
    answer = min_cvar(returns, alpha=alpha, caps=caps, total=total)
    weights = answer.weights
    check_feasible(weights, caps, total)
    # CVaR is convex: where no feasible direction improves it, no mix does.
    rng = np.random.default_rng(seed)
    for _ in range(20):
        other = np.zeros(len(caps))
        left = total
        for sleeve in rng.permutation(len(caps)):
            other[sleeve] = min(caps[sleeve], left)
            left -= other[sleeve]
        for share in (1e-3, 0.3, 1.0):
            moved = conditional_value_at_risk(returns @ (weights + share * (other - weights)), alpha)
            assert answer.objective <= moved + 1e-9


@given(problems(), st.integers(0, 10**6))
def test_the_order_of_the_sleeves_does_not_matter(problem, seed):
    returns, caps, total = problem
    order = np.random.default_rng(seed).permutation(len(caps))
    for method in (min_variance, risk_parity, max_sharpe):
        straight = method(returns, caps=caps, total=total)
        shuffled = method(returns[:, order], caps=caps[order], total=total)
        np.testing.assert_allclose(shuffled.weights, straight.weights[order], atol=2e-6)


@given(problems(), st.sampled_from([1e-3, 7.0]))
def test_the_unit_of_the_returns_does_not_matter(problem, factor):
    returns, caps, total = problem
    for method in (min_variance, risk_parity, max_sharpe):
        whole = method(returns, caps=caps, total=total).weights
        np.testing.assert_allclose(method(returns * factor, caps=caps, total=total).weights, whole, atol=2e-6)
