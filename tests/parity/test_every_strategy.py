"""C5: the compiled twin and the event-driven engine agree on every registered strategy, panel and account."""

import itertools

import numpy as np
import pytest

from ares7.book import delayed
from strategies import registry
from tests.contracts import panels as contracts
from tests.engine.panels import market
from tests.parity.comparing import COMPILED, assert_engines_agree

MIX = {"fixed_mix": {"mix": {"SPY": 0.5, "TLT": 0.3, "S01": 0.2}}}
PANELS = {"holes": True, "clean": False}
SHARES, GROSS, CASH = ("whole", "fractional"), (0.98, 1.0), (1e6, 1e4)
COST_MODELS = ("bps", "fixed", "tiered")
ACCOUNTS = {
    "interest": {"cash_rate": 0.04},
    "every_order": {"min_trade_nav": 0.0},
    "large_orders": {"min_trade_nav": 0.02},
    "margin": {"margin": True, "financing_bps": 250.0, "gross": 1.6},
    "free_margin": {"margin": True, "financing_bps": 0.0, "gross": 2.0},
}


@pytest.fixture(scope="module")
def markets():
    return {name: market(stocks=20, holes=holes) for name, holes in PANELS.items()}


@pytest.fixture(scope="module")
def long_market():
    panel = contracts.market()
    return panel if COMPILED else panel.upto(600)


def targets_for(panel, name, **given):
    strategy = registry.resolve(name)
    return strategy.weights(panel, registry.settings(strategy, {**MIX.get(name, {}), **given}))


def _matrix():
    """Every strategy meets every panel, share, gross and cash; the commission model goes round."""
    models = itertools.cycle(COST_MODELS)
    return [
        pytest.param(*case, next(models))
        for case in itertools.product(contracts.names(), PANELS, SHARES, GROSS, CASH)
    ]


@pytest.mark.parametrize(("name", "kind", "shares", "gross", "cash", "costs"), _matrix())
def test_every_strategy_on_every_account(markets, name, kind, shares, gross, cash, costs):
    panel = markets[kind]
    run = assert_engines_agree(
        panel, targets_for(panel, name, gross=gross), costs=costs, cash=cash, shares=shares
    )
    assert len(run.ledger.fills.date) > 0


def _settings():
    """Minimum holds, scalers, presets: every case of the contract tests once, the account going round."""
    accounts = itertools.cycle(itertools.product(SHARES, (1e6, 2e4), COST_MODELS))
    return [pytest.param(case, *next(accounts), id=case) for case in contracts.cases()]


@pytest.mark.parametrize(("case", "shares", "cash", "costs"), _settings())
def test_every_setting_with_delistings_and_late_listings(long_market, case, shares, cash, costs):
    strategy, settings = contracts.cases()[case]
    targets = strategy.weights(long_market, settings)
    assert_engines_agree(long_market, targets, costs=costs, cash=cash, shares=shares)


@pytest.mark.parametrize("shares", SHARES)
@pytest.mark.parametrize("rules", ACCOUNTS)
@pytest.mark.parametrize("name", ["equal_weight", "regime_ensemble"])
def test_interest_margin_and_the_smallest_trade(markets, name, rules, shares):
    account = dict(ACCOUNTS[rules])
    targets = targets_for(markets["holes"], name, gross=account.pop("gross", 0.98))
    run = assert_engines_agree(markets["holes"], targets, cash=1e6, shares=shares, **account)
    if "margin" in rules and name == "equal_weight":
        assert run.cash.min() < 0
        assert run.gross.max() > 1.3


@pytest.mark.parametrize("shares", SHARES)
@pytest.mark.parametrize("lag", [0, 2, 5])
@pytest.mark.parametrize("name", ["equal_weight", "regime_ensemble"])
def test_early_and_late_execution(markets, name, lag, shares):
    panel = markets["holes"]
    targets = delayed(targets_for(panel, name, gross=1.0), lag - 1, panel.start_row)
    assert_engines_agree(panel, targets, cash=1e5, shares=shares, costs="fixed")


def test_an_account_that_owes_more_than_it_owns(markets):
    """Leverage through a crash: NAV turns negative, and both engines do the same with the row that follows."""
    panel = markets["clean"]
    prices = {name: panel.fields[name].copy() for name in ("open", "high", "low", "close")}
    row = panel.start_row + 5
    for values in prices.values():
        values[row:] *= 0.2
    crashed = contracts.with_fields(panel, **prices)
    targets = targets_for(crashed, "equal_weight", gross=2.0)
    run = assert_engines_agree(crashed, targets, cash=1e6, margin=True, financing_bps=500.0)
    assert run.nav.min() < 0


def test_the_comparison_meets_every_kind_of_event(markets):
    """Fills, refusals, cancellations, retries and delistings occur above, or nothing is compared."""
    targets = targets_for(markets["holes"], "equal_weight", gross=1.0)
    orders = assert_engines_agree(markets["holes"], targets, cash=1e6).ledger.orders
    targets = targets_for(markets["holes"], "regime_ensemble", gross=1.0)
    more = assert_engines_agree(markets["holes"], targets, cash=1e6).ledger.orders
    assert {0, 1, 2} == set(orders.kind.tolist())
    assert {1, 2, 3} <= {*orders.status.tolist(), *more.status.tolist()}
    assert more.on_switch.any()
    assert np.isnat(orders.resolved).sum() == (orders.status == 0).sum()
