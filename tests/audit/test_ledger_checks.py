"""D9: trials and contaminated windows as the ledger has them; D13: one series behind every figure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ares7.audit.finding import Severity
from ares7.audit.identity import OneSeries, headline, rebuilt_account
from ares7.audit.ledger_checks import TrialCount
from ares7.config import AccountConfig
from ares7.costs import BpsCosts, IbkrFixedCosts
from ares7.metrics import performance
from tests.audit.leaky_books import cash, month_end_book, subject
from tests.audit.planting import subject_of
from tests.contracts.panels import cases, market

PANEL = market(1, 760)
TRIALS = {"count": 90, "distinct": 45, "effective": 7}
LUCK = {"dsr": 0.61, "active_dsr": 0.12, "psr": 0.99, "active_psr": 0.7, "threshold": 0.8}
TOUCH = {
    "name": "OOS1",
    "start": "2020-01-02",
    "end": "2021-12-31",
    "run": "grid-1",
    "reason": "grid: best by OOS1",
}


def told(ledger):
    return list(TrialCount().run(replace(subject(cash, panel=PANEL), ledger=ledger)))


def test_trials_and_deflated_ratios_are_told():
    (finding,) = told({"trials": TRIALS, "luck": LUCK, "touched": []})
    assert finding.severity is Severity.PASS
    assert finding.check == "D9"
    for number in ("trials on this market: 90", "45 distinct", "about 7", "0.61", "0.12"):
        assert number in finding.message
    assert finding.evidence["effective"] == 7
    assert finding.evidence["active_dsr"] == 0.12


def test_a_ratio_that_is_not_defined_is_said_to_be_so():
    (finding,) = told({"trials": TRIALS, "luck": LUCK | {"active_dsr": float("nan")}, "touched": []})
    assert "not defined of active" in finding.message
    assert finding.evidence["active_dsr"] is None


def test_touched_windows_are_contaminated_and_named_once():
    again = TOUCH | {"run": "walkforward-2"}
    findings = told({"trials": TRIALS, "luck": LUCK, "touched": [TOUCH, again]})
    assert [f.severity for f in findings] == [Severity.PASS, Severity.WARNING]
    warning = findings[1]
    assert warning.message.count("OOS1 (2020-01-02 to 2021-12-31)") == 1
    assert "grid-1, walkforward-2" in warning.message
    assert "selection-contaminated" in warning.message
    assert warning.evidence["windows"] == [{"name": "OOS1", "start": "2020-01-02", "end": "2021-12-31"}]
    assert warning.remedy


def test_many_windows_are_counted():
    many = [TOUCH | {"name": f"W{i}", "run": f"run-{i}"} for i in range(7)]
    warning = told({"trials": TRIALS, "luck": LUCK, "touched": many})[1]
    assert "and 4 more" in warning.message
    assert len(warning.evidence["windows"]) == 7


def test_without_a_ledger_nothing_is_known():
    (finding,) = told({})
    assert finding.severity is Severity.SKIPPED


# D13

ACCOUNTS = {
    "whole": (AccountConfig(), BpsCosts(bps=10)),
    "fractional": (AccountConfig(shares="fractional"), IbkrFixedCosts()),
    "interest": (AccountConfig(cash_rate=0.04), BpsCosts(bps=10)),
    "late": (AccountConfig(exec_lag=3), BpsCosts(bps=10)),
}


def audited(name="regime_ensemble", account="whole", **changes):
    strategy, params = cases()[name]
    owner, costs = ACCOUNTS[account]
    return replace(subject_of(strategy.weights, params, PANEL), account=owner, costs=costs, **changes)


def judged(of):
    return list(OneSeries().run(of))


@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize("name", ["regime_ensemble", "equal_weight"])
def test_an_honest_run_agrees_with_its_fills_and_its_figures(name, account):
    (finding,) = judged(audited(name, account))
    assert finding.severity is Severity.PASS, finding.message
    assert finding.check == "D13"
    assert finding.evidence["final_nav"] > 0


def test_the_account_is_rebuilt_from_the_fills():
    of = audited()
    cash_left, positions = rebuilt_account(of)
    np.testing.assert_allclose(cash_left, of.run.cash, rtol=1e-12, atol=1e-6)
    np.testing.assert_allclose(cash_left + positions, of.run.nav, rtol=1e-12)


def tampered(of, **columns):
    of.__dict__["run"] = replace(of.run, **columns)
    return of


def test_a_nav_that_is_not_the_account_is_named_by_its_first_session():
    of = audited()
    nav = of.run.nav.copy()
    nav[300:] *= 1.0 + 1e-8
    finding = judged(tampered(of, nav=nav))[0]
    assert finding.severity is Severity.FAILURE
    assert finding.evidence["first_date"] == str(of.run.dates[300])
    assert finding.evidence["sessions"] == len(nav) - 300
    assert "not cash and positions" in finding.message


def test_cash_that_fills_did_not_leave_is_seen():
    of = audited()
    extra = np.where(np.arange(len(of.run.cash)) >= 100, 500.0, 0.0)
    finding = judged(tampered(of, cash=of.run.cash + extra, nav=of.run.nav + extra))[0]
    assert finding.severity is Severity.FAILURE
    assert "cash is not what the fills left" in finding.message
    assert finding.evidence["first_date"] == str(of.run.dates[100])


def test_returns_scaled_after_the_fact_are_seen():
    of = audited()
    gains = of.run.nav[1:] / of.run.nav[:-1] - 1.0
    scaled = of.run.nav[0] * np.cumprod(np.append(1.0, 1.0 + 0.5 * gains))
    assert any(f.severity is Severity.FAILURE for f in judged(tampered(of, nav=scaled)))


@pytest.mark.parametrize("figure", ["sharpe", "cagr", "volatility", "max_drawdown", "final_nav"])
def test_a_figure_of_another_run_is_seen(figure):
    of = audited()
    stated = performance(of.run.dates, of.run.nav)
    assert judged(replace(of, ledger={"performance": stated}))[0].severity is Severity.PASS
    finding = judged(replace(of, ledger={"performance": stated | {figure: stated[figure] * (1 + 1e-7)}}))[0]
    assert finding.severity is Severity.FAILURE
    assert finding.evidence["figures"].keys() == {figure}
    assert "the report" in finding.message


def test_a_figure_that_is_missing_from_the_report_is_none():
    of = audited()
    finding = judged(replace(of, ledger={"performance": {"sharpe": None}}))[0]
    assert finding.severity is Severity.FAILURE
    assert finding.evidence["figures"]["sharpe"]["stated"] is None


def test_a_metric_that_is_computed_wrongly_is_seen(monkeypatch):
    wrong = performance(np.array(["2020-01-01"], "datetime64[D]"), np.ones(1))
    monkeypatch.setattr("ares7.audit.identity.performance", lambda *given: {**wrong, "sharpe": 3.2})
    finding = judged(audited())[0]
    assert finding.severity is Severity.FAILURE
    assert "ares7.metrics" in finding.message


def test_a_book_in_cash_has_no_sharpe_ratio_and_passes():
    (finding,) = judged(subject(cash, panel=PANEL))
    assert finding.severity is Severity.PASS


def test_a_run_without_figures_fails():
    of = audited()
    finding = judged(tampered(of, nav=np.full(len(of.run.nav), np.nan)))[0]
    assert finding.severity is Severity.FAILURE


def test_headline_figures_by_hand():
    figures = headline(np.array([100.0, 110.0, 99.0]))
    assert figures["total_return"] == pytest.approx(-0.01)
    assert figures["max_drawdown"] == pytest.approx(0.1)
    assert figures["volatility"] == pytest.approx(np.sqrt(0.02 * 252))
    assert figures["sharpe"] == pytest.approx(0.0)
    assert figures["cagr"] == pytest.approx(0.99 ** (252 / 2) - 1)


@pytest.mark.parametrize("risk_free", [0.0, 0.03])
def test_headline_figures_are_those_of_metrics(risk_free):
    run = subject(month_end_book, panel=PANEL).run
    stated = performance(run.dates, run.nav, risk_free)
    for name, value in headline(run.nav, risk_free).items():
        assert value == pytest.approx(stated[name], rel=1e-12, abs=1e-15)
