"""Thousands of points on one market: cut into blocks, spread over an executor, kept as they come.

The executor is anything with the interface of `concurrent.futures.Executor`: threads (the kernels run without
the interpreter's lock), processes, or a Dask client's. What a block gives is written down before the next one is
waited for, so that whatever ends a search leaves the finished blocks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import numpy as np
from pydantic import BaseModel

from ares7.arrays import Float1D
from ares7.batch import Curves, Market, run_plans
from ares7.batch_figures import EquityFigures, equity_figures, joined
from ares7.book import Plan
from ares7.panel import Panel
from ares7.stages import Memo, Remembered

FEW = 16
"""So few points run on one thread: they take milliseconds, and a busy neighbour of a second thread takes more."""
BLOCK_BYTES = 32 * 2**20
"""Room that the curves of one block may take."""
BLOCK_CELLS = 10**9
"""Sessions x names x points of one block at most: about a second of work, which is what a kill loses."""
FULL_BLOCK = 32
"""Points that are worth a block of their own, if every worker gets one."""
SLEEVE_BYTES = 32 * 2**20
"""Room that a block's own sleeves may take; a block that needs more is run in portions."""
STAGE_BYTES = 128 * 2**20
"""Room for the remembered values of each stage, if each is a table of month ends x names."""
KEPT_STAGES = 4, 4096
"""At least and at most so many values of each stage are remembered."""
PATIENCE = 2.0
"""Seconds without a result after which somebody asks whether the workers are still there."""


class PlanOf(Protocol):
    """How a strategy's parameters become a plan."""

    def __call__(self, panel: Panel, params: Any, memo: Memo) -> Plan:
        """Return the plan of a point."""


@dataclass(frozen=True, slots=True)
class Bench:
    """All that evaluating a point needs; one in each process, shared by its threads.

    Attributes
    ----------
    market : Market
    plan : callable
    windows : tuple of slice
        Rows of returns that figures are taken over (`ares7.point_figures.PointWindows.slices`).
    baseline_nav : (S,) USD
    risk_free : float, annual
    memo : Memo
        Shared stages.
    run : callable
        ``run(market, plans)``: `ares7.batch.run_plans`, or its twin on a device.
    """

    market: Market
    plan: PlanOf
    windows: tuple[slice, ...]
    baseline_nav: Float1D
    risk_free: float
    memo: Remembered = field(default_factory=Remembered)
    run: Callable[[Market, Sequence[Plan]], Curves] = run_plans


@dataclass(frozen=True, slots=True)
class Block:
    """What some consecutive points gave."""

    first: int
    curves: Curves
    figures: EquityFigures


def evaluate(bench: Bench, first: int, points: Sequence[BaseModel]) -> Block:
    """Run the points whose numbers begin at ``first`` on this thread."""
    kept = _kept_stages(bench.market)
    parts, figures = [], []
    for plans in _portions(bench, points):
        curves = bench.run(bench.market, plans)
        bench.memo.trim(kept)
        parts.append(curves)
        figures.append(equity_figures(curves.nav, bench.windows, bench.baseline_nav, bench.risk_free))
    if len(parts) == 1:
        return Block(first, parts[0], figures[0])
    names = [column.name for column in fields(Curves)]
    curves = Curves(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
    return Block(first, curves, joined(figures))


def _portions(bench: Bench, points: Sequence[BaseModel]) -> Iterator[list[Plan]]:
    """Plans of a block, in portions whose sleeves fit into `SLEEVE_BYTES`; points mostly share theirs."""
    plans: list[Plan] = []
    seen: set[int] = set()
    room = SLEEVE_BYTES
    for params in points:
        plan = bench.plan(bench.market.panel, params, bench.memo)
        plans.append(plan)
        if plan.tilt is not None:
            room -= plan.tilt.nbytes
        for sleeve in plan.sleeves.values():
            if id(sleeve) not in seen:
                seen.add(id(sleeve))
                room -= sleeve.weights.nbytes
        if room < 0:
            yield plans
            plans, seen, room = [], set(), SLEEVE_BYTES
    if plans:
        yield plans


def _kept_stages(market: Market) -> int:
    table = 8 * max(int(market.panel.month_end.sum()), 1) * market.panel.shape[1]
    least, most = KEPT_STAGES
    return min(max(STAGE_BYTES // table, least), most)


def block_points(sessions: int, names: int, count: int, workers: int) -> int:
    """Return how many points make a block.

    Parameters
    ----------
    sessions, names : int
        Of the market.
    count : int
        Points to run.
    workers : int
        Blocks that run at a time.

    Returns
    -------
    int
        At least 1. Few points are one block; more are some four blocks a worker, but no block is so small that
        writing it down costs more than running it, nor so large that it holds `BLOCK_BYTES` of curves or runs
        longer than a second or so.
    """
    share = count if count < FEW else -(-count // workers)
    wanted = share if share <= FULL_BLOCK else max(-(-share // 4), FULL_BLOCK)
    return max(1, min(wanted, BLOCK_BYTES // (8 * sessions), BLOCK_CELLS // (sessions * names)))


def run_search(
    task: Callable[[int, Any], Block],
    blocks: Iterator[tuple[int, Any]],
    executor: Executor,
    *,
    in_flight: int,
    keep: Callable[[Block], None],
    alive: Callable[[], None] = lambda: None,
) -> None:
    """Run blocks on an executor and keep each, in their order, so that what is written down has one order too.

    Parameters
    ----------
    task : callable
        ``task(first, points)``; whatever it raises ends the search.
    blocks : iterator of (first, points)
    in_flight : int
        Blocks that are handed out at a time; bounds the memory.
    keep : callable
        Writes a block down; called from this thread.
    alive : callable
        Called after every `PATIENCE` seconds of waiting; raises where no result can come any more.
    """
    waiting: deque[Future[Block]] = deque()
    try:
        for first, points in blocks:
            waiting.append(executor.submit(task, first, points))
            if len(waiting) >= in_flight:
                keep(_result(waiting, alive))
        while waiting:
            keep(_result(waiting, alive))
    finally:
        for future in waiting:
            future.cancel()


def _result(waiting: deque[Future[Block]], alive: Callable[[], None]) -> Block:
    while not wait([waiting[0]], timeout=PATIENCE).done:
        alive()
    return waiting.popleft().result()
