"""What an order leaves unfilled: ordered again after the next close, at most what was missing, or left alone."""

from __future__ import annotations

import datetime as dt

import pytest

from live.journal.reader import JournalReader
from live.journal.rows import Decision, Intent, JournalOrder
from live.remainder import remainder
from tests.runner.conftest import SteppedRunner, positions

PART = 7


class Suspended(SteppedRunner):
    """Two names do not trade on the day after the decision; of one of them a few shares were bought before."""

    def _closed(self, session):
        super()._closed(session)
        if self.closed == 1:
            (known,) = [k for k in self.store.book.working() if k.ticket.symbol == "S003"]
            self.control.fill(known.ticket.ref, 50.0, PART)
            self.store.client.server_time()
            self.store.pump()
        for name in ("S003", "S004"):
            (self.control.halt if self.closed == 1 else self.control.resume)(name)


@pytest.fixture
def orders(tmp_path):
    def read():
        url = f"sqlite:///{tmp_path / 'journal' / 'journal-paper.sqlite'}"
        with JournalReader.open(url, "paper") as journal:
            return journal.orders(), journal.decisions()

    return read


def test_what_expired_is_ordered_again_after_the_close_and_brings_the_book_to_its_targets(
    run, gateway, orders
):
    done = run(kind=Suspended, sessions=4).run()
    assert done.differences == 0
    found, decisions = orders()
    first = {o.intent.symbol: o for o in found if o.intent.purpose == "rebalance"}
    second = {o.intent.symbol: o for o in found if o.intent.purpose == "remainder"}
    assert {name for name, o in first.items() if o.stage != "filled"} == {"S003", "S004"} == set(second)
    assert {o.stage for o in second.values()} == {"filled"}
    assert first["S003"].filled == PART
    for name, order in second.items():
        assert order.intent.quantity == first[name].intent.quantity - first[name].filled
        assert order.intent.session > first[name].intent.session
    ordered = {d.symbol: d.target_shares for d in decisions if d.outcome == "order"}
    assert positions(gateway) == ordered


def test_zero_sessions_leave_it_to_the_next_rebalance(run, gateway, orders):
    run(kind=Suspended, sessions=3, config={"live": {"remainder_sessions": 0}}).run()
    found, _ = orders()
    assert {o.intent.purpose for o in found} == {"rebalance"}


def test_an_order_that_was_cancelled_by_hand_is_not_ordered_again(run, gateway, orders):
    class Cancelled(SteppedRunner):
        def _closed(self, session):
            super()._closed(session)
            if self.closed == 1:
                for known in self.store.book.working()[:3]:
                    self.store.desk.cancel(known)
                self.store.client.server_time()
                self.store.pump()

    run(kind=Cancelled, sessions=4).run()
    found, _ = orders()
    assert [o.stage for o in found].count("cancelled") == 3
    assert {o.intent.purpose for o in found} == {"rebalance"}


AT = dt.datetime(2024, 6, 25, 20, 0, tzinfo=dt.UTC)


def order(quantity, filled, stage="cancelled", side="BUY", con_id=1):
    intent = Intent("r", con_id, "X", side, quantity, "MKT", "OPG", dt.date(2024, 6, 24), 1)
    return JournalOrder(intent, stage, AT, "", filled, None, None)


def decided(target, held=0.0, working=0.0, outcome="order", con_id=1):
    return Decision(
        "00000001", "X", con_id, 0.1, target, held, working, target - held - working, 10.0, outcome
    )


@pytest.mark.parametrize(
    ("decision", "orders", "held", "working", "expected"),
    [
        (decided(100), [order(100, 40)], 40, 0, 60),
        (decided(100), [order(100, 40)], 40, 60, None),  # somebody ordered it already
        (decided(100), [order(100, 40)], 90, 0, 10),  # never beyond the target
        (decided(100), [order(100, 40)], 10, 0, 60),  # never more than the order left
        (decided(100), [order(100, 40)], 130, 0, None),  # never to the other side
        (decided(100), [order(100, 100, "filled")], 20, 0, None),  # somebody sold: not ours to repair
        (decided(100), [order(100, 0, "rejected")], 0, 0, None),
        (decided(100), [order(100, 40, "working")], 40, 60, None),
        (decided(0, held=100), [order(100, 30, side="SELL")], 70, 0, -70),
        (decided(100, outcome="limited"), [], 0, 0, None),
        (decided(0, held=50, working=50, outcome="opposed"), [], 50, 0, -50),
    ],
)
def test_never_more_than_what_the_latest_order_left(decision, orders, held, working, expected):
    found = remainder(
        [decision], orders, {1: held}, {1: working}, lambda o: o.stage in ("cancelled", "expired")
    )
    assert found == ({} if expected is None else {1: expected})
