"""The command starts at once, says what it can do, and stops when it is told to."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("pandas", "numpy", "numba", "backtrader", "pydantic", "yaml", "rich", "plotly", "pyarrow", "scipy")
PROBE = """
import runpy, sys
sys.argv = ["run.py", *sys.argv[1:]]
try:
    runpy.run_path("run.py", run_name="__main__")
except SystemExit as stop:
    code = stop.code or 0
print("LOADED", code, *sorted({name.split(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["backtest", "--help"], ["data", "synth", "--help"], ["nonsense"], []]
)
def test_help_and_usage_errors_import_nothing_heavy(arguments):
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    code, *loaded = done.stdout.rpartition("LOADED")[2].split()
    assert code == ("0" if "--help" in arguments else "2")
    assert not set(HEAVY) & set(loaded)


def test_help_answers_in_under_half_a_second():
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, "run.py", "--help"], cwd=ROOT, check=True, capture_output=True)
        best = min(best, time.perf_counter() - began)
    assert best < 0.5


@pytest.mark.parametrize(
    "verb", ["backtest", "list", "show-config", "runs", "compare", "report", "new", "data"]
)
def test_help_names_every_verb(verb):
    done = subprocess.run(
        [sys.executable, "run.py", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert f"    {verb}" in done.stdout


def test_an_interrupted_run_exits_130_and_leaves_nothing(tmp_path, market):
    runs = tmp_path / "runs"
    command = [sys.executable, "run.py", "backtest", "--data", str(market), "--set", f"runs.folder={runs}"]
    process = subprocess.Popen(
        [*command, "--set", f"data.cache={tmp_path / 'cache'}"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts this suite in the background would have made it deaf to the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, first + err
    assert "Traceback" not in err
    assert err.strip().splitlines()[-1] == "interrupted; nothing was written"
    assert out == ""
    assert not runs.exists() or not list(runs.iterdir())
