"""The chart: value, baseline, regime, drawdown and exposure on one time axis, thinned to what a screen can show."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from ares7.arrays import Float1D, Int1D
from ares7.tearsheet_data import REGIMES
from live.dashboard.view import View

BUCKETS = 500
"""Each keeps its lowest and its highest value."""
COLOURS = {"strategy": "#2f86d0", "baseline": "#8a929b", "drawdown": "#d1600f", "gross": "#3a9e8c"}
REGIME_COLOURS = {"BULL": "#3a9e8c", "BEAR": "#d1600f", "HIGH_VOL": "#8d60b3", "NEUTRAL": "#a9b0b8"}
OTHER = "#59626c"


def thinned(values: Float1D, buckets: int = BUCKETS) -> Int1D:
    """Return the rows that keep first, last, and lowest and highest of every bucket."""
    size = len(values)
    if size <= 2 * buckets:
        return np.arange(size, dtype=np.int64)
    kept = {0, size - 1}
    for part in np.array_split(np.arange(size), buckets):
        known = part[np.isfinite(values[part])]
        if len(known):
            kept |= {int(known[np.argmin(values[known])]), int(known[np.argmax(values[known])])}
    return np.array(sorted(kept), dtype=np.int64)


def figure(view: View) -> dict[str, Any]:
    """Return a figure of plotly.js."""
    series = view.series
    if series is None or not len(series):
        return {"data": [], "layout": {"height": 80}}
    days = series.sessions.astype(str)

    def line(values: Float1D, name: str, colour: str, axis: str, hover: str, **more: Any) -> dict[str, Any]:
        rows = thinned(values)
        return {
            "type": "scatter",
            "mode": "lines" if len(rows) > 1 else "markers",
            "x": days[rows].tolist(),
            "y": [float(v) if np.isfinite(v) else None for v in values[rows].tolist()],
            "name": html.escape(name),
            "line": {"color": COLOURS[colour], "width": 1.8},
            "yaxis": axis,
            "hovertemplate": hover,
            **more,
        }

    drawn = []
    if view.baseline is not None:
        drawn.append(line(view.baseline, view.baseline_name, "baseline", "y", "%{y:$,.0f}"))
    drawn += [
        line(series.curve_usd, "value without flows", "strategy", "y", "%{y:$,.0f}"),
        line(series.drawdown, "drawdown", "drawdown", "y3", "%{y:.1%}", fill="tozeroy"),
        line(series.gross, "gross exposure", "gross", "y4", "%{y:.1%}"),
        line(series.net, "net exposure", "baseline", "y4", "%{y:.1%}"),
    ]
    return {"data": [*drawn, *_ribbon(series.regime, days.tolist())], "layout": _layout(view)}


def _ribbon(labels: tuple[str, ...], days: list[str]) -> list[dict[str, Any]]:
    """Return one heat map row with one cell a change."""
    starts = [row for row in range(len(labels)) if row == 0 or labels[row] != labels[row - 1]]
    known = [*REGIMES, *sorted(set(labels) - {*REGIMES, ""})]
    codes = [known.index(labels[row]) if labels[row] else None for row in starts]
    if not any(code is not None for code in codes):
        return []
    stairs = [
        [edge / len(known), REGIME_COLOURS.get(label, OTHER)]
        for code, label in enumerate(known)
        for edge in (code, code + 1)
    ]
    return [
        {
            "type": "heatmap",
            "x": [*(days[row] for row in starts), days[-1]] if len(days) > 1 else days,
            "y": ["regime"],
            "z": [codes],
            "text": [[html.escape(labels[row]) for row in starts]],
            "zmin": -0.5,
            "zmax": len(known) - 0.5,
            "colorscale": stairs,
            "showscale": False,
            "name": "regime",
            "yaxis": "y2",
            "hovertemplate": "%{text}<extra></extra>",
        }
    ]


def _layout(view: View) -> dict[str, Any]:
    def axis(low: float, high: float, **more: Any) -> dict[str, Any]:
        return {
            "domain": [low, high],
            "side": "right",
            "fixedrange": True,
            "zeroline": False,
            "nticks": 5,
            "ticklabelstandoff": 6,
            **more,
        }

    return {
        "height": 520,
        "margin": {"l": 4, "r": 56, "t": 8, "b": 46},
        "showlegend": False,
        "hovermode": "x unified",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "uirevision": "kept",
        "xaxis": {
            "type": "date",
            "anchor": "y4",
            "showgrid": False,
            "fixedrange": True,
            "tickformat": "%-d %b<br>%Y",
        },
        "yaxis": axis(0.48, 1, tickformat="$.4~s"),
        "yaxis2": axis(0.43, 0.46, visible=False),
        "yaxis3": axis(0.22, 0.40, tickformat=".1%", nticks=3, rangemode="tozero"),
        "yaxis4": axis(0, 0.18, tickformat=".0%", nticks=3, rangemode="tozero"),
    }
