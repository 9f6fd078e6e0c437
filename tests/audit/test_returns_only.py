"""`audit_returns`: a daily series from anywhere, by the checks that need no code."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ares7.audit.finding import Severity
from ares7.audit.returns_only import audit_returns
from ares7.errors import CheckFailed, ConfigError, DataError
from ares7.metrics import sharpe
from ares7.overfit import expected_max_sharpe, minimum_track_record_length, probabilistic_sharpe
from tests.audit.return_series import clustered, sessions

DAYS = sessions(1300)
GOOD = 0.006 * clustered(np.random.default_rng(6), 1, len(DAYS))[0]
GOOD += 0.9 * 0.006 / np.sqrt(252) - GOOD.mean()


def without(after, before):
    """Rows but those between two days."""
    return (np.datetime64(after) >= DAYS) | (np.datetime64(before) <= DAYS)


def one(audit, title):
    (finding,) = [f for f in audit.findings if f.title == title]
    return finding


def changed(**rows):
    series = GOOD.copy()
    for key, value in rows.items():
        series[int(key[1:])] = value
    return series


def test_an_honest_series_passes_every_check():
    audit = audit_returns(DAYS, GOOD, name="mine")
    assert audit.name == "mine"
    assert {f.severity for f in audit.findings} == {Severity.PASS}
    assert [f.check for f in audit.findings] == ["D3", "D7", "D13", "D13", "D13", "D9", "D11"]
    audit.require()
    json.dumps(audit.to_dict(), allow_nan=False)


def test_profit_on_one_weekday_is_a_failure_here():
    leak = GOOD + 60e-4 * ((DAYS.astype(np.int64) + 3) % 7 == 2)
    audit = audit_returns(DAYS, leak)
    assert [f.check for f in audit.failed] == ["D3"]
    assert audit.failed[0].evidence["sessions"] == "Wednesdays"
    with pytest.raises(CheckFailed, match="D3 Wednesdays earn"):
        audit.require()


def test_with_a_baseline_the_markets_own_weekday_is_no_failure():
    market = GOOD + 60e-4 * ((DAYS.astype(np.int64) + 3) % 7 == 2)
    book = market + np.random.default_rng(1).normal(0, 0.001, len(market))
    assert audit_returns(DAYS, book).failed
    assert not audit_returns(DAYS, book, market).failed


def test_a_short_series_skips_the_test_of_rebalance_days():
    assert one(audit_returns(DAYS[:200], GOOD[:200]), "Profit on rebalance days").severity is Severity.SKIPPED


@pytest.mark.parametrize(
    ("keep", "told"),
    [
        (
            without("2012-03-05", "2012-03-14"),
            "no row for 9 days after 2012-03-05",
        ),
        (np.arange(len(DAYS)) % 12 != 5, "of weekdays have no row"),
    ],
)
def test_missing_sessions_are_told(keep, told):
    finding = one(audit_returns(DAYS[keep], GOOD[keep]), "One row a session")
    assert finding.severity is Severity.WARNING
    assert told in finding.message
    assert finding.remedy


def test_weekend_rows_are_told():
    days = DAYS.copy()
    friday = int(np.flatnonzero((days.astype(np.int64) + 3) % 7 == 4)[10])
    days[friday] += 1
    finding = one(audit_returns(days, GOOD), "One row a session")
    assert finding.severity is Severity.WARNING
    assert f"1 rows fall on weekends, first {days[friday]}" in finding.message


def test_a_pause_of_a_week_is_none():
    keep = without("2012-03-05", "2012-03-12")
    assert one(audit_returns(DAYS[keep], GOOD[keep]), "One row a session").severity is Severity.PASS


def test_held_returns_are_told():
    series = GOOD.copy()
    series[300:310] = 0.0012
    finding = one(audit_returns(DAYS, series), "Returns that were earned")
    assert finding.severity is Severity.WARNING
    assert f"the same return 0.0012 comes 10 times in a row from {DAYS[300]} on" in finding.message
    series[305] = 0.0013
    assert one(audit_returns(DAYS, series), "Returns that were earned").severity is Severity.PASS


def test_a_warm_up_in_front_is_told():
    series = GOOD.copy()
    series[:21] = 0.0
    finding = one(audit_returns(DAYS, series), "Returns that were earned")
    assert finding.severity is Severity.WARNING
    assert "first 21 returns are exactly 0" in finding.message
    series[20] = 1e-4
    assert one(audit_returns(DAYS, series), "Returns that were earned").severity is Severity.PASS


def test_a_long_stretch_of_zeros_is_told_and_a_year_in_cash_is_not():
    series = GOOD.copy()
    series[400:652] = 0.0
    assert one(audit_returns(DAYS, series), "Returns that were earned").severity is Severity.PASS
    series[652] = 0.0
    finding = one(audit_returns(DAYS, series), "Returns that were earned")
    assert f"253 returns in a row are exactly 0 from {DAYS[400]} on" in finding.message


def test_copied_rows_are_a_failure():
    series = GOOD.copy()
    series[900:912] = series[100:112]
    (finding,) = audit_returns(DAYS, series).failed
    assert finding.check == "D13"
    assert finding.evidence == {"first": str(DAYS[100]), "again": str(DAYS[900])}


def test_returns_rounded_to_a_basis_point_are_no_copies():
    coarse = np.round(0.1 * GOOD, 4)
    assert one(audit_returns(DAYS, coarse), "Returns that were earned").severity is Severity.PASS


def test_one_jump_that_makes_the_profit_is_told():
    finding = one(audit_returns(DAYS, changed(r700=0.4)), "Profit of a single session")
    assert finding.severity is Severity.WARNING
    assert str(DAYS[700]) in finding.message
    assert (
        one(audit_returns(DAYS, changed(r700=0.012)), "Profit of a single session").severity is Severity.PASS
    )
    assert (
        one(audit_returns(DAYS, changed(r700=-0.4)), "Profit of a single session").severity is Severity.PASS
    )


def test_a_jump_that_is_a_small_part_of_the_profit_is_none():
    series = changed(r700=0.035)
    series[600:700] *= 0.05
    finding = one(audit_returns(DAYS, series), "Profit of a single session")
    assert finding.evidence["deviations"] > 10
    assert finding.evidence["share"] < 0.1
    assert finding.severity is Severity.PASS


def test_a_sharpe_ratio_that_is_too_good_is_told():
    better = GOOD - GOOD.mean() + 1.51 * GOOD.std(ddof=1) / np.sqrt(252)
    finding = one(audit_returns(DAYS, better), "Plausible Sharpe ratio")
    assert finding.severity is Severity.WARNING
    assert finding.evidence["sharpe"] == pytest.approx(1.51)
    assert "treat it as a bug until it is explained" in finding.remedy
    assert one(audit_returns(DAYS, better - 1e-5), "Plausible Sharpe ratio").severity is Severity.PASS


def test_the_track_record_is_held_against_the_luck_of_its_trials():
    alone = one(audit_returns(DAYS, GOOD), "Track record against luck")
    assert alone.severity is Severity.PASS
    assert alone.evidence["psr"] == probabilistic_sharpe(GOOD)
    tried = one(audit_returns(DAYS, GOOD, trials=45), "Track record against luck")
    assert tried.severity is Severity.WARNING
    luck = expected_max_sharpe(45, 1 / np.sqrt(len(GOOD)))
    assert tried.evidence["psr"] == probabilistic_sharpe(GOOD, luck)
    length = minimum_track_record_length(GOOD, luck)
    assert tried.evidence["minimum_track_record"] == (np.ceil(length) if np.isfinite(length) else None)
    assert "best of 45 by luck" in tried.message
    with pytest.raises(ConfigError):
        audit_returns(DAYS, GOOD, trials=0)


def test_a_loss_has_no_length_that_would_prove_it():
    finding = one(audit_returns(DAYS, -GOOD), "Track record against luck")
    assert finding.severity is Severity.WARNING
    assert finding.evidence["minimum_track_record"] is None
    assert sharpe(-GOOD) < 0


@pytest.mark.parametrize(("weight", "cause"), [(0.25, "stale or smoothed"), (-0.25, "bounce")])
def test_dependent_returns_are_told(weight, cause):
    mixed = GOOD[1:] + weight * GOOD[:-1]
    finding = one(audit_returns(DAYS[1:], mixed), "Stale or smoothed marks")
    assert finding.severity is Severity.WARNING
    assert cause in finding.message
    assert abs(finding.evidence["z"]) > 4


def test_a_few_wild_sessions_are_no_dependence():
    wild = GOOD.copy()
    wild[800:812] = 0.1 * (-1.0) ** np.arange(12)
    finding = one(audit_returns(DAYS, wild), "Stale or smoothed marks")
    assert finding.severity is Severity.PASS
    assert finding.evidence["autocorrelation"] * np.sqrt(len(wild)) < -20


def test_returns_that_never_vary_are_skipped_not_judged():
    flat = audit_returns(DAYS, np.zeros(len(DAYS)))
    assert not flat.failed
    for title in ("Plausible Sharpe ratio", "Track record against luck", "Stale or smoothed marks"):
        assert one(flat, title).severity is Severity.SKIPPED
    json.dumps(flat.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("dates", "returns", "told"),
    [
        (DAYS[:-1], GOOD, "two or more rows of both"),
        (DAYS[:1], GOOD[:1], "two or more rows of both"),
        (DAYS[[0, 2, 1]], GOOD[:3], f"{DAYS[1]} in row 3 comes after {DAYS[2]}; sort"),
        (DAYS[[0, 1, 1]], GOOD[:3], f"{DAYS[1]} comes twice"),
        (DAYS[[0, 1, 2, 0, 1]], GOOD[:5], "one series a file"),
        (np.array([DAYS[0], "NaT"], dtype="datetime64[D]"), GOOD[:2], "row 2 has no date"),
        (DAYS[:3], np.array([0.1, np.nan, 0.1]), f"return on {DAYS[1]} is nan"),
        (DAYS[:3], np.array([0.1, 1.2, -0.3]), "divide percentages by 100"),
        (DAYS[:3], np.array([0.3, -0.4, 0.25]), "divide percentages by 100"),
    ],
)
def test_what_cannot_be_audited_is_refused_in_one_line(dates, returns, told):
    with pytest.raises(DataError, match=told) as caught:
        audit_returns(dates, returns, name="mine")
    assert str(caught.value).startswith("mine")
    assert "\n" not in str(caught.value)
