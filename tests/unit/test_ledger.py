"""The order and fill record."""

import numpy as np

from ares7.ledger import Ledger, OrderKind, OrderStatus

D = np.datetime64


def days(*texts):
    return [D(text) for text in texts]


def test_an_empty_ledger_has_empty_columns_of_the_right_types():
    ledger = Ledger(("AAA",))
    assert len(ledger.orders.status) == len(ledger.fills.price) == 0
    assert ledger.orders.decided.dtype == ledger.fills.date.dtype == np.dtype("datetime64[D]")
    assert ledger.orders.status.dtype == ledger.fills.order.dtype == np.int64
    assert ledger.orders.on_switch.dtype == bool


def test_orders_come_in_submission_order_and_keep_what_was_told_of_them_last():
    ledger = Ledger(("AAA", "BBB", "CCC"))
    first = ledger.add_orders(
        D("2020-01-31"), np.array([2, 0]), np.array([-3.0, 4.0]), np.array([10.0, 20.0]), on_switch=True
    )
    second = ledger.add_orders(
        D("2020-02-03"), np.array([1]), np.array([5.0]), np.array([30.0]), OrderKind.RETRY
    )
    assert (first.tolist(), second.tolist()) == ([0, 1], [2])
    one = np.array([1.5])
    ledger.add_fills(D("2020-02-03"), np.array([2]), np.array([-3.0]), 10 * one, one, first[:1])
    ledger.resolve(first[1:], D("NaT"), OrderStatus.WAITING)
    ledger.resolve(first[1:], D("2020-02-04"), OrderStatus.REFUSED)
    orders, fills = ledger.orders, ledger.fills
    assert orders.decided.tolist() == [d.item() for d in days("2020-01-31", "2020-01-31", "2020-02-03")]
    assert orders.symbol.tolist() == [2, 0, 1]
    assert orders.quantity.tolist() == [-3.0, 4.0, 5.0]
    assert orders.status.tolist() == [OrderStatus.FILLED, OrderStatus.REFUSED, OrderStatus.WAITING]
    assert [str(day) for day in orders.resolved] == ["2020-02-03", "2020-02-04", "NaT"]
    assert orders.kind.tolist() == [OrderKind.DECISION, OrderKind.DECISION, OrderKind.RETRY]
    assert orders.on_switch.tolist() == [True, True, False]
    assert (fills.order.tolist(), fills.price.tolist(), fills.fee.tolist()) == ([0], [15.0], [1.5])
    assert [ledger.reference(n) for n in range(3)] == ["20200131-0", "20200131-1", "20200203-2"]


def test_nothing_executed_is_no_fill():
    ledger = Ledger(("AAA",))
    none = np.zeros(0)
    ledger.add_fills(D("2020-02-03"), none.astype(int), none, none, none, none.astype(int))
    assert len(ledger.fills.date) == len(ledger.orders.status) == 0


def test_a_compiled_runs_book_is_read_as_if_it_had_been_written_order_by_order():
    dates = np.arange(D("2020-01-01"), D("2020-01-06"))
    switch = np.array([False, True, False, False, False])
    filled, refused, waiting = (
        float(s) for s in (OrderStatus.FILLED, OrderStatus.REFUSED, OrderStatus.WAITING)
    )
    book = np.array(
        [
            # decided, resolved, symbol, quantity, close, kind, status, price, fee
            [0, 3, 1, 10.0, 5.0, OrderKind.DECISION, filled, 5.5, 0.1],
            [1, 2, 0, 20.0, 6.0, OrderKind.DECISION, filled, 6.5, 0.2],
            [1, 2, 1, 30.0, 7.0, OrderKind.RETRY, refused, 0.0, 0.0],
            [4, -1, 0, 40.0, 8.0, OrderKind.DECISION, waiting, 0.0, 0.0],
        ]
    )
    ledger = Ledger.from_book(("AAA", "BBB"), book, dates, switch)
    orders, fills = ledger.orders, ledger.fills
    assert orders.status.tolist() == [filled, filled, refused, waiting]
    assert [str(day)[-2:] for day in orders.resolved] == ["04", "03", "03", "aT"]
    assert orders.on_switch.tolist() == [False, True, False, False]
    assert fills.order.tolist() == [1, 0]
    assert fills.price.tolist() == [6.5, 5.5]
    assert [str(day)[-2:] for day in fills.date] == ["03", "04"]
    assert [ledger.reference(n)[:8] for n in range(4)] == ["20200101", "20200102", "20200102", "20200105"]
