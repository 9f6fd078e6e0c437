"""Blocks of points: how large, in which order, how many at a time, what a failure leaves."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares7 import search
from ares7.batch import Curves, market
from ares7.batch_figures import EquityFigures
from ares7.book import planned
from ares7.config import AccountConfig
from ares7.costs import BpsCosts
from ares7.search import BLOCK_BYTES, BLOCK_CELLS, FEW, Bench, block_points, evaluate, run_search
from ares7.stages import stage
from strategies import registry
from tests.contracts import panels


@given(
    st.integers(2, 10_000), st.integers(1, 5_000), st.integers(1, 10_000_000), st.sampled_from([1, 2, 8, 64])
)
def test_blocks_are_bounded_in_memory_and_in_time(sessions, names, count, workers):
    size = block_points(sessions, names, count, workers)
    assert size >= 1
    assert size == 1 or size * sessions * 8 <= BLOCK_BYTES
    assert size == 1 or size * sessions * names <= BLOCK_CELLS
    assert size <= count


@pytest.mark.parametrize(
    ("count", "workers", "wanted"),
    [
        (1, 2, 1),
        (FEW - 1, 2, FEW - 1),
        (45, 2, 23),
        (64, 2, 32),
        (504, 2, 63),
        (504, 1, 126),
        (100_000, 2, 1048),
    ],
)
def test_blocks_of_a_hundred_names_and_sixteen_years(count, workers, wanted):
    assert block_points(4000, 100, count, workers) == wanted


def test_few_points_are_one_block_for_one_thread():
    assert block_points(4000, 100, FEW - 1, 8) == FEW - 1


def test_a_large_market_gets_small_blocks():
    assert block_points(5040, 3000, 100_000, 2) == 66


class Slow:
    """A task whose first block takes longest; remembers how many ran at once."""

    def __init__(self) -> None:
        self.lock, self.now, self.most = threading.Lock(), 0, 0

    def __call__(self, first: int, points: Any) -> Any:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.03 if first == 0 else 0.001)
        with self.lock:
            self.now -= 1
        return SimpleNamespace(first=first)


def test_blocks_are_kept_in_their_order_whichever_is_finished_first():
    kept: list[int] = []
    with ThreadPoolExecutor(4) as pool:
        blocks = ((i, [i]) for i in range(20))
        run_search(Slow(), blocks, pool, in_flight=8, keep=lambda block: kept.append(block.first))
    assert kept == list(range(20))


def test_no_more_blocks_are_out_than_allowed():
    out, most = 0, 0

    def blocks():
        nonlocal out, most
        for i in range(30):
            out += 1
            most = max(most, out)
            yield i, [i]

    def keep(block: Any) -> None:
        nonlocal out
        out -= 1

    with ThreadPoolExecutor(2) as pool:
        run_search(Slow(), blocks(), pool, in_flight=4, keep=keep)
    assert most <= 4
    assert out == 0


def test_a_failing_block_ends_the_search_after_the_blocks_before_it():
    kept: list[int] = []

    def task(first: int, points: Any) -> Any:
        if first == 3:
            raise ValueError("block 3")
        return SimpleNamespace(first=first)

    submitted = iter(range(1000))
    blocks = ((i, [i]) for i in submitted)
    with ThreadPoolExecutor(2) as pool, pytest.raises(ValueError, match="block 3"):
        run_search(task, blocks, pool, in_flight=4, keep=lambda block: kept.append(block.first))
    assert kept == [0, 1, 2]
    assert next(submitted) < 12


def test_ctrl_c_while_waiting_drops_what_has_not_begun():
    started: list[int] = []

    def task(first: int, points: Any) -> Any:
        started.append(first)
        return SimpleNamespace(first=first)

    def keep(block: Any) -> None:
        raise KeyboardInterrupt

    with ThreadPoolExecutor(1) as pool, pytest.raises(KeyboardInterrupt):
        run_search(task, ((i, [i]) for i in range(100)), pool, in_flight=4, keep=keep)
    assert len(started) <= 4


def test_while_nothing_comes_somebody_asks_whether_it_still_can(monkeypatch):
    monkeypatch.setattr(search, "PATIENCE", 0.005)

    def gone() -> None:
        raise ConnectionError("nobody is there")

    with ThreadPoolExecutor(1) as pool, pytest.raises(ConnectionError, match="nobody"):
        run_search(Slow(), iter([(0, [0])]), pool, in_flight=2, keep=lambda block: None, alive=gone)


def test_a_search_of_no_blocks_is_no_error():
    with ThreadPoolExecutor(1) as pool:
        run_search(Slow(), iter([]), pool, in_flight=2, keep=lambda block: None)


def bench() -> Bench:
    strategy = registry.resolve("quality_momentum")
    place = market(panels.market(), account=AccountConfig(), costs=BpsCosts(bps=10))
    windows = (slice(0, 300), slice(300, 500))
    return Bench(place, strategy.plan, windows, np.linspace(1e6, 2e6, len(place.dates)), 0.0)


def tilts(count: int) -> list[Any]:
    return [registry.resolve("quality_momentum").Params(tilt_per_name=0.01 + 0.001 * i) for i in range(count)]


def test_a_block_whose_sleeves_do_not_fit_is_run_in_portions_with_the_same_result(monkeypatch):
    whole = evaluate(bench(), 5, tilts(6))
    monkeypatch.setattr(search, "SLEEVE_BYTES", 1)
    parts = evaluate(bench(), 5, tilts(6))
    assert parts.first == whole.first == 5
    for column in fields(Curves):
        assert np.array_equal(getattr(parts.curves, column.name), getattr(whole.curves, column.name))
    for column in fields(EquityFigures):
        a, b = getattr(parts.figures, column.name), getattr(whole.figures, column.name)
        assert np.array_equal(a, b, equal_nan=True)


def test_portions_hold_no_more_sleeves_than_fit(monkeypatch):
    sizes: list[int] = []
    run_plans = search.run_plans

    def counting(place: Any, plans: Any) -> Any:
        sizes.append(len({id(sleeve) for plan in plans for sleeve in plan.sleeves.values()}))
        return run_plans(place, plans)

    table = 8 * int((panels.market().month_end).sum()) * panels.market().shape[1]
    monkeypatch.setattr(search, "SLEEVE_BYTES", 2 * table)
    evaluate(replace(bench(), run=counting), 0, tilts(7))
    assert sum(sizes) >= 7
    assert max(sizes) <= 4


def test_stages_are_remembered_within_their_room_only(monkeypatch):
    place = bench()
    panel = place.market.panel
    table = 8 * int(panel.month_end.sum()) * panel.shape[1]
    monkeypatch.setattr(search, "STAGE_BYTES", 5 * table)
    evaluate(place, 0, tilts(12))
    assert max(place.memo.computed.values()) == 5


def test_a_strategy_without_stages_runs_point_by_point():
    panel = panels.market()
    strategy = registry.resolve("equal_weight")

    @stage()
    def nothing(panel: Any, params: Any) -> None:
        """Unused."""

    place = market(panel, account=AccountConfig(), costs=BpsCosts(bps=10))
    bench = Bench(
        place,
        lambda panel, params, memo: planned(panel, strategy.weights(panel, params)),
        (),
        np.ones(len(place.dates)),
        0.0,
    )
    found = evaluate(bench, 0, [strategy.Params(gross=gross) for gross in (0.5, 0.98)])
    assert found.curves.nav.shape == (2, len(place.dates))
    assert not np.array_equal(*found.curves.nav)
