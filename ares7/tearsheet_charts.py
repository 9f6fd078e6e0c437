"""Charts of the report as plain plotly.js figures.

A figure is a dict that plotly.js draws; plotly's Python classes are not used (they validate for seconds). Two
kinds of references keep the page small and let the browser change colours with its theme:
``{"series": name}`` stands for one of the arrays, ``{"css": name}`` for a CSS custom property of the page.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import numpy as np

from ares7.arrays import Float1D
from ares7.tearsheet_data import REGIMES, ReportData

Figure = dict[str, Any]

SLEEVE_COLOURS = 6
"""The page has this many sleeve colours; cash has its own."""


FONT = "-apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', Arial, system-ui, sans-serif"


def series(name: str) -> dict[str, str]:
    """Reference to an array of the page."""
    return {"series": name}


def css(name: str) -> dict[str, str]:
    """Reference to a colour of the page."""
    return {"css": name}


def compact(values: Float1D) -> list[float | None]:
    """JSON values with seven significant digits; NaN and infinities become null."""
    return [float(f"{v:.7g}") if np.isfinite(v) else None for v in values.tolist()]


def _axis(**settings: Any) -> dict[str, Any]:
    return {"gridcolor": css("grid"), "zeroline": False, "fixedrange": True, "side": "right", **settings}


def _layout(**settings: Any) -> dict[str, Any]:
    return {
        "hovermode": "x unified",
        "showlegend": False,
        "margin": {"l": 8, "r": 56, "t": 8, "b": 28},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {
            "family": FONT,
            "size": 12,
            "color": css("muted"),
        },
        "hoverlabel": {
            "bgcolor": css("panel"),
            "bordercolor": css("rule"),
            "font": {"color": css("ink"), "size": 12},
        },
        "xaxis": {
            "type": "date",
            "gridcolor": css("grid"),
            "linecolor": css("rule"),
            "hoverformat": "%a %-d %b %Y",
            "showgrid": False,
            "ticks": "outside",
            "ticklen": 4,
            "tickcolor": css("rule"),
        },
        **settings,
    }


def _line(values: str, name: str, colour: str, hover: str, **settings: Any) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": series("date"),
        "y": series(values),
        "name": html.escape(name, quote=False),
        "line": {"color": css(colour), "width": 1.6},
        "hovertemplate": hover,
        **settings,
    }


def growth(strategy: str, baseline: str, labels: tuple[str, ...], windows: list[Mapping[str, Any]]) -> Figure:
    """Equity against the baseline on a log axis, the regime in force, and drawdowns, on one time axis."""
    steps = len(labels)
    # Two stops a label make the colour scale a staircase.
    stairs = [
        [edge / steps, css(regime_colour(label))]
        for code, label in enumerate(labels)
        for edge in (code, code + 1)
    ]
    ribbon = {
        "type": "heatmap",
        "x": series("date"),
        "y": ["regime"],
        "z": [series("regime")],
        "text": [series("regime_name")],
        "zmin": -0.5,
        "zmax": steps - 0.5,
        "colorscale": stairs,
        "showscale": False,
        "name": "regime",
        "hovertemplate": "regime %{text}<extra></extra>",
        "yaxis": "y2",
    }
    usd, share = "%{y:$,.0f}", "%{y:.1%}"
    fall = {"yaxis": "y3", "legendgroup": "drawdown"}
    return {
        "data": [
            _line("baseline", baseline, "baseline", usd),
            _line("nav", strategy, "strategy", usd, line={"color": css("strategy"), "width": 2}),
            ribbon,
            _line("baseline_drawdown", f"{baseline} drawdown", "baseline", share, **fall),
            _line(
                "drawdown",
                f"{strategy} drawdown",
                "strategy",
                share,
                fill="tozeroy",
                fillcolor=css("strategy-fill"),
                **fall,
            ),
        ],
        "layout": _layout(
            hoversubplots="axis",
            yaxis=_axis(type="log", domain=[0.40, 1], tickformat="$.3~s", nticks=8),
            yaxis2=_axis(domain=[0.335, 0.365], showticklabels=False, showgrid=False),
            yaxis3=_axis(domain=[0, 0.30], tickformat=".0%", nticks=5, rangemode="tozero"),
            xaxis={**_layout()["xaxis"], "anchor": "y3"},
            shapes=[_window_shape(w) for w in windows],
            annotations=[_window_label(w) for w in windows],
        ),
    }


def _window_shape(window: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "rect",
        "x0": window["start"],
        "x1": window["end"],
        "y0": 0.40,
        "y1": 1,
        "yref": "paper",
        "fillcolor": css("window"),
        "line": {"width": 0},
        "layer": "below",
    }


def _window_label(window: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "text": html.escape(str(window["name"]), quote=False),
        "x": window["start"],
        "y": 0.405,
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 11, "color": css("muted")},
    }


def rolling_sharpe(strategy: str, baseline: str) -> Figure:
    """Sharpe ratio over the trailing window."""
    return {
        "data": [
            _line("baseline_rolling", baseline, "baseline", "%{y:.2f}"),
            _line("rolling", strategy, "strategy", "%{y:.2f}"),
        ],
        "layout": _layout(yaxis=_axis(nticks=6, zeroline=True, zerolinecolor=css("axis"), zerolinewidth=1)),
    }


def regime_colour(label: str) -> str:
    """Name of a regime's CSS colour."""
    return f"regime-{label}" if label in REGIMES else "regime-other"


def sleeve_colour(name: str, position: int) -> str:
    """Name of a sleeve's CSS colour."""
    return "cash" if name == "cash" else f"sleeve-{position % SLEEVE_COLOURS}"


def sleeves(names: tuple[str, ...]) -> Figure:
    """Fraction of NAV in each sleeve, stacked, cash on top."""
    return {
        "data": [
            _line(
                f"sleeve_{position}",
                name,
                sleeve_colour(name, position),
                "%{y:.1%}",
                stackgroup="sleeves",
                fillcolor=css(sleeve_colour(name, position)),
                line={"width": 0, "shape": "hv", "color": css(sleeve_colour(name, position))},
            )
            for position, name in enumerate(names)
        ],
        "layout": _layout(yaxis=_axis(tickformat=".0%", nticks=5, range=[0, 1])),
    }


def turnover() -> Figure:
    """One-way turnover a month and fees paid so far."""
    bars = {
        "type": "bar",
        "x": series("month"),
        "y": series("month_turnover"),
        "name": "one-way turnover",
        "marker": {"color": css("strategy"), "line": {"width": 0}},
        "hovertemplate": "%{x|%B %Y}: %{y:.1%}<extra></extra>",
    }
    paid = _line(
        "fees_so_far", "fees so far", "accent", "%{x|%-d %b %Y}: %{y:$,.0f}<extra></extra>", yaxis="y2"
    )
    layout = _layout(
        hovermode="closest",
        bargap=0.15,
        yaxis=_axis(domain=[0.46, 1], tickformat=".0%", nticks=5, rangemode="tozero"),
        yaxis2=_axis(domain=[0, 0.38], tickformat="$.3~s", nticks=4, rangemode="tozero"),
    )
    layout["xaxis"]["anchor"] = "y2"
    return {"data": [bars, {**paid, "fill": "tozeroy", "fillcolor": css("accent-fill")}], "layout": layout}


def arrays(data: ReportData, labels: tuple[str, ...]) -> dict[str, list[Any]]:
    """Return the arrays that the figures refer to, the derived ones excepted (see `ares7.tearsheet`)."""
    code = {label: position for position, label in enumerate(labels)}
    return {
        "date": data.dates.astype(str).tolist(),
        "nav": compact(data.nav),
        "baseline": compact(data.baseline_nav),
        "regime": [code[label] for label in data.held],
        "regime_name": list(data.held),
        "fees_so_far": compact(np.cumsum(data.fees)),
        **{f"sleeve_{i}": compact(values) for i, values in enumerate(data.sleeves.values())},
    }
