"""A gateway double, stores on it that are always stopped, and the rules that hold for every test of the bridge."""

from __future__ import annotations

import faulthandler
import logging
import os
import threading
from contextlib import ExitStack

import numpy as np
import pytest

from ares7.costs import BpsCosts
from live.client.options import HistoryPacing, Options, Reconnect
from live.double.control import running
from live.double.history import from_closes
from live.double.settings import Settings
from live.store import IBStore
from live.store_options import StoreOptions

HANGS_AFTER, LONG_ONES_HANG_AFTER = 150.0, 1800.0
"""Real seconds after which a test is ended with the stacks of all threads; of the long statistical ones."""
COUNT = int(os.environ.get("ARES7_INTERLEAVINGS", "200"))
"""Random interleavings that are tried."""
FAST = {
    "connect_timeout_s": 10.0,
    "request_timeout_s": 10.0,
    "stop_timeout_s": 5.0,
    "messages_per_s": 0,
    "reconnect": Reconnect(first_s=0.02, cap_s=0.05),
    "history": HistoryPacing(identical_s=0.0),
}


@pytest.fixture(autouse=True)
def nothing_hangs(request):
    long = request.node.get_closest_marker("stat") or COUNT > 1000
    faulthandler.dump_traceback_later(LONG_ONES_HANG_AFTER if long else HANGS_AFTER, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(autouse=True)
def every_message_is_readable():
    """The client library only logs what it cannot decode; here it fails the test."""
    records = []
    handler = logging.Handler(level=logging.ERROR)
    handler.emit = records.append
    logger = logging.getLogger("ib_insync.Decoder")
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)
    assert [record.getMessage() for record in records] == []


@pytest.fixture(autouse=True)
def no_thread_left():
    before = set(threading.enumerate())
    yield
    left = [thread.name for thread in threading.enumerate() if thread not in before and thread.is_alive()]
    assert left == []


def walk(count, seed=5, names=("AAPL", "BRK-B", "MSFT"), start=100.0, daily=0.02):
    """Closes and opens of random walks in whole cents."""
    rng = np.random.default_rng(seed)
    closes = {n: (start * np.exp(np.cumsum(rng.normal(0, daily, count)))).round(2) for n in names}
    opens = {
        n: (np.r_[c[0], c[:-1]] * (1 + rng.normal(0, daily / 5, count))).round(2) for n, c in closes.items()
    }
    return closes, opens


@pytest.fixture
def history():
    closes, opens = walk(40)
    closes["SPX"] = [4000.0 + i for i in range(40)]
    closes["VIX"] = [15.0 + 0.1 * i for i in range(40)]
    return from_closes("2023-01-03", closes, ("SPX", "VIX"), opens=opens)


@pytest.fixture
def double(no_thread_left):
    """Start a double: ``double(history, knobs=..., script=..., **settings)`` gives its control."""
    with ExitStack() as stack:

        def begin(history, knobs=None, script=(), **settings):
            settings = {"spread_ticks": 0, "costs": BpsCosts(model="bps", bps=10), **settings}
            return stack.enter_context(running(history, Settings(**settings), knobs, script))

        yield begin


@pytest.fixture
def gateway(double, history):
    """A calm double on the sixth session of its history, open, at 10:00."""
    return double(history, start=f"{history.dates[5]} 10:00")


@pytest.fixture
def connect(no_thread_left):
    """Make stores of a double: ``connect(control, until=..., **options)``; all are stopped at the end."""
    made = []

    def make(control, client_id=7, *, client=None, **rest):
        own = {n: rest.pop(n) for n in ("until", "run_id", "cache", "account") if n in rest}
        options = StoreOptions(**{"clock": "gateway", "poll_s": 1e-6, **rest})
        store = IBStore(
            control.host,
            control.port,
            client_id,
            own.pop("account", control.account),
            options=options,
            client_options=Options(**{**FAST, **(client or {})}),
            **own,
        )
        made.append(store)
        return store

    yield make
    for store in made:
        store.stop()
