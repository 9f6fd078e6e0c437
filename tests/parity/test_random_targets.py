"""C5 on generated target tables: the compiled twin, baskets, a plain loop and Backtrader's own broker agree."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares7.book import delayed
from tests.engine.generated import accounts, examples, tables
from tests.engine.panels import flat, panel_of, targets_of
from tests.engine.running import COSTS, assert_same, run_baskets, run_obvious, run_vanilla
from tests.parity.comparing import assert_engines_agree, outcome_of, run_compiled

loans = st.fixed_dictionaries(
    {
        "cash": st.sampled_from([150.0, 1e6]),
        "costs": st.sampled_from(["bps", "fixed", "tiered", "free"]),
        "shares": st.sampled_from(["whole", "fractional"]),
        "min_trade_nav": st.sampled_from([0.0, 0.01]),
        "cash_rate": st.sampled_from([0.0, 0.05]),
        "margin": st.booleans(),
        "financing_bps": st.sampled_from([0.0, 300.0]),
    }
)


@examples(200)
@given(table=tables(), account=accounts)
def test_random_targets_with_holes(table, account):
    panel, targets = table
    run = assert_engines_agree(panel, targets, **account)
    expected = run_obvious(panel, targets, **account)
    assert_same(outcome_of(panel, run.nav, run.cash, run.ledger), expected)


@examples(60)
@given(table=tables(holes=False), account=accounts)
def test_random_targets_under_backtraders_own_broker(table, account):
    panel, targets = table
    assert_same(run_compiled(panel, targets, **account), run_vanilla(panel, targets, **account))


@examples(150)
@given(table=tables(), account=loans, lag=st.sampled_from([0, 1, 2, 4]), leverage=st.sampled_from([1.0, 1.7]))
def test_random_loans_interest_and_delays(table, account, lag, leverage):
    panel, targets = table
    targets = delayed(targets, lag - 1, panel.start_row)
    targets.weights[:] *= leverage
    assert_engines_agree(panel, targets, **account)


@pytest.mark.parametrize("cash", [1000.0, 1001.0, 4096.0, 1e6])
@pytest.mark.parametrize(
    "weights", [(0.5, 0.25, 0.25), (0.2, 0.3, 0.5), (0.1, 0.2, 0.7), (1 / 3, 1 / 3, 1 / 3)]
)
@pytest.mark.parametrize("costs", ["free", "bps"])
def test_floors_exactly_on_integers(weights, cash, costs):
    """Round prices and weights that sum to 1.0 put NAV times weight over price on whole numbers, or next to them."""
    prices = np.array([0.1, 0.5, 2.0])
    close = flat(40, prices) * np.where(np.arange(40) % 4 == 3, 2.0, 1.0)[:, None]
    panel = panel_of(np.vstack([close[:1], close[:-1]]), close)
    rows = {row: np.array(weights)[np.roll(np.arange(3), row)] for row in range(0, 39, 2)}
    targets = targets_of(panel, rows)
    account = {"cash": cash, "costs": costs, "min_trade_nav": 0.0}
    run = run_compiled(panel, targets, **account)
    for other in (run_baskets, run_obvious, run_vanilla):
        assert_same(run, other(panel, targets, **account))
    assert run.cash.tolist() == run_baskets(panel, targets, **account).cash.tolist()


@pytest.mark.parametrize("opening", [0.5, 1.0])
@pytest.mark.parametrize("costs", ["bps", "fixed", "tiered"])
def test_cash_that_covers_an_order_to_the_last_bit(costs, opening):
    """Both cash checks round alike: a few units in the last place around what shares and fee cost together."""
    seen = set()
    for price, shares in itertools.product((0.1, 3.3, 7.77, 101.01), (7.0, 33.0, 190.0)):
        # An open far below the close leaves the decision to the first check.
        panel = panel_of(flat(5, [price * opening]), flat(5, [price]))
        targets = targets_of(panel, {0: np.ones(1)})
        fee = float(COSTS[costs][0].fees(np.array([shares]), np.array([price]))[0])
        if fee >= price:
            continue
        for steps in range(-4, 5):
            cash = shares * price + fee
            cash += steps * np.spacing(cash)
            run = assert_engines_agree(panel, targets, costs=costs, cash=cash)
            assert_same(
                outcome_of(panel, run.nav, run.cash, run.ledger),
                run_obvious(panel, targets, costs=costs, cash=cash),
            )
            seen.add(int(run.ledger.orders.status[0]))
    assert seen == {1, 2}
