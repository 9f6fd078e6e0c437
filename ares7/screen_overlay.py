"""Studies of overlays on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from ares7.screen import ABSENT, number, percent, table
from ares7.screen_search import show_luck

Metrics = Mapping[str, Any]


def show_ablation(metrics: Metrics) -> None:
    """Print what each overlay adds, by window, and the figures of test and of the whole run."""
    windows = [w["name"] for w in metrics["windows"] if w["usable"]]
    rows = [
        (book["label"], *(_span(book["windows"][name]["sharpe_added"]) for name in windows))
        for book in metrics["books"][1:]
    ]
    title = f"net Sharpe ratio added to {metrics['strategy']}{_stamps(metrics)}"
    table(title, ("", *windows), rows, captions=[_level(metrics)])
    for name in [name for name in ("test", "whole") if name in windows]:
        _show_window(metrics, name)
    for name, alike in metrics["likeness"].items():
        shown = ", ".join(f"{window} {number(alike[window])}" for window in windows)
        _say(f"correlation of the wavelet's tilts with {name}'s: {shown}")
    _say_all(metrics)


def _show_window(metrics: Metrics, name: str) -> None:
    rows = []
    for book in metrics["books"]:
        own = book["windows"][name]
        rows.append(
            (
                book["label"],
                number(own["sharpe"]),
                number(own["gross_sharpe_added"]),
                percent(own["return_added"]["estimate"], 2),
                percent(own["costs_added"], 2),
                number(own["turnover"]),
                number(own["turnover_added"]),
                percent(own["tracking_error"], 2),
                percent(-own["max_drawdown"]),
                _millions(own["capacity_usd"]),
                _millions(own["stock_capacity_usd"]),
            )
        )
    window = next(w for w in metrics["windows"] if w["name"] == name)
    header = (
        "",
        "Sharpe",
        "gross added",
        "return added",
        "costs added",
        "turnover",
        "added",
        "tracking",
        "drawdown",
        "capacity, USD M",
        "in stocks",
    )
    table(f"{name}: {window['start']} to {window['end']}, {window['sessions']} sessions", header, rows)


def show_overlay_optimize(metrics: Metrics) -> None:
    """Print every candidate by window, and how much of the choice is luck."""
    windows = [w["name"] for w in metrics["windows"] if w["usable"]]
    seen = metrics["contaminated"]
    rows = []
    for line in metrics["candidates"]:
        shown = (
            f"{number(line['windows'][name]['interval']['estimate'])} "
            f"{'' if line['name'] == 'base' else _span(line['windows'][name]['sharpe_added'])}"
            for name in windows
        )
        rows.append((line["label"], line["weights_text"], *shown))
    header = ("", "weights", *(f"{name}{'*' * (name in seen)}" for name in windows))
    captions = [
        "net Sharpe ratio, and what it adds to no overlay",
        _level(metrics),
        "* selection-contaminated: the choice has looked at it",
    ]
    table(
        f"overlays of {metrics['strategy']}{_stamps(metrics)}",
        header,
        rows,
        captions=captions,
        text_columns=2,
    )
    _say(metrics["grid"]["told"])
    show_luck(metrics["statistics"], "best of the grid: ")
    found = metrics["statistics"]["increment"]
    if found is not None:
        _say(
            f"what it adds to no overlay over the whole run: Sharpe {number(found['sharpe'], 3)}, deflated Sharpe "
            f"ratio {number(found['dsr'], 3)}"
        )
    _say_all(metrics)


def _span(span: Metrics) -> str:
    edges = [span[edge] for edge in ("estimate", "low", "high")]
    if not all(isinstance(edge, int | float) and abs(edge) < float("inf") for edge in edges):
        return ABSENT
    return f"{edges[0]:+.2f} [{edges[1]:+.2f}, {edges[2]:+.2f}]"


def _level(metrics: Metrics) -> str:
    return f"[low, high]: {metrics['level']:.0%} interval of a paired stationary bootstrap"


def _millions(value: Any) -> str:
    return number(value / 1e6, 1) if isinstance(value, int | float) else ABSENT


def _stamps(metrics: Metrics) -> str:
    return f" [{', '.join(metrics['stamps'])}]" if metrics["stamps"] else ""


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")


def _say_all(metrics: Metrics) -> None:
    for line in metrics["verdicts"]:
        _say(line)
    for note in metrics["notes"]:
        _say(f"note: {note}")


SHOW_OVERLAY = {"overlay ablation": show_ablation, "overlay optimize": show_overlay_optimize}
"""How each study's result is shown, by the kind in its metrics."""
