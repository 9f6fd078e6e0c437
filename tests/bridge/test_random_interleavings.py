"""Random orders, cancellations, fills, corrections, drops and steps of time end with the books equal (R3, R4, R7).

``ARES7_INTERLEAVINGS`` sets how many are tried; ``make test-interleavings`` tries 2,000.
"""

from __future__ import annotations

import random
import threading
import time

import backtrader as bt
import pytest

from ares7.costs import BpsCosts
from live.client.messages import State
from live.double.control import running
from live.double.settings import Settings
from tests.bridge.conftest import COUNT
from tests.bridge.desk import Desk

GROUPS = 8
STEPS = 14
SYMBOLS = ("AAPL", "MSFT")
FIRST_SESSION = 5
PATIENT = {
    "cash_settle_s": 20.0,
    "fee_patience_s": 60.0,
    "acknowledge_s": 5.0,
    "recheck_s": 2.0,
    "bar_delay_s": 1200.0,
}


class Monkey:
    """One interleaving."""

    def __init__(self, desk, rng):
        self.desk, self.control, self.rng = desk, desk.control, rng
        self.orders, self.steps, self.sessions = [], [], 0

    def step(self):
        deeds = (
            [self.market] * 4 + [self.limit] * 4 + [self.bracket, self.cancel, self.cancel, self.fill, self.fill]
            + [self.correct, self.drop, self.drop, self.storm, self.error, self.wait, self.wait, self.session]
            + [self.mood, self.mood, self.fault, self.restart, self.late_fill, self.rounds, self.rounds]
            + [self.by_hand, self.money]
        )  # fmt: skip
        deed = self.rng.choice(deeds)
        self.steps.append(deed.__name__)
        deed()

    def rounds(self):
        self.desk.rounds(1)

    def _placed(self, *orders):
        self.orders += [order for order in orders if order.ib_ref]

    def market(self):
        size = self.rng.randrange(1, 60)
        trade = self.rng.choice((self.desk.buy, self.desk.sell))
        self._placed(trade(size, data=self.rng.choice(self.desk.datas)))

    def limit(self):
        data, rng = self.rng.choice(self.desk.datas), self.rng
        trade = rng.choice((self.desk.buy, self.desk.sell))
        price = data.close[0] * rng.uniform(0.9, 1.1)
        valid = rng.choice((None, bt.Order.DAY))
        self._placed(
            trade(rng.randrange(1, 60), data=data, exectype=bt.Order.Limit, price=price, valid=valid)
        )

    def bracket(self):
        desk, close = self.desk, self.desk.data.close[0]
        parent = desk.buy(
            20, exectype=bt.Order.Limit, price=close * self.rng.uniform(0.97, 1.03), transmit=False
        )
        stop = desk.sell(20, exectype=bt.Order.Stop, price=close * 0.9, parent=parent, transmit=False)
        limit = desk.sell(20, exectype=bt.Order.Limit, price=close * 1.1, parent=parent)
        self._placed(parent, stop, limit)

    def cancel(self):
        if self.orders:
            self.desk.broker.cancel(self.rng.choice(self.orders))

    def _at_gateway(self, *, live):
        ours = [o for o in self.control.book().orders if o.ref]
        found = [o for o in ours if (o.status in ("PreSubmitted", "Submitted")) == live]
        return self.rng.choice(found) if found else None

    def fill(self):
        order = self._at_gateway(live=True)
        if order is not None:
            part = self.rng.choice((None, max(1.0, order.quantity // 3)))
            self.control.fill(order.ref, 100.0 + self.rng.randrange(-500, 500) / 100, part)

    def late_fill(self):
        order = self._at_gateway(live=False)
        if order is not None and order.status == "Cancelled" and order.filled < order.quantity:
            self.control.fill_after_cancel(order.ref, 99.0)

    def by_hand(self):
        self.control.manual_order(self.rng.choice(SYMBOLS), self.rng.choice((-7, 5)))

    def money(self):
        self.rng.choice((lambda: self.control.deposit(123.45), lambda: self.control.dividend("AAPL", 0.5)))()

    def correct(self):
        executions = self.control.book().executions
        if executions:
            found = self.rng.choice(executions)
            self.control.correct(found.exec_id, round(found.price + self.rng.choice((-0.5, 0.5)), 2))

    def drop(self):
        self.control.drop(reset=self.rng.random() < 0.5)

    def restart(self):
        self.control.restart(0.0, rollback=self.rng.randrange(0, 4))

    def storm(self):
        self.control.notice(1100)
        if self.rng.random() < 0.5:
            self.rounds()
        self.control.notice(self.rng.choice((1101, 1102)))

    def error(self):
        order = self._at_gateway(live=True)
        if order is not None:
            self.control.error_on(order.ref, self.rng.choice((103, 161, 201, 202, 399, 10147, 10148, 10349)))

    def wait(self):
        self.desk.later(self.rng.choice((1.0, 4.0, 15.0)), step=4.0)

    def session(self):
        if self.sessions < 6:
            self.sessions += 1
            self.rng.choice((self.control.end_session, self.control.next_session))()

    def mood(self):
        knobs = self.rng.choice(
            (
                {"commission": "late", "commission_delay": 20.0},
                {"commission": "before"},
                {"commission": "never"},
                {"commission": "normal"},
                {"partial_slices": 3, "slice_seconds": 2.0},
                {"partial_slices": 1, "slice_seconds": 0.0},
                {"skip_status": True},
                {"skip_status": False},
            )
        )
        self.control.set(**knobs)

    def fault(self):
        on = self.rng.choice(("placeOrder", "cancelOrder", "execDetails", "orderStatus", "commissionReport"))
        do = self.rng.choice(
            ("duplicate", "delay", "reorder") if on != "placeOrder" else ("swallow", "delay")
        )
        self.control.arm(on=on, do=do, seconds=3.0)

    def end(self):
        """Let everything that is on its way arrive, and compare."""
        self.control.set(commission="normal", partial_slices=1, slice_seconds=0.0)
        limit = time.monotonic() + 20.0
        while True:
            self.desk.until(lambda: self.desk.store.client.state is State.READY, 10.0)
            self.desk.later(30.0)
            if self.settled():
                return
            if time.monotonic() > limit:
                self.desk.same_as_gateway()
                raise AssertionError("orders differ")

    def settled(self):
        try:
            book = self.desk.same_as_gateway()
        except AssertionError:
            return False
        working = {o.ref for o in book.working if o.filled < o.quantity}
        ours = {order.ib_ref for order in self.orders if order.alive()}
        return working == ours


def play(history, make_store, seed):
    rng = random.Random(seed)
    start = f"{history.dates[FIRST_SESSION]} 10:00"
    settings = Settings(start=start, spread_ticks=0, costs=BpsCosts(model="bps", bps=10))
    with running(history, settings) as control:
        desk = Desk(make_store(control, client={"library": "ib_insync"}, **PATIENT), control, SYMBOLS)
        monkey = Monkey(desk, rng)
        try:
            for _ in range(STEPS):
                monkey.step()
            monkey.end()
            check(monkey)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r} after {monkey.steps}") from error
        finally:
            desk.store.stop()


def check(monkey):
    """No reference was at the gateway twice or filled beyond its size, and each order ended once."""
    book = monkey.control.book()
    refs = [order.ref for order in book.orders if order.ref]
    assert len(refs) == len(set(refs))
    assert all(order.filled <= order.quantity for order in book.orders)
    by_ref = {order.ref: order for order in book.orders}
    for order in monkey.orders:
        theirs = by_ref.get(order.ib_ref)
        completed = [o for o in monkey.desk.heard if o.ref == order.ref and o.status == o.Completed]
        if theirs is None:
            assert order.executed.size == 0
            assert not order.alive()
        if completed:
            assert theirs.filled == theirs.quantity


@pytest.mark.parametrize("group", range(GROUPS))
def test_random_interleavings_end_with_the_gateways_cash_positions_and_orders(history, connect, group):
    before = set(threading.enumerate())
    for seed in range(group, COUNT, GROUPS):
        play(history, connect, seed)
        assert set(threading.enumerate()) <= before
