"""Whatever a client sends, the gateway answers or refuses, and goes on."""

from __future__ import annotations

import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from live.double.layouts import REQUESTS
from live.double.order_layouts import PLACE_ORDER
from live.double.session import MAX_VERSION, MIN_VERSION, ClientSession
from tests.double.test_handshake import Raw

WORDS = [
    "", "0", "1", "2", "-1", "7", "1e400", "nan", "AAPL", "STK", "IND", "SMART", "USD", "BUY", "SELL", "MKT", "LMT",
    "STP", "MOC", "DAY", "GTC", "OPG", "1 D", "5 D", "1 Y", "60 S", "1 day", "5 secs", "1 hour", "TRADES", "BID",
    "ADJUSTED_LAST", "20240119", "20240119 10:00:00", "DU1234567", "99999999999999999999", "é", "112.5", "100",
    "NetLiquidation,$LEDGER:ALL",
]  # fmt: skip


USUAL = {
    "symbol": "AAPL", "secType": "STK", "exchange": "SMART", "currency": "USD", "action": "BUY", "totalQuantity": "10",
    "orderType": "MKT", "tif": "DAY", "transmit": "1", "orderId": "5", "reqId": "6", "account": "DU1234567",
    "lmtPrice": "100.0", "auxPrice": "99.0", "duration": "5 D", "barSize": "1 day", "what": "TRADES", "formatDate": "1",
    "subscribe": "1", "clientId": "3", "tags": "NetLiquidation", "type": "1", "useRTH": "1",
}  # fmt: skip


@st.composite
def messages(draw, version):
    """A request with usual values, some of which are replaced, or which is cut or too long."""
    number = draw(st.sampled_from([3, 3, 3, 20, *REQUESTS]))
    table = PLACE_ORDER if number == 3 else REQUESTS[number][1]
    names = [field.name for field in table.fields(version) if not field.only_if]
    usual = {**USUAL, "orderId": str(draw(st.integers(1, 9))), "reqId": str(draw(st.integers(1, 4)))}
    fields = [str(number), *(usual.get(name, "") for name in names[1:])]
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2, 3]))):
        likely = [i for i, name in enumerate(names) if name in USUAL] or [0]
        at = draw(st.sampled_from(likely) | st.integers(0, len(fields) - 1))
        if at:
            fields[at] = draw(st.sampled_from(WORDS))
    return fields[: draw(st.sampled_from([len(fields)] * 9 + [2]))]


def conversations(version):
    """A server version and some messages of it."""
    return st.tuples(st.just(version), st.lists(messages(version), min_size=1, max_size=8))


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([MIN_VERSION, 163, 176, MAX_VERSION]).flatmap(conversations))
def test_any_message_is_answered_or_refused(deaf, conversation):
    (version, sent), (gateway, lost) = conversation, deaf

    def talk(inner):
        session = ClientSession(inner)
        session.version, session.client, session.ready = version, 3, True
        inner.sessions.append(session)
        for fields in sent:
            session._arrived(fields)
        inner.advance(inner.clock.now + 30)
        session.close()
        inner.sessions.remove(session)

    gateway.call(talk)
    assert lost == []


@pytest.fixture
def deaf(gateway, caplog):
    """A gateway, and what its loop logs as an error."""
    caplog.set_level(logging.ERROR, logger="asyncio")
    return gateway, caplog.records


def test_any_bytes_end_a_connection_and_nothing_else(gateway):
    for garbage in (b"", b"\0", b"API\0", b"API\0\xff\xff\xff\xff", b"\xff" * 100, b"API\0\0\0\0\x01v"):
        one = Raw(gateway, versions=None, client=None)
        one.socket.sendall(garbage)
        one.close()
    last = Raw(gateway)
    assert last.read() is not None
    last.close()
