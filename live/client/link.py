"""One connection: opened once, asked many things, closed once. Lives in the event loop's thread."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

from ares7.errors import ServiceUnavailable
from live.client import failures
from live.client.messages import ErrorMessage, Message
from live.client.notices import ACCOUNT_UNKNOWN, READ_ONLY
from live.client.options import Options
from live.client.pacing import HistoryPacer, RateLimit
from live.client.seam import DecodeErrors, Handshake, Library
from live.client.wire import Tap

UNKEYED = {"open orders": READ_ONLY, "completed orders": READ_ONLY, "account values": ACCOUNT_UNKNOWN}
"""Queries without a request id, and the error (with request id -1) that answers them instead of data."""


def library_limit(messages_per_s: int) -> int:
    """Limit of the library itself, a little above ours: what it holds back is lost when the connection drops.

    IB disconnects above 50 messages a second.
    """
    return min(50, messages_per_s + 3) if messages_per_s else 0


class Link:
    """A socket to the gateway with the library's decoder, and our own time-out on everything.

    ``IB.connect`` of the library is not used: it reports success although its queries were never answered
    (live_ib L1). The link opens the socket by the library's client, and asks every query itself.

    Parameters
    ----------
    library : Library
    options : Options
    emit : callable
        Takes each message of the wire.
    lost : callable
        Called once with the reason when the socket is gone without our doing.

    Attributes
    ----------
    ib : library object
    tap : Tap
    handshake : Handshake
    history : HistoryPacer
    accounts : tuple of str
        Accounts that the gateway manages; known once the link is open, and after it is lost.
    server_version : int
        Negotiated protocol version; the same.
    last_data : float
        Time of the loop when the gateway last sent something.
    """

    def __init__(
        self,
        library: Library,
        options: Options,
        emit: Callable[[Message], None],
        lost: Callable[[str], None],
    ) -> None:
        self.library = library
        self.options = options
        self.ib = library.IB()
        self.ib.RaiseRequestErrors = True
        self.ib.TimezoneTWS = options.time_zone
        self.ib.client.MaxRequests = library_limit(options.messages_per_s)
        self.tap = Tap(library, self.ib.wrapper, self._wire(emit))
        self.ib.client.decoder.wrapper = self.tap
        self.handshake = Handshake(self.ib.client.conn, library.min_server_version, self._refuse)
        self.history = HistoryPacer(options.history)
        self.where = ""
        self.last_data = 0.0
        self.accounts: tuple[str, ...] = ()
        self.server_version = 0
        self._rate = RateLimit(options.messages_per_s)
        self._lost = lost
        self._open = False
        self._gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._unkeyed: dict[str, asyncio.Future[Any]] = {}
        self._undecoded = DecodeErrors(library.name, self._undecodable(emit))
        # The event package holds bound methods weakly: this object must be kept while the socket lives.
        self.ib.client.conn.disconnected += self._on_disconnected
        self.ib.client.conn.hasData += self._on_data

    def _wire(self, emit: Callable[[Message], None]) -> Callable[[Message], None]:
        def on_message(message: Message) -> None:
            if isinstance(message, ErrorMessage):
                self._answer_unkeyed(message)
            emit(message)

        return on_message

    @staticmethod
    def _undecodable(emit: Callable[[Message], None]) -> Callable[[str], None]:
        return lambda text: emit(
            ErrorMessage(
                code=0, text=f"a message of the gateway could not be decoded: {text[:500]}", request=-1
            )
        )

    def _answer_unkeyed(self, error: ErrorMessage) -> None:
        """Fail the queries that this error answers: they have no request id that it could name."""
        if error.request != -1:
            return
        for what, code in UNKEYED.items():
            future = self._unkeyed.get(what)
            if code == error.code and future is not None and not future.done():
                future.set_exception(self.library.RequestError(-1, error.code, error.text))

    def _on_data(self, _: bytes) -> None:
        self.last_data = asyncio.get_running_loop().time()

    def _refuse(self, reason: str) -> None:
        if not self._gone.done():
            self._gone.set_result(reason)

    def _on_disconnected(self, text: str) -> None:
        if not self._gone.done():
            self._gone.set_result("")
        if self._open:
            self._open = False
            self._undecoded.close()
            self._lost(text or "the gateway closed the connection")

    @property
    def is_open(self) -> bool:
        """Whether requests can be sent."""
        return self._open

    async def open(self, host: str, port: int, client_id: int) -> None:
        """Connect, and start the session.

        Raises
        ------
        ConfigError, ServiceUnavailable
            With the reason as far as it shows from outside.
        """
        self.where = f"{host}:{port}"
        self.ib.wrapper.clientId = client_id
        seconds = self.options.connect_timeout_s
        connecting = asyncio.ensure_future(self.ib.client.connectAsync(host, port, client_id, None))
        waiting: set[asyncio.Future[Any]] = {connecting, self._gone}
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        transport = self.ib.client.conn.transport
        if connecting.done() and not connecting.cancelled() and connecting.exception() is None:
            self._open = not self._gone.done()
        if self._open:
            self.accounts = tuple(self.ib.client.getAccounts())
            self.server_version = int(self.ib.client.serverVersion())
            # The message that started the session counts as well.
            self._rate.wait(asyncio.get_running_loop().time())
            return
        error = connecting.exception() if connecting.done() else None
        gone = self._gone.done()
        connecting.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await connecting
        self.close()
        raise self._why(error, seconds, gone=gone, connected=transport is not None)

    def _why(self, error: BaseException | None, seconds: float, *, gone: bool, connected: bool) -> Exception:
        """Reason for a connection that did not open."""
        refused = self._gone.result() if gone else ""
        if refused:
            return ServiceUnavailable(f"{self.where} {refused}")
        errors = [(found.code, found.text) for found in self.tap.errors]
        if gone:
            return failures.closed_at_once(self.where, errors, self.handshake.version > 0)
        if error is not None:
            return failures.cannot_connect(self.where, error)
        had_version = self.handshake.version > 0
        return failures.no_handshake(self.where, seconds, connected=connected, had_version=had_version)

    def close(self) -> None:
        """Close the socket at once; what still waits for an answer is told so. Safe to call again."""
        self._open = False
        self._undecoded.close()
        connection = self.ib.client.conn
        transport = connection.transport
        self._refuse("was closed")
        if self.ib.client.isConnected():
            self.ib.client.disconnect()
        if transport is not None:
            # A plain close would wait for a peer that may be gone.
            transport.abort()

    def check_open(self, what: str) -> None:
        """Raise if requests cannot be sent.

        Raises
        ------
        ServiceUnavailable
        """
        if not self._open:
            raise self.lost(what)

    def lost(self, what: str) -> ServiceUnavailable:
        """The error of a request for which there is no connection any more."""
        return ServiceUnavailable(f"{what}: the connection to {self.where} was lost; wait until it is back")

    async def pace(self) -> None:
        """Wait until one more message may be sent."""
        loop = asyncio.get_running_loop()
        while (delay := self._rate.wait(loop.time())) > 0:
            await asyncio.sleep(delay)

    async def history_turn(self, con_id: int, request: Hashable, *, small: bool) -> None:
        """Wait until a historical request may be sent; `HistoryPacer.done` must follow.

        Raises
        ------
        NoAnswer
            The wait would be longer than an answer may take: too many requests for bars of 30 s or less.
        """
        loop = asyncio.get_running_loop()
        while (delay := self.history.wait(loop.time(), con_id, request, small=small)) > 0:
            if delay > self.options.history_timeout_s:
                raise failures.NoAnswer(
                    f"contract {con_id}: IB takes {self.options.history.per_ten_minutes} requests for bars of 30 s or "
                    f"less in ten minutes, and the next is possible in {delay:.0f} s; subscribe to fewer contracts"
                )
            await asyncio.sleep(delay)

    async def ask(self, what: str, start: Callable[[], Awaitable[Any]], timeout: float | None = None) -> Any:
        """Send a request and wait for the end of its answer.

        Parameters
        ----------
        what : str
            For messages: what is asked.
        start : callable
            Sends the request and returns what to wait for.
        timeout : float, optional
            Seconds; `Options.request_timeout_s` if left out.

        Raises
        ------
        Refused
            The gateway answered with an error.
        NoAnswer
            Nothing came in time.
        ServiceUnavailable
            The connection was lost.
        """
        seconds = timeout or self.options.request_timeout_s
        await self.pace()
        self.check_open(what)
        try:
            future = asyncio.ensure_future(start())
        except ConnectionError:
            raise self.lost(what) from None
        waiting: set[asyncio.Future[Any]] = {future, self._gone}
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not future.done():
            future.cancel()
            if self._gone.done():
                raise self.lost(what)
            raise failures.NoAnswer(
                f"{what}: {self.where} did not answer within {seconds:g} s; look at the gateway's window, "
                "restart it if it hangs"
            )
        try:
            return future.result()
        except self.library.RequestError as error:
            raise failures.Refused(what, error.code, error.message) from None  # type: ignore[attr-defined]
        except ConnectionError:
            raise self.lost(what) from None

    async def ask_alone(self, what: str, start: Callable[[], Awaitable[Any]]) -> Any:
        """Ask a query that has no request id, so that only one of its kind may run at a time."""

        def begin() -> Awaitable[Any]:
            future = asyncio.ensure_future(start())
            self._unkeyed[what] = future
            return future

        async with self._locks[what]:
            try:
                return await self.ask(what, begin)
            finally:
                self._unkeyed.pop(what, None)

    def new_request(self, contract: Any = None) -> tuple[int, asyncio.Future[Any]]:
        """A request id, and the future that its answer completes."""
        request = int(self.ib.client.getReqId())
        return request, self.ib.wrapper.startReq(request, contract)

    async def server_time(self) -> dt.datetime:
        """The gateway's clock, UTC, whole seconds."""
        found = await self.ask_alone("server time", self.ib.reqCurrentTimeAsync)
        return found.astimezone(dt.UTC)  # type: ignore[no-any-return]
