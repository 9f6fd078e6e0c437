"""Charts of the studies of overlays. See `ares7.tearsheet_charts` for what a figure is."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ares7.arrays import Dates, Float1D
from ares7.tearsheet_charts import SLEEVE_COLOURS, Figure, axis, compact, css, frame, over_time, series
from ares7.tearsheet_search_charts import bottom

WINDOW_COLOURS = {"train": "sleeve-1", "validation": "sleeve-2", "test": "sleeve-0", "whole": "baseline"}
DOT_PIXELS, EDGE_PIXELS = 17, 62
"""Height of one dot's row, and of what is above and below all of them."""
DRAWN = 5
"""Every so many sessions a curve has a point; its last session always has one."""


def colour(place: int) -> str:
    """Name of the CSS colour of the overlay at this place."""
    return f"sleeve-{place % SLEEVE_COLOURS}"


def dots_height(rows: int, windows: int) -> int:
    """Height of the chart in pixels."""
    return rows * (windows + 1) * DOT_PIXELS + EDGE_PIXELS


def dots(names: Sequence[str], spans: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """What each book adds to the Sharpe ratio, a dot with its interval for each window.

    Parameters
    ----------
    names : sequence of R str
        Of the books, from the top down.
    spans : mapping of window to R mappings
        ``estimate low high``.
    """
    edges = np.arange(1, len(names)) - 0.5
    shapes = [
        {
            "type": "line",
            "layer": "below",
            "line": {"color": css("grid"), "width": 1},
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            "y0": edge,
            "y1": edge,
        }
        for edge in edges.tolist()
    ]
    left = {
        "tickvals": list(range(len(names))),
        "ticktext": [_safe(name) for name in names],
        "range": [len(names) - 0.5, -0.5],
        "fixedrange": True,
        "showgrid": False,
        "zeroline": False,
        "automargin": True,
        "ticklabelstandoff": 6,
    }
    zero = {"zeroline": True, "zerolinecolor": css("axis")}
    under = bottom("net Sharpe ratio added", nticks=7, fixedrange=True, tickformat=".2~f", **zero)
    margin = {"l": 8, "r": 16, "t": 8, "b": 46}
    return {
        "data": [
            _whiskers(names, window, k, len(spans), rows) for k, (window, rows) in enumerate(spans.items())
        ],
        "layout": frame(margin=margin, shapes=shapes, xaxis=under, yaxis=left),
    }


def _whiskers(
    names: Sequence[str], window: str, place: int, windows: int, rows: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Dots of one window, each in its own line of its book's row."""
    estimate, low, high = (
        np.array([_number(row.get(edge)) for row in rows]) for edge in ("estimate", "low", "high")
    )
    shown = css(WINDOW_COLOURS.get(window, "baseline"))
    told = map(_told, estimate.tolist(), low.tolist(), high.tolist())
    return {
        "type": "scatter",
        "mode": "markers",
        "x": compact(estimate),
        "y": [row + (place + 1) / (windows + 1) - 0.5 for row in range(len(names))],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": compact(high - estimate),
            "arrayminus": compact(estimate - low),
            "color": shown,
            "thickness": 1.6,
            "width": 0,
        },
        "marker": {"color": shown, "size": 8},
        "text": [f"{_safe(name)}, {_safe(window)}: {value}" for name, value in zip(names, told, strict=True)],
        "hovertemplate": "%{text}<extra></extra>",
        "name": _safe(window),
    }


def _told(estimate: float, low: float, high: float) -> str:
    return f"{estimate:+.3f} ({low:+.3f} to {high:+.3f})".replace("-", "−")


def _safe(words: str) -> str:
    return html.escape(words, quote=False)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")


def drift(
    dates: Dates, curves: Mapping[str, Float1D], windows: Sequence[Mapping[str, Any]], key: str
) -> tuple[Figure, dict[str, list[Any]]]:
    """Sum of daily active returns of each book, and the arrays that the figure refers to.

    Parameters
    ----------
    dates : (R,) datetime64[D]
    curves : mapping of name to (R,)
        Daily returns less the base's, by book.
    windows : sequence of mapping
        ``name start end``, shaded and named.
    key : str
        Tells the arrays of one figure from those of another.
    """
    rows = np.unique(np.append(np.arange(0, len(dates), DRAWN), len(dates) - 1))
    arrays: dict[str, list[Any]] = {f"date-{key}": dates[rows].astype(str).tolist()}
    data = []
    for place, (name, active) in enumerate(curves.items()):
        arrays[f"{key}-{place}"] = compact(np.cumsum(active)[rows])
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": series(f"date-{key}"),
                "y": series(f"{key}-{place}"),
                "name": _safe(name),
                "line": {"color": css(colour(place)), "width": 1.6},
                "hovertemplate": "%{y:+.2%}",
            }
        )
    shapes, notes = _shaded(windows)
    layout = over_time(
        dates,
        yaxis=axis(tickformat=".1~%", nticks=6, zeroline=True, zerolinecolor=css("axis")),
        shapes=shapes,
        annotations=notes,
        margin={"l": 0, "r": 52, "t": 22, "b": 28},
    )
    return {"data": data, "layout": layout}, arrays


def _shaded(windows: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Every other window shaded; names above and below the upper edge in turn, so that neighbours do not touch."""
    known = [w for w in windows if w.get("start") and w.get("end") and w.get("name") != "whole"]
    shapes = [
        {
            "type": "rect",
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "x0": w["start"],
            "x1": w["end"],
            "fillcolor": css("window"),
            "line": {"width": 0},
            "layer": "below",
        }
        for w in known[::2]
    ]
    notes = [
        {
            "text": _safe(str(w["name"])),
            "x": w["start"],
            "xanchor": "left",
            "y": 1,
            "yref": "paper",
            "yanchor": "top" if k % 2 else "bottom",
            "showarrow": False,
            "font": {"size": 11, "color": css("muted")},
        }
        for k, w in enumerate(known)
    ]
    return shapes, notes


def weights_curve(
    overlays: tuple[str, str],
    weight: Float1D,
    gains: Mapping[str, Float1D],
    marks: Sequence[tuple[float, str]],
) -> Figure:
    """What each blend of two overlays adds along the weight of the first, a line for each window.

    Parameters
    ----------
    overlays : tuple of two str
    weight : (M,)
        Of the first overlay.
    gains : mapping of window to (M,)
        Annual net Sharpe ratio less that without overlays.
    marks : sequence of (weight, plotly dash)
        Vertical lines.
    """
    data = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "x": compact(weight),
            "y": compact(values),
            "line": {"color": css(WINDOW_COLOURS.get(name, "baseline")), "width": 1.6},
            "marker": {"size": 4},
            "name": _safe(name),
            "hovertemplate": f"{_safe(name)}, {_safe(overlays[0])} %{{x:.2f}}: %{{y:+.3f}}<extra></extra>",
        }
        for name, values in gains.items()
    ]
    upright = {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "layer": "below"}
    shapes = [
        {**upright, "x0": at, "x1": at, "line": {"color": css("ink"), "width": 1.2, "dash": dash}}
        for at, dash in marks
    ]
    across = bottom(
        f"weight of {_safe(overlays[0])}; the rest is {_safe(overlays[1])}",
        range=[-0.02, 1.02],
        fixedrange=True,
    )
    up = axis(nticks=7, tickformat=".2~f", zeroline=True, zerolinecolor=css("axis"))
    margin = {"l": 0, "r": 52, "t": 8, "b": 46}
    return {"data": data, "layout": frame(margin=margin, shapes=shapes, xaxis=across, yaxis=up)}
