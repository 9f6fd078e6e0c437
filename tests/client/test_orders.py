"""An order is checked, journalled, numbered upwards, and sent at most once; its state is what the wire says."""

from __future__ import annotations

import pytest

from ares7.errors import ConfigError
from live.client.failures import NotSent, Refused
from live.client.messages import (
    Commission,
    ErrorMessage,
    Execution,
    Notice,
    OpenOrder,
    OrderStatus,
    OrderTicket,
    State,
)
from tests.client.conftest import ACCOUNT, messages, wait_until


@pytest.fixture
def client(connect):
    found = connect()
    found.qualify(["AAPL", "MSFT", ("SPX", "IND")])
    return found


def con_id(client, symbol):
    return next(facts.con_id for facts in client._facts.values() if facts.symbol == symbol)


def ticket(client, ref="A7-1", symbol="AAPL", side="BUY", quantity=10, kind="MKT", tif="DAY", **more):
    return OrderTicket(ref, con_id(client, symbol), symbol, side, quantity, kind, tif, **more)


def no_journal(*_):
    """Some tests are not about the journal."""


def placed(gateway):
    return gateway.recorder.named("placeOrder", way="in")


def test_a_market_order_is_reported_from_submission_to_fee(client, gateway):
    client.poll()
    number = client.place(ticket(client), no_journal)
    assert wait_until(lambda: client.snapshot().positions)
    found = [e.message for e in client.poll()]
    statuses = [m.status for m in found if isinstance(m, OrderStatus)]
    assert statuses[-1] == "Filled"
    (fill,) = [m for m in found if isinstance(m, Execution)]
    (fee,) = [m for m in found if isinstance(m, Commission)]
    assert (fill.ref, fill.side, fill.shares, fill.order_id) == ("A7-1", "BUY", 10.0, number)
    assert (fill.root, fill.revision, fill.replayed) == (fill.exec_id.rsplit(".", 1)[0], 1, False)
    assert fee.exec_id == fill.exec_id
    assert fee.realised_pnl is None
    assert {m.ref for m in found if isinstance(m, OpenOrder | OrderStatus)} == {"A7-1"}


def test_the_journal_is_called_with_the_id_before_anything_is_sent(client, gateway):
    seen = []

    def journal(written, number):
        client.server_time()
        seen.append((written.ref, number, len(placed(gateway))))

    number = client.place(ticket(client), journal)
    assert seen == [("A7-1", number, 0)]
    assert wait_until(lambda: len(placed(gateway)) == 1)


def test_nothing_is_sent_when_the_journal_fails(client, gateway):
    def broken(*_):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        client.place(ticket(client), broken)
    client.server_time()
    assert placed(gateway) == []


def test_every_order_names_account_reference_and_time_in_force(client, gateway):
    client.place(ticket(client), no_journal)
    client.server_time()
    fields = placed(gateway)[0].fields
    for value in (ACCOUNT, "A7-1", "DAY", "BUY"):
        assert value in fields


def test_order_ids_only_rise_from_the_hint(connect):
    client = connect(next_order_id=500)
    client.qualify(["AAPL"])
    numbers = [
        client.place(ticket(client, f"A7-{i}", kind="LMT", limit_price=1.0), no_journal) for i in range(3)
    ]
    assert numbers[0] >= 500
    assert numbers == sorted(set(numbers))


def test_a_working_order_is_in_the_snapshot_until_its_cancellation_is_confirmed(client):
    number = client.place(ticket(client, kind="LMT", limit_price=1.0), no_journal)
    assert wait_until(lambda: client.snapshot().open_orders)
    (order,) = client.open_orders()
    assert (order.order_id, order.ref, order.limit_price, order.stop_price) == (number, "A7-1", 1.0, None)
    client.cancel(number)
    assert wait_until(lambda: not client.snapshot().open_orders)
    assert client.open_orders() == ()


def test_global_cancel_reaches_orders_of_other_clients(client, connect):
    other = connect(client_id=8)
    other.qualify(["AAPL"])
    other.place(ticket(other, kind="LMT", limit_price=1.0), no_journal)
    assert [order.client_id for order in client.open_orders()] == [8]
    client.global_cancel()
    assert wait_until(lambda: not client.open_orders())


def test_a_bracket_is_sent_with_the_id_of_its_parent(client, gateway):
    ids = client.place_together(
        [
            (ticket(client, "A7-1", kind="LMT", limit_price=1.0, transmit=False), no_journal),
            (
                ticket(
                    client, "A7-2", side="SELL", kind="LMT", limit_price=999.0, parent_id=-1, transmit=False
                ),
                no_journal,
            ),
            (ticket(client, "A7-3", side="SELL", kind="STP", stop_price=0.5, parent_id=-1), no_journal),
        ]
    )
    orders = {order.ref: order for order in client.open_orders()}
    assert set(orders) == {"A7-1", "A7-2", "A7-3"}
    assert orders["A7-2"].parent_id == orders["A7-3"].parent_id == ids[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"quantity": 0}, "no positive number of whole shares"),
        ({"quantity": 1.5}, "no positive number of whole shares"),
        ({"side": "SHORT"}, "neither BUY nor SELL"),
        ({"kind": "TRAIL"}, "order type TRAIL is not known"),
        ({"tif": ""}, "valid DAY or OPG or GTC or IOC, not unset"),
        ({"kind": "MOC", "tif": "GTC"}, "a MOC order is valid DAY"),
        ({"kind": "LMT"}, "needs a positive limit price"),
        ({"kind": "LMT", "limit_price": float("nan")}, "needs a positive limit price"),
        ({"kind": "STP", "limit_price": 5.0, "stop_price": 5.0}, "has no limit price"),
        ({"limit_price": 5.0}, "a MKT order has no limit price"),
        ({"ref": ""}, "reference needs 1 to 40"),
        ({"ref": "x" * 41}, "reference needs 1 to 40"),
        ({"symbol": "SPX"}, "cannot be traded"),
    ],
)
def test_a_ticket_that_makes_no_sense_is_refused_before_the_journal(client, gateway, change, words):
    asked = []
    with pytest.raises(ConfigError, match=words):
        client.place(ticket(client, **change), lambda *_: asked.append(1))
    assert asked == []
    assert placed(gateway) == []


def test_an_order_for_a_contract_that_was_not_qualified_is_refused(client):
    with pytest.raises(ConfigError, match="contract 12345 was not qualified"):
        client.place(OrderTicket("A7-1", 12345, "XYZ", "BUY", 1, "MKT", "DAY"), no_journal)


def test_a_read_only_connection_places_and_cancels_nothing(connect, gateway):
    client = connect(read_only=True)
    client.qualify(["AAPL"])
    for act in (
        lambda: client.place(ticket(client), no_journal),
        lambda: client.cancel(1),
        client.global_cancel,
    ):
        with pytest.raises(ConfigError, match="read-only"):
            act()
    client.server_time()
    assert not any(gateway.recorder.named(name) for name in ("placeOrder", "cancelOrder", "reqGlobalCancel"))


def test_no_order_is_sent_while_connectivity_is_lost(client, gateway):
    gateway.notice(1100)
    assert wait_until(lambda: client.state is State.DEGRADED)
    with pytest.raises(NotSent, match="degraded, not ready"):
        client.place(ticket(client), no_journal)
    gateway.notice(1102)
    assert wait_until(lambda: client.state is State.READY)
    client.place(ticket(client), no_journal)
    assert wait_until(lambda: len(placed(gateway)) == 1)


def test_no_order_is_sent_in_the_quiet_window(connect, gateway):
    import datetime as dt

    midnight = dt.datetime(2024, 1, 6, 5, 0, tzinfo=dt.UTC)
    client = connect(quiet=("23:45", "00:45"), clock=lambda: midnight)
    client.qualify(["AAPL"])
    assert client.state is State.QUIET
    with pytest.raises(NotSent, match="quiet, not ready"):
        client.place(ticket(client), no_journal)
    assert placed(gateway) == []


def test_an_order_whose_connection_went_between_journal_and_socket_is_certainly_not_sent(client, gateway):
    def drop(*_):
        gateway.drop()
        assert wait_until(lambda: client.connected.generation == 2 and client.state is State.READY)

    with pytest.raises(NotSent, match="the connection that its id belongs to is gone"):
        client.place(ticket(client), drop)
    assert placed(gateway) == []


def test_a_rejection_is_an_error_and_an_inactive_order(client, gateway):
    gateway.arm(on="placeOrder", do="error", code=201, text="Order rejected - reason: margin")
    number = client.place(ticket(client), no_journal)
    (error,) = messages(client, ErrorMessage)
    assert (error.code, error.request, error.ref) == (201, number, "A7-1")


# Codes on a live order after which both libraries, or one, report it as cancelled although it works on.
@pytest.mark.parametrize(
    "code",
    [
        103,
        104,
        105,
        110,
        161,
        200,
        201,
        202,
        321,
        399,
        404,
        434,
        2109,
        10147,
        10148,
        10167,
        10197,
        10311,
        10329,
        10349,
    ],
)
def test_an_error_on_a_working_order_is_reported_and_changes_no_status(client, gateway, code):
    client.place(ticket(client, kind="LMT", limit_price=1.0), no_journal)
    assert wait_until(lambda: client.snapshot().open_orders)
    client.poll()
    gateway.error_on("A7-1", code, "Scripted")
    (said,) = messages(client, ErrorMessage | Notice)
    assert (said.code, said.ref) == (code, "A7-1")
    client.server_time()
    assert [e for e in client.poll() if isinstance(e.message, OrderStatus | OpenOrder)] == []
    assert len(client.snapshot().open_orders) == 1
    gateway.fill("A7-1", 1.0)
    (fill,) = messages(client, Execution)
    assert fill.shares == 10.0


def test_a_fill_after_the_cancellation_still_arrives(client, gateway):
    number = client.place(ticket(client, kind="LMT", limit_price=1.0), no_journal)
    assert wait_until(lambda: client.snapshot().open_orders)
    client.cancel(number)
    assert wait_until(lambda: not client.snapshot().open_orders)
    gateway.fill_after_cancel("A7-1", 1.0)
    (fill,) = messages(client, Execution)
    assert fill.ref == "A7-1"


def test_a_cancellation_of_an_unknown_order_is_an_error_of_the_gateway_and_nothing_else(client):
    client.cancel(987)
    (error,) = messages(client, ErrorMessage)
    assert (error.code, error.request) == (10147, 987)


def test_the_rate_limit_holds_orders_back_before_the_socket_and_not_in_the_library(connect, gateway):
    client = connect(messages_per_s=20, request_timeout_s=5.0)
    client.qualify(["AAPL"])
    for i in range(30):
        client.place(ticket(client, f"A7-{i}", kind="LMT", limit_price=1.0), no_journal)
        assert not client._supervisor.link.ib.client._msgQ
    assert wait_until(lambda: len(placed(gateway)) == 30)
    times = [entry.real for entry in gateway.recorder.entries if entry.way == "in" and entry.client == 7]
    assert all(times[i + 20] - times[i] > 0.95 for i in range(len(times) - 20))


def test_a_read_only_gateway_is_refused_with_the_setting_to_change(connect, gateway):
    gateway.set(read_only=True)
    with pytest.raises(Refused, match="Read-Only API"):
        connect()
