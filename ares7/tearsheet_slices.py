"""Heat maps of a grid: one figure over two of its axes, the other axes held at the chosen point or averaged over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from ares7.arrays import Bool1D, Float1D, Float2D, Int1D
from ares7.tearsheet_charts import Figure
from ares7.tearsheet_format import Markup, chart, section, short_names, text
from ares7.tearsheet_points import Points
from ares7.tearsheet_search_charts import one_axis

LONGEST_AXIS = 100
"""An axis of more values than this is not drawn."""
FIGURES = {
    "train_sharpe": ("train Sharpe ratio", ".3f"),
    "oos_min_sharpe": ("lowest out-of-sample Sharpe ratio", ".3f"),
    "purged_cv": ("purged cross-validation", ".3f"),
    "walk_forward": ("walk-forward", ".3f"),
    "sharpe": ("Sharpe ratio, whole run", ".3f"),
    "active_sharpe": ("Sharpe ratio of active returns", ".3f"),
    "degradation": ("degradation", ".1%"),
    "max_drawdown": ("deepest drawdown", ".1%"),
    "cagr": ("growth a year", ".2%"),
    "turnover": ("turnover a year", ".2f"),
}
"""Columns of ``points.csv`` that are drawn: their names and their d3 formats."""


def slices(
    points: Points, chosen: int | None, objective: str
) -> tuple[Markup, dict[str, Figure], dict[str, Any]]:
    """Section, figures and further page content of the heat maps; a grid of one axis gets a line instead.

    Parameters
    ----------
    points : Points
    chosen : int or None
        Row whose values the other axes are held at; without one nothing is drawn.
    objective : str
        The figure that is shown first.
    """
    shown = points.known(*dict.fromkeys((objective, *FIGURES)))
    shown = [name for name in shown if name in FIGURES]
    wide = [a for a, values in enumerate(points.axes.values()) if len(values) > 1]
    drawn = [a for a in wide if len([*points.axes.values()][a]) <= LONGEST_AXIS]
    if chosen is None or not shown or not drawn:
        return Markup(""), {}, {}
    short = short_names([*points.axes])
    if len(wide) == 1:
        return *_line(points, drawn[0], shown[0]), {}
    if len(drawn) == 1:
        return Markup(""), {}, {}
    content = {
        "axes": [
            {
                "name": short[a],
                "values": list([*points.axes.values()][a]),
                "chosen": int(points.place[chosen, a]),
            }
            for a in drawn
        ],
        "figures": [{"key": name, "name": FIGURES[name][0], "format": FIGURES[name][1]} for name in shown],
        "point": int(points.number[chosen]),
        "cells": cells(points, chosen, shown, drawn),
    }
    omitted = [short[a] for a in wide if a not in drawn]
    return _section(content, omitted), {}, {"slices": content}


def cells(points: Points, chosen: int, names: Sequence[str], drawn: Sequence[int]) -> dict[str, Any]:
    """Figures over every pair of axes.

    Parameters
    ----------
    points : Points
    chosen : int
        Row whose values the other axes are held at.
    names : sequence of str
        Figures.
    drawn : sequence of int
        Axes.

    Returns
    -------
    dict
        By ``"i,j"``, positions in ``drawn`` with i < j, by figure, ``held`` and ``mean``: each has a row for every
        value of axis j with a number for every value of axis i; None where no point lies. ``mean`` is taken over
        the points of the grid, equal ones included.
    """
    sizes = [len(values) for values in points.axes.values()]
    out: dict[str, Any] = {}
    for i, j in combinations(range(len(drawn)), 2):
        x, y = drawn[i], drawn[j]
        shape = sizes[y], sizes[x]
        cell = points.place[:, y] * shape[1] + points.place[:, x]
        others = [a for a in range(len(sizes)) if a not in (x, y)]
        held = (points.place[:, others] == points.place[chosen, others]).all(axis=1)
        out[f"{i},{j}"] = {
            name: {
                "held": _means(points.figures[name], cell, held, shape),
                "mean": _means(points.figures[name], cell, np.ones_like(held), shape),
            }
            for name in names
        }
    return out


def _means(values: Float1D, cell: Int1D, among: Bool1D, shape: tuple[int, int]) -> list[list[float | None]]:
    """Mean of the values in each cell; None in an empty one."""
    among = among & np.isfinite(values)
    size = shape[0] * shape[1]
    count = np.bincount(cell[among], minlength=size)
    total = np.bincount(cell[among], values[among], minlength=size)
    mean: Float2D = np.divide(total, count, out=np.full(size, np.nan), where=count > 0).reshape(shape)
    return [[float(f"{v:.6g}") if np.isfinite(v) else None for v in row] for row in mean.tolist()]


def _line(points: Points, axis: int, figure: str) -> tuple[Markup, dict[str, Figure]]:
    values = [*points.axes.values()][axis]
    heights = np.full(len(values), np.nan)
    heights[points.place[:, axis]] = points.figures[figure]
    name = short_names([*points.axes])[axis]
    title = f"{FIGURES[figure][0]} along {name}"
    return section(title[:1].upper() + title[1:], chart("slice", title)), {
        "slice": one_axis(name, values, FIGURES[figure][0], heights)
    }


def _select(name: str, label: str, options: Sequence[str], first: int) -> str:
    listed = "".join(
        f'<option value="{i}"{" selected" if i == first else ""}>{text(option)}</option>'
        for i, option in enumerate(options)
    )
    return f'<label>{text(label)} <select id="slice-{name}">{listed}</select></label>'


def _section(content: Mapping[str, Any], omitted: Sequence[str]) -> Markup:
    axes = [axis["name"] for axis in content["axes"]]
    others = [f"held at point {content['point']}", "averaged over"]
    controls = [
        _select("x", "across", axes, 0),
        _select("y", "up", axes, 1),
        _select("figure", "showing", [figure["name"] for figure in content["figures"]], 0),
        _select("others", "other axes", others, 0),
    ]
    note = f"Framed: point {content['point']}. Equal points after normalising count each in an average."
    if omitted:
        note += f" Not drawn, more than {LONGEST_AXIS} values: {', '.join(omitted)}."
    form = Markup(f'<form class="controls" autocomplete="off">{"".join(controls)}</form>')
    said = Markup('<p class="note" id="slice-note"></p>')
    place = chart("slice", "Heat map of one figure over two axes of the grid", "high")
    return section("Two parameters at a time", form, place, said, note=note)
