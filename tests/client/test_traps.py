"""The traps of the client libraries (live_ib L1 to L16), each twice where it can be.

First that the library behaves as it did when we designed around it, so that an upgrade that changes it is
noticed; then that our client does not fall into it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time

import pytest

from live.client import seam
from live.client.failures import NotSynchronised, Refused
from live.client.link import library_limit
from live.client.messages import (
    BarUpdate,
    Commission,
    CompletedOrder,
    ErrorMessage,
    Execution,
    OrderTicket,
    State,
)
from live.client.wire import Tap
from tests.client.conftest import LIBRARY, another_gateway, messages, options, wait_ready, wait_until


@pytest.fixture
def library():
    """The bare library, with an event loop of the main thread."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield seam.load(LIBRARY)
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def raw(gateway, library):
    """Runs a coroutine function with a connected object of the bare library."""

    async def connected(work, client_id, timeout):
        ib = library.IB()
        ib.client.MaxRequests = 0
        await ib.connectAsync(gateway.host, gateway.port, clientId=client_id, timeout=timeout)
        try:
            return await work(ib)
        finally:
            transport = ib.client.conn.transport
            ib.disconnect()
            if transport is not None:
                transport.abort()
            await asyncio.sleep(0.01)

    def run(work, client_id=21, timeout=2.0):
        return (
            asyncio.get_event_loop_policy()
            .get_event_loop()
            .run_until_complete(connected(work, client_id, timeout))
        )

    return run


def limit_order(ib_library, ref="A7-raw"):
    return ib_library.Order(
        action="BUY",
        totalQuantity=10.0,
        orderType="LMT",
        lmtPrice=1.0,
        tif="DAY",
        orderRef=ref,
        account="DU1234567",
    )


def aapl(library):
    return library.Contract(symbol="AAPL", secType="STK", exchange="SMART", currency="USD")


@pytest.fixture
def client(connect):
    found = connect()
    found.qualify(["AAPL"])
    return found


def place(client, ref="A7-1", **change):
    facts = next(iter(client._facts.values()))
    terms = {"order_type": "LMT", "tif": "DAY", "limit_price": 1.0, **change}
    return client.place(OrderTicket(ref, facts.con_id, "AAPL", "BUY", 10, **terms), lambda *_: None)


# L1


def test_l1_the_library_connects_although_its_queries_are_never_answered(gateway, raw):
    gateway.set(unanswered=("reqPositions",))

    async def connected(ib):
        return ib.isConnected()

    assert raw(connected, timeout=0.2)


def test_l1_we_do_not(connect, gateway):
    gateway.set(unanswered=("reqPositions",))
    with pytest.raises(NotSynchronised, match="positions"):
        connect(request_timeout_s=0.2)


# L2 and L3


def test_l2_l3_a_disconnection_wipes_the_library_and_fills_of_the_meantime_raise_no_event(
    gateway, library, raw
):
    seen = []

    async def work(ib):
        ib.execDetailsEvent += lambda *arguments: seen.append(arguments)
        trade = ib.placeOrder(aapl(library), limit_order(library))
        await asyncio.sleep(0.1)
        assert len(ib.trades()) == 1
        gateway.drop()
        await asyncio.sleep(0.05)
        assert ib.trades() == []
        gateway.fill("A7-raw", 1.0)
        await ib.connectAsync(gateway.host, gateway.port, clientId=21, timeout=2.0)
        assert len(ib.fills()) == 1
        return trade.orderStatus.status

    assert raw(work) != "Filled"
    assert seen == []


def test_l2_l3_our_fills_of_the_meantime_come_through_the_same_messages(client, gateway):
    place(client)
    assert wait_until(lambda: client.snapshot().open_orders)
    gateway.restart(0.2)
    assert wait_until(lambda: client.state is State.DISCONNECTED)
    gateway.fill("A7-1", 1.0)
    (fill,) = messages(client, Execution)
    assert (fill.ref, fill.replayed) == ("A7-1", True)


# L4


def test_l4_the_library_takes_a_rolled_back_order_id_again(gateway, raw):
    gateway.set_next_id(21, 500)

    async def next_id(ib):
        return ib.client.getReqId()

    assert raw(next_id) >= 500
    gateway.set_next_id(21, 5)
    assert raw(next_id) < 500


def test_l4_we_do_not(client, gateway):
    gateway.set_next_id(7, 5000)
    gateway.drop()
    assert wait_until(lambda: client.connected.generation == 2)
    assert wait_ready(client)
    before = place(client, "A7-1")
    assert before >= 5000
    gateway.set_next_id(7, 5)
    gateway.drop()
    assert wait_until(lambda: client.connected.generation == 3)
    assert wait_ready(client)
    assert place(client, "A7-2") > before


# L5 and L6


def test_l5_what_the_library_holds_back_is_lost_on_a_drop(gateway, library, raw):
    async def work(ib):
        ib.client.MaxRequests = 5
        for i in range(20):
            ib.placeOrder(aapl(library), limit_order(library, f"A7-{i}"))
        await asyncio.sleep(0.05)
        ib.client.conn.transport.abort()
        await asyncio.sleep(0.05)

    raw(work)
    assert len(gateway.recorder.named("placeOrder", way="in")) < 20


def test_l6_the_library_counts_more_than_we_send_and_never_more_than_ib_allows():
    assert [library_limit(n) for n in (0, 20, 45, 50)] == [0, 23, 48, 50]


# L7


def test_l7_the_library_drops_a_commission_that_comes_before_its_execution(gateway, library, raw):
    gateway.set(commission="before")

    async def work(ib):
        ib.placeOrder(aapl(library), limit_order(library))
        await asyncio.sleep(0.1)
        gateway.fill("A7-raw", 1.0)
        await asyncio.sleep(0.1)
        return [fill.commissionReport.commission for fill in ib.fills()]

    assert raw(work) == [0.0]


def test_l7_we_report_it(client, gateway):
    gateway.set(commission="before")
    place(client)
    assert wait_until(lambda: client.snapshot().open_orders)
    gateway.fill("A7-1", 1.0)
    first, second = messages(client, Commission | Execution, count=2)
    assert isinstance(first, Commission)
    assert first.exec_id == second.exec_id
    assert first.fee > 0


# L8


def test_l8_the_library_adds_a_correction_to_what_it_corrects(gateway, library, raw):
    async def work(ib):
        trade = ib.placeOrder(aapl(library), limit_order(library))
        await asyncio.sleep(0.1)
        gateway.fill("A7-raw", 1.0)
        await asyncio.sleep(0.1)
        gateway.correct(ib.fills()[0].execution.execId, 0.9)
        await asyncio.sleep(0.1)
        return trade.filled()

    assert raw(work) == 20.0


def test_l8_a_correction_is_the_next_revision_of_the_same_root(client, gateway):
    place(client)
    assert wait_until(lambda: client.snapshot().open_orders)
    gateway.fill("A7-1", 1.0)
    (fill,) = messages(client, Execution)
    gateway.correct(fill.exec_id, 0.9)
    (correction,) = messages(client, Execution)
    assert (correction.root, correction.revision) == (fill.root, fill.revision + 1)
    assert correction.price == 0.9


# L9


def test_l9_the_library_answers_an_unknown_contract_with_an_empty_list(gateway, library, raw):
    async def work(ib):
        unknown = library.Contract(symbol="NOPE", secType="STK", exchange="SMART", currency="USD")
        return await ib.reqContractDetailsAsync(unknown)

    assert raw(work) == []


def test_l9_we_raise(client, gateway):
    facts = next(iter(client._facts.values()))
    gateway.arm(on="reqHistoricalData", do="error", code=200, text="No security definition")
    with pytest.raises(Refused) as caught:
        client.daily_bars(facts, 3)
    assert caught.value.code == 200


# L10


def test_l10_the_library_stays_connected_after_1100(gateway, raw):
    async def work(ib):
        gateway.notice(1100)
        await asyncio.sleep(0.05)
        return ib.isConnected()

    assert raw(work) is True


def test_l10_we_are_degraded(client, gateway):
    gateway.notice(1100)
    assert wait_until(lambda: client.state is State.DEGRADED)


# L11


def test_l11_the_library_only_times_out_on_a_client_id_in_use(gateway, client, raw):
    async def nothing(_):
        raise AssertionError("connected")

    with pytest.raises((TimeoutError, ConnectionError)):
        raw(nothing, client_id=7, timeout=0.3)


def test_l11_we_say_so_at_once(connect, client):
    before = time.monotonic()
    with pytest.raises(Refused, match="326"):
        connect()
    assert time.monotonic() - before < 0.5


# L12


def test_l12_times_without_a_zone_are_read_in_the_configured_one(history, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        with another_gateway(history, version=173) as gateway:
            from live.client.client import Client

            with Client(gateway.host, gateway.port, 7, options=options()) as client:
                client.qualify(["AAPL"])
                place(client, order_type="MKT", limit_price=None)
                (fill,) = messages(client, Execution)
                (again,) = client.executions()
        right = dt.datetime(2024, 1, 5, 15, 0, tzinfo=dt.UTC)
        assert fill.time_utc == again.time_utc == right
    finally:
        monkeypatch.undo()
        time.tzset()


# L13


def test_l13_an_order_is_never_modified_every_id_is_new(client, gateway):
    for i in range(3):
        place(client, f"A7-{i}")
    assert wait_until(lambda: len(gateway.recorder.named("placeOrder", way="in")) == 3)
    ids = [entry.fields[1] for entry in gateway.recorder.named("placeOrder", way="in")]
    assert len(set(ids)) == 3


# L14


def test_l14_the_library_ignores_an_update_while_it_has_no_bar_and_we_do_not(library):
    ib, heard = library.IB(), []
    tap = Tap(library, ib.wrapper, heard.append)
    ib.client.decoder.wrapper = tap
    subscriber = []
    ib.wrapper.startSubscription(3, subscriber)
    update = ["90", "3", "10", "20240105", "1.0", "2.0", "3.0", "0.5", "1.5", "100"]
    ib.client.decoder.interpret(update)
    assert subscriber == heard == []
    tap.bars[3] = (1, 265598)
    ib.client.decoder.interpret(update)
    (bar,) = heard
    assert isinstance(bar, BarUpdate)
    assert (bar.bar.open, bar.bar.close, bar.bar.high, bar.bar.low) == (1.0, 2.0, 3.0, 0.5)


# L15


def test_l15_a_completed_order_is_known_by_its_permanent_id_and_reference(client, gateway):
    place(client)
    assert wait_until(lambda: client.snapshot().open_orders)
    gateway.fill("A7-1", 1.0)
    (done,) = client.completed_orders()
    assert isinstance(done, CompletedOrder)
    assert (done.ref, done.filled, done.completed_status) == ("A7-1", 10.0, "Filled Size: 10")
    assert done.perm_id == client.executions()[0].perm_id


# L16


def test_l16_the_library_swallows_what_a_handler_raises(gateway, raw):
    async def work(ib):
        def broken(*_):
            raise ZeroDivisionError

        ib.errorEvent += broken
        gateway.notice(2104)
        await asyncio.sleep(0.05)
        return ib.isConnected()

    assert raw(work) is True


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_l16_a_message_that_cannot_be_decoded_becomes_an_error(client, nothing_undecoded):
    # Sent by the decoder itself: the double writes no broken message.
    link = client._supervisor.link
    client._loop.call_soon(lambda: link.ib.client.decoder.interpret(["11", "not a number"]))
    (error,) = messages(client, ErrorMessage)
    assert error.code == 0
    assert "could not be decoded" in error.text
    nothing_undecoded.clear()
