"""Every way in which a connection cannot be made, or is lost, has its own clear end."""

from __future__ import annotations

import datetime as dt
import random
import socket
import threading

import pytest

from ares7.errors import ConfigError, ServiceUnavailable
from live.client.client import Client
from live.client.failures import ClockSkew, NotSynchronised, Refused, WrongAccount
from live.client.messages import (
    Connected,
    Disconnected,
    Execution,
    Notice,
    OrderTicket,
    Outage,
    Restored,
    State,
    StateChanged,
)
from live.client.options import Options, Reconnect
from tests.client.conftest import ACCOUNT, another_gateway, messages, options, wait_ready, wait_until


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def start(host, port, **changes):
    client = Client(host, port, 7, options=options(**changes), rng=random.Random(1))
    try:
        client.start()
    finally:
        assert client.state is State.STOPPED or client.stop()
    return client


# What is not there, or not what it should be


def test_a_port_on_which_nobody_listens_is_named_with_the_usual_ports():
    with pytest.raises(ServiceUnavailable, match=r"nothing listens on 127\.0\.0\.1:.*Enable ActiveX.*4002"):
        start("127.0.0.1", free_port())


def test_an_unknown_host_is_a_setting():
    with pytest.raises(ConfigError, match="is not known"):
        start("no-such-host.invalid", 4002)


def test_a_gateway_that_hangs_up_is_not_enabled_for_us(connect, gateway):
    gateway.set(hang_up=True)
    with pytest.raises(ServiceUnavailable, match=r"accepts connections and closes them.*Trusted IPs"):
        connect()


def test_a_gateway_that_says_nothing_waits_for_a_dialog(connect, gateway):
    gateway.set(silent_handshake=True)
    with pytest.raises(ServiceUnavailable, match=r"says nothing.*Accept incoming connection.*waited 0.3 s"):
        connect(connect_timeout_s=0.3)


def test_a_session_that_does_not_start_is_told_apart(connect, gateway):
    gateway.set(unanswered=("startApi",))
    with pytest.raises(ServiceUnavailable, match="greeted and did not start the session"):
        connect(connect_timeout_s=0.3)


def test_another_server_on_the_port_is_recognised():
    listening = socket.create_server(("127.0.0.1", 0))

    def answer():
        taken, _ = listening.accept()
        taken.recv(100)
        taken.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        taken.recv(100)
        taken.close()

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with pytest.raises(ServiceUnavailable, match="this is no TWS or IB Gateway"):
            start(*listening.getsockname())
    finally:
        thread.join()
        listening.close()


def test_a_client_id_in_use_is_not_replaced_by_another(connect):
    connect()
    with pytest.raises(Refused, match="Orders belong to the id") as caught:
        connect()
    assert caught.value.code == 326


def test_a_wrong_account_is_refused_with_those_that_there_are(connect):
    with pytest.raises(WrongAccount, match=f"account DU9999999 is not among.*{ACCOUNT}"):
        connect(account="DU9999999")


def test_several_accounts_without_a_configured_one_are_refused(history):
    both, words = {"DU1": 1.0, "DU2": 1.0}, r"2 accounts \(DU1, DU2\) and none is configured"
    with another_gateway(history, accounts=both) as gateway, pytest.raises(WrongAccount, match=words):
        start(gateway.host, gateway.port)


@pytest.mark.parametrize(
    ("name", "value"), [("port", 0), ("port", 70000), ("client_id", -1), ("client_id", 2**31)]
)
def test_numbers_out_of_range_are_refused_at_once(name, value):
    rest = {"port": 4002, "client_id": 1, name: value}
    with pytest.raises(ConfigError, match=name):
        Client("127.0.0.1", **rest)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"time_zone": "Mars/Olympus"}, "no time zone"),
        ({"quiet": ("25:00", "01:00")}, "not a time of day"),
        ({"messages_per_s": 51}, "less than or equal to 50"),
        ({"heartbeat": 3}, "Extra inputs"),
        ({"library": "ibapi"}, "ib_insync"),
    ],
)
def test_options_that_make_no_sense_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        Options(**change)


def test_clocks_that_differ_are_refused(connect, gateway):
    moment = dt.datetime(2024, 1, 5, 15, tzinfo=dt.UTC)
    connect(client_id=1, max_skew_s=5.0, clock=lambda: moment)
    gateway.set(clock_skew=60.0)
    with pytest.raises(ClockSkew, match=r"ahead of ours \(limit 5 s\).*set-ntp"):
        connect(client_id=2, max_skew_s=5.0, clock=lambda: moment)


def test_a_paper_account_on_a_port_of_real_money_is_a_warning_and_no_error():
    from live.client.sync import port_warning

    assert "is by custom that of real money" in port_warning("DU1234567", 4001)
    assert "is by custom that of a paper account" in port_warning("U1234567", 7497)
    assert port_warning("DU1234567", 4002) == port_warning("U1234567", 4001) == ""
    assert port_warning("DU1234567", 40999) == ""


def test_each_start_up_query_that_is_not_answered_prevents_the_start(history):
    names = {
        "reqAccountUpdates": "account values",
        "reqPositions": "positions",
        "reqAllOpenOrders": "open orders",
        "reqCompletedOrders": "completed orders",
        "reqExecutions": "executions",
        "reqCurrentTime": "server time",
    }
    with another_gateway(history) as gateway:
        for request, name in names.items():
            gateway.set(unanswered=(request,))
            with pytest.raises(NotSynchronised, match=f"nothing may be traded: {name}: ") as caught:
                start(gateway.host, gateway.port, request_timeout_s=0.2)
            others = [other for other in names.values() if other != name]
            assert not any(f"{other}: " in str(caught.value) for other in others)


# What is lost and comes back


def test_a_dropped_connection_comes_back_with_everything_read_again(connect, gateway):
    client = connect()
    client.poll()
    gateway.drop()
    assert wait_until(lambda: client.connected.generation == 2)
    assert wait_ready(client)
    found = [e.message for e in client.poll()]
    states = [m.state for m in found if isinstance(m, StateChanged)]
    assert states == [State.DISCONNECTED, State.CONNECTING, State.SYNCING, State.READY]
    (lost,) = [m for m in found if isinstance(m, Disconnected)]
    assert lost.retry_in_s >= 0.05
    (back,) = [m for m in found if isinstance(m, Connected)]
    assert back.generation == 2


def test_a_reset_connection_comes_back(connect, gateway):
    client = connect()
    gateway.drop(reset=True)
    assert wait_until(lambda: client.connected.generation == 2)
    assert wait_ready(client)


def test_fills_and_positions_of_the_meantime_are_there_after_the_return(connect, gateway):
    client = connect(reconnect=Reconnect(first_s=0.3, cap_s=0.3))
    facts = client.qualify(["AAPL"]).facts["AAPL"]
    client.place(
        OrderTicket("A7-1", facts.con_id, "AAPL", "BUY", 10, "LMT", "DAY", limit_price=1.0), lambda *_: None
    )
    assert wait_until(lambda: client.snapshot().open_orders)
    gateway.drop()
    assert wait_until(lambda: client.state is State.DISCONNECTED)
    client.poll()
    gateway.fill("A7-1", 1.0)
    assert wait_until(lambda: client.connected.generation == 2)
    assert wait_ready(client)
    fills = [e.message for e in client.poll() if isinstance(e.message, Execution)]
    assert [(fill.ref, fill.shares, fill.replayed) for fill in fills] == [("A7-1", 10.0, True)]
    snapshot = client.snapshot()
    assert snapshot.open_orders == {}
    assert snapshot.positions[facts.con_id].shares == 10.0


def test_a_restarting_gateway_is_awaited_with_growing_pauses(connect, gateway):
    client = connect(reconnect=Reconnect(first_s=0.05, factor=2.0, cap_s=0.2, jitter=0.0))
    client.poll()
    gateway.restart(0.5)
    assert wait_until(lambda: client.connected.generation == 2)
    assert wait_ready(client)
    lost = [e.message for e in client.poll() if isinstance(e.message, Disconnected)]
    # The same reason is not repeated: the drop, then one refusal for all attempts.
    assert len(lost) == 2
    assert lost[0].retry_in_s == pytest.approx(0.05)
    assert "nothing listens" in lost[1].reason


def test_order_ids_do_not_roll_back_with_the_gateway(connect, gateway):
    client = connect()
    facts = client.qualify(["AAPL"]).facts["AAPL"]

    def place(ref):
        return client.place(
            OrderTicket(ref, facts.con_id, "AAPL", "BUY", 1, "LMT", "DAY", limit_price=1.0), lambda *_: None
        )

    first = [place(f"A7-{i}") for i in range(3)]
    client.open_orders()
    gateway.restart(0.0, rollback=2)
    assert wait_until(lambda: client.connected.generation == 2)
    assert wait_ready(client)
    assert place("A7-9") > max(first)


def test_a_half_open_connection_is_found_by_the_heartbeat(connect, gateway):
    client = connect(heartbeat_s=0.2, request_timeout_s=0.3)
    client.poll()
    gateway.half_open()
    assert wait_until(lambda: client.connected.generation == 2)
    assert wait_ready(client)
    lost = [e.message for e in client.poll() if isinstance(e.message, Disconnected)]
    assert lost[0].reason.startswith("half-open connection")


def test_an_outage_is_reported_once(connect, gateway):
    client = connect(outage_s=0.2)
    gateway.refuse()
    gateway.drop()
    (outage,) = messages(client, Outage)
    assert outage.seconds >= 0.2
    gateway.accept()
    assert wait_until(lambda: client.connected.generation == 2)
    assert wait_ready(client)
    assert [e for e in client.poll() if isinstance(e.message, Outage)] == []


def test_a_request_that_is_running_when_the_connection_drops_ends_at_once(connect, gateway):
    client = connect(request_timeout_s=5.0)
    gateway.set(unanswered=("reqCurrentTime",))
    timer = threading.Timer(0.1, gateway.drop)
    timer.start()
    try:
        with pytest.raises(ServiceUnavailable, match="lost"):
            client.server_time()
    finally:
        timer.join()


@pytest.mark.parametrize("fault", ["drop", "half_open", "nothing", "refuse"])
def test_stopping_ends_in_bounded_time_whatever_the_gateway_does(connect, gateway, fault):
    client = connect()
    if fault != "nothing":
        getattr(gateway, fault)()
    if fault == "refuse":
        gateway.drop()
        assert wait_until(lambda: client.state is not State.READY)
    before = dt.datetime.now(dt.UTC)
    assert client.stop()
    assert (dt.datetime.now(dt.UTC) - before).total_seconds() < 1.0
    assert client.state is State.STOPPED


# Connectivity between the gateway and IB


def test_a_storm_of_lost_connectivity_is_one_message_and_one_synchronisation(connect, gateway):
    client = connect()
    client.poll()
    before = len(gateway.recorder.named("reqPositions"))
    gateway.storm(1100, 200, ends_with=1102)
    assert wait_until(lambda: any(isinstance(e.message, Restored) for e in client.poll()))
    assert wait_ready(client)
    assert len(gateway.recorder.named("reqPositions")) - before == 1


def test_lost_connectivity_degrades_although_the_socket_stays(connect, gateway):
    client = connect()
    client.poll()
    for _ in range(5):
        gateway.notice(1100)
    assert wait_until(lambda: client.state is State.DEGRADED)
    client.server_time()
    found = [e.message for e in client.poll()]
    assert len([m for m in found if getattr(m, "code", 0) == 1100]) == 1
    assert client.connected.generation == 1


@pytest.mark.parametrize(("code", "lost"), [(1101, True), (1102, False)])
def test_a_restoration_reads_everything_again_and_says_whether_data_was_lost(connect, gateway, code, lost):
    client = connect()
    gateway.notice(1100)
    assert wait_until(lambda: client.state is State.DEGRADED)
    gateway.set_position("MSFT", 3.0)
    gateway.notice(code)
    (restored,) = messages(client, Restored)
    assert restored.data_lost is lost
    assert wait_ready(client)
    assert [row.symbol for row in client.snapshot().positions.values()] == ["MSFT"]


def test_bars_are_opened_again_when_the_data_was_lost(connect, gateway):
    client = connect()
    client.five_second_bars(client.qualify(["AAPL"]).facts["AAPL"])
    gateway.notice(1100)
    gateway.notice(1101)
    assert messages(client, Restored)
    assert wait_ready(client)
    assert wait_until(lambda: len(gateway.recorder.named("reqRealTimeBars")) == 2)


def test_a_broken_link_of_tws_is_over_when_its_farms_are_back(connect, gateway):
    client = connect()
    gateway.notice(2110)
    assert wait_until(lambda: client.state is State.DEGRADED)
    gateway.notice(2104)
    assert wait_ready(client)


def test_an_inactive_farm_is_no_failure(connect, gateway):
    client = connect()
    gateway.notice(2107)
    gateway.notice(2103)
    client.server_time()
    assert client.state is State.READY
    assert {(farm.kind, farm.status) for farm in client.farms()} >= {
        ("history", "inactive"),
        ("market", "broken"),
    }


def test_a_restoration_that_is_not_answered_ends_in_a_new_connection(connect, gateway):
    client = connect(request_timeout_s=0.2)
    gateway.set(unanswered=("reqPositions",))
    gateway.notice(1100)
    gateway.notice(1102)
    assert wait_until(lambda: client.state is State.DISCONNECTED)
    gateway.set(unanswered=())
    assert wait_until(lambda: client.connected.generation == 2)
    assert wait_ready(client)


def test_advisories_are_notices(connect, gateway):
    client = connect()
    client.poll()
    gateway.notice(10167, "Requested market data is not subscribed. Displaying delayed market data.")
    (notice,) = messages(client, Notice)
    assert notice.code == 10167


@pytest.mark.parametrize(
    ("account", "kind"),
    [("DU1234567", "paper"), ("DFX23456", "paper"), ("U1234567", "real"), ("X1", "real")],
)
def test_the_account_id_decides_between_paper_and_real_and_the_unknown_is_real(account, kind):
    from live.client.sync import account_kind

    assert account_kind(account) == kind


def test_an_error_that_nobody_foresaw_does_not_end_the_attempts(connect, gateway, monkeypatch):
    from live.client import sync

    client, right, calls = connect(), sync.synchronise, []

    async def broken_once(*arguments):
        calls.append(1)
        if len(calls) == 1:
            raise KeyError("unforeseen")
        return await right(*arguments)

    monkeypatch.setattr(sync, "synchronise", broken_once)
    client.poll()
    gateway.drop()
    assert wait_until(lambda: client.connected.generation > 1)
    assert wait_ready(client)
    reasons = [e.message.reason for e in client.poll() if isinstance(e.message, Disconnected)]
    assert "internal error: KeyError('unforeseen')" in reasons


def test_a_restoration_during_the_synchronisation_reads_everything_once_more(connect, gateway):
    client = connect()
    gateway.arm(on="positionEnd", do="delay", seconds=5.0)
    gateway.notice(1100)
    gateway.notice(1102)
    assert wait_until(lambda: client.state is State.SYNCING)
    gateway.set_position("MSFT", 3.0)
    gateway.notice(1100)
    gateway.notice(1101)
    gateway.advance(10)
    assert wait_ready(client)
    (restored,) = [e.message for e in client.poll() if isinstance(e.message, Restored)]
    assert restored.data_lost
    assert len(client.snapshot().positions) == 1
