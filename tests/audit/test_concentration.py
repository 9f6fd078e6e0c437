"""D3: profit on the sessions of the rebalancing is found; the market's own calendar is not held against a book."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ares7.audit.concentration import (
    MATERIAL_SHARPE,
    RebalanceDay,
    beyond_market,
    calendar_groups,
    day_finding,
    decision_groups,
    escalate,
    risk_scaled,
    robust_t,
    strongest,
    upper_tail,
)
from ares7.audit.finding import Finding, Severity
from ares7.config import AccountConfig
from tests.audit.leaky_books import chosen_by_stops, month_end_book, subject, weekly_foresight
from tests.audit.return_series import clustered, honest, month_turns, sessions

DAYS = sessions(1500)
NOISE = 0.008 * clustered(np.random.default_rng(5), 1, len(DAYS))[0]
WEEKDAY = (DAYS.astype(np.int64) + 3) % 7
ROW = np.arange(len(DAYS))


@pytest.mark.parametrize(
    ("leak", "sessions"),
    [
        (WEEKDAY == 4, "Fridays"),
        (WEEKDAY == 0, "Mondays"),
        (ROW % 7 == 3, f"every 7 rows from {DAYS[3]} on"),
        (ROW % 13 == 0, f"every 13 rows from {DAYS[0]} on"),
        (month_turns(DAYS)[0], "first sessions of a month"),
    ],
)
def test_a_leak_on_the_rebalance_day_is_named(leak, sessions):
    effect = strongest(DAYS, NOISE + 80e-4 * leak)
    assert effect is not None
    assert effect.significant
    assert effect.sessions == sessions
    assert effect.count == leak.sum()
    assert effect.mean_bps == pytest.approx(1e4 * (NOISE[leak].mean() + 80e-4))
    assert effect.others_bps == pytest.approx(1e4 * NOISE[~leak].mean())


def test_the_same_noise_without_the_leak_is_left_alone():
    effect = strongest(DAYS, NOISE)
    assert effect is not None
    assert not effect.significant


def test_costs_on_one_day_do_not_make_the_other_days_special():
    effect = strongest(DAYS, NOISE + 4e-4 - 150e-4 * (ROW % 5 == 0))
    assert effect is not None
    assert effect.t > 4
    assert not effect.significant


def test_the_markets_own_weekday_is_not_held_against_a_book_that_follows_it():
    rng = np.random.default_rng(8)
    market = NOISE + 60e-4 * (WEEKDAY == 1)
    book = 1.2 * market + rng.normal(1e-4, 0.001, len(market))
    raw, active = strongest(DAYS, book), strongest(DAYS, book, market)
    assert raw is not None
    assert active is not None
    assert raw.significant
    assert not active.significant
    finding = day_finding(DAYS, book, market, Severity.FAILURE)
    assert finding.severity is Severity.PASS
    assert finding.evidence["raw"]["sessions"] == "Tuesdays"
    assert "beyond the market" in finding.message
    assert "beyond the market" not in day_finding(DAYS, book, None, Severity.FAILURE).message


def test_a_book_that_is_its_baseline_passes():
    finding = day_finding(DAYS, NOISE, NOISE, Severity.FAILURE)
    assert finding.severity is Severity.PASS
    assert "-0.0" not in finding.message


def test_a_leak_beyond_the_market_is_found_in_a_book_that_follows_it():
    leak = WEEKDAY == 4
    effect = strongest(DAYS, NOISE + 20e-4 * leak + 0.001 * np.sin(ROW), NOISE)
    assert effect is not None
    assert effect.significant
    assert effect.sessions == "Fridays"


def test_what_cannot_matter_is_not_found():
    tiny = 0.004 * MATERIAL_SHARPE * (WEEKDAY == 4) / 52
    market = NOISE
    effect = strongest(DAYS, NOISE + tiny + 1e-7 * np.sin(ROW), market)
    assert effect is not None
    assert effect.p_value < 0.01
    assert not effect.significant


def test_interest_that_comes_on_mondays_is_no_leak():
    assert strongest(DAYS, np.where(WEEKDAY == 0, 3, 1) * 0.04 / 365) is None


def test_too_few_returns_are_skipped():
    assert strongest(DAYS[:249], NOISE[:249]) is None
    finding = day_finding(DAYS[:249], NOISE[:249], None, Severity.FAILURE)
    assert finding.severity is Severity.SKIPPED
    assert "249 returns" in finding.message


def test_groups_are_those_of_the_calendar():
    groups = calendar_groups(np.arange("2024-01-01", "2024-04-01", dtype="datetime64[D]"))
    assert len(groups) == 7 + sum(range(2, 26)) + 3
    days = {name: np.flatnonzero(rows).tolist() for name, rows in groups.items()}
    assert days["Mondays"][:3] == [0, 7, 14]
    assert days["every 3 rows from 2024-01-02 on"][:3] == [1, 4, 7]
    assert days["last sessions of a month"] == [30, 59]
    assert days["last sessions of a month but one"] == [29, 58]
    assert days["first sessions of a month"] == [31, 60]


def test_without_lags_the_t_is_welchs():
    rng = np.random.default_rng(2)
    returns, rows = rng.normal(0.001, 0.01, 90), np.arange(90) % 3 == 0  # 4 (90 / 100)^(2 / 9) = 3.9 lags
    spaced = np.zeros(360)
    spaced[::4] = returns
    inside = np.zeros(360, dtype=bool)
    inside[::4] = rows
    against, alone = robust_t(spaced, inside[None])
    n = rows.sum()
    assert alone[0] == pytest.approx(returns[rows].mean() / (returns[rows].std() / np.sqrt(n)))
    assert against[0] == pytest.approx(spaced[inside].mean() / (returns[rows].std() / np.sqrt(n)), rel=0.5)


def test_the_t_against_the_others_is_the_regression_on_a_dummy():
    rng = np.random.default_rng(3)
    returns = NOISE[:400] + 0.3 * np.append(0.0, NOISE[:399])
    rows = rng.random(400) < 0.3
    design = np.column_stack([np.ones(400), rows])
    bread = np.linalg.inv(design.T @ design)
    coefficient = bread @ design.T @ returns
    score = design * (returns - design @ coefficient)[:, None]
    lags = int(4 * (400 / 100) ** (2 / 9))
    meat = score.T @ score
    for lag in range(1, lags + 1):
        cross = score[lag:].T @ score[:-lag]
        meat += (1 - lag / (lags + 1)) * (cross + cross.T)
    wanted = coefficient[1] / np.sqrt((bread @ meat @ bread)[1, 1])
    assert robust_t(returns, rows[None])[0][0] == pytest.approx(wanted, rel=1e-9)


def test_without_dispersion_there_is_no_evidence():
    against, alone = robust_t(np.full(40, 0.01), (np.arange(40) % 2 == 0)[None])
    assert against[0] == alone[0] == 0.0


@pytest.mark.parametrize("degrees", [19, 60, 500])
@pytest.mark.parametrize("t", [-3.0, 0.0, 1.5, 4.0, 6.0])
def test_the_tail_is_students(t, degrees):
    assert upper_tail(t, degrees) == pytest.approx(stats.t.sf(t, degrees), rel=0.03)


def test_scaling_knows_only_the_past():
    later = NOISE.copy()
    later[700:] = np.random.default_rng(1).permutation(later[700:])  # the same mean square of the whole
    was, now = risk_scaled(NOISE), risk_scaled(later)
    np.testing.assert_allclose(now[:700], was[:700], rtol=1e-12)
    assert now[700] / later[700] == pytest.approx(was[700] / NOISE[700], rel=1e-12)
    assert now[701] / later[701] != pytest.approx(was[701] / NOISE[701], rel=1e-6)
    spread = [was[i : i + 500].std() for i in (0, 500, 1000)]
    assert max(spread) / min(spread) < 1.2
    assert not risk_scaled(np.zeros(30)).any()


def test_the_first_move_after_a_still_stretch_does_not_decide():
    still = NOISE.copy()
    still[400:1000] = 0.0
    still[1000] = 0.02
    assert risk_scaled(still)[1000] == pytest.approx(0.02 / (0.5 * np.sqrt(np.mean(still**2))))


def test_returns_that_bounce_do_not_sharpen_the_test():
    bounce, rows = np.diff(NOISE[:401]), np.arange(400) % 40 < 20
    inside, outside = bounce[rows], bounce[~rows]
    plain = (inside.mean() - outside.mean()) / np.sqrt(
        inside.var() / len(inside) + outside.var() / len(outside)
    )
    against, alone = robust_t(bounce, rows[None])
    assert against[0] == pytest.approx(plain, rel=1e-6)
    assert alone[0] == pytest.approx(inside.mean() / (inside.std() / np.sqrt(len(inside))), rel=1e-6)


def test_beyond_the_market_nothing_of_it_is_left():
    rest = beyond_market(1.3 * NOISE + 1e-4, NOISE)
    np.testing.assert_allclose(rest, 1e-4, atol=1e-15)
    np.testing.assert_array_equal(beyond_market(NOISE, np.zeros_like(NOISE)), NOISE)


def test_honest_series_do_not_fail():
    effects = [strongest(days, returns) for days, returns in honest(11, 25, rows=1260)]
    assert not any(effect is None or effect.significant for effect in effects)


def test_a_book_that_sees_the_fill_session_is_warned_about_and_named():
    (finding,) = RebalanceDay().run(subject(weekly_foresight))
    assert finding.severity is Severity.WARNING
    assert finding.check == "D3"
    assert finding.evidence["sessions"] == "sessions of a fill"
    assert "sessions of a fill earn" in finding.message
    assert finding.remedy


def test_an_honest_monthly_book_passes():
    (finding,) = RebalanceDay().run(subject(month_end_book))
    assert finding.severity is Severity.PASS
    assert finding.remedy == ""


def test_decisions_are_tested_only_where_the_calendar_makes_them():
    monthly, stopped = subject(month_end_book), subject(chosen_by_stops)
    groups = decision_groups(monthly)
    assert set(groups) == {"sessions of a fill", "sessions of a decision"}
    np.testing.assert_array_equal(groups["sessions of a fill"][1:], groups["sessions of a decision"][:-1])
    first = monthly.panel.start_row
    np.testing.assert_array_equal(groups["sessions of a decision"], monthly.panel.month_end[first + 1 :])
    assert set(decision_groups(stopped)) == {"sessions of a fill"}
    (finding,) = RebalanceDay().run(stopped)
    assert finding.severity is Severity.PASS


def made(check, severity):
    return Finding(check, "title", severity, "message")


def test_day_effects_are_failures_only_beside_an_exact_failure():
    warned = [made("D2", Severity.WARNING), made("D3", Severity.WARNING), made("D15", Severity.WARNING)]
    assert escalate(warned) == tuple(warned)
    soft = [*warned, made("D1", Severity.WARNING), made("D4", Severity.FAILURE)]
    assert escalate(soft) == tuple(soft)
    for exact in ("D1", "D5", "D7", "D8", "D12", "D14", "D19"):
        told = escalate([*warned, made(exact, Severity.FAILURE), made("D2", Severity.PASS)])
        assert [f.severity.value for f in told] == ["failure", "failure", "warning", "failure", "pass"]


@pytest.mark.parametrize("lag", [0, 2])
def test_the_session_of_a_fill_follows_the_accounts_own_lag(lag):
    audited = subject(month_end_book, AccountConfig(shares="fractional", exec_lag=lag))
    decide = audited.targets.decide[audited.panel.start_row :]
    filled = decision_groups(audited)["sessions of a fill"]
    np.testing.assert_array_equal(filled[lag:], decide[1 : len(decide) - lag])
