"""A gateway double and clients on it, always stopped."""

from __future__ import annotations

import threading

import pytest

from live.client.client import Client
from live.double.control import running
from live.double.history import from_closes
from live.double.settings import Settings
from tests.client.conftest import CLOSES, START, options


@pytest.fixture
def no_thread_left():
    before = set(threading.enumerate())
    yield
    left = [thread.name for thread in threading.enumerate() if thread not in before and thread.is_alive()]
    assert left == []


@pytest.fixture
def gateway(no_thread_left):
    with running(from_closes("2024-01-02", CLOSES, indices=["SPX"]), Settings(start=START)) as control:
        yield control


@pytest.fixture
def connect(gateway):
    made = []

    def make(client_id=7, **changes):
        client = Client(gateway.host, gateway.port, client_id, gateway.account, options=options(**changes))
        made.append(client)
        client.start()
        return client

    yield make
    for client in made:
        client.stop()
