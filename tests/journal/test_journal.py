"""What was written is read back, on both databases."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pytest
import sqlalchemy as sa

from live.client.order_messages import OrderTicket
from live.journal.failures import AlreadyJournalled, RowRefused
from live.journal.reader import JournalReader
from live.journal.rows import (
    Alert,
    CashFlow,
    Fee,
    Heartbeat,
    Intent,
    Nav,
    Run,
    StageRow,
    WireEvent,
)
from tests.journal.samples import (
    AAPL,
    ACCOUNT,
    MSFT,
    NEXT,
    NOON,
    REBALANCE,
    SESSION,
    STEPS,
    adjustment,
    decision,
    fill,
    intent,
    rebalance,
    ref,
    write,
)


def same(read, written):
    """Whether a row came back as it was written, apart from what the database adds."""
    return dataclasses.replace(read, at=written.at, id=written.id) == written


@pytest.fixture
def full(journal):
    for step in STEPS:
        write(journal, step)
    return journal


def test_every_row_comes_back_as_it_was_written(full):
    given = dict(STEPS)
    pairs = [
        (full.runs()[0], given["begin_run"]),
        (full.regimes(SESSION)[0], given["regime"]),
        (full.decisions(REBALANCE)[0], given["decision"][0]),
        (full.decisions(symbol="MSFT")[0], given["decision"][1]),
        (full.order(ref()).intent, given["intent"]),
        (full.wire_events(ref())[0], given["wire"]),
        (full.stages(ref())[0], StageRow(ref(), "working")),
        (full.fills()[0], given["fill"]),
        (full.fees()["0000e0d5.1"], given["fee"]),
        (full.adjustments(MSFT)[0], given["adopt"]),
        (full.latest_reconciliation().differences[0], given["reconciled"].differences[0]),
        (full.latest_nav(), given["nav"]),
        (full.flows()[0], given["flow"]),
        (full.alerts()[0], given["alert"]),
        (full.latest_heartbeat(), given["heartbeat"]),
        (dataclasses.replace(full.rebalance(REBALANCE), outcome="open"), given["begin_rebalance"]),
    ]
    assert [written for read, written in pairs if not same(read, written)] == []
    assert full.account == ACCOUNT


def test_rows_take_the_clock_of_the_journal_or_bring_their_own_time(journal):
    zone = dt.timezone(dt.timedelta(hours=-5))
    own = dt.datetime(2024, 1, 5, 9, 30, 0, 250000, tzinfo=zone)
    journal.wire(WireEvent("notice"), WireEvent("notice", at=own))
    first, second = journal.wire_events()
    assert NOON < first.at < NOON + dt.timedelta(seconds=1)
    assert second.at == own
    assert second.at.utcoffset() == dt.timedelta(0)


def test_prices_come_back_to_the_last_bit(journal):
    journal.intent(intent())
    prices = [0.1 + 0.2, 1e-300, 123456789.12345679, np.float64(1) / 3]
    for i, price in enumerate(prices):
        journal.fill(fill(f"e.{i}", price=price))
    assert [found.price for found in journal.fills()] == prices


def test_numbers_of_numpy_are_stored_as_numbers(journal):
    journal.intent(intent(con_id=np.int64(AAPL), quantity=np.int32(400), decision_price=np.float64(180.5)))
    found = journal.order(ref()).intent
    assert (found.con_id, found.quantity, found.decision_price) == (AAPL, 400, 180.5)
    journal.begin_rebalance(rebalance(detail={"weights": np.array([0.5, 0.25]), "day": SESSION}))
    assert journal.rebalance(REBALANCE).detail == {"weights": [0.5, 0.25], "day": "2024-01-05"}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_none_is_refused(journal, value):
    with pytest.raises(RowRefused, match="must be None"):
        Nav(SESSION, "close", value)
    with pytest.raises(RowRefused, match="JSON"):
        journal.begin_rebalance(rebalance(detail={"vix": value}))
    assert journal.rebalances() == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: Nav(SESSION, "close", 1.0, at=dt.datetime(2024, 1, 5)),  # noqa: DTZ001
        lambda: Nav(SESSION, "noon", 1.0),
        lambda: intent(side="SHORT"),
        lambda: intent(quantity=0),
        lambda: intent(ref="A7-" + "x" * 40),
        lambda: intent(ref=""),
        lambda: intent(purpose="fun"),
        lambda: fill(shares=-1.0),
        lambda: fill(side="B"),
        lambda: Alert("loud", "code", "text"),
        lambda: CashFlow(SESSION, "gift", 1.0),
        lambda: StageRow("ref", "lost"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused(make):
    with pytest.raises(RowRefused):
        make()


# Orders


def test_an_intent_is_the_ticket_and_gives_it_back():
    ticket = OrderTicket(
        ref(), AAPL, "AAPL", "BUY", 400, "LMT", "GTD", 181.5, None, "oca", 5, False, True, "Adaptive",
        (("adaptivePriority", "Normal"),), "20240110-21:00:00",
    )  # fmt: skip
    made = Intent.of(ticket, 101, session=SESSION, decision_price=180.0)
    assert made.ticket == ticket
    assert made.order_id == 101


def test_a_ticket_survives_the_journal(journal):
    made = intent(
        order_type="LMT", limit_price=181.5, algo="Adaptive", algo_params=(("adaptivePriority", "Normal"),)
    )
    journal.intent(made)
    assert journal.order(ref()).intent.ticket == made.ticket


def test_a_reference_is_journalled_once(journal):
    journal.intent(intent())
    with pytest.raises(AlreadyJournalled, match="not sent again"):
        journal.intent(intent(order_id=102))
    assert journal.refs() == {ref()}
    assert journal.highest_order_id() == 101


def test_a_bracket_is_journalled_as_a_whole_or_not_at_all(journal):
    journal.intent(intent(number=2))
    with pytest.raises(AlreadyJournalled):
        journal.intents([intent(number=1), intent(number=2), intent(number=3)])
    assert journal.refs() == {ref(number=2)}


def test_an_order_is_working_until_its_stage_or_its_fills_end_it(journal):
    for number in (1, 2, 3, 4):
        journal.intent(intent(number=number))
    journal.stage(ref(number=1), "sent")
    journal.stage(ref(number=2), "cancelled", "202: by us")
    journal.fill(fill("e.1", ref=ref(number=3), shares=150.0, price=180.0))
    journal.fill(fill("e.2", ref=ref(number=4), shares=400.0))
    working = {order.intent.ref: order for order in journal.working()}
    assert set(working) == {ref(number=1), ref(number=3)}
    assert working[ref(number=1)].stage == "sent"
    assert (working[ref(number=3)].stage, working[ref(number=3)].remaining) == ("intent", 250.0)
    done = journal.order(ref(number=2))
    assert (done.stage, done.reason, done.is_done, done.remaining) == ("cancelled", "202: by us", True, 0.0)
    assert journal.order(ref(number=4)).is_done
    assert journal.order("A7-unknown") is None


def test_a_stage_is_written_when_it_changes_and_never_without_an_intent(journal):
    journal.intent(intent())
    assert journal.stage(ref(), "working")
    assert not journal.stage(ref(), "working")
    assert journal.stage(ref(), "cancelled")
    assert journal.stage(ref(), "working", "the wire knows better")
    assert [row.stage for row in journal.stages(ref())] == ["working", "cancelled", "working"]
    with pytest.raises(RowRefused, match="never journalled"):
        journal.stage(ref(MSFT), "working")


def test_orders_are_found_by_session_and_rebalance(journal):
    journal.begin_rebalance(rebalance())
    journal.intent(intent(rebalance_id=REBALANCE))
    journal.intent(intent(number=2, session=NEXT, purpose="flatten"))
    assert [order.intent.ref for order in journal.orders(SESSION)] == [ref()]
    assert [order.intent.ref for order in journal.orders(rebalance_id=REBALANCE)] == [ref()]
    assert [order.intent.purpose for order in journal.orders()] == ["rebalance", "flatten"]


def test_an_intent_of_a_rebalance_that_was_not_begun_is_refused(journal):
    with pytest.raises(RowRefused):
        journal.intent(intent(rebalance_id="00000000"))
    assert journal.refs() == set()


# Rebalances


def test_a_rebalance_begins_once(journal):
    assert journal.begin_rebalance(rebalance())
    assert not journal.begin_rebalance(rebalance(nav_usd=2e6))
    found = journal.rebalance(REBALANCE)
    assert (found.nav_usd, found.outcome) == (1e6, "open")
    assert journal.finish_rebalance(REBALANCE, "done")
    assert not journal.finish_rebalance(REBALANCE, "abandoned")
    assert [row.outcome for row in journal.rebalances(SESSION)] == ["done"]
    assert journal.rebalances(NEXT) == []
    assert journal.rebalance("00000000") is None


def test_one_id_for_two_rebalances_is_refused(journal):
    journal.begin_rebalance(rebalance())
    with pytest.raises(RowRefused, match="session"):
        journal.begin_rebalance(rebalance(session=NEXT))


def test_decisions_are_written_together_or_not_at_all(journal):
    journal.begin_rebalance(rebalance())
    with pytest.raises(RowRefused):
        journal.decision([decision(), decision(rebalance_id="00000000")])
    assert journal.decisions() == []


# Executions


def test_an_execution_is_booked_once_and_its_correction_replaces_it(journal):
    journal.intent(intent())
    assert journal.fill(fill())
    assert not journal.fill(fill(replayed=True, order_id=0))
    assert journal.fill(fill(revision=3, shares=390.0, price=181.0))
    assert journal.fill(fill(revision=2, shares=380.0))
    (found,) = journal.fills(NEXT, ref())
    assert (found.revision, found.shares, found.price) == (3, 390.0, 181.0)
    assert journal.order(ref()).filled == 390.0
    assert journal.fills(SESSION) == []


@pytest.mark.parametrize("change", [{"price": 181.81}, {"shares": 399.0}, {"side": "SELL"}, {"ref": ""}])
def test_an_execution_that_contradicts_itself_is_refused(journal, change):
    journal.intent(intent())
    journal.fill(fill())
    with pytest.raises(RowRefused, match="now says"):
        journal.fill(fill(**change))


def test_a_fee_is_the_latest_of_the_highest_revision_and_unknown_until_then(journal):
    journal.intent(intent())
    journal.fill(fill("e.1", shares=100.0))
    journal.fill(fill("e.2", shares=300.0))
    assert journal.fee(Fee("e.1", 1, 1.0))
    assert journal.order(ref()).fee_usd is None
    assert journal.fee(Fee("e.2", 2, 2.0))
    assert journal.fee(Fee("e.2", 1, 9.0))
    assert not journal.fee(Fee("e.2", 2, 2.0))
    assert journal.order(ref()).fee_usd == 3.0
    assert journal.fee(Fee("e.2", 2, 2.5))
    assert journal.order(ref()).fee_usd == 3.5
    assert journal.fees()["e.2"].amount == 2.5


# What is ours


def test_executions_of_others_and_what_is_ignored_are_not_ours(journal):
    journal.intent(intent())
    journal.fill(fill(shares=100.0))
    journal.fill(fill("m.1", ref="", shares=50.0))
    journal.fill(fill("m.2", ref="A7-20200101-00000000-1-B-1", shares=60.0))
    journal.adopt(adjustment(7.0, kind="ignore"), adjustment(5.0, kind="ignore", con_id=MSFT))
    assert {con: p.shares for con, p in journal.positions().items()} == {AAPL: 100.0}
    assert journal.ignored() == {AAPL: 7.0, MSFT: 5.0}
    journal.adopt(adjustment(-7.0, 7.0, kind="ignore"))
    assert journal.ignored() == {MSFT: 5.0}


def test_a_name_that_was_renamed_is_shown_under_the_later_name(journal):
    journal.adopt(adjustment(5.0, at=NOON))
    journal.intent(intent())
    journal.fill(fill(symbol="APPL2", traded_at=NOON + dt.timedelta(days=1), shares=1.0))
    assert journal.positions()[AAPL].symbol == "APPL2"


def test_an_adoption_that_was_decided_on_other_holdings_is_refused_as_a_whole(journal):
    journal.adopt(adjustment(10.0))
    with pytest.raises(RowRefused, match="there are 10 now"):
        journal.adopt(adjustment(3.0, con_id=MSFT), adjustment(10.0))
    assert journal.positions().keys() == {AAPL}


def test_the_difference_that_an_acceptance_settles_is_named(journal):
    write(journal, STEPS[1])
    difference = journal.latest_reconciliation().differences[0]
    journal.adopt(adjustment(10.0, kind="split", con_id=MSFT, difference_id=difference.id))
    assert journal.adjustments(MSFT)[0].difference_id == difference.id


# Money, alerts, halt


def test_the_value_of_a_session_is_its_last_close(journal):
    journal.nav(Nav(NEXT, "close", 100.0))
    journal.nav(Nav(SESSION, "close", 90.0))
    journal.nav(Nav(NEXT, "intraday", 95.0))
    journal.nav(Nav(NEXT, "close", 101.0))
    assert [(nav.session, nav.nav_usd) for nav in journal.navs()] == [(SESSION, 90.0), (NEXT, 101.0)]
    assert journal.latest_nav().nav_usd == 101.0
    assert journal.latest_nav("intraday").nav_usd == 95.0


def test_a_flow_is_written_once_and_named_later(journal):
    assert journal.flow(CashFlow(NEXT, "unknown", 500.0, "k1"))
    assert not journal.flow(CashFlow(NEXT, "unknown", 500.0, "k1"))
    (found,) = journal.flows()
    assert journal.flow(CashFlow(NEXT, "deposit", 500.0, text="from the bank", names=found.id))
    (named,) = journal.flows()
    assert (named.kind, named.text, named.amount_usd, named.key) == ("deposit", "from the bank", 500.0, "k1")


@pytest.mark.parametrize(
    "change", [{"amount_usd": 400.0}, {"session": SESSION}, {"names": 99}, {"names": "name"}]
)
def test_naming_a_flow_cannot_change_it(journal, change):
    journal.flow(CashFlow(NEXT, "unknown", 500.0))
    (found,) = journal.flows()
    journal.flow(CashFlow(NEXT, "deposit", 500.0, names=found.id))
    if change.get("names") == "name":
        change = {"names": found.id + 1}
    with pytest.raises(RowRefused):
        journal.flow(
            CashFlow(
                **({"session": NEXT, "kind": "dividend", "amount_usd": 500.0, "names": found.id} | change)
            )
        )


def test_an_alert_is_open_until_it_is_acknowledged(journal):
    first = journal.alert(Alert("error", "outage", "the gateway is gone"))
    second = journal.alert(Alert("info", "started", "hello"))
    assert journal.ack(first, "operator", "restarted it")
    assert not journal.ack(first, "somebody else")
    assert [alert.id for alert in journal.alerts(open_only=True)] == [second]
    assert [alert.id for alert in journal.alerts()] == [first, second]
    with pytest.raises(RowRefused, match="no alert 99"):
        journal.ack(99, "operator")


def test_the_latest_halt_counts(journal):
    assert journal.halt_level() == "NONE"
    journal.halt("FLATTEN", "operator", "enough")
    assert (journal.halt_level(), journal.latest_halt().who) == ("FLATTEN", "operator")
    journal.halt("NONE", "operator", "resumed")
    assert journal.halt_level() == "NONE"
    with pytest.raises(RowRefused):
        journal.halt("PANIC", "operator")


def test_rows_name_the_run_that_wrote_them(journal, url):
    assert journal.begin_run(Run("s", "c")) == 1
    assert journal.begin_run(Run("s", "c")) == 2
    journal.heartbeat(Heartbeat("starting", 1))
    journal.end_run("done")
    with pytest.raises(RowRefused):
        journal.end_run("twice")
    with JournalReader.open(url, "paper", ACCOUNT) as reader:
        assert len(reader.runs()) == 2


def test_500_intents_one_by_one_are_500_short_transactions(journal):
    engine = journal._database._engine
    seen = {"commit": 0, "before_cursor_execute": 0}

    def counted(name):
        return lambda *_: seen.__setitem__(name, seen[name] + 1)

    for name in seen:
        sa.event.listen(engine, name, counted(name))
    for number in range(1, 501):
        journal.intent(intent(number=number))
    assert seen["commit"] == 500
    # Begin, lock, look, insert: what an order waits for does not grow with the journal.
    assert seen["before_cursor_execute"] <= 4 * 500
    assert len(journal.working()) == 500
