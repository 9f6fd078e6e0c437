"""The order book and the holdings by themselves: any order and any repetition of messages ends the same."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares7.errors import ConfigError
from live.account_watch import cash_of
from live.client.messages import ErrorMessage
from live.client.order_messages import Commission, Execution, OpenOrder, OrderStatus, OrderTicket
from live.holdings import Holdings
from live.order_book import OrderBook
from live.order_state import Booking, FeeBooking, HeldTwice, Stage, StageChange

ACCOUNT, CLIENT, CON = "DU1", 7, 11
NOW = dt.datetime(2024, 1, 3, 15, tzinfo=dt.UTC)
TICKET = OrderTicket("A7-1", CON, "AAPL", "BUY", 100, "LMT", "GTC", 10.0)


def execution(number, shares, price, revision=1, **changes):
    root = f"0001.{number:04d}.01"
    found = Execution(
        exec_id=f"{root}.{revision:02d}",
        root=root,
        revision=revision,
        ref="A7-1",
        account=ACCOUNT,
        order_id=5,
        client_id=CLIENT,
        perm_id=900,
        con_id=CON,
        symbol="AAPL",
        side="BUY",
        exchange="NYSE",
        shares=shares,
        price=price,
        cumulative=0.0,
        avg_price=0.0,
        time_utc=NOW,
        replayed=False,
    )
    return replace(found, **changes)


def fee(of, amount):
    return Commission(of.exec_id, amount, "USD", None)


def status(text, order_id=5, client_id=CLIENT, perm_id=900, ref=""):
    return OrderStatus(order_id, client_id, perm_id, 0, ref, text, 0.0, 0.0, 0.0, "")


def a_book():
    book = OrderBook(ACCOUNT, CLIENT)
    book.sent(TICKET, 5, NOW)
    return book


def feed(book, holdings, message):
    handler = book.on_execution if isinstance(message, Execution) else book.on_commission
    for change in handler(message):
        if isinstance(change, Booking):
            holdings.book(change)
        elif isinstance(change, FeeBooking):
            holdings.charge(change.cash)


@given(st.data())
def test_any_order_and_repetition_of_executions_and_fees_ends_with_the_same_books(data):
    fills = []
    for number in range(data.draw(st.integers(1, 4))):
        shares, price = data.draw(st.integers(1, 50)), data.draw(st.integers(100, 200)) / 10
        fills.append(execution(number, float(shares), price))
        for revision in range(2, 2 + data.draw(st.integers(0, 2))):
            fills.append(
                execution(
                    number,
                    float(data.draw(st.integers(1, 50))),
                    data.draw(st.integers(100, 200)) / 10,
                    revision,
                )
            )
    last = {fill.root: fill for fill in fills}
    fees = {root: data.draw(st.integers(1, 300)) / 100 for root in last}
    messages = [*fills, *(fee(fill, fees[root]) for root, fill in last.items())]
    messages += data.draw(st.lists(st.sampled_from(messages), max_size=6))
    book, holdings = a_book(), Holdings(1000.0)
    for message in data.draw(st.permutations(messages)):
        feed(book, holdings, message)
    shares = sum(fill.shares for fill in last.values())
    paid = sum(fill.shares * fill.price for fill in last.values())
    assert holdings.shares(CON) == shares
    assert holdings.cash == pytest.approx(1000.0 - paid - sum(fees.values()))
    assert book.orders["A7-1"].filled == shares


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_a_corrected_opening_gives_the_average_price_that_was_right_from_the_start(side):
    book, holdings = a_book(), Holdings()
    for message in (
        execution(1, 40.0, 10.0, side=side),
        execution(2, 60.0, 11.0, side=side),
        execution(1, 30.0, 12.0, revision=2, side=side),
    ):
        feed(book, holdings, message)
    sign = 1 if side == "BUY" else -1
    assert holdings.shares(CON) == sign * 90
    assert holdings.positions[CON].price == pytest.approx((30 * 12.0 + 60 * 11.0) / 90)


def test_a_corrected_price_of_a_closed_position_moves_cash_alone():
    book, holdings = a_book(), Holdings()
    feed(book, holdings, execution(1, 50.0, 10.0))
    feed(book, holdings, execution(2, 50.0, 12.0, ref="", side="SELL"))
    assert CON not in holdings.positions
    feed(book, holdings, execution(2, 50.0, 12.5, revision=2, ref="", side="SELL"))
    assert CON not in holdings.positions
    assert holdings.cash == pytest.approx(125.0)


def test_a_fee_that_ib_marks_as_unset_is_no_fee():
    book, holdings = a_book(), Holdings()
    done = execution(1, 50.0, 10.0)
    feed(book, holdings, done)
    assert book.on_commission(fee(done, 1.7976931348623157e308)) == []
    assert book.unpaid_since() == NOW


def test_a_fee_of_an_execution_that_was_corrected_meanwhile_does_not_come_back():
    book, holdings = a_book(), Holdings()
    first, second = execution(1, 50.0, 10.0), execution(1, 60.0, 10.0, revision=2)
    for message in (first, second, fee(second, 0.6), fee(first, 0.5)):
        feed(book, holdings, message)
    assert holdings.cash == pytest.approx(-600.6)


def test_executions_and_orders_of_another_account_are_ignored():
    book = a_book()
    assert book.on_execution(execution(1, 50.0, 10.0, account="DU2")) == []
    assert book.orders["A7-1"].stage is Stage.SENT


def test_a_status_of_another_client_under_our_order_id_is_not_ours():
    book = a_book()
    assert book.on_status(status("Cancelled", client_id=8)) == []
    assert book.on_status(status("Submitted")) == [StageChange("A7-1", Stage.WORKING, "")]


def test_an_order_id_of_an_earlier_connection_means_nothing():
    book = a_book()
    book.forget_ids()
    assert book.on_status(status("Cancelled")) == []
    assert book.on_error(ErrorMessage(201, "rejected", 5)) == []


def test_an_open_order_tells_the_id_by_which_it_is_known_now():
    book = a_book()
    book.forget_ids()
    open_order = OpenOrder(
        order_id=33, client_id=CLIENT, perm_id=900, parent_id=0, account=ACCOUNT, ref="A7-1", con_id=CON,
        symbol="AAPL", kind="STK", side="BUY", quantity=100.0, order_type="LMT", tif="GTC", limit_price=10.0,
        stop_price=None, oca_group="", status="Submitted", commission=None,
    )  # fmt: skip
    book.on_open_order(open_order)
    assert book.orders["A7-1"].order_id == 33
    assert book.on_status(status("Cancelled", order_id=33))[0].stage is Stage.CANCELLED


def test_inactive_is_a_rejection_together_with_an_error_201_in_either_order():
    first, second = a_book(), a_book()
    first.on_error(ErrorMessage(201, "no margin", 5))
    assert first.on_status(status("Inactive"))[-1].stage is Stage.REJECTED
    second.on_status(status("Inactive"))
    assert second.on_error(ErrorMessage(201, "no margin", 5))[-1].stage is Stage.REJECTED


def test_an_order_is_given_up_only_when_two_answers_in_a_row_do_not_name_it():
    book = a_book()
    assert book.settle([], ["A7-1"]) == ([], ["A7-1"])
    book.on_status(status("PreSubmitted"))
    assert book.settle([], ["A7-1"])[0] == []
    changes, unsettled = book.settle([], ["A7-1"])
    assert changes[0].stage is Stage.CANCELLED
    assert unsettled == []


def test_a_second_permanent_id_of_a_reference_is_told():
    book = a_book()
    book.on_status(status("Submitted"))
    assert HeldTwice("A7-1") in book.on_status(status("Submitted", perm_id=901))


def test_an_order_whose_first_message_is_its_fill_was_accepted_before():
    changes = a_book().on_execution(execution(1, 100.0, 10.0))
    assert [getattr(change, "stage", "booking") for change in changes] == [
        Stage.WORKING,
        "booking",
        Stage.FILLED,
    ]


def test_a_reference_is_used_once():
    book = a_book()
    with pytest.raises(ValueError, match="used before"):
        book.sent(TICKET, 6, NOW)


def test_cash_is_read_in_usd_and_another_base_currency_is_refused():
    assert cash_of({("TotalCashValue", "USD"): "12.50"}) == 12.5
    assert cash_of({("CashBalance", "USD"): "3", ("TotalCashValue", "EUR"): "9"}) == 3.0
    with pytest.raises(ConfigError, match="EUR"):
        cash_of({("TotalCashValue", "EUR"): "9"})
