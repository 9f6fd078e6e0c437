"""Reconciliation through the wire protocol, against a gateway whose book is changed behind our back."""

from __future__ import annotations

import argparse
import datetime as dt
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ares7.config import build_config
from ares7.errors import Ares7Error, ConfigError, MissingData
from live.account_commands import add_account_verbs
from live.client.messages import State
from live.client.order_messages import Commission, OrderTicket
from live.commands import Call
from live.flow_watch import flow_since
from live.flows import check_cash, recognised
from live.journal.rows import CashFlow, Intent, Nav
from live.journal.wire_rows import fee_of
from live.journal.writer import Journal
from live.reconcile.journal_side import JournalAdapter
from live.reconcile.rounds import Reconciler
from live.reconcile.views import Hint, Kind

SESSION = dt.date(2024, 1, 5)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "journal"


@pytest.fixture
def journal(folder, gateway):
    folder.mkdir()
    with Journal.open(f"sqlite:///{folder / 'journal-paper.sqlite'}", "paper", gateway.account) as opened:
        yield opened


def reconciler(client, journal, hints=None):
    return Reconciler(client, JournalAdapter(journal, journal), client.server_time, hints)


def send(client, journal, symbol, side, shares, number=1, **changes):
    """An order of ours: journalled before it is written."""
    facts = client.qualify([symbol]).facts[symbol]
    ref = f"A7-20240105-0a1b2c3d-{facts.con_id}-{side[0]}-{number}"
    ticket = OrderTicket(
        ref, facts.con_id, symbol, side, shares, **({"order_type": "MKT", "tif": "DAY"} | changes)
    )

    def before(placed, order_id):
        journal.intent(Intent.of(placed, order_id, session=SESSION, client_id=7, decision_price=183.0))

    client.place(ticket, before)
    return ref, facts.con_id


def wait(condition, seconds=5.0):
    def holds():
        try:
            return condition()
        except ConfigError:  # the gateway has not read the order yet
            return False

    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def test_an_empty_account_opens_the_gate(connect, journal):
    mine = reconciler(connect(), journal)
    assert mine.round("start") == ()
    assert mine.gate.why_shut == ""


def test_fills_that_happened_while_nobody_was_connected_are_booked_and_only_once(gateway, connect, journal):
    client = connect()
    ref, con_id = send(client, journal, "AAPL", "BUY", 40, order_type="LMT", limit_price=10.0)
    wait(lambda: gateway.order(ref))
    client.stop()
    gateway.fill(ref, 180.0, 25)
    again = connect()
    for _ in range(2):
        assert reconciler(again, journal).round("start") == ()
    assert journal.positions()[con_id].shares == 25
    assert len(journal.fills()) == 1


def test_a_trade_by_hand_freezes_its_name_and_no_other(gateway, connect, journal):
    client = connect()
    ref, con_id = send(client, journal, "AAPL", "BUY", 40)
    wait(lambda: gateway.order(ref).remaining == 0)
    mine = reconciler(client, journal)
    mine.round("start")
    gateway.manual_order("AAPL", -15)
    (found,) = mine.round("periodic")
    assert (found.kind, found.shares) == (Kind.MANUAL_TRADE, -15)
    assert mine.gate.why_not(con_id)
    assert mine.gate.why_not(con_id + 1) == ""


def test_a_split_is_named_by_ratio_and_price(gateway, connect, journal):
    client = connect()
    ref, _ = send(client, journal, "AAPL", "BUY", 40)
    wait(lambda: gateway.order(ref).remaining == 0)
    gateway.split("AAPL", 4)
    mine = reconciler(client, journal, lambda ids: {c: Hint(183.0, 46.0) for c in ids})
    wait(lambda: mine.round("periodic") != ())
    (found,) = mine.gate.differences
    assert (found.kind, found.journal, found.gateway) == (Kind.SPLIT, 40, 160)


def test_an_order_of_another_client_is_foreign_and_one_of_our_form_shuts_the_gate(connect, journal):
    client, other = connect(), connect(8)
    facts = other.qualify(["MSFT"]).facts["MSFT"]
    far = {"order_type": "LMT", "tif": "GTC", "limit_price": 10.0}
    other.place(OrderTicket("by hand", facts.con_id, "MSFT", "BUY", 5, **far), lambda *_: None)
    mine = reconciler(client, journal)
    wait(lambda: mine.round("periodic") != ())
    (found,) = mine.gate.differences
    assert (found.kind, mine.gate.why_shut) == (Kind.FOREIGN_ORDER, "")
    rival = f"A7-20240105-ffffffff-{facts.con_id}-B-1"
    other.place(OrderTicket(rival, facts.con_id, "MSFT", "BUY", 5, **far), lambda *_: None)
    wait(lambda: mine.round("periodic") and mine.gate.why_shut != "")
    assert rival in mine.gate.why_shut


@pytest.mark.parametrize("answer", ["openOrderEnd", "positionEnd", "execDetailsEnd", "completedOrdersEnd"])
def test_an_answer_that_does_not_end_leaves_the_gate_shut_until_it_does(gateway, connect, journal, answer):
    mine = reconciler(connect(request_timeout_s=0.4), journal)
    mine.round("start")
    gateway.arm(on=answer, do="swallow")
    with pytest.raises(Ares7Error):
        mine.round("reconnect")
    assert mine.gate.why_not(1)
    mine.round("reconnect")
    assert mine.gate.why_not(1) == ""


@pytest.mark.parametrize("trouble", ["drop", "1100 and 1102", "1100 and 1101"])
def test_every_interruption_shuts_the_gate_until_the_next_comparison(gateway, connect, journal, trouble):
    client = connect()
    mine = reconciler(client, journal)
    client.poll()
    mine.round("start")
    if trouble == "drop":
        gateway.drop()
    else:
        gateway.storm(1100, 1, int(trouble[-4:]))

    def hear():
        for envelope in client.poll():
            mine.heard(envelope.message)
        return mine.gate.why_shut

    wait(hear)
    wait(lambda: client.state is State.READY)
    assert "not compared yet" in hear() or "connection is" in hear()
    mine.round("reconnect")
    assert mine.gate.why_shut == ""


def test_money_that_came_or_went_is_told_from_trades_and_fees(gateway, connect, journal):
    client = connect()
    # As a runner's journal: its rows carry the time that trades.
    journal._clock = client.server_time

    def cash():
        return float(client.snapshot().values["TotalCashValue", "USD"])

    before = Nav(SESSION, "start", cash(), cash(), at=client.server_time())
    gateway.advance(60)
    ref, _ = send(client, journal, "AAPL", "BUY", 40)
    wait(lambda: gateway.order(ref).remaining == 0)
    gateway.deposit(2_500.0)
    gateway.dividend("AAPL", 0.25)
    reconciler(client, journal).round("periodic")
    assert flow_since(journal, before, cash(), SESSION) is None, "a fee is not known yet"
    wait(lambda: take_fees(client, journal))
    found = flow_since(journal, before, cash(), SESSION)
    assert (found.kind, found.amount_usd) == ("unknown", 2_510.0)
    assert journal.flow(replace(found, at=client.server_time()))
    assert not journal.flow(flow_since_again(journal, before, cash()))
    gateway.advance(60)
    after = replace(before, at=client.server_time(), cash_usd=cash())
    assert flow_since(journal, after, cash(), SESSION) is None
    assert flow_since(journal, before, cash(), SESSION) is None


def take_fees(client, journal):
    """Journal the fees that have arrived."""
    for envelope in client.poll():
        if isinstance(envelope.message, Commission):
            journal.fee(fee_of(envelope.message))
    return journal.fees()


def flow_since_again(journal, before, cash):
    """What a second process that looks at the same figures finds, which has not seen the first one's flow."""
    fills, fees = journal.fills(), journal.fees()
    return recognised(
        check_cash(before.cash_usd, cash, fills, [fees[fill.root].amount for fill in fills]), SESSION
    )


# The verbs


@pytest.fixture
def command(gateway, folder):
    """``command("reconcile", "--accept", "AAPL")`` as run.py would call it."""
    settings = {
        "costs": {"model": "bps", "bps": 10},
        "halt": {"folder": str(folder)},
        "live": {"host": gateway.host, "port": gateway.port, "account": gateway.account, "clock": "gateway"},
    }
    config = build_config(settings, Path(folder).parent, "test")

    def call(*typed):
        parser = argparse.ArgumentParser()
        verbs = parser.add_subparsers(required=True)

        def verb(name, run, *parents, text):
            assert text
            return verbs.add_parser(name, parents=[*parents])

        add_account_verbs(verb, argparse.ArgumentParser(add_help=False), None)
        args = parser.parse_args(list(typed))
        return args.act(Call(args, config, None, Path()))

    return call


def test_foreign_holdings_are_adopted_or_ignored_by_command(gateway, command, journal):
    gateway.set_position("AAPL", 30)
    gateway.set_position("MSFT", 12)
    first = command("reconcile")
    assert first.code == 1
    assert "first start" in first.content["gate"]
    done = command("adopt", "AAPL")
    assert [(one["action"], one["shares"]) for one in done.content["accepted"]] == [("adopted", 30)]
    done = command("adopt", "--ignore")
    assert (done.code, done.content["gate"]) == (0, "open")
    assert [p["shares"] for p in command("positions").content["positions"]] == [30]
    assert [p["shares"] for p in command("positions").content["ignored"]] == [12]


def test_a_trade_by_hand_is_accepted_by_command_and_the_runner_s_gate_opens(
    gateway, connect, command, journal
):
    client = connect()
    ref, con_id = send(client, journal, "AAPL", "BUY", 40)
    wait(lambda: gateway.order(ref).remaining == 0)
    mine = reconciler(client, journal)
    mine.round("start")
    gateway.manual_order("AAPL", -15)
    mine.round("periodic")
    assert mine.gate.why_not(con_id)
    done = command("reconcile", "--accept", "AAPL")
    assert (done.code, done.lines[-1]) == (0, "journal and gateway agree")
    mine.round("periodic")
    assert mine.gate.why_not(con_id) == ""
    assert journal.positions()[con_id].shares == 25


def test_the_command_names_a_split_by_the_prices_of_journal_and_gateway(gateway, connect, command, journal):
    client = connect()
    ref, con_id = send(client, journal, "AAPL", "BUY", 40)
    wait(lambda: gateway.order(ref).remaining == 0)
    reconciler(client, journal).round("start")
    gateway.split("AAPL", 4)
    wait(lambda: [row.shares for row in client.positions()] == [160])
    (found,) = command("reconcile").content["differences"]
    assert (found["kind"], found["shares"]) == ("split", 120)
    assert command("reconcile", "--accept", "all").code == 0
    assert journal.positions()[con_id].shares == 160


def test_an_unknown_flow_is_named_by_command(command, journal):
    journal.flow(CashFlow(SESSION, "unknown", 2_500.0))
    (found,) = command("flows").content["flows"]
    done = command("flows", "--name", str(found["id"]), "deposit", "--text", "from my bank")
    assert [(f["kind"], f["amount_usd"], f["text"]) for f in done.content["flows"]] == [
        ("deposit", 2_500.0, "from my bank")
    ]
    with pytest.raises(ConfigError, match="no flow 99"):
        command("flows", "--name", "99", "deposit")


def test_orders_and_status_need_no_gateway(gateway, connect, command, journal):
    client = connect()
    ref, _ = send(client, journal, "AAPL", "BUY", 40)
    client.stop()
    gateway.refuse()
    assert [o["ref"] for o in command("orders").content["orders"]] == [ref]
    found = command("status")
    assert found.content["working"] == 1
    assert found.lines[0].startswith("halt:")
    gateway.accept()


def test_status_before_the_first_start_says_that_there_is_no_journal(command):
    assert "no journal" in command("status").lines[-1]
    with pytest.raises(MissingData, match="no journal yet"):
        command("positions")


def test_several_journals_ask_for_the_mode(command, journal, folder, gateway):
    with Journal.open(f"sqlite:///{folder / 'journal-shadow.sqlite'}", "shadow", gateway.account):
        pass
    with pytest.raises(ConfigError, match="--mode"):
        command("positions")
    assert command("positions", "--mode", "paper").content["positions"] == []


def test_adopt_without_a_name_says_what_to_type(command, journal):
    with pytest.raises(ConfigError, match="--all"):
        command("adopt")
