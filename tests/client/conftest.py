"""A gateway double on 127.0.0.1, and clients that come back fast and are always stopped."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import random
import socket
import threading

import pytest

from live.client import seam
from live.client.client import Client
from live.client.messages import State
from live.client.options import HistoryPacing, Options, Reconnect
from live.double.control import running
from live.double.history import from_closes
from live.double.settings import Settings

ACCOUNT = "DU1234567"
SESSIONS = 12
CLOSES = {
    "AAPL": [180.0 + i for i in range(SESSIONS)],
    "BRK-B": [360.0 + i for i in range(SESSIONS)],
    "MSFT": [370.0 + i for i in range(SESSIONS)],
    "SPX": [4700.0 + i for i in range(SESSIONS)],
}
LIBRARY = "ib_async" if seam.installed_version("ib_async") else "ib_insync"
FAST = {
    "library": LIBRARY,
    "connect_timeout_s": 1.0,
    "request_timeout_s": 1.0,
    "history_timeout_s": 2.0,
    "stop_timeout_s": 2.0,
    "messages_per_s": 0,
    "max_skew_s": None,
    "quiet": None,
    "reconnect": Reconnect(first_s=0.05, cap_s=0.2),
    "history": HistoryPacing(identical_s=0.0),
}
START = "2024-01-05 10:00"


@pytest.fixture
def library_name():
    """The library that is installed in this environment."""
    return LIBRARY


def options(**changes):
    return Options(**{**FAST, **changes})


@pytest.fixture
def history():
    return from_closes("2024-01-02", CLOSES, indices=["SPX"])


def quiet_port():
    """A free port that the system gives to no outgoing connection.

    A client that knocks at a port of that range while nobody listens can be connected to itself, and then
    holds the port when the gateway comes back.
    """
    for _ in range(100):
        port = random.randrange(20_000, 32_000)
        with socket.socket() as found, contextlib.suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")


@pytest.fixture
def gateway(history):
    """A gateway on the fourth session of its history, its clock stepped by the test."""
    with running(history, Settings(start=START, port=quiet_port())) as control:
        yield control


@pytest.fixture
def connect(gateway):
    """Makes clients of the gateway and starts them; all are stopped at the end."""
    made = []

    def make(client_id=7, account="", *, start=True, **changes):
        rest = {name: changes.pop(name) for name in ("clock", "next_order_id", "port") if name in changes}
        client = Client(
            gateway.host,
            rest.pop("port", gateway.port),
            client_id,
            account,
            options=options(**changes),
            rng=random.Random(1),
            **rest,
        )
        made.append(client)
        if start:
            client.start()
        return client

    yield make
    for client in made:
        assert client.stop(), "a client did not end in time"


@pytest.fixture(autouse=True)
def nothing_undecoded():
    """The library swallows decode errors into its log; here they fail the test."""
    records = []
    handler = logging.Handler(level=logging.ERROR)
    handler.emit = records.append
    logger = logging.getLogger(f"{LIBRARY}.Decoder")
    logger.addHandler(handler)
    yield records
    logger.removeHandler(handler)
    assert [record.getMessage() for record in records] == []


@pytest.fixture(autouse=True)
def no_thread_left():
    before = set(threading.enumerate())
    yield
    left = [thread.name for thread in threading.enumerate() if thread not in before and thread.is_alive()]
    assert left == []


def messages(client, kind=None, seconds=2.0, count=1):
    """Messages of a kind, waiting until there are ``count`` of them."""
    found = []
    until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
    while len(found) < count and dt.datetime.now(dt.UTC) < until:
        envelope = client.wait(0.05)
        if envelope is not None and (kind is None or isinstance(envelope.message, kind)):
            found.append(envelope.message)
    return found


def wait_until(condition, seconds=15.0):
    """Wait until a condition holds; False if it never does."""
    pause = threading.Event()
    until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
    while dt.datetime.now(dt.UTC) < until:
        if condition():
            return True
        pause.wait(0.01)
    return bool(condition())


def wait_ready(client, seconds=15.0):
    return wait_until(lambda: client.state is State.READY, seconds)


@contextlib.contextmanager
def another_gateway(history, **settings):
    with running(history, Settings(**{"start": START, **settings})) as control:
        yield control
