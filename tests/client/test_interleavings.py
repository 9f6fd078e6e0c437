"""Whatever happens between an order and a connection, what the client knows in the end is what the gateway has."""

from __future__ import annotations

import gc
import os
import random
import threading

import pytest

from ares7.errors import Ares7Error
from live.client.messages import Execution, OrderTicket, State
from tests.client.conftest import ACCOUNT, wait_until

SEEDS = int(os.environ.get("ARES7_INTERLEAVINGS", "15"))
"""More of them by hand: ARES7_INTERLEAVINGS=500."""
DEEDS = ("place", "place", "cancel", "fill", "drop", "reset", "lost", "restored", "restart", "skip_status")


def act(deed, rng, client, gateway, facts, sent):
    live = [order.ref for order in gateway.book().working]
    if deed == "place":
        ref, side = f"A7-{len(sent)}", rng.choice(["BUY", "SELL"])
        limit = 1.0 if side == "BUY" else 999.0
        sent.append(ref)
        ticket = OrderTicket(
            ref, facts.con_id, "AAPL", side, rng.randint(1, 9), "LMT", "DAY", limit_price=limit
        )
        client.place(ticket, lambda *_: None)
    elif deed == "cancel":
        orders = list(client.snapshot().open_orders.values())
        if orders:
            client.cancel(rng.choice(orders).order_id)
    elif deed == "fill" and live:
        gateway.fill(rng.choice(live), 50.0, 1.0)
    elif deed in ("drop", "reset"):
        gateway.drop(reset=deed == "reset")
    elif deed == "restart":
        gateway.restart(0.02, rollback=0)
    elif deed in ("lost", "restored"):
        gateway.notice(1100 if deed == "lost" else rng.choice([1101, 1102]))
    elif deed == "skip_status":
        gateway.set(skip_status=rng.random() < 0.5)


# From Python 3.12 on, asyncio leaves a connection to the garbage collector that a port accepts while it is closed:
# here the gateway's port, in a restart.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_interleavings_end_with_the_gateways_book(connect, gateway, seed):
    rng = random.Random(seed)
    client = connect()
    facts = client.qualify(["AAPL"]).facts["AAPL"]
    sent, fills = [], {}
    pause = threading.Event()
    for _ in range(40):
        pause.wait(rng.choice([0.0, 0.0, 0.002, 0.01]))
        try:
            act(rng.choice(DEEDS), rng, client, gateway, facts, sent)
        except Ares7Error:
            # Refused because of the state of the connection: certainly not sent, or a cancellation that was lost.
            continue
    gateway.set(skip_status=False)
    gateway.accept()
    gateway.notice(1102)
    assert wait_until(lambda: client.state is State.READY)
    # A drop may still be on its way: an answer after the state was ready shows that it is over.
    assert wait_until(lambda: _settled(client))
    book = gateway.book()
    snapshot = client.snapshot()
    working = {order.ref for order in book.working}
    assert {o.ref for o in snapshot.open_orders.values()} == working
    held = {row.symbol: row.shares for row in snapshot.positions.values()}
    assert held == book.positions[ACCOUNT]
    for envelope in client.poll():
        if isinstance(envelope.message, Execution):
            fills[envelope.message.root] = envelope.message
    assert sum(fill.shares for fill in fills.values()) == sum(e.shares for e in book.executions)
    refs = [o.ref for o in book.orders]
    assert len(refs) == len(set(refs))
    gc.collect()


def _settled(client):
    try:
        client.server_time()
    except Ares7Error:
        return False
    return client.state is State.READY
