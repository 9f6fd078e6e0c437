"""Tickets of a rebalance, judged right before the socket beside what was sent before them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from ares7.limits import LimitParams, Limits, Name
from live.client.order_messages import OrderTicket
from live.halt.level import HaltLevel
from live.halt.switch import HaltSwitch
from live.order_state import Fill, Known, Stage
from live.pre_trade import Book, Day, PreTrade
from tests.halt.clocks import START
from tests.limits.accounts import only

APPLE, IBM = 265598, 8314
FACTS = {APPLE: Name(100.0, 0.0, 1e6), IBM: Name(100.0, 0.0, 1e6)}
EMPTY = Book(100_000.0, 100_000.0, {})


def ticket(quantity, con_id=APPLE, **given):
    side = "BUY" if quantity > 0 else "SELL"
    number = next(numbers)
    return OrderTicket(
        f"A7-{con_id}-{number}", con_id, "NAME", side, abs(quantity), given.pop("kind", "MKT"), "DAY", **given
    )


numbers = iter(range(10**6))


def known(made, filled=0.0, stage=Stage.WORKING):
    out = Known(made, 1, START, stage)
    if filled:
        out.fills["x"] = Fill("x", 1, filled, 100.0, START)
    return out


@pytest.fixture
def gate(file, alarms, clock):
    def make(limits=None):
        day = Day(FACTS, 100_000.0, 100_000.0)
        return PreTrade(Limits(limits or LimitParams()), HaltSwitch([file], alarms, clock), day)

    return make


def test_orders_and_turnover_of_the_session_add_up_and_a_reference_counts_once(gate):
    made = gate(only(max_orders_a_day=2, max_turnover=0.25))
    first = ticket(200)
    assert made.judge(first, EMPTY).allowed
    made.sent(first)
    made.sent(first)
    assert (made.day.orders, made.day.traded_usd) == (1, 20_000.0)
    assert made.judge(ticket(301, IBM), EMPTY).code == "turnover"
    second = ticket(300, IBM)
    assert made.judge(second, EMPTY).allowed
    made.sent(second)
    assert made.judge(ticket(1), EMPTY).code == "turnover"
    made.day.traded_usd = 0.0
    assert made.judge(ticket(1), EMPTY).code == "orders_a_day"


def test_what_is_left_of_working_orders_counts(gate):
    made = gate(only(max_weight=0.1))
    half = known(ticket(80), filled=40.0)
    held = replace(EMPTY, shares={APPLE: 40.0}, working=[half])
    assert made.judge(ticket(20), held).allowed
    assert made.judge(ticket(21), held).code == "weight"
    over = replace(held, working=[known(ticket(80), filled=40.0, stage=Stage.CANCELLED)])
    assert made.judge(ticket(60), over).allowed


def test_a_sale_of_what_is_held_and_not_being_sold_passes_every_limit_and_a_block(gate, file):
    made = gate(LimitParams(max_orders_a_day=1, max_daily_loss=1e-9))
    made.day.orders, made.day.previous_nav = 10, math.nan
    file.trip(HaltLevel.BLOCK_NEW, "ann", "")
    held = Book(math.nan, math.nan, {APPLE: 100.0}, [known(ticket(-60))])
    assert made.judge(ticket(-40), held).code == "reduces"
    assert made.judge(ticket(-41), held).code == "halt"


def test_a_halt_between_two_tickets_stops_the_second(gate, file):
    made = gate()
    assert made.judge(ticket(1), EMPTY).allowed
    file.trip(HaltLevel.HALT, "ann", "")
    assert made.judge(ticket(1), EMPTY).code == "halt"


def test_flattening_passes_under_flatten_only_as_far_as_it_closes(gate, file):
    made, held = gate(), Book(100_000.0, 0.0, {APPLE: 100.0})
    file.trip(HaltLevel.FLATTEN, "ann", "")
    assert made.judge(ticket(-100), held).code == "halt"
    assert made.judge(ticket(-100), held, flattening=True).allowed
    assert made.judge(ticket(-101), held, flattening=True).code == "halt"
    file.trip(HaltLevel.HALT, "ann", "")
    assert made.judge(ticket(-100), held, flattening=True).code == "halt"


def test_a_limit_or_stop_price_is_held_against_the_close(gate):
    made = gate(only(price_collar=0.1))
    assert made.judge(ticket(1, kind="LMT", limit_price=109.0), EMPTY).allowed
    assert made.judge(ticket(1, kind="LMT", limit_price=111.0), EMPTY).code == "price_collar"
    assert made.judge(ticket(1, kind="STP", stop_price=111.0), EMPTY).code == "price_collar"
    assert made.judge(ticket(1), EMPTY, quote=111.0).code == "price_collar"


def test_a_contract_without_facts_is_refused(gate):
    assert gate().judge(ticket(1, 1), EMPTY).code == "price"


def test_a_halt_while_an_order_is_journalled_is_noticed(gate, file):
    made = gate()
    assert made.judge(ticket(10), EMPTY).allowed
    assert not made.halt_changed()
    file.trip(HaltLevel.BLOCK_NEW, "ann", "meanwhile")
    assert made.halt_changed()
    assert made.judge(ticket(10), EMPTY).code == "halt"
    assert not made.halt_changed()
