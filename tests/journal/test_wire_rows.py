"""Messages of the client become rows, without a number that is none and without a message that is lost."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from live.client.messages import (
    AccountKind,
    Bar,
    BarUpdate,
    Commission,
    CompletedOrder,
    Connected,
    Disconnected,
    ErrorMessage,
    Execution,
    Notice,
    OpenOrder,
    OrderStatus,
    Outage,
    Restored,
    State,
    StateChanged,
)
from live.journal.wire_rows import KINDS, fee_of, fill_of, wire_event
from tests.journal.samples import AAPL, ACCOUNT, NOON, SESSION, intent, ref

MESSAGES = [
    OrderStatus(101, 7, 900, 0, ref(), "Submitted", 100.0, 300.0, 181.5, ""),
    OpenOrder(
        101, 7, 900, 0, ACCOUNT, ref(), AAPL, "AAPL", "STK", "BUY", 400.0, "MKT", "OPG", None, None, "", "PreSubmitted",
        None,
    ),
    CompletedOrder(900, ACCOUNT, ref(), AAPL, "AAPL", "BUY", 400.0, "MKT", "Filled", "Filled Size: 400", "20240108"),
    ErrorMessage(201, "Order rejected", 101, ref(), '{"reason": 1}'),
    Notice(2104, "Market data farm connection is OK", -1),
    Connected(ACCOUNT, AccountKind.PAPER, (ACCOUNT,), 176, 5, 1, False, 0.5, "20240108 12:00:00 EST"),
    Disconnected("Peer closed connection", None),
    StateChanged(State.READY, State.SYNCING, "synchronised"),
    Restored(True),
    Outage(900.0, "refused"),
]  # fmt: skip
EXECUTION = Execution(
    "0000e0d5.65.01.02", "0000e0d5.65.01", 2, ref(), ACCOUNT, 101, 7, 900, AAPL, "AAPL", "SELL", "NYSE", 400.0, 181.5,
    400.0, 181.5, NOON, True,
)  # fmt: skip


def test_a_message_is_stored_whole(journal):
    journal.wire(*(wire_event(message, seq=3, received=NOON) for message in MESSAGES))
    for found, message in zip(journal.wire_events(), MESSAGES, strict=True):
        assert (found.seq, found.at, found.kind) == (3, NOON, KINDS[type(message)])
        assert json.loads(json.dumps(found.detail)) == found.detail
        assert set(found.detail) == set(type(message).__dataclass_fields__)


def test_every_kind_of_message_has_a_sample():
    assert {type(message) for message in MESSAGES} == set(KINDS)


def test_what_people_look_for_has_a_column(journal):
    journal.wire(*(wire_event(message) for message in MESSAGES[:5]))
    status, opened, done, error, notice = journal.wire_events()
    assert (status.status, status.filled, status.remaining, status.average_price) == (
        "Submitted",
        100,
        300,
        181.5,
    )
    assert [row.ref for row in (status, opened, done, error)] == [ref()] * 4
    assert (opened.order_id, opened.client_id, opened.perm_id) == (101, 7, 900)
    assert (error.code, error.order_id, error.text) == (201, 101, "Order rejected")
    assert (notice.order_id, notice.ref, done.text) == (None, "", "Filled Size: 400")


def test_market_data_and_what_has_a_table_of_its_own_are_no_wire_events():
    bar = Bar(SESSION, None, 1.0, 1.0, 1.0, 1.0, 1.0)
    for message in (BarUpdate(1, AAPL, bar), EXECUTION, Commission("e.1", 1.0, "USD", None)):
        assert wire_event(message) is None


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1.7976931348623157e308])
def test_a_number_that_the_gateway_left_unset_is_unknown(journal, number):
    journal.wire(wire_event(OrderStatus(101, 7, 900, 0, "", "Filled", 1.0, 0.0, number, "")))
    assert journal.wire_events()[0].average_price is None
    assert fee_of(Commission("e.01", number, "USD", None)) is None
    assert fee_of(Commission("e.01", 1.0, "USD", number)).realised_pnl is None


def test_an_execution_is_a_fill_of_its_exchange_date(journal):
    journal.intent(intent())
    late = dt.datetime(2024, 1, 9, 0, 30, tzinfo=dt.UTC)
    made = fill_of(EXECUTION)
    assert (made.root, made.revision, made.signed_shares, made.session) == (
        "0000e0d5.65.01", 2, -400.0, dt.date(2024, 1, 8),
    )  # fmt: skip
    assert fill_of(EXECUTION, SESSION).session == SESSION
    other = Execution(
        **{name: getattr(EXECUTION, name) for name in Execution.__dataclass_fields__} | {"time_utc": late}
    )
    assert fill_of(other).session == dt.date(2024, 1, 8)
    assert journal.fill(made)
    assert not journal.fill(fill_of(EXECUTION))


def test_a_fee_belongs_to_its_execution_and_revision():
    made = fee_of(Commission("0000e0d5.65.01.02", 2.05, "USD", 13.0))
    assert (made.root, made.revision, made.amount, made.realised_pnl) == ("0000e0d5.65.01", 2, 2.05, 13.0)
