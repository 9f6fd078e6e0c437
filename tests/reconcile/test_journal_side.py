"""Reconciliation on a real journal: what the operator decides makes the books equal, for good."""

import datetime as dt

import pytest

from ares7.errors import ConfigError
from live.journal.failures import RowRefused
from live.journal.operator_journal import OperatorJournal
from live.journal.rows import Intent, Rebalance
from live.journal.writer import Journal
from live.reconcile.journal_side import JournalAdapter, adjustments_of, owners_of
from live.reconcile.ownership import accepted, adopted, ignored, require_sole_strategy
from live.reconcile.rounds import Reconciler
from live.reconcile.views import GatewayBook, Kind
from tests.reconcile.cases import APPLE, BOND, NOON, execution, open_order, our_ref, position
from tests.reconcile.test_gate import Told

LATER = NOON + dt.timedelta(hours=1)
SESSION = dt.date(2024, 3, 1)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'journal-paper.sqlite'}"


@pytest.fixture
def journal(url):
    with Journal.open(url, "paper", "DU1", clock=lambda: NOON) as opened:
        yield opened


def bought(journal, shares=100, con_id=APPLE, n=1):
    """An order of ours of which the journal has the intent."""
    ref = our_ref(con_id, n=n)
    journal.intent(Intent(ref, con_id, "AAPL", "BUY", shares, "MKT", "OPG", SESSION, n))
    return ref


def reconciler(journal, told):
    return Reconciler(Told(told), JournalAdapter(journal, journal), lambda: LATER)


def test_a_fill_that_happened_while_we_were_away_is_booked_exactly_once(journal):
    ref = bought(journal)
    told = GatewayBook((position(APPLE, 100),), executions=(execution(APPLE, 100, ref=ref),))
    for _ in range(3):
        assert reconciler(journal, told).round("start") == ()
    assert journal.positions()[APPLE].shares == 100
    assert len(journal.fills()) == 1
    assert journal.latest_reconciliation().differences == ()


def test_an_execution_that_was_corrected_while_we_were_away_replaces_its_shares(journal):
    ref = bought(journal)
    first = execution(APPLE, 100, ref=ref)
    reconciler(journal, GatewayBook((position(APPLE, 100),), executions=(first,))).round("start")
    told = GatewayBook((position(APPLE, 90),), executions=(first, execution(APPLE, 90, ref=ref, revision=2)))
    assert reconciler(journal, told).round("reconnect") == ()
    assert journal.positions()[APPLE].shares == 90


def test_a_first_start_refuses_until_holdings_are_adopted_or_ignored(journal):
    told = GatewayBook((position(APPLE, 40), position(BOND, 7)))
    mine = reconciler(journal, told)
    found = mine.round("start")
    assert "adopt" in mine.gate.why_not(999)
    taken = [*adopted(found, ["AAPL"]), *ignored(found, ["TLT"])]
    journal.adopt(*adjustments_of(taken, journal, "operator", LATER))
    mine = reconciler(journal, told)
    assert mine.round("start") == ()
    assert mine.gate.why_not(999) == ""
    assert {con_id: p.shares for con_id, p in journal.positions().items()} == {APPLE: 40}
    assert journal.ignored() == {BOND: 7}


def test_an_accepted_trade_by_hand_stays_accepted_and_the_next_one_is_named(journal):
    ref = bought(journal)
    mine, by_hand = execution(APPLE, 100, ref=ref), execution(APPLE, -30, root="0002", minutes=5)
    told = GatewayBook((position(APPLE, 70),), executions=(mine, by_hand))
    found = reconciler(journal, told).round("periodic")
    assert [d.kind for d in found] == [Kind.MANUAL_TRADE]
    journal.adopt(*adjustments_of(accepted(found, ["all"]), journal, "operator", LATER))
    assert reconciler(journal, told).round("operator") == ()
    again = execution(APPLE, -5, root="0003", minutes=90)
    found = reconciler(journal, GatewayBook((position(APPLE, 65),), executions=(mine, by_hand, again))).round(
        "x"
    )
    assert [(d.kind, d.shares) for d in found] == [(Kind.MANUAL_TRADE, -5)]


def test_several_differences_of_one_contract_are_accepted_together(journal):
    ref = bought(journal)
    told = GatewayBook(
        (position(APPLE, 60),),
        executions=(execution(APPLE, 100, ref=ref), execution(APPLE, -30, root="0002", minutes=5)),
    )
    found = reconciler(journal, told).round("periodic")
    assert [d.kind for d in found] == [Kind.MANUAL_TRADE, Kind.UNEXPLAINED]
    journal.adopt(*adjustments_of(accepted(found, ["AAPL"]), journal, "operator", LATER))
    assert reconciler(journal, told).round("operator") == ()
    assert journal.positions()[APPLE].shares == 60


def test_a_tolerated_order_does_not_freeze_its_symbol_again(journal):
    ref = bought(journal)
    told = GatewayBook((position(APPLE, 100),), (open_order(APPLE, 5),), (execution(APPLE, 100, ref=ref),))
    mine = reconciler(journal, told)
    found = mine.round("start")
    assert mine.gate.why_not(APPLE).startswith("foreign_order")
    journal.adopt(*adjustments_of(accepted(found, ["AAPL"]), journal, "operator", LATER))
    assert reconciler(journal, told).round("operator") == ()


def test_a_command_beside_a_runner_decides_and_one_that_looked_too_early_is_refused(url, journal):
    ref = bought(journal)
    told = GatewayBook((position(APPLE, 90),), executions=(execution(APPLE, 100, ref=ref),))
    found = reconciler(journal, told).round("periodic")
    with OperatorJournal.open(url, "paper", "DU1") as command:
        rows = adjustments_of(accepted(found, ["AAPL"]), command, "operator", LATER)
        second = bought(journal, n=2)
        late = execution(APPLE, 10, ref=second, root="0009", minutes=8)
        reconciler(journal, GatewayBook((position(APPLE, 100),), executions=(late,))).round("periodic")
        with pytest.raises(RowRefused, match="look at it again"):
            command.adopt(*rows)


def test_a_command_that_may_not_write_fills_names_the_missing_one(url, journal):
    ref = bought(journal)
    told = GatewayBook((position(APPLE, 100),), executions=(execution(APPLE, 100, ref=ref),))
    with OperatorJournal.open(url, "paper", "DU1") as command:
        mine = Reconciler(Told(told), JournalAdapter(command), lambda: LATER)
        found = mine.round("operator")
        assert [d.kind for d in found] == [Kind.MISSING_FILL]
        with pytest.raises(ConfigError, match="cannot be accepted"):
            accepted(found, ["AAPL"])
    assert journal.fills() == []


def test_a_second_strategy_is_refused_while_the_first_one_holds_shares_or_orders(journal):
    require_sole_strategy("momentum", owners_of(journal))
    journal.begin_rebalance(Rebalance("0a1b2c3d", SESSION, "ensemble", "feedbeef"))
    require_sole_strategy("momentum", owners_of(journal))
    ref = bought(journal)
    with pytest.raises(ConfigError, match="ensemble trades on this account"):
        require_sole_strategy("momentum", owners_of(journal))
    journal.stage(ref, "cancelled")
    require_sole_strategy("momentum", owners_of(journal))


def test_periodic_comparisons_are_written_when_they_find_something_else(journal):
    ref = bought(journal)
    gateway = Told(GatewayBook((position(APPLE, 100),), executions=(execution(APPLE, 100, ref=ref),)))
    mine = Reconciler(gateway, JournalAdapter(journal, journal), lambda: LATER)
    numbers = []
    for shares in (100, 100, 90, 90, 100):
        gateway.told = GatewayBook((position(APPLE, shares),), executions=(execution(APPLE, 100, ref=ref),))
        mine.round("periodic")
        numbers.append(journal.latest_reconciliation().id)
    assert numbers == [1, 1, 2, 2, 3]
    mine.round("operator")
    assert journal.latest_reconciliation().id == 4
