"""Keeps the connection: states, synchronisation, reconnection, heartbeat. Lives in the loop's thread."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import random
from collections.abc import Callable, Coroutine
from typing import Any

from ares7.errors import Ares7Error, ServiceUnavailable
from live.client import notices, sync
from live.client.book import Book
from live.client.link import Link
from live.client.messages import (
    Connected,
    Disconnected,
    ErrorMessage,
    FarmState,
    Message,
    Notice,
    Outage,
    Restored,
    State,
    StateChanged,
)
from live.client.options import Options
from live.client.pacing import Backoff
from live.client.quiet import is_quiet
from live.client.seam import Library
from live.client.subscriptions import Subscriptions
from live.client.target import Target


class Supervisor:
    """Opens connections one after another, and says in which state the present one is.

    Parameters
    ----------
    library : Library
    target : Target
    options : Options
    book : Book
        Takes every message.
    clock : callable
        Current time, aware.
    rng : random.Random
        Jitter of the pauses.
    next_order_id : int
        Order ids begin here at the earliest (from the journal).

    Attributes
    ----------
    link : Link or None
    synced : Synced or None
        Answers of the last synchronisation.
    generation : int
        Number of the present connection.
    farms : dict of (kind, name) to FarmState
    """

    def __init__(
        self,
        library: Library,
        target: Target,
        options: Options,
        book: Book,
        clock: Callable[[], dt.datetime],
        rng: random.Random,
        next_order_id: int,
    ) -> None:
        self.library = library
        self.target = target
        self.options = options
        self.book = book
        self.link: Link | None = None
        self.synced: sync.Synced | None = None
        self.connected: Connected | None = None
        self.generation = 0
        self.farms: dict[tuple[str, str], FarmState] = {}
        self.subscriptions = Subscriptions(self.emit)
        self._clock = clock
        self._backoff = Backoff(options.reconnect, rng)
        self._next_order_id = next_order_id
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._busy = False
        self._reconnecting = False
        self._degraded_by = 0
        self._restored: bool | None = None
        self._down_since: float | None = None
        self._outage_reported = False

    # Messages

    def emit(self, message: Message) -> None:
        """Queue a message, and move the state machine if it is about connectivity."""
        if isinstance(message, FarmState):
            self.farms[message.kind, message.farm] = message
        repeated = self._is(message, notices.CONNECTIVITY_LOST) and self.book.state is State.DEGRADED
        if not repeated:
            self.book.put(message)
        if isinstance(message, ErrorMessage):
            self.subscriptions.heard(message)
        self._watch(message)

    @staticmethod
    def _is(message: Message, *codes: int) -> bool:
        return isinstance(message, Notice | ErrorMessage) and message.code in codes

    def _watch(self, message: Message) -> None:
        """Degrade on lost connectivity, synchronise again when it is back."""
        if self._is(message, notices.CONNECTIVITY_LOST, notices.TWS_SERVER_BROKEN):
            self._degraded_by = getattr(message, "code", 0)
            self._restored = None
            self._move(State.DEGRADED, getattr(message, "text", ""))
        elif self._is(message, notices.RESTORED_DATA_LOST):
            self._restore(data_lost=True)
        elif self._is(message, notices.RESTORED_DATA_KEPT) or self._is_server_back(message):
            self._restore(data_lost=False)

    def _is_server_back(self, message: Message) -> bool:
        """After 2110 only the farms report that the servers are back."""
        degraded = self.book.state is State.DEGRADED and self._degraded_by == notices.TWS_SERVER_BROKEN
        return degraded and isinstance(message, FarmState) and message.status == "ok"

    def _move(self, state: State, reason: str) -> None:
        previous = self.book.state
        if state is previous:
            return
        loop = asyncio.get_running_loop()
        if state in (State.READY, State.STOPPED):
            self._down_since, self._outage_reported = None, False
        elif self._down_since is None:
            self._down_since = loop.time()
        self.book.put(StateChanged(state=state, previous=previous, reason=reason), state)

    # Connecting

    def new_link(self) -> Link:
        """Make a connection that reports to us, not open yet."""
        return Link(self.library, self.options, self.emit, self._on_lost)

    async def start(self) -> Connected:
        """Connect for the first time, and keep the connection from then on.

        Raises
        ------
        ConfigError, ServiceUnavailable
            Nothing is tried again: the first failure is usually a setting.
        """
        try:
            connected = await self._connect()
        except BaseException:
            self._drop()
            self._move(State.STOPPED, "could not start")
            raise
        self._spawn(self._heartbeat())
        return connected

    async def _connect(self) -> Connected:
        self._busy, self._restored = True, None
        try:
            connected = await self._open_and_check()
        finally:
            self._busy = False
        self.connected = connected
        self._backoff.reset()
        self.book.put(connected)
        self._become_ready("connected and synchronised")
        await self.subscriptions.reopen(self.require_link("live bars"))
        return connected

    async def _open_and_check(self) -> Connected:
        self._move(State.CONNECTING, f"connecting to {self.target.where}")
        self.book.begin_connection()
        link = self.link = self.new_link()
        await link.open(self.target.host, self.target.port, self.target.client_id)
        self.generation += 1
        self.raise_order_id(self._next_order_id)
        account = sync.choose_account(self.target.account, link.accounts)
        warning = sync.port_warning(account, self.target.port)
        if warning:
            self.book.put(Notice(code=0, text=warning, request=-1))
        synced = await self._synchronise(account)
        return Connected(
            account=account,
            kind=sync.account_kind(account),
            accounts=link.accounts,
            server_version=link.server_version,
            next_order_id=self.next_order_id(),
            generation=self.generation,
            read_only=synced.read_only,
            skew_s=synced.skew_s,
            time_text=link.handshake.time_text,
        )

    def _become_ready(self, reason: str) -> None:
        """Ready, unless connectivity was lost or restored while we read: then everything is read again."""
        if self._restored is not None:
            self._restore(data_lost=self._restored)
        elif self.book.state is State.SYNCING:
            self._move(State.READY, reason)

    async def _synchronise(self, account: str) -> sync.Synced:
        """Read everything, and refuse to go on with half of it."""
        link = self.require_link("synchronisation")
        self._move(State.SYNCING, "reading account, positions, orders and executions")
        self.book.begin_sweep(account)
        synced = await sync.synchronise(link, account, self._clock)
        sync.require_complete(synced, self.target.where)
        sync.require_clock(synced.skew_s, self.options.max_skew_s)
        if synced.read_only and not self.options.read_only:
            raise sync.read_only_error(self.target.where)
        self.book.end_sweep()
        self.synced = synced
        return synced

    # Restoration and reconnection

    def _restore(self, *, data_lost: bool) -> None:
        """Note that connectivity is back, and read everything again, once for a burst of notices.

        Only one synchronisation runs at a time: a second one would take the first's rows for missing.
        """
        self._restored = bool(self._restored) or data_lost
        if not self._busy and self.link is not None and self.connected is not None:
            self._busy = True
            self._spawn(self._resynchronise(self.link, self.connected.account))

    async def _resynchronise(self, link: Link, account: str) -> None:
        try:
            while self._restored is not None:
                data_lost, self._restored = self._restored, None
                await self._synchronise(account)
                if data_lost:
                    await self.subscriptions.reopen(link)
                if link is not self.link:
                    return
                if self._restored is None and self.book.state is State.SYNCING:
                    self.book.put(Restored(data_lost=data_lost))
                    self._move(State.READY, "connectivity restored, everything read again")
        except Ares7Error as error:
            if link is self.link:
                self._drop()
                self._on_lost(f"after the restoration: {error}")
        finally:
            # A new connection may be synchronising by now.
            if link is self.link:
                self._busy = False

    def _on_lost(self, reason: str) -> None:
        """Start to reconnect; the socket is gone."""
        if self._stopping or self._reconnecting or self.connected is None:
            return
        self._reconnecting = True
        self._move(State.DISCONNECTED, reason)
        delay = self._backoff.next_delay()
        self.book.put(Disconnected(reason=reason, retry_in_s=delay))
        self._spawn(self._reconnect(delay))

    async def _reconnect(self, delay: float) -> None:
        """Try until it works. A gateway that restarts refuses, asks for a login, or still holds our id."""
        reason = ""
        while not self._stopping:
            await asyncio.sleep(delay)
            try:
                await self._connect()
                self._reconnecting = False
                if self.link is not None and not self.link.is_open:
                    self._on_lost("the connection was lost again at once")
                return
            except Exception as error:
                # Of whatever kind: a client that stops trying is blind.
                text = str(error) if isinstance(error, Ares7Error) else f"internal error: {error!r}"
                self._drop()
                self._move(State.DISCONNECTED, text)
                delay = self._backoff.next_delay()
                if text != reason:
                    reason = text
                    self.book.put(Disconnected(reason=reason, retry_in_s=delay))

    def _drop(self) -> None:
        if self.link is not None:
            self.link.close()

    async def _heartbeat(self) -> None:
        """Find half-open connections, and report long outages."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(self.options.heartbeat_s, self.options.outage_s) / 4)
            self._report_outage(loop.time())
            link = self.link
            if link is None or not link.is_open or loop.time() - link.last_data < self.options.heartbeat_s:
                continue
            try:
                await link.server_time()
            except Ares7Error as error:
                if link is self.link and link.is_open:
                    link.close()
                    self._on_lost(f"half-open connection: {error}")

    def _report_outage(self, now: float) -> None:
        if self._down_since is None or self._outage_reported:
            return
        if now - self._down_since >= self.options.outage_s:
            self._outage_reported = True
            self.book.put(Outage(seconds=now - self._down_since, reason=str(self.book.state)))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Forget a task; one that failed must be seen, because nobody waits for it."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            text = f"internal error in the connection to {self.target.where}: {error!r}; restart the program"
            self.book.put(ErrorMessage(code=0, text=text, request=-1))

    async def stop(self) -> None:
        """Close the connection and end every task."""
        self._stopping = True
        for task in list(self._tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        self._drop()
        # One round, so that the transport closes its socket.
        await asyncio.sleep(0)
        if self.book.state is not State.STOPPED:
            self.book.put(Disconnected(reason="stopped", retry_in_s=None))
            self._move(State.STOPPED, "stopped")

    # Use

    @property
    def state(self) -> State:
        """State as the users of the connection see it: READY inside the quiet window is QUIET."""
        state = self.book.state
        quiet = state is State.READY and is_quiet(self._clock(), self.options.quiet)
        return State.QUIET if quiet else state

    @property
    def highest_order_id(self) -> int:
        """No order id below this one will be given out."""
        return self._next_order_id

    def require_connected(self) -> Connected:
        """Return the present, or the last, connection.

        Raises
        ------
        ServiceUnavailable
        """
        if self.connected is None:
            raise ServiceUnavailable(f"not connected to {self.target.where} yet; call start first")
        return self.connected

    def require_link(self, what: str) -> Link:
        """Return the open connection.

        Raises
        ------
        ServiceUnavailable
        """
        if self.link is None or not self.link.is_open:
            raise ServiceUnavailable(
                f"{what}: not connected to {self.target.where}; wait for the reconnection"
            )
        return self.link

    def raise_order_id(self, at_least: int) -> None:
        """See to it that later order ids are not below ``at_least``; ids never fall."""
        self._next_order_id = max(self._next_order_id, at_least)
        if self.link is not None and self.link.is_open:
            self.link.ib.client.updateReqId(self._next_order_id)

    def next_order_id(self) -> int:
        """Give out an order id that was never given out before, in no connection of this client."""
        link = self.require_link("order id")
        link.ib.client.updateReqId(self._next_order_id)
        found = int(link.ib.client.getReqId())
        self._next_order_id = found + 1
        return found
