"""FLATTEN when something goes wrong: a gate that shuts, orders that are refused, fills that cross a cancellation."""

from __future__ import annotations

import pytest

from ares7.errors import CheckFailed, ServiceUnavailable
from live.journal.reader import JournalReader
from tests.runner.mid_batch import CHOSEN, LIMITS, NAMES, SALES, InterruptedRunner, sides, statuses

ROUNDS = 20


class Flattened(InterruptedRunner):
    """Halted before its second batch; flattens after the second session, and then something happens."""

    trip_at = NAMES + 1

    def trip(self):
        self.journal.halt("HALT", "ann", "no second batch")

    def _closed(self, session):
        super()._closed(session)
        if self.closed == 2:
            self.journal.halt("FLATTEN", "ann", "out")
            self.happens()

    def heard(self):
        """Rounds until everything that the gateway said is taken in."""
        self.store.client.server_time()
        self.store.pump()


@pytest.fixture
def flatten(run):
    def make(happens, between=None):
        runner = run(kind=Flattened, sessions=4, chosen=CHOSEN, config={"limits": LIMITS})
        runner.happens = lambda: happens(runner)
        if between is not None:
            runner.between = lambda: between(runner)
        runner.run()
        return runner

    return make


def test_what_closes_goes_on_while_journal_and_gateway_cannot_be_compared(flatten, gateway):
    def shut(runner):
        runner.heard()
        closing = gateway.recorder.order_refs()[NAMES:]
        assert len(closing) == NAMES
        compare, runner.reconciler.round = runner.reconciler.round, unanswered
        runner.reconciler.interrupted("the connection was lost")
        for _ in range(3):
            runner.heard()
        assert runner.reconciler.gate.why_shut
        assert statuses(gateway, closing) == {"PreSubmitted"}
        runner.reconciler.round = compare

    def unanswered(reason):
        raise ServiceUnavailable("no answer")

    runner = flatten(shut)
    assert runner.shares() == {}
    assert gateway.recorder.count("cancelOrder", "in") == 0


def test_what_opens_is_cancelled_while_journal_and_gateway_cannot_be_compared(run, gateway):
    def unanswered(reason):
        raise ServiceUnavailable("no answer")

    def shut():
        runner.journal.halt("FLATTEN", "ann", "out")
        runner.reconciler.interrupted("the connection was lost")
        runner.reconciler.round = unanswered

    runner = run(kind=InterruptedRunner, sessions=1, chosen=CHOSEN, config={"limits": LIMITS})
    runner.trip_at, runner.trip = NAMES, shut
    runner.run()
    assert statuses(gateway, gateway.recorder.order_refs()) == {"Cancelled"}


def test_closing_orders_that_are_refused_are_not_sent_without_end(flatten, gateway):
    def refused(runner):
        # Every order for an opening auction comes too late.
        gateway.set(opg_cutoff=10.0 * 86_400)
        for _ in range(ROUNDS):
            runner.heard()
        closing = gateway.recorder.order_refs()[NAMES:]
        assert sides(closing) == ["SELL"] * NAMES
        assert {201} == {code for _, code in gateway.recorder.errors()} & {201}
        gateway.set(opg_cutoff=120.0)

    runner = flatten(refused)
    # Later each is asked for once more, and fills: the decision of that session is for purchases, and cancels no sale.
    assert len(gateway.recorder.order_refs()) == 3 * NAMES
    assert runner.shares() == {}


def test_a_contract_that_may_not_be_traded_is_told_once_and_not_tried_in_every_round(flatten, gateway):
    tried = []

    def frozen_here(ticket, order_id):
        tried.append(ticket.con_id)
        raise CheckFailed(f"order {ticket.ref} is not sent: frozen here")

    def frozen(runner):
        runner.store.desk.journal = frozen_here
        for _ in range(ROUNDS):
            runner.heard()
        assert len(tried) == len(set(tried)) == NAMES

    runner = flatten(frozen)
    told = [line for line in runner.lines if "frozen here" in line and line.startswith("flatten")]
    # Once a session, whose date is in the reference.
    assert len(told) == len(set(told)) == 3 * NAMES
    assert len(gateway.recorder.order_refs()) == NAMES


def test_a_fill_that_crosses_the_cancellation_of_a_sale_is_not_sold_again(run, gateway, tmp_path):
    def crossed():
        if runner.closed == 2:
            ref = runner.before_trip[NAMES]
            assert statuses(gateway, [ref]) == {"Cancelled"}
            gateway.fill_after_cancel(ref, 50.0)

    runner = run(kind=InterruptedRunner, sessions=4, chosen=CHOSEN, config={"limits": LIMITS})
    runner.trip_at, runner.trip = SALES, lambda: runner.journal.halt("FLATTEN", "ann", "out")
    runner.between = crossed
    runner.run()
    assert runner.shares() == {}
    sold = gateway.recorder.order_refs()[SALES - 1 :]
    assert len(sold) == NAMES - 1
    with JournalReader.open(f"sqlite:///{tmp_path / 'journal' / 'journal-paper.sqlite'}", "paper") as journal:
        assert journal.positions() == {}
