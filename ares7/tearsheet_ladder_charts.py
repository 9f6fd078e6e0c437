"""Charts of the bias ladder. See `ares7.tearsheet_charts` for what a figure is."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ares7.arrays import Dates, Float1D
from ares7.tearsheet_charts import Figure, axis, compact, css, frame, over_time, series
from ares7.tearsheet_search_charts import bottom

PUBLISHED = 3.2
"""Sharpe ratio, net of an assumed cost, that was published for the engine."""
ABBREVIATIONS = frozenset({"vix", "pead"})
BAR_PIXELS, EDGE_PIXELS = 28, 62
"""Height of a bar with its gap, and of what is above and below all of them."""
DRAWN = 5
"""Every so many sessions a growth curve has a point; its last session always has one."""


def label(bias: object) -> str:
    """Name of a mistake as words."""
    words = str(bias).split("_")
    return " ".join(word.upper() if word in ABBREVIATIONS else word for word in words)


def steps_height(bars: int) -> int:
    """Height of the chart in pixels."""
    return BAR_PIXELS * bars + EDGE_PIXELS


def steps(rows: Sequence[Mapping[str, Any]], equal_weight: float | None) -> Figure:
    """Sharpe ratio from the honest one on, each further mistake a bar from where the last one ended.

    Parameters
    ----------
    rows : sequence of mapping
        ``bias`` and ``sharpe``, the honest one first, each other one with all mistakes up to it.
    equal_weight : float or None
        Sharpe ratio of equal weight, a line.
    """
    level = np.array([_number(row.get("sharpe")) for row in rows], dtype=np.float64)
    start = np.append(0.0, level[:-1])
    names = [html.escape(label(row.get("bias")), quote=False) for row in rows]
    lines = [(PUBLISHED, "alarm", "dash")]
    if equal_weight is not None:
        lines.append((equal_weight, "ink", "solid"))
    reach = np.array([0.0, *level[np.isfinite(level)], *(at for at, *_ in lines)])
    low, high = float(reach.min()), float(reach.max())
    room = 0.06 * (high - low)
    span = [low - 2 * room if low < 0 else 0.0, high + 2 * room]
    down = {
        "tickvals": list(range(len(rows))),
        "ticktext": names,
        "range": [len(rows) - 0.5, -0.5],
        "fixedrange": True,
        "showgrid": False,
        "zeroline": False,
        "automargin": True,
        "ticklabelstandoff": 6,
    }
    return {
        "data": [_bars(names, start, level), _levels(level, start)],
        "layout": frame(
            bargap=0,
            margin={"l": 8, "r": 24, "t": 8, "b": 46},
            shapes=[_line(*line) for line in lines],
            xaxis=bottom("Sharpe ratio", range=compact(np.array(span)), nticks=8, fixedrange=True),
            yaxis=down,
        ),
    }


def _bars(names: Sequence[str], start: Float1D, level: Float1D) -> dict[str, Any]:
    """Bars from each start to its level; the first is the honest one."""
    gain = level - start
    colours = [css("strategy"), *(css("accent" if g >= 0 else "baseline") for g in gain[1:].tolist())]
    return {
        "type": "bar",
        "orientation": "h",
        "y": list(range(len(names))),
        "base": compact(start),
        "x": compact(gain),
        "width": 0.64,
        "customdata": compact(level),
        "text": list(names),
        "textposition": "none",
        "marker": {"color": colours, "line": {"width": 0}},
        "hovertemplate": "%{text}: %{customdata:.2f} (%{x:+.2f})<extra></extra>",
        "name": "Sharpe ratio",
    }


def _levels(level: Float1D, start: Float1D) -> dict[str, Any]:
    """Level after each step, written at the end where its bar arrives."""
    falls = (level < start).tolist()
    return {
        "type": "scatter",
        "mode": "text",
        "y": list(range(len(level))),
        "x": compact(level),
        # Spaces keep the number off the bar.
        "text": ["" if v is None else f" {v:.2f} ".replace("-", "−") for v in compact(level)],
        "textposition": ["middle left" if fall else "middle right" for fall in falls],
        "textfont": {"color": css("ink"), "size": 12},
        "cliponaxis": False,
        "hoverinfo": "skip",
        "name": "level",
    }


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")


def _line(at: float, colour: str, dash: str) -> dict[str, Any]:
    line = {"color": css(colour), "width": 1.5, "dash": dash}
    return {
        "type": "line",
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "x0": at,
        "x1": at,
        "line": line,
        "layer": "below",
    }


def growth(dates: Dates, curves: Mapping[str, Float1D], key: str) -> tuple[Figure, dict[str, list[Any]]]:
    """Growth of 1 on a log axis, and the arrays that the figure refers to.

    Parameters
    ----------
    dates : (T,) datetime64[D]
    curves : mapping of name to (T,)
        The honest one first, each other one with all mistakes up to it.
    key : str
        Tells the arrays of one market from those of another.
    """
    rows = np.unique(np.append(np.arange(0, len(dates), DRAWN), len(dates) - 1))
    last = len(curves) - 1
    arrays: dict[str, list[Any]] = {f"date-{key}": dates[rows].astype(str).tolist()}
    lines = []
    for place, (name, values) in enumerate(curves.items()):
        arrays[f"curve-{key}-{place}"] = compact(values[rows])
        colour, width = (
            ("strategy", 2.2) if place == 0 else ("accent", 2.2) if place == last else ("accent-soft", 1)
        )
        shown = html.escape(("+ " if place else "") + label(name), quote=False)
        lines.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": series(f"date-{key}"),
                "y": series(f"curve-{key}-{place}"),
                "name": shown,
                "line": {"color": css(colour), "width": width},
                "hovertemplate": f"{shown}<br>%{{x|%-d %b %Y}}: %{{y:.2f}}<extra></extra>",
            }
        )
    known = np.concatenate(list(curves.values()))
    known = np.log10(known[known > 0])
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    room = 0.05 * (high - low) or 0.05
    # A tick at 1, 2, 5 leaves a short span without any.
    step = "D2" if high - low > np.log10(8) else "D1"
    span = compact(np.array([low - room, high + room]))
    # The honest curve is drawn on top.
    return {
        "data": [*lines[1:], lines[0]],
        "layout": over_time(
            dates, hovermode="closest", yaxis=axis(type="log", range=span, tickformat=",.2~f", dtick=step)
        ),
    }, arrays
