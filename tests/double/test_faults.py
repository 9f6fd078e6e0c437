"""Everything that can be made to go wrong does go wrong, as a real client sees it."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest

from ares7.errors import ConfigError, ServiceUnavailable
from live.double.control import running
from live.double.faults import read_script
from live.double.knobs import Knobs
from live.double.settings import Settings
from tests.double.client import ACCOUNT, Wire, connected, order, settle, stock, until


def place(ib, one, contract=None):
    trade = ib.placeOrder(contract or stock(), one)
    settle(ib)
    return trade


def resting(**fields):
    return order(kind="LMT", lmtPrice=90.0, **fields)


# Connections.


def test_a_script_drops_the_connection_at_the_nth_message(start):
    control = start(script=[{"on": "placeOrder", "nth": 3, "do": "drop"}])
    with connected(control) as ib:
        for ref in ("a", "b", "c"):
            ib.placeOrder(stock(), resting(orderRef=ref))
        until(ib, lambda: not ib.isConnected())
    assert [o.ref for o in control.book().orders] == ["a", "b"]
    assert control.recorder.order_refs() == ["a", "b", "c"]


def test_a_reset_connection_is_lost_at_once_and_can_be_made_again(gateway):
    with connected(gateway) as ib:
        gateway.drop(7, reset=True)
        until(ib, lambda: not ib.isConnected())
    with connected(gateway) as ib:
        assert ib.isConnected()


def test_a_half_open_connection_stays_up_and_is_silent(gateway):
    with connected(gateway) as ib:
        gateway.half_open()
        ib.RequestTimeout = 0.3
        with pytest.raises(asyncio.TimeoutError):
            ib.reqCurrentTime()
        assert ib.isConnected()


def test_connections_are_refused_for_a_while_and_taken_again(gateway):
    gateway.refuse(0.4)
    for _ in range(100):
        try:
            socket.create_connection((gateway.host, gateway.port), 1).close()
        except ConnectionRefusedError:
            break
        time.sleep(0.005)
    else:
        pytest.fail("was never refused")
    for _ in range(100):
        try:
            with connected(gateway):
                break
        except ConnectionRefusedError:
            time.sleep(0.05)
    else:
        pytest.fail("was never accepted again")


def test_a_gateway_that_hangs_up_or_says_nothing_does_not_connect(start):
    for knobs in (Knobs(hang_up=True), Knobs(silent_handshake=True)):
        control = start(knobs)
        with pytest.raises((asyncio.TimeoutError, ConnectionError)), connected(control, timeout=0.5):
            pass


def test_a_client_id_in_use_gets_326_and_is_closed(start):
    control = start(Knobs(clients_in_use=(9,)))
    for taken in (7, 9):
        with connected(control, 7):
            with (
                pytest.raises((asyncio.TimeoutError, ConnectionError)),
                connected(control, taken, timeout=0.5),
            ):
                pass
            assert (-1, 326) in control.recorder.errors()
            control.recorder.entries.clear()


def test_a_request_can_stay_unanswered(start):
    control = start(Knobs(unanswered=("reqPositions",)))
    with connected(control, timeout=0.5) as ib:
        # The library connects all the same; only its log tells.
        assert ib.isConnected()
    assert control.recorder.count("positionEnd") == 0
    assert control.recorder.count("reqPositions", "in") == 1


def test_a_restart_keeps_the_books_and_rolls_order_ids_back(gateway):
    with connected(gateway) as ib:
        first = place(ib, resting(orderRef="a")).order.orderId
        place(ib, resting(orderRef="b"))
        gateway.restart(0.0, rollback=2)
        until(ib, lambda: not ib.isConnected())
    for _ in range(100):
        try:
            socket.create_connection((gateway.host, gateway.port), 1).close()
            break
        except ConnectionRefusedError:
            time.sleep(0.01)
    with connected(gateway) as ib:
        assert gateway.recorder.named("nextValidId")[-1].fields[2] == str(first)
        again = place(ib, resting(orderRef="c"))
        again.order.orderId = first
        booked = {o.ref: o.order_id for o in gateway.book().working}
        assert set(booked) == {"a", "b", "c"}


def test_order_ids_that_were_rolled_back_are_given_to_new_orders(gateway):
    with connected(gateway) as ib:
        number = place(ib, resting(orderRef="a")).order.orderId
        gateway.roll_back_ids(7, 1)
        one = resting(orderRef="b")
        one.orderId, one.clientId = number, 7
        ib.client.placeOrder(number, stock(), one)
        settle(ib)
        assert [(o.ref, o.order_id) for o in gateway.book().working] == [("a", number), ("b", number)]


# Notices.


@pytest.mark.parametrize("code", [1100, 1101, 1102, 2103, 2104, 2105, 2106, 2107, 2108, 2110, 2157])
def test_connectivity_and_farm_notices_reach_every_client(gateway, code):
    with connected(gateway, 7) as one, connected(gateway, 8) as other:
        gateway.notice(code)
        settle(one)
        assert (-1, code) in one.errors
        assert (-1, code) in other.errors
        assert one.isConnected()


def test_a_storm_of_1100_ends_with_1102(gateway):
    with connected(gateway) as ib:
        gateway.storm(1100, 200)
        settle(ib)
        assert ib.errors.count((-1, 1100)) == 200
        assert ib.errors[-1] == (-1, 1102)


# Orders.


def test_a_test_can_wait_for_a_message_and_learns_that_it_never_came(gateway):
    with connected(gateway) as ib:
        ib.placeOrder(stock(), resting())
        gateway.wait_for("placeOrder")
        gateway.wait_for("orderStatus", way="out")
        with pytest.raises(ServiceUnavailable, match="1 of 2"):
            gateway.wait_for("placeOrder", 2, seconds=0.05)


def test_a_swallowed_order_leaves_no_trace(start):
    control = start(script=[{"on": "placeOrder", "nth": 2, "do": "swallow"}])
    with connected(control) as ib:
        trades = [place(ib, resting(orderRef=ref)) for ref in ("a", "b", "c")]
        assert [t.orderStatus.status for t in trades] == ["Submitted", "PendingSubmit", "Submitted"]
        assert [o.ref for o in control.book().orders] == ["a", "c"]
        assert [e.fields[26] for e in control.recorder.named("placeOrder", "lost")] == ["b"]


def test_a_duplicated_message_comes_twice(start):
    control = start(script=[{"on": "execDetails", "do": "duplicate"}])
    with connected(control) as ib:
        wire = Wire(ib)
        place(ib, order())
        assert wire.names.count("execDetails 10") == 2
        assert control.book().positions[ACCOUNT] == {"AAPL": 10.0}


def test_a_delayed_message_comes_when_virtual_time_has_passed(start):
    control = start(script=[{"on": "commissionReport", "do": "delay", "seconds": 30}])
    with connected(control) as ib:
        wire = Wire(ib)
        place(ib, order())
        assert "commissionReport" not in wire.names
        control.advance(30)
        settle(ib)
        assert wire.names[-1] == "commissionReport"


def test_a_reordered_message_comes_after_the_next_one(start):
    control = start(script=[{"on": "execDetails", "do": "reorder"}])
    with connected(control) as ib:
        wire = Wire(ib)
        place(ib, order())
        at = wire.names.index("execDetails 10")
        assert wire.names[at - 1] == "openOrder Filled"


def test_a_reordered_request_is_handled_after_the_next_one(start):
    control = start(script=[{"on": "placeOrder", "do": "reorder"}])
    with connected(control) as ib:
        for ref in ("a", "b"):
            ib.placeOrder(stock(), resting(orderRef=ref))
        settle(ib)
        assert [o.ref for o in control.book().orders] == ["b", "a"]


@pytest.mark.parametrize("code", [103, 104, 105, 110, 161, 200, 201, 321, 399, 404, 10147, 10148, 10349])
def test_any_error_can_hit_a_live_order_which_works_on_and_fills(gateway, code):
    with connected(gateway) as ib:
        trade = place(ib, order("SELL", kind="LMT", lmtPrice=112.75, orderRef="a"))
        gateway.error_on("a", code)
        settle(ib)
        assert (trade.order.orderId, code) in ib.errors
        gateway.end_session(-1)
        until(ib, lambda: trade.orderStatus.status == "Filled")


def test_any_request_can_be_answered_by_any_error(start):
    control = start(
        script=[{"on": "reqHistoricalData", "do": "error", "code": 162, "text": "pacing violation"}]
    )
    with connected(control) as ib:
        assert not ib.reqHistoricalData(stock(), "", "5 D", "1 day", "TRADES", True)
        assert ib.errors[-1][1] == 162
        assert len(ib.reqHistoricalData(stock(), "", "5 D", "1 day", "TRADES", True)) == 5


def test_an_error_can_come_although_the_order_is_carried_out(start):
    control = start(script=[{"on": "placeOrder", "do": "error", "code": 201, "also": True}])
    with connected(control) as ib:
        trade = place(ib, resting())
        assert trade.orderStatus.status == "Cancelled"
        assert [o.status for o in control.book().working] == ["Submitted"]


def test_a_read_only_api_refuses_orders_and_their_list_with_321(start):
    control = start(Knobs(read_only=True))
    with connected(control, readonly=True) as ib:
        trade = place(ib, order())
        assert (trade.order.orderId, 321) in ib.errors
        assert ib.reqOpenOrders() == []
        assert (-1, 321) in ib.errors
        ib.reqGlobalCancel()
        settle(ib)
        assert control.book().orders == ()


def test_orders_fill_in_slices_over_time(start):
    control = start(Knobs(partial_slices=3, slice_seconds=20))
    with connected(control) as ib:
        wire = Wire(ib)
        trade = place(ib, order(quantity=100))
        assert (trade.orderStatus.status, trade.filled()) == ("Submitted", 34)
        control.advance(40)
        until(ib, trade.isDone)
        assert [f.execution.shares for f in trade.fills] == [34, 34, 32]
        assert sum(f.commissionReport.commission for f in trade.fills) == 1.0
        assert "orderStatus Submitted 34" in wire.names


def test_what_is_left_of_a_partly_filled_order_can_be_cancelled(start):
    control = start(Knobs(partial_slices=3, slice_seconds=20))
    with connected(control) as ib:
        trade = place(ib, order(quantity=100))
        ib.cancelOrder(trade.order)
        until(ib, trade.isDone)
        control.advance(100)
        (booked,) = control.book().orders
        assert (booked.status, booked.filled) == ("Cancelled", 34.0)
        assert control.book().positions[ACCOUNT] == {"AAPL": 34.0}


def test_an_order_can_be_held_silently_and_released(start):
    control = start(Knobs(hold_orders=True))
    with connected(control) as ib:
        wire = Wire(ib)
        trade = place(ib, order(orderRef="a"))
        control.end_session(-30)
        settle(ib)
        assert wire.names == []
        assert trade.orderStatus.status == "PendingSubmit"
        control.release("a")
        until(ib, trade.isDone)
        assert control.book().executions[0].shares == 10


def test_orders_that_fill_at_once_may_come_without_status(start):
    control = start(Knobs(skip_status=True))
    with connected(control) as ib:
        wire = Wire(ib)
        place(ib, order())
        assert not [name for name in wire.names if name.startswith("orderStatus")]
        assert "execDetails 10" in wire.names


def test_commissions_can_come_late_never_or_before_their_execution(start):
    for when, place_of in (("late", None), ("never", None), ("before", 2)):
        control = start(Knobs(commission=when, commission_delay=60))
        with connected(control) as ib:
            wire = Wire(ib)
            place(ib, order())
            assert list(wire.names).count("commissionReport") == (place_of is not None)
            if place_of is not None:
                assert wire.names.index("commissionReport") < wire.names.index("execDetails 10")
            control.advance(61)
            settle(ib)
            assert wire.names.count("commissionReport") == (when != "never")
            (done,) = control.book().executions
            assert done.fee == 1.0


def test_a_correction_has_the_next_revision_and_changes_the_books(gateway):
    with connected(gateway) as ib:
        trade = place(ib, order(orderRef="a"))
        first = trade.fills[0].execution
        gateway.correct(first.execId, first.price + 0.5)
        settle(ib)
        second = trade.fills[1].execution
        assert second.execId == first.execId[:-2] + "02"
        book = gateway.book()
        assert [e.exec_id for e in book.executions] == [second.execId]
        assert book.cash[ACCOUNT] == pytest.approx(1_000_000 - 10 * (first.price + 0.5) - 1.0)
        assert [f.execution.execId for f in ib.reqExecutions()] == [second.execId]


def test_a_fill_can_overtake_a_cancellation(gateway):
    with connected(gateway) as ib:
        wire = Wire(ib)
        trade = place(ib, resting(orderRef="a"))
        ib.cancelOrder(trade.order)
        until(ib, trade.isDone)
        gateway.fill_after_cancel("a", 90.0)
        settle(ib)
        assert wire.names.index("orderStatus Cancelled 0") < wire.names.index("execDetails 10")
        assert gateway.book().positions[ACCOUNT] == {"AAPL": 10.0}


def test_a_cancellation_can_be_on_its_way_while_the_order_fills(start):
    control = start(Knobs(cancel_delay=5 * 3600))
    with connected(control) as ib:
        wire = Wire(ib)
        filled, never = (place(ib, order("SELL", kind="LMT", lmtPrice=price)) for price in (112.75, 150.0))
        for trade in (filled, never, never):
            ib.client.cancelOrder(trade.order.orderId)
        settle(ib)
        assert wire.names[-1] == "orderStatus PendingCancel 0"
        assert (never.order.orderId, 161) in ib.errors
        control.end_session(-1)
        until(ib, lambda: (never.order.orderId, 202) in ib.errors)
        assert [o.status for o in control.book().orders] == ["Filled", "Cancelled"]
        assert (filled.order.orderId, 202) not in ib.errors


def test_an_order_can_live_twice_under_one_reference(gateway):
    with connected(gateway) as ib:
        trade = place(ib, resting(orderRef="a"))
        gateway.duplicate_order("a")
        settle(ib)
        every = [t for t in ib.reqAllOpenOrders() if t.order.orderRef == "a"]
        assert len({o.perm_id for o in gateway.book().working}) == 2
        ib.cancelOrder(trade.order)
        settle(ib)
        assert len(gateway.book().working) == 1
        assert every


def test_fills_during_an_outage_are_never_told_and_show_when_asked_for(gateway):
    with connected(gateway) as ib:
        wire = Wire(ib)
        trade = place(ib, order("SELL", kind="LMT", lmtPrice=112.75, orderRef="a"))
        del wire.seen[:]
        gateway.connectivity(1100)
        gateway.set(mute_orders=True)
        gateway.end_session(-1)
        gateway.set(mute_orders=False)
        gateway.connectivity(1102)
        settle(ib)
        assert wire.names == []
        assert trade.orderStatus.status == "Submitted"
        assert [f.execution.orderRef for f in ib.reqExecutions()] == ["a"]


def test_data_stops_with_1101_until_it_is_asked_for_again(gateway):
    with connected(gateway) as ib:
        ticker = ib.reqMktData(stock())
        bars = ib.reqRealTimeBars(stock(), 5, "TRADES", False)
        settle(ib)
        gateway.connectivity(1101)
        gateway.advance(3600)
        settle(ib)
        assert ticker.last == 112.0
        assert not bars


def test_an_inactive_order_can_come_back(gateway):
    with connected(gateway) as ib:
        wire = Wire(ib)
        trade = place(ib, order("SELL", kind="LMT", lmtPrice=112.75, orderRef="a"))
        gateway.suspend("a")
        gateway.advance_to("2024-01-22 14:00")
        settle(ib)
        assert wire.names[-1] == "orderStatus Inactive 0"
        assert gateway.book().working == ()
        gateway.revive("a")
        until(ib, lambda: trade.orderStatus.status == "Filled")
        assert len(gateway.book().orders) == 1


def test_a_gateway_in_another_time_zone_writes_its_own_times(start):
    for version, hour in ((157, 20), (176, 15)):
        control = start(version=version, time_zone="Europe/London")
        with connected(control) as ib:
            # The client takes a time without a zone for New York's: fifteen o'clock in London is read as New York.
            trade = place(ib, order())
            assert trade.fills[0].execution.time.hour == hour


# Account and market.


def test_trades_by_hand_positions_deposits_dividends_and_splits_change_the_account(gateway):
    with connected(gateway) as ib:
        gateway.manual_order("AAPL", 40, price=112.0)
        settle(ib)
        assert [p.position for p in ib.positions()] == [40.0]
        fill = ib.reqExecutions()[0]
        assert (fill.execution.orderId, fill.execution.orderRef) == (0, "")
        gateway.set_position("BRK-B", 2.5, cost=50.0)
        gateway.split("AAPL", 4)
        settle(ib)
        held = {p.contract.symbol: (p.position, round(p.avgCost, 2)) for p in ib.positions()}
        assert held == {"AAPL": (160.0, 28.01), "BRK B": (2.5, 50.0)}
        assert ib.reqHistoricalData(stock(), "", "2 D", "1 day", "TRADES", True)[0].close == 28.0
        before = gateway.book().cash[ACCOUNT]
        gateway.dividend("AAPL", 0.25)
        gateway.deposit(1_000.0)
        settle(ib)
        assert gateway.book().cash[ACCOUNT] == before + 40.0 + 1_000.0
        shown = [v.value for v in ib.accountValues() if v.tag == "TotalCashValue"]
        assert shown == [f"{before + 1_040.0:.2f}"]


def test_a_halted_name_does_not_trade_until_it_resumes(gateway):
    gateway.halt("AAPL")
    with connected(gateway) as ib:
        trade = place(ib, order())
        assert trade.orderStatus.status == "PreSubmitted"
        gateway.resume("AAPL")
        until(ib, trade.isDone)
        assert trade.orderStatus.status == "Filled"


@pytest.mark.parametrize(
    ("permission", "data_type", "code", "ticks"),
    [
        ("live", 1, None, True),
        ("delayed", 3, 10167, True),
        ("delayed", 1, 354, False),
        ("none", 1, 354, False),
        ("competing", 1, 10197, False),
    ],
)
def test_market_data_permissions(start, permission, data_type, code, ticks):
    control = start(Knobs(market_data=permission))
    with connected(control) as ib:
        ib.reqMarketDataType(data_type)
        ticker = ib.reqMktData(stock())
        settle(ib)
        assert (code is None and not ib.errors) or ib.errors[-1][1] == code
        assert (ticker.last == ticker.last) == ticks


def test_the_clock_can_be_skewed(start):
    control = start(Knobs(clock_skew=7.0))
    with connected(control) as ib:
        assert f"{ib.reqCurrentTime():%H:%M:%S}" == "15:00:07"


def test_pacing_refuses_repeated_small_bars_and_not_daily_ones(start):
    control = start(Knobs(pacing=True))
    with connected(control, throttled=True) as ib:
        for _ in range(3):
            assert ib.reqHistoricalData(stock(), "", "2 D", "1 day", "TRADES", True)
        assert ib.reqHistoricalData(stock(), "", "60 S", "5 secs", "TRADES", True)
        assert not ib.reqHistoricalData(stock(), "", "60 S", "5 secs", "TRADES", True)
        assert ib.errors[-1][1] == 162


def test_more_than_fifty_messages_a_second_get_100_and_then_a_disconnect(start):
    control = start(Knobs(pacing=True))
    with connected(control) as ib:
        ib.sleep(1.1)
        for _ in range(60):
            ib.client.reqCurrentTime()
        settle(ib)
        assert (-1, 100) in ib.errors
        assert ib.isConnected()
        for _ in range(60):
            ib.client.reqCurrentTime()
        until(ib, lambda: not ib.isConnected())


# Scripts.


def test_timed_faults_happen_once_after_a_while_or_daily(start):
    script = [
        {"at": "2024-01-22 10:05", "do": "connectivity", "code": 1100},
        {"after": 600, "do": "set", "read_only": True},
        {"daily": "10:20", "do": "farm", "code": 2103},
    ]
    control = start(script=script)
    with connected(control) as ib:
        control.advance(300)
        settle(ib)
        assert ib.errors == [(-1, 1100)]
        control.advance(300)
        assert control.call(lambda g: g.knobs.read_only)
        control.advance_to("2024-01-24 10:21")
        settle(ib)
        assert ib.errors.count((-1, 2103)) == 3


def test_a_fault_that_recurs_hits_every_nth_message(start):
    control = start(script=[{"on": "placeOrder", "nth": 2, "every": 3, "do": "swallow"}])
    with connected(control) as ib:
        for ref in "abcdefg":
            ib.placeOrder(stock(), resting(orderRef=ref))
        settle(ib)
        assert "".join(o.ref for o in control.book().orders) == "acdfg"


def test_a_fault_can_be_narrowed_to_a_client_and_to_a_text(start):
    control = start(script=[{"on": "placeOrder", "client": 8, "contains": "b", "do": "swallow"}])
    with connected(control, 7) as one, connected(control, 8) as other:
        place(one, resting(orderRef="b"))
        place(other, resting(orderRef="a"))
        place(other, resting(orderRef="b"))
        assert [(o.client_id, o.ref) for o in control.book().orders] == [(7, "b"), (8, "a")]


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"on": "placeOrder", "do": "explode"}, "do"),
        ({"on": "placeOrder", "do": "drop", "when": 3}, "when"),
        ({"do": "drop"}, "one time|'on' or a time"),
        ({"at": "2024-01-22", "after": 3, "do": "drop"}, "'on' or a time"),
    ],
)
def test_a_wrong_script_is_refused_with_its_entry(entry, says):
    with pytest.raises(ConfigError, match=says):
        read_script([entry], "test")


@pytest.mark.parametrize(
    "entry",
    [
        {"after": 1, "do": "explode"},
        {"after": 1, "do": "notice"},
        {"after": 1, "do": "set", "nonsense": 1},
        {"at": "never", "do": "drop"},
    ],
)
def test_a_script_with_a_wrong_deed_is_refused_at_the_start(start, entry):
    with pytest.raises(ConfigError):
        start(script=[entry])


def test_yaml_s_bare_key_on_is_understood():
    import yaml

    (fault,) = read_script(yaml.safe_load("- {on: placeOrder, do: swallow}"), "test")
    assert fault.on == "placeOrder"


@pytest.mark.parametrize(
    "deed",
    [
        lambda gateway: gateway.error_on("nobody", 201),
        lambda gateway: gateway.split("NOPE", 2),
        lambda gateway: gateway.correct("0.0.01.01", 1.0),
    ],
)
def test_a_deed_on_what_is_not_there_says_so(gateway, deed):
    with pytest.raises(ConfigError, match="has no"):
        deed(gateway)


def test_a_deed_that_fails_while_the_clock_runs_is_not_lost(history):
    script = [{"after": 1, "do": "error_on", "ref": "nobody", "code": 201}]
    settings = Settings(start="2024-01-22 10:00", speed=1000.0)
    with pytest.raises(ConfigError, match="nobody"), running(history, settings, None, script):
        time.sleep(0.3)


def test_nothing_is_left_of_a_gateway_that_was_stopped(history):
    before = threading.active_count()
    with (
        running(history, Settings(start="2024-01-22 10:00", speed=10.0)) as control,
        connected(control) as ib,
    ):
        port = control.port
        ib.reqRealTimeBars(stock(), 5, "TRADES", False)
        control.refuse(60.0)
    assert threading.active_count() == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)
