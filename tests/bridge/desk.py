"""Orders on the bridge without a strategy: a feed that is live, its broker, and rounds that a test takes itself."""

from __future__ import annotations

import contextlib
import time

import backtrader as bt

from ares7.errors import ServiceUnavailable
from live.client.messages import State

SYMBOL = "AAPL"


class Desk:
    """One feed of a store on a double, ready for orders."""

    def __init__(self, store, control, symbols=(SYMBOL,)):
        self.store, self.control = store, control
        self.broker = store.getbroker()
        cerebro = bt.Cerebro()
        self.datas = [store.getdata(symbol=symbol, backfill=2) for symbol in symbols]
        for data in self.datas:
            cerebro.adddata(data)
        self.broker.start()
        for data in self.datas:
            data._start()
        for _ in range(3):
            for data in self.datas:
                data.load()
        self.data = self.datas[0]
        self.heard, self.notes, self.generation = [], [], 1
        assert self.data.is_current

    def buy(self, size=100, data=None, **kwargs):
        return self.broker.buy(None, self.data if data is None else data, size, **kwargs)

    def sell(self, size=100, data=None, **kwargs):
        return self.broker.sell(None, self.data if data is None else data, size, **kwargs)

    def resting(self, size=100, **kwargs):
        """A limit order that does not fill by itself, acknowledged."""
        order = self.buy(size, exectype=bt.Order.Limit, price=1.0, **kwargs)
        self.rounds()
        assert order.status == bt.Order.Accepted
        return order

    def rounds(self, count=3):
        """Take rounds, each with everything that the gateway has sent until then."""
        for _ in range(count):
            self.store.begin_round()
            with contextlib.suppress(ServiceUnavailable):
                self.store.client.server_time()
            self.store.pump()
            while (order := self.broker.get_notification()) is not None:
                self.heard.append(order)
            self.notes += [note for note, _, _ in self.store.get_notifications()]

    def later(self, seconds, step=5.0):
        """Let virtual time pass, with rounds on the way."""
        while seconds > 0:
            self.control.advance(min(step, seconds))
            seconds -= step
            self.rounds(2)

    def until(self, condition, seconds=20.0):
        """Take rounds until a condition holds, in real time; for what crosses threads."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"{self.notes[-5:]}"
            self.store.pump(0.01)
            self.rounds(1)

    def back(self):
        """Wait for the next connection to be ready."""
        self.until(lambda: self.store.client.connected.generation > self.generation)
        self.generation += 1
        self.ready()

    def ready(self):
        self.until(lambda: self.store._ready and self.store.client.state is State.READY)

    def told(self, order):
        """States of which the strategy was told, repeated ones once."""
        names = [o.getstatusname() for o in self.heard if o.ref == order.ref]
        return [name for i, name in enumerate(names) if i == 0 or name != names[i - 1]]

    def same_as_gateway(self):
        """Cash, positions and open orders as the gateway's book has them."""
        book = self.control.book()
        ours = {d.facts.ib_symbol: self.broker.getposition(d).size for d in self.datas}
        theirs = book.positions[self.control.account]
        assert {name: size for name, size in ours.items() if size} == theirs
        assert abs(self.broker.getcash() - book.cash[self.control.account]) < 0.0101
        return book
