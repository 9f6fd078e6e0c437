"""Searches on the terminal."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any

from ares7.screen import number, percent, table
from ares7.tearsheet_format import short_names


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def show_grid(metrics: Mapping[str, Any]) -> None:
    """Print the best points beside each other, and how much of the choice is luck."""
    grid, choice, base = metrics["grid"], metrics["selection"], metrics["baseline_performance"]
    title = f"grid {grid['name']} of {metrics['strategy']}: {grid['points']:,} points{_stamps(metrics)}"
    leaders = metrics["leaders"]
    first = "chosen" if choice["best"] is not None else "not chosen"
    header = ["", *(f"{line['point']}" + (f"\n{first}" * (i == 0)) for i, line in enumerate(leaders))]
    axes = list(leaders[0]["parameters"]) if leaders else []
    rows = [
        (name, *(str(line["parameters"][axis]) for line in leaders), "")
        for name, axis in zip(short_names(axes), axes, strict=True)
    ]
    if choice["objective"] not in ("train_sharpe", "oos_min_sharpe"):
        rows.append((choice["objective"], *(_digits(line[choice["objective"]]) for line in leaders), ""))
    rows += [
        (name, *(show(line[key]) for line in leaders), "" if beside is None else show(base[beside]))
        for name, key, show, beside in (
            ("train Sharpe", "train_sharpe", _digits, None),
            ("degradation", "degradation", percent, None),
            ("Sharpe", "sharpe", _digits, "sharpe"),
            ("active Sharpe", "active_sharpe", _digits, None),
            ("CAGR", "cagr", percent, "cagr"),
            ("max drawdown", "max_drawdown", percent, "max_drawdown"),
            ("turnover a year", "turnover", number, None),
        )
    ]
    for k, window in enumerate(metrics["windows"]):
        touched = "*" * (window["name"] in choice["contaminated"])
        shown = (_digits(line["windows"][k]["sharpe"]) for line in leaders)
        rows.append((f"{window['name']} Sharpe{touched}", *shown, _digits(window["baseline_sharpe"])))
    captions = ["* selection-contaminated: the choice has looked at it"] * bool(choice["contaminated"])
    table(title, (*header, metrics["baseline"]), rows, captions=captions)
    _say(
        f"point {choice['best']} is chosen: the best {choice['objective']} that satisfies the constraints"
        if choice["best"] is not None
        else f"no point is chosen: {choice['reason']}; point {choice['leader']} has the best {choice['objective']}"
    )
    _show_rejections(choice)
    show_luck(metrics["statistics"])
    _show_targets(metrics)
    for note in metrics["notes"]:
        _say(note)


def _digits(value: Any) -> str:
    """Sharpe ratio of a point; neighbours differ in the third digit."""
    return number(value, 3)


def _stamps(metrics: Mapping[str, Any]) -> str:
    return f" [{', '.join(metrics['stamps'])}]" if metrics["stamps"] else ""


def _show_targets(metrics: Mapping[str, Any]) -> None:
    rows = [
        (
            f"{row['phase']} {row['what']}",
            f"{row['relation']} {row['target']:g}",
            number(row["figure"]),
            f"{number(row['low'])} to {number(row['high'])}" if _finite(row["low"], row["high"]) else "",
            "yes" if row["met"] else "no",
        )
        for row in metrics["targets"]
        if row["met"] is not None
    ]
    if rows:
        table("targets of the roadmap", ("", "target", "measured", "interval", "met"), rows)


def _finite(*values: Any) -> bool:
    return all(isinstance(value, int | float) and math.isfinite(value) for value in values)


def _show_rejections(choice: Mapping[str, Any]) -> None:
    rows = [
        (name, str(found["alone"]), str(found["cumulative"])) for name, found in choice["rejections"].items()
    ]
    if rows:
        table("points rejected", ("constraint", "alone", "so far"), rows)


def show_luck(found: Mapping[str, Any], whose: str = "") -> None:
    """Print trials, deflated Sharpe ratios and the probability of overfitting; ``whose`` opens the title."""
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
    title = f"{whose}{counts['distinct']:,} trials on this market, {counts['effective']:,} effective"
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
    title = f"walkforward {found['grid']['name']} of {metrics['strategy']}{_stamps(metrics)}"
    header = (
        "year",
        "point",
        "train",
        "test rank",
        "Sharpe",
        metrics["baseline"],
        "return",
        "drawdown",
    )
    rows = [
        (
            year["year"] + "*" * bool(year["cut_short"]),
            "cash" if year["point"] is None else str(year["point"]) + " (kept)" * bool(year["kept"]),
            number(year["train_sharpe"]),
            f"{year['rank']}/{year['of']}",
            number(year["sharpe"]),
            number(year["baseline_sharpe"]),
            percent(year["return"]),
            percent(year["max_drawdown"]),
        )
        for year in found["years"]
    ]
    captions = ["* cut short by the data"] if any(year["cut_short"] for year in found["years"]) else []
    table(title, header, rows, captions=captions)
    _show_held(found)
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
    show_luck(found["statistics"], f"point {found['hindsight']['point']}, best in hindsight: ")
    _show_targets(metrics)


def _show_held(found: Mapping[str, Any]) -> None:
    """Print each parameter's values with the years in which they were held."""
    axes = list(found["grid"]["axes"])
    rows = []
    for name, axis in zip(short_names(axes), axes, strict=True):
        runs: list[tuple[str, list[str]]] = []
        for year in found["years"]:
            value = str(year["values"].get(axis, "cash"))
            if runs and runs[-1][0] == value:
                runs[-1][1].append(year["year"])
            else:
                runs.append((value, [year["year"]]))
        spans = [f"{value} {years[0]}" + f" to {years[-1]}" * (len(years) > 1) for value, years in runs]
        rows.append((name, ", ".join(spans)))
    table("parameters that were held", ("", "value and years"), rows, text_columns=2)


def show_optimize(metrics: Mapping[str, Any]) -> None:
    """Print the proposed mixes, and what they are worth out of sample."""
    sleeves = list(next(iter(metrics["mixes"].values()))["weights"])
    rows = [
        (regime, *(percent(found["weights"][name]) for name in sleeves), number(found["objective"], 4))
        for regime, found in metrics["mixes"].items()
    ]
    title = (
        f"{metrics['method']} mixes of {metrics['strategy']}, {metrics['train_sessions']:,} train sessions"
        f"{_stamps(metrics)}"
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
