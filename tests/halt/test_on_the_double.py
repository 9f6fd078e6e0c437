"""A halt in the middle of a rebalance, seen from the gateway (the TWS-protocol double): no later order reaches it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ares7.errors import CheckFailed
from ares7.limits import LimitParams, Limits, Name
from live.client.client import Client
from live.client.messages import State
from live.client.options import HistoryPacing, Options, Reconnect
from live.client.order_messages import OrderTicket
from live.double.control import running
from live.double.history import from_closes
from live.double.settings import Settings
from live.halt.file_source import HaltFile
from live.halt.level import HaltLevel
from live.halt.switch import HaltSwitch
from live.pre_trade import Book, Day, PreTrade
from tests.client.conftest import wait_until

ROOT = Path(__file__).resolve().parents[2]
CLOSES = {"AAPL": [100.0] * 8, "MSFT": [100.0] * 8}
CALM = Options(
    connect_timeout_s=2.0,
    request_timeout_s=2.0,
    messages_per_s=0,
    max_skew_s=None,
    quiet=None,
    reconnect=Reconnect(first_s=0.05, cap_s=0.2),
    history=HistoryPacing(identical_s=0.0),
)


@pytest.fixture
def gateway():
    with running(from_closes("2024-01-02", CLOSES), Settings(start="2024-01-05 10:00")) as control:
        yield control


@pytest.fixture
def client(gateway):
    made = Client(gateway.host, gateway.port, 7, options=CALM)
    made.start()
    made.qualify(["AAPL", "MSFT"])
    yield made
    assert made.stop()


@pytest.fixture
def contracts(client):
    return {facts.symbol: facts.con_id for facts in client._facts.values()}


class Rebalance:
    """Sales of AAPL and purchases of MSFT in turn, each judged in the hook that runs right before its socket write."""

    def __init__(self, client, contracts, file, alarms, clock):
        names = {con_id: Name(100.0, 0.0, 1e6) for con_id in contracts.values()}
        switch = HaltSwitch([file], alarms, clock)
        self.gate = PreTrade(Limits(LimitParams()), switch, Day(names, 1e6, 1e6))
        self.client, self.contracts, self.held = client, contracts, 100
        self.refused = []

    def send(self, number):
        side, symbol = ("SELL", "AAPL") if number % 2 else ("BUY", "MSFT")
        ticket = OrderTicket(f"A7-{number}", self.contracts[symbol], symbol, side, 10, "MKT", "OPG")
        try:
            self.client.place(ticket, self.before_the_socket)
        except CheckFailed:
            self.refused.append(ticket.ref)

    def before_the_socket(self, ticket, order_id):
        book = Book(1e6, 1e6, {self.contracts["AAPL"]: float(self.held)})
        found = self.gate.judge(ticket, book)
        if not found.allowed:
            raise CheckFailed(found.reason)
        self.gate.sent(ticket)
        if ticket.side == "SELL":
            self.held -= ticket.quantity


def from_outside(folder, level):
    """Trip the halt as another process does."""
    code = (
        "import datetime as dt, sys\nfrom pathlib import Path\nfrom live.halt.file_source import HaltFile\n"
        "from live.halt.level import HaltLevel\n"
        "HaltFile(Path(sys.argv[1]), lambda: dt.datetime.now(dt.UTC)).trip(HaltLevel[sys.argv[2]], 'x', 'now')\n"
    )
    subprocess.run([sys.executable, "-c", code, str(folder), level.name], cwd=ROOT, check=True)


LATER = {
    HaltLevel.BLOCK_NEW: ["A7-5", "A7-7"],
    HaltLevel.CANCEL_WORKING: [],
    HaltLevel.FLATTEN: [],
    HaltLevel.HALT: [],
}


@pytest.mark.parametrize("level", LATER)
def test_after_a_halt_in_mid_batch_only_what_its_level_allows_reaches_the_gateway(
    gateway, client, contracts, file, alarms, clock, level
):
    batch = Rebalance(client, contracts, file, alarms, clock)
    for number in range(8):
        if number == 4:
            from_outside(file.folder, level)
        batch.send(number)
    client.server_time()
    sent = ["A7-0", "A7-1", "A7-2", "A7-3", *LATER[level]]
    assert wait_until(lambda: len(gateway.recorder.order_refs()) == len(sent))
    assert gateway.recorder.order_refs() == sent
    assert sorted([*sent, *batch.refused]) == [f"A7-{n}" for n in range(8)]
    file.resume("ann", "over")
    batch.send(8)
    assert wait_until(lambda: gateway.recorder.order_refs()[-1] == "A7-8")


def test_a_halt_that_is_tripped_while_the_gateway_is_away_holds_when_it_is_back(
    gateway, client, contracts, file, alarms, clock
):
    batch = Rebalance(client, contracts, file, alarms, clock)
    before = client.connected.generation
    gateway.drop(reset=True)
    HaltFile(file.folder, clock).trip(HaltLevel.HALT, "ann", "no gateway")
    assert wait_until(lambda: client.connected.generation > before and client.state is State.READY)
    for number in range(4):
        batch.send(number)
    client.server_time()
    assert gateway.recorder.order_refs() == []
    assert len(batch.refused) == 4


def test_a_damaged_halt_file_in_mid_batch_stops_it_too(gateway, client, contracts, file, alarms, clock):
    batch = Rebalance(client, contracts, file, alarms, clock)
    for number in range(4):
        if number == 2:
            file.path.write_bytes(os.urandom(40))
        batch.send(number)
    client.server_time()
    assert gateway.recorder.order_refs() == ["A7-0", "A7-1"]
    assert alarms.codes == ["halt-source"]
