"""Stages and the memo that remembers them: once a value, whoever asks, and never a wrong one."""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from ares7.stages import Remembered, compute, stage


class Mood(BaseModel):
    model_config = ConfigDict(frozen=True)
    heat: float = 0.0


class Params(BaseModel):
    model_config = ConfigDict(frozen=True)
    a: int = 1
    b: int = 2
    table: dict[str, Mood] = {}

    @property
    def total(self) -> int:
        return self.a + self.b


class Counting:
    """Counts calls, which may be slow, or fail at first."""

    def __init__(self, seconds: float = 0.0, failures: int = 0) -> None:
        self.calls, self.seconds, self.failures = 0, seconds, failures

    def __call__(self) -> None:
        self.calls += 1
        time.sleep(self.seconds)
        if self.calls <= self.failures:
            raise ValueError("not yet")


def counted(counting: Counting, *reads: str) -> Any:
    @stage(*reads)
    def part(panel: Any, params: Params) -> tuple[Any, ...]:
        """What it read."""
        counting()
        return tuple(getattr(params, name) for name in reads)

    return part


def test_a_value_is_computed_once_for_equal_fields_and_again_for_others():
    counting, memo = Counting(), Remembered()
    part = counted(counting, "a")
    values = [memo(part, None, Params(a=a, b=b)) for a in (1, 2) for b in (3, 4)]
    assert values == [(1,), (1,), (2,), (2,)]
    assert counting.calls == 2
    assert values[0] is values[1]


def test_a_property_may_be_declared():
    counting, memo = Counting(), Remembered()
    part = counted(counting, "total")
    assert [memo(part, None, Params(a=a, b=3 - a)) for a in (0, 1, 2)] == [(3,)] * 3
    assert counting.calls == 1


def test_a_dict_of_models_makes_a_key():
    memo, part = Remembered(), counted(Counting(), "table")
    one = memo(part, None, Params(table={"x": Mood(), "y": Mood(heat=1)}))
    same = memo(part, None, Params(table={"y": Mood(heat=1), "x": Mood()}))
    other = memo(part, None, Params(table={"x": Mood(heat=1), "y": Mood()}))
    assert one is same
    assert other is not one


def test_two_stages_with_the_same_reads_are_kept_apart():
    @stage("a")
    def first(panel: Any, params: Params) -> str:
        return f"first {params.a}"

    @stage("a")
    def second(panel: Any, params: Params) -> str:
        return f"second {params.a}"

    memo = Remembered()
    assert (memo(first, None, Params()), memo(second, None, Params())) == ("first 1", "second 1")


def test_a_stage_that_uses_another_depends_on_what_that_one_reads():
    counting = Counting()
    inner = counted(counting, "a")

    @stage("b", uses=(inner,))
    def outer(panel: Any, params: Params, memo: Any) -> tuple[Any, ...]:
        return (*memo(inner, panel, params), params.b)

    memo = Remembered()
    assert [memo(outer, None, Params(a=a, b=b)) for a in (1, 2) for b in (3, 4)] == [
        (1, 3),
        (1, 4),
        (2, 3),
        (2, 4),
    ]
    assert counting.calls == 2
    assert outer.reads == ("b", "a")


def test_by_itself_a_stage_is_the_function_that_it_was():
    counting = Counting()
    part = counted(counting, "a")
    assert part(None, Params(a=5)) == compute(part, None, Params(a=5)) == (5,)
    assert counting.calls == 2
    assert part.__doc__ == "What it read."


@pytest.mark.parametrize("threads", [2, 8])
def test_threads_that_ask_together_compute_once(threads):
    counting, memo = Counting(seconds=0.05), Remembered()
    part = counted(counting, "a")
    gate = threading.Barrier(threads)

    def ask(_: int) -> Any:
        gate.wait()
        return memo(part, None, Params())

    with ThreadPoolExecutor(threads) as pool:
        values = list(pool.map(ask, range(threads)))
    assert counting.calls == 1
    assert all(value is values[0] for value in values)


def test_threads_that_ask_for_different_values_do_not_wait_for_each_other():
    memo = Remembered()
    gate = threading.Barrier(2, timeout=5)

    @stage("a")
    def part(panel: Any, params: Params) -> int:
        gate.wait()  # passes only if both are inside at once
        return params.a

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda a: memo(part, None, Params(a=a)), (1, 2))) == [1, 2]


def test_a_failure_is_raised_to_whoever_asked_and_not_remembered():
    counting, memo = Counting(failures=1), Remembered()
    part = counted(counting, "a")
    with pytest.raises(ValueError, match="not yet"):
        memo(part, None, Params())
    assert memo(part, None, Params()) == (1,)
    assert counting.calls == 2


def test_trimming_keeps_the_latest_values_of_each_stage():
    memo, one, two = Remembered(), counted(Counting(), "a"), counted(Counting(), "b")
    two.name = "two"
    for i in range(6):
        memo(one, None, Params(a=i))
    memo(two, None, Params())
    memo.trim(4)
    assert memo.computed == {one.name: 4, "two": 1}
    kept = memo(one, None, Params(a=5))
    memo.trim(4)
    assert memo(one, None, Params(a=5)) is kept


def test_threads_may_ask_while_another_one_trims():
    memo, part = Remembered(), counted(Counting(), "a")
    stop = threading.Event()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)

    def trim() -> None:
        while not stop.is_set():
            memo.trim(1)

    def ask(start: int) -> None:
        for i in range(1500):
            assert memo(part, None, Params(a=(start + i) % 7)) == ((start + i) % 7,)

    try:
        with ThreadPoolExecutor(4) as pool:
            trimming = pool.submit(trim)
            for done in [pool.submit(ask, k) for k in range(3)]:
                done.result()
            stop.set()
            trimming.result()
    finally:
        stop.set()
        sys.setswitchinterval(interval)
