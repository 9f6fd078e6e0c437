"""The journal under a real connection: intents before the socket, and the gateway's own messages after it."""

from __future__ import annotations

import itertools

import pytest

from live.client.messages import Commission, Execution, OrderTicket
from live.journal.failures import AlreadyJournalled, JournalUnavailable
from live.journal.rows import Intent
from live.journal.wire_rows import fee_of, fill_of, wire_event
from live.journal.writer import Journal
from tests.client.conftest import ACCOUNT, connect, gateway, history, wait_until  # noqa: F401
from tests.journal.samples import SESSION, Ticking, ref
from tests.journal.test_durability import limited


@pytest.fixture
def client(connect):  # noqa: F811
    found = connect()
    found.qualify(["AAPL", "MSFT"])
    return found


@pytest.fixture
def paper(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.sqlite", "paper", ACCOUNT, clock=Ticking()) as opened:
        yield opened


def ticket(client, number=1):
    facts = next(facts for facts in client._facts.values() if facts.symbol == "AAPL")
    return OrderTicket(ref(facts.con_id, number=number), facts.con_id, "AAPL", "BUY", 10, "MKT", "DAY")


def place(client, journal, number=1):
    return client.place(
        ticket(client, number),
        lambda sent, order_id: journal.intent(Intent.of(sent, order_id, session=SESSION)),
    )


def hear(client, journal):
    """Journal everything that arrived; return how many executions and fees were new."""
    new = 0
    for envelope in client.poll():
        message = envelope.message
        event = wire_event(message, seq=envelope.seq, received=envelope.received)
        if event is not None:
            journal.wire(event)
        if isinstance(message, Execution):
            new += journal.fill(fill_of(message))
        if isinstance(message, Commission):
            new += journal.fee(fee_of(message))
    return new


def sent(gateway):  # noqa: F811
    return len(gateway.recorder.named("placeOrder", way="in"))


def test_the_journal_ends_with_the_positions_of_the_gateway(client, paper, gateway):  # noqa: F811
    for number in (1, 2):
        place(client, paper, number)
    assert wait_until(lambda: hear(client, paper) >= 0 and len(paper.fees()) == 2)
    held = {con_id: row.shares for con_id, row in client.snapshot().positions.items()}
    assert {con_id: position.shares for con_id, position in paper.positions().items()} == held
    assert paper.working() == []
    assert paper.highest_order_id() == max(order.intent.order_id for order in paper.orders())
    assert {event.kind for event in paper.wire_events()} >= {"status", "open_order", "connected"}
    assert all(order.fee_usd is not None for order in paper.orders())


def test_what_the_gateway_tells_again_is_booked_once(client, paper, gateway):  # noqa: F811
    place(client, paper)
    assert wait_until(lambda: hear(client, paper) >= 0 and len(paper.fees()) == 1)
    before = paper.fills()
    replayed = client.executions()
    assert [fill_of(message).root for message in replayed] == [fill.root for fill in before]
    assert [paper.fill(fill_of(message)) for message in replayed] == [False]
    assert hear(client, paper) == 0
    assert paper.fills() == before


def test_a_reference_that_the_journal_knows_never_reaches_the_socket_again(client, paper, gateway):  # noqa: F811
    place(client, paper)
    with pytest.raises(AlreadyJournalled):
        place(client, paper)
    client.server_time()
    assert sent(gateway) == 1


def place_for_ever(client, journal):
    for number in itertools.count(1):
        place(client, journal, number)


def test_an_order_that_cannot_be_journalled_is_not_sent(client, paper, gateway):  # noqa: F811
    with limited(paper, 2), pytest.raises(JournalUnavailable, match="disk is full"):
        place_for_ever(client, paper)
    client.server_time()
    assert sent(gateway) == len(paper.refs()) > 1
