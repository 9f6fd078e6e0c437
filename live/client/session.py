"""Life of the connection as the other threads see it: start, stop, state and messages."""

from __future__ import annotations

import contextlib
import datetime as dt
import random
import threading
from collections.abc import Callable, Coroutine, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar

from ares7.errors import ConfigError
from live.client.book import Book, Snapshot
from live.client.loop import LoopThread
from live.client.messages import Connected, ContractFacts, Envelope, FarmState, State
from live.client.options import Options
from live.client.orders import not_started
from live.client.seam import Library, load
from live.client.supervisor import Supervisor
from live.client.target import Target
from live.machine import utc_now

T = TypeVar("T")
GRACE_S = 5.0
"""What a call may take beyond the time-outs inside it."""


class Session:
    """What `live.client.client.Client` is apart from its requests; the parameters are documented there."""

    def __init__(
        self,
        host: str,
        port: int,
        client_id: int,
        account: str = "",
        *,
        options: Options | None = None,
        clock: Callable[[], dt.datetime] = utc_now,
        rng: random.Random | None = None,
        next_order_id: int = 1,
    ) -> None:
        if not 0 < port < 65536:
            raise ConfigError(f"port {port} is not between 1 and 65535; IB Gateway listens on 4001 or 4002")
        if not 0 <= client_id < 2**31 - 1:
            raise ConfigError(f"client_id {client_id} is not between 0 and 2147483646")
        self.options = options or Options()
        self.target = Target(host, port, client_id, account)
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311
        self._next_order_id = next_order_id
        self._book = Book(clock)
        self._loop = LoopThread(f"ib-loop-{client_id}")
        self._supervisor: Supervisor | None = None
        self._facts: dict[int, ContractFacts] = {}
        self._library: Library | None = None
        # A gateway refuses an order id below one it has seen: ids are written in the order they are given out.
        self._placing = threading.Lock()

    # Life

    def start(self) -> Connected:
        """Connect, check and synchronise; return what was found. Called again, it returns the same.

        Order: handshake, account, then account values, positions, open and completed orders, executions and
        clock, each of which must be answered to its end.

        Raises
        ------
        ConfigError
            Client id in use, wrong account, read-only API, missing library: the message names the setting.
        ServiceUnavailable
            Nobody listens, no handshake, a query was not answered, or the clocks differ.
        """
        if self._supervisor is not None and self._supervisor.connected is not None:
            return self._supervisor.connected
        self._loop.start()
        seconds = self.options.connect_timeout_s + 3 * self.options.request_timeout_s + GRACE_S
        try:
            return self._loop.run(self._begin(), seconds)
        except BaseException:
            self.stop()
            raise

    async def _begin(self) -> Connected:
        # In the loop's thread: the library must be imported and made there.
        self._library = load(self.options.library)
        self._supervisor = Supervisor(
            self._library,
            self.target,
            self.options,
            self._book,
            self._clock,
            self._rng,
            self._next_order_id,
        )
        return await self._supervisor.start()

    def stop(self) -> bool:
        """Disconnect, end the thread. True if it ended in `Options.stop_timeout_s`; safe to call again."""
        supervisor = self._supervisor
        seconds = self.options.stop_timeout_s
        if supervisor is not None and self._loop.running:
            # Whatever goes wrong: the loop is stopped below in any case, which cancels what hangs.
            with contextlib.suppress(Exception):
                self._loop.run(supervisor.stop(), seconds)
        ended = self._loop.stop(seconds)
        if supervisor is not None:
            self._next_order_id = supervisor.highest_order_id
        self._supervisor = None
        return ended

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # What is known without asking

    @property
    def state(self) -> State:
        """Where the connection stands; QUIET is READY inside the quiet window."""
        supervisor = self._supervisor
        return State.STOPPED if supervisor is None else supervisor.state

    @property
    def connected(self) -> Connected:
        """The present, or the last, connection.

        Raises
        ------
        ServiceUnavailable
            There was none yet.
        """
        return self._require().require_connected()

    @property
    def library(self) -> Library:
        """The client library in use, with its version."""
        if self._library is None:
            raise ConfigError("the client library is loaded by start; call it first")
        return self._library

    def poll(self) -> list[Envelope]:
        """All messages that wait, oldest first; at once. One thread reads them."""
        return self._book.poll()

    def wait(self, timeout: float) -> Envelope | None:
        """Return the next message, or None if none comes within ``timeout`` seconds."""
        return self._book.wait(timeout)

    def snapshot(self) -> Snapshot:
        """Account values, positions and working orders now, with the number of the last message in it."""
        return self._book.snapshot(self.state)

    def farms(self) -> tuple[FarmState, ...]:
        """Last word of each data farm."""
        supervisor = self._supervisor
        return () if supervisor is None else tuple(dict(supervisor.farms).values())

    def facts(self, con_id: int) -> ContractFacts:
        """Return the facts of a contract that was qualified, or told by `know`.

        Raises
        ------
        ConfigError
        """
        if con_id not in self._facts:
            raise ConfigError(f"contract {con_id} was not qualified; qualify its symbol first")
        return self._facts[con_id]

    def know(self, facts: Iterable[ContractFacts]) -> None:
        """Take contracts from a cache, so that they need not be asked for again."""
        self._facts.update({found.con_id: found for found in facts})

    # Inside

    def _require(self) -> Supervisor:
        if self._supervisor is None:
            raise not_started(self.target.where)
        return self._supervisor

    def _ask(self, work: Callable[[Supervisor], Coroutine[Any, Any, T]], extra: float = 0.0) -> T:
        supervisor = self._require()
        seconds = self.options.request_timeout_s + extra + GRACE_S
        return self._loop.run(work(supervisor), seconds)
