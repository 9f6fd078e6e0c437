"""What each order of Backtrader becomes at the gateway: type, time in force, prices, groups."""

from __future__ import annotations

import datetime as dt

import backtrader as bt
import pytest

from ares7.errors import ConfigError
from tests.bridge.desk import Desk

Order = bt.Order


@pytest.fixture
def desk(gateway, connect):
    return Desk(connect(gateway), gateway)


@pytest.fixture
def closed(double, connect, history):
    """After the close of the sixth session."""
    gateway = double(history, start=f"{history.dates[5]} 16:30")
    return Desk(connect(gateway), gateway)


def sent(desk, order):
    desk.rounds()
    found = [o for o in desk.control.book().orders if o.ref == order.ib_ref]
    assert len(found) == 1, order.reason
    return found[0]


def raw(desk, order, *names):
    return tuple(desk.control.call(lambda g: [g.actions.order(order.ib_ref).raw[n] for n in names]))


def test_a_market_order_of_an_open_market_is_a_day_order_and_fills_now(desk):
    order = desk.buy(100)
    placed = sent(desk, order)
    assert (placed.kind, placed.tif, placed.status) == ("MKT", "DAY", "Filled")


def test_a_market_order_leaves_at_once_and_a_limit_order_when_the_step_is_over(desk):
    desk.buy(10)
    desk.buy(10, exectype=Order.Limit, price=50.0)
    desk.store.client.server_time()
    assert desk.control.recorder.count("placeOrder") == 1
    desk.rounds()
    assert desk.control.recorder.count("placeOrder") == 2


def test_a_market_order_of_a_closed_market_waits_for_the_opening_auction(closed, history):
    order = closed.buy(100)
    placed = sent(closed, order)
    assert (placed.kind, placed.tif, placed.status) == ("MKT", "OPG", "PreSubmitted")
    closed.control.next_session()
    closed.rounds()
    assert order.status == Order.Completed
    assert order.executed.price == history.open[0, 6]


def test_a_market_order_after_the_cut_off_of_the_auction_is_a_day_order(double, connect, history):
    gateway = double(history, start=f"{history.dates[5]} 09:27")
    desk = Desk(connect(gateway), gateway)
    placed = sent(desk, desk.buy(100))
    assert placed.tif == "DAY"
    assert placed.status == "PreSubmitted"


@pytest.mark.parametrize(
    ("kwargs", "kind", "tif", "limit", "stop"),
    [
        ({"exectype": Order.Limit, "price": 90.0}, "LMT", "GTC", 90.0, None),
        ({"exectype": Order.Stop, "price": 150.0}, "STP", "GTC", None, 150.0),
        ({"exectype": Order.StopLimit, "price": 150.0, "plimit": 151.0}, "STP LMT", "GTC", 151.0, 150.0),
        ({"exectype": Order.Close}, "MOC", "DAY", None, None),
        ({"exectype": Order.Limit, "price": 90.0, "order_type": "LOC"}, "LOC", "DAY", 90.0, None),
        ({"exectype": Order.Limit, "price": 90.0, "valid": Order.DAY}, "LMT", "DAY", 90.0, None),
        ({"exectype": Order.Limit, "price": 90.0, "valid": 0}, "LMT", "DAY", 90.0, None),
        ({"exectype": Order.Limit, "price": 90.0, "tif": "IOC"}, "LMT", "IOC", 90.0, None),
    ],
)
def test_each_type_has_its_spelling_and_an_explicit_time_in_force(desk, kwargs, kind, tif, limit, stop):
    order = desk.buy(10, **kwargs)
    placed = sent(desk, order)
    assert (placed.kind, placed.tif) == (kind, tif)
    ticket = desk.store.book.orders[order.ib_ref].ticket
    assert (ticket.limit_price, ticket.stop_price) == (limit, stop)


def test_a_market_on_close_order_fills_at_the_close(desk, history):
    order = desk.buy(100, exectype=Order.Close)
    desk.rounds()
    desk.control.end_session()
    desk.rounds()
    assert order.status == Order.Completed
    assert order.executed.price == history.close[0, 5]


def test_a_market_on_close_order_after_the_cut_off_is_refused_here(double, connect, history):
    gateway = double(history, start=f"{history.dates[5]} 15:50")
    desk = Desk(connect(gateway), gateway)
    order = desk.buy(100, exectype=Order.Close)
    desk.rounds()
    assert order.status == Order.Rejected
    assert "closing auction" in order.reason
    assert not gateway.book().orders


def test_a_limit_on_close_order_out_of_reach_ends_with_the_session(desk):
    order = desk.buy(100, exectype=Order.Limit, price=1.0, order_type="LOC")
    desk.rounds()
    desk.control.end_session(1.0)
    desk.rounds()
    desk.later(10)
    assert order.status == Order.Expired


@pytest.mark.parametrize(
    ("days", "close"),
    [(1, "20230111-21:00:00"), (3, "20230113-21:00:00"), (5, "20230113-21:00:00"), (7, "20230117-21:00:00")],
)
def test_a_validity_of_days_ends_with_the_last_session_that_it_covers(closed, days, close):
    # The latest bar is that of Tuesday, 2023-01-10; Monday 16 is a holiday.
    order = closed.buy(10, exectype=Order.Limit, price=1.0, valid=dt.timedelta(days=days))
    assert sent(closed, order).tif == "GTD"
    assert raw(closed, order, "goodTillDate") == (close,)


def test_a_validity_until_a_date_ends_with_the_session_before_it_as_in_a_backtest(closed):
    order = closed.buy(10, exectype=Order.Limit, price=1.0, valid=dt.date(2023, 1, 12))
    assert sent(closed, order).tif == "GTD"
    assert raw(closed, order, "goodTillDate") == ("20230111-21:00:00",)
    closed.control.end_session(1.0)
    closed.rounds()
    closed.later(10)
    assert order.status == Order.Expired


def test_a_validity_that_ends_before_the_next_session_is_refused(closed):
    order = closed.buy(10, exectype=Order.Limit, price=1.0, valid=dt.date(2023, 1, 11))
    closed.rounds()
    assert order.status == Order.Rejected
    assert "before the next session" in order.reason


def test_a_day_order_that_is_not_filled_expires_with_the_session(desk):
    order = desk.resting(valid=Order.DAY)
    desk.control.end_session(1.0)
    desk.rounds()
    desk.later(10)
    assert desk.told(order) == ["Submitted", "Accepted", "Expired"]


def test_an_order_until_cancelled_outlives_the_session(desk):
    order = desk.resting()
    desk.control.end_session(1.0)
    desk.later(10)
    assert desk.told(order) == ["Submitted", "Accepted"]


@pytest.mark.parametrize("exectype", [Order.StopTrail, Order.StopTrailLimit, Order.Historical])
def test_a_type_that_is_not_supported_is_a_clear_error(desk, exectype):
    with pytest.raises(ConfigError, match="use Market, Close, Limit, Stop, StopLimit"):
        desk.buy(10, exectype=exectype, price=10.0, trailamount=1.0)
    assert desk.same_as_gateway().orders == ()


@pytest.mark.parametrize(
    ("side", "price", "limit"), [("buy", 90.017, 90.01), ("sell", 190.012, 190.02), ("buy", 90.01, 90.01)]
)
def test_a_limit_lies_on_the_grid_of_the_contract_and_is_never_worse_than_asked(desk, side, price, limit):
    order = getattr(desk, side)(10, exectype=Order.Limit, price=price)
    desk.rounds()
    assert desk.store.book.orders[order.ib_ref].ticket.limit_price == limit
    assert order.status == Order.Accepted


@pytest.mark.parametrize(("side", "price", "stop"), [("buy", 190.012, 190.02), ("sell", 50.017, 50.01)])
def test_a_stop_lies_on_the_grid_of_the_contract_away_from_the_market(desk, side, price, stop):
    order = getattr(desk, side)(10, exectype=Order.Stop, price=price)
    desk.rounds()
    assert desk.store.book.orders[order.ib_ref].ticket.stop_price == stop


def test_an_adaptive_order_carries_its_priority(desk):
    order = desk.buy(10, algo="Adaptive", priority="Patient")
    sent(desk, order)
    assert raw(desk, order, "algoStrategy") == ("Adaptive",)
    assert desk.store.book.orders[order.ib_ref].ticket.algo_params == (("adaptivePriority", "Patient"),)


# Brackets


def bracket(desk, size=50, **prices):
    parent = desk.buy(size, exectype=Order.Limit, transmit=False, price=prices["entry"])
    stop = desk.sell(size, exectype=Order.Stop, price=prices["stop"], parent=parent, transmit=False)
    limit = desk.sell(size, exectype=Order.Limit, price=prices["limit"], parent=parent, transmit=True)
    return parent, stop, limit


def test_a_bracket_leaves_together_and_only_its_last_order_releases_it(desk):
    group = bracket(desk, entry=50.0, stop=40.0, limit=150.0)
    assert desk.control.book().orders == ()
    desk.rounds()
    assert [raw(desk, o, "transmit")[0] for o in group] == ["0", "0", "1"]
    ids = [raw(desk, o, "orderId", "parentId") for o in group]
    assert ids[1][1] == ids[2][1] == ids[0][0]
    assert [o.status for o in group] == [Order.Accepted] * 3


def test_the_exits_of_a_bracket_work_once_the_entry_is_filled_and_one_cancels_the_other(desk):
    parent, stop, limit = bracket(desk, entry=50.0, stop=40.0, limit=150.0)
    desk.rounds()
    desk.control.fill(parent.ib_ref, 50.0)
    desk.rounds()
    assert parent.status == Order.Completed
    assert (stop.status, limit.status) == (Order.Accepted, Order.Accepted)
    desk.control.fill(limit.ib_ref, 150.0)
    desk.later(10)
    assert limit.status == Order.Completed
    assert stop.status == Order.Canceled
    desk.same_as_gateway()


def test_cancelling_the_entry_of_a_bracket_cancels_its_exits(desk):
    parent, stop, limit = bracket(desk, entry=50.0, stop=40.0, limit=150.0)
    desk.rounds()
    desk.broker.cancel(parent)
    desk.later(10)
    assert [o.status for o in (parent, stop, limit)] == [Order.Canceled] * 3


def test_a_bracket_of_which_one_price_is_impossible_is_not_sent_at_all(desk):
    group = bracket(desk, entry=50.0, stop=-1.0, limit=150.0)
    desk.rounds()
    assert [o.status for o in group] == [Order.Rejected] * 3
    assert desk.control.book().orders == ()


def test_a_bracket_of_which_one_part_is_refused_is_not_sent_at_all(desk):
    parent = desk.buy(10, exectype=Order.Limit, price=50.0, transmit=False)
    stop = desk.sell(10, exectype=Order.Stop, price=40.0, parent=parent, transmit=False)
    limit = desk.sell(0.5, exectype=Order.Limit, price=60.0, parent=parent)
    desk.rounds()
    assert [o.status for o in (parent, stop, limit)] == [Order.Rejected] * 3
    assert desk.control.book().orders == ()


def test_a_part_of_a_bracket_can_be_cancelled_before_it_leaves(desk):
    parent, stop, limit = bracket(desk, entry=50.0, stop=40.0, limit=150.0)
    desk.broker.cancel(limit)
    desk.rounds()
    assert [o.status for o in (parent, stop, limit)] == [Order.Accepted, Order.Accepted, Order.Canceled]
    assert len(desk.control.book().working) == 2


def test_the_exits_of_a_rejected_entry_are_cancelled(desk):
    desk.control.set(short_sales=False)
    entry = desk.sell(50, exectype=Order.Limit, price=150.0, transmit=False)
    stop = desk.buy(50, exectype=Order.Stop, price=190.0, parent=entry, transmit=False)
    limit = desk.buy(50, exectype=Order.Limit, price=50.0, parent=entry)
    desk.later(30)
    assert entry.status == Order.Rejected
    assert [stop.status, limit.status] == [Order.Canceled, Order.Canceled]
    assert desk.control.book().working == ()


def test_a_bracket_that_is_never_released_is_not_sent_and_can_be_cancelled(desk):
    parent = desk.buy(10, exectype=Order.Limit, price=50.0, transmit=False)
    desk.rounds()
    assert parent.status == Order.Submitted
    assert desk.control.book().orders == ()
    desk.broker.cancel(parent)
    desk.rounds()
    assert parent.status == Order.Canceled


def test_an_exit_added_to_an_entry_that_works_is_its_child(desk):
    parent = desk.resting()
    child = desk.sell(100, exectype=Order.Stop, price=0.5, parent=parent)
    desk.rounds()
    assert raw(desk, child, "parentId") == raw(desk, parent, "orderId")


def test_an_order_of_the_step_in_which_a_run_ends_is_withdrawn(desk):
    order = desk.buy(10, exectype=Order.Limit, price=50.0)
    desk.broker.stop()
    desk.rounds()
    assert order.status == Order.Canceled
    assert desk.control.book().orders == ()


def test_an_order_for_an_auction_that_does_not_take_place_expires(closed):
    closed.control.call(lambda g: g.market.history.close.__setitem__((0, 6), float("nan")))
    order = closed.buy(10)
    closed.rounds()
    closed.control.next_session()
    closed.rounds()
    closed.later(10)
    assert closed.told(order) == ["Submitted", "Accepted", "Expired"]


# One cancels the others


def test_orders_of_an_oco_group_cancel_each_other(desk):
    first = desk.buy(10, exectype=Order.Limit, price=50.0)
    second = desk.buy(10, exectype=Order.Limit, price=51.0, oco=first)
    third = desk.buy(10, exectype=Order.Stop, price=190.0, oco=second)
    desk.rounds()
    groups = {raw(desk, o, "ocaGroup") for o in (first, second, third)}
    assert groups == {(first.ib_ref,)}
    desk.control.fill(second.ib_ref, 51.0)
    desk.later(10)
    assert [o.status for o in (first, second, third)] == [Order.Canceled, Order.Completed, Order.Canceled]
    desk.same_as_gateway()


def test_an_oco_partner_of_an_earlier_step_is_refused_with_the_remedy(desk):
    first = desk.resting()
    second = desk.buy(10, exectype=Order.Limit, price=51.0, oco=first)
    desk.rounds()
    assert second.status == Order.Rejected
    assert "in one step" in second.reason


# Shadow


def test_a_shadow_run_shows_its_orders_and_sends_none(gateway, connect):
    desk = Desk(connect(gateway, shadow=True, client={"read_only": True}), gateway)
    order = desk.buy(10)
    desk.rounds()
    assert [(t.side, t.quantity, t.symbol, t.tif) for t in desk.store.shadow_orders] == [
        ("BUY", 10, "AAPL", "DAY")
    ]
    assert desk.told(order) == ["Submitted", "Canceled"]
    assert gateway.recorder.count("placeOrder") == 0


def test_an_index_is_not_traded(gateway, connect):
    desk = Desk(connect(gateway), gateway)
    store = connect(gateway, 9)
    data = store.getdata(symbol="SPX", kind="IND", backfill=2)
    assert data.what == "TRADES"
    bt.Cerebro().adddata(data)
    store.getbroker().start()
    data._start()
    data.load()
    order = store.getbroker().buy(None, data, 1)
    assert order.status == Order.Rejected
    assert "not traded" in order.reason
    assert desk.control.book().orders == ()


def test_a_journal_that_cannot_store_an_order_prevents_it(desk):
    def fails(ticket, order_id):
        raise ConfigError("disk full")

    desk.store.desk.journal = fails
    order = desk.buy(10)
    desk.rounds()
    assert order.status == Order.Rejected
    assert "disk full" in order.reason
    assert desk.same_as_gateway().orders == ()
