"""Where points are run: threads of this process, processes beside it, or the workers of a Dask scheduler."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ares7.arrays import Float1D
from ares7.batch import market
from ares7.config import AccountConfig
from ares7.costs import CostModel
from ares7.errors import ConfigError, DataError, ServiceUnavailable
from ares7.params import BookParams
from ares7.provenance import code_digest
from ares7.search import Bench, Block, evaluate
from feeds.points import plan_of
from feeds.trial_record import code_of

if TYPE_CHECKING:
    from feeds.searching import Search

ROOT = Path(__file__).resolve().parent.parent
LOADED = code_digest(ROOT)
"""The project's code as it was when this process loaded it; a checkout may change under a running worker."""
MAX_WORKERS = 1024
Task = Callable[[int, Any], Block]
Resolve = Callable[..., type[Any]]
"""``strategies.registry.resolve``: handed in, because this package imports no strategies."""


def nothing_to_check() -> None:
    """Threads and processes say by themselves when they end."""


@dataclass(frozen=True, slots=True)
class Crew:
    """Workers that are ready.

    Attributes
    ----------
    executor : Executor
    task : callable
        What is submitted to it: ``task(first, pack(points))``.
    workers : int
        Blocks that run at a time.
    pack : callable
        What becomes of a block's parameters on their way.
    alive : callable
        Raises where no result can come any more.
    """

    executor: Executor
    task: Task
    workers: int
    pack: Callable[[list[BookParams]], Any] = list
    alive: Callable[[], None] = nothing_to_check


class Place(Protocol):
    """Somewhere to run points."""

    @contextmanager
    def crew(self, search: Search) -> Iterator[Crew]:
        """Yield workers; what they have not begun is dropped when the search ends early."""


@dataclass(frozen=True, slots=True)
class Threads:
    """Threads: the kernels run without the interpreter's lock and share the panel."""

    workers: int

    @contextmanager
    def crew(self, search: Search) -> Iterator[Crew]:
        """Yield the pool."""
        pool = ThreadPoolExecutor(self.workers)
        try:
            yield Crew(pool, partial(evaluate, search.bench), self.workers)
        finally:
            pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True)
class Device:
    """A CUDA device, fed by one thread; points that hold a close call are run here.

    Attributes
    ----------
    swapped : callable
        ``swapped(panel)``: the stages that the device computes instead, by `ares7.cuda.memo.device_stages`.
    """

    swapped: Callable[[Any], Any]

    @contextmanager
    def crew(self, search: Search) -> Iterator[Crew]:
        """Yield the one thread.

        Raises
        ------
        ServiceUnavailable
            There is no device.
        """
        from ares7.cuda.batch import run_plans_on_device
        from ares7.cuda.device import require_device
        from ares7.cuda.memo import DeviceMemo

        require_device()
        memo = DeviceMemo(self.swapped(search.bench.market.panel))
        bench = replace(search.bench, memo=memo, run=run_plans_on_device)
        with ThreadPoolExecutor(1) as pool:
            yield Crew(pool, partial(evaluate, bench), 1)


@dataclass(frozen=True, slots=True)
class Job:
    """Everything another process needs to evaluate points of a search.

    Attributes
    ----------
    folder, key
        Entry of `feeds.cache` that holds the panel, memory-mapped by every process of a machine.
    start : datetime64[D] or None
        First decision session.
    strategy, where
        Name, and folder that relative files resolve against.
    code : tuple of str
        The project's code and that of the strategy where the search was prepared (`LOADED`, `code_of`).
    """

    folder: Path
    key: str
    start: np.datetime64 | None
    resolve: Resolve
    strategy: str
    where: Path
    account: AccountConfig
    costs: CostModel
    windows: tuple[slice, ...]
    baseline_nav: Float1D
    risk_free: float
    code: tuple[str, str]


_BENCHES: dict[str, tuple[Bench, type[BookParams]]] = {}
"""Market and kind of parameters of the search that this process works for."""
_BENCHES_LOCK = Lock()
"""The threads of one worker make one bench between them."""


def evaluate_elsewhere(job: Job, first: int, texts: Sequence[str]) -> Block:
    """Evaluate points in a process that has not loaded the data yet, or has.

    Parameters
    ----------
    texts : sequence of str
        JSON of each point: an object's class may lie in a file that only the strategy's name leads to.

    Raises
    ------
    DataError
        The panel's folder cannot be read here.
    ConfigError
        This process runs other code.
    """
    with _BENCHES_LOCK:
        found = _BENCHES.get(job.key)
        if found is None:
            _BENCHES.clear()
            found = _BENCHES[job.key] = _bench(job)
    bench, model = found
    return evaluate(bench, first, [model.model_validate_json(text) for text in texts])


def _bench(job: Job) -> tuple[Bench, type[BookParams]]:
    from feeds import cache

    strategy = job.resolve(job.strategy, job.where)
    if (LOADED, code_of(strategy)) != job.code:
        raise ConfigError(
            f"a worker runs other code ({LOADED}) than this process ({job.code[0]}), or another file of "
            f"{job.strategy}; update it there and start the worker again"
        )
    stored = cache.load(job.folder, job.key)
    if stored is None:
        raise DataError(
            f"a worker cannot read the panel in {job.folder / job.key}; put data.cache on a folder that every "
            "worker sees under the same path"
        )
    panel = stored[0].starting(job.start)
    place = market(panel, account=job.account, costs=job.costs)
    plan = plan_of(strategy, job.strategy)
    return Bench(place, plan, job.windows, job.baseline_nav, job.risk_free), strategy.Params


@contextmanager
def _shared(search: Search, resolve: Resolve, where: Path) -> Iterator[Job]:
    """Yield the job of a search, its panel written to disk for other processes."""
    from feeds import cache

    bench, config = search.bench, search.config
    panel = bench.market.panel
    folder = search.folder / "shared"
    if not cache.store(folder, search.digest, panel, []):
        raise DataError(
            f"the panel cannot be written to {folder} for other processes; free space or set data.cache"
        )
    try:
        yield Job(
            folder, search.digest, panel.start, resolve, search.points.chosen.name, where, config.account,
            config.costs, bench.windows, bench.baseline_nav, bench.risk_free, (LOADED, search.code),
        )  # fmt: skip
    finally:
        shutil.rmtree(folder / search.digest, ignore_errors=True)


def _leave_interrupts() -> None:
    """Ctrl-C reaches every process of a terminal; the one that keeps the results answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@dataclass(frozen=True, slots=True)
class Processes:
    """Processes of this machine, which map one copy of the panel."""

    workers: int
    resolve: Resolve
    where: Path

    @contextmanager
    def crew(self, search: Search) -> Iterator[Crew]:
        """Yield the pool.

        Raises
        ------
        ServiceUnavailable
            A process was ended from outside.
        """
        with _shared(search, self.resolve, self.where) as job:
            # Spawned: a forked copy of a process whose threads hold locks may wait for them for ever.
            pool = ProcessPoolExecutor(self.workers, get_context("spawn"), initializer=_leave_interrupts)
            try:
                task = partial(evaluate_elsewhere, job)
                yield Crew(pool, task, self.workers, search.points.texts.several)
            except BrokenExecutor:
                raise ServiceUnavailable(
                    "a worker process ended unexpectedly (killed, perhaps for want of memory); run the same command "
                    f"again, with fewer --workers than {self.workers} if it was memory"
                ) from None
            finally:
                pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Workers of a Dask scheduler, which see ``data.cache`` under the same path.

    Parameters
    ----------
    address : str
        For example ``tcp://127.0.0.1:8786``.
    """

    address: str
    resolve: Resolve
    where: Path

    @contextmanager
    def crew(self, search: Search) -> Iterator[Crew]:
        """Yield the client's executor.

        Raises
        ------
        ServiceUnavailable
            No scheduler answers, or it has no worker, or has lost them.
        ConfigError
            A worker runs other code, or the library is missing.
        """
        from feeds.dask_client import connected, surviving

        with connected(self.address) as cluster:
            workers = cluster.require_same_code(LOADED)
            with _shared(search, self.resolve, self.where) as job, surviving(self.address):
                task, pack = partial(evaluate_elsewhere, job), search.points.texts.several
                yield Crew(cluster.executor, task, workers, pack, cluster.alive)


def place(
    threads: int, workers: int | None, scheduler: str | None, resolve: Resolve, where: Path
) -> Threads | Processes | Cluster:
    """Choose where points run: threads unless something else is asked for.

    Parameters
    ----------
    threads : int
    workers : int or None
        ``--workers``.
    scheduler : str or None
        ``--scheduler``.
    resolve, where
        See `Job`.

    Raises
    ------
    ConfigError
        Both are asked for, or an impossible number of processes.
    """
    if scheduler is not None and workers is not None:
        raise ConfigError("--workers starts processes here and --scheduler has its own; leave one out")
    if scheduler is not None:
        return Cluster(scheduler, resolve, where)
    if workers is None:
        return Threads(threads)
    if not 1 <= workers <= MAX_WORKERS:
        raise ConfigError(f"--workers {workers} must be 1 to {MAX_WORKERS:,} processes")
    return Processes(workers, resolve, where)
