"""The order engine by itself: books that add up whatever happens, and how fast it is."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares7.costs import IbkrFixedCosts
from live.double import auctions, incidents
from live.double.account import Account
from live.double.clock import Calendar, Clock, moment
from live.double.control import running
from live.double.engine import Engine
from live.double.history import from_closes
from live.double.knobs import Knobs
from live.double.market import Market
from live.double.orders import Refused
from live.double.settings import Settings
from tests.double.client import connected, order, stock

UNSET = (
    "conId", "expiry", "strike", "right", "multiplier", "exchange", "primaryExchange", "currency", "localSymbol",
    "tradingClass", "goodTillDate", "algoStrategy",
)  # fmt: skip


class Silent:
    """A listener that nobody hears."""

    def order_changed(self, order, *, status=True):
        """Nothing."""

    def order_error(self, order, code, text):
        """Nothing."""

    def executed(self, execution):
        """Nothing."""

    def commission(self, execution):
        """Nothing."""

    def position_changed(self, account, listing):
        """Nothing."""


class World:
    """An engine with its market, clock and days."""

    def __init__(self, knobs):
        rng = np.random.default_rng(3)
        closes = {name: np.round(50 + np.cumsum(rng.normal(0, 1, 12)), 2) for name in ("A", "B")}
        history = from_closes("2024-01-02", closes)
        self.calendar = Calendar(history.dates[0].item(), history.dates[-1].item())
        self.clock = Clock(moment("2024-01-03 10:00"))
        market = Market(history, self.calendar, self.clock)
        self.account = Account("DU1", 10_000.0)
        self.engine = Engine(
            market, self.clock, [self.account], Silent(), knobs=knobs, costs=IbkrFixedCosts()
        )
        for session in self.calendar.sessions:
            self.clock.at(session.opens, lambda session=session: auctions.opening(self.engine, session))
            self.clock.at(session.closes, lambda session=session: auctions.closing(self.engine, session))

    def place(self, number, symbol, action, quantity, kind, tif, price, parent, group):
        raw = dict.fromkeys(UNSET, "")
        raw |= {"orderId": str(number), "symbol": symbol, "secType": "STK", "action": action, "tif": tif}
        raw |= {
            "totalQuantity": str(quantity),
            "orderType": kind,
            "lmtPrice": str(price),
            "auxPrice": str(price),
        }
        raw |= {"account": "", "ocaGroup": group, "orderRef": f"r{number}", "transmit": "1", "whatIf": "0"}
        raw["parentId"] = str(parent)
        self.engine.place(1, raw)


ORDERS = st.tuples(
    st.sampled_from(["A", "B"]),
    st.sampled_from(["BUY", "SELL"]),
    st.integers(1, 120),
    st.sampled_from(["MKT", "LMT", "STP", "STP LMT", "MOC", "LOC"]),
    st.sampled_from(["DAY", "DAY", "GTC", "OPG", "IOC"]),
    st.integers(4500, 5500).map(lambda cents: cents / 100),
    st.sampled_from([0, 0, 0, 1, 2]),
    st.sampled_from(["", "", "g"]),
)
DEEDS = st.one_of(
    st.tuples(st.just("place"), ORDERS),
    st.tuples(st.just("place"), ORDERS),
    st.tuples(st.just("wait"), st.integers(1, 40_000)),
    st.tuples(st.just("cancel"), st.integers(1, 30)),
    st.tuples(st.just("correct"), st.integers(0, 30)),
    st.tuples(st.just("late fill"), st.integers(0, 30)),
)
KNOBS = st.builds(
    Knobs,
    partial_slices=st.integers(1, 4),
    slice_seconds=st.sampled_from([0.0, 600.0]),
    fill_delay=st.sampled_from([0.0, 60.0]),
)


def do(world, number, deed):
    """Carry out one generated deed; what the gateway refuses is refused."""
    kind, what = deed
    engine = world.engine
    try:
        if kind == "place":
            world.place(number, *what)
        elif kind == "wait":
            world.clock.advance(world.clock.now + what)
        elif kind == "cancel" and (1, what) in engine.orders:
            engine.cancel(engine.orders[1, what])
        elif kind == "correct" and engine.executions:
            done = engine.executions[what % len(engine.executions)]
            incidents.correct(engine, done.exec_id, done.price + 0.01)
        elif kind == "late fill":
            ended = [o for o in engine.every if o.status == "Cancelled" and o.remaining]
            if ended:
                incidents.fill_done(engine, ended[what % len(ended)], 1, 50.0)
    except Refused:
        pass


@settings(max_examples=300)
@given(KNOBS, st.lists(DEEDS, min_size=5, max_size=30))
def test_books_add_up_after_any_sequence_of_orders_and_incidents(knobs, deeds):
    world = World(knobs)
    for number, deed in enumerate(deeds, 1):
        do(world, number, deed)
        check(world)
    world.clock.advance(world.clock.now + 4 * 86_400)
    check(world)
    tifs = {o.tif for o in world.engine.live.values()}
    assert tifs <= {"GTC"} or any(o.waits for o in world.engine.live.values())


def check(world):
    """Cash, positions and orders are those of the executions."""
    engine, account = world.engine, world.account
    cash, held = 10_000.0, {}
    for done in engine.executions:
        sign = done.order.sign
        cash -= sign * done.shares * done.price + done.fee
        held[done.order.listing.con_id] = held.get(done.order.listing.con_id, 0.0) + sign * done.shares
    assert account.cash == pytest.approx(cash, abs=1e-6)
    for number, quantity in held.items():
        assert account.holdings[number].quantity == quantity
    for order_ in engine.every:
        assert 0 <= order_.filled <= order_.quantity
        assert order_.filled == sum(e.shares for e in order_.executions)
        assert (order_.perm_id in engine.live) == order_.live
        assert (order_.status == "Filled") == (order_.remaining == 0)
    assert len({e.exec_id for e in engine.executions}) == len(engine.executions)


def test_five_hundred_names_take_the_gateway_well_under_four_seconds():
    """Measured in processor time of the gateway's own thread, for a fifth of the names."""
    names = [f"S{i:03d}" for i in range(100)]
    rng = np.random.default_rng(0)
    closes = {name: np.round(50 * np.exp(np.cumsum(rng.normal(0, 0.01, 620))), 2) for name in names}
    history = from_closes("2021-01-04", closes)
    start = f"{history.dates[-3]} 09:00"
    with running(history, Settings(start=start, accounts={"DU1": 1e8})) as control, connected(control) as ib:
        before = control.call(lambda gateway: time.thread_time())
        contracts = [stock(name) for name in names]
        assert len(ib.qualifyContracts(*contracts)) == 100
        requests = [
            ib.reqHistoricalDataAsync(contract, "", "3 Y", "1 day", "TRADES", True) for contract in contracts
        ]
        for request in requests:
            assert len(ib._run(request)) >= 600
        trades = [ib.placeOrder(contract, order(tif="OPG", account="DU1")) for contract in contracts]
        ib.reqCurrentTime()
        control.next_session()
        while not all(trade.isDone() for trade in trades):
            ib.sleep(0.01)
        used = control.call(lambda gateway: time.thread_time()) - before
    assert {trade.orderStatus.status for trade in trades} == {"Filled"}
    assert used < 0.7
