"""The thread that owns the event loop, and with it the connection. Other threads hand it coroutines."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ares7.errors import ServiceUnavailable

T = TypeVar("T")
LOOKUP_S = 1.0


class LoopThread:
    """An event loop in a thread of its own.

    Everything of the client library is imported, made and used in this thread: its objects are not safe in
    any other. `run` is the only way in, and it always comes back.

    Parameters
    ----------
    name : str
        Of the thread.
    """

    def __init__(self, name: str = "ib-loop") -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether the loop accepts coroutines."""
        return self._loop is not None

    def start(self, timeout: float = 5.0) -> None:
        """Start the thread and wait until its loop runs."""
        if self._thread is not None:
            return
        ready = threading.Event()
        # A daemon, so that a loop which hangs in spite of everything cannot keep the process alive.
        self._thread = threading.Thread(target=self._main, args=(ready,), name=self._name, daemon=True)
        self._thread.start()
        if not ready.wait(timeout):
            raise ServiceUnavailable(
                f"the event loop did not start within {timeout:g} s; the machine is overloaded"
            )

    def _main(self, ready: threading.Event) -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        # Names of hosts are looked up in a thread; ours, so that it can be ended.
        lookup = concurrent.futures.ThreadPoolExecutor(1, f"{self._name}-lookup")
        loop.set_default_executor(lookup)
        self._loop = loop
        loop.call_soon(ready.set)
        try:
            loop.run_forever()
        finally:
            self._loop = None
            self._finish(loop)
            # A look-up cannot be interrupted: wait for it a moment, no longer.
            ending = threading.Thread(target=lookup.shutdown, daemon=True)
            ending.start()
            ending.join(LOOKUP_S)
            asyncio.set_event_loop(None)
            loop.close()

    @staticmethod
    def _finish(loop: asyncio.AbstractEventLoop) -> None:
        """Cancel what still runs, and let transports close their sockets."""
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_asyncgens())

    def run(self, work: Coroutine[Any, Any, T], timeout: float) -> T:
        """Run a coroutine in the loop and wait for its result.

        Parameters
        ----------
        work : coroutine
        timeout : float
            Seconds to wait; afterwards the coroutine is cancelled.

        Raises
        ------
        ServiceUnavailable
            The loop is not running, or the time ran out.
        RuntimeError
            Called in the loop's own thread, where waiting would never end.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("LoopThread.run was called in its own thread; await the coroutine there")
        loop = self._loop
        if loop is None:
            work.close()
            raise ServiceUnavailable("the connection was not started, or it was stopped; call start first")
        try:
            future = asyncio.run_coroutine_threadsafe(work, loop)
        except RuntimeError:
            work.close()
            raise ServiceUnavailable("the connection was stopped") from None
        try:
            return future.result(timeout)
        except KeyboardInterrupt:
            future.cancel()
            raise
        except concurrent.futures.CancelledError:
            raise ServiceUnavailable("the connection was stopped while a request was running") from None
        except TimeoutError:
            if future.done() and not future.cancelled():
                raise
            future.cancel()
            raise ServiceUnavailable(
                f"the event loop did not finish a request within {timeout:g} s"
            ) from None

    def call_soon(self, function: Callable[[], Any]) -> None:
        """Run a function in the loop, without waiting; nothing happens when the loop is gone."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(function)

    def stop(self, timeout: float = 5.0) -> bool:
        """Stop the loop and wait for its thread. True if the thread ended; safe to call again."""
        thread, loop = self._thread, self._loop
        if thread is None:
            return True
        if loop is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout)
        if thread.is_alive():
            return False
        self._thread = None
        return True
