"""The gate: nothing is traded before five complete answers were compared, and never what differs."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pytest

from ares7.errors import ConfigError, MissingData, ServiceUnavailable
from live.reconcile.differences import differences
from live.reconcile.gate import Answer, Gate
from live.reconcile.ownership import accepted, adopted, ignored, require_sole_strategy, sellable
from live.reconcile.rounds import Reconciler
from live.reconcile.views import GatewayBook, JournalBook, Kind
from tests.reconcile.cases import APPLE, BOND, NAMES, NOON, execution, open_order, our_ref, position

QUERIES = ("snapshot", "positions", "open_orders", "executions", "completed_orders")


class Told:
    """A gateway that tells what it was given, and does not answer what it is told not to."""

    def __init__(self, book=None, withheld=None):
        self.told, self.withheld = book or GatewayBook((position(APPLE, 100),)), withheld
        self.values = {("CashBalance", "USD"): "1000.00", ("CashBalance", "BASE"): "1000.00"}

    def _answer(self, name, value):
        if self.withheld == name:
            raise ServiceUnavailable(f"{name} were not answered within 10 s")
        return value

    def snapshot(self):
        return self._answer("snapshot", SimpleNamespace(values=self.values))

    def positions(self):
        return self._answer("positions", self.told.positions)

    def open_orders(self):
        return self._answer("open_orders", self.told.open_orders)

    def executions(self):
        return self._answer("executions", self.told.executions)

    def completed_orders(self):
        return self._answer("completed_orders", self.told.completed)


class Ledger:
    """A journal in memory: fills keyed by root and revision."""

    def __init__(self, positions=None, settled=True):
        self.start, self.settled = positions or {APPLE: 100.0}, settled
        self.refs = frozenset({our_ref()})
        self.booked, self.con_ids, self.comparisons = {}, {}, []

    def take(self, fill):
        if self.booked.get(fill.root, (-1, 0.0))[0] < fill.revision:
            self.booked[fill.root] = (fill.revision, fill.shares if fill.side == "BUY" else -fill.shares)
            self.con_ids[fill.root] = fill.con_id

    def compared(self, trigger, found, *, complete):
        self.comparisons.append((trigger, len(found), complete))

    def book(self, told=None):
        held = dict(self.start)
        for root, (_, shares) in self.booked.items():
            held[self.con_ids[root]] = held.get(self.con_ids[root], 0.0) + shares
        names = NAMES if self.settled else {}
        return JournalBook(held, names, self.refs, dict(self.booked), settled=self.settled)


class Clock:
    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now


def reconciler(gateway=None, ledger=None, clock=None):
    return Reconciler(gateway or Told(), ledger or Ledger(), clock or Clock())


def test_a_new_gate_refuses_every_contract():
    assert "nothing was compared" in Gate().why_not(APPLE)


def test_equal_books_open_the_gate():
    mine = reconciler()
    assert mine.round("start") == ()
    assert mine.gate.why_not(APPLE) == mine.gate.why_shut == ""


@pytest.mark.parametrize("query", QUERIES)
def test_with_one_answer_withheld_nothing_may_trade_and_the_next_round_opens_again(query):
    gateway = Told(withheld=query)
    mine = reconciler(gateway)
    with pytest.raises(ServiceUnavailable, match=query):
        mine.round("start")
    assert query in mine.gate.why_not(BOND)
    gateway.withheld = None
    mine.round("start")
    assert mine.gate.why_not(BOND) == ""


@pytest.mark.parametrize("answer", list(Answer))
def test_a_comparison_without_one_of_the_five_answers_opens_nothing(answer):
    gate = Gate()
    for other in Answer:
        if other is not answer:
            gate.answered(other)
    gate.compared([], JournalBook(settled=True))
    assert answer in gate.why_not(APPLE)


def test_an_account_without_values_opens_nothing():
    gateway = Told()
    gateway.values = {}
    with pytest.raises(MissingData, match="account values"):
        reconciler(gateway).round("start")


def test_an_interruption_shuts_the_gate_and_voids_what_was_answered():
    mine = reconciler()
    mine.round("start")
    mine.interrupted("connection lost")
    assert "connection lost" in mine.gate.why_not(APPLE)
    assert mine.gate.outstanding == tuple(Answer)
    mine.round("reconnect")
    assert mine.gate.why_not(APPLE) == ""


def test_a_difference_stops_its_own_symbol_only_and_ends_when_it_is_gone():
    gateway = Told(GatewayBook((position(APPLE, 90),)))
    mine = reconciler(gateway)
    mine.round("periodic")
    assert mine.gate.why_not(APPLE).startswith("unexplained")
    assert mine.gate.why_not(BOND) == ""
    assert set(mine.gate.frozen) == {APPLE}
    gateway.told = GatewayBook((position(APPLE, 100),))
    mine.round("periodic")
    assert mine.gate.why_not(APPLE) == ""


def test_a_missing_fill_is_booked_once_and_is_no_difference():
    ledger = Ledger()
    gateway = Told(GatewayBook((position(APPLE, 140),), executions=(execution(APPLE, 40, ref=our_ref()),)))
    mine = reconciler(gateway, ledger)
    for _ in range(3):
        assert mine.round("reconnect") == ()
    assert ledger.book().positions == {APPLE: 140.0}
    assert ledger.comparisons == [("reconnect", 0, True)] * 3


def test_a_fill_between_two_answers_is_no_difference_after_a_second_look():
    gateway, ledger, pauses = Told(GatewayBook((position(APPLE, 140),))), Ledger(), []
    late = GatewayBook((position(APPLE, 140),), executions=(execution(APPLE, 40, ref=our_ref()),))

    def pause():
        pauses.append(gateway.told)
        gateway.told = late

    mine = Reconciler(gateway, ledger, Clock(), pause=pause)
    assert mine.round("periodic") == ()
    assert len(pauses) == 1
    assert mine.round("periodic") == ()
    assert len(pauses) == 1, "equal books need one look"
    assert ledger.book().positions == {APPLE: 140.0}


def test_an_order_of_another_runner_shuts_the_whole_gate():
    gateway = Told(
        GatewayBook((position(APPLE, 100),), (open_order(BOND, 3, ref=our_ref(BOND, rebalance="eeeeeeee")),))
    )
    mine = reconciler(gateway)
    mine.round("start")
    assert "another runner" in mine.gate.why_not(APPLE)


def test_a_first_start_with_foreign_holdings_refuses_until_they_are_decided_on():
    ledger = Ledger({BOND: 0.0}, settled=False)
    mine = reconciler(Told(), ledger)
    mine.round("start")
    assert "adopt" in mine.gate.why_not(BOND)
    ledger.settled, ledger.start = True, {APPLE: 100.0}
    mine.round("start")
    assert mine.gate.why_not(BOND) == ""


def test_a_failing_journal_leaves_the_gate_shut():
    ledger = Ledger()
    ledger.book = lambda told: 1 / 0
    mine = reconciler(ledger=ledger)
    with pytest.raises(ZeroDivisionError):
        mine.round("start")
    assert "ZeroDivisionError" in mine.gate.why_shut


def test_a_round_is_due_at_the_start_after_the_interval_and_while_the_gate_is_shut():
    clock = Clock()
    mine = reconciler(clock=clock)
    minute = dt.timedelta(minutes=1)
    assert mine.due(minute)
    mine.round("start")
    assert not mine.due(minute)
    mine.interrupted("1100")
    assert mine.due(minute)
    mine.round("reconnect")
    clock.now += minute
    assert mine.due(minute)


def found_of(book, journal=None):
    return differences(journal or JournalBook({APPLE: 100.0}, NAMES, settled=True), book)


def test_accepting_a_manual_trade_makes_the_books_equal():
    told = GatewayBook((position(APPLE, 70),), executions=(execution(APPLE, -30),))
    (decision,) = accepted(found_of(told), ["AAPL"])
    assert (decision.action, decision.kind, decision.shares) == ("accepted", Kind.MANUAL_TRADE, -30)
    after = JournalBook({APPLE: 100.0 + decision.shares}, NAMES, decided={APPLE: NOON}, settled=True)
    assert found_of(told, after) == []


def test_accepting_everything_leaves_foreign_holdings_and_missing_fills_aside():
    told = GatewayBook((position(APPLE, 60), position(999, 5)), executions=(execution(APPLE, -30),))
    kinds = [d.kind for d in accepted(found_of(told), ["all"])]
    assert kinds == [Kind.MANUAL_TRADE, Kind.UNEXPLAINED]
    with pytest.raises(ConfigError, match="adopt 999"):
        accepted(found_of(told), ["999"])


def test_a_symbol_that_does_not_differ_is_refused_by_name():
    with pytest.raises(ConfigError, match="GLD does not differ"):
        accepted(found_of(GatewayBook((position(APPLE, 90),))), ["GLD"])


def test_a_tolerated_order_moves_no_shares():
    told = GatewayBook((position(APPLE, 100),), (open_order(APPLE, 10),))
    (decision,) = accepted(found_of(told), ["AAPL"])
    assert decision.shares == 0
    tolerant = JournalBook({APPLE: 100.0}, NAMES, tolerated=frozenset({decision.key}), settled=True)
    assert found_of(told, tolerant) == []


def test_adopted_shares_may_be_sold_and_ignored_ones_never():
    told = GatewayBook((position(APPLE, 100), position(998, 5), position(999, 7)))
    found = found_of(told)
    assert [(d.con_id, d.shares) for d in adopted(found, ["998"])] == [(998, 5)]
    assert [(d.con_id, d.shares) for d in ignored(found, ["all"])] == [(998, 5), (999, 7)]
    assert sellable(0.0, 7.0) == 0
    with pytest.raises(ConfigError, match="AAPL does not differ"):
        adopted(found, ["AAPL"])


def test_what_was_bought_by_hand_today_may_be_ignored_or_adopted():
    told = GatewayBook((position(APPLE, 100), position(999, 5)), executions=(execution(999, 5),))
    (found,) = found_of(told)
    assert found.kind is Kind.MANUAL_TRADE
    assert [d.shares for d in adopted([found], ["999"])] == [5]
    assert [d.shares for d in ignored([found], ["all"])] == [5]


def test_a_foreign_holding_that_was_traded_today_is_adopted_as_a_whole():
    told = GatewayBook((position(APPLE, 100), position(999, 70)), executions=(execution(999, -30),))
    (found,) = found_of(told)
    assert (found.kind, found.shares) == (Kind.UNKNOWN_POSITION, 70)


def test_a_holding_in_another_currency_cannot_be_adopted():
    found = found_of(GatewayBook((position(APPLE, 100), position(888, 10, currency="EUR"))))
    with pytest.raises(ConfigError, match="not priced in USD"):
        adopted(found, ["888"])


@pytest.mark.parametrize(
    ("ours", "theirs", "most"), [(10, 4, 4), (4, 10, 4), (-5, 10, 0), (5, -5, 0), (0, 9, 0)]
)
def test_never_more_is_sold_than_is_ours_and_there(ours, theirs, most):
    assert sellable(ours, theirs) == most


def test_a_second_strategy_on_an_account_is_refused_until_the_first_holds_nothing():
    require_sole_strategy("ensemble", {"ensemble": True, "old": False})
    with pytest.raises(ConfigError, match="one strategy an account"):
        require_sole_strategy("ensemble", {"momentum": True})
