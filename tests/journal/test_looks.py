"""What a monitor asks of a journal, on both databases."""

from __future__ import annotations

import datetime as dt

from live.journal.rows import Alert, Fee, WireEvent
from tests.journal.samples import MSFT, NEXT, NOON, STEPS, fill, intent, ref, write


def test_trades_are_the_latest_revisions_with_their_latest_fees(journal):
    journal.intent(intent())
    journal.fill(fill())
    journal.fill(fill(revision=2, price=181.9))
    journal.fee(Fee("0000e0d5.1", 1, 2.0))
    journal.fee(Fee("0000e0d5.1", 2, 2.5))
    later = NOON + dt.timedelta(seconds=1)
    journal.fill(fill("0000e0d5.2", ref="", side="SELL", shares=7.0, traded_at=later))
    assert journal.trades() == [(NEXT, 400.0, 181.9, 2.5), (NEXT, 7.0, 181.8, None)]


def test_orders_of_now_are_those_that_work_and_those_of_the_latest_session(journal):
    journal.intents([intent(number=1), intent(MSFT, number=2), intent(number=3, session=NEXT)])
    journal.stage(ref(number=1), "working")
    journal.stage(ref(MSFT, number=2), "working")
    journal.stage(ref(MSFT, number=2), "cancelled")
    journal.stage(ref(number=3), "rejected")
    found = {order.intent.ref for order in journal.orders_of_now()}
    assert found == {ref(number=1), ref(number=3)}
    assert [order for order in journal.orders_of_now() if not order.is_done] == journal.working()
    # An order that filled in full without a word about it works no more.
    journal.fill(fill(ref=ref(number=1)))
    assert {order.intent.ref for order in journal.orders_of_now()} == {ref(number=3)}


def test_an_empty_journal(journal):
    assert (journal.trades(), journal.orders_of_now(), journal.acknowledged()) == ([], [], {})
    assert journal.wire_kinds(NOON) == {}
    assert journal.alerts_after(0) == []


def test_messages_since_a_moment(journal):
    for number in range(40):
        at = NOON + dt.timedelta(minutes=number)
        journal.wire(WireEvent("restored" if number % 2 else "disconnected", at=at))
    assert journal.wire_kinds(NOON + dt.timedelta(minutes=37)) == {"restored": 2, "disconnected": 1}
    assert journal.wire_kinds(NOON) == {"restored": 20, "disconnected": 20}
    assert journal.wire_kinds(NOON + dt.timedelta(minutes=39, seconds=1)) == {}


def test_alerts_from_a_number_on_and_who_saw_them(journal):
    first, second = (journal.alert(Alert("error", "gateway-outage", text)) for text in ("one", "two"))
    assert [alert.message for alert in journal.alerts_after(first)] == ["two"]
    journal.ack(second, "op", "seen")
    assert journal.acknowledged() == {second: ("op", "seen")}


def test_when_a_row_was_written_last(journal):
    for step in STEPS:
        write(journal, step)
    assert NOON < journal.last_written() < NOON + dt.timedelta(seconds=1)
