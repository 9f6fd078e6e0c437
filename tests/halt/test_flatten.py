"""Flattening closes what is ours, cancels what would open, and never goes beyond, whatever fills meanwhile."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live.halt.flatten import ClosingOrder, Placed, flatten_plan

APPLE, IBM = 265598, 8314


def closing(plan):
    return {order.con_id: order.quantity for order in plan.orders}


def test_what_we_bought_is_sold_and_what_we_sold_short_is_bought_back():
    plan = flatten_plan({APPLE: 100, IBM: -30}, {APPLE: 100, IBM: -30}, [])
    assert plan.orders == (ClosingOrder(IBM, 30.0), ClosingOrder(APPLE, -100.0))
    assert plan.problems == ()


def test_shares_of_others_stay():
    assert closing(flatten_plan({APPLE: 100}, {APPLE: 250, IBM: 7}, [])) == {APPLE: -100.0}


def test_never_more_is_sold_than_the_account_holds_and_the_difference_is_told():
    plan = flatten_plan({APPLE: 100}, {APPLE: 40}, [])
    assert closing(plan) == {APPLE: -40.0}
    assert "journal has 100 shares and the account 40; reconcile" in plan.problems[0]
    assert closing(flatten_plan({APPLE: 100}, {APPLE: -40}, [])) == {}
    assert closing(flatten_plan({APPLE: 100}, {}, [])) == {}


def test_our_working_orders_are_cancelled_and_those_of_others_and_closing_ones_are_not():
    working = [
        Placed("A7-2", APPLE, 10),
        Placed("A7-1", IBM, -10),
        Placed("", IBM, 10),
        Placed("A7-3", APPLE, -50, closing=True),
    ]
    assert flatten_plan({APPLE: 100}, {APPLE: 100}, working).cancel == ("A7-1", "A7-2")


@pytest.mark.parametrize("ref", ["A7-1", ""])
def test_a_sale_that_works_already_counts_as_sold(ref):
    assert closing(flatten_plan({APPLE: 100}, {APPLE: 100}, [Placed(ref, APPLE, -60)])) == {APPLE: -40.0}


def test_a_purchase_that_still_works_is_sold_only_once_it_is_filled():
    assert closing(flatten_plan({APPLE: 100}, {APPLE: 100}, [Placed("A7-1", APPLE, 60)])) == {APPLE: -100.0}
    assert closing(flatten_plan({APPLE: 160}, {APPLE: 160}, [Placed("A7-c", APPLE, -100, closing=True)])) == {
        APPLE: -60.0
    }


def test_fractions_of_a_share_are_left_and_told():
    plan = flatten_plan({APPLE: 10.5}, {APPLE: 10.5}, [])
    assert closing(plan) == {APPLE: -10.0}
    assert "0.5 of a share remains" in plan.problems[0]


@pytest.mark.parametrize(
    ("ours", "broker", "working"), [(math.nan, 1, 1), (1, math.nan, 1), (1, 1, math.nan), (math.inf, 1, 1)]
)
def test_what_is_not_known_is_not_traded_and_told(ours, broker, working):
    plan = flatten_plan({APPLE: ours}, {APPLE: broker}, [Placed("A7-1", APPLE, working)])
    assert plan.orders == ()
    assert "close it by hand" in plan.problems[0]


def test_a_flat_book_has_nothing_to_do():
    assert flatten_plan({}, {APPLE: 5}, []).done
    assert flatten_plan({APPLE: 0}, {APPLE: 5}, [Placed("A7-3", IBM, -5, closing=True)]).done
    assert not flatten_plan({}, {}, [Placed("A7-1", APPLE, 1)]).done


class Market:
    """One contract: what is ours, what the account holds, and working orders that fill or are cancelled as drawn."""

    def __init__(self, ours, foreign, working):
        self.ours, self.foreign = ours, foreign
        self.working = working
        self.sent = 0
        self.least = self.most = ours

    def plan(self):
        placed = [Placed(ref, APPLE, quantity, is_closing) for ref, quantity, is_closing in self.working]
        return flatten_plan({APPLE: self.ours}, {APPLE: self.ours + self.foreign}, placed)

    def fill(self, index, shares):
        ref, quantity, is_closing = self.working[index]
        done = math.copysign(min(shares, abs(quantity)), quantity)
        if ref:
            self.ours += done
        else:
            self.foreign += done
        left = quantity - done
        self.working[index : index + 1] = [(ref, left, is_closing)] if left else []
        self.least, self.most = min(self.least, self.ours), max(self.most, self.ours)

    def cancel(self, ref):
        self.working = [order for order in self.working if order[0] != ref]

    def send(self, plan):
        for order in plan.orders:
            self.sent += 1
            self.working.append((f"close-{self.sent}", order.quantity, True))


@st.composite
def markets(draw):
    """A long book with working orders of ours that may buy more or sell part of it, beside shares of somebody else."""
    ours = draw(st.integers(0, 300))
    foreign = draw(st.integers(0, 100))
    sells = draw(st.integers(0, ours))
    buys = draw(st.integers(0, 200))
    working = [order for order in (("A7-s", float(-sells), False), ("A7-b", float(buys), False)) if order[1]]
    return Market(float(ours), float(foreign), working)


@given(markets(), st.data())
def test_whatever_fills_between_the_calls_flattening_ends_at_zero_and_never_turns_the_position(market, data):
    foreign = market.foreign
    for _ in range(data.draw(st.integers(0, 12))):
        plan = market.plan()
        market.send(plan)
        assert not market.plan().orders  # idempotent: asked again at once, nothing more is wanted
        for ref in plan.cancel:
            if data.draw(st.booleans()):
                market.cancel(ref)
        for _ in range(data.draw(st.integers(0, 3))):
            if market.working:
                index = data.draw(st.integers(0, len(market.working) - 1))
                market.fill(index, data.draw(st.integers(1, 400)))
    for _ in range(20):  # now everything is cancelled or filled as asked
        plan = market.plan()
        market.send(plan)
        for ref in plan.cancel:
            market.cancel(ref)
        while market.working:
            market.fill(0, math.inf)
        if plan.done:
            break
    assert market.ours == 0
    assert market.least >= 0
    assert market.foreign == foreign
