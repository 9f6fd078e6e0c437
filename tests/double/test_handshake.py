"""The handshake, byte by byte, and what is not of this protocol."""

from __future__ import annotations

import socket
import time

import pytest
from ib_insync import IB, util

from live.double.codec import Framer, frame
from live.double.order_layouts import PLACE_ORDER
from live.double.server import Gateway
from live.double.session import BUFFER
from live.double.settings import Settings
from tests.double.client import connected, stock


class Raw:
    """A client that knows the framing and nothing else."""

    def __init__(self, control, versions="v157..178", client=3):
        self.socket = socket.create_connection((control.host, control.port), 3)
        self.framer = Framer(greeting=False)
        self.waiting = []
        if versions is not None:
            self.socket.sendall(b"API\0" + len(versions).to_bytes(4, "big") + versions.encode())
        if client is not None:
            self.send("71", "2", str(client), "")

    def send(self, *fields):
        self.socket.sendall(frame(fields))

    def read(self):
        """The next message; None once the gateway has closed."""
        while not self.waiting:
            data = self.socket.recv(65536)
            if not data:
                return None
            self.waiting += self.framer.feed(data)
        return self.waiting.pop(0)

    def close(self):
        self.socket.close()


@pytest.fixture
def raw(gateway):
    opened = []

    def connect(*args, **kwargs):
        opened.append(Raw(gateway, *args, **kwargs))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [("v157..178", "178"), ("v100..157", "157"), ("v157..176", "176"), ("v150..999", "178")],
)
def test_both_speak_the_highest_version_that_both_know(raw, asked, spoken):
    client = raw(asked)
    version = client.read()
    assert (len(version), version[0]) == (2, spoken)
    assert client.read() == ["15", "1", "DU1234567"]
    assert client.read() == ["9", "1", "1"]
    assert [client.read()[3] for _ in range(3)] == ["2104", "2106", "2158"]


def test_the_version_can_be_limited(start):
    control = start(version=163)
    with connected(control) as ib:
        assert ib.client.serverVersion() == 163


@pytest.mark.parametrize("versions", ["v100..150", "hello", "v1..x"])
def test_a_client_that_is_too_old_or_no_client_is_hung_up_on(raw, versions):
    assert raw(versions, client=None).read() is None


def test_a_browser_is_hung_up_on(raw):
    client = raw(versions=None, client=None)
    client.socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert client.read() is None


def test_a_request_before_the_start_is_refused(raw):
    client = raw(client=None)
    client.read()
    client.send("61", "1")
    assert client.read()[3] == "320"


def test_a_request_that_cannot_be_read_gets_320_and_the_connection_stays(raw):
    client = raw()
    for _ in range(6):
        client.read()
    for fields in (
        ["20", "5", "0", "AAPL"],
        ["9999", "1"],
        ["x"],
        ["7", "3", "2", "", "", "no time", "", "", "", ""],
    ):
        client.send(*fields)
        assert client.read()[3] == "320"
    client.send("49", "1")
    assert client.read()[0] == "49"


@pytest.mark.parametrize("name", ["totalQuantity", "lmtPrice", "orderId"])
@pytest.mark.parametrize("value", ["nan", "inf", "1e400", "-inf", "x"])
def test_numbers_that_are_none_get_320_or_a_refusal(raw, name, value):
    usual = {
        "orderId": "5",
        "symbol": "AAPL",
        "secType": "STK",
        "exchange": "SMART",
        "currency": "USD",
        "tif": "DAY",
    }
    usual |= {
        "action": "BUY",
        "totalQuantity": "10",
        "orderType": "LMT",
        "lmtPrice": "50",
        "transmit": "1",
        name: value,
    }
    client = raw()
    for _ in range(6):
        client.read()
    names = [field.name for field in PLACE_ORDER.fields(178) if not field.only_if]
    client.send("3", *(usual.get(field, "") for field in names[1:]))
    assert client.read()[3] in ("320", "321", "434", "110")


def test_a_duration_without_end_gets_320(raw):
    client = raw()
    for _ in range(6):
        client.read()
    contract = ["0", "AAPL", "STK", "", "0", "", "", "SMART", "", "USD", "", ""]
    client.send("20", "8", *contract, "0", "", "1 day", "999999999 Y", "1", "TRADES", "1", "0", "")
    assert client.read()[2:4] == ["8", "320"]


def test_combinations_are_refused(raw):
    client = raw()
    for _ in range(6):
        client.read()
    client.send(
        "1", "11", "5", "0", "X", "BAG", "", "0", "", "", "SMART", "", "USD", "", "", "0", "", "0", "0", ""
    )
    assert client.read()[2:4] == ["5", "321"]


def test_no_burst_to_the_official_client_is_a_multiple_of_its_buffer(gateway, raw):
    client = raw("v100..157")
    for _ in range(6):
        client.read()
    sizes = []
    # One byte more each time, through a whole buffer around its size.
    for length in range(BUFFER - 40, BUFFER + 1):
        text = "x" * (length - len(frame(["4", "2", "-1", "2100", ""])))
        gateway.notice(2100, text or " ")
        time.sleep(0.003)
        data = client.socket.recv(3 * BUFFER)
        sizes.append(len(data))
        if data[-1:] != b"\0" or len(data) < length:
            client.socket.recv(16)
    assert BUFFER not in sizes
    assert BUFFER - 1 in sizes


def test_the_gateway_listens_on_the_loopback_only(gateway):
    assert gateway.host == "127.0.0.1"
    addresses = gateway.call(lambda g: [s.getsockname()[0] for s in g._server.sockets])
    assert addresses == ["127.0.0.1"]


def test_a_message_that_the_library_cannot_read_is_noticed(gateway, every_message_is_readable):
    with connected(gateway) as ib:
        ib.client.decoder.interpret(["5", "1"])
        assert len(every_message_is_readable.found) == 1
        every_message_is_readable.found.clear()


def test_a_gateway_can_run_in_the_client_s_own_loop(history):
    async def both():
        settings = Settings(start="2024-01-22 10:00")
        async with Gateway(history, settings) as gateway:
            ib = IB()
            await ib.connectAsync("127.0.0.1", gateway.port, clientId=1)
            (details,) = await ib.reqContractDetailsAsync(stock())
            ib.disconnect()
            return details.contract.symbol

    assert util.run(both()) == "AAPL"
