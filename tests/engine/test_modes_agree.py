"""Baskets, single orders, Backtrader's own broker and a plain loop over the rulings trade alike."""

import itertools

import numpy as np
import pytest
from hypothesis import given

from strategies import defensive, equal_weight, low_volatility, quality_momentum, regime_ensemble
from tests.engine.generated import accounts, examples, tables
from tests.engine.panels import flat, market, panel_of, targets_of
from tests.engine.running import assert_same, run_baskets, run_obvious, run_singles, run_vanilla

STRATEGIES = {
    "equal_weight": equal_weight,
    "low_volatility": low_volatility,
    "quality_momentum": quality_momentum,
    "defensive": defensive,
    "regime_ensemble": regime_ensemble,
}
PANELS = {"holes": True, "clean": False}
ACCOUNTS = list(itertools.product(("whole", "fractional"), (0.98, 1.0), (1e6, 1e4)))


@pytest.fixture(scope="module")
def panels():
    return {name: market(sessions=370, stocks=20, start=290, holes=holes) for name, holes in PANELS.items()}


def _pairs():
    """Every strategy meets every panel and account; the commission model goes round."""
    models = itertools.cycle(("bps", "fixed", "tiered"))
    for (name, kind), (shares, gross, cash) in itertools.product(
        itertools.product(STRATEGIES, PANELS), ACCOUNTS
    ):
        yield pytest.param(name, kind, shares, gross, cash, next(models))


@pytest.mark.parametrize(("name", "kind", "shares", "gross", "cash", "costs"), list(_pairs()))
def test_every_engine_gives_the_same_account(panels, name, kind, shares, gross, cash, costs):
    panel = panels[kind]
    module = STRATEGIES[name]
    targets = module.weights(panel, module.Params(gross=gross))
    account = {"costs": costs, "cash": cash, "shares": shares}
    baskets = run_baskets(panel, targets, **account)
    assert_same(baskets, run_obvious(panel, targets, **account))
    singles = run_singles(panel, targets, **account)
    assert_same(singles, baskets)
    # Not nearly: both round alike, so that a floor never falls on different sides of an integer.
    assert singles.cash.tolist() == baskets.cash.tolist()
    if kind == "clean":
        assert_same(run_vanilla(panel, targets, **account), baskets)


def test_the_comparison_meets_every_kind_of_event(panels):
    """Refusals, retries, delistings and cancelled orders occur in the runs above, or they compare nothing."""
    targets = equal_weight.weights(panels["holes"], equal_weight.Params(gross=1.0))
    outcome = run_baskets(panels["holes"], targets, cash=1e6)
    assert {"decision", "retry", "delisting"} == set(outcome.kinds)
    assert {"filled", "refused"} <= {order[3] for order in outcome.orders}
    clean = equal_weight.weights(panels["clean"], equal_weight.Params(gross=1.0))
    assert "refused" in {order[3] for order in run_vanilla(panels["clean"], clean, cash=1e6).orders}


@examples(200)
@given(table=tables(), account=accounts)
def test_random_targets_with_holes(table, account):
    panel, targets = table
    baskets = run_baskets(panel, targets, **account)
    assert_same(baskets, run_obvious(panel, targets, **account))
    assert_same(run_singles(panel, targets, **account), baskets)
    for values in (baskets.nav, baskets.cash):
        assert np.isfinite(values).all()
    assert baskets.cash.min() >= -1e-9


@examples(60)
@given(table=tables(holes=False), account=accounts)
def test_random_targets_under_backtraders_own_broker(table, account):
    panel, targets = table
    assert_same(run_vanilla(panel, targets, **account), run_baskets(panel, targets, **account))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_nav_is_summed_in_column_order_in_every_mode(order):
    """Positions opened in another order than the columns' still give the same floor on an exact integer."""
    prices = np.array([0.1, 0.7, 1.1])
    panel = panel_of(flat(9, prices), flat(9, prices))
    rows = {row: np.eye(3)[column] / 3 for row, column in enumerate(order)}
    held = np.zeros(3)
    for row in rows:
        held = held + rows[row]
        rows[row] = held
    for row in range(3, 8):
        rows[row] = np.array([0.1, 0.2, 0.7]) if row % 2 else np.array([1, 1, 1]) / 3
    targets = targets_of(panel, rows)
    for cash in np.arange(999.0, 1009.0):
        account = {"cash": float(cash), "costs": "free", "min_trade_nav": 0.0}
        expected = run_obvious(panel, targets, **account)
        for run in (run_baskets, run_singles, run_vanilla):
            assert_same(run(panel, targets, **account), expected)
