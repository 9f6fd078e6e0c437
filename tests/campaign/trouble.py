"""Deeds of the campaign on the double, each with its entry in the ledger."""

from __future__ import annotations

from live.double.clock import local
from live.double.knobs import Knobs
from tests.campaign.child import CLIENT_ID
from tests.campaign.invariants import OURS

CALM = Knobs().model_dump()
LONG = 2
"""Days without a runner after which yesterday's executions are not told any more."""


class Trouble:
    """What faults are made with.

    Attributes
    ----------
    control : live.double.control.Control
    ledger : Ledger
    figures : Figures
    rng : random.Random
        Of the day.
    """

    client = CLIENT_ID

    def __init__(self, episode):
        self._episode = episode
        self.control, self.ledger, self.figures = episode.control, episode.ledger, episode.figures
        self.rng = None
        self._cut = False
        self.suspended = ""

    # The gateway

    def calm(self):
        """Put every setting back."""
        self.control.set(**CALM)

    def cut(self, code=1100):
        """Connectivity is lost; the socket stays."""
        self._cut = True
        self.control.notice(code)

    def back(self, code=1102):
        """Connectivity is restored."""
        self._cut = False
        self.control.notice(code)

    def quiet(self):
        """Put everything back: settings, faults on messages, what is held; an order that is Inactive stays so."""
        self.suspended = ""
        self.calm()
        self.control.call(lambda gateway: gateway.faults.clear())
        self.release()
        if self._cut:
            self.back()

    def settle(self):
        """Let the runner see what happened."""
        self._episode.settle()

    def price(self, symbol):
        """Last price of a name, USD."""
        return self.control.call(lambda gateway: gateway.market.last(gateway.market.named(symbol)))

    # Orders

    def _orders(self, wanted):
        found = [o for o in self.control.book().orders if o.ref.startswith(OURS) and wanted(o)]
        return self.rng.choice(sorted(found, key=lambda order: order.perm_id)) if found else None

    def a_live_order(self):
        """One that works, or None."""
        return self._orders(lambda o: o.status in ("PreSubmitted", "Submitted"))

    def a_cancelled_order(self):
        """One of the latest decision that is cancelled and not filled, or None."""
        session = f"{self._episode.today:%Y%m%d}"
        return self._orders(lambda o: o.status == "Cancelled" and not o.filled and session in o.ref)

    def twin(self):
        """A second incarnation of a working order, under the same reference."""
        order = self.a_live_order()
        if order is not None:
            self.ledger.twins[order.ref] += 1
            self.ledger.strange.add(order.symbol)
            self.control.duplicate_order(order.ref)

    def cancelled_by_exchange(self):
        """Nobody asked for it."""
        found = self.a_live_order()
        if found is None:
            return

        def end(gateway):
            order = gateway.actions.order(found.ref)
            gateway.engine.end(order, "Cancelled", "Cancelled by exchange")
            gateway.order_error(order, 202, "Order Canceled - reason:")

        self.control.call(end)

    def release(self):
        """Let orders that were held in silence go on."""

        def go(gateway):
            from live.double.working import work

            gateway.knobs.hold_orders = False
            for order in list(gateway.engine.live.values()):
                if order.waits and not order.parent_id:
                    order.waits = False
                    work(gateway.engine, order)

        self.control.call(go)

    def correct(self):
        """Another price for an execution of today."""

        def todays(gateway):
            today = local(gateway.clock.now).date()
            return [(e.exec_id, e.price) for e in gateway.engine.executions if local(e.time).date() == today]

        found = sorted(self.control.call(todays))
        if found:
            exec_id, price = self.rng.choice(found)
            self.control.correct(exec_id, round(price * self.rng.choice((0.99, 1.01)), 2))

    # The account

    @property
    def held(self):
        """Shares by symbol, by the gateway."""
        return self.control.book().positions[self.control.account]

    def a_name(self):
        """Any stock."""
        return self.rng.choice(self._episode.stocks)

    def _held_name(self):
        held = {symbol: shares for symbol, shares in self.held.items() if shares >= 10}
        return self.rng.choice(sorted(held.items())) if held else (self.a_name(), 0.0)

    def by_hand(self):
        """A person buys, or sells some of what is held."""
        symbol, held = self._held_name()
        shares = -float(int(held / 2)) if held >= 2 and self.rng.random() < 0.5 else 17.0
        self.ledger.drifts(symbol, shares)
        self.control.manual_order(symbol, shares)

    def transfer(self):
        """Shares come without a trade."""
        symbol = self.a_name()
        self.ledger.drifts(symbol, 25.0)
        self.control.set_position(symbol, self.held.get(symbol, 0.0) + 25.0)

    def fraction(self):
        """A dividend is reinvested."""
        symbol, held = self._held_name()
        self.ledger.drifts(symbol, 0.375)
        self.control.set_position(symbol, held + 0.375)

    def split(self):
        """Two shares, or three for two."""
        symbol, held = self._held_name()
        ratio = self.rng.choice((2.0, 1.5))
        self.ledger.drifts(symbol, held * (ratio - 1.0))
        self.control.split(symbol, ratio)

    def pay(self):
        """Money comes, or goes."""
        usd = self.rng.choice((2500.0, -1234.56, 0.37))
        self.ledger.cash_moved += usd
        self.control.deposit(usd)

    def other_account(self):
        """Somebody trades in the other account of this login."""
        other = next(name for name in self.control.book().cash if name != self.control.account)
        self.control.manual_order(self.a_name(), 40.0, account=other)

    def listed_in_euro(self):
        """A name gets a second listing in another currency, and the runner is started anew."""
        self.control.add_listing(self.a_name(), currency="EUR", exchange="IBIS")
        self._episode.kill("listing")

    # Runner and operator

    def start_with(self, **fault):
        """The runner is started anew and meets a fault on a message."""
        self.control.arm(nth=self.rng.randint(1, 4), **fault)
        self._episode.kill("start with an error")

    def die_at_decision(self, phase):
        """No runner when the session closes; it is started at a time of the next day."""
        self._episode.kill("at the close")
        self._episode.absent_until(1, phase)

    def die_for_long(self):
        """No runner until yesterday's executions are not told any more."""
        self._episode.kill("for long")
        self._episode.absent_until(LONG, self.rng.choice(("noon", "evening")))

    def halt(self, level):
        """Trip a halt by file or journal row, from another process."""
        self._episode.people.halt(level, self.rng.choice(("file", "journal")))
