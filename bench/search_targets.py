"""The rows of searches: grids, walk-forward, threads, start-up, size. See docs/performance.md."""

from __future__ import annotations

from collections.abc import Callable

from bench.targets import TOLERANCE, Results, Target, get, ratio

CALLS = 45
"""A grid of 45 points costs the other engines 45 runs of the job."""


def of_calls(other: str) -> Callable[[Results, str], float]:
    """Time of 45 runs of another engine over that of 45 points on two threads, signals and market included."""
    return lambda results, kind: (
        CALLS * get(results, other, f"{kind}_median") / get(results, "batch-45-signals-2", f"{kind}_median")
    )


def allowed(points: str) -> Callable[[Results, str], float]:
    """Slowest call beside a busy neighbour over 1.5 quiet calls and a millisecond."""
    return lambda results, kind: (
        get(results, f"beside-{points}", "slowest")
        / (1.5 * get(results, f"quiet-{points}", "wall_median") + 1e-3)
    )


def a_point(results: Results, kind: str) -> float:
    """Milliseconds a point at 3,000 x 5,040."""
    name = "batch-3000x5040"
    return 1e3 * get(results, name, f"{kind}_median") / get(results, name, "points")


def memory(results: Results, kind: str) -> float:
    """Peak memory of that process over the open and close panels; the same for both kinds of time."""
    return get(results, "batch-3000x5040", "peak_mib") / get(results, "batch-3000x5040", "panel_mib")


def _products(grid: str, threads: int) -> Target:
    batch, product = f"batch-{grid}-{threads}", f"product-{grid}-{threads}"
    what = (
        "729 points, month-end decisions" if grid == "monthly" else "729 points, regime switches decide too"
    )
    name = f"{what}, {threads} thread{'s' if threads > 1 else ''}"
    checked = (f"batch-{grid}-2",)
    return Target("G3", name, ratio(batch, product), 12, False, "x the matrix product", checked)


SEARCH_TARGETS = (
    Target(
        "G1",
        "one combination, warm",
        ratio("batch-1", "plain-beside-batch"),
        0.5,
        False,
        "x the plain loop's time",
        ("batch-1",),
    ),
    Target(
        "G2",
        "45 points with signals",
        of_calls("vectorbt-100"),
        150,
        True,
        "x 45 vectorbt calls",
        ("vectorbt-100", "batch-45-signals-2"),
        wall_only=True,
    ),
    Target(
        "G2",
        "the same against the original engine",
        of_calls("original-100"),
        150,
        True,
        "x 45 of its runs",
        ("batch-45-signals-2",),
        wall_only=True,
    ),
    *(_products(grid, threads) for grid in ("monthly", "729") for threads in (1, 2)),
    Target(
        "G4",
        "729 points, two threads",
        ratio("batch-729-1", "batch-729-2"),
        1.7,
        True,
        "x one thread",
        wall_only=True,
    ),
    Target(
        "G4",
        "one point, slowest beside a neighbour",
        allowed("1"),
        1,
        False,
        "of what is allowed",
        wall_only=True,
    ),
    Target("G4", "729 points, the same", allowed("729"), 1, False, "of what is allowed", wall_only=True),
    Target(
        "G5",
        "walk-forward, 7 windows x 729",
        ratio("walk-forward-729-2", "batch-729-2"),
        3,
        False,
        "x one grid",
        ("batch-729-2",),
    ),
    Target(
        "G6",
        "fresh process, 729 points, compiled code on disk",
        lambda results, kind: get(results, "fresh-729", f"{kind}_median"),
        1.2,
        False,
        "s",
    ),
    Target(
        "G6",
        "the same, nothing compiled",
        lambda results, kind: get(results, "fresh-729-uncompiled", f"{kind}_median"),
        12,
        False,
        "s",
    ),
    Target(
        "S1",
        "45 points, largest difference to Backtrader",
        lambda results, kind: get(results, "batch-45-signals-2", "difference"),
        TOLERANCE,
        False,
        "of equity",
    ),
    Target("D1", "3,000 x 5,040, a point", a_point, 8, False, "ms", ("batch-3000x5040",), wall_only=True),
    Target("D1", "its peak memory", memory, 3, False, "x the open and close panels"),
    Target(
        "O1",
        "wavelet score, 200 names x 5,000 sessions, weekly",
        lambda results, kind: get(results, "wavelet-200x5000", f"{kind}_median"),
        0.05,
        False,
        "s",
        ("wavelet-200x5000",),
    ),
    Target(
        "O1",
        "the same against pandas",
        ratio("wavelet-pandas", "wavelet-200x5000"),
        2,
        True,
        "x pandas",
        ("wavelet-200x5000",),
    ),
)
