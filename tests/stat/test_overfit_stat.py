"""What the statistics promise, on markets without skill: error rates, coverage, and PBO of exchangeable trials.

Each acceptance is a band of three standard errors, or the 99.9 % band of the binomial distribution, around the
promised number. Where a statistic is known to be conservative only the upper side is held.
"""

import math

import numpy as np
import pytest
from scipy import stats

from ares7 import overfit
from ares7.bootstrap import intervals
from ares7.pbo import pbo
from ares7.superiority import reality_check, romano_wolf, superior_predictive_ability
from ares7.trial_clusters import effective_trials

pytestmark = pytest.mark.stat

MARKETS = 40


def alike(trials, sessions, correlation, rng):
    """(trials, sessions) returns without skill, each pair correlated alike."""
    common, own = rng.normal(size=sessions), rng.normal(size=(trials, sessions))
    return 0.01 * (math.sqrt(correlation) * common + math.sqrt(1 - correlation) * own)


def shifted_positions(trials, sessions, rng):
    """One row of positions, held 20 sessions each, shifted around the sessions of one market."""
    market = rng.normal(0.0, 0.01, sessions)
    positions = np.repeat(rng.normal(size=sessions // 20), 20)
    shifts = rng.choice(sessions, trials, replace=False)
    return np.array([np.roll(positions, shift) * market for shift in shifts])


def within_three_errors(values, expected):
    error = np.std(values, ddof=1) / math.sqrt(len(values))
    assert np.mean(values) == pytest.approx(expected, abs=3 * error)


def at_most(hits, rate):
    """The number of hits lies below the 99.9 % quantile of a binomial with the promised rate."""
    assert sum(hits) <= stats.binom.ppf(0.999, len(hits), rate)


def about(hits, rate):
    at_most(hits, rate)
    assert sum(hits) >= stats.binom.ppf(0.001, len(hits), rate)


@pytest.mark.parametrize("trials", [30, 51])
def test_the_pbo_of_shifted_positions_is_one_half(trials):
    rng = np.random.default_rng(20)
    within_three_errors([pbo(shifted_positions(trials, 1600, rng)).value for _ in range(MARKETS)], 0.5)


@pytest.mark.parametrize("correlation", [0.0, 0.7])
def test_the_pbo_of_independent_and_of_alike_trials_is_one_half(correlation):
    rng = np.random.default_rng(21)
    within_three_errors([pbo(alike(40, 800, correlation, rng)).value for _ in range(MARKETS)], 0.5)


def test_the_pbo_of_exchangeable_trials_with_copies_is_one_half():
    rng = np.random.default_rng(22)
    families = [alike(15, 800, 0.2, rng)[rng.integers(0, 15, 40)] for _ in range(MARKETS)]
    within_three_errors([pbo(family).value for family in families], 0.5)


def test_shifts_of_a_whole_return_series_do_not_measure_overfitting():
    # Each has the same ratio over all sessions, so the best half is followed by the worst: near 1 by construction.
    rng = np.random.default_rng(23)
    for _ in range(5):
        series = rng.normal(0.0005, 0.01, 1600)
        family = np.array([np.roll(series, shift) for shift in rng.choice(1600, 40, replace=False)])
        assert pbo(family).value > 0.99


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9, 0.99])
def test_the_best_of_a_hundred_trials_without_skill_is_seldom_called_skill(correlation):
    rng = np.random.default_rng(24)
    hits = []
    for _ in range(400):
        sample = overfit.moments(alike(100, 500, correlation, rng))
        best = int(np.argmax(sample.sharpe))
        sd = float(np.std(sample.sharpe, ddof=1))
        hits.append(overfit.deflated_sharpe(sample.of(best), 100, sd).dsr > 0.95)
    at_most(hits, 0.05)


def test_the_effective_count_is_the_lenient_one():
    # All alike by .92 and so one trial: the figure that SAME_TRIAL quotes is below one in five.
    rng = np.random.default_rng(25)
    hits = []
    for _ in range(200):
        family = alike(100, 500, 0.92, rng)
        sample = overfit.moments(family)
        count = effective_trials(family).count
        best, sd = int(np.argmax(sample.sharpe)), float(np.std(sample.sharpe, ddof=1))
        hits.append(overfit.deflated_sharpe(sample.of(best), count, sd).dsr > 0.95)
    assert 0.05 < np.mean(hits) < 0.25


def test_the_probabilistic_sharpe_is_uniform_without_skill():
    returns = 0.01 * np.random.default_rng(26).standard_t(5, size=(3000, 500))
    values = overfit.probabilistic_sharpe(returns)
    assert stats.kstest(values, "uniform").pvalue > 1e-3


def test_the_sharpe_interval_covers_the_true_ratio():
    rng = np.random.default_rng(27)
    daily = 1.0 / math.sqrt(252)
    hits = []
    for _ in range(200):
        noise = rng.normal(size=801)
        # A moving average: variance 1.09, so its mean is set for an annual ratio of 1.
        returns = 0.01 * (noise[1:] + 0.3 * noise[:-1] + daily * math.sqrt(1.09))
        found = intervals(returns, level=0.9, draws=200, seed=int(rng.integers(2**31)))["sharpe"]
        hits.append(found.low <= 1.0 <= found.high)
    # The percentile interval is a little short in finite samples.
    assert 0.82 < np.mean(hits) < 0.95


def test_superiority_is_found_at_the_stated_rate_without_skill():
    rng = np.random.default_rng(28)
    check, spa, family_wise = [], [], []
    for seed in range(400):
        active = alike(20, 250, 0.3, rng)
        check.append(reality_check(active, 199, seed, 1.0).p_value <= 0.05)
        spa.append(superior_predictive_ability(active, 199, seed, 1.0).consistent <= 0.05)
        family_wise.append(romano_wolf(active, 0.05, 199, seed, 1.0).superior.any())
    about(check, 0.05)
    about(spa, 0.05)
    about(family_wise, 0.05)


def test_step_down_finds_planted_skill_and_seldom_more():
    rng = np.random.default_rng(29)
    false, found = [], []
    for seed in range(200):
        active = alike(20, 500, 0.3, rng)
        active[:3] += 0.0025
        superior = romano_wolf(active, 0.05, 199, seed, 1.0).superior
        false.append(superior[3:].any())
        found.append(superior[:3].mean())
    at_most(false, 0.05)
    # One test at level .05 / 20 finds a daily ratio of .25 over 500 sessions with probability .99.
    assert np.mean(found) > 0.95
