"""PSR, deflated Sharpe ratio and track record length: the papers' numbers, skfolio and scipy as oracles."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from skfolio import measures

from ares7 import metrics, overfit
from ares7.errors import ConfigError, DataError
from ares7.overfit import Moments

# Bailey and Lopez de Prado (2014), numerical example: annual ratio 2.5 over 5 years of 250 days, variance of the
# annual ratios of 100 trials 1/2, skew -3, kurtosis 10.
WORKED = Moments(1250, 2.5 / math.sqrt(250), 1.0, -3.0, 10.0)
WORKED_SD = math.sqrt(0.5 / 250)
# Bailey and Lopez de Prado (2012), the hedge fund of section 5: two years of monthly returns.
FUND = Moments(24, 0.036, 0.079, -2.448, 10.164)


def fat_tailed(trials, sessions=700, seed=5):
    rng = np.random.default_rng(seed)
    return (
        0.0004 + 0.01 * rng.standard_t(4, size=(trials, sessions)) + 0.003 * rng.exponential(size=(trials, 1))
    )


def test_the_worked_example_of_the_deflated_sharpe_ratio():
    found = overfit.deflated_sharpe(WORKED, 100, WORKED_SD)
    assert found.threshold == pytest.approx(0.1132, abs=5e-5)
    assert found.dsr == pytest.approx(0.9004, abs=5e-5)
    assert found.n_trials == 100


@pytest.mark.parametrize(("trials", "skew", "kurtosis"), [(46, -3.0, 10.0), (88, 0.0, 3.0)])
def test_the_worked_example_would_pass_with_fewer_trials(trials, skew, kurtosis):
    # The paper: .9505 had it been the best of 46 trials, or of 88 with normal returns.
    sample = Moments(WORKED.sessions, WORKED.mean, WORKED.sd, skew, kurtosis)
    assert overfit.deflated_sharpe(sample, trials, WORKED_SD).dsr == pytest.approx(0.9505, abs=1e-4)


def test_the_published_expected_best():
    # Bailey, Borwein, Lopez de Prado and Zhu, "Pseudo-Mathematics and Financial Charlatanism", Notices of the AMS
    # 61(5), 2014: 1.57 for ten trials; 45 trials over five years are expected to show an annual ratio of 1.
    assert overfit.expected_max_sharpe(10, 1.0) == pytest.approx(1.57, abs=6e-3)
    assert overfit.expected_max_sharpe(45, 1.0 / math.sqrt(5)) == pytest.approx(1.0, abs=1e-3)


def test_the_published_probabilistic_sharpe_of_a_hedge_fund():
    normal = Moments(24, 0.036, 0.079, 0.0, 3.0)
    assert float(overfit.probabilistic_sharpe(normal)) == pytest.approx(0.982, abs=1e-3)
    assert float(overfit.probabilistic_sharpe(FUND)) == pytest.approx(0.913, abs=1e-3)


@pytest.mark.parametrize(
    ("periods", "skew", "kurtosis", "years"),
    [(252, 0.0, 3.0, 2.73), (52, 0.0, 3.0, 2.83), (12, 0.0, 3.0, 3.24), (12, -0.72, 5.78, 4.99)],
)
def test_the_published_track_records_for_an_annual_two_against_one(periods, skew, kurtosis, years):
    two = Moments(periods, 2.0 / math.sqrt(periods), 1.0, skew, kurtosis)
    length = overfit.minimum_track_record_length(two, benchmark=1.0 / math.sqrt(periods))
    assert float(length) / periods == pytest.approx(years, abs=5e-3)


def test_at_the_minimum_track_record_the_psr_reaches_the_confidence():
    sample = overfit.moments(fat_tailed(1)[0])
    length = float(overfit.minimum_track_record_length(sample, confidence=0.9))
    one, other = (
        Moments(n, sample.mean, sample.sd, sample.skew, sample.kurtosis)
        for n in (int(length), int(length) + 1)
    )
    assert overfit.probabilistic_sharpe(one) <= 0.9 <= overfit.probabilistic_sharpe(other)


def test_no_track_record_is_long_enough_for_a_ratio_below_the_benchmark():
    assert overfit.minimum_track_record_length(WORKED, benchmark=1.0) == math.inf


@pytest.mark.parametrize(("trials", "tolerance"), [(10, 0.04), (100, 0.025), (1000, 0.015)])
def test_the_expected_best_approximates_the_mean_maximum_of_normals(trials, tolerance):
    def density(x):
        return x * trials * stats.norm.pdf(x) * stats.norm.cdf(x) ** (trials - 1)

    x = np.linspace(-8, 10, 20001)
    exact = float(np.trapezoid(density(x), x))
    assert overfit.expected_max_sharpe(trials, 1.0) == pytest.approx(exact, abs=tolerance)


def test_one_trial_has_no_threshold():
    sample = overfit.moments(fat_tailed(1)[0])
    found = overfit.deflated_sharpe(sample, 1, 0.3)
    assert found.threshold == 0.0
    assert found.dsr == float(overfit.probabilistic_sharpe(sample))


def test_hardly_more_than_one_trial_has_no_negative_threshold():
    assert overfit.expected_max_sharpe(1.1, 0.3) == 0.0


def test_skfolio_gives_the_same_figures_for_a_family():
    family = fat_tailed(30)
    sample = overfit.moments(family)
    best = int(np.argmax(sample.sharpe))
    sd = float(np.std(sample.sharpe, ddof=1))
    np.testing.assert_allclose(
        overfit.probabilistic_sharpe(family, 0.02),
        measures.probabilistic_sharpe_ratio(family.T, benchmark_sharpe_ratio=0.02),
        rtol=1e-12,
    )
    theirs = measures.deflated_sharpe_ratio(family[best], trial_sharpe_ratios=sample.sharpe)
    assert overfit.deflated_sharpe(family[best], 30, sd).dsr == pytest.approx(theirs, rel=1e-12)
    best_of_30 = measures.expected_max_sharpe_ratio(n_trials=30, trial_sharpe_ratio_std=sd)
    assert overfit.expected_max_sharpe(30, sd) == pytest.approx(best_of_30, rel=1e-12)


def test_moments_are_scipys_and_the_ratio_is_that_of_metrics(monkeypatch):
    family = fat_tailed(7)
    # Rows in parts of two, to go through the seams.
    monkeypatch.setattr(overfit, "_CHUNK", 2 * family.shape[1])
    found = overfit.moments(family)
    np.testing.assert_allclose(found.mean, family.mean(axis=1), rtol=1e-13)
    np.testing.assert_allclose(found.sd, family.std(axis=1, ddof=1), rtol=1e-13)
    np.testing.assert_allclose(found.skew, stats.skew(family, axis=1), rtol=1e-11)
    np.testing.assert_allclose(found.kurtosis, stats.kurtosis(family, axis=1, fisher=False), rtol=1e-12)
    annual = [metrics.sharpe(row) for row in family]
    np.testing.assert_allclose(found.sharpe * math.sqrt(252), annual, rtol=1e-12)
    assert found.sessions == 700


def test_one_series_gives_the_figures_of_its_row():
    family = fat_tailed(3)
    alone, together = overfit.moments(family[1]), overfit.moments(family)
    assert np.ndim(alone.mean) == 0
    assert alone.sharpe == together.sharpe[1] == together.of(1).sharpe
    assert overfit.probabilistic_sharpe(alone) == overfit.probabilistic_sharpe(family)[1]


def test_lo_and_psr_agree_for_normal_moments():
    returns = np.random.default_rng(2).normal(0.001, 0.01, 500)
    sample = overfit.moments(returns)
    normal = Moments(500, sample.mean, sample.sd, 0.0, 3.0)
    z = metrics.sharpe(returns) / metrics.sharpe_standard_error(returns) * math.sqrt(499 / 500)
    assert float(overfit.probabilistic_sharpe(normal)) == pytest.approx(NormalDist().cdf(z), rel=1e-12)


def test_returns_that_do_not_vary_have_no_probability():
    still = np.full(50, 0.001)
    assert math.isnan(overfit.probabilistic_sharpe(still))
    assert math.isnan(overfit.minimum_track_record_length(still))
    assert math.isnan(overfit.deflated_sharpe(still, 3, 0.1).dsr)


@given(st.floats(1, 1e7), st.floats(1, 1e7), st.floats(0, 0.5))
def test_the_deflated_ratio_falls_as_trials_are_counted(few, many, sd):
    few, many = sorted((few, many))
    one, other = (overfit.deflated_sharpe(WORKED, count, sd) for count in (few, many))
    assert other.threshold >= one.threshold - 1e-15
    assert other.dsr <= one.dsr + 1e-15


@given(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2))
def test_the_probability_falls_as_the_benchmark_rises(low, high):
    low, high = sorted((low, high))
    assert overfit.probabilistic_sharpe(WORKED, high) <= overfit.probabilistic_sharpe(WORKED, low)


@given(st.floats(1e-4, 1e3))
def test_leverage_changes_no_probability(scale):
    returns = fat_tailed(1, sessions=60)[0]
    expected = overfit.probabilistic_sharpe(returns, 0.01)
    assert overfit.probabilistic_sharpe(scale * returns, 0.01) == pytest.approx(float(expected), rel=1e-9)


def test_a_missing_return_is_named():
    family = fat_tailed(4)
    family[2, 17] = np.nan
    with pytest.raises(DataError, match=r"trial 2 in session 17 is nan.*missing price"):
        overfit.moments(family)


@pytest.mark.parametrize("returns", [np.zeros(1), np.zeros((3, 1)), np.zeros((0, 9)), np.zeros((2, 2, 2))])
def test_too_few_returns_are_refused(returns):
    with pytest.raises(DataError, match="trials"):
        overfit.moments(returns)


def test_wrong_settings_are_refused():
    with pytest.raises(ConfigError, match="0 trials; a result was tried at least once"):
        overfit.expected_max_sharpe(0, 0.1)
    with pytest.raises(ConfigError, match=r"confidence 0.4 lies outside"):
        overfit.minimum_track_record_length(WORKED, confidence=0.4)
    with pytest.raises(DataError, match=r"dispersion.*is nan"):
        overfit.expected_max_sharpe(5, math.nan)
    with pytest.raises(DataError, match="2 series to deflate"):
        overfit.deflated_sharpe(overfit.moments(fat_tailed(2)), 5, 0.1)
