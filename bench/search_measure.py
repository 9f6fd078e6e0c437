"""Measure one group of search jobs in turn, in this process: ``python -m bench.search_measure GROUP JOB.npz``.

What is divided by each other is measured in the same process, one after the other in every round, so that a
machine that slows down slows all of it. BLAS is given one thread by the caller (`bench.search_runs`): the matrix
product on two threads is two halves on two threads of Python.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench import search_jobs as jobs
from bench.job import Job, load
from bench.measure import peak_memory_mib, timed
from bench.own_engines import given

SPIN = "while True: pass"
BUSY_CALLS = 200
PLAIN, EVENTS = "equals the plain loop", "equals Backtrader point by point"


@dataclass(frozen=True, slots=True)
class Task:
    """One thing that is timed.

    Attributes
    ----------
    run : callable
    calls : int
        Calls in one timing, which is divided by their number: what takes microseconds is timed many at once.
    check : callable or None
        Largest relative difference of its curves to another engine's; called after the timing.
    rule : str
        What the check compares, or what the thing is.
    points : int
        Parameter points in one call.
    """

    run: Callable[[], Any]
    calls: int = 1
    check: Callable[[], float] | None = None
    rule: str = ""
    points: int = 1
    more: dict[str, float] = field(default_factory=dict)


def repeated(task: Task) -> Callable[[], None]:
    """One timing of a task."""

    def run() -> None:
        for _ in range(task.calls):
            task.run()

    return run


def in_turn(tasks: dict[str, Task], runs: int) -> dict[str, dict[str, Any]]:
    """Run every task once, then time each once a round; checks come last."""
    first = {name: timed(task.run)[0] for name, task in tasks.items()}
    wall: dict[str, list[float]] = {name: [] for name in tasks}
    cpu: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(runs):
        for name, task in tasks.items():
            seconds, busy, _result = timed(repeated(task))
            wall[name].append(seconds / task.calls)
            cpu[name].append(busy / task.calls)
    out = {}
    for name, task in tasks.items():
        out[name] = {
            "wall": wall[name],
            "cpu": cpu[name],
            "first": first[name],
            "points": task.points,
            "rule": task.rule,
            "peak_mib": peak_memory_mib(),
            **task.more,
        }
    for name, task in tasks.items():
        if task.check is not None:
            out[name] |= {"difference": task.check(), "must_agree": True}
    return out


def one_combination(job: Job, runs: int) -> dict[str, Any]:
    """G1: the job's own target table, by the batch kernel and by the plain loop."""
    from ares7.batch import run_plans
    from ares7.book import planned
    from bench import plain

    place, _ = jobs.monthly(job)
    plan = planned(place.panel, given(job))
    loop = plain.prepare(job, towards_held=False)
    tasks = {
        "batch-1": Task(
            lambda: run_plans(place, [plan]),
            20,
            lambda: jobs.difference(run_plans(place, [plan]).nav, [loop()]),
            PLAIN,
        ),
        "plain-beside-batch": Task(loop, 20, rule="the plain loop, warm"),
    }
    return in_turn(tasks, runs)


def with_signals(job: Job, runs: int) -> dict[str, Any]:
    """G2 and S1: 45 points from a ready panel, nothing remembered; all 45 are compared with Backtrader."""
    panel, points = jobs.synthetic_panel(len(job.symbols)), jobs.settings("qm45")

    def check() -> float:
        events = [jobs.event_driven_curve(panel, point) for point in points]
        return jobs.difference(jobs.search_afresh(panel, points, 2), events)

    tasks = {
        f"batch-45-signals-{threads}": Task(
            lambda threads=threads: jobs.search_afresh(panel, points, threads),  # type: ignore[misc]
            check=check if threads == 2 else None,
            rule=EVENTS if threads == 2 else "the same on one thread",
            points=len(points),
        )
        for threads in (1, 2)
    }
    return in_turn(tasks, runs)


def product(place: Any, points: int, threads: int) -> Callable[[], Any]:
    """(S, N) @ (N, P): closes times holdings, the least that marking all points takes."""
    close = np.ascontiguousarray(place.tape.close)
    held = np.random.default_rng(1).random((close.shape[1], points))
    out = np.empty((len(close), points))
    cuts = np.linspace(0, len(close), threads + 1).astype(int).tolist()
    if threads == 1:
        return lambda: np.matmul(close, held, out=out)
    pool = ThreadPoolExecutor(threads)

    def part(k: int) -> None:
        np.matmul(close[cuts[k] : cuts[k + 1]], held, out=out[cuts[k] : cuts[k + 1]])

    return lambda: list(pool.map(part, range(threads)))


def grids(job: Job, runs: int) -> dict[str, Any]:
    """G3 to G5: 729 points from ready plans, beside the matrix product; monthly decisions and the real grid."""
    place, plans = jobs.monthly(job)
    panel, points = jobs.synthetic_panel(len(job.symbols)), jobs.settings("weights729")
    real, own = jobs.synthetic_market(panel), jobs.plans_of(panel, points)
    some = slice(0, None, jobs.SAMPLED)

    def check_monthly() -> float:
        curves = jobs.run_grid(place, plans, 2).nav[some]
        return jobs.difference(curves, [jobs.plain_curve(place, plan) for plan in plans[some]])

    def check_real() -> float:
        curves = jobs.run_grid(real, own, 2).nav[some]
        return jobs.difference(curves, [jobs.event_driven_curve(panel, point) for point in points[some]])

    tasks: dict[str, Task] = {}
    for n in (1, 2):
        tasks |= {
            f"product-monthly-{n}": Task(product(place, 729, n), 3, rule="matrix product", points=729),
            f"product-729-{n}": Task(product(real, 729, n), 3, rule="matrix product", points=729),
            f"batch-monthly-{n}": Task(
                lambda n=n: jobs.run_grid(place, plans, n),  # type: ignore[misc]
                check=check_monthly if n == 2 else None,
                rule=PLAIN,
                points=729,
                more={"decisions": float(plans[0].decide.sum())},
            ),
            f"batch-729-{n}": Task(
                lambda n=n: jobs.run_grid(real, own, n),  # type: ignore[misc]
                check=check_real if n == 2 else None,
                rule=EVENTS,
                points=729,
                more={"decisions": float(own[0].decide.sum())},
            ),
        }
    tasks["walk-forward-729-2"] = Task(
        lambda: jobs.walk_forward(real, own, 2), rule="7 windows, choice, stitched run", points=729
    )
    return in_turn(tasks, runs)


@contextmanager
def neighbour() -> Iterator[None]:
    """Another process takes a whole core."""
    process = subprocess.Popen([sys.executable, "-c", SPIN])  # noqa: S603
    try:
        time.sleep(0.5)
        yield
    finally:
        process.kill()
        process.wait()


def each_call(run: Callable[[], Any], calls: int) -> list[float]:
    """Seconds of each call."""
    out = []
    for _ in range(calls):
        began = time.perf_counter()
        run()
        out.append(time.perf_counter() - began)
    return out


def busy(job: Job, runs: int) -> dict[str, Any]:
    """G4: single calls on one thread and a quiet machine, then on two threads beside a busy neighbour."""
    place, plans = jobs.monthly(job)
    out: dict[str, Any] = {}
    for name, part, calls in (("1", plans[:1], BUSY_CALLS), ("729", plans, 2 * runs)):

        def on(threads: int, part: Any = part) -> Callable[[], Any]:
            return lambda: jobs.run_grid(place, part, threads)

        on(2)()
        quiet = each_call(on(1), calls)
        with neighbour():
            beside = each_call(on(2), calls)
        for kind, times in (("quiet", quiet), ("beside", beside)):
            rule = "one thread, quiet" if kind == "quiet" else "two threads, a neighbour takes one core"
            out[f"{kind}-{name}"] = {
                "wall": times,
                "cpu": times,
                "slowest": max(times),
                "points": len(part),
                "rule": rule,
                "peak_mib": peak_memory_mib(),
            }
    return out


def large(job: Job, runs: int) -> dict[str, Any]:
    """D1: 3,000 symbols x 5,040 sessions, 32 points on two threads, in a process of its own."""
    del job
    place, plans = jobs.large(5040, 3000, 32)
    task = Task(
        lambda: jobs.run_grid(place, plans, 2),
        check=lambda: jobs.difference(
            jobs.run_grid(place, plans[:1], 1).nav, [jobs.plain_curve(place, plans[0])]
        ),
        rule=PLAIN,
        points=len(plans),
        more={"panel_mib": 2 * place.tape.close.nbytes / 2**20},
    )
    return in_turn({"batch-3000x5040": task}, runs)


def overlays(job: Job, runs: int) -> dict[str, Any]:
    """O1: the wavelet score of 200 names over 5,000 sessions, weekly, beside the same by pandas."""
    from ares7.signals.wavelet import trend_score
    from bench import overlay_jobs

    del job
    close, rows = overlay_jobs.closes(), overlay_jobs.weekly()
    tasks = {
        "wavelet-200x5000": Task(
            lambda: trend_score(close, rows),
            check=lambda: overlay_jobs.difference(close, rows),
            rule="equals pandas",
        ),
        "wavelet-pandas": Task(lambda: overlay_jobs.by_pandas(close, rows), rule="shifts and a rolling mean"),
    }
    return in_turn(tasks, runs)


GROUPS: dict[str, Callable[[Job, int], dict[str, Any]]] = {
    "G1-one": one_combination,
    "G2-signals": with_signals,
    "G3-grids": grids,
    "G4-busy": busy,
    "D1-large": large,
    "O1-wavelet": overlays,
}


def main() -> None:
    """Read the arguments, measure, print the figures of every task of the group."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("group", choices=sorted(GROUPS))
    parser.add_argument("job", type=Path)
    parser.add_argument("--runs", type=int, default=9)
    args = parser.parse_args()
    found = GROUPS[args.group](load(args.job), args.runs)
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "numba")}
    sys.stdout.write(json.dumps({name: row | {"versions": versions} for name, row in found.items()}) + "\n")


if __name__ == "__main__":
    main()
