"""Implementation shortfall: hand-worked, and the parts add up to paper less real."""

import datetime as dt
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares7.errors import DataError
from live.journal.rows import Intent, JournalOrder
from live.shortfall import OrderRecord, by_session, shortfall

MONDAY = dt.date(2024, 3, 4)


def order(**given):
    found = {
        "ref": "A7-20240304-0a1b2c3d-1-B-1",
        "session": MONDAY,
        "symbol": "AAPL",
        "quantity": 100.0,
        "decision_price": 50.0,
        "filled": 80.0,
        "average_price": 51.0,
        "fee_usd": 1.5,
        "arrival_price": 50.4,
        "end_price": 52.0,
    }
    return OrderRecord(**(found | given))


def test_a_purchase_worked_by_hand():
    found = shortfall(order())
    assert found.delay_usd == pytest.approx(80 * 0.4)
    assert found.execution_usd == pytest.approx(80 * 0.6)
    assert found.opportunity_usd == pytest.approx(20 * 2.0)
    assert found.total_usd == pytest.approx(32 + 48 + 1.5 + 40)
    assert found.total_bps == pytest.approx(121.5 / 5000 * 1e4)


def test_a_sale_at_a_better_price_is_a_gain():
    found = shortfall(order(quantity=-100.0, filled=-100.0, average_price=50.5, arrival_price=50.2))
    assert found.delay_usd == pytest.approx(-20.0)
    assert found.execution_usd == pytest.approx(-30.0)
    assert found.total_usd == pytest.approx(-48.5)


def test_an_order_that_was_not_filled_costs_what_it_missed():
    found = shortfall(order(filled=0.0, average_price=None, fee_usd=0.0))
    assert (found.execution_usd, found.opportunity_usd, found.total_usd) == (0.0, 200.0, 200.0)


def test_without_an_arrival_price_delay_is_not_invented_and_execution_holds_both():
    known, unknown = shortfall(order()), shortfall(order(arrival_price=None))
    assert unknown.delay_usd is None
    assert unknown.execution_usd == pytest.approx(known.delay_usd + known.execution_usd)
    assert unknown.total_usd == pytest.approx(known.total_usd)


@pytest.mark.parametrize("missing", ["fee_usd", "end_price"])
def test_what_is_not_known_yet_makes_the_total_unknown_never_smaller(missing):
    found = shortfall(order(**{missing: None}))
    assert found.total_usd is found.total_bps is None
    (session,) = by_session([order(), order(**{missing: None})])
    assert session.total("total_usd") is None
    assert session.total("execution_usd") == pytest.approx(96.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"decision_price": math.nan},
        {"decision_price": 0.0},
        {"average_price": -1.0},
        {"average_price": None},
        {"arrival_price": math.inf},
        {"end_price": math.nan},
    ],
)
def test_a_wrong_price_is_refused(wrong):
    with pytest.raises(DataError, match="AAPL"):
        shortfall(order(**wrong))


def test_a_session_adds_its_orders_up_and_counts_what_became_of_them():
    orders = [
        order(),
        order(ref="2", filled=100.0),
        order(ref="3", filled=0.0, average_price=None, fee_usd=0.0, stage="rejected"),
        order(ref="4", session=MONDAY + dt.timedelta(days=1)),
    ]
    first, second = by_session(orders)
    assert [first.session, second.session] == [MONDAY, MONDAY + dt.timedelta(days=1)]
    counts = first.counts()
    assert (counts["orders"], counts["filled"], counts["partly_filled"]) == (3, 1, 1)
    assert (counts["unfilled"], counts["rejected"]) == (1, 1)
    found = first.to_dict()
    assert found["total_usd"] == pytest.approx(sum(o["total_usd"] for o in found["orders"]))
    assert found["total_bps"] == pytest.approx(found["total_usd"] / 15_000 * 1e4)


def test_a_journalled_order_gives_its_record_and_one_without_a_decision_price_is_refused():
    intent = Intent(
        "A7-20240304-0a1b2c3d-1-S-1", 1, "AAPL", "SELL", 30, "MKT", "OPG", MONDAY, 5, decision_price=50.0
    )
    found = OrderRecord.of(JournalOrder(intent, "filled", None, "", 30.0, 49.0, 0.5), 49.5, 48.0)
    assert (found.quantity, found.filled, found.unfilled) == (-30, -30, 0)
    assert shortfall(found).total_usd == pytest.approx(30 * 1.0 + 0.5)
    with pytest.raises(DataError, match="no decision price"):
        OrderRecord.of(JournalOrder(replace(intent, decision_price=None), "sent", None, "", 0.0, None, None))


PRICE = st.floats(1.0, 500.0)


@given(
    quantity=st.integers(-1000, 1000).filter(bool),
    part=st.floats(0.0, 1.5),
    prices=st.tuples(PRICE, PRICE, PRICE, PRICE),
    fee=st.floats(0.0, 50.0),
    arrival=st.booleans(),
)
def test_the_parts_add_up_to_the_paper_book_less_the_real_one(quantity, part, prices, fee, arrival):
    decision, average, arrived, end = prices
    filled = float(int(quantity * part))
    found = shortfall(
        order(
            quantity=float(quantity),
            decision_price=decision,
            filled=filled,
            average_price=average if filled else None,
            fee_usd=fee,
            arrival_price=arrived if arrival else None,
            end_price=end,
        )
    )
    paper = quantity * (end - decision)
    real = filled * (end - average) - fee
    assert found.total_usd == pytest.approx(paper - real, rel=1e-9, abs=1e-6)
