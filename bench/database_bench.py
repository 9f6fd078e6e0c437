"""Measure market data in PostgreSQL and Redis: ``python -m bench.database_bench [DIR]``.

A server of its own is started. Without DIR: 500 names, 2,000 sessions, a million bars. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ares7 import sessions
from ares7.config import DataConfig
from ares7.redis_config import RedisConfig
from feeds.database.loading import load_folder
from feeds.database.server import Server
from feeds.load import load_with_findings
from live.redis_state import RedisState
from tests import postgres

NAMES, SESSIONS, ROUNDS = 500, 2000, 3
CALLS = 1000


def say(what: str, value: str) -> None:
    """Print one figure."""
    sys.stdout.write(f"{what:<64} {value:>10}\n")
    sys.stdout.flush()


def seconds(work: Callable[[], Any], rounds: int = ROUNDS) -> float:
    """Return the best of some rounds."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


def million_bars(folder: Path) -> None:
    """Write random walks as prices and market."""
    import numpy as np
    import pandas as pd

    days = sessions.sessions(np.datetime64("2010-01-04"), np.datetime64("2020-12-31"), "XNYS")[:SESSIONS]
    rng = np.random.default_rng(1)
    folder.mkdir()
    for table, names in (
        ("prices", [f"N{i:03d}" for i in range(NAMES)]),
        ("market", ["SPY", "TLT", "IEF", "SHY", "BIL", "GLD", "SPX", "VIX"]),
    ):
        close = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, (len(names), len(days))), axis=1)).ravel()
        columns = {"open": close * 0.999, "high": close * 1.01, "low": close * 0.99, "close": close}
        rows = {
            "date": np.tile(days, len(names)).astype("datetime64[s]"),
            "symbol": np.repeat(names, len(days)),
        }
        volume = rng.integers(1000, 10**6, len(close)).astype(float)
        pd.DataFrame({**rows, **columns, "adj_close": close * 0.98, "volume": volume}).to_parquet(
            folder / f"{table}.parquet"
        )


def panels(folder: Path, url: str, scratch: Path) -> None:
    """Print what a panel costs from files and from the database."""

    def panel(path: Path | str, cache: Path | None) -> None:
        load_with_findings(DataConfig.model_validate({"path": path, "cache": cache}))

    def anew() -> None:
        shutil.rmtree(scratch / "anew", ignore_errors=True)
        panel(url, scratch / "anew")

    def built() -> None:
        shutil.rmtree(scratch / "kept" / "panels", ignore_errors=True)
        panel(url, scratch / "kept")

    def built_of_files() -> None:
        shutil.rmtree(scratch / "files", ignore_errors=True)
        panel(folder, scratch / "files")

    files, stored = seconds(built_of_files), seconds(anew)
    say("panel from Parquet, s", f"{files:.2f}")
    say("panel from the database, the first after a load, s", f"{stored:.2f}")
    say("  times that from Parquet", f"{stored / files:.2f}")
    say("panel from the database, its snapshot is there, s", f"{seconds(built):.2f}")
    say("panel from the cache, the database asked, s", f"{seconds(lambda: panel(url, scratch / 'kept')):.3f}")
    say("panel from the cache of files, s", f"{seconds(lambda: panel(folder, scratch / 'files')):.3f}")


def loads(server: Server, cluster: postgres.Server, folder: Path) -> None:
    """Print what loads cost."""

    def first() -> None:
        cluster.empty_database()
        load_folder(folder, server)

    first()
    rows = {change.name: change.rows for change in load_folder(folder, server).changes}
    say("rows of prices", f"{rows['prices']:,}")
    say("first load of the folder, s", f"{seconds(first):.2f}")
    say("second load, nothing new, s", f"{seconds(lambda: load_folder(folder, server)):.2f}")


def calls() -> None:
    """Print what the runner pays for Redis: a server that answers, one that hangs, none."""
    program = shutil.which("redis-server")
    if program is None:
        say("redis-server is not installed", "")
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)  # noqa: S603
    try:
        time.sleep(0.5)
        for what in ("answers", "hangs", "is gone"):
            if what == "hangs":
                os.kill(process.pid, signal.SIGSTOP)
            if what == "is gone":
                process.kill()
            state = RedisState(RedisConfig(address=f"127.0.0.1:{port}"), "paper")
            found = []
            for number in range(CALLS):
                began = time.perf_counter()
                state.beat(str(number))
                found.append(time.perf_counter() - began)
                time.sleep(0.0005)
            state.close()
            mean, worst = sum(found) / CALLS * 1e6, max(found) * 1e3
            say(f"a sign of life while Redis {what}: mean us, longest ms", f"{mean:.0f}, {worst:.2f}")
    finally:
        process.kill()
        process.wait()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", nargs="?", metavar="DIR")
    chosen = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as scratch, postgres.running() as cluster:
        folder = Path(chosen or f"{scratch}/market")
        if chosen is None:
            million_bars(folder)
        url = cluster.url()
        path = DataConfig.model_validate({"path": url}).path
        loads(Server(path), cluster, folder)  # type: ignore[arg-type]
        panels(folder, url, Path(scratch))
    calls()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
