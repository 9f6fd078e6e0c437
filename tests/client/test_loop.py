"""The loop's thread takes coroutines from others, always answers in time, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ares7.errors import ServiceUnavailable
from live.client.loop import LoopThread


@pytest.fixture
def loop():
    thread = LoopThread("test-loop")
    thread.start()
    yield thread
    assert thread.stop()


def test_a_coroutine_runs_in_the_loops_own_thread(loop):
    async def name():
        return threading.current_thread().name

    assert loop.run(name(), 1.0) == "test-loop"


def test_an_exception_comes_back_to_the_caller(loop):
    async def fail():
        raise KeyError("x")

    with pytest.raises(KeyError):
        loop.run(fail(), 1.0)


def test_a_timeout_of_the_coroutine_itself_is_not_taken_for_ours(loop):
    async def own_timeout():
        raise TimeoutError("inside")

    with pytest.raises(TimeoutError, match="inside"):
        loop.run(own_timeout(), 1.0)


def test_a_coroutine_that_takes_too_long_is_cancelled(loop):
    cancelled = threading.Event()

    async def slow():
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    with pytest.raises(ServiceUnavailable, match=r"within 0\.05 s"):
        loop.run(slow(), 0.05)
    assert cancelled.wait(1.0)


def test_waiting_in_the_loops_own_thread_is_refused_and_does_not_hang(loop):
    async def inside():
        async def nothing():
            pass

        loop.run(nothing(), 1.0)

    with pytest.raises(RuntimeError, match="its own thread"):
        loop.run(inside(), 1.0)


def test_nothing_runs_before_the_start_or_after_the_stop():
    thread = LoopThread()

    async def nothing():
        pass

    with pytest.raises(ServiceUnavailable, match="call start first"):
        thread.run(nothing(), 1.0)
    thread.start()
    thread.start()
    assert thread.stop()
    assert thread.stop()
    with pytest.raises(ServiceUnavailable):
        thread.run(nothing(), 1.0)
    thread.call_soon(lambda: None)


def test_a_stop_while_another_thread_waits_frees_that_thread():
    thread, found = LoopThread(), []
    thread.start()

    async def forever():
        await asyncio.sleep(60)

    def wait():
        try:
            thread.run(forever(), 30.0)
        except ServiceUnavailable as error:
            found.append(str(error))

    waiting = threading.Thread(target=wait)
    waiting.start()
    while not thread.run(_count(), 1.0):
        pass
    assert thread.stop()
    waiting.join(2.0)
    assert not waiting.is_alive()
    assert "stopped" in found[0]


async def _count():
    return len(asyncio.all_tasks()) > 1
