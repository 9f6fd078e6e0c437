"""A Dask scheduler and its workers as processes of their own, on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
QUIET = {"DASK_LOGGING__DISTRIBUTED": "error", "PYTHONWARNINGS": "ignore"}


@dataclass
class Machines:
    """A scheduler, and workers that are started and killed by the test."""

    home: Path
    address: str = ""
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def _start(self, *arguments: str, code: Path = ROOT) -> subprocess.Popen[bytes]:
        env = os.environ | QUIET | {"PYTHONPATH": str(code)}
        with (self.home / f"log-{len(self.running)}").open("wb") as log:
            self.running.append(
                subprocess.Popen(
                    [sys.executable, "-m", *arguments], cwd=self.home, env=env, stdout=log, stderr=log
                )
            )
        return self.running[-1]

    def schedule(self, code: Path) -> None:
        """Start the scheduler and wait until it listens."""
        file = self.home / "scheduler.json"
        options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
        self._start("distributed.cli.dask_scheduler", *options, code=code)
        until(file.exists)
        self.address = json.loads(file.read_text())["address"]

    def worker(self, code: Path = ROOT, threads: int = 1) -> subprocess.Popen[bytes]:
        """Start a worker whose PYTHONPATH is ``code``, and wait until the scheduler knows it."""
        before = self.workers()
        options = ["--nthreads", str(threads), "--no-nanny", "--no-dashboard", "--memory-limit", "0"]
        started = self._start("distributed.cli.dask_worker", self.address, *options, code=code)
        until(lambda: self.workers() > before)
        return started

    def workers(self) -> int:
        """How many workers the scheduler has."""
        from distributed import Client

        with Client(self.address, timeout=10, set_as_default=False) as client:
            return len(client.nthreads())

    def stop(self) -> None:
        """End everything that was started."""
        for process in reversed(self.running):
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()


def until(true: object, seconds: float = START_SECONDS) -> None:
    """Wait until a call is true."""
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        if time.monotonic() > end:
            raise TimeoutError(f"{true} is not true after {seconds} s")
        time.sleep(0.05)


@contextmanager
def machines(home: Path, code: Path = ROOT) -> Iterator[Machines]:
    """A scheduler without workers."""
    made = Machines(home)
    try:
        made.schedule(code)
        yield made
    finally:
        made.stop()
