"""What is measured, where, and how often; every engine in a process of its own, one after the other."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import job as jobs

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / ".cache" / "bench"
PYTHON = {
    "project": Path(sys.executable),
    "peers": OUT / "peers" / "bin" / "python",
    "older": OUT / "older" / "bin" / "python",
}
"""The project's own environment, that of the other libraries, and that of those which want pandas < 3."""
FLOORED, TOWARDS_HELD = "target rounded down, next open", "change rounded towards 0, next open"
IMPORTS = "import backtrader, pandas, numba"


@dataclass(frozen=True, slots=True)
class Run:
    """One engine at one size.

    Attributes
    ----------
    rule : str
        How shares are rounded and when they fill; engines with the same rule must give the same equity.
    slow : bool
        Left out by ``--quick``.
    alone : bool
        Only its peak memory counts: one run in a process of its own.
    """

    engine: str
    symbols: int
    runs: int
    rule: str = ""
    warm: bool = True
    environment: str = "project"
    slow: bool = False
    alone: bool = False

    @property
    def name(self) -> str:
        """Key of its result."""
        return f"{self.engine}-{self.symbols}" + ("-alone" if self.alone else "")


RUNS = (
    Run("plain", 100, 50, FLOORED),
    Run("plain-towards-held", 100, 50, TOWARDS_HELD),
    Run("simulate", 100, 50, FLOORED),
    Run("simulate-recorded", 100, 50, FLOORED),
    Run("ares7", 100, 15, FLOORED),
    Run("ares7-analyzers", 100, 9, FLOORED),
    Run("ares7-listening", 100, 5, TOWARDS_HELD),
    Run("ares7-quiet", 100, 5, TOWARDS_HELD),
    Run("ares7-signals", 100, 9, "other job"),
    Run("original", 100, 9, "same day, float32, no costs: look-ahead"),
    Run("vectorbt", 100, 15, TOWARDS_HELD, environment="peers"),
    Run("vanilla-shares", 100, 3, FLOORED, warm=False),
    Run("vanilla-listening", 100, 3, TOWARDS_HELD, warm=False),
    Run("vanilla-quiet", 100, 3, TOWARDS_HELD, warm=False),
    Run("vanilla-shares", 100, 1, FLOORED, warm=False, alone=True),
    Run("ares7", 100, 1, FLOORED, warm=False, alone=True),
    Run("plain", 500, 20, FLOORED),
    Run("plain-towards-held", 500, 20, TOWARDS_HELD),
    Run("simulate", 500, 20, FLOORED),
    Run("ares7", 500, 7, FLOORED),
    Run("vectorbt", 500, 7, TOWARDS_HELD, environment="peers", slow=True),
    Run("vanilla-shares", 500, 1, FLOORED, warm=False, slow=True),
    Run("bt", 100, 3, "whole shares, same close", environment="peers"),
    Run("nautilus", 100, 1, "whole shares, same close", warm=False, environment="older", slow=True),
    Run("zipline", 100, 1, "whole shares, next close", warm=False, environment="older", slow=True),
)


def idle_share(seconds: float = 0.5) -> float | None:
    """Idle fraction of all processors while this process sleeps; None where the system does not say."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return None

    def ticks() -> tuple[int, int]:
        fields = [int(x) for x in stat.read_text(encoding="ascii").splitlines()[0].split()[1:9]]
        return fields[3] + fields[4], sum(fields)

    before = ticks()
    time.sleep(seconds)
    after = ticks()
    return (after[0] - before[0]) / max(1, after[1] - before[1])


def wait_until_idle(patience: float) -> float | None:
    """Wait until the machine is at least 90 % idle, at most ``patience`` seconds; returns the idle share."""
    deadline = time.monotonic() + patience
    while (idle := idle_share()) is not None and idle < 0.9 and time.monotonic() < deadline:
        time.sleep(0.5)
    return idle


def job_file(symbols: int) -> Path:
    """Write the job once for all processes."""
    path = OUT / f"job-{symbols}.npz"
    jobs.save(jobs.make(symbols), path)
    return path


def not_installed(run: Run, python: Path) -> str:
    """Say why a library is absent, as its installation reported it; empty when it is there."""
    reasons = python.parent.parent / "not-installed.txt"
    if run.environment == "project" or not reasons.exists():
        return ""
    found = [line for line in reasons.read_text(encoding="utf-8").splitlines() if line.startswith(run.engine)]
    return f"not installed: {found[0][:160]}" if found else ""


def measured(run: Run, patience: float) -> dict[str, Any]:
    """Run one engine; a figure that cannot be had is stated as ``missing`` with the reason, never made up."""
    python = PYTHON[run.environment]
    if not python.exists():
        return {"missing": f"not installed: no environment {python.parent.parent.name}"}
    equity = OUT / f"equity-{run.name}.npy"
    equity.unlink(missing_ok=True)
    options = ["--runs", str(run.runs), "--equity", str(equity), *(["--warm"] if run.warm else [])]
    idle = wait_until_idle(patience)
    command = [str(python), "-m", "bench.measure", run.engine, str(OUT / f"job-{run.symbols}.npz"), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
        return {"missing": not_installed(run, python) or f"failed: {last[:160]}"}
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures | {
        "idle_before": idle,
        "rule": run.rule,
        "wall_median": float(np.median(figures["wall"])),
        "cpu_median": float(np.median(figures["cpu"])),
    }


def process(command: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of a whole process."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)  # noqa: S603
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def whole_processes(patience: float, times: int = 5) -> dict[str, Any]:
    """``run.py backtest`` and the bare imports in turn, after one run of each that fills the caches."""
    with tempfile.TemporaryDirectory(prefix="ares7-bench-") as folder:
        backtest = [sys.executable, "run.py", "backtest", "--set", f"runs.folder={folder}"]
        bare = [sys.executable, "-c", IMPORTS]
        try:
            process(backtest)
            process(bare)
            idle = wait_until_idle(patience)
            pairs = [(process(backtest), process(bare)) for _ in range(times)]
        except subprocess.CalledProcessError as error:
            return {"missing": f"{error.cmd[1]} exits {error.returncode}: {error.stderr.decode()[-160:]}"}
    out: dict[str, Any] = {"idle_before": idle}
    for i, name in enumerate(("backtest", "imports")):
        for j, kind in enumerate(("wall", "cpu")):
            out[f"{name}_{kind}"] = [pair[i][j] for pair in pairs]
    return out


def machine() -> dict[str, Any]:
    """Processor, memory, system and load."""
    model = "unknown processor"
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [x.split(":")[1].strip() for x in info.read_text().splitlines() if x.startswith("model name")]
        model = f"{len(names)} x {names[0]}" if names else model
    return {
        "processor": model,
        "cpus": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{os.uname().sysname} {os.uname().release}",
        "python": sys.version.split()[0],
        "load_average": os.getloadavg(),
    }
