"""What is measured of searches: groups of things that are divided by each other, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.runs import OUT, ROOT, wait_until_idle

ONE_BLAS_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
FRESH_RUNS, UNCOMPILED_RUNS = 7, 3


@dataclass(frozen=True, slots=True)
class Group:
    """One process that measures several things in turn.

    Attributes
    ----------
    gives : tuple of str
        Names of its results.
    needs : tuple of str
        Runs of `bench.runs` that its rows are compared with; ``--only`` measures them too.
    """

    name: str
    runs: int
    gives: tuple[str, ...]
    needs: tuple[str, ...] = ()


GRIDS = tuple(
    f"{what}-{n}" for what in ("product-monthly", "product-729", "batch-monthly", "batch-729") for n in (1, 2)
)
GROUPS = (
    Group("G1-one", 25, ("batch-1", "plain-beside-batch")),
    Group("G2-signals", 15, ("batch-45-signals-1", "batch-45-signals-2"), ("vectorbt-100", "original-100")),
    Group("G3-grids", 15, (*GRIDS, "walk-forward-729-2")),
    Group("G4-busy", 15, ("quiet-1", "beside-1", "quiet-729", "beside-729")),
    Group("G6-fresh", FRESH_RUNS, ("fresh-729", "fresh-729-uncompiled")),
    Group("D1-large", 7, ("batch-3000x5040",)),
    Group("O1-wavelet", 15, ("wavelet-200x5000", "wavelet-pandas")),
)


def measured_group(group: Group, patience: float) -> dict[str, dict[str, Any]]:
    """Run one group; what cannot be had is stated as ``missing`` with the reason, never made up."""
    idle = wait_until_idle(patience)
    try:
        found = fresh_processes() if group.name == "G6-fresh" else _in_own_process(group)
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or [f"exit {error.returncode}"])[-1]
        return {name: {"missing": f"failed: {last[:160]}"} for name in group.gives}
    for row in found.values():
        row["idle_before"] = idle
        row |= {f"{kind}_median": float(np.median(row[kind])) for kind in ("wall", "cpu")}
    return found


def _in_own_process(group: Group) -> dict[str, dict[str, Any]]:
    command = [sys.executable, "-m", "bench.search_measure", group.name, str(OUT / "job-100.npz")]
    done = subprocess.run(  # noqa: S603
        [*command, "--runs", str(group.runs)],
        cwd=ROOT,
        env=os.environ | ONE_BLAS_THREAD,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def fresh_process(cache: str | None = None) -> tuple[float, float, float]:
    """Wall and CPU seconds and peak MiB of one process; ``cache`` replaces numba's folder of compiled code."""
    env = os.environ | ({} if cache is None else {"NUMBA_CACHE_DIR": cache})
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen([sys.executable, "-m", "bench.fresh"], cwd=ROOT, env=env, stderr=said)
        # Unlike the usual wait, this one says what that child alone used.
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        said.seek(0)
        errors = said.read()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, "bench.fresh", stderr=errors)
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / unit


def fresh_processes() -> dict[str, dict[str, Any]]:
    """G6: whole processes with compiled code on disk, then with none."""
    fresh_process()
    compiled = [fresh_process() for _ in range(FRESH_RUNS)]
    uncompiled = []
    for _ in range(UNCOMPILED_RUNS):
        with tempfile.TemporaryDirectory(prefix="ares7-bench-") as folder:
            uncompiled.append(fresh_process(folder))
    rows = {
        "fresh-729": (compiled, "whole process, compiled code on disk"),
        "fresh-729-uncompiled": (uncompiled, "whole process, nothing compiled"),
    }
    return {
        name: {
            "wall": [r[0] for r in found],
            "cpu": [r[1] for r in found],
            "peak_mib": max(r[2] for r in found),
            "points": 729,
            "rule": rule,
        }
        for name, (found, rule) in rows.items()
    }
