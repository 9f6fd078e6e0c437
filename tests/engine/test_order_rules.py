"""Rulings 3 and 4 on cases small enough to compute by hand, in both ways of trading."""

import math

import backtrader as bt
import numpy as np
import pytest

from ares7.config import AccountConfig
from ares7.costs import BpsCosts
from ares7.execution import Account, accepted, execute
from ares7.orders import decide_orders, net_asset_value, retry_orders, target_shares
from ares7.params import BookParams
from feeds.cerebro import ares7_cerebro
from tests.engine.panels import flat, panel_of, without_bars

FREE = BpsCosts(bps=0)
FLOOR_CASE = (0.45, 1936.0, 8.8)
"""99 exactly; the other two orders of multiplying and dividing give 98."""


# Ruling 3: the order stage


def test_defaults_are_the_rulings():
    account = AccountConfig()
    assert (account.cash, account.cash_rate, account.min_trade_nav) == (1e6, 0.0, 0.0005)
    assert (account.shares, account.margin) == ("whole", False)
    assert BookParams().gross == 0.98


def test_shares_are_the_floor_of_weight_times_nav_over_close(trade):
    panel = panel_of(flat(3, [3.0, 7.0]), flat(3, [3.0, 7.0]))
    outcome = trade(panel, {0: np.array([0.5, 0.4])})
    assert [o[1:3] for o in outcome.orders] == [(1, 57.0), (0, 166.0)]
    assert outcome.cash.tolist() == [1000.0, 1000 - 57 * 7 - 166 * 3, 1000 - 57 * 7 - 166 * 3]


def test_weight_times_nav_comes_first_then_the_division():
    w, nav, close = FLOOR_CASE
    shares = target_shares(np.array([w]), nav, np.array([close]), whole=True)
    assert shares[0] == math.floor((w * nav) / close)
    assert math.floor(w * (nav / close)) != shares[0] != math.floor((w / close) * nav)


def test_nav_adds_cash_first_and_then_the_columns():
    held, close = np.array([1.0, 1.0]), np.array([0.2, 0.3])
    assert net_asset_value(0.1, held, close) == (0.1 + 0.2) + 0.3 != 0.1 + (0.2 + 0.3)


def test_sales_come_first_and_equal_changes_keep_column_order():
    held = np.array([0.0, 50.0, 0.0, 90.0, 0.0, 20.0])
    weights = np.array([0.2, 0.3, 0.1, 0.0, 0.2, 0.0])
    basket = decide_orders(
        weights, held, np.full(6, 10.0), np.ones(6, bool), 1000.0, whole=True, min_trade_nav=0
    )
    assert list(zip(basket.symbol, basket.quantity, strict=True)) == [
        (3, -90),
        (1, -20),
        (5, -20),
        (2, 10),
        (0, 20),
        (4, 20),
    ]


@pytest.mark.parametrize(("price", "traded"), [(50.0, True), (49.99, False)])
def test_a_change_below_the_smallest_trade_is_skipped(price, traded):
    """One share against .0005 of 100,000: 50 USD is enough, a cent less is not."""
    weights, held = np.array([11 * price / 1e5]), np.array([10.0])
    assert target_shares(weights, 1e5, np.array([price]), whole=True)[0] == 11
    basket = decide_orders(
        weights, held, np.array([price]), np.ones(1, bool), 1e5, whole=True, min_trade_nav=0.0005
    )
    assert basket.quantity.tolist() == ([1.0] if traded else [])


@pytest.mark.parametrize("weight", [0.0, 0.000001])
def test_a_target_of_no_shares_closes_however_small(trade, weight):
    close = [[1.0, 10.0], [1.0, 10.0], [0.5, 10.0], [0.5, 10.0]]
    panel = panel_of(close, close)
    skipped = trade(panel, {0: np.array([0.3, 0.5])}, min_trade_nav=0.4)
    assert [o[1:] for o in skipped.orders] == [(1, 50.0, "filled")]
    # 400 shares at .5 are 200 USD of a NAV of 800, less than .4 of it.
    closed = trade(panel, {0: np.array([0.4, 0.5]), 2: np.array([weight, 0.6])}, min_trade_nav=0.4)
    assert closed.orders[-1] == (2, 0, -400.0, "filled")


def test_fractional_positions_close_to_exactly_nothing(trade):
    prices = [3.0, 7.0]
    panel = panel_of(flat(6, prices), flat(6, prices))
    rows = {0: np.array([0.1, 0.3]), 2: np.array([0.7, 0.1]), 4: np.zeros(2)}
    outcome = trade(panel, rows, shares="fractional", costs="bps")
    assert outcome.nav[-1] == outcome.cash[-1]
    assert sum(f[2] for f in outcome.fills if f[1] == 0) == pytest.approx(0, abs=1e-12)
    assert outcome.fills[0][2] == (0.1 * 1000) / 3


def test_fills_are_at_the_next_open(trade):
    panel = panel_of([[9.0], [11.0], [13.0]], [[10.0], [12.0], [14.0]])
    outcome = trade(panel, {0: np.array([0.5])})
    assert outcome.fills == [(1, 0, 50.0, 11.0, 0.0)]
    assert outcome.nav.tolist() == [1000.0, 450 + 50 * 12, 450 + 50 * 14]


# Ruling 4: refusals and retries


def test_the_submission_check_runs_through_the_cash_in_order(trade):
    panel = panel_of(flat(3, [10.0, 10.0]), flat(3, [10.0, 10.0]))
    outcome = trade(panel, {0: np.array([0.6, 0.6]), 1: np.array([0.6, 0.6])})
    assert outcome.orders[:2] == [(0, 0, 60.0, "filled"), (0, 1, 60.0, "refused")]
    assert outcome.cash[1] == 400


class Scripted(bt.Strategy):
    """Buys 10, then submits the scripted sizes together."""

    params = (("sizes", ()),)

    def start(self):
        self.done = {}

    def notify_order(self, order):
        self.done[order.ref] = order.getstatusname()

    def next(self):
        if len(self) == 1:
            self.buy(size=10)
        if len(self) == 3:
            self.done = {}
            for size in self.p.sizes:
                self.buy(size=size) if size > 0 else self.sell(size=-size)


@pytest.mark.parametrize(
    "sizes",
    [
        (60, 60, -10),  # the sale follows a refusal: cash is still negative, it is refused as well
        (95, -10),  # the sale lifts the cash to zero or more: only the purchase is refused
        (-10, 95),
        (90, 1, -5, 1, -5, 1),
        (30, 30, 30, 1, -10),
    ],
)
def test_refused_cash_is_not_given_back_as_in_backtrader(sizes):
    panel = panel_of(flat(6, [10.0]), flat(6, [10.0]))
    cerebro = ares7_cerebro(panel, costs=FREE, account=AccountConfig(cash=1000))
    cerebro.addstrategy(Scripted, sizes=sizes)
    theirs = [status == "Completed" for status in cerebro.run()[0].done.values()]
    account = Account(900.0, np.array([10.0]), np.array([10.0]))
    quantity = np.array(sizes, dtype=float)
    ours = accepted(account, quantity, np.full(len(sizes), 10.0), FREE)
    assert ours.tolist() == theirs
    running = np.cumsum(np.concatenate([[900.0], -10 * quantity]))[1:]
    assert ours.tolist() == (running >= 0).tolist()


def test_a_buy_that_the_open_makes_too_dear_is_refused_and_costs_nothing(trade):
    panel = panel_of([[10, 10], [30, 10], [30, 10]], [[10, 10], [10, 10], [10, 10]])
    outcome = trade(panel, {0: np.array([0.49, 0.49]), 1: np.array([0.0, 0.495])}, costs="bps")
    assert next(o for o in outcome.orders if o[1] == 0) == (0, 0, 49.0, "refused")
    assert outcome.fills == [(1, 1, 49.0, 10.0, pytest.approx(0.49))]
    assert outcome.cash[1] == pytest.approx(1000 - 490.49)


def test_exactly_all_of_the_cash_is_enough(trade):
    panel = panel_of(flat(3, [10.0]), flat(3, [10.0]))
    outcome = trade(panel, {0: np.array([1.0])})
    assert outcome.orders == [(0, 0, 100.0, "filled")]
    assert outcome.cash[-1] == 0


def test_execute_fills_a_sale_even_while_cash_is_negative():
    account = Account(-50.0, np.array([4.0, 0.0]), np.array([10.0, 0.0]))
    filled, fees = execute(account, np.array([0, 1]), np.array([-4.0, 1.0]), np.array([10.0, 1.0]), FREE)
    assert filled.tolist() == [True, False]
    assert (account.cash, fees.tolist()) == (-10.0, [0.0, 0.0])


RISING = panel_of([[10.0], [11.0], [12.0], [12.0], [12.0]], [[10.0], [11.0], [12.0], [12.0], [12.0]])


def test_a_refused_buy_is_retried_once_at_the_close_of_its_refusal(trade):
    outcome = trade(RISING, {0: np.array([0.98])}, costs="bps")
    # 98 at 11 cost more than 1,000. Retry: floor(.98 * 1000 / (11 * 1.001)) = 89; at 12 too dear again.
    assert outcome.orders == [(0, 0, 98.0, "refused"), (1, 0, 89.0, "refused")]
    assert outcome.cash.tolist() == [1000.0] * 5


def test_a_retry_is_filled_at_the_next_open(trade):
    panel = panel_of([[10.0], [11.0], [11.2], [12.0]], [[10.0], [11.0], [11.0], [12.0]])
    outcome = trade(panel, {0: np.array([0.98])}, costs="bps")
    assert [f[:4] for f in outcome.fills] == [(2, 0, 89.0, 11.2)]


def test_a_session_that_decides_does_not_retry(trade):
    outcome = trade(RISING, {0: np.array([0.98]), 1: np.array([0.1])})
    assert outcome.orders == [(0, 0, 98.0, "refused"), (1, 0, 9.0, "filled")]


def test_each_retry_is_sized_against_the_same_cash(trade):
    panel = panel_of([[10, 10], [30, 30], [30, 30], [30, 30]], [[10, 10], [30, 30], [30, 30], [30, 30]])
    outcome = trade(panel, {0: np.array([0.49, 0.49])})
    # Both ask for min(49, floor(980 / 30)) = 32; the second does not fit and is not tried a third time.
    assert outcome.orders == [
        (0, 0, 49.0, "refused"),
        (0, 1, 49.0, "refused"),
        (1, 0, 32.0, "filled"),
        (1, 1, 32.0, "refused"),
    ]


def test_a_retry_never_asks_for_more_than_is_missing_and_ignores_the_smallest_trade(trade):
    panel = panel_of(
        [[10.0, 10.0], [10.0, 10.9], [10.0, 10.9], [10.0, 10.9]],
        [[10.0, 10.0], [10.0, 10.9], [10.0, 10.9], [10.0, 10.9]],
    )
    outcome = trade(panel, {0: np.array([0.92, 0.07])}, min_trade_nav=0.05)
    assert outcome.orders[:2] == [(0, 1, 7.0, "filled"), (0, 0, 92.0, "filled")]
    # The other way round: 90 at 10.9 leave 19; 8 at 10 are refused; floor(.98 * 19 / 10) = 1.
    outcome = trade(panel, {0: np.array([0.09, 0.9])}, min_trade_nav=0.05)
    assert outcome.orders == [(0, 0, 9.0, "filled"), (0, 1, 90.0, "refused"), (1, 1, 81.0, "filled")]
    basket = retry_orders(
        np.array([1, 0]),
        np.array([5.0, 500.0]),
        np.array([10.0, 20.0]),
        np.ones(2, bool),
        100.0,
        np.zeros(2),
        whole=True,
    )
    assert list(zip(basket.symbol, basket.quantity, strict=True)) == [(1, 4), (0, 9)]


def test_fractional_retries_are_not_floored(trade):
    outcome = trade(RISING, {0: np.array([0.98])}, shares="fractional", costs="bps")
    assert outcome.orders[1][2] == pytest.approx(0.98 * 1000 / (11 * 1.001), rel=1e-14)


def test_the_fee_of_a_retry_is_that_of_the_missing_shares(trade):
    """A minimum commission of one dollar on 98 shares is 1 / (98 * 11) of the notional."""
    outcome = trade(RISING, {0: np.array([0.98])}, costs="fixed")
    fee = (1.0 + 3e-4 * 98 * 11) / (98 * 11)
    assert outcome.orders[1][2] == math.floor(0.98 * 1000 / (11 * (1 + fee))) == 88


def test_a_name_without_a_bar_is_not_retried(trade):
    panel = without_bars(panel_of(flat(5, [10.0, 10.0]), flat(5, [10.0, 10.0])), 1, 1)
    outcome = trade(panel, {0: np.array([0.6, 0.6])})
    assert outcome.orders == [(0, 0, 60.0, "filled"), (0, 1, 60.0, "refused")]


def test_nothing_is_retried_with_no_cash_for_one_share(trade):
    panel = panel_of([[10.0], [2000.0], [2000.0]], [[10.0], [2000.0], [2000.0]])
    assert len(trade(panel, {0: np.array([0.9])}).orders) == 1


def test_a_margin_account_may_go_short_and_buy_back_to_nothing():
    # Column 0 is bought back to 0, 1 reduced, 2 sold short from nothing, 3 bought anew.
    account = Account(50.0, np.array([-2.0, -3.0, 0.0, 0.0]), np.array([4.0, 4.0, 0.0, 0.0]), margin=True)
    quantity = np.array([2.0, 1.0, -1.0, 2.0])
    filled, _ = execute(account, np.arange(4), quantity, np.array([5.0, 5.0, 7.0, 8.0]), FREE)
    assert filled.all()
    assert account.held.tolist() == [0.0, -2.0, -1.0, 2.0]
    assert account.cost_price.tolist() == [0.0, (4.0 * -3.0 + 5.0) / -2.0, 0.0, 8.0]
    assert account.cash == 50.0 - 10.0 - 5.0 + 7.0 - 16.0
