"""Searches on the terminal."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any

from ares7.screen import number, percent, table


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def show_grid(metrics: Mapping[str, Any]) -> None:
    """Print the choice, and beside it how much of it is luck."""
    grid, choice = metrics["grid"], metrics["selection"]
    title = f"{metrics['kind']} {grid['name']} of {metrics['strategy']}: {grid['points']:,} points"
    if metrics["stamps"]:
        title += f" [{', '.join(metrics['stamps'])}]"
    point, own, base = metrics["point"], metrics["performance"], metrics["baseline_performance"]
    rows = [("objective", choice["objective"], "")]
    rows += [(name, str(value), "") for name, value in point["values"].items()]
    rows += [
        ("Sharpe", number(own["sharpe"]), number(base["sharpe"])),
        ("CAGR", percent(own["cagr"]), percent(base["cagr"])),
        ("max drawdown", percent(own["max_drawdown"]), percent(base["max_drawdown"])),
        ("turnover a year", number(metrics["turnover"]), ""),
        ("train Sharpe", number(metrics["oos"]["train_sharpe"]), ""),
        ("degradation", percent(metrics["oos"]["degradation"]), ""),
    ]
    for window in metrics["windows"]:
        touched = " (selection-contaminated)" if window["name"] in choice["contaminated"] else ""
        shown = number(window["sharpe"]), number(window["baseline_sharpe"])
        rows.append((f"{window['name']} Sharpe{touched}", *shown))
    best = choice["best"]
    head = f"point {best}" if best is not None else f"point {choice['leader']}, not chosen"
    table(title, ("", head, metrics["baseline"]), rows)
    if best is None:
        _say(f"no point is chosen: {choice['reason']}")
    _show_rejections(choice)
    show_luck(metrics["statistics"])
    _show_targets(metrics)
    for note in metrics["notes"]:
        _say(note)


def _show_targets(metrics: Mapping[str, Any]) -> None:
    for row in metrics["targets"]:
        if row["met"] is not None:
            met = "met" if row["met"] else "not met"
            _say(
                f"target {row['phase']} {row['what']} {row['relation']} {row['target']:g}: {_span(row)}, {met}"
            )


def _span(row: Mapping[str, Any]) -> str:
    low, high = row["low"], row["high"]
    known = low is not None and high is not None and math.isfinite(low) and math.isfinite(high)
    return f"{row['figure']:.2f}" + (f" [{low:.2f}, {high:.2f}]" if known else "")


def _show_rejections(choice: Mapping[str, Any]) -> None:
    rows = [
        (name, str(found["alone"]), str(found["cumulative"])) for name, found in choice["rejections"].items()
    ]
    if rows:
        table("points rejected", ("constraint", "alone", "so far"), rows)


def show_luck(found: Mapping[str, Any]) -> None:
    """Print trials, deflated Sharpe ratios and the probability of overfitting."""
    counts = found["trials"]
    rows = []
    for name, label in (
        ("sharpe", "Sharpe"),
        ("threshold", "best of as many without skill"),
        ("dsr", "deflated Sharpe ratio, all trials"),
        ("dsr_effective", "deflated Sharpe ratio, effective trials"),
    ):
        rows.append((label, *(number(found[kind][name], 3) for kind in ("total", "active"))))
    pbo = [found[kind]["pbo"] for kind in ("total", "active")]
    rows.append(("probability of overfitting", *("" if p is None else number(p["value"], 3) for p in pbo)))
    title = f"{counts['distinct']:,} trials on this market, {counts['effective']:,} effective"
    table(title, ("", "total", "active"), rows)
    tests = found["superiority"]
    if tests is not None:
        _say(
            f"against the baseline: SPA p = {tests['spa']['consistent']:.3f}, reality check p = "
            f"{tests['reality_check']:.3f}, Romano-Wolf p of this point = {tests['romano_wolf']:.3f}"
        )


def show_walkforward(metrics: Mapping[str, Any]) -> None:
    """Print the choice of each year and what the stitched book was worth."""
    found = metrics["walkforward"]
    axes = list(found["grid"]["axes"])
    stamps = f" [{', '.join(metrics['stamps'])}]" if metrics["stamps"] else ""
    title = f"walkforward {found['grid']['name']} of {metrics['strategy']}{stamps}"
    header = ("year", *axes, "train", "rank", "Sharpe", metrics["baseline"], "return", "drawdown")
    rows = []
    for year in found["years"]:
        chosen = [str(year["values"].get(axis, "cash")) for axis in axes]
        short = "*" if year["cut_short"] else ""
        rows.append(
            (
                year["year"] + short,
                *chosen,
                number(year["train_sharpe"]),
                f"{year['rank']}/{year['of']}",
                number(year["sharpe"]),
                number(year["baseline_sharpe"]),
                percent(year["return"]),
                percent(year["max_drawdown"]),
            )
        )
    captions = ["* cut short by the data"] if any(year["cut_short"] for year in found["years"]) else []
    table(title, header, rows, captions=captions)
    own, base, span = metrics["performance"], metrics["baseline_performance"], found["intervals"]["sharpe"]
    paths = found["combinatorial"]
    lines = [
        ("Sharpe", number(own["sharpe"]), number(base["sharpe"])),
        ("interval", f"{number(span['low'])} to {number(span['high'])}", ""),
        ("CAGR", percent(own["cagr"]), percent(base["cagr"])),
        ("max drawdown", percent(own["max_drawdown"]), percent(base["max_drawdown"])),
        ("mean train Sharpe", number(found["mean_train_sharpe"]), ""),
        ("degradation", percent(found["degradation"]), ""),
        ("efficiency", percent(found["efficiency"]), ""),
        ("years above the baseline", f"{found['years_above_baseline']} of {len(found['years'])}", ""),
        ("best point in hindsight", number(found["hindsight"]["sharpe"]), ""),
        ("median point, never changed", number(found["unchanged"]), ""),
        (
            f"combinatorial paths ({len(paths['paths'])})",
            f"{number(paths['mean'])} ± {number(paths['sd'])}",
            "",
        ),
    ]
    table("stitched", ("", "walk-forward", metrics["baseline"]), lines)
    _show_targets(metrics)


def show_optimize(metrics: Mapping[str, Any]) -> None:
    """Print the proposed mixes, and what they are worth out of sample."""
    sleeves = list(next(iter(metrics["mixes"].values()))["weights"])
    rows = [
        (regime, *(percent(found["weights"][name]) for name in sleeves), number(found["objective"], 4))
        for regime, found in metrics["mixes"].items()
    ]
    title = (
        f"{metrics['method']} mixes of {metrics['strategy']}, {metrics['train_sessions']:,} train sessions"
    )
    table(title, ("", *sleeves, "objective"), rows, captions=metrics["notes"])
    own, before, base = (
        metrics[name] for name in ("performance", "before_performance", "baseline_performance")
    )
    lines: list[tuple[str, ...]] = [
        (name, show(own[key]), show(before[key]), show(base[key]))
        for name, key, show in (
            ("Sharpe", "sharpe", number),
            ("CAGR", "cagr", percent),
            ("max drawdown", "max_drawdown", percent),
        )
    ]
    lines.append(("train Sharpe", *(number(metrics[k]["train_sharpe"]) for k in ("proposed", "before")), ""))
    for own_window, old in zip(metrics["proposed"]["windows"], metrics["before"]["windows"], strict=True):
        shown = (own_window["sharpe"], old["sharpe"], own_window["baseline_sharpe"])
        lines.append((f"{own_window['name']} Sharpe", *(number(value) for value in shown)))
    table("out of sample", ("", "proposed", "before", metrics["baseline"]), lines)
    show_luck(metrics["statistics"])


SHOW = {"grid": show_grid, "walkforward": show_walkforward, "optimize": show_optimize}
"""How each verb's result is shown."""
