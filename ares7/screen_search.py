"""Searches on the terminal."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any

from ares7.screen import number, percent, table


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def show_search(metrics: Mapping[str, Any]) -> None:
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
    for row in metrics["targets"]:
        if row["met"] is not None:
            met = "met" if row["met"] else "not met"
            _say(
                f"target {row['phase']} {row['what']} {row['relation']} {row['target']:g}: {_span(row)}, {met}"
            )
    for note in metrics["notes"]:
        _say(note)


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
