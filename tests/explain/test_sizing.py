"""From a weight to an order of one name: the same order as the order stage makes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares7.explain_sizing import OUTCOMES, sizing
from ares7.orders import decide_orders


@pytest.mark.parametrize(
    ("weight", "held", "bar", "outcome", "ordered"),
    [
        (0.10, 0.0, True, "order", 133),
        (0.10, 133.0, True, "unchanged", 0),
        (0.10, 132.0, True, "below_minimum", 0),
        (0.10, 131.0, True, "order", 2),
        (0.0, 1.0, True, "order", -1),
        (0.10, 0.0, False, "no_bar", 0),
    ],
)
def test_each_rule_names_itself(weight, held, bar, outcome, ordered):
    # 10 % of 100,000 at 75 a share is 133.33 shares; 0.1 % of it is 100 USD, one share is less.
    found = sizing(weight, 100_000.0, 75.0, held, bar=bar, min_trade_nav=0.001)
    assert (found.outcome, found.ordered) == (outcome, ordered)


def test_rounding_is_what_whole_shares_leave_in_cash():
    found = sizing(0.10, 100_000.0, 75.0, 0.0, min_trade_nav=0.001)
    assert found.rounded_usd == pytest.approx(10_000 - 133 * 75)


def test_what_is_working_counts_as_held():
    assert sizing(0.10, 100_000.0, 75.0, 100.0, working=33.0, min_trade_nav=0.001).outcome == "unchanged"


@given(
    weight=st.one_of(st.just(0.0), st.floats(1e-6, 1.0)),
    nav=st.floats(1e3, 1e8),
    close=st.floats(0.5, 5_000.0),
    held=st.integers(0, 5_000).map(float),
    bar=st.booleans(),
    whole=st.booleans(),
    small=st.sampled_from([0.0, 0.0005, 0.01]),
)
def test_the_order_is_the_one_of_the_order_stage(weight, nav, close, held, bar, whole, small):
    basket = decide_orders(
        np.array([weight]),
        np.array([held]),
        np.array([close]),
        np.array([bar]),
        nav,
        whole=whole,
        min_trade_nav=small,
    )
    found = sizing(weight, nav, close, held, bar=bar, whole=whole, min_trade_nav=small)
    assert found.ordered == (basket.quantity[0] if len(basket.quantity) else 0.0)
    assert found.outcome in OUTCOMES
