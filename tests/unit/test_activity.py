"""Turnover, costs, orders, exposure and regimes (C9, rulings 8)."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares7 import activity, metrics
from ares7.costs import BpsCosts, IbkrFixedCosts, IbkrTieredCosts
from ares7.errors import DataError
from ares7.ledger import Ledger, OrderKind, OrderStatus
from ares7.signals.regime import Regime

DATES = np.array(["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02"], "datetime64[D]")
NAV = np.array([1000.0, 1000.0, 990.0, 1010.0])
FREE = BpsCosts(bps=0)


def ledger(trades, costs=FREE):
    """Trades are (row of the fill, symbol, quantity, price, kind, on_switch); decided one row earlier."""
    out = Ledger(("AAA", "BBB"))
    for row, symbol, quantity, price, kind, on_switch in trades:
        one, size, at = np.array([symbol]), np.array([float(quantity)]), np.array([float(price)])
        numbers = out.add_orders(DATES[row - 1], one, size, at, kind, on_switch)
        out.add_fills(DATES[row], one, size, at, costs.fees(size, at), numbers)
    return out


def book(costs=FREE):
    return ledger(
        [
            (1, 0, 50, 8.0, OrderKind.DECISION, False),
            (1, 1, 10, 10.0, OrderKind.DECISION, False),
            (2, 1, -10, 9.0, OrderKind.DECISION, True),
            (3, 0, -50, 4.0, OrderKind.DELISTING, False),
        ],
        costs,
    )


def test_turnover_counts_the_first_purchase_and_the_delisting_exit():
    # |notional| by session: 0, 500, 90, 200; over the previous close's NAV 1000, 1000, 990
    fills = book().fills
    notional = activity.by_session(fills, fills.notional, DATES)
    assert notional.tolist() == [0.0, 500.0, 90.0, 200.0]
    by_hand = (500 / 2 / 1000 + 90 / 2 / 1000 + 200 / 2 / 990) * 252 / 3
    assert activity.turnover_one_way_annual(notional, NAV) == pytest.approx(by_hand, rel=1e-12)


def test_turnover_of_no_session_is_nan_and_of_no_trade_is_zero():
    assert math.isnan(activity.turnover_one_way_annual(np.zeros(1), NAV[:1]))
    assert activity.turnover_one_way_annual(np.zeros(4), NAV) == 0.0


def test_a_fill_outside_the_sessions_is_refused():
    fills = book().fills
    with pytest.raises(DataError, match="a fill of 2024-02-02 lies in no session"):
        activity.by_session(fills, fills.notional, DATES[:3])
    with pytest.raises(DataError, match="a fill of 2024-02-01 lies in no session"):
        activity.by_session(fills, fills.notional, DATES[[0, 1, 3]])


def test_bps_fees_equal_the_traded_notional_times_the_rate():
    found = activity.cost_reconciliation(book(BpsCosts(bps=10)).fills, BpsCosts(bps=10))
    assert found["traded_notional_usd"] == 790.0
    assert found["expected_fees_usd"] == pytest.approx(0.79)
    assert found["fees_usd"] == pytest.approx(0.79)
    assert found["fees_bps"] == pytest.approx(10)
    assert found["reconciles"]


@pytest.mark.parametrize(("off", "verdict"), [(0.004, True), (0.006, False), (-0.006, False)])
def test_fees_are_reconciled_to_the_cent(off, verdict):
    fills = book(BpsCosts(bps=10)).fills
    fills.fee[0] += off
    found = activity.cost_reconciliation(fills, BpsCosts(bps=10))
    assert found["fees_difference_usd"] == pytest.approx(off, abs=1e-12)
    assert found["reconciles"] is verdict


@pytest.mark.parametrize("costs", [IbkrFixedCosts(), IbkrTieredCosts(slippage_bps=5)], ids=lambda c: c.model)
def test_fees_by_the_share_are_reconciled_with_their_own_schedule(costs):
    fills = book(costs).fills
    assert activity.cost_reconciliation(fills, costs)["reconciles"]
    assert not activity.cost_reconciliation(fills, BpsCosts(bps=10))["reconciles"]


def test_without_a_cost_model_nothing_is_claimed():
    found = activity.cost_reconciliation(book().fills, None)
    assert found["reconciles"] is None
    assert math.isnan(found["expected_fees_usd"])


def test_no_fill_has_no_rate():
    found = activity.cost_reconciliation(ledger([]).fills, BpsCosts(bps=10))
    assert (found["fills"], found["fees_usd"], found["reconciles"]) == (0, 0.0, True)
    assert math.isnan(found["fees_bps"])


def test_switch_fees_are_those_of_fills_decided_on_a_switch():
    made = book(BpsCosts(bps=10))
    assert activity.switch_fees(made.fills, made.orders) == pytest.approx(0.09)


def test_trading_costs_hold_turnover_fees_and_the_drag_on_nav():
    made = book(BpsCosts(bps=10))
    found = activity.trading_costs(DATES, NAV, made.fills, made.orders, BpsCosts(bps=10))
    assert json.loads(json.dumps(found)) == found
    assert found["fees_annual"] == pytest.approx((0.5 / 1000 + 0.09 / 1000 + 0.2 / 990) * 252 / 3)
    assert found["switch_fees_annual"] == pytest.approx(0.09 / 1000 * 252 / 3)
    # At 10 bps each dollar traded costs .1 %: one-way turnover counts half of it.
    assert found["fees_annual"] == pytest.approx(found["turnover_one_way"] * 2 * 10 / 1e4)


def test_orders_are_counted_by_what_became_of_them():
    made = book()
    one = np.array([1])
    for status in (OrderStatus.REFUSED, OrderStatus.CANCELLED):
        numbers = made.add_orders(DATES[1], one, np.array([7.0]), np.array([9.0]))
        made.resolve(numbers, DATES[2], status)
    made.add_orders(DATES[2], one, np.array([5.0]), np.array([9.0]), OrderKind.RETRY)
    found = activity.order_figures(made.orders)
    assert {k: v for k, v in found.items() if k != "refusals"} == {
        "submitted": 7,
        "filled": 4,
        "refused": 1,
        "cancelled": 1,
        "waiting": 1,
        "retried": 1,
        "delisting": 1,
    }
    assert found["refusals"] == [{"date": "2024-02-01", "symbol": "BBB", "size": 7.0}]


def test_exposure_is_the_mean_after_the_starting_value():
    found = activity.exposure(
        NAV, np.array([1000.0, 500.0, 495.0, 0.0]), np.array([0, 0.5, 0.5, 1.0]), np.array([0, 2.0, 1, 3])
    )
    assert found == {
        "mean_gross": pytest.approx(2 / 3),
        "mean_cash": pytest.approx(1 / 3),
        "mean_names": pytest.approx(2.0),
    }


def test_exposure_of_the_starting_value_alone_is_nan():
    one = np.ones(1)
    assert all(math.isnan(v) for v in activity.exposure(one, one, one, one).values())


LABELS = np.array([Regime.BULL, Regime.BEAR, Regime.BEAR, Regime.HIGH_VOL], dtype=np.int8)


def test_a_return_belongs_to_the_label_known_at_the_close_before_it():
    # Returns 0, -1 %, 2.02 %: the first earned under BULL, the others under BEAR, none under HIGH_VOL.
    found = activity.regime_attribution(NAV, LABELS)
    assert set(found) == {"BULL", "BEAR"}
    assert found["BULL"]["sessions"] == 1
    assert found["BULL"]["contribution"] == 0.0
    assert found["BEAR"]["sessions"] == 2
    assert found["BEAR"]["contribution"] == pytest.approx((-0.01 + 20 / 990) * 252 / 3)
    assert found["BEAR"]["return_annual"] == pytest.approx((-0.01 + 20 / 990) * 252 / 2)
    assert found["BEAR"]["log_return"] == pytest.approx(math.log(1010 / 1000))


@given(st.lists(st.tuples(st.floats(-0.1, 0.1), st.integers(0, 3)), min_size=2, max_size=50))
def test_attribution_adds_up_to_the_whole(rows):
    returns, labels = np.array([r for r, _ in rows]), np.array([s for _, s in rows], dtype=np.int8)
    nav = 1e6 * np.append(1.0, np.cumprod(1.0 + returns))
    found = activity.regime_attribution(nav, np.append(labels, np.int8(0))).values()
    assert sum(v["sessions"] for v in found) == len(returns)
    assert sum(v["share"] for v in found) == pytest.approx(1)
    assert sum(v["contribution"] for v in found) == pytest.approx(np.mean(returns) * 252, abs=1e-9)
    assert sum(v["log_return"] for v in found) == pytest.approx(math.log(nav[-1] / nav[0]), abs=1e-9)


def test_attribution_uses_the_one_sharpe_ratio():
    returns = np.random.default_rng(1).normal(0, 0.01, 300)
    nav = np.append(1.0, np.cumprod(1.0 + returns))
    labels = (np.arange(301) % 2).astype(np.int8)
    found = activity.regime_attribution(nav, labels)["BULL"]["sharpe"]
    assert found == pytest.approx(metrics.sharpe(metrics.returns_from_nav(nav)[1::2]))


def test_switches_and_time_in_regime():
    assert activity.switches_per_year(LABELS) == pytest.approx(2 * 252 / 3)
    assert activity.time_in_regime(LABELS) == {"NEUTRAL": 0.0, "BULL": 0.25, "BEAR": 0.5, "HIGH_VOL": 0.25}
    assert math.isnan(activity.switches_per_year(LABELS[:1]))


def test_labels_of_other_strategies_are_named_by_their_number():
    assert activity.time_in_regime(np.array([7, 7], dtype=np.int8))["7"] == 1.0
