"""Where points are run: threads of this process, processes beside it, or the workers of a Dask scheduler."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ares7.arrays import Float1D
from ares7.batch import market
from ares7.config import AccountConfig
from ares7.costs import CostModel
from ares7.errors import ConfigError, DataError, ServiceUnavailable
from ares7.provenance import code_digest
from ares7.search import Bench, Block, evaluate

if TYPE_CHECKING:
    from feeds.searching import Search

ROOT = Path(__file__).resolve().parent.parent
CONNECT_SECONDS = 10
Task = Callable[[int, Any], Block]
Resolve = Callable[..., type[Any]]
"""``strategies.registry.resolve``: handed in, because this package imports no strategies."""


class Place(Protocol):
    """Somewhere to run points."""

    @property
    def workers(self) -> int:
        """How many blocks run at a time."""

    @contextmanager
    def executor(self, search: Search) -> Iterator[tuple[Executor, Task]]:
        """Yield an executor and the task to submit to it."""


@dataclass(frozen=True, slots=True)
class Threads:
    """Threads: the kernels run without the interpreter's lock and share the panel."""

    workers: int

    @contextmanager
    def executor(self, search: Search) -> Iterator[tuple[Executor, Task]]:
        """Yield the pool; what has not begun is dropped when the search ends early."""
        pool = ThreadPoolExecutor(self.workers)
        try:
            yield pool, partial(evaluate, search.bench)
        finally:
            pool.shutdown(cancel_futures=True)


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
    code : str
        `ares7.provenance.code_digest` that the figures are meant to come from.
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
    code: str


_BENCHES: dict[str, Bench] = {}
"""The market of the search that this process works for."""


def evaluate_elsewhere(job: Job, first: int, points: Sequence[Any]) -> Block:
    """Evaluate points in a process that has not loaded the data yet, or has.

    Raises
    ------
    DataError
        The panel's folder cannot be read here.
    ConfigError
        This process runs other code.
    """
    if job.key not in _BENCHES:
        _BENCHES.clear()
        _BENCHES[job.key] = _bench(job)
    return evaluate(_BENCHES[job.key], first, points)


def _bench(job: Job) -> Bench:
    from feeds import cache
    from feeds.searching import plan_of

    found = code_digest(ROOT)
    if found != job.code:
        raise ConfigError(
            f"a worker runs other code ({found}) than this process ({job.code}); update the worker's checkout and "
            "start it again"
        )
    stored = cache.load(job.folder, job.key)
    if stored is None:
        raise DataError(
            f"a worker cannot read the panel in {job.folder / job.key}; put data.cache on a folder that every "
            "worker sees under the same path"
        )
    panel = stored[0].starting(job.start)
    strategy = job.resolve(job.strategy, job.where)
    place = market(panel, account=job.account, costs=job.costs)
    return Bench(place, plan_of(strategy, job.strategy), job.windows, job.baseline_nav, job.risk_free)


@contextmanager
def _shared(search: Search, resolve: Resolve, where: Path) -> Iterator[Job]:
    """Yield the job of a search, its panel written to disk for other processes."""
    import shutil

    from feeds import cache

    bench, config = search.bench, search.config
    panel = bench.market.panel
    folder = (config.data.cache or config.runs.folder / ".searches") / "shared"
    if not cache.store(folder, search.digest, panel, []):
        raise DataError(
            f"the panel cannot be written to {folder} for other processes; free space or set data.cache"
        )
    try:
        yield Job(
            folder, search.digest, panel.start, resolve, search.points.chosen.name, where, config.account,
            config.costs, bench.windows, bench.baseline_nav, bench.risk_free, code_digest(ROOT),
        )  # fmt: skip
    finally:
        shutil.rmtree(folder / search.digest, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Processes:
    """Processes of this machine, which map one copy of the panel."""

    workers: int
    resolve: Resolve
    where: Path

    @contextmanager
    def executor(self, search: Search) -> Iterator[tuple[Executor, Task]]:
        """Yield the pool."""
        with _shared(search, self.resolve, self.where) as job:
            # Spawned: a forked copy of a process whose threads hold locks may wait for them for ever.
            pool = ProcessPoolExecutor(self.workers, mp_context=get_context("spawn"))
            try:
                yield pool, partial(evaluate_elsewhere, job)
            finally:
                pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Workers of a Dask scheduler, which see ``data.cache`` under the same path.

    Parameters
    ----------
    address : str
        For example ``tcp://127.0.0.1:8786``.
    workers : int
        Blocks in flight are twice this many.
    """

    address: str
    workers: int
    resolve: Resolve
    where: Path

    @contextmanager
    def executor(self, search: Search) -> Iterator[tuple[Executor, Task]]:
        """Yield the client's executor.

        Raises
        ------
        ServiceUnavailable
            No scheduler answers, or it has no worker.
        ConfigError
            A worker runs other code, or the library is missing.
        """
        try:
            from distributed import Client
        except ImportError:
            raise ConfigError(
                'a Dask scheduler needs the library distributed; run: pip install -e ".[cluster]"'
            ) from None
        try:
            client: Any = Client(self.address, timeout=CONNECT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
        except (OSError, TimeoutError, ValueError) as error:
            raise ServiceUnavailable(
                f"no Dask scheduler answers at {self.address} within {CONNECT_SECONDS} s ({error}); start one "
                "(docs/guide.md) or leave out --scheduler"
            ) from None
        with client:
            _require_same_code(client, code_digest(ROOT))
            with _shared(search, self.resolve, self.where) as job:
                yield client.get_executor(pure=False), partial(evaluate_elsewhere, job)


def worker_code() -> str:
    """Return the code digest of the process that runs this."""
    return code_digest(ROOT)


def _require_same_code(client: Any, code: str) -> None:
    found = client.run(worker_code)
    if not found:
        raise ServiceUnavailable(f"the Dask scheduler at {client.scheduler.address} has no worker; start one")
    other = {name: digest for name, digest in found.items() if digest != code}
    if other:
        name, digest = next(iter(other.items()))
        raise ConfigError(
            f"Dask worker {name} runs other code ({digest}) than this process ({code}); update its checkout and "
            f"start it again ({len(other)} of {len(found)} workers)"
        )
