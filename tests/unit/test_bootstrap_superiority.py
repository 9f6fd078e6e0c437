"""Reality check, SPA and Romano-Wolf: arch as oracle on the same resampled sessions, plain loops, what is refused."""

import math
import time

import numpy as np
import pytest
from arch.bootstrap import SPA, StationaryBootstrap, StepM
from hypothesis import given, settings
from hypothesis import strategies as st

from ares7 import superiority
from ares7.errors import ConfigError, DataError
from ares7.superiority import reality_check, romano_wolf, superior_predictive_ability

DRAWS, SEED, BLOCK = 300, 3, 9


def active_returns(trials=12, sessions=300, seed=8):
    """Trials from poor to good, with volatilities that differ and some memory."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(trials, sessions))
    noise[:, 1:] += 0.3 * noise[:, :-1]
    level = np.linspace(-0.25, 0.14, trials)[:, None]
    return (noise + level) * np.linspace(0.02, 0.004, trials)[:, None]


def resampled(active):
    """(draws, P) means over arch's resampled sessions."""
    drawn = StationaryBootstrap(BLOCK, np.arange(active.shape[1]), seed=SEED).bootstrap(DRAWS)
    return np.array([active[:, rows[0][0]].mean(axis=1) for rows in drawn])


def kernel_error(active, block):
    """Hansen (2005), section 3.1, lag by lag."""
    count = active.shape[1]
    z = active - active.mean(axis=1, keepdims=True)
    total = (z * z).sum(axis=1) / count
    for lag in range(1, count):
        keep = 1.0 - 1.0 / block
        kappa = (1 - lag / count) * keep**lag + lag / count * keep ** (count - lag)
        total += 2 * kappa * (z[:, lag:] * z[:, :-lag]).sum(axis=1) / count
    return np.sqrt(total / count)


@pytest.mark.parametrize("sessions", [60, 61])
def test_standard_errors_are_hansens_kernel(sessions):
    active = active_returns(5, sessions)
    np.testing.assert_allclose(
        superiority.standard_errors(active, 4.5), kernel_error(active, 4.5), rtol=1e-12
    )


def test_standard_errors_are_the_spread_of_the_resampled_means():
    active = active_returns(3)
    means = superiority.resampled_means(active, 6.0, 4000, seed=1)
    np.testing.assert_allclose(superiority.standard_errors(active, 6.0), means.std(axis=0), rtol=0.05)


def test_arch_gives_the_same_spa_without_studentising():
    active = active_returns()
    theirs = SPA(np.zeros(active.shape[1]), -active.T, block_size=BLOCK, reps=DRAWS, seed=SEED)
    theirs.compute()
    found = superior_predictive_ability(active, DRAWS, SEED, BLOCK, studentise=False)
    expected = (1 + DRAWS * theirs.pvalues) / (1 + DRAWS)
    assert (found.lower, found.consistent, found.upper) == pytest.approx(tuple(expected), rel=1e-12)
    assert found.lower < found.consistent < found.upper


def test_the_reality_check_is_the_upper_bound_without_studentising():
    active = active_returns()
    found = reality_check(active, DRAWS, SEED, BLOCK)
    theirs = SPA(np.zeros(active.shape[1]), -active.T, block_size=BLOCK, reps=DRAWS, seed=SEED)
    theirs.compute()
    assert found.p_value == pytest.approx((1 + DRAWS * theirs.pvalues["upper"]) / (1 + DRAWS), rel=1e-12)
    assert found.statistic == pytest.approx(math.sqrt(300) * active.mean(axis=1).max(), rel=1e-12)


def test_the_studentised_spa_is_that_of_a_plain_loop():
    active = active_returns()
    mean, error = active.mean(axis=1), kernel_error(active, BLOCK)
    statistic = max(0.0, (mean / error).max())
    irrelevant = mean < -error * math.sqrt(2 * math.log(math.log(300)))
    assert 0 < irrelevant.sum() < (mean < 0).sum()
    expected = []
    for centre in (np.where(irrelevant, 0.0, mean), np.where(mean < 0, 0.0, mean), mean):
        drawn = [max(0.0, ((row - centre) / error).max()) for row in resampled(active)]
        expected.append((1 + sum(value >= statistic for value in drawn)) / (1 + DRAWS))
    found = superior_predictive_ability(active, DRAWS, SEED, BLOCK)
    assert (found.consistent, found.lower, found.upper) == pytest.approx(tuple(expected), rel=1e-12)
    assert found.statistic == pytest.approx(statistic, rel=1e-12)


def test_step_down_p_values_are_those_of_a_plain_loop():
    active = active_returns()
    mean, error = active.mean(axis=1), kernel_error(active, BLOCK)
    drawn = (resampled(active) - mean) / error
    left, highest, expected = list(range(len(active))), 0.0, {}
    while left:
        best = max(left, key=lambda trial: mean[trial] / error[trial])
        above = sum(row[left].max() >= mean[best] / error[best] for row in drawn)
        highest = expected[best] = max(highest, (1 + above) / (1 + DRAWS))
        left.remove(best)
    found = romano_wolf(active, 0.1, DRAWS, SEED, BLOCK)
    np.testing.assert_allclose(found.p_values, [expected[k] for k in range(len(active))], rtol=1e-12)
    np.testing.assert_array_equal(found.superior, found.p_values <= 0.1)
    assert found.superior.any()


def test_a_trial_is_never_more_significant_than_a_better_one():
    # Two independent trials that are all but equally good: alone, the second would have half the p-value.
    active = np.random.default_rng(1).normal(size=(2, 400))
    active = (active - active.mean(axis=1, keepdims=True)) / active.std(axis=1, keepdims=True)
    active += np.array([[0.110], [0.109]])
    found = romano_wolf(active, draws=2000, block=1.0)
    assert found.p_values[0] == found.p_values[1]
    alone = romano_wolf(active[1:], draws=2000, block=1.0).p_values[0]
    assert alone < 0.7 * found.p_values[1]


def test_arch_names_the_same_superior_trials():
    # Volatilities alike, for arch's procedure does not studentise; three trials stand out in steps.
    active = 0.01 * np.random.default_rng(4).normal(size=(15, 500))
    active[[2, 7, 11]] += np.array([[0.004], [0.002], [0.0015]])
    theirs = StepM(np.zeros(500), -active.T, size=0.05, block_size=4, reps=DRAWS, seed=SEED)
    theirs.compute()
    assert theirs.superior_models == [2, 7, 11]
    assert np.flatnonzero(romano_wolf(active, 0.05, DRAWS, SEED, 4).superior).tolist() == [2, 7, 11]


def test_the_best_trials_p_value_is_the_upper_bound_of_the_spa():
    active = active_returns()
    upper = superior_predictive_ability(active, DRAWS, SEED, BLOCK).upper
    assert romano_wolf(active, 0.05, DRAWS, SEED, BLOCK).p_values.min() == upper


def test_no_trial_above_the_baseline_has_a_p_value_of_one():
    active = active_returns()
    active -= active.mean(axis=1, keepdims=True) + 1e-3
    found = superior_predictive_ability(active, DRAWS, SEED, BLOCK)
    assert (found.statistic, found.lower, found.consistent, found.upper) == (0.0, 1.0, 1.0, 1.0)


def test_poor_trials_make_the_reality_check_but_not_the_spa_conservative():
    # Hansen's argument for the test: bad and volatile trials should not hide a good one.
    rng = np.random.default_rng(6)
    good = 0.001 + 0.005 * rng.normal(size=(1, 500))
    poor = -0.02 + 0.05 * rng.normal(size=(60, 500))
    family = np.vstack([good, poor])
    alone = superior_predictive_ability(good, DRAWS, SEED, 2).consistent
    assert superior_predictive_ability(family, DRAWS, SEED, 2).consistent == pytest.approx(alone, abs=0.01)
    assert reality_check(family, DRAWS, SEED, 2).p_value > 0.5


def test_a_trial_equal_to_the_baseline_changes_nothing():
    active = active_returns()
    more = np.vstack([active, np.zeros((2, active.shape[1]))])
    args = (DRAWS, SEED, BLOCK)
    assert superior_predictive_ability(more, *args) == superior_predictive_ability(active, *args)
    assert romano_wolf(more, 0.05, *args).p_values[-2:] == pytest.approx(1.0)
    idle = np.zeros((3, 100))
    assert superior_predictive_ability(idle, *args).consistent == 1.0
    assert reality_check(idle, *args).p_value == 1.0


@given(st.integers(0, 2**31), st.permutations(range(5)), st.floats(1e-3, 1e3))
@settings(max_examples=15)
def test_order_and_scale_do_not_matter(seed, order, scale):
    active = active_returns(5, 60, seed)
    one, other = (romano_wolf(rows, 0.05, 50, 1, 3.0) for rows in (active, scale * active[list(order)]))
    np.testing.assert_allclose(other.p_values, one.p_values[list(order)], atol=1.01 / 51)


def test_the_block_length_is_the_median_of_the_trials():
    active = active_returns(7)
    lengths = [superiority.optimal_block_length(row) for row in active]
    assert reality_check(active, 20).block == np.median(lengths)


def test_a_seed_fixes_the_result():
    active = active_returns()
    assert reality_check(active, 100, seed=5) == reality_check(active, 100, seed=5)
    assert reality_check(active, 100, seed=5) != reality_check(active, 100, seed=6)


def test_a_grid_of_729_takes_seconds_at_most():
    active = np.random.default_rng(0).normal(0, 0.01, (729, 3500))
    began = time.thread_time()
    superior_predictive_ability(active)
    assert time.thread_time() - began < 6.0


TESTS = (reality_check, superior_predictive_ability, romano_wolf)


@pytest.mark.parametrize("test", TESTS)
def test_wrong_input_is_refused(test):
    active = active_returns()
    with pytest.raises(DataError, match="at least 1 trials and 20 sessions"):
        test(active[:, :19])
    with pytest.raises(DataError, match="have 1 dimensions"):
        test(active[0])
    with pytest.raises(ConfigError, match="0 bootstrap draws"):
        test(active, draws=0)
    with pytest.raises(ConfigError, match="block length 301 for 300 sessions"):
        test(active, block=301)
    active[4] = 0.001
    with pytest.raises(DataError, match=r"trial 4 is 0.001 in every session.*leave the trial out"):
        test(active)
    active[4, 9] = np.nan
    with pytest.raises(DataError, match="trial 4 in session 9 is nan"):
        test(active)


def test_a_wrong_error_rate_is_refused():
    with pytest.raises(ConfigError, match="family-wise error rate 0 lies outside"):
        romano_wolf(active_returns(), level=0.0)
