"""Charts of the report as plain plotly.js figures.

A figure is a dict that plotly.js draws; plotly's Python classes are not used (they validate for seconds). Two
kinds of references keep the page small and let the browser change colours with its theme:
``{"series": name}`` stands for one of the arrays, ``{"css": name}`` for a CSS custom property of the page.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ares7 import metrics
from ares7.arrays import Dates, Float1D
from ares7.tearsheet_data import REGIMES, ReportData

Figure = dict[str, Any]

EQUITY_FLOOR = 0.40
"""Lower edge of the equity chart, a fraction of the figure's height."""
SLEEVE_COLOURS = 6
"""The page has this many sleeve colours; cash has its own."""


FONT = (
    "-apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', Arial, "
    "system-ui, sans-serif"
)


def series(name: str) -> dict[str, str]:
    """Reference to an array of the page."""
    return {"series": name}


def css(name: str) -> dict[str, str]:
    """Reference to a colour of the page."""
    return {"css": name}


def compact(values: Float1D) -> list[float | None]:
    """JSON values with seven significant digits; NaN and infinities become null."""
    return [float(f"{v:.7g}") if np.isfinite(v) else None for v in values.tolist()]


def axis(**settings: Any) -> dict[str, Any]:
    """Vertical axis shared by all charts, on the right."""
    return {
        "gridcolor": css("grid"),
        "zeroline": False,
        "fixedrange": True,
        "side": "right",
        "ticklabelstandoff": 6,
        **settings,
    }


def frame(**settings: Any) -> dict[str, Any]:
    """Layout shared by all charts."""
    return {
        "hovermode": "closest",
        "showlegend": False,
        "margin": {"l": 0, "r": 52, "t": 8, "b": 28},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12, "color": css("muted")},
        "hoverlabel": {"bgcolor": css("panel"), "bordercolor": css("rule"), "font": {"color": css("ink")}},
        **settings,
    }


def over_time(dates: Dates, lowest: str = "y", **settings: Any) -> dict[str, Any]:
    """Layout of a chart over time; its axis spans the run and sits under the axis ``lowest``."""
    days = [str(dates[0]), str(dates[-1])]
    xaxis = {
        "type": "date",
        "anchor": lowest,
        "hoverformat": "%a %-d %b %Y",
        "showgrid": False,
        "linecolor": css("rule"),
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": css("rule"),
        "spikecolor": css("axis"),
        "spikedash": "solid",
        "spikethickness": 1,
    }
    return frame(
        **{
            "hovermode": "x unified",
            "xaxis": xaxis if days[0] == days[1] else {**xaxis, "range": days},
            **settings,
        }
    )


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


def _ribbon(data: ReportData) -> dict[str, Any]:
    """One row of cells, coloured by the regime in force."""
    labels = data.regime_labels
    # Two stops a label make the colour scale a staircase.
    stairs = [
        [edge / len(labels), css(regime_colour(label))]
        for code, label in enumerate(labels)
        for edge in (code, code + 1)
    ]
    return {
        "type": "heatmap",
        "x": series("date"),
        "y": ["regime"],
        "z": [series("regime")],
        "text": [series("regime_name")],
        "zmin": -0.5,
        "zmax": len(labels) - 0.5,
        "colorscale": stairs,
        "showscale": False,
        "name": "regime",
        "hovertemplate": "%{text}<extra></extra>",
        "yaxis": "y2",
    }


def growth(data: ReportData) -> Figure:
    """Equity against the baseline on a log axis, the regime in force, and drawdowns, on one time axis."""
    strategy, baseline = data.names
    usd, share = "%{y:$,.0f}", "%{y:.1%}"
    own = {"line": {"color": css("strategy"), "width": 2}, "customdata": series("regime_name")}
    fall = {"yaxis": "y3", "fill": "tozeroy", "fillcolor": css("strategy-fill")}
    windows = list(_shaded(data.windows, data.dates))
    return {
        "data": [
            _line("baseline", baseline, "baseline", usd),
            _line("nav", strategy, "strategy", f"{usd}, regime %{{customdata}}", **own),
            _ribbon(data),
            _line("baseline_drawdown", f"{baseline} drawdown", "baseline", share, yaxis="y3"),
            _line("drawdown", f"{strategy} drawdown", "strategy", share, **fall),
        ],
        "layout": over_time(
            data.dates,
            "y3",
            hoversubplots="axis",
            yaxis=axis(type="log", domain=[EQUITY_FLOOR, 1], tickformat="$.3~s", dtick="D2"),
            yaxis2=axis(domain=[0.335, 0.365], visible=False),
            yaxis3=axis(domain=[0, 0.30], tickformat=".0%", nticks=5, rangemode="tozero"),
            shapes=[shape for shape, _ in windows],
            annotations=[label for _, label in windows],
        ),
    }


def _shaded(
    windows: Iterable[Mapping[str, Any]], dates: Dates
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Shade and name the part of each out-of-sample window that the run reaches."""
    first, last = str(dates[0]), str(dates[-1])
    for window in windows:
        start, end = max(str(window.get("start")), first), min(str(window.get("end")), last)
        if start >= end:
            continue
        shape = {"type": "rect", "yref": "paper", "y0": EQUITY_FLOOR, "y1": 1, "x0": start, "x1": end}
        label = {
            "text": html.escape(str(window.get("name")), quote=False),
            "yref": "paper",
            "x": start,
            "y": EQUITY_FLOOR,
            "xanchor": "left",
            "yanchor": "bottom",
            "showarrow": False,
            "font": {"size": 11, "color": css("muted")},
        }
        # A line at the start tells adjacent windows apart.
        shape |= {"layer": "below", "fillcolor": css("window"), "line": {"width": 1, "color": css("window")}}
        yield shape, label


def equity(
    dates: Dates,
    curves: Sequence[tuple[str, str, str, Float1D]],
    windows: Iterable[Mapping[str, Any]],
) -> tuple[Figure, dict[str, list[Any]]]:
    """Curves on a log axis with their drawdowns below, and the arrays that the figure refers to.

    Parameters
    ----------
    dates : (T,) datetime64[D]
    curves : sequence of (array name, label, CSS colour, (T,) USD)
        The last one is drawn on top.
    windows : iterable of mapping
        Out-of-sample windows, shaded.
    """
    usd, share = "%{y:$,.0f}", "%{y:.1%}"
    named = [(name, label, colour) for name, label, colour, _ in curves]
    shaded = list(_shaded(windows, dates))
    # A tick at 1, 2, 5 leaves a short span without any.
    span = max(float(nav.max()) for *_, nav in curves) / min(float(nav.min()) for *_, nav in curves)
    steps = {"dtick": "D2"} if span > 8 else {"dtick": "D1"} if span > 2 else {"nticks": 6}
    figure = {
        "data": [
            *(_line(name, label, colour, usd) for name, label, colour in named),
            *(
                _line(f"{name}_drawdown", f"{label} drawdown", colour, share, yaxis="y2")
                for name, label, colour in named
            ),
        ],
        "layout": over_time(
            dates,
            "y2",
            hoversubplots="axis",
            yaxis=axis(type="log", domain=[EQUITY_FLOOR, 1], tickformat="$.3~s", **steps),
            yaxis2=axis(domain=[0, 0.34], tickformat=".0%", nticks=5, rangemode="tozero"),
            shapes=[shape for shape, _ in shaded],
            annotations=[label for _, label in shaded],
        ),
    }
    arrays = {"date": dates.astype(str).tolist()}
    for name, _, _, nav in curves:
        arrays |= {name: compact(nav), f"{name}_drawdown": compact(-metrics.drawdown_series(nav))}
    return figure, arrays


def rolling_sharpe(data: ReportData) -> Figure:
    """Sharpe ratio over the trailing window."""
    strategy, baseline = data.names
    zero = {"zeroline": True, "zerolinecolor": css("axis"), "zerolinewidth": 1}
    return {
        "data": [
            _line("baseline_rolling", baseline, "baseline", "%{y:.2f}"),
            _line("rolling", strategy, "strategy", "%{y:.2f}"),
        ],
        "layout": over_time(data.dates, yaxis=axis(nticks=6, **zero)),
    }


def regime_colour(label: str) -> str:
    """Name of a regime's CSS colour."""
    return f"regime-{label}" if label in REGIMES else "regime-other"


def sleeve_colour(name: str, position: int) -> str:
    """Name of a sleeve's CSS colour."""
    return "cash" if name == "cash" else f"sleeve-{position % SLEEVE_COLOURS}"


def sleeves(data: ReportData) -> Figure:
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
            for position, name in enumerate(data.sleeves)
        ],
        "layout": over_time(data.dates, yaxis=axis(tickformat=".0%", nticks=5, range=[0, 1])),
    }


def turnover(data: ReportData) -> Figure:
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
    layout = over_time(
        data.dates,
        "y2",
        hovermode="closest",
        bargap=0.15,
        yaxis=axis(domain=[0.46, 1], tickformat=".0%", nticks=5, rangemode="tozero"),
        yaxis2=axis(domain=[0, 0.38], tickformat="$.3~s", nticks=4, rangemode="tozero"),
    )
    return {"data": [bars, {**paid, "fill": "tozeroy", "fillcolor": css("accent-fill")}], "layout": layout}


def arrays(data: ReportData) -> dict[str, list[Any]]:
    """Return the arrays that the figures refer to, the derived ones excepted (see `ares7.tearsheet`)."""
    code = {label: position for position, label in enumerate(data.regime_labels)}
    return {
        "date": data.dates.astype(str).tolist(),
        "nav": compact(data.nav),
        "baseline": compact(data.baseline_nav),
        "regime": [code[label] for label in data.held],
        "regime_name": list(data.held),
        "fees_so_far": compact(np.cumsum(data.fees)),
        **{f"sleeve_{i}": compact(values) for i, values in enumerate(data.sleeves.values())},
    }
