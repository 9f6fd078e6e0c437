"""Threads, processes and a Dask cluster give the same curves; what dies in the middle loses nothing."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
import time
from contextlib import closing

import numpy as np
import pytest

from ares7.errors import ConfigError, ServiceUnavailable
from feeds import evaluating, executors
from feeds.executors import Cluster, Processes, Threads
from strategies.registry import resolve
from tests.cluster.machines import ROOT, machines, until
from tests.feeds.small_search import AXES, config, go, recorded, search_of

pytest.importorskip("distributed", reason='needs pip install -e ".[cluster]"')
pytestmark = [
    # Dask's own: an event loop that is closed while a connection is.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
NAPPING = """
import time
from pydantic import Field
from ares7.params import BookParams
from strategies import equal_weight
from strategies.base import PortfolioStrategy

class Params(BookParams):
    tilt: float = Field(default=0.0)
    nap: float = Field(default=0.0)

def weights(panel, params):
    time.sleep(params.nap)
    return equal_weight.weights(panel, equal_weight.Params(gross=0.5 + params.tilt))

class Napping(PortfolioStrategy):
    Params = Params
    weights = staticmethod(weights)
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def settings(tmp_path, cache):
    for shared in ("panels", "targets"):
        (cache / shared).mkdir(exist_ok=True)
        (tmp_path / "cache").mkdir(exist_ok=True)
        (tmp_path / "cache" / shared).symlink_to(cache / shared)
    return config(tmp_path, tmp_path / "cache")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler with two workers of two threads each."""
    with machines(tmp_path_factory.mktemp("cluster")) as made:
        for _ in range(2):
            made.worker(threads=2)
        yield made


@pytest.fixture
def alone(tmp_path_factory):
    """A scheduler without workers, of this test only."""
    with machines(tmp_path_factory.mktemp("alone")) as made:
        yield made


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(evaluating, "block_points", lambda *given: 4)


@pytest.fixture
def napping(tmp_path):
    """A strategy file whose points take a twentieth of a second each."""
    (tmp_path / "napping.py").write_text(NAPPING)
    name = f"{tmp_path / 'napping.py'}:Napping"
    return name, {"nap": (0.05,), "tilt": tuple(round(0.01 * i, 2) for i in range(40))}


def on_threads(settings, *given):
    """Curves and ledger rows of the same search run here; nothing of it is left."""
    search = search_of(settings, *given)
    done = go(search, Threads(2))
    nav, rows = np.array(done.curves.nav), recorded(search)
    shutil.rmtree(search.folder)
    shutil.rmtree(settings.runs.folder)
    return nav, rows


def test_processes_give_the_curves_of_threads(settings, small_blocks):
    nav, rows = on_threads(settings)
    search = search_of(settings)
    done = go(search, Processes(2, resolve, ROOT))
    assert np.array_equal(done.curves.nav, nav)
    assert recorded(search) == rows
    assert not (search.folder / "shared" / search.digest).exists()


def test_a_cluster_gives_the_curves_of_threads(settings, cluster, small_blocks):
    nav, rows = on_threads(settings)
    search = search_of(settings)
    done = go(search, Cluster(cluster.address, resolve, ROOT))
    assert np.array_equal(done.curves.nav, nav)
    assert recorded(search) == rows


def test_a_cluster_runs_a_strategy_file_from_elsewhere(settings, cluster, napping, small_blocks):
    nav, _ = on_threads(settings, napping[1], napping[0])
    done = go(search_of(settings, napping[1], napping[0]), Cluster(cluster.address, resolve, ROOT))
    assert np.array_equal(done.curves.nav, nav)


def texts_of(search):
    return search.points.texts.several(search.points.several(np.arange(2)))


def test_the_threads_of_one_process_make_one_bench(settings, monkeypatch):
    search = search_of(settings, {"gross": (0.5, 0.9)})
    made: list[int] = []
    monkeypatch.setattr(executors, "_BENCHES", {})

    def slow(job):
        made.append(1)
        time.sleep(0.05)
        return search.bench, type(search.points.chosen.settings)

    monkeypatch.setattr(executors, "_bench", slow)
    with executors._shared(search, resolve, ROOT) as job:
        points = texts_of(search)
        threads = [
            threading.Thread(target=executors.evaluate_elsewhere, args=(job, 0, points)) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(made) == 1


def kill_when(condition, victim):
    """Kill a process once a condition holds; returns the thread that waits for it."""

    def wait():
        until(condition)
        os.kill(victim(), signal.SIGKILL)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_a_worker_that_is_killed_loses_nothing(settings, alone, napping, small_blocks):
    nav, rows = on_threads(settings, napping[1], napping[0])
    search = search_of(settings, napping[1], napping[0])
    victim = alone.worker()
    alone.worker()
    killer = kill_when(lambda: len(recorded(search)) >= 8, lambda: victim.pid)
    done = go(search, Cluster(alone.address, resolve, ROOT))
    killer.join()
    assert victim.wait(10) == -signal.SIGKILL
    assert np.array_equal(done.curves.nav, nav)
    assert recorded(search) == rows


def test_a_scheduler_that_is_killed_is_one_error_and_the_next_call_goes_on(
    settings, alone, napping, small_blocks
):
    nav, rows = on_threads(settings, napping[1], napping[0])
    search = search_of(settings, napping[1], napping[0])
    alone.worker()
    killer = kill_when(lambda: len(recorded(search)) >= 8, lambda: alone.running[0].pid)
    with pytest.raises(ServiceUnavailable, match="lost"):
        go(search, Cluster(alone.address, resolve, ROOT))
    killer.join()
    kept = len(recorded(search))
    assert 8 <= kept < 40
    done = go(search_of(settings, napping[1], napping[0]), Threads(2))
    assert done.resumed == kept
    assert np.array_equal(done.curves.nav, nav)
    assert recorded(search) == rows


def test_workers_that_are_all_gone_are_waited_for_and_then_missed(
    settings, alone, napping, small_blocks, monkeypatch
):
    from feeds import dask_client

    monkeypatch.setattr(dask_client, "WORKERLESS_SECONDS", 1.0)
    search = search_of(settings, napping[1], napping[0])
    only = alone.worker()
    killer = kill_when(lambda: len(recorded(search)) >= 4, lambda: only.pid)
    with pytest.raises(ServiceUnavailable, match="no worker for"):
        go(search, Cluster(alone.address, resolve, ROOT))
    killer.join()


def test_a_process_that_is_killed_is_one_error_and_the_next_call_goes_on(
    settings, napping, small_blocks, monkeypatch
):
    nav, rows = on_threads(settings, napping[1], napping[0])
    search = search_of(settings, napping[1], napping[0])
    pools = []
    plain = executors.ProcessPoolExecutor

    def watched(*given, **options):
        pools.append(plain(*given, **options))
        return pools[-1]

    monkeypatch.setattr(executors, "ProcessPoolExecutor", watched)
    killer = kill_when(lambda: len(recorded(search)) >= 8, lambda: next(iter(pools[0]._processes)))
    with pytest.raises(ServiceUnavailable, match="worker process ended unexpectedly"):
        go(search, Processes(2, resolve, ROOT))
    killer.join()
    kept = len(recorded(search))
    assert 8 <= kept < 40
    done = go(search_of(settings, napping[1], napping[0]), Threads(2))
    assert done.resumed == kept
    assert np.array_equal(done.curves.nav, nav)
    assert recorded(search) == rows


def other_code(folder):
    """A copy of the packages with one changed line."""
    for name in ("ares7", "feeds", "strategies"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "ares7" / "metrics.py"
    path.write_text(path.read_text() + "\nCHANGED = True\n")
    return folder


def test_a_worker_with_other_code_is_refused(settings, alone, tmp_path_factory):
    alone.worker()
    alone.worker(other_code(tmp_path_factory.mktemp("other")))
    search = search_of(settings, {"gross": (0.5, 0.9)})
    with pytest.raises(ConfigError, match=r"Dask worker .* runs other code .*\(1 of 3 processes differ\)"):
        go(search, Cluster(alone.address, resolve, ROOT))
    assert not settings.runs.folder.joinpath("trials.sqlite").exists()


def test_a_worker_without_the_project_is_refused(settings, alone, tmp_path_factory):
    alone.worker(tmp_path_factory.mktemp("empty"))
    search = search_of(settings, {"gross": (0.5, 0.9)})
    with pytest.raises(ConfigError, match=r"cannot load this project .*PYTHONPATH"):
        go(search, Cluster(alone.address, resolve, ROOT))
    assert not settings.runs.folder.joinpath("trials.sqlite").exists()


def test_a_scheduler_without_the_project_is_refused(settings, tmp_path_factory):
    home = tmp_path_factory.mktemp("bare")
    with machines(home, code=home) as made:
        made.worker()
        search = search_of(settings, {"gross": (0.5, 0.9)})
        with pytest.raises(ConfigError, match=r"Dask scheduler cannot load this project .*PYTHONPATH"):
            go(search, Cluster(made.address, resolve, ROOT))
    assert not settings.runs.folder.joinpath("trials.sqlite").exists()


def test_a_job_from_other_code_is_refused_by_a_worker(settings):
    from dataclasses import replace

    search = search_of(settings, {"gross": (0.5, 0.9)})
    with executors._shared(search, resolve, ROOT) as job:
        other = replace(job, key="other", code=("0" * 16, job.code[1]))
        with pytest.raises(ConfigError, match="a worker runs other code"):
            executors.evaluate_elsewhere(other, 0, texts_of(search))


def test_a_scheduler_without_workers_is_no_service(settings, alone):
    search = search_of(settings, {"gross": (0.5, 0.9)})
    with pytest.raises(ServiceUnavailable, match="has no worker"):
        go(search, Cluster(alone.address, resolve, ROOT))
    assert not settings.runs.folder.joinpath("trials.sqlite").exists()


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_no_scheduler_is_noticed_at_once(settings):
    search = search_of(settings, {"gross": (0.5, 0.9)})
    began = time.monotonic()
    with pytest.raises(ServiceUnavailable, match="no Dask scheduler answers"):
        go(search, Cluster(f"tcp://127.0.0.1:{free_port()}", resolve, ROOT))
    assert time.monotonic() - began < 10
    assert not settings.runs.folder.joinpath("trials.sqlite").exists()


def test_something_else_that_listens_is_no_scheduler(settings, monkeypatch):
    from feeds import dask_client

    monkeypatch.setattr(dask_client, "CONNECT_SECONDS", 0.3)
    search = search_of(settings, {"gross": (0.5, 0.9)})
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(ServiceUnavailable, match="no Dask scheduler answers"):
            go(search, Cluster(f"tcp://127.0.0.1:{silent.getsockname()[1]}", resolve, ROOT))


@pytest.mark.parametrize("address", ["tcp://", "rubbish://here:1", "tcp://here:port", "here"])
def test_what_is_no_address_is_refused(settings, address):
    search = search_of(settings, {"gross": (0.5, 0.9)})
    with pytest.raises(ConfigError, match="is no address"):
        go(search, Cluster(address, resolve, ROOT))


def test_the_library_may_be_missing(settings, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"pip install -e .*\[cluster\]"):
        go(search_of(settings, {"gross": (0.5, 0.9)}), Cluster("tcp://127.0.0.1:1", resolve, ROOT))


def test_a_panel_that_cannot_be_shared_is_one_error(settings, monkeypatch):
    from ares7.errors import DataError
    from feeds import cache

    monkeypatch.setattr(cache, "store", lambda *given: False)
    with pytest.raises(DataError, match="panel cannot be written"):
        go(search_of(settings, AXES), Processes(1, resolve, ROOT))


def test_a_worker_that_does_not_see_the_panel_says_so(settings):
    from dataclasses import replace

    from ares7.errors import DataError

    search = search_of(settings, {"gross": (0.5, 0.9)})
    with executors._shared(search, resolve, ROOT) as job:
        blind = replace(job, key="nowhere")
        with pytest.raises(DataError, match=r"cannot read the panel .*data\.cache"):
            executors.evaluate_elsewhere(blind, 0, texts_of(search))
