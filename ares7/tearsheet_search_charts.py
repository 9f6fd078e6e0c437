"""Charts of searches: distributions, yearly choices, mixes. See `ares7.tearsheet_charts` for what a figure is."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ares7.arrays import Float1D
from ares7.tearsheet_charts import Figure, axis, compact, css, frame, sleeve_colour

BINS, NARROWEST = 40, 120
"""Bars of a histogram, at most; the narrowest is this part of the axis."""
ROW_PIXELS, EDGE_PIXELS = 84, 44
"""Height of one step line, and of what is above and below all of them."""


def bottom(title: str = "", **settings: Any) -> dict[str, Any]:
    """Horizontal axis of numbers."""
    return {
        "title": {"text": title, "font": {"size": 12}, "standoff": 8},
        "showgrid": False,
        "zeroline": False,
        "linecolor": css("rule"),
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": css("rule"),
        **settings,
    }


def distribution(
    values: Float1D, lines: Sequence[tuple[object, str, str]], title: str, name: str = "points"
) -> Figure:
    """Histogram with vertical lines.

    Parameters
    ----------
    values : (P,)
        NaN are left out.
    lines : sequence of (value, CSS colour, plotly dash)
        A value that is no number draws no line.
    title : str
        Of the horizontal axis.
    name : str
        What is counted.
    """
    known = values[np.isfinite(values)]
    marks = [(float(v), colour, dash) for v, colour, dash in lines if isinstance(v, int | float)]
    shapes = [
        {
            "type": "line",
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "x0": value,
            "x1": value,
            "line": {"color": css(colour), "width": 2, "dash": dash},
        }
        for value, colour, dash in marks
    ]
    reach = [*known.tolist(), *(value for value, *_ in marks)] or [0.0]
    room = 0.04 * (max(reach) - min(reach)) or 0.1
    span = [min(reach) - room, max(reach) + room]
    bars = _bars(known, css("strategy-soft"), name, _edges(known, (span[1] - span[0]) / NARROWEST))
    ticks = {"dtick": 1} if max(bars["y"]) < 6 else {"nticks": 5}
    return {
        "data": [bars],
        "layout": frame(
            bargap=0,
            margin={"l": 0, "r": 44, "t": 8, "b": 46},
            shapes=shapes,
            xaxis=bottom(title, range=compact(np.array(span)), tickformat=".2~f", nticks=8),
            yaxis=axis(rangemode="tozero", tickformat=",d", **ticks),
        ),
    }


def _bars(values: Float1D, colour: object, name: str, edges: Float1D) -> dict[str, Any]:
    """Bars of a histogram; ``colour`` may hold one colour a bar."""
    # Bins that hold their upper edge: a rank at the median, logit 0, counts as overfitting.
    counts = np.histogram(-values, -edges[::-1])[0][::-1]
    spans = [f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges.tolist())]
    return {
        "type": "bar",
        "x": compact((edges[:-1] + edges[1:]) / 2),
        "y": counts.tolist(),
        "width": compact(np.diff(edges)),
        "text": [span.replace("-", "−") for span in spans],
        "textposition": "none",
        "marker": {"color": colour, "line": {"width": 0}},
        "name": name,
        "hovertemplate": f"%{{text}}: %{{y:,}} {html.escape(name, quote=False)}<extra></extra>",
    }


def _edges(values: Float1D, narrowest: float) -> Float1D:
    """Edges of equal bins: at most `BINS`, none narrower than ``narrowest``."""
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    width = max((high - low) / BINS, narrowest)
    bins = max(1, int(np.ceil((high - low) / width)))
    middle, reach = (low + high) / 2, bins * width / 2
    # Rounding may not leave the outermost values outside.
    return np.linspace(min(middle - reach, low), max(middle + reach, high), bins + 1)


def logits(values: Float1D) -> Figure:
    """Histogram of the ranks' logits of a PBO, those at or below 0 in the colour of a warning."""
    reach = float(np.abs(values).max()) if len(values) else 1.0
    edges = np.linspace(-reach or -1.0, reach or 1.0, BINS + 1)
    colours = [css("accent-soft") if right <= 1e-12 else css("strategy-soft") for right in edges[1:].tolist()]
    return {
        "data": [_bars(values, colours, "splits", edges)],
        "layout": frame(
            bargap=0.06,
            margin={"l": 0, "r": 52, "t": 8, "b": 46},
            xaxis=bottom("logit of the rank in the other half", nticks=8),
            yaxis=axis(rangemode="tozero", nticks=5, tickformat=",d"),
        ),
    }


def one_axis(name: str, values: Sequence[str], figure: str, heights: Float1D) -> Figure:
    """One figure along a grid's only axis."""
    marks = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": list(values),
        "y": compact(heights),
        "line": {"color": css("strategy"), "width": 1.6},
        "hovertemplate": "%{x}: %{y:.3f}<extra></extra>",
        "name": figure,
    }
    return {
        "data": [marks],
        "layout": frame(
            margin={"l": 0, "r": 52, "t": 8, "b": 46},
            xaxis=bottom(html.escape(name, quote=False), type="category"),
            yaxis=axis(nticks=6),
        ),
    }


def parameter_paths(
    names: Sequence[str], years: Sequence[str], chosen: Sequence[Sequence[Any]], axes: Sequence[Sequence[Any]]
) -> tuple[Figure, int]:
    """Step line of each axis over the years, below each other; returns the figure and its height in pixels.

    Parameters
    ----------
    names : sequence of A str
    years : sequence of Y str
    chosen : sequence of A sequences of Y values
        None where nothing was held.
    axes : sequence of A sequences of values
        All values of each axis, from the bottom up.
    """
    height = ROW_PIXELS * len(names) + EDGE_PIXELS
    # One more year closes the last step.
    ticks = list(range(len(years)))
    data: list[dict[str, Any]] = []
    rows: dict[str, Any] = {}
    labels = []
    for a, (name, held, values) in enumerate(zip(names, chosen, axes, strict=True)):
        key = "" if a == 0 else str(a + 1)
        top = 1 - a / len(names)
        shown = list(dict.fromkeys(str(value) for value in [*values, *held] if value is not None))
        place = [None if value is None else shown.index(str(value)) for value in held]
        told = ["–" if value is None else str(value) for value in held]
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": [*ticks, len(years)],
                "y": [*place, place[-1] if place else None],
                "text": [html.escape(t, quote=False) for t in [*told, *told[-1:]]],
                "line": {"color": css("strategy"), "width": 2, "shape": "hv"},
                "yaxis": f"y{key}",
                "name": html.escape(name, quote=False),
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
        step = max(1, -(-len(shown) // 4))
        rows[f"yaxis{key}"] = axis(
            domain=[top - 0.86 / len(names), top - 0.32 / len(names)],
            range=[-0.35, len(shown) - 0.65],
            tickvals=list(range(0, len(shown), step)),
            ticktext=[html.escape(value, quote=False) for value in shown[::step]],
        )
        labels.append(_label(html.escape(name, quote=False), top))
    over = bottom(
        tickvals=[t + 0.5 for t in ticks],
        ticktext=list(years),
        range=[0, max(len(years), 1)],
        anchor=f"y{len(names)}" if len(names) > 1 else "y",
        ticks="",
        fixedrange=True,
    )
    margin = {"l": 0, "r": 64, "t": 8, "b": 28}
    layout = frame(hovermode="closest", margin=margin, xaxis=over, annotations=labels, **rows)
    return {"data": data, "layout": layout}, height


def _label(words: str, top: float) -> dict[str, Any]:
    return {
        "text": words,
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "y": top,
        "xanchor": "left",
        "yanchor": "top",
        "showarrow": False,
        "font": {"size": 12, "color": css("ink")},
    }


def train_and_test(years: Sequence[str], train: Float1D, test: Float1D) -> Figure:
    """Sharpe ratio of each test year against that of its train window; on the line both would be equal."""
    both = np.concatenate([train, test])
    both = both[np.isfinite(both)]
    low, high = (float(both.min()), float(both.max())) if len(both) else (0.0, 1.0)
    room = 0.12 * (high - low) or 0.5
    ends = [low - room, high + room]
    points = {
        "type": "scatter",
        "mode": "markers+text",
        "x": compact(train),
        "y": compact(test),
        "text": [html.escape(str(year), quote=False) for year in years],
        "textposition": "top center",
        "textfont": {"size": 11, "color": css("muted")},
        "marker": {"color": css("strategy"), "size": 9},
        "cliponaxis": False,
        "name": "years",
        "hovertemplate": "%{text}: train %{x:.2f}, test %{y:.2f}<extra></extra>",
    }
    diagonal = {
        "type": "line",
        "x0": ends[0],
        "x1": ends[1],
        "y0": ends[0],
        "y1": ends[1],
        "line": {"color": css("axis"), "width": 1, "dash": "dash"},
        "layer": "below",
    }
    return {
        "data": [points],
        "layout": frame(
            margin={"l": 0, "r": 52, "t": 8, "b": 46},
            shapes=[diagonal],
            xaxis=bottom("train Sharpe ratio", range=ends, fixedrange=True, nticks=7),
            yaxis=axis(range=ends, nticks=7, zeroline=True, zerolinecolor=css("axis")),
        ),
    }


def mixes(regimes: Sequence[str], weights: Mapping[str, Sequence[float | None]]) -> Figure:
    """Fractions of the sleeves in each regime, one bar a regime."""
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "y": [html.escape(regime, quote=False) for regime in regimes],
            "x": list(values),
            "name": html.escape(sleeve, quote=False),
            "marker": {"color": css(sleeve_colour(sleeve, k)), "line": {"width": 0}},
            "hovertemplate": f"{html.escape(sleeve, quote=False)}: %{{x:.1%}}<extra></extra>",
        }
        for k, (sleeve, values) in enumerate(weights.items())
    ]
    return {
        "data": data,
        "layout": frame(
            barmode="stack",
            bargap=0.35,
            margin={"l": 84, "r": 16, "t": 8, "b": 28},
            xaxis=bottom(tickformat=".0%", range=[0, 1], fixedrange=True),
            yaxis={"autorange": "reversed", "fixedrange": True, "showgrid": False, "ticklabelstandoff": 6},
        ),
    }
