"""Orders through a real client: what fills, where, and what the client is told, in which order."""

from __future__ import annotations

import math

import pytest
from ib_insync import Order

from ares7.costs import BpsCosts
from live.double.history import from_closes
from live.double.knobs import Knobs
from tests.double.client import ACCOUNT, Wire, connected, order, settle, stock, until


def place(ib, control, *orders, contract=None):
    trades = [ib.placeOrder(contract or stock(), one) for one in orders]
    settle(ib)
    return trades


def test_a_market_order_tells_the_sequence_that_the_gateway_tells(gateway):
    with connected(gateway) as ib:
        wire = Wire(ib)
        (trade,) = place(ib, gateway, order())
        until(ib, trade.isDone)
        assert wire.names == [
            "openOrder PreSubmitted",
            "orderStatus PreSubmitted 0",
            "execDetails 10",
            "openOrder Filled",
            "orderStatus Filled 10",
            "openOrder Filled",
            "commissionReport",
        ]
        assert trade.fills[0].commissionReport.commission == 1.0
        assert wire.seen[5][1][3].commission == 1.0


def test_market_orders_pay_the_spread(start):
    control = start(spread_ticks=2)
    with connected(control) as ib:
        bought, sold = place(ib, control, order(), order("SELL"))
        assert bought.orderStatus.avgFillPrice - sold.orderStatus.avgFillPrice == pytest.approx(0.04)


def test_an_opening_order_fills_at_the_opening_print(start):
    control = start(start="2024-01-22 09:00")
    with connected(control) as ib:
        (trade,) = place(ib, control, order(tif="OPG"))
        assert trade.orderStatus.status == "PreSubmitted"
        control.advance_to("2024-01-22 09:30")
        until(ib, trade.isDone)
        # The session of the fifteenth close opens at the close before.
        assert trade.orderStatus.avgFillPrice == 112.0
        assert str(trade.fills[0].execution.time) == "2024-01-22 14:30:00+00:00"


def test_a_market_order_of_the_night_waits_for_the_open_with_a_warning(start):
    control = start(start="2024-01-21 20:00")
    with connected(control) as ib:
        (trade,) = place(ib, control, order())
        assert (trade.order.orderId, 399) in ib.errors
        control.next_session()
        until(ib, trade.isDone)
        assert trade.orderStatus.avgFillPrice == 112.0


def test_a_closing_order_fills_at_the_closing_print(gateway):
    with connected(gateway) as ib:
        (trade,) = place(ib, gateway, order(kind="MOC"))
        gateway.advance_to("2024-01-22 15:59:59")
        settle(ib)
        assert trade.orderStatus.status == "PreSubmitted"
        gateway.advance_to("2024-01-22 16:00")
        until(ib, trade.isDone)
        assert trade.orderStatus.avgFillPrice == 113.0


@pytest.mark.parametrize(("limit", "status"), [(112.99, "Cancelled"), (113.0, "Filled")])
def test_a_limit_on_close_fills_at_the_close_or_ends(gateway, limit, status):
    with connected(gateway) as ib:
        (trade,) = place(ib, gateway, order(kind="LOC", lmtPrice=limit))
        gateway.end_session()
        until(ib, trade.isDone)
        assert trade.orderStatus.status == status


@pytest.mark.parametrize(("limit", "status"), [(111.99, "Cancelled"), (112.5, "Filled")])
def test_a_limit_on_open_fills_at_the_open_or_ends(start, limit, status):
    control = start(start="2024-01-22 09:00")
    with connected(control) as ib:
        (trade,) = place(ib, control, order(kind="LMT", tif="OPG", lmtPrice=limit))
        control.next_session()
        until(ib, trade.isDone)
        assert trade.orderStatus.status == status
        assert trade.orderStatus.avgFillPrice == (112.0 if status == "Filled" else 0.0)


@pytest.mark.parametrize(
    ("when", "kind", "tif"),
    [
        ("2024-01-22 15:50:01", "MOC", "DAY"),
        ("2024-01-22 09:28:01", "MKT", "OPG"),
        ("2024-01-22 12:00", "MKT", "OPG"),
    ],
)
def test_an_order_that_misses_its_auction_is_rejected_and_inactive(start, when, kind, tif):
    control = start(start=when)
    with connected(control) as ib:
        wire = Wire(ib)
        (trade,) = place(ib, control, order(kind=kind, tif=tif))
        assert (trade.order.orderId, 201) in ib.errors
        # The library turns the error into its own Cancelled before; the wire says Inactive, after the error.
        assert wire.names == ["openOrder Inactive", "orderStatus Inactive 0"]
        assert control.book().executions == ()


def test_auction_cutoffs_follow_half_days(history):
    from live.double.control import running
    from live.double.settings import Settings

    closes = {"AAPL": [100.0 + i for i in range(10)]}
    market = from_closes("2024-11-25", closes)
    # 2024-11-29 closes at 13:00.
    with (
        running(market, Settings(start="2024-11-29 12:49", spread_ticks=0)) as control,
        connected(control) as ib,
    ):
        (early,) = place(ib, control, order(kind="MOC"))
        control.advance_to("2024-11-29 12:51")
        wire = Wire(ib)
        place(ib, control, order(kind="MOC"))
        assert "orderStatus Inactive 0" in wire.names
        control.advance_to("2024-11-29 13:00")
        until(ib, early.isDone)
        assert early.orderStatus.avgFillPrice == 103.0


def test_a_limit_order_waits_for_its_price_and_fills_there(gateway):
    with connected(gateway) as ib:
        (trade,) = place(ib, gateway, order("SELL", kind="LMT", lmtPrice=112.75))
        assert trade.orderStatus.status == "Submitted"
        gateway.end_session(-1)
        until(ib, trade.isDone)
        assert trade.orderStatus.avgFillPrice == 112.75


def test_a_marketable_limit_order_fills_at_the_quote(gateway):
    with connected(gateway) as ib:
        (trade,) = place(ib, gateway, order(kind="LMT", lmtPrice=150.0))
        assert trade.orderStatus.avgFillPrice < 113.0


def test_a_limit_that_the_price_never_reaches_expires_at_the_close_unless_it_is_gtc(gateway):
    with connected(gateway) as ib:
        day, gtc = place(
            ib,
            gateway,
            order(kind="LMT", lmtPrice=90.0),
            order(kind="LMT", lmtPrice=90.0, tif="GTC"),
        )
        gateway.end_session()
        settle(ib)
        assert [day.orderStatus.status, gtc.orderStatus.status] == ["Cancelled", "Submitted"]
        assert [o.status for o in gateway.book().working] == ["Submitted"]


def test_a_stop_becomes_a_market_order_at_its_price(gateway):
    with connected(gateway) as ib:
        wire = Wire(ib)
        (trade,) = place(ib, gateway, order(kind="STP", auxPrice=112.5))
        gateway.end_session(-1)
        until(ib, trade.isDone)
        assert trade.orderStatus.avgFillPrice == pytest.approx(112.5, abs=0.01)
        assert "openOrder Submitted" in wire.names


def test_a_stop_limit_becomes_a_limit_order(gateway):
    with connected(gateway) as ib:
        (trade,) = place(ib, gateway, order(kind="STP LMT", auxPrice=112.5, lmtPrice=112.2))
        gateway.end_session(-1)
        settle(ib)
        # The price rises through the stop and does not come back to the limit.
        assert trade.orderStatus.status == "Submitted"
        assert gateway.book().executions == ()


def test_the_children_of_a_bracket_wait_and_one_cancels_the_other(gateway):
    with connected(gateway) as ib:
        parent, profit, loss = ib.bracketOrder("BUY", 10, 112.6, 112.9, 100.0, tif="DAY", account=ACCOUNT)
        trades = [ib.placeOrder(stock(), one) for one in (parent, profit, loss)]
        settle(ib)
        assert [t.orderStatus.status for t in trades] == ["Filled", "Submitted", "PreSubmitted"]
        gateway.end_session(-1)
        until(ib, trades[1].isDone)
        settle(ib)
        assert [t.orderStatus.status for t in trades] == ["Filled", "Filled", "Cancelled"]
        assert gateway.book().positions[ACCOUNT] == {}


def test_nothing_of_a_bracket_is_sent_before_the_last_child_transmits_it(gateway):
    with connected(gateway) as ib:
        parent, profit, loss = ib.bracketOrder("BUY", 10, 90.0, 112.9, 80.0, tif="DAY", account=ACCOUNT)
        wire = Wire(ib)
        place(ib, gateway, parent, profit)
        assert wire.names == []
        place(ib, gateway, loss)
        assert wire.names.count("openOrder Submitted") == 1
        assert wire.names.count("openOrder PreSubmitted") == 2


def test_cancelling_the_parent_cancels_its_children(gateway):
    with connected(gateway) as ib:
        legs = ib.bracketOrder("BUY", 10, 90.0, 112.9, 80.0, tif="DAY", account=ACCOUNT)
        trades = place(ib, gateway, *legs)
        ib.cancelOrder(trades[0].order)
        until(ib, lambda: all(t.isDone() for t in trades))
        assert {o.status for o in gateway.book().orders} == {"Cancelled"}


def test_one_fill_cancels_the_other_orders_of_its_oca_group(gateway):
    with connected(gateway) as ib:
        low = order(kind="LMT", lmtPrice=90.0, ocaGroup="g", ocaType=1)
        now = order(kind="LMT", lmtPrice=120.0, ocaGroup="g", ocaType=1)
        first, second = place(ib, gateway, low, now)
        until(ib, first.isDone)
        assert [first.orderStatus.status, second.orderStatus.status] == ["Cancelled", "Filled"]


def test_a_cancelled_order_says_202_and_never_fills(gateway):
    with connected(gateway) as ib:
        (trade,) = place(ib, gateway, order("SELL", kind="LMT", lmtPrice=112.75))
        ib.cancelOrder(trade.order)
        until(ib, trade.isDone)
        settle(ib)
        assert (trade.order.orderId, 202) in ib.errors
        gateway.end_session()
        assert gateway.book().executions == ()


def test_a_global_cancel_ends_the_orders_of_every_client(gateway):
    with connected(gateway, 7) as one, connected(gateway, 8) as other:
        place(one, gateway, order(kind="LMT", lmtPrice=90.0))
        place(other, gateway, order(kind="LMT", lmtPrice=91.0))
        one.reqGlobalCancel()
        settle(one)
        assert gateway.book().working == ()


def test_a_modified_order_keeps_its_id_and_fills_at_the_new_price(gateway):
    with connected(gateway) as ib:
        (trade,) = place(ib, gateway, order("SELL", kind="LMT", lmtPrice=200.0))
        before = gateway.book().orders[0].perm_id
        trade.order.lmtPrice, trade.order.totalQuantity = 112.75, 6
        ib.placeOrder(stock(), trade.order)
        gateway.call(lambda g: None)
        settle(ib)
        gateway.end_session(-1)
        until(ib, trade.isDone)
        (booked,) = gateway.book().orders
        assert (booked.perm_id, booked.filled, booked.average) == (before, 6.0, 112.75)


def raw_place(ib, order_id, one, contract=None):
    """Send an order past the library's own checks."""
    one.orderId, one.clientId = order_id, ib.client.clientId
    ib.client.placeOrder(order_id, contract or stock(), one)
    settle(ib)


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (order(quantity=0), 434),
        (order(quantity=1.5), 10243),
        (order(kind="LMT", lmtPrice=100.005), 110),
        (order(kind="MOC", tif="GTC"), 113),
        (order(kind="PEG MID"), 387),
        (order(kind="LMT"), 321),
        (order(account="U999"), 321),
        (order(quantity=10_000_000), 201),
    ],
)
def test_a_wrong_order_is_refused_with_its_code(gateway, one, code):
    with connected(gateway) as ib:
        raw_place(ib, 50, one)
        assert (50, code) in ib.errors
        assert gateway.book().executions == ()
        assert gateway.book().working == ()


def test_an_unknown_contract_an_index_and_an_ambiguous_one_cannot_be_traded(gateway):
    gateway.add_listing("BRK B")
    with connected(gateway) as ib:
        raw_place(ib, 50, order(), stock("NOPE"))
        raw_place(ib, 51, order(), stock("BRK B"))
        assert ib.errors == [(50, 200), (51, 200)]


def test_ids_that_are_used_and_orders_that_are_done_are_not_taken_again(gateway):
    with connected(gateway) as ib:
        raw_place(ib, 50, order())
        raw_place(ib, 50, order())
        raw_place(ib, 51, order(kind="LMT", lmtPrice=90.0))
        raw_place(ib, 51, order("SELL", kind="LMT", lmtPrice=90.0))
        ib.client.cancelOrder(51)
        settle(ib)
        raw_place(ib, 51, order(kind="LMT", lmtPrice=90.0))
        codes = [error for error in ib.errors if error[1] != 202]
        assert codes == [(50, 104), (51, 105), (51, 103)]


def test_a_cancellation_of_nothing_and_of_a_done_order_is_told_apart(gateway):
    with connected(gateway) as ib:
        raw_place(ib, 50, order())
        ib.client.cancelOrder(50)
        ib.client.cancelOrder(49)
        settle(ib)
        assert ib.errors == [(50, 10148), (49, 10147)]


def test_an_order_without_time_in_force_becomes_a_day_order_with_10349(gateway):
    with connected(gateway) as ib:
        raw_place(ib, 50, order(tif=""))
        assert ib.errors == [(50, 10349)]
        assert [o.tif for o in gateway.book().orders] == ["DAY"]


def test_short_sales_can_be_refused(start):
    control = start(Knobs(short_sales=False))
    with connected(control) as ib:
        raw_place(ib, 50, order("SELL"))
        assert (50, 201) in ib.errors


def test_buying_power_counts_orders_that_still_work(start):
    control = start(start="2024-01-22 09:00", accounts={ACCOUNT: 10_000.0}, leverage=1.0)
    with connected(control) as ib:
        # Each costs about 6,700 of the 10,000: the second has nothing left.
        place(ib, control, order(quantity=60, tif="OPG"), order(quantity=60, tif="OPG"))
        assert [o.status for o in control.book().orders] == ["PreSubmitted", "Inactive"]
        control.next_session()
        # What is held can be sold and bought again for its own proceeds.
        place(ib, control, order("SELL", 60), order(quantity=60))
        assert [o.status for o in control.book().orders][2:] == ["Filled", "Filled"]


def test_fees_are_those_of_the_cost_model_and_profit_is_net(start):
    control = start(costs=BpsCosts(bps=10))
    with connected(control) as ib:
        bought, sold = place(ib, control, order(quantity=100), order("SELL", 100))
        fee = 100 * (10 / 1e4) * bought.orderStatus.avgFillPrice
        assert bought.fills[0].commissionReport.commission == fee
        assert bought.fills[0].commissionReport.realizedPNL == 0.0
        assert sold.fills[0].commissionReport.realizedPNL == pytest.approx(-2 * fee)


def test_an_opening_has_no_realised_profit_on_the_wire(gateway):
    with connected(gateway) as ib:
        place(ib, gateway, order(), order("SELL"))
        first, second = gateway.recorder.named("commissionReport", "out")
        assert float(first.fields[5]) == 1.7976931348623157e308
        assert math.isfinite(float(second.fields[5]))
        assert float(second.fields[5]) < 0


def test_a_what_if_order_shows_margins_and_is_not_placed(gateway):
    with connected(gateway) as ib:
        state = ib.whatIfOrder(stock(), order(quantity=100))
        assert float(state.initMarginChange) == pytest.approx(100 * 112.1 / 2, rel=0.01)
        assert state.commission == 1.0
        assert gateway.book().orders == ()


def test_an_adaptive_order_comes_back_with_its_algo(gateway):
    with connected(gateway) as ib:
        from ib_insync import TagValue

        wire = Wire(ib)
        one = order(algoStrategy="Adaptive", algoParams=[TagValue("adaptivePriority", "Normal")])
        place(ib, gateway, one)
        echoed: Order = wire.seen[0][1][2]
        assert (echoed.algoStrategy, echoed.algoParams) == ("Adaptive", one.algoParams)
        raw_place(ib, 50, order(tif="OPG", algoStrategy="Adaptive"))
        assert (50, 201) in ib.errors


def test_orders_live_on_and_fill_while_no_client_is_connected(start):
    control = start(start="2024-01-22 09:00")
    with connected(control) as ib:
        place(ib, control, order(tif="OPG", orderRef="A7-1"))
        assert control.connections() == [7]
    control.next_session()
    with connected(control) as ib:
        (fill,) = ib.fills()
        assert (fill.execution.orderRef, fill.execution.price) == ("A7-1", 112.0)
        assert [p.position for p in ib.positions()] == [10.0]


def test_the_clock_of_an_execution_is_the_gateway_s(gateway):
    with connected(gateway) as ib:
        gateway.advance(90)
        (trade,) = place(ib, gateway, order())
        assert str(trade.fills[0].execution.time) == "2024-01-22 15:01:30+00:00"


def test_completed_orders_come_without_ids_and_with_what_was_filled(gateway):
    with connected(gateway) as ib:
        (trade,) = place(ib, gateway, order(orderRef="A7-9"))
        (done,) = ib.reqCompletedOrders(False)
        assert (done.order.orderId, done.order.clientId, done.order.totalQuantity) == (0, 0, 0.0)
        assert (done.order.filledQuantity, done.order.orderRef) == (10.0, "A7-9")
        assert done.order.permId == trade.order.permId
        assert done.orderStatus.status == "Filled"


def test_executions_and_completed_orders_are_those_of_today_only(gateway):
    with connected(gateway) as ib:
        place(ib, gateway, order())
        gateway.next_session()
        assert ib.reqExecutions() == []
        assert ib.reqCompletedOrders(False) == []


def test_open_orders_of_a_client_are_its_own_and_all_are_those_of_everybody(gateway):
    with connected(gateway, 7) as one, connected(gateway, 8) as other:
        place(one, gateway, order(kind="LMT", lmtPrice=90.0, orderRef="one"))
        place(other, gateway, order(kind="LMT", lmtPrice=91.0, orderRef="other"))
        assert [t.order.orderRef for t in one.reqOpenOrders()] == ["one"]
        assert sorted(t.order.orderRef for t in one.reqAllOpenOrders()) == ["one", "other"]


def test_an_immediate_or_cancel_order_fills_now_or_ends(gateway):
    with connected(gateway) as ib:
        now, never = place(
            ib,
            gateway,
            order(kind="LMT", lmtPrice=120.0, tif="IOC"),
            order(kind="LMT", lmtPrice=90.0, tif="IOC"),
        )
        assert [now.orderStatus.status, never.orderStatus.status] == ["Filled", "Cancelled"]


def test_an_order_that_is_good_till_a_date_ends_with_that_day(gateway):
    with connected(gateway) as ib:
        place(ib, gateway, order(kind="LMT", lmtPrice=90.0, tif="GTD", goodTillDate="20240123 23:59:59"))
        gateway.advance_to("2024-01-22 20:00")
        assert [o.status for o in gateway.book().orders] == ["Submitted"]
        gateway.advance_to("2024-01-23 16:00")
        assert [o.status for o in gateway.book().orders] == ["Cancelled"]


def test_a_day_order_of_the_night_lives_until_the_next_close(start):
    control = start(start="2024-01-22 18:00")
    with connected(control) as ib:
        place(ib, control, order(kind="LMT", lmtPrice=90.0))
        control.advance_to("2024-01-23 15:59")
        assert [o.status for o in control.book().orders] == ["Submitted"]
        control.end_session()
        assert [o.status for o in control.book().orders] == ["Cancelled"]


def test_without_a_preset_an_order_without_time_in_force_is_refused(start):
    control = start(Knobs(tif_preset=False))
    with connected(control) as ib:
        raw_place(ib, 50, order(tif=""))
        assert ib.errors == [(50, 201)]
        assert [o.status for o in control.book().orders] == ["Inactive"]


def test_the_cutoffs_of_the_auctions_can_be_set(start):
    control = start(Knobs(moc_cutoff=60, opg_cutoff=3600), start="2024-01-22 08:45")
    with connected(control) as ib:
        raw_place(ib, 50, order(tif="OPG"))
        control.advance_to("2024-01-22 15:58")
        raw_place(ib, 51, order(kind="MOC"))
        assert [o.status for o in control.book().orders] == ["Inactive", "PreSubmitted"]
