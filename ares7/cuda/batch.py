"""`ares7.batch` on a CUDA device: the same plans, the same curves to 1e-10, the same close calls handed back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from ares7.arrays import AnyArray, Float2D, Int1D
from ares7.batch import Curves, Market, finished, joined, lay_out
from ares7.batch_kernel import Book, Tape
from ares7.book import Plan, Sleeve
from ares7.cuda.batch_kernel import LANES, THREADS, run_points
from ares7.cuda.device import cuda, free_bytes, require_device, require_room, simulated

CURVE_BYTES = 256 * 2**20
"""Room of the curves and desks of one launch; two are in flight."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How a kernel is started.

    Attributes
    ----------
    threads, lanes : int
        `ares7.cuda.batch_kernel.run_points`.
    blocks : int
        The fewest blocks of a launch; those without a point return at once. numba warns of fewer than 128.
    points : int or None
        The most points of a launch; None: what fits into `CURVE_BYTES`.
    """

    threads: int = THREADS
    lanes: int = LANES
    blocks: int = 128
    points: int | None = None


def _launch() -> Launch:
    # The simulator's threads are the interpreter's, which runs one at a time.
    return Launch(threads=4, lanes=2, blocks=1) if simulated() else Launch()


class DeviceMarket:
    """A market whose arrays lie on the device, for any number of calls.

    Threads may share it; they take turns.

    Parameters
    ----------
    market : Market
    launch : Launch

    Raises
    ------
    ServiceUnavailable
        There is no device.
    ConfigError
        The market does not fit into the device's memory.
    """

    def __init__(self, market: Market, launch: Launch | None = None) -> None:
        require_device()
        self.market, self.launch = market, _launch() if launch is None else launch
        tape = market.tape
        require_room(sum(values.nbytes for values in tape), "the market")
        self._tape = Tape(*(cuda.to_device(np.ascontiguousarray(values)) for values in tape))
        self._sleeves: dict[int, tuple[Sleeve, int]] = {}
        self._pool: Any = None
        self._lock = Lock()
        self._buffers: list[_Buffers] = []

    def run(self, plans: Sequence[Plan]) -> Curves:
        """Run plans; the contract is that of `ares7.batch.run_plans`."""
        sessions = len(self.market.tape.close)
        nav, totals = np.empty((len(plans), sessions)), np.empty((len(plans), 4))
        if len(plans):
            with self._lock:
                self._run(lay_out(self.market, plans, self._rows), nav, totals)
        return finished(self.market, plans, nav, totals)

    def _rows(self, sleeves: Sequence[Sleeve]) -> tuple[AnyArray, Int1D]:
        """Pool on the device; sleeves that are all there already are not sent again."""
        if self._pool is None or any(id(sleeve) not in self._sleeves for sleeve in sleeves):
            rows, begin = joined(sleeves)
            self._pool = None
            require_room(rows.nbytes, "the sleeves of a block of points")
            self._pool = cuda.to_device(np.ascontiguousarray(rows))
            # The sleeve is kept beside its number: as long as it lives, no other can have its id.
            self._sleeves = {id(s): (s, int(at)) for s, at in zip(sleeves, begin, strict=True)}
        return self._pool, np.array([self._sleeves[id(s)][1] for s in sleeves], dtype=np.int64)

    def _run(self, book: Book, nav: Float2D, totals: Float2D) -> None:
        """Launch block after block on two streams: while one computes, the other's curves come back."""
        require_room(sum(v.nbytes for v in book if v is not book.pool), "the decisions of a block of points")
        there = Book(*(v if v is book.pool else cuda.to_device(np.ascontiguousarray(v)) for v in book))
        size = min(self._size(), len(nav))
        if not self._buffers or len(self._buffers[0].nav) < size:
            self._buffers = []
            self._buffers = [
                _Buffers(size, *self.market.tape.close.shape) for _ in range(2 if len(nav) > size else 1)
            ]
        for i, first in enumerate(range(0, len(nav), size)):
            buffers = self._buffers[i % len(self._buffers)]
            buffers.collect(nav, totals)
            buffers.start(self, there, first, min(size, len(nav) - first))
        for buffers in self._buffers:
            buffers.collect(nav, totals)

    def _size(self) -> int:
        """Points of one launch."""
        if self.launch.points is not None:
            return self.launch.points
        room = min(CURVE_BYTES, free_bytes() / 4)
        sessions, names = self.market.tape.close.shape
        return max(1, int(room / (8 * (sessions + 2 * names + 4))))


class _Buffers:
    """A stream with room for the points of one launch, on the device and, pinned, beside it."""

    def __init__(self, points: int, sessions: int, names: int) -> None:
        self.stream = cuda.stream()
        self.nav = cuda.device_array((points, sessions))
        self.totals = cuda.device_array((points, 4))
        self.desks = cuda.device_array((points, 2, names))
        self.near_nav = cuda.pinned_array((points, sessions))
        self.near_totals = cuda.pinned_array((points, 4))
        self.rows = slice(0, 0)

    def start(self, owner: DeviceMarket, book: Book, first: int, count: int) -> None:
        """Compute ``count`` points and copy them back, without waiting."""
        market, launch = owner.market, owner.launch
        run_points[max(count, launch.blocks), launch.threads, self.stream](
            owner._tape, book, self.desks, first, count, launch.lanes,
            float(market.account.cash), market.terms, market.rules, self.nav, self.totals,
        )  # fmt: skip
        self.nav[:count].copy_to_host(self.near_nav[:count], stream=self.stream)
        self.totals[:count].copy_to_host(self.near_totals[:count], stream=self.stream)
        self.rows = slice(first, first + count)

    def collect(self, nav: Float2D, totals: Float2D) -> None:
        """Wait for what was started and hand it over."""
        if self.rows.stop == self.rows.start:
            return
        self.stream.synchronize()
        count = self.rows.stop - self.rows.start
        nav[self.rows], totals[self.rows] = self.near_nav[:count], self.near_totals[:count]
        self.rows = slice(0, 0)


_latest: list[DeviceMarket] = []
_guard = Lock()


def run_plans_on_device(market: Market, plans: Sequence[Plan]) -> Curves:
    """Run plans on the CUDA device.

    The market is sent to the device once, and stays there until another one is asked for.

    Parameters
    ----------
    market : Market
    plans : sequence of Plan
        As in `ares7.batch.run_plans`; thousands keep a device busy, dozens do not.

    Returns
    -------
    Curves
        Equal to those of `ares7.batch.run_plans` to 1e-10; points with close calls are run by `ares7.simulate`.

    Raises
    ------
    ServiceUnavailable
        There is no device.
    ConfigError
        Market or sleeves do not fit into its memory.
    """
    with _guard:
        if not _latest or _latest[0].market is not market:
            _latest.clear()
            _latest.append(DeviceMarket(market))
        device = _latest[0]
    return device.run(plans)
