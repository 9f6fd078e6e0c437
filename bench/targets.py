"""The rows of the table: what each engine must reach, and whether it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.runs import FLOORED, OUT, RUNS, TOWARDS_HELD

TOLERANCE = 1e-10
REFERENCE = {FLOORED: "plain", TOWARDS_HELD: "plain-towards-held"}
Results = dict[str, dict[str, Any]]


class Missing(Exception):
    """A row needs a figure that was not measured; the text says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """One demand on one ratio or figure.

    Attributes
    ----------
    value : callable
        From all results and the kind of time (``wall`` or ``cpu``) to the figure.
    at_least : bool
        The figure must reach the limit; otherwise it must not exceed it.
    equal : tuple of str
        Results whose equity the figure relies on.
    wall_only : bool
        Threads share the work: CPU time, which adds them up, is shown and judges nothing.
    """

    row: str
    what: str
    value: Callable[[Results, str], float]
    limit: float
    at_least: bool
    unit: str
    equal: tuple[str, ...] = ()
    wall_only: bool = False


def get(results: Results, name: str, key: str) -> float:
    """Return one figure, or raise `Missing` with the reason."""
    found = results.get(name, {"missing": f"{name} not run"})
    if "missing" in found:
        raise Missing(f"{name}: {found['missing']}" if name not in found["missing"] else found["missing"])
    return float(found[key])


def ratio(above: str, below: str) -> Callable[[Results, str], float]:
    """Median time of one engine divided by that of another."""
    return lambda results, kind: get(results, above, f"{kind}_median") / get(results, below, f"{kind}_median")


def process_ratio(results: Results, kind: str) -> float:
    """Whole ``run.py backtest`` over the bare imports."""
    found = results.get("processes", {"missing": "whole processes not run"})
    if "missing" in found:
        raise Missing(found["missing"])
    return float(np.median(found[f"backtest_{kind}"]) / np.median(found[f"imports_{kind}"]))


def memory_ratio(results: Results, kind: str) -> float:
    """Peak memory over vanilla's, one run each in a process of its own; the same for both kinds of time."""
    return get(results, "ares7-100-alone", "peak_mib") / get(results, "vanilla-shares-100-alone", "peak_mib")


LISTENING = ("vanilla-listening-100", "ares7-listening-100")
QUIET = ("vanilla-quiet-100", "ares7-quiet-100")
TARGETS = (
    Target(
        "E1",
        "any bt.Strategy, orders, trades and TradeAnalyzer",
        ratio(*LISTENING),
        20,
        True,
        "x vanilla",
        LISTENING,
    ),
    Target("E2", "the same, nobody listening", ratio(*QUIET), 50, True, "x vanilla", QUIET),
    Target(
        "E3",
        "our strategy, from DataFrames, no analyzers",
        ratio("vanilla-shares-100", "ares7-100"),
        250,
        True,
        "x vanilla",
        ("vanilla-shares-100", "ares7-100"),
    ),
    Target(
        "E3",
        "the same against vectorbt",
        ratio("ares7-100", "vectorbt-100"),
        0.7,
        False,
        "of vectorbt's time",
        ("vectorbt-100", "ares7-100"),
    ),
    Target(
        "E3",
        "the same with the default analyzers",
        ratio("vanilla-shares-100", "ares7-analyzers-100"),
        100,
        True,
        "x vanilla",
        ("vanilla-shares-100", "ares7-analyzers-100"),
    ),
    Target(
        "E4",
        "500 symbols, no analyzers",
        ratio("vanilla-shares-500", "ares7-500"),
        400,
        True,
        "x vanilla",
        ("vanilla-shares-500", "ares7-500"),
    ),
    Target("E5", "peak memory of one run, from DataFrames", memory_ratio, 1.0, False, "of vanilla's"),
    Target(
        "E6",
        "whole job with signals",
        lambda results, kind: get(results, "ares7-signals-100", f"{kind}_median"),
        0.05,
        False,
        "s",
    ),
    Target(
        "E7",
        "simulate, warm",
        ratio("simulate-100", "plain-100"),
        2,
        False,
        "x the plain loop's time",
        ("simulate-100", "plain-100"),
    ),
    Target("E8", "whole process run.py backtest", process_ratio, 3, False, "x the bare imports"),
)


def add_differences(results: Results) -> None:
    """State for each curve the largest relative difference to the plain loop of its rounding rule."""
    for run in RUNS:
        found = results.get(run.name, {"missing": ""})
        reference = OUT / f"equity-{REFERENCE.get(run.rule, 'plain')}-{run.symbols}.npy"
        if run.rule == "other job" or "missing" in found or not reference.exists():
            continue
        curve, plain = np.load(OUT / f"equity-{run.name}.npy"), np.load(reference)
        found["difference"] = float(np.nanmax(np.abs(curve / plain - 1.0)))
        found["must_agree"] = run.rule in REFERENCE


def unequal(results: Results, target: Target) -> str:
    """Say which curves that a row relies on disagree, and whether notifications do; empty when none does."""
    wrong = [
        f"{name} differs by {results[name]['difference']:.1e}"
        for name in target.equal
        if results[name].get("must_agree") and not results[name]["difference"] <= TOLERANCE
    ]
    told = [results[name]["told"] for name in target.equal] if target.equal == LISTENING else []
    if told and not same(*told):
        wrong.append("notifications or TradeAnalyzer differ")
    return "; ".join(wrong)


def same(one: dict[str, float], other: dict[str, float]) -> bool:
    """Whether two strategies heard the same: counts exactly, amounts to 1e-9."""
    return one.keys() == other.keys() and all(
        np.isclose(value, other[name], rtol=1e-9, atol=1e-6) for name, value in one.items()
    )


def judged(results: Results, target: Target) -> dict[str, Any]:
    """Return one row: figures, limit, verdict, and why it is not 'pass'; wall and CPU time must both pass."""
    row: dict[str, Any] = {"row": target.row, "what": target.what, "unit": target.unit}
    row |= {"limit": target.limit, "at_least": target.at_least}
    try:
        row |= {"value": target.value(results, "wall"), "value_cpu": target.value(results, "cpu")}
    except Missing as missing:
        return row | {"verdict": "not measured", "reason": str(missing)}
    reason = unequal(results, target)
    by_wall, by_cpu = (meets(target, row[kind]) for kind in ("value", "value_cpu"))
    by_cpu = by_wall if target.wall_only else by_cpu
    if reason or not (by_wall or by_cpu):
        return row | {"verdict": "FAIL", "reason": reason}
    if by_wall and by_cpu:
        return row | {"verdict": "pass", "reason": ""}
    reason = f"by {'wall' if by_wall else 'CPU'} time only; a quiet machine would tell"
    return row | {"verdict": "unclear", "reason": reason}


def meets(target: Target, value: float) -> bool:
    """Whether a figure reaches its limit."""
    return value >= target.limit if target.at_least else value <= target.limit
