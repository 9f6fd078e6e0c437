"""Measure the bridge against the gateway double in another process: ``python -m bench.live_bench [--symbols N]``.

500 symbols qualified, 600 daily bars each, 500 orders filled (own rate limit off); from the last bar of a session to
the first order on the wire; CPU of a run that waits. Exit code 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

import backtrader as bt
import numpy as np

from live.client.options import HistoryPacing, Options
from live.double.control import running
from live.double.history import History, from_closes
from live.double.settings import Settings
from live.store import IBStore
from live.store_options import StoreOptions

SESSIONS, BARS, IDLE_S = 640, 600, 15.0
LIMITS = {"in_all": 8.0, "latency": 0.2, "idle": 0.03}
START = "2023-01-03"
SHARES = 10
UNLIMITED = Options(
    messages_per_s=0,
    max_skew_s=None,
    quiet=None,
    history=HistoryPacing(identical_s=0, per_contract=10**6, per_ten_minutes=10**6),
)


def market(symbols: int) -> History:
    """Random walks in cents."""
    rng = np.random.default_rng(1)
    walks = 50.0 * np.exp(np.cumsum(rng.normal(0, 0.01, (symbols, SESSIONS)), axis=1))
    return from_closes(START, {f"S{i:03d}": walk.round(2).tolist() for i, walk in enumerate(walks)})


def serve(pipe: Connection, symbols: int) -> None:
    """Run the double until the other end of the pipe is closed; a message steps its clock."""
    history = market(symbols)
    start = f"{history.dates[BARS + 10]} 15:30"
    with running(history, Settings(start=start, spread_ticks=0, keep_record=False)) as control:
        pipe.send((control.port, control.account))
        while True:
            try:
                deed = pipe.recv()
            except EOFError:
                return
            pipe.send(getattr(control, deed)(*((25.0,) if deed == "end_session" else ())))


class Double:
    """The other process."""

    def __init__(self, symbols: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=serve, args=(other, symbols))
        self._process.start()
        other.close()
        self.port, self.account = self._pipe.recv()

    def do(self, deed: str) -> Any:
        """Step the clock."""
        self._pipe.send(deed)
        return self._pipe.recv()

    def stop(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(10)


class BuysAll(bt.Strategy):
    """Buys every name on the first bar, lets the session open, and stops when all are filled."""

    params = (("double", None), ("done", None))

    def __init__(self) -> None:
        self.filled = 0
        self.sent = 0.0

    def next(self) -> None:
        """Order once."""
        if self.sent:
            return
        self.sent = time.perf_counter()
        for data in self.datas:
            self.buy(data, size=SHARES)
        self.broker.store.client.server_time()
        self.p.double.do("next_session")

    def notify_order(self, order: Any) -> None:
        """Count what is filled."""
        if order.status == order.Completed:
            self.filled += 1
            if self.filled == len(self.datas):
                self.p.done.append(time.perf_counter() - self.sent)
                self.cerebro.runstop()


def store_of(double: Double, symbols: int, clock: str, client_id: int) -> IBStore:
    """A store with a feed for every name."""
    options = StoreOptions(clock=clock)  # type: ignore[arg-type]
    store = IBStore(
        "127.0.0.1", double.port, client_id, double.account, options=options, client_options=UNLIMITED
    )
    for i in range(symbols):
        store.getdata(symbol=f"S{i:03d}")
    return store


def cerebro_of(store: IBStore, strategy: type, **params: Any) -> bt.Cerebro:
    """A Cerebro on a store."""
    cerebro = bt.Cerebro()
    cerebro.setbroker(store.getbroker())
    for data in store.datas:
        cerebro.adddata(data)
    cerebro.addstrategy(strategy, **params)
    return cerebro


def trading(double: Double, symbols: int) -> dict[str, float]:
    """Seconds of qualification, history, orders, and from the last bar to the first order."""
    store, found = store_of(double, symbols, "gateway", 1), {}
    published: list[float] = []
    wire: list[float] = []
    store.observe(None, lambda _: published.append(time.perf_counter()))
    store.desk.journal = lambda *_: wire.append(time.perf_counter())
    done: list[float] = []
    try:
        start = time.perf_counter()
        store.start()
        found["qualify"] = time.perf_counter() - start
        facts = [data.facts for data in store.datas if data.facts is not None]
        start = time.perf_counter()
        answers = store.client.daily_bars_of(facts, BARS)
        found["history"] = time.perf_counter() - start
        short = [answer for answer in answers.values() if len(getattr(answer, "dates", ())) != BARS]
        if short:
            raise SystemExit(f"history is incomplete: {short[0]}")
        double.do("end_session")
        cerebro_of(store, BuysAll, double=double, done=done).run()
    finally:
        store.stop()
    if len(wire) != symbols or not done:
        raise SystemExit(f"{len(wire)} of {symbols} orders were sent, and not all were filled")
    return {**found, "orders": done[0], "latency": wire[0] - published[0]}


class Waits(bt.Strategy):
    """Does nothing."""


def waiting(double: Double, symbols: int) -> float:
    """Fraction of a core that a run needs while no bar comes."""
    store = store_of(double, symbols, "system", 2)
    cerebro, used = cerebro_of(store, Waits), []

    def measure() -> None:
        time.sleep(2.0)
        before, start = time.process_time(), time.perf_counter()
        time.sleep(IDLE_S)
        used.append((time.process_time() - before) / (time.perf_counter() - start))
        cerebro.runstop()

    watcher = threading.Thread(target=measure)
    try:
        watcher.start()
        cerebro.run()
    finally:
        store.stop()
        watcher.join()
    return float(used[0])


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--symbols", type=int, default=500)
    symbols = parser.parse_args().symbols
    double = Double(symbols)
    try:
        found = trading(double, symbols)
        found["idle"] = waiting(double, symbols)
    finally:
        double.stop()
    found["in_all"] = found["qualify"] + found["history"] + found["orders"]
    texts = {
        "qualify": f"{symbols} symbols qualified",
        "history": f"{BARS} daily bars of each",
        "orders": f"{symbols} orders, from the first to the last fill told",
        "in_all": "in all",
        "latency": "last bar of the session to first order on the wire",
        "idle": f"CPU of a run of {symbols} feeds that waits, cores",
    }
    missed = [name for name, limit in LIMITS.items() if found[name] >= limit]
    for name, text in texts.items():
        limit = f"   limit {LIMITS[name]:g}" if name in LIMITS else ""
        sys.stdout.write(f"{text:<60} {found[name]:8.3f}{limit}{'   MISSED' if name in missed else ''}\n")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
