"""D8, D14, D15, D16: each way in which an account can lie is caught and named; honest accounts pass."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from ares7.audit.capacity import CostScenarios, Participation
from ares7.audit.execution import CostReconciliation, FillsInsideTheBar
from ares7.audit.finding import Severity, worst
from ares7.audit.subject import Subject
from ares7.config import AccountConfig, Config
from ares7.costs import BpsCosts, IbkrFixedCosts
from ares7.ledger import OrderKind
from strategies import registry
from tests.contracts.panels import market, with_fields

TEN = BpsCosts(bps=10)


class Told:
    """A ledger that says what it is told to say."""

    def __init__(self, fills, orders):
        self.fills, self.orders = fills, orders


@cache
def real_run(name="regime_ensemble", costs=TEN):
    return subject(name, costs=costs).run


def subject(name="regime_ensemble", panel=None, costs=TEN, config=None, weights=None, **account) -> Subject:
    strategy = registry.resolve(name)
    panel = market() if panel is None else panel
    settings = registry.settings(strategy, {})
    sessions = len(panel.dates) - panel.start_row
    return Subject(
        name,
        weights or strategy.weights,
        settings,
        panel,
        AccountConfig(**account),
        costs,
        np.linspace(1.0, 1.2, sessions),
        config,
    )


def lying(given: Subject | None = None, orders=None, curve=None, **fills) -> Subject:
    """A subject whose record says something else than what was done."""
    given = given or subject()
    run = given.run
    told = Told(replace(run.ledger.fills, **fills), replace(run.ledger.orders, **(orders or {})))
    given.__dict__["run"] = replace(run, ledger=told, **(curve or {}))
    return given


def ledger(given: Subject):
    return given.run.ledger.fills, given.run.ledger.orders


def at(given: Subject, name: str):
    """Price of each fill's session."""
    fills = given.run.ledger.fills
    return given.bars.prices[name][np.searchsorted(given.run.dates, fills.date), fills.symbol]


def ordinary(given: Subject):
    fills, orders = ledger(given)
    return orders.kind[fills.order] != OrderKind.DELISTING


def failures(check, given):
    found = list(check.run(given))
    assert {f.check for f in found} == {check.id}
    return [f for f in found if f.severity is Severity.FAILURE]


# Fees and the account


@pytest.mark.parametrize("costs", [TEN, IbkrFixedCosts(), IbkrFixedCosts(slippage_bps=3)])
@pytest.mark.parametrize("shares", ["whole", "fractional"])
def test_an_honest_account_reconciles_to_the_cent(costs, shares):
    found = CostReconciliation().run(subject(costs=costs, shares=shares))
    assert [f.severity for f in found] == [Severity.PASS] * 3


def test_interest_and_financing_are_part_of_the_account():
    found = CostReconciliation().run(subject(cash_rate=0.04))
    assert worst(found) is Severity.PASS
    margin = subject(cash_rate=0.01, margin=True, financing_bps=300)
    assert worst(CostReconciliation().run(margin)) is Severity.PASS


def test_a_fee_off_by_ten_fails_against_the_declared_costs():
    given = subject(costs=BpsCosts(bps=1), config=Config(costs=TEN))
    (fee,) = failures(CostReconciliation(), given)
    assert "0.1 times" in fee.message
    assert fee.evidence["fees_bps"] == pytest.approx(1.0)
    assert fee.evidence["first_date"] == str(given.run.ledger.fills.date[0])
    assert fee.remedy


def test_fees_on_buys_only_fail_and_name_the_sales():
    fills, _ = ledger(subject())
    (fee, *_) = failures(CostReconciliation(), lying(fee=np.where(fills.quantity > 0, fills.fee, 0.0)))
    assert "sales paid 0.00" in fee.message
    assert "buys" not in fee.evidence["groups"]


def test_free_regime_switches_fail_and_are_named():
    fills, orders = ledger(subject())
    free = np.where(orders.on_switch[fills.order], 0.0, fills.fee)
    (fee, *_) = failures(CostReconciliation(), lying(fee=free))
    assert "regime switches paid 0.00" in fee.message
    assert "other decisions" not in fee.evidence["groups"]


def test_switches_without_any_fill_fail_in_the_account():
    fills, orders = ledger(subject())
    kept = ~orders.on_switch[fills.order]
    columns = ("date", "symbol", "quantity", "price", "fee", "order")
    given = lying(**{name: getattr(fills, name)[kept] for name in columns})
    (account,) = failures(CostReconciliation(), given)
    assert "cash of" in account.message
    assert account.evidence["first_date"] == str(fills.date[~kept][0])


def test_fees_that_are_written_down_but_not_paid_fail_in_the_account():
    free = real_run(costs=BpsCosts(bps=0))
    given = subject()
    fills = free.ledger.fills
    told = Told(replace(fills, fee=TEN.fees(fills.quantity, fills.price)), free.ledger.orders)
    given.__dict__["run"] = replace(free, ledger=told)
    (account,) = failures(CostReconciliation(), given)
    assert "cash of" in account.message


def test_a_nav_that_is_not_what_is_held_fails():
    nav = real_run().nav.copy()
    nav[500:] *= 1.01
    (account,) = failures(CostReconciliation(), lying(curve={"nav": nav}))
    assert account.message.startswith(f"NAV of {real_run().dates[500]}")


def test_paying_nothing_is_a_warning():
    found = list(CostReconciliation().run(subject(costs=BpsCosts(bps=0))))
    assert found[0].severity is Severity.WARNING
    assert "paying nothing" in found[0].message


def test_trading_half_of_what_the_rows_ask_for_is_a_warning():
    given = subject()
    halved = replace(given.targets, decide=given.targets.decide & (np.arange(len(given.panel.dates)) % 3 > 0))
    given.__dict__["run"] = given.simulated(halved)
    *_, turnover = CostReconciliation().run(given)
    assert turnover.severity is Severity.WARNING
    assert turnover.evidence["traded_turnover"] < turnover.evidence["implied_turnover"]


def test_implied_turnover_has_the_drift_between_decisions_in_it():
    """A constant mix trades although its target row never changes."""
    *_, turnover = CostReconciliation().run(subject("fixed_mix"))
    *_, equal = CostReconciliation().run(subject("equal_weight"))
    assert turnover.evidence["implied_turnover"] > 0
    assert equal.evidence["implied_turnover"] == pytest.approx(equal.evidence["traded_turnover"], rel=0.02)


# Prices


def test_honest_fills_are_at_the_next_open():
    (finding,) = FillsInsideTheBar().run(subject())
    assert finding.severity is Severity.PASS
    assert finding.evidence["delisting_exits"] > 0


@pytest.mark.parametrize(("name", "word"), [("close", "close"), ("low", "low")])
def test_fills_at_another_price_of_the_session_fail_and_name_it(name, word):
    given = subject()
    prices = np.where(ordinary(given), at(given, name), given.run.ledger.fills.price)
    (finding,) = failures(FillsInsideTheBar(), lying(given, price=prices))
    assert f"at the session's {word}" in finding.message


def test_fills_at_the_close_of_the_deciding_session_fail():
    given = subject()
    fills, orders = ledger(given)
    prices = np.where(ordinary(given), orders.close[fills.order], fills.price)
    (finding,) = failures(FillsInsideTheBar(), lying(given, price=prices))
    assert "at the close that decided them" in finding.message


def test_fills_in_the_deciding_session_fail():
    given = subject()
    fills, orders = ledger(given)
    found = failures(FillsInsideTheBar(), lying(given, date=orders.decided[fills.order]))
    assert "not after the session whose close decided them" in found[0].message
    assert found[0].evidence["fills"] == int(ordinary(given).sum())


def test_fills_below_the_low_are_outside_the_range():
    given = subject()
    prices = np.where(ordinary(given), at(given, "low") * 0.99, given.run.ledger.fills.price)
    (finding,) = failures(FillsInsideTheBar(), lying(given, price=prices))
    assert "outside its range" in finding.message


def test_an_execution_lag_of_zero_fails():
    given = subject(exec_lag=0)
    assert any("exec_lag 0" in f.message for f in failures(FillsInsideTheBar(), given))


def test_a_later_execution_passes():
    assert failures(FillsInsideTheBar(), subject(exec_lag=3)) == []
    assert worst(CostReconciliation().run(subject(exec_lag=3))) is Severity.PASS


def test_orders_outside_the_decide_mask_fail():
    given = subject()
    daily = replace(given.targets, decide=np.arange(len(given.panel.dates)) >= given.panel.start_row)
    given.__dict__["run"] = given.simulated(daily)
    (finding,) = failures(FillsInsideTheBar(), given)
    assert "decides nothing" in finding.message


def test_a_fill_without_a_bar_fails():
    given = subject()
    fills, _ = ledger(given)
    panel = given.panel
    rows = np.searchsorted(panel.dates, fills.date)
    first = int(np.flatnonzero(ordinary(given))[40])
    close = panel.fields["close"].copy()
    close[rows[first], fills.symbol[first]] = np.nan
    honest = given.run
    other = subject(panel=with_fields(panel, close=close))
    other.__dict__["run"] = honest
    other.__dict__["targets"] = given.targets
    found = failures(FillsInsideTheBar(), other)
    assert "in which the name has no bar" in found[0].message
    assert found[0].evidence["symbol"] == fills.symbols[fills.symbol[first]]


def test_a_delisting_exit_above_the_last_close_fails():
    given = subject()
    prices = np.where(ordinary(given), given.run.ledger.fills.price, given.run.ledger.fills.price * 1.2)
    (finding,) = failures(FillsInsideTheBar(), lying(given, price=prices))
    assert "delisting exits other than at the last close" in finding.message


def test_a_fill_on_no_session_fails():
    given = subject()
    fills, _ = ledger(given)
    dates = fills.date.copy()
    dates[-1] = given.run.dates[-1] + np.timedelta64(1, "D")
    found = failures(FillsInsideTheBar(), lying(given, date=dates))
    assert any("no session of the run" in f.message for f in found)


def test_an_open_outside_its_own_bar_warns_about_the_data():
    panel = market()
    low = panel.fields["low"] + 0.999 * (panel.fields["high"] - panel.fields["low"])
    (finding,) = FillsInsideTheBar().run(subject(panel=with_fields(panel, low=low)))
    assert finding.severity is Severity.WARNING
    assert "their own bar's range" in finding.message


def test_without_a_fill_there_is_nothing_to_check():
    def cash(panel, settings):
        targets = registry.resolve("equal_weight").weights(
            panel, registry.settings(registry.resolve("equal_weight"), {})
        )
        return replace(targets, weights=np.zeros(panel.shape))

    for check in (CostReconciliation(), FillsInsideTheBar(), Participation(), CostScenarios()):
        (finding,) = check.run(subject(weights=cash))
        assert finding.severity is Severity.SKIPPED


# Volume and costs


def test_participation_counts_shares_as_they_are_traded():
    """Half the traded price means twice the shares, against the same volume."""
    panel = market()
    (once,) = Participation().run(subject(panel=with_fields(panel, price=panel.fields["close"])))
    (twice,) = Participation().run(subject(panel=with_fields(panel, price=panel.fields["close"] / 2)))
    assert twice.evidence["median"] == pytest.approx(2 * once.evidence["median"])


def test_a_small_account_in_liquid_names_passes_and_a_large_one_does_not():
    liquid = with_fields(market(), volume=market().fields["volume"] * 1e5)
    (small,) = Participation().run(subject(panel=liquid))
    assert small.severity is Severity.PASS
    (large,) = Participation().run(subject(panel=liquid, cash=1e12))
    assert large.severity is Severity.WARNING
    assert large.evidence["notional_above_limit"] > 0.01
    assert large.evidence["worst_symbol"] in liquid.symbols


def test_a_fill_on_a_day_without_volume_is_named():
    given = subject()
    fills, _ = ledger(given)
    volume = market().fields["volume"] * 1e3
    first = int(np.flatnonzero(ordinary(given))[10])
    volume[np.searchsorted(market().dates, fills.date[first]), fills.symbol[first]] = 0.0
    (finding,) = Participation().run(subject(panel=with_fields(market(), volume=volume)))
    assert finding.severity is Severity.WARNING
    assert finding.evidence["fills_without_volume"] == 1
    assert finding.evidence["first_date"] == str(fills.date[first])
    assert finding.evidence["symbol"] == fills.symbols[fills.symbol[first]]


def test_without_volume_participation_is_skipped():
    panel = market()
    silent = replace(panel, fields={k: v for k, v in panel.fields.items() if k != "volume"})
    (finding,) = Participation().run(subject(panel=silent))
    assert finding.severity is Severity.SKIPPED


def test_cost_scenarios_are_the_runs_at_those_costs():
    given = subject()
    (finding,) = CostScenarios().run(given)
    ratios = [finding.evidence[f"sharpe_{bps}_bps"] for bps in (5, 10, 15, 20)]
    assert ratios == sorted(ratios, reverse=True)
    returns = given.returns
    assert ratios[1] == pytest.approx(returns.mean() / returns.std(ddof=1) * np.sqrt(252))
    assert all(f"at {bps} bps" in finding.message for bps in (5, 10, 15, 20))


def test_an_advantage_that_costs_eat_is_a_warning():
    given = subject()
    nav = given.simulated(costs=BpsCosts(bps=12)).nav
    (finding,) = CostScenarios().run(replace(given, baseline_nav=nav))
    assert finding.severity is Severity.WARNING
    assert "advantage over the baseline is gone" in finding.message


def test_a_profit_that_costs_eat_is_a_warning():
    rows = np.arange(len(market().dates))
    rise = np.exp(0.0006 * rows)[:, None]
    rising = {name: market().fields[name] * rise for name in ("open", "high", "low", "close")}
    given = subject("equal_weight", with_fields(market(), **rising))
    out_and_in = given.targets.weights * (rows // 5 % 2 == 0)[:, None]
    often = replace(
        given.targets, weights=out_and_in, decide=(rows % 5 == 0) & (rows >= given.panel.start_row)
    )
    given.__dict__["targets"] = often
    (finding,) = CostScenarios().run(given)
    assert finding.severity is Severity.WARNING
    assert "the profit is gone between 5 and 20 bps" in finding.message


def test_an_account_that_is_ruined_at_some_costs_is_a_warning():
    given = subject()
    run = given.run

    def ruined(*, costs):
        nav = run.nav.copy()
        nav[300:] -= 0.0 if costs.bps < 20 else 1e7
        return replace(run, nav=nav)

    given.__dict__["simulated"] = ruined
    (finding,) = CostScenarios().run(given)
    assert finding.severity is Severity.WARNING
    assert finding.evidence["sharpe_20_bps"] is None


def test_an_advantage_within_its_standard_error_is_none_to_lose():
    given = subject()
    nav = given.simulated(costs=BpsCosts(bps=12)).nav
    noise = np.random.default_rng(2).normal(0.0, 0.0012, len(nav))
    (finding,) = CostScenarios().run(
        replace(given, baseline_nav=nav * np.cumprod(1.0 + noise - noise.mean()))
    )
    assert finding.evidence["active_sharpe_5_bps"] > 0 > finding.evidence["active_sharpe_20_bps"]
    assert finding.severity is Severity.PASS


def test_the_baseline_itself_is_not_measured_against_itself():
    given = subject("equal_weight")
    (finding,) = CostScenarios().run(replace(given, baseline_nav=given.run.nav))
    assert finding.severity is Severity.PASS
    assert "active" not in finding.message
