"""D4: what sees the future earns on null markets, and nothing else does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ares7.audit.finding import Severity
from ares7.audit.null_market import FAILURE_T, NullGains, NullMarkets, gains, pooled_t
from ares7.audit.null_panel import draw, null_model
from ares7.audit.subject import Subject
from ares7.book import Targets
from ares7.config import AccountConfig
from ares7.errors import MissingData
from tests.audit.leaky import PLANTED
from tests.audit.leaky_books import ACCOUNT, cash, held, month_end_book, subject, weekly_foresight
from tests.audit.planting import subject_of
from tests.contracts.panels import DATA, cases, market, real_sample

PANEL = market(1, 760)
CASES = cases()
SHIPPED = [name for name in CASES if " " not in name]


def daily(panel):
    return np.ones(len(panel.dates), dtype=bool)


def moves(panel):
    close = panel.fields["close"]
    return np.nan_to_num(np.vstack([close[:1] * np.nan, close[1:] / close[:-1] - 1.0]))


def winners_of_the_day(panel, settings):
    """Yesterday's winners, honest: harmless unless the account trades them before their day is over."""
    usable = panel.bar & panel.is_stock & panel.member
    place = np.argsort(np.argsort(np.where(usable, -moves(panel), np.inf), axis=1), axis=1)
    chosen = (place < 8) & usable
    return held(panel, daily(panel), 0.95 * chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1))


def invested_before_calm(panel, settings):
    """All stocks, or nothing when tomorrow's VIX is higher than today's."""
    vix = panel.series["vix"]
    rising = np.append(vix[1:] > vix[:-1], False)
    base = month_end_book(panel, settings)
    return held(panel, daily(panel), base.weights * ~rising[:, None])


def judged(weights, account=ACCOUNT, panel=PANEL):
    (finding,) = NullMarkets().run(subject(weights, account, panel))
    return finding


def test_a_book_that_sees_tomorrow_fails_by_its_choice_of_names():
    finding = judged(weekly_foresight)
    assert finding.severity is Severity.FAILURE
    assert finding.check == "D4"
    assert finding.evidence["selection_t"] > FAILURE_T
    assert finding.evidence["selection_t"] > finding.evidence["timing_t"]
    assert finding.evidence["selection_alpha"] > 0.1
    assert "tomorrow's prices" in finding.remedy


def test_a_book_that_sees_tomorrows_vix_fails_by_its_timing():
    finding = judged(invested_before_calm)
    assert finding.severity is Severity.FAILURE
    assert finding.evidence["timing_t"] > FAILURE_T
    assert "tomorrow's market" in finding.remedy


def test_an_account_that_fills_before_the_decision_fails():
    honest = judged(winners_of_the_day)
    assert honest.severity is Severity.PASS
    early = judged(winners_of_the_day, AccountConfig(shares="fractional", exec_lag=0))
    assert early.severity is Severity.FAILURE
    assert early.evidence["selection_t"] > 10


class FilledAtTheClose(Subject):
    """An engine that fills at the close that decided."""

    def simulated(self, targets=None, **how):
        close = self.panel.fields["close"]
        opening = np.vstack([close[:1], close[:-1]])
        opening = np.where(np.isfinite(opening), opening, close)
        cheated = replace(
            self.panel, fields={**self.panel.fields, "open": np.where(self.panel.bar, opening, np.nan)}
        )
        return Subject(
            self.name, self.weights, self.settings, cheated, self.account, self.costs, self.baseline_nav
        ).simulated(self.targets if targets is None else targets, **how)


def gap_follower(panel, settings):
    """Names whose next open is higher: known by nobody; worthless at that open, and worth all at the close before."""
    opening, close = panel.fields["open"], panel.fields["close"]
    gap = np.vstack([opening[1:] / close[:-1] - 1.0, np.zeros(panel.shape[1])])
    usable = panel.bar & panel.is_stock & panel.member
    chosen = usable & (np.nan_to_num(gap) > 0.005)
    return held(panel, daily(panel), 0.95 * chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1))


def test_an_engine_that_fills_at_prices_of_the_past_is_seen():
    base = subject(gap_follower, panel=PANEL)
    names = ("name", "weights", "settings", "panel", "account", "costs", "baseline_nav")
    (finding,) = NullMarkets().run(FilledAtTheClose(*(getattr(base, name) for name in names)))
    assert finding.severity is Severity.FAILURE


SEEN = (
    "centred_moving_average",
    "ranking_by_full_period_return",
    "whole_series_haar_wavelet",
    "prices_divided_by_the_last_price",
)


@pytest.mark.parametrize("bug", SEEN)
def test_a_planted_leak_of_prices_earns_on_null_markets(bug):
    planted = PLANTED[bug]
    (finding,) = NullMarkets().run(subject_of(planted.weights, planted.settings, market(4, 1150)))
    assert finding.severity is Severity.FAILURE, finding.message


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_strategy_passes(name):
    strategy, params = CASES[name]
    (finding,) = NullMarkets().run(subject_of(strategy.weights, params, PANEL))
    assert finding.severity is Severity.PASS, finding.message


@pytest.mark.real_data
@pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder")
@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_strategy_passes_on_real_data(name):
    strategy, params = CASES[name]
    (finding,) = NullMarkets().run(subject_of(strategy.weights, params, real_sample()))
    assert finding.severity is Severity.PASS, finding.message


def test_a_book_in_cash_earns_nothing():
    finding = judged(cash)
    assert finding.severity is Severity.PASS
    assert finding.evidence["selection_t"] == 0.0
    assert finding.evidence["timing_alpha"] == 0.0


def test_interest_and_costs_are_no_part_of_it():
    account = AccountConfig(shares="fractional", cash_rate=0.05)
    assert judged(cash, account).evidence["selection_alpha"] == 0.0


def test_what_is_held_earns_what_it_was_expected_to():
    """One stock bought once: every dollar of its gain is premium, market or its own move."""
    stock = PANEL.symbols.index("S20")

    def one(panel, settings):
        weights = np.zeros(panel.shape)
        weights[panel.start_row :, stock] = 0.9
        decide = np.arange(len(panel.dates)) == panel.start_row
        return Targets(weights, decide, np.zeros_like(decide))

    model = null_model(PANEL)
    there = draw(model, np.random.default_rng(2))
    audited = subject(one, panel=PANEL)
    got = gains(audited, model, there)
    first = PANEL.start_row
    close, opening = there.panel.fields["close"][:, stock], there.panel.fields["open"][:, stock]
    run = replace(audited, panel=there.panel).simulated(costs=audited.costs.model_copy(update={"bps": 0.0}))
    shares = 0.9 * 1e6 / close[first]
    night, day = opening[1:] / close[:-1] - 1.0, close[1:] / opening[1:] - 1.0
    own = np.array([night, day]) - there.surprise[:, 1:] * model.beta[stock] - model.expected[:, [stock]]
    wanted = shares * (close[:-1] * own[0] + opening[1:] * own[1])[first + 1 :] / run.nav[1:-1]
    np.testing.assert_allclose(got.selection[1:], wanted, atol=1e-12)
    exposure = shares * close[first + 1 : -1] * model.beta[stock] / run.nav[1:-1]
    np.testing.assert_allclose(got.exposure[0, 1:], exposure, rtol=1e-12)


def test_timing_is_what_unusual_exposure_earns_of_the_surprises():
    rng = np.random.default_rng(1)
    exposure, surprise = rng.random((2, 7)), rng.normal(size=(2, 7))
    got = NullGains(np.zeros(7), exposure, surprise).timing(np.array([0.4, 0.6]))
    np.testing.assert_allclose(got, (exposure[0] - 0.4) * surprise[0] + (exposure[1] - 0.6) * surprise[1])


def test_a_book_that_loses_what_nobody_can_foretell_fails_too():
    def losers(panel, settings):
        opposite = weekly_foresight(panel, settings)
        usable = panel.bar & panel.is_stock & panel.member
        rest = usable & (opposite.weights == 0)
        return held(panel, panel.week_end, 0.95 * rest / np.maximum(rest.sum(axis=1, keepdims=True), 1))

    finding = judged(losers)
    assert finding.severity is Severity.FAILURE
    assert finding.evidence["selection_t"] < -FAILURE_T


def test_the_t_is_the_sum_over_the_root_of_squares():
    series = [np.array([1.0, -2.0]), np.array([3.0])]
    t, yearly = pooled_t(series)
    assert t == pytest.approx(2.0 / np.sqrt(14.0))
    assert yearly == pytest.approx(252 * 2.0 / 3.0)
    assert pooled_t([np.zeros(5)]) == (0.0, 0.0)


def test_the_same_seed_gives_the_same_finding_and_another_one_other_draws():
    first, again = judged(month_end_book), judged(month_end_book)
    assert first == again
    other = replace(subject(month_end_book, panel=PANEL), seed=8)
    assert NullMarkets().run(other)[0].evidence != first.evidence


def test_too_short_a_run_is_not_judged():
    (finding,) = NullMarkets(draws=2).run(subject(month_end_book, panel=PANEL.rows(0, 300)))
    assert finding.severity is Severity.SKIPPED
    assert "29 returns" in finding.message


def test_a_strategy_that_refuses_null_data_is_not_judged():
    def refusing(panel, settings):
        if not np.array_equal(panel.series["vix"], PANEL.series["vix"]):
            raise MissingData("my own table has no such day")
        return month_end_book(panel, settings)

    finding = judged(refusing)
    assert finding.severity is Severity.SKIPPED
    assert "my own table has no such day" in finding.message
