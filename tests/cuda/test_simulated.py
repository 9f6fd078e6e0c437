"""The device's numbers are the CPU's, in numba's CUDA simulator: kernels run as Python, thread by thread."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("cases", ["batch", "signal"])
def test_in_the_simulator(cases):
    """numba decides about the simulator when it is imported, so a process of its own."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(
        [*command, f"tests/cuda/simulated/{cases}_cases.py"],
        cwd=ROOT,
        env={**inherited, "NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.strip().splitlines()[-1]
    assert "passed" in last
    assert "skipped" not in last
