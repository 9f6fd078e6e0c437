"""A gateway in a thread of its own, and what a test does to it from outside."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from ares7.errors import ServiceUnavailable
from live.double.book import Book, book
from live.double.clock import local, moment
from live.double.history import History
from live.double.knobs import Knobs
from live.double.recorder import Recorder
from live.double.server import HOST, Gateway
from live.double.settings import Settings

T = TypeVar("T")
POLL = 0.002
PATIENCE = 30.0
"""Real seconds after which a call to the gateway's thread is given up."""


class Control:
    """Steps the clock of a gateway, makes things happen, and reads its books. Safe from any thread.

    Every public method of `live.double.actions.Actions` is one of this object too: ``control.drop()``,
    ``control.split("AAPL", 4)``.

    Parameters
    ----------
    gateway : Gateway
        Started.
    loop : asyncio event loop
        The one it runs in.
    """

    def __init__(self, gateway: Gateway, loop: asyncio.AbstractEventLoop) -> None:
        self._gateway, self._loop = gateway, loop
        self.host = HOST

    @property
    def port(self) -> int:
        """Port it listens on."""
        return self._gateway.port

    @property
    def account(self) -> str:
        """Its first account."""
        return next(iter(self._gateway.engine.accounts))

    @property
    def recorder(self) -> Recorder:
        """Every message so far."""
        return self._gateway.recorder

    def call(self, work: Callable[[Gateway], T]) -> T:
        """Run a function of the gateway in its thread and wait for what it returns."""
        try:
            inside = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            inside = False
        if inside:
            return self._do(work)
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(self._do(work))
            except BaseException as error:
                done.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return done.result(PATIENCE)

    def _do(self, work: Callable[[Gateway], T]) -> T:
        result = work(self._gateway)
        # A test may go on as soon as this returns: what was done must be on the wire by then.
        self._gateway.flush()
        return result

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """A deed of `Actions`, in the gateway's thread."""
        if name.startswith("_") or not hasattr(self._gateway.actions, name):
            raise AttributeError(name)
        return lambda *args, **kwargs: self.call(
            lambda gateway: getattr(gateway.actions, name)(*args, **kwargs)
        )

    # Time.

    @property
    def now(self) -> str:
        """Virtual time in New York, ``2024-01-03 09:30:00``."""
        return f"{local(self.call(lambda gateway: gateway.clock.now)):%Y-%m-%d %H:%M:%S}"

    def advance(self, seconds: float) -> None:
        """Let so many virtual seconds pass."""
        self.call(lambda gateway: gateway.advance(gateway.clock.now + seconds))

    def advance_to(self, when: str) -> None:
        """Let time pass until ``2024-01-03 09:30`` in New York; what is due at that second has happened."""
        self.call(lambda gateway: gateway.advance(moment(when)))

    def next_session(self) -> str:
        """Go to the next opening; its date."""

        def go(gateway: Gateway) -> str:
            session = gateway.calendar.coming(gateway.clock.now)
            if session.opens <= gateway.clock.now:
                session = gateway.calendar.after(session)
            gateway.advance(session.opens)
            return str(session.date)

        return self.call(go)

    def end_session(self, minutes_after: float = 0.0) -> str:
        """Go to the close of the session that is open or comes next, and some minutes on; its date."""

        def go(gateway: Gateway) -> str:
            session = gateway.calendar.coming(gateway.clock.now)
            gateway.advance(session.closes + 60.0 * minutes_after)
            return str(session.date)

        return self.call(go)

    def wait_for(self, name: str, count: int = 1, *, way: str = "in", seconds: float = 5.0) -> None:
        """Wait until so many messages of a name were seen since the start, so that time moves only after them.

        Raises
        ------
        ServiceUnavailable
            They did not come within so many real seconds.
        """
        until = time.monotonic() + seconds
        while (seen := self.recorder.count(name, way)) < count:
            if time.monotonic() > until:
                raise ServiceUnavailable(
                    f"the gateway saw {seen} of {count} messages {name} ({way}) within {seconds:g} s; the client did "
                    "not send them, or a fault took them"
                )
            time.sleep(POLL)

    # Books.

    def book(self) -> Book:
        """What the gateway's books say now."""
        return self.call(book)

    def connections(self) -> list[int]:
        """Client ids that are connected."""
        return self.call(lambda gateway: [s.client for s in gateway.sessions if s.ready])


@contextmanager
def running(
    history: History,
    settings: Settings | None = None,
    knobs: Knobs | None = None,
    script: Sequence[Mapping[str, Any]] = (),
) -> Iterator[Control]:
    """Run a gateway in a thread; yields its control. No thread and no socket is left afterwards.

    Raises
    ------
    ServiceUnavailable
        The port is in use.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=_serve, args=(loop,), name="gateway-double", daemon=True)
    thread.start()
    try:
        # The parts are made in the thread that will own them.
        started = asyncio.run_coroutine_threadsafe(_started(history, settings, knobs, script), loop)
        gateway = started.result(PATIENCE)
        try:
            yield Control(gateway, loop)
        finally:
            asyncio.run_coroutine_threadsafe(gateway.stop(), loop).result(PATIENCE)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)


async def _started(
    history: History, settings: Settings | None, knobs: Knobs | None, script: Sequence[Mapping[str, Any]]
) -> Gateway:
    gateway = Gateway(history, settings, knobs, script)
    await gateway.start()
    return gateway


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
