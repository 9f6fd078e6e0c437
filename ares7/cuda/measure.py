"""How many times as fast as two CPU threads a CUDA device is: ``python -m ares7.cuda.measure [P N S ...]``.

Both run the same plans on the same made-up market; the device's time includes sending market, sleeves and decisions
and fetching the curves, not the compilation. Without a device the exit code is 3.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ares7.arrays import AnyArray
from ares7.batch import Curves, Market, market, run_plans
from ares7.book import Plan, Sleeve
from ares7.config import AccountConfig
from ares7.costs import BpsCosts
from ares7.cuda.batch import DeviceMarket
from ares7.cuda.device import require_device
from ares7.errors import Ares7Error, ConfigError
from ares7.panel import PRICE_FIELDS, Panel
from ares7.search import block_points

SIZES = (
    (729, 100, 1260),
    (729, 500, 2520),
    (10_000, 500, 2520),
    (100_000, 500, 2520),
    (729, 3000, 5040),
    (10_000, 3000, 5040),
)
"""Points, names, sessions."""
MONTH = 21
CPU_POINTS = 512
"""Most points that the CPU is timed on; its time for more is in proportion."""
CALL_POINTS = 8192
"""Points of one call; their curves are dropped before the next."""
THREADS = 2


@dataclass(frozen=True, slots=True)
class Measured:
    """Times of one size, in seconds; ``difference`` is the largest relative one between the curves of both."""

    points: int
    names: int
    sessions: int
    cpu: float
    device: float
    difference: float

    @property
    def ratio(self) -> float:
        """CPU time over device time."""
        return self.cpu / self.device


def made_up(names: int, sessions: int, seed: int = 7) -> Panel:
    """Random walks without holes."""
    rng = np.random.default_rng(seed)
    close = 50.0 * np.exp(np.cumsum(rng.normal(0.0003, 0.02, (sessions, names)), axis=0))
    dates = np.datetime64("2000-01-03") + np.arange(sessions)
    ends = np.arange(sessions) % MONTH == MONTH - 1
    opening = close * np.exp(rng.normal(0, 0.005, close.shape))
    fields = {name: opening if name == "open" else close for name in PRICE_FIELDS}
    stocks, member = np.ones(names, dtype=bool), np.ones(close.shape, dtype=bool)
    return Panel(
        dates, tuple(f"S{i:05d}" for i in range(names)), fields, {}, stocks, member, ends, ends,
        provenance={"synthetic": True},
    )  # fmt: skip


def made_up_plans(panel: Panel, count: int, seed: int = 11) -> list[Plan]:
    """Mixes of three shared sleeves, decided at month ends."""
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(panel.month_end).astype(np.int64)
    sleeves = {n: Sleeve(rows, rng.dirichlet(np.ones(panel.shape[1]), len(rows))) for n in ("a", "b", "c")}
    mixes: AnyArray = rng.dirichlet(np.ones(len(sleeves) + 1), (count, len(rows)))
    return [
        Plan(sleeves, {name: mix[:, k].copy() for k, name in enumerate(sleeves)}, 0.98, panel.month_end)
        for mix in mixes
    ]


def on_threads(ready: Market, plans: Sequence[Plan]) -> list[Curves]:
    """Curves of plans, computed by two threads."""
    sessions, names = ready.tape.close.shape
    size = block_points(sessions, names, len(plans), THREADS)
    blocks = [plans[first : first + size] for first in range(0, len(plans), size)]
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda block: run_plans(ready, block), blocks))


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def measure(points: int, names: int, sessions: int) -> Measured:
    """Time one size on the CPU and on the device.

    Raises
    ------
    ServiceUnavailable
        There is no device.
    """
    require_device()
    panel = made_up(names, sessions)
    ready = market(panel, account=AccountConfig(cash=1e8), costs=BpsCosts(bps=10.0))
    some = made_up_plans(panel, min(points, CPU_POINTS))
    calls = [min(CALL_POINTS, points - first) for first in range(0, points, CALL_POINTS)]
    # Once without the clock: compilation, and the comparison.
    near = np.concatenate([curves.nav for curves in on_threads(ready, some)])
    far = DeviceMarket(ready).run(some).nav
    device = 0.0
    there: DeviceMarket | None = None
    for call, count in enumerate(calls):
        plans = made_up_plans(panel, count, seed=call)

        def run(plans: Sequence[Plan] = plans) -> None:
            nonlocal there
            there = there or DeviceMarket(ready)
            there.run(plans)

        device += _seconds(run)
    cpu = _seconds(lambda: on_threads(ready, some)) * points / len(some)
    return Measured(points, names, sessions, cpu, device, float(np.abs(far / near - 1.0).max()))


def _sizes(arguments: Sequence[str]) -> Sequence[tuple[int, int, int]]:
    numbers = [int(text) for text in arguments if text.isdecimal() and int(text) > 0]
    if len(numbers) != len(arguments) or len(numbers) % 3:
        raise ConfigError(
            f"sizes {' '.join(arguments)!r} are not threes of positive whole numbers; "
            "give points, names and sessions, for example: 729 500 2520"
        )
    return [(p, n, s) for p, n, s in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)] or SIZES


def main(arguments: Sequence[str]) -> int:
    """Print a table; returns the exit code."""
    try:
        sizes = _sizes(arguments)
        require_device()
        sys.stdout.write("points   names  sessions  2 CPU threads   device      ratio  difference\n")
        for size in sizes:
            found = measure(*size)
            scaled = "*" if found.points > CPU_POINTS else " "
            sys.stdout.write(
                f"{found.points:<8} {found.names:<6} {found.sessions:<9} {found.cpu:<12.3g}{scaled}s "
                f"{found.device:<9.3g} s {found.ratio:<6.3g} {found.difference:.1e}\n"
            )
    except Ares7Error as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    sys.stdout.write(f"* timed on {CPU_POINTS} points and taken in proportion\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
