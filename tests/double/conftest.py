"""A small market, a gateway on it, and the rule that no client may fail to read a message."""

from __future__ import annotations

import asyncio
import logging

import pytest

from live.double.control import running
from live.double.history import from_closes
from live.double.settings import Settings


class DecoderErrors(logging.Handler):
    """Keeps the records that a client library logs when it cannot read a message, and hides nothing else."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.found = []

    def emit(self, record):
        self.found.append(record.getMessage())


LOOP = asyncio.new_event_loop()
"""For ib_insync, which takes the thread's; it lives as long as the process, because clients are closed on it late."""


@pytest.fixture(autouse=True)
def loop_of_the_main_thread():
    """Another test may have taken the main thread's event loop away."""
    asyncio.set_event_loop(LOOP)


@pytest.fixture(autouse=True)
def every_message_is_readable(loop_of_the_main_thread):
    """Fail a test during which ib_insync could not decode something: it only logs that."""
    handler, logger = DecoderErrors(), logging.getLogger("ib_insync.Decoder")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    assert handler.found == []


@pytest.fixture
def history():
    """Thirty sessions from 2024-01-02; ``AAPL`` rises by one a day, ``BRK-B`` stands still, ``SPX`` and ``VIX``."""
    closes = {
        "AAPL": [100.0 + i for i in range(30)],
        "BRK-B": [50.0] * 30,
        "SPX": [4800.0 + i for i in range(30)],
        "VIX": [13.0 + i / 10 for i in range(30)],
    }
    return from_closes("2024-01-02", closes, indices=("SPX", "VIX"))


@pytest.fixture
def start(history):
    """Start a gateway: ``start(knobs=..., script=..., **settings)`` gives its control. Open at 10:00 by default."""
    opened = []

    def begin(knobs=None, script=(), market=None, **settings):
        settings = {"start": "2024-01-22 10:00", "spread_ticks": 0, **settings}
        context = running(market or history, Settings(**settings), knobs, script)
        opened.append(context)
        return context.__enter__()

    yield begin
    for context in reversed(opened):
        context.__exit__(None, None, None)


@pytest.fixture
def gateway(start):
    """A calm gateway whose clock only the test moves."""
    return start()
