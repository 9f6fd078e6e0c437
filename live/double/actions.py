"""What a test or a script can make happen, besides faults on messages."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ares7.errors import ConfigError
from live.double import incidents, wire
from live.double.account import Account, mark
from live.double.clock import local, moment
from live.double.faults import MessageFault, TimedFault
from live.double.knobs import Knobs
from live.double.orders import Execution, Order

if TYPE_CHECKING:
    from live.double.server import Gateway

CONNECTIVITY = {
    1100: "Connectivity between IB and Trader Workstation has been lost.",
    1101: "Connectivity between IB and Trader Workstation has been restored - data lost.",
    1102: "Connectivity between IB and Trader Workstation has been restored - data maintained.",
    1300: "TWS socket port has been reset and this connection is being dropped.",
    2110: "Connectivity between Trader Workstation and server is broken. It will be restored automatically.",
}
DATA_LOST = 1101
"""After it a client must subscribe to data again."""
FARMS = {
    2103: "Market data farm connection is broken:usfarm",
    2104: "Market data farm connection is OK:usfarm",
    2105: "HMDS data farm connection is broken:ushmds",
    2106: "HMDS data farm connection is OK:ushmds",
    2107: "HMDS data farm connection is inactive but should be available upon demand.ushmds",
    2108: "Market data farm connection is inactive but should be available upon demand.usfarm",
    2119: "Market data farm is connecting:usfarm",
    2157: "Sec-def data farm connection is broken:secdefil",
    2158: "Sec-def data farm connection is OK:secdefil",
}


class Actions:
    """Deeds on a gateway, by the names that scripts use. Call them in the gateway's own thread.

    Parameters
    ----------
    gateway : Gateway
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._tasks: set[asyncio.Task[None]] = set()

    def plan(self, fault: TimedFault) -> None:
        """Put a timed fault on the clock.

        Raises
        ------
        ConfigError
            There is no such deed.
        """
        deed = getattr(self, fault.do, None) if not fault.do.startswith("_") and fault.do != "plan" else None
        if deed is None:
            known = sorted(name for name in dir(self) if not name.startswith("_") and name != "plan")
            raise ConfigError(f"fault script: no deed {fault.do!r}; there are {', '.join(known)}")
        _check_arguments(fault, deed)
        clock = self._gateway.clock
        if fault.at is not None:
            clock.at(moment(fault.at), lambda: deed(**fault.arguments))
        elif fault.after is not None:
            clock.at(clock.now + fault.after, lambda: deed(**fault.arguments))
        else:
            self._plan_daily(str(fault.daily), lambda: deed(**fault.arguments))

    def _plan_daily(self, time_of_day: str, deed: Any) -> None:
        clock = self._gateway.clock

        def due() -> None:
            deed()
            again()

        def again() -> None:
            day = local(clock.now).date()
            when = moment(f"{day} {time_of_day}")
            while when <= clock.now:
                day = type(day).fromordinal(day.toordinal() + 1)
                when = moment(f"{day} {time_of_day}")
            clock.at(when, due)

        again()

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Connections.

    def notice(self, code: int, text: str = "") -> None:
        """Tell every client something that is about no request."""
        if code == DATA_LOST:
            for session in self._gateway.sessions:
                session.subscriptions.stop_data()
        message = text or CONNECTIVITY.get(code) or FARMS.get(code) or f"Notice {code}"
        for session in list(self._gateway.sessions):
            if session.ready:
                session.error(-1, code, message)

    connectivity = farm = notice

    def storm(self, code: int = 1100, times: int = 100, ends_with: int | None = 1102) -> None:
        """Send the same notice many times, then another."""
        for _ in range(times):
            self.notice(code)
        if ends_with is not None:
            self.notice(ends_with)

    def drop(self, client: int | None = None, *, reset: bool = False) -> None:
        """Close every connection, or that of one client; ``reset`` cuts it."""
        for session in list(self._gateway.sessions):
            if client in (None, session.client):
                session.close(reset=reset)

    def half_open(self, client: int | None = None) -> None:
        """Leave the connections open and say and hear nothing on them any more."""
        for session in self._gateway.sessions:
            if client in (None, session.client):
                session.silent = True

    def refuse(self, seconds: float | None = None) -> None:
        """Refuse new connections, for so many real seconds or until `accept`."""
        self._gateway.deafen()
        if seconds is not None:
            self._spawn(self._listen_after(seconds))

    async def _listen_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._gateway.listen()

    def accept(self) -> None:
        """Take new connections again."""
        self._spawn(self._gateway.listen())

    def restart(self, seconds: float = 0.0, *, rollback: int = 0) -> None:
        """Restart the gateway: connections drop, the port is closed for so many real seconds, books stay.

        Parameters
        ----------
        rollback : int
            How many of each client's last order ids are forgotten.
        """
        # The port closes first, so that nobody comes back before the restart.
        self.refuse(seconds)
        self.drop()
        if rollback:
            for client in {key[0] for key in self._gateway.engine.orders}:
                self.roll_back_ids(client, rollback)

    def roll_back_ids(self, client: int, count: int) -> None:
        """Offer a client its last ``count`` order ids again."""
        self._gateway.roll_back_id(client, max(1, self._gateway.next_id(client) - count))

    def set_next_id(self, client: int, number: int) -> None:
        """Offer a client this order id next; ids from it on are forgotten if they were used."""
        self._gateway.roll_back_id(client, number)

    def arm(self, **fault: Any) -> None:
        """Arm a fault on messages from now on (`live.double.faults`)."""
        self._gateway.faults.arm(MessageFault(**fault))

    def set(self, **knobs: Any) -> None:
        """Change settings (`live.double.knobs`)."""
        for name, value in knobs.items():
            setattr(self._gateway.knobs, name, value)

    # Orders.

    def order(self, ref: str | int) -> Order:
        """The latest order of a reference or of an order id."""
        for order in reversed(self._gateway.engine.every):
            if ref in (order.ref, order.order_id):
                return order
        raise ConfigError(
            f"the gateway has no order {ref!r}; name the reference or the id of one that it accepted"
        )

    def error_on(self, ref: str | int, code: int, text: str = "Scripted error") -> None:
        """Send an error about an order, which is not touched."""
        order = self.order(ref)
        self._gateway.order_error(order, code, text)

    def fill(self, ref: str | int, price: float, shares: float | None = None) -> None:
        """Fill an order now, whatever its kind."""
        order = self.order(ref)
        order.waits = False
        self._gateway.engine.fill(order, order.remaining if shares is None else shares, price)

    def fill_after_cancel(self, ref: str | int, price: float, shares: float | None = None) -> None:
        """Fill an order that is done already: the fill overtook the cancellation on the exchange."""
        order = self.order(ref)
        incidents.fill_done(self._gateway.engine, order, shares or order.remaining, price)

    def release(self, ref: str | int) -> None:
        """Let an order go on that was held silently."""
        from live.double.working import work

        order = self.order(ref)
        order.waits = False
        self._gateway.knobs.hold_orders = False
        work(self._gateway.engine, order)

    def suspend(self, ref: str | int) -> None:
        """Make a live order Inactive, as the gateway does when it cannot work it now; `revive` undoes it."""
        self._gateway.engine.suspend(self.order(ref))

    def revive(self, ref: str | int) -> None:
        """Let an Inactive order work again."""
        self._gateway.engine.revive(self.order(ref))

    def correct(self, exec_id: str, price: float) -> Execution:
        """Correct the price of an execution; the new one carries the next last part of the id."""
        return incidents.correct(self._gateway.engine, exec_id, price)

    def duplicate_order(self, ref: str | int) -> Order:
        """Bring an order to life a second time, with another permanent id and the same reference."""
        return incidents.duplicate(self._gateway.engine, self.order(ref))

    def manual_order(
        self, symbol: str, shares: float, *, price: float | None = None, account: str = ""
    ) -> None:
        """Trade by hand in TWS: order id and client id 0, no reference, filled at once."""
        gateway, owner = self._gateway, self._account(account)
        listing = gateway.market.named(symbol)
        at = mark(gateway.market, owner, listing) if price is None else price
        incidents.by_hand(gateway.engine, owner, listing, shares, at)

    def what_if(self, version: int, order: Order) -> list[str]:
        """Answer to a what-if order."""
        gateway = self._gateway
        owner = gateway.engine.accounts[order.account]
        price = gateway.market.last(order.listing) or 0.0
        figures = owner.values(lambda listing: mark(gateway.market, owner, listing))
        fee = float(gateway.settings.costs.fees(order.quantity, price))  # type: ignore[arg-type]
        return wire.what_if(version, order, figures, order.quantity * price / owner.leverage, fee)

    # Books.

    def _account(self, name: str) -> Account:
        accounts = self._gateway.engine.accounts
        return accounts[name] if name else next(iter(accounts.values()))

    def set_position(
        self, symbol: str, shares: float, *, cost: float | None = None, account: str = ""
    ) -> None:
        """Put a position into the books without an order; cash does not move. Fractions are possible."""
        gateway, owner = self._gateway, self._account(account)
        listing = gateway.market.named(symbol)
        held = owner.holding(listing)
        held.quantity = shares
        held.average_cost = mark(gateway.market, owner, listing) if cost is None else cost
        gateway.position_changed(owner, listing)

    def deposit(self, usd: float, *, account: str = "") -> None:
        """Pay cash in, or out when negative."""
        owner = self._account(account)
        owner.cash += usd
        self._gateway.cash_changed(owner)

    def dividend(self, symbol: str, usd: float, *, account: str = "") -> None:
        """Pay so much a share held."""
        owner = self._account(account)
        self.deposit(owner.holding(self._gateway.market.named(symbol)).quantity * usd, account=owner.name)

    def split(self, symbol: str, ratio: float) -> None:
        """Split a share now: ``ratio`` new ones for an old one; prices, history and positions follow."""
        gateway = self._gateway
        listing = gateway.market.named(symbol)
        gateway.market.make_split(listing, ratio)
        for owner in gateway.engine.accounts.values():
            held = owner.holding(listing)
            held.quantity *= ratio
            held.average_cost /= ratio
            if held.quantity:
                gateway.position_changed(owner, listing)

    def halt(self, symbol: str) -> None:
        """Stop trading in a name."""
        self._gateway.market.halted.add(self._gateway.market.named(symbol).column)

    def resume(self, symbol: str) -> None:
        """Let a name trade again; orders that waited look for their price."""
        from live.double.auctions import resume

        gateway = self._gateway
        listing = gateway.market.named(symbol)
        gateway.market.halted.discard(listing.column)
        resume(gateway.engine, listing)

    def add_listing(self, symbol: str, *, currency: str = "USD", exchange: str = "MEXI") -> None:
        """List a symbol a second time, so that it is ambiguous or in another currency."""
        self._gateway.market.add_listing(symbol, currency=currency, exchange=exchange)


def _check_arguments(fault: TimedFault, deed: Any) -> None:
    """Refuse a script whose deed would fail for its arguments once its time comes."""
    try:
        inspect.signature(deed).bind(**fault.arguments)
        if fault.do == "set":
            Knobs(**fault.arguments)
        if fault.do == "arm":
            MessageFault(**fault.arguments)
    except (TypeError, ValidationError) as error:
        raise ConfigError(f"fault script: {fault.do} with {fault.arguments}: {error}") from None
