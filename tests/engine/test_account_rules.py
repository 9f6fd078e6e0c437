"""Rulings 5 to 7 on cases small enough to compute by hand, in both ways of trading."""

import numpy as np
import pytest

from ares7.config import AccountConfig
from ares7.costs import BpsCosts, IbkrFixedCosts, IbkrTieredCosts
from ares7.errors import ConfigError
from feeds.cerebro import ares7_cerebro
from tests.engine.panels import flat, panel_of, targets_of, without_bars
from tests.engine.running import COSTS, Recorded, run_baskets, run_singles

FREE = BpsCosts(bps=0)
FLOOR_CASE = (0.45, 1936.0, 8.8)
"""99 exactly; the other two orders of multiplying and dividing give 98."""


# Ruling 5: gaps and delistings

UP = np.arange(10.0, 30.0)[:, None]


def two(missing):
    """AAA steady at 10, BBB rising by a dollar a session, opening .5 lower, without bars in some rows."""
    close = np.column_stack([np.full(20, 10.0), UP[:, 0]])
    return without_bars(panel_of(close - [0.0, 0.5], close), missing, 1)


def test_an_order_waits_for_the_next_bar_and_is_filled_at_its_open(trade):
    outcome = trade(two(slice(1, 5)), {0: np.array([0.0, 0.5])})
    assert outcome.fills == [(5, 1, 50.0, 14.5, 0.0)]
    assert outcome.orders == [(0, 1, 50.0, "filled")]


def test_what_waits_goes_before_what_was_submitted_later(trade):
    """AAA waits for its bar; BBB is refused at 30 and retried; both are due at once, with cash for one."""
    prices = [[10.0, 10.0], [10.0, 12.0], [10.0, 12.0], [10.0, 12.0]]
    opening = [[10.0, 10.0], [10.0, 30.0], [10.0, 12.0], [10.0, 12.0]]
    panel = without_bars(panel_of(opening, prices), 1, 0)
    outcome = trade(panel, {0: np.array([0.49, 0.49])})
    assert outcome.orders == [(0, 0, 49.0, "filled"), (0, 1, 49.0, "refused"), (1, 1, 49.0, "refused")]


def test_the_next_decision_cancels_what_still_waits(trade):
    outcome = trade(two(slice(1, 5)), {0: np.array([0.0, 0.5]), 3: np.array([0.5, 0.5])})
    assert outcome.orders == [(0, 1, 50.0, "cancelled"), (3, 0, 50.0, "filled")]


def test_a_decision_on_the_day_the_bar_is_back_finds_the_order_filled(trade):
    outcome = trade(two(slice(1, 5)), {0: np.array([0.0, 0.5]), 5: np.array([0.0, 0.0])})
    assert outcome.orders == [(0, 1, 50.0, "filled"), (5, 1, -50.0, "filled")]


def test_no_order_is_made_inside_a_gap(trade):
    outcome = trade(two(slice(3, 6)), {0: np.array([0.0, 0.5]), 4: np.zeros(2)})
    assert outcome.orders == [(0, 1, 50.0, "filled")]


def test_a_short_gap_is_marked_at_the_last_close(trade):
    outcome = trade(two(slice(3, 7)), {0: np.array([0.0, 0.5])})
    held = 1000 - 50 * 10.5
    assert outcome.nav[2:8].tolist() == [held + 50 * 12] * 5 + [held + 50 * 17]


def test_a_waiting_buy_that_became_too_dear_is_refused_and_retried_at_that_close(trade):
    outcome = trade(two(slice(1, 5)), {0: np.array([0.0, 0.98])})
    # floor(980 / 15) = 65; at the open of 15.5 that is too dear as well.
    assert outcome.orders == [(0, 1, 98.0, "refused"), (5, 1, 65.0, "refused")]


def test_the_fifth_session_without_a_bar_closes_the_position_before_its_nav(trade):
    outcome = trade(two(slice(3, 20)), {0: np.array([0.0, 0.5])}, costs="bps")
    cash = 1000 - 50 * 10.5 * 1.001
    assert outcome.orders == [(0, 1, 50.0, "filled"), (7, 1, -50.0, "filled")]
    assert outcome.kinds[-1] == "delisting"
    assert outcome.fills[-1] == (7, 1, -50.0, 12.0, pytest.approx(0.6))
    assert outcome.nav[6] == pytest.approx(cash + 600)
    assert outcome.nav[7:].tolist() == pytest.approx([cash + 600 - 0.6] * 13)
    assert outcome.cash[7] == outcome.nav[7]


def test_the_decision_of_the_fifth_session_uses_the_cash_of_the_exit(trade):
    outcome = trade(two(slice(3, 20)), {0: np.array([0.0, 0.9]), 7: np.array([1.0, 0.0])})
    nav = 1000 - 90 * 10.5 + 90 * 12
    assert [o for o in outcome.orders if o[1] == 0] == [(7, 0, nav // 10, "filled")]


def test_orders_of_a_delisted_name_lapse(trade):
    rows = {0: np.array([0.0, 0.5]), 2: np.zeros(2)}
    outcome = trade(two(slice(3, 20)), rows)
    assert outcome.orders == [(0, 1, 50.0, "filled"), (2, 1, -50.0, "cancelled"), (7, 1, -50.0, "filled")]
    assert [f[0] for f in outcome.fills] == [1, 7]
    bought = trade(two(slice(1, 20)), {0: np.array([0.0, 0.5])})
    assert bought.orders == [(0, 1, 50.0, "cancelled")]
    assert bought.nav.tolist() == [1000.0] * 20


def test_a_lapsed_order_does_not_come_back_with_the_name(trade):
    outcome = trade(two(slice(1, 8)), {0: np.array([0.0, 0.5])})
    assert outcome.fills == []
    again = trade(two(slice(3, 10)), {0: np.array([0.0, 0.5]), 12: np.array([0.0, 0.5])})
    assert [(f[0], f[2] > 0) for f in again.fills] == [(1, True), (7, False), (13, True)]


def test_a_name_is_not_traded_before_its_first_bar(trade):
    outcome = trade(two(slice(0, 6)), {row: np.array([0.0, 0.5]) for row in range(8)})
    assert outcome.orders[0][0] == 6
    assert outcome.fills[0][0] == 7
    assert outcome.nav[:7].tolist() == [1000.0] * 7


# Rulings 6 and 7, C9: leverage, commissions, interest


@pytest.mark.parametrize(
    ("model", "shares", "price", "fee"),
    [
        (BpsCosts(bps=10), 200, 50.0, 10.0),
        (IbkrFixedCosts(), 1000, 20.0, 5.0),
        (IbkrFixedCosts(), 100, 20.0, 1.0),
        (IbkrFixedCosts(), 10, 5.0, 0.5),
        (IbkrTieredCosts(), 1000, 20.0, 3.5),
        (IbkrTieredCosts(), 20, 20.0, 0.35),
        (IbkrTieredCosts(), 2, 3.0, 0.06),
        (IbkrFixedCosts(slippage_bps=5), 1000, 20.0, 15.0),
    ],
)
@pytest.mark.parametrize("single", [False, True])
def test_commissions_reach_the_cash(model, shares, price, fee, single):
    panel = panel_of(flat(5, [price]), flat(5, [price]))
    cash = shares * price * 2
    account = AccountConfig(cash=cash, min_trade_nav=0)
    rows = {0: np.array([0.5]), 2: np.zeros(1)}
    cerebro = ares7_cerebro(panel, costs=model, account=account)
    cerebro.addstrategy(Recorded, targets=targets_of(panel, rows), account=account, single_orders=single)
    seen = [value for _, value in cerebro.run()[0].seen]
    assert seen[1] == pytest.approx(cash / 2 - fee, abs=1e-9)
    assert seen[3] == pytest.approx(cash - 2 * fee, abs=1e-9)


def test_fees_equal_the_basis_points_of_all_traded_notional_to_the_cent(trade):
    rng = np.random.default_rng(3)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.03, (60, 8)), axis=0))
    panel = without_bars(panel_of(close, close), slice(30, 60), 2)
    rows = {row: rng.dirichlet(np.ones(8)) * 0.98 for row in range(0, 58, 3)}
    outcome = trade(panel, rows, costs="bps", cash=1e6)
    notional = sum(abs(f[2]) * f[3] for f in outcome.fills)
    fees = sum(f[4] for f in outcome.fills)
    assert len(outcome.fills) > 100
    assert round(fees, 2) == round(notional * 10 / 1e4, 2)
    flows = sum(-f[2] * f[3] - f[4] for f in outcome.fills)
    assert outcome.cash[-1] == pytest.approx(1e6 + flows, abs=0.005)


def test_cash_earns_a_252nd_of_the_rate_before_the_orders_of_the_session(trade):
    panel = panel_of(flat(6, [10.0]), flat(6, [10.0]))
    idle = trade(panel, {0: np.zeros(1)}, cash_rate=0.252)
    assert (idle.nav[1:] / idle.nav[:-1]).tolist() == pytest.approx([1.001] * 5, rel=1e-14)
    outcome = trade(panel, {1: np.array([0.5])}, cash_rate=0.252)
    bought = outcome.fills[0][2] * 10
    assert outcome.cash[2] == pytest.approx(outcome.cash[1] * 1.001 - bought, rel=1e-14)
    assert outcome.cash[3] == pytest.approx(outcome.cash[2] * 1.001, rel=1e-14)


def test_leverage_borrows_and_pays_financing():
    panel = panel_of(flat(5, [10.0]), flat(5, [10.0]))
    outcome = run_baskets(
        panel,
        targets_of(panel, {0: np.array([1.5])}),
        costs="free",
        cash=1000.0,
        margin=True,
        financing_bps=252.0,
    )
    assert outcome.orders == [(0, 0, 150.0, "filled")]
    assert outcome.cash.tolist() == pytest.approx(
        [1000, -500, -500 * 1.0001, -500 * 1.0001**2, -500 * 1.0001**3]
    )
    assert outcome.nav[-1] == pytest.approx(1500 + outcome.cash[-1])


def test_a_margin_account_refuses_single_orders_instead_of_refusing_buys():
    panel = panel_of(flat(5, [10.0]), flat(5, [10.0]))
    with pytest.raises(ConfigError, match=r"account\.margin"):
        run_singles(
            panel, targets_of(panel, {0: np.array([1.5])}), cash=1000.0, margin=True, financing_bps=0.0
        )


def test_without_margin_the_same_target_is_refused(trade):
    panel = panel_of(flat(5, [10.0]), flat(5, [10.0]))
    outcome = trade(panel, {0: np.array([1.5])})
    assert outcome.orders == [(0, 0, 150.0, "refused"), (1, 0, 98.0, "filled")]


@pytest.mark.parametrize("name", sorted(COSTS))
def test_both_ways_of_stating_a_commission_agree(name):
    model, plain = COSTS[name]
    rng = np.random.default_rng(1)
    quantity, price = rng.normal(0, 300, 200), rng.uniform(0.5, 400, 200)
    expected = [plain(q, p) for q, p in zip(quantity, price, strict=True)]
    assert model.fees(quantity, price).tolist() == expected
