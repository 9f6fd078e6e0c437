"""D2: a result that falls when every decision is acted on a session later is told from one that does not."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from ares7.audit.finding import Severity
from ares7.audit.lags import LagLadder, sharpe_fall_z
from ares7.bootstrap import stationary_indices
from ares7.metrics import sharpe
from tests.audit.leaky_books import cash, month_end_book, subject, weekly_foresight
from tests.contracts.panels import market

RNG = np.random.default_rng(4)
NOISE = RNG.normal(3e-4, 0.01, 1500)


def test_a_book_that_sees_tomorrow_is_warned_about():
    (finding,) = LagLadder().run(subject(weekly_foresight))
    assert finding.severity is Severity.WARNING
    assert finding.check == "D2"
    assert finding.evidence["fall"] > 0.3
    assert finding.evidence["z"] > 4
    assert finding.evidence["fall"] == finding.evidence["sharpe_lag_0"] - finding.evidence["sharpe_lag_1"]
    assert "one session later costs" in finding.message
    assert finding.remedy


def test_an_honest_book_passes_and_shows_its_ladder():
    (finding,) = LagLadder().run(subject(month_end_book))
    assert finding.severity is Severity.PASS
    assert abs(finding.evidence["fall"]) < 0.3
    for lag in (0, 1, 2, 5):
        assert f"{finding.evidence[f'sharpe_lag_{lag}']:.2f} at +{lag}" in finding.message


def test_lag_zero_is_the_run_itself_without_its_first_sessions():
    audited = subject(month_end_book)
    (finding,) = LagLadder().run(audited)
    assert finding.evidence["sharpe_lag_0"] == sharpe(audited.returns[5:])
    later = audited.simulated(extra_lag=2).nav
    assert finding.evidence["sharpe_lag_2"] == sharpe((later[1:] / later[:-1] - 1.0)[5:])


def test_a_book_in_cash_cannot_be_tested():
    (finding,) = LagLadder().run(subject(cash))
    assert finding.severity is Severity.SKIPPED
    assert "returns" in finding.message


def test_too_few_sessions_cannot_be_tested():
    short = market().rows(0, 500)
    (finding,) = LagLadder().run(subject(month_end_book, panel=short))
    assert finding.severity is Severity.SKIPPED


class Later:
    """What the ladder asks a subject for, with returns of our own at every lag."""

    seed = 7

    def __init__(self, now, later):
        self.returns, self.later = now, later

    def simulated(self, *, extra_lag):
        series = self.later if extra_lag == 1 else self.returns
        return SimpleNamespace(nav=np.append(1.0, np.cumprod(1.0 + series)))


@pytest.mark.parametrize(
    ("later", "fall", "z", "severity"),
    [
        (RNG.normal(0, 0.01, 1500), (0.3, 3.0), (0.5, 4.0), Severity.PASS),  # large by chance
        (NOISE - 1e-4, (0.1, 0.3), (4.0, 1e9), Severity.PASS),  # certain, and of no consequence
        (NOISE - 3e-4 + RNG.normal(0, 1e-3, 1500), (0.3, 3.0), (4.0, 1e9), Severity.WARNING),
    ],
)
def test_a_fall_counts_where_it_is_large_and_certain(later, fall, z, severity):
    (finding,) = LagLadder().run(Later(NOISE, later))
    assert fall[0] < finding.evidence["fall"] < fall[1]
    assert z[0] < finding.evidence["z"] < z[1]
    assert finding.severity is severity


def test_the_z_is_that_of_a_paired_bootstrap():
    later = 0.5 * NOISE + RNG.normal(0.0, 0.008, len(NOISE))
    rows = stationary_indices(np.random.default_rng(99), len(NOISE), 1.0, 2000)
    drawn = [sharpe(NOISE[i]) - sharpe(later[i]) for i in rows]
    wanted = (sharpe(NOISE) - sharpe(later)) / np.std(drawn, ddof=1)
    assert sharpe_fall_z(NOISE, later, seed=7) == pytest.approx(wanted, rel=0.12)


def test_the_same_seed_gives_the_same_z_and_no_difference_gives_none():
    later = NOISE + RNG.normal(0.0, 0.001, len(NOISE))
    assert sharpe_fall_z(NOISE, later, seed=7) == sharpe_fall_z(NOISE, later, seed=7)
    assert sharpe_fall_z(NOISE, NOISE, seed=7) == 0.0
    assert sharpe_fall_z(NOISE, 3.0 * NOISE, seed=7) == 0.0


def test_pairing_sees_a_fall_that_the_noise_of_each_hides():
    later = NOISE - 5e-4 + RNG.normal(0.0, 0.0005, len(NOISE))
    assert sharpe_fall_z(NOISE, later, seed=7) > 20
    alone = (sharpe(NOISE) - sharpe(later)) / np.sqrt(2 * 252 / len(NOISE))
    assert alone < 2
