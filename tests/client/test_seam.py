"""The seam finds the configured library, refuses two at once, and needs no event loop to be there before."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ares7.errors import ConfigError
from live.client import seam
from live.client.messages import OrderTicket
from tests.client.conftest import wait_until

ROOT = Path(__file__).resolve().parents[2]


def present(*names):
    return lambda distribution: distribution in names


def test_the_configured_library_is_refused_when_it_is_not_installed():
    with pytest.raises(ConfigError, match="ib_async is configured and not installed; pip install"):
        seam.check_installed("ib_async", present("ib_insync", "eventkit"))


@pytest.mark.parametrize("both", [("ib_insync", "ib_async"), ("eventkit", "aeventkit")])
def test_both_libraries_in_one_environment_are_refused(both):
    with pytest.raises(ConfigError, match=f"{both[0]} and {both[1]} are both installed"):
        seam.check_installed("ib_insync", present("ib_insync", *both))


def test_an_unknown_library_is_refused():
    with pytest.raises(ConfigError, match="ibapi is unknown"):
        seam.check_installed("ibapi", present("ibapi"))


@pytest.mark.parametrize(
    ("name", "installed"), [("ib_insync", ("ib_insync", "eventkit")), ("ib_async", ("ib_async", "aeventkit"))]
)
def test_one_library_alone_is_taken(name, installed):
    seam.check_installed(name, present(*installed))


def test_the_import_works_in_a_thread_without_an_event_loop_and_on_a_python_that_makes_none(library_name):
    # Python 3.14 raises where earlier ones make a loop up; a policy that raises stands for it.
    code = textwrap.dedent(
        f"""
        import asyncio, threading, warnings
        warnings.simplefilter("error")
        class NoLoop(asyncio.DefaultEventLoopPolicy):
            def get_event_loop(self):
                if self._local._loop is None:
                    raise RuntimeError("There is no current event loop in thread")
                return self._local._loop
        asyncio.set_event_loop_policy(NoLoop())
        from live.client import seam
        found = []
        def work():
            found.append(seam.load({library_name!r}).name)
            asyncio.get_event_loop_policy().get_event_loop().close()
        thread = threading.Thread(target=work)
        thread.start(); thread.join()
        assert found == [{library_name!r}], found
        """
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_nothing_of_the_library_is_printed_when_nobody_configured_logging(library_name):
    code = f"""
import logging, asyncio
from live.client import seam
seam.load({library_name!r})
logging.getLogger("{library_name}.wrapper").error("account DU1234567 and an order")
asyncio.get_event_loop_policy().get_event_loop().close()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""


class Wire:
    """An event of the library: handlers added and taken away with += and -=."""

    def __init__(self):
        self.handlers = []

    def __iadd__(self, handler):
        self.handlers.append(handler)
        return self

    def __isub__(self, handler):
        self.handlers.remove(handler)
        return self


class Socket:
    def __init__(self):
        self.hasData = Wire()

    def receive(self, data):
        for handler in list(self.hasData.handlers):
            handler(data)


def handshake(data, pieces):
    socket, refused = Socket(), []
    found = seam.Handshake(socket, 157, refused.append)
    step = max(1, len(data) // pieces)
    for start in range(0, len(data), step):
        socket.receive(data[start : start + step])
    return found, refused, socket


@pytest.mark.parametrize("pieces", [1, 2, 7, 100])
def test_the_handshake_is_read_however_it_is_cut(pieces):
    body = b"176\x0020250415 19:38:30 British Summer Time\x00"
    found, refused, socket = handshake(len(body).to_bytes(4, "big") + body, pieces)
    assert (found.version, found.time_text) == (176, "20250415 19:38:30 British Summer Time")
    assert refused == []
    assert socket.hasData.handlers == []


def test_a_gateway_that_is_too_old_is_refused_with_its_version():
    body = b"76\x0020120415 19:38:30 EST\x00"
    _, refused, _ = handshake(len(body).to_bytes(4, "big") + body, 1)
    assert "offers protocol version 76, and 157 is the oldest" in refused[0]


@pytest.mark.parametrize(
    "text", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n", b"\0\0\0\x05hello"]
)
def test_another_protocol_is_recognised(text):
    _, refused, _ = handshake(text, 1)
    assert "this is no TWS or IB Gateway" in refused[0]


def test_the_library_is_imported_by_the_start_and_not_before():
    code = "import sys, live.client.client, live.client.doctor; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "live.client.client" in loaded
    assert loaded.isdisjoint(
        {"ib_insync", "ib_async", "eventkit", "backtrader", "exchange_calendars", "rich"}
    )


def test_what_crosses_threads_is_frozen_and_holds_nothing_of_the_library(connect, gateway):
    client = connect()
    facts = client.qualify(["AAPL"]).facts["AAPL"]
    client.place(OrderTicket("A7-1", facts.con_id, "AAPL", "BUY", 1, "MKT", "DAY"), lambda *_: None)
    assert wait_until(lambda: client.snapshot().positions)
    client.executions()
    kinds = set()
    for envelope in client.poll():
        message = envelope.message
        kinds.add(type(message).__name__)
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(message, dataclasses.fields(message)[0].name, None)
        for value in dataclasses.astuple(message):
            assert type(value).__module__.split(".")[0] in ("builtins", "datetime", "live"), message
    assert kinds >= {
        "AccountValue",
        "Commission",
        "Connected",
        "Execution",
        "OpenOrder",
        "OrderStatus",
        "PositionRow",
    }
