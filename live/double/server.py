"""The gateway: one virtual clock, one market, one order engine, any number of connections on 127.0.0.1."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from ares7.errors import ConfigError, ServiceUnavailable
from live.double import auctions, wire
from live.double.account import Account
from live.double.account_requests import send_account, send_multi, send_summary
from live.double.actions import Actions
from live.double.clock import AHEAD_DAYS, Calendar, Clock, Session, local, moment
from live.double.data_requests import Pacing
from live.double.dividends import pay_dividends
from live.double.engine import Engine
from live.double.faults import FaultScript, MessageFault, TimedFault, read_script
from live.double.history import History
from live.double.knobs import Knobs
from live.double.market import Listing, Market
from live.double.orders import Execution, Order
from live.double.recorder import Recorder
from live.double.session import ClientSession
from live.double.settings import Settings

HOST = "127.0.0.1"
ACCOUNT_SECONDS = 180.0
"""Virtual seconds after which the figures of an account are sent because prices have moved."""
TICK_SECONDS = 0.05
"""Real seconds between two looks at the clock when it runs."""
QUOTE_TICKS = 5
"""Quotes are sent at every so-many-th look, as the gateway samples them four times a second."""


class Gateway:
    """A TWS-protocol gateway. Use it as ``async with Gateway(...) as gateway``.

    Parameters
    ----------
    history : History
        What it replays.
    settings : Settings
    knobs : Knobs, optional
    script : sequence of mapping
        See `live.double.faults`.

    Attributes
    ----------
    port : int
        After the start.
    clock, calendar, market, engine, knobs, faults, recorder
        Its parts.
    actions : Actions
        What a test or a script can make happen.
    sessions : list of ClientSession
        Connections now.
    """

    def __init__(
        self,
        history: History,
        settings: Settings | None = None,
        knobs: Knobs | None = None,
        script: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.settings = settings or Settings()
        self.knobs = knobs or Knobs()
        first, last = (dt.date.fromisoformat(str(day)) for day in history.dates[[0, -1]])
        margin = dt.timedelta(days=10)
        self.calendar = Calendar(first - margin, last + dt.timedelta(days=AHEAD_DAYS), self.settings.calendar)
        self.clock = Clock(_start_time(history, self.settings))
        self.market = Market(history, self.calendar, self.clock, self.settings.spread_ticks)
        accounts = [
            Account(name, cash, self.settings.leverage, self.settings.base_currency)
            for name, cash in self.settings.accounts.items()
        ]
        self.engine = Engine(
            self.market,
            self.clock,
            accounts,
            self,
            knobs=self.knobs,
            costs=self.settings.costs,
            nonce=self.settings.nonce,
        )
        self.recorder = Recorder(self.settings.record, keep=self.settings.keep_record)
        self.faults = FaultScript()
        self.pacing = Pacing()
        self.sessions: list[ClientSession] = []
        self.actions = Actions(self)
        self.port = self.settings.port
        self._next_ids: dict[int, int] = {}
        self._changed: dict[str, set[int]] = {}
        self._pushed_at = self.clock.now
        self._push_due = False
        self._server: asyncio.Server | None = None
        self._running: asyncio.Task[None] | None = None
        self._script = read_script(script, "fault script")
        self._plan_session(self.calendar.coming(self.clock.now))
        for fault in self._script:
            self._arm(fault)

    # Life.

    async def start(self) -> None:
        """Listen, and let the clock run if it has a speed.

        Raises
        ------
        ServiceUnavailable
            The port is in use.
        """
        await self.listen()
        if self.settings.speed is not None:
            self._running = asyncio.create_task(self._run(self.settings.speed))

    async def stop(self) -> None:
        """Close every connection and the port; an error that ended the running clock is raised here."""
        if self._running is not None:
            self._running.cancel()
        self.deafen()
        for session in list(self.sessions):
            session.close(reset=True)
        await asyncio.sleep(0)
        self.recorder.close()
        if self._running is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._running

    async def __aenter__(self) -> Gateway:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Stop."""
        await self.stop()

    async def until_broken(self, stop: asyncio.Event) -> None:
        """Wait for ``stop``; an error on the running clock is raised here."""
        waiting = asyncio.create_task(stop.wait())
        tasks = {waiting} if self._running is None else {waiting, self._running}
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        for task in done - {waiting}:
            task.result()

    async def listen(self) -> None:
        """Accept connections, on the same port as before if there was one."""
        if self._server is not None:
            return
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: ClientSession(self), HOST, self.port)
        except OSError as error:
            raise ServiceUnavailable(
                f"port {self.port} of {HOST} cannot be listened on ({error.strerror or error}); end the program that "
                "uses it, or choose another with --port"
            ) from None
        self.port = int(self._server.sockets[0].getsockname()[1])

    def deafen(self) -> None:
        """Refuse connections from now on; those that there are stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    # Time.

    def advance(self, to: float, *, quotes: bool = True) -> None:
        """Let virtual time go forward; what happens on the way is sent, then quotes and, now and then, accounts."""
        self.clock.advance(to)
        for session in self.sessions if quotes else ():
            session.subscriptions.send_quotes(self)
        if self.clock.now - self._pushed_at >= ACCOUNT_SECONDS:
            self._pushed_at = self.clock.now
            for account in self.engine.accounts.values():
                held = {number for number, held in account.holdings.items() if held.quantity}
                if held:
                    self._changed.setdefault(account.name, set()).update(held)
        if self._changed:
            self._push_accounts()

    async def _run(self, speed: float) -> None:
        loop = asyncio.get_running_loop()
        virtual, real = self.clock.now, loop.time()
        for tick in itertools.count():
            await asyncio.sleep(TICK_SECONDS)
            # A script or a test may have put the clock forward by itself.
            target = virtual + (loop.time() - real) * speed
            if self.clock.now > target:
                virtual, real = self.clock.now, loop.time()
            self.advance(max(target, self.clock.now), quotes=tick % QUOTE_TICKS == 0)

    def _plan_session(self, session: Session) -> None:
        if session.opens >= self.clock.now:
            self.clock.at(session.opens, lambda: self._open(session))
        self.clock.at(session.closes, lambda: self._close(session))

    def _open(self, session: Session) -> None:
        if self.knobs.dividends:
            pay_dividends(self, session)
        auctions.opening(self.engine, session)

    def _close(self, session: Session) -> None:
        auctions.closing(self.engine, session)
        self._plan_session(self.calendar.after(session))
        for account in self.engine.accounts.values():
            self._changed.setdefault(account.name, set())

    def _arm(self, fault: MessageFault | TimedFault) -> None:
        if isinstance(fault, MessageFault):
            self.faults.arm(fault)
        else:
            self.actions.plan(fault)

    # Order ids.

    def next_id(self, client: int) -> int:
        """First order id that a client may use."""
        return self._next_ids.get(client, 1)

    def used_id(self, client: int, number: int) -> None:
        """Remember that a client used an order id."""
        self._next_ids[client] = max(self.next_id(client), number + 1)

    def roll_back_id(self, client: int, number: int) -> None:
        """Forget that a client used ``number`` and those above it."""
        self._next_ids[client] = number
        for key in [key for key in self.engine.orders if key[0] == client and key[1] >= number]:
            del self.engine.orders[key]

    # What the engine tells.

    def to_client(self, client: int) -> list[ClientSession]:
        """Connections of a client id."""
        if self.knobs.mute_orders:
            return []
        return [s for s in self.sessions if s.client == client and s.ready and not s.closed]

    def order_changed(self, order: Order, *, status: bool = True) -> None:
        """Send an open order, and its status."""
        if self.knobs.hold_orders:
            return
        for session in self.to_client(order.client_id):
            if order.raw.get("whatIf") == "1":
                session.send(self.actions.what_if(session.version, order))
                continue
            session.send(wire.open_order(session.version, order))
            if status:
                session.send(wire.order_status(session.version, order))

    def order_error(self, order: Order, code: int, text: str) -> None:
        """Send a message about an order."""
        for session in self.to_client(order.client_id):
            session.error(order.order_id, code, text)

    def executed(self, execution: Execution) -> None:
        """Send a fill."""
        for session in self.to_client(execution.order.client_id):
            session.send(wire.execution(session.version, execution, zone=self.settings.time_zone))

    def commission(self, execution: Execution) -> None:
        """Send a fill's cost."""
        for session in self.to_client(execution.order.client_id):
            session.send(wire.commission(session.version, execution))

    def position_changed(self, account: Account, listing: Listing) -> None:
        """Send a position at once, and the account's figures once this burst is over."""
        for session in self.sessions:
            if session.subscriptions.positions:
                session.send(wire.position(session.version, account, listing))
        self._changed.setdefault(account.name, set()).add(listing.con_id)
        self._push_soon()

    def cash_changed(self, account: Account) -> None:
        """Send an account's figures once this burst is over."""
        self._changed.setdefault(account.name, set())
        self._push_soon()

    def _push_soon(self) -> None:
        if not self._push_due:
            self._push_due = True
            asyncio.get_running_loop().call_soon(self._push_accounts)

    def flush(self) -> None:
        """Write everything that waits for the end of the burst."""
        if self._push_due:
            self._push_accounts()
        for session in list(self.sessions):
            session.flush()

    def _push_accounts(self) -> None:
        self._push_due = False
        changed, self._changed = self._changed, {}
        for name, listings in changed.items():
            account = self.engine.accounts[name]
            for session in list(self.sessions):
                wanted = session.subscriptions
                if wanted.account is account:
                    send_account(self, session, account, listings)
                for request, owner in wanted.multi.items():
                    if owner is account:
                        send_multi(self, session, request, account)
                for request, tags in wanted.summaries.items():
                    send_summary(self, session, request, tags)


def _start_time(history: History, settings: Settings) -> float:
    start = settings.start or str(history.dates[min(1, len(history.dates) - 1)])
    now = moment(start if ":" in start else f"{start} 09:00")
    first, last = str(history.dates[0]), str(history.dates[-1])
    if not first <= f"{local(now):%Y-%m-%d}" <= last:
        raise ConfigError(
            f"the start {start} lies before {first} or after {last}, where the data is; correct it"
        )
    return now
