"""A runner on the rotating strategy: something happens right before one of its orders, and a halt has time to act."""

from __future__ import annotations

import time

from ares7.errors import ServiceUnavailable
from feeds.engines import Chosen
from live.client.messages import State
from tests.bridge.stepping import Stepper
from tests.runner.conftest import SteppedRunner
from tests.runner.rotating import Rotating, RotatingParams

NAMES = 10
"""Names of each half: the first session buys so many, every later one sells as many and buys as many."""
SALES, PURCHASES = NAMES + 5, 2 * NAMES + 4
"""Orders of the second session: the fifth sale, with four before it; the fourth purchase, after all sales."""
CHOSEN = Chosen("rotating", Rotating, RotatingParams(gross=0.9))
LIMITS = {"max_volume_share": None}


class Settling(Stepper):
    """Lets three virtual seconds pass before the session ends: a cancellation is believed after two."""

    params = (("between", None),)

    def next(self):
        store, control = self.p.store, self.p.control
        store.begin_round()
        self._heard()
        store.pump()
        self.p.between()
        self._heard()
        store.pump()
        control.advance(3.0)
        moment = self._heard()
        while store.now() < moment:
            pass
        store.pump()
        super().next()

    def _heard(self):
        """Wait until everything that the gateway has said is here, after a reconnection if need be; its time."""
        store, deadline = self.p.store, time.monotonic() + 20
        while True:
            try:
                moment = store.client.server_time()
                if store.client.state is State.READY:
                    return moment
            except ServiceUnavailable:
                assert time.monotonic() < deadline
            store.pump(0.01)


class InterruptedRunner(SteppedRunner):
    """Calls ``trip()`` right before its n-th order is asked about, and ``resume()`` after some sessions."""

    trip_at = resume_after = None
    asked = 0

    def _portfolio(self):
        portfolio = super(SteppedRunner, self)._portfolio()
        portfolio.cerebro.addanalyzer(
            Settling, store=self.store, control=self.control, between=lambda: self.between()
        )
        return portfolio

    def between(self):
        """Called in each session after what was cancelled is cancelled, and before that is believed."""

    def _take_up(self, portfolio):
        super()._take_up(portfolio)
        self._written, self.store.desk.journal = self.store.desk.journal, self._before_writing

    def _before_writing(self, ticket, order_id):
        self.asked += 1
        if self.asked == self.trip_at:
            self.store.client.server_time()
            self.before_trip = self.control.recorder.order_refs()
            self.trip()
        self._written(ticket, order_id)

    def _closed(self, session):
        super()._closed(session)
        if self.closed == self.resume_after:
            self.store.client.server_time()
            self.held, self.before_resume = self.shares(), self.control.recorder.order_refs()
            self.resume()

    def shares(self):
        """Shares by symbol, by the gateway's books."""
        return dict(self.control.book().positions[self.control.account])


def sides(refs):
    """``BUY``, ``SELL`` of each reference."""
    return [{"B": "BUY", "S": "SELL"}[ref.split("-")[-2]] for ref in refs]


def statuses(control, refs):
    """What became of these orders, by the gateway's books."""
    return {order.status for order in control.book().orders if order.ref in refs}
