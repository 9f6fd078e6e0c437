"""Measure one engine in this process and print one JSON object: ``python -m bench.measure NAME JOB.npz``."""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.metadata
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.job import Job, load

ENGINES: dict[str, tuple[str, Callable[[Any, Job], Any], tuple[str, ...]]] = {
    "vanilla-listening": (
        "backtrader_engines",
        lambda m, j: m.vanilla(j, m.Listening),
        ("backtrader", "pandas"),
    ),
    "vanilla-quiet": ("backtrader_engines", lambda m, j: m.vanilla(j, m.Quiet), ("backtrader", "pandas")),
    "vanilla-shares": ("backtrader_engines", lambda m, j: m.vanilla(j, m.InShares), ("backtrader", "pandas")),
    "ares7-listening": ("backtrader_engines", lambda m, j: m.unmodified(j, m.Listening), ("backtrader",)),
    "ares7-quiet": ("backtrader_engines", lambda m, j: m.unmodified(j, m.Quiet), ("backtrader",)),
    "ares7": ("own_engines", lambda m, j: m.event_driven(j, analyzers=False), ("backtrader", "numpy")),
    "ares7-analyzers": (
        "own_engines",
        lambda m, j: m.event_driven(j, analyzers=True),
        ("backtrader", "numpy"),
    ),
    "simulate": ("own_engines", lambda m, j: m.compiled(j, record=False), ("numba",)),
    "simulate-recorded": ("own_engines", lambda m, j: m.compiled(j, record=True), ("numba",)),
    "ares7-signals": ("own_engines", lambda m, j: m.with_signals(j), ("backtrader", "numpy")),
    "plain": ("plain", lambda m, j: m.prepare(j, towards_held=False), ("numba",)),
    "plain-towards-held": ("plain", lambda m, j: m.prepare(j, towards_held=True), ("numba",)),
    "original": ("original", lambda m, j: m.prepare(j), ("numba", "pandas")),
    "vectorbt": ("peer_engines", lambda m, j: m.vectorbt(j), ("vectorbt", "pandas", "numba")),
    "bt": ("peer_engines", lambda m, j: m.bt(j), ("bt", "pandas")),
    "nautilus": ("nautilus_engine", lambda m, j: m.prepare(j), ("nautilus_trader", "pandas")),
    "zipline": ("zipline_engine", lambda m, j: m.prepare(j), ("zipline-reloaded", "pandas")),
}
"""Name -> module of this folder, how to prepare a run, distributions whose versions are stated."""


def peak_memory_mib() -> float:
    """Peak resident memory of this process; the kernel's own mark where there is one."""
    status = Path("/proc/self/status")
    if status.exists():
        # Unlike getrusage's figure it does not begin with the parent's memory.
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def timed(run: Callable[[], Any]) -> tuple[float, float, Any]:
    """Wall and CPU seconds of one run, and what it returns; the garbage of earlier runs is collected first."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    return time.perf_counter() - wall, time.process_time() - cpu, result


def measure(name: str, job: Job, runs: int, warm: bool) -> tuple[dict[str, Any], Any]:
    """Time an engine; returns the figures and its equity.

    Parameters
    ----------
    name : str
        One of `ENGINES`.
    job : Job
    runs : int
        Timed runs.
    warm : bool
        Make one run before them; its time is stated as ``first``.

    Returns
    -------
    figures : dict
        Seconds, MiB, versions; ``prepare`` holds imports and the making of the input.
    equity : (T,)
    """
    module, prepare, distributions = ENGINES[name]
    began = time.perf_counter()
    run = prepare(importlib.import_module(f"bench.{module}"), job)
    prepared = time.perf_counter()
    first = timed(run)[0] if warm else None
    results = [timed(run) for _ in range(runs)]
    equity = results[-1][2]
    equity, told = equity if isinstance(equity, tuple) else (equity, {})
    figures = {
        "engine": name,
        "symbols": len(job.symbols),
        "wall": [r[0] for r in results],
        "cpu": [r[1] for r in results],
        "first": first,
        "prepare": prepared - began,
        "peak_mib": peak_memory_mib(),
        "told": told,
        "final": float(equity[-1]),
        "versions": {d: importlib.metadata.version(d) for d in ("numpy", *distributions)},
    }
    return figures, equity


def main() -> None:
    """Read the arguments, measure, write the equity, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=sorted(ENGINES))
    parser.add_argument("job", type=Path)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--warm", action="store_true", help="one run before the timed ones")
    parser.add_argument("--equity", type=Path, help="write the equity curve here")
    args = parser.parse_args()
    figures, equity = measure(args.engine, load(args.job), args.runs, args.warm)
    if args.equity:
        np.save(args.equity, np.asarray(equity, dtype=np.float64))
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
