"""The table of a search: every point with all that its selection looked at, and did not look at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ares7.arrays import Float1D
from ares7.errors import DataError
from ares7.point_figures import PointFigures
from ares7.selection import Selection, objective_scores


def table(
    points: Sequence[Mapping[str, Any]],
    figures: PointFigures,
    selection: Selection,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Rows of the report: allowed points by rank, then the rejected ones by score.

    Parameters
    ----------
    points : sequence of P mappings
        Parameters of each point.
    figures : PointFigures
    selection : Selection
        Of the same points.
    limit : int, optional
        At most so many rows.

    Returns
    -------
    list of dict
        ``rank`` (None for a rejected point) ``point parameters``, every objective by name, ``degradation sharpe
        active_sharpe cagr volatility max_drawdown calmar turnover fees_usd``, ``satisfied`` (by constraint) and
        ``windows`` (each ``name sharpe baseline_sharpe active_sharpe max_drawdown contaminated``).
    """
    if not len(points) == figures.count == len(selection.score):
        raise DataError(
            f"{len(points)} points, figures of {figures.count} and a selection of {len(selection.score)}; "
            "give those of the same points"
        )
    columns: dict[str, Float1D] = dict(objective_scores(figures).items())
    columns["degradation"] = figures.degradation
    for name in ("sharpe", "active_sharpe", "cagr", "volatility", "max_drawdown", "calmar"):
        columns[name] = getattr(figures.equity, name)
    columns |= {"turnover": figures.turnover, "fees_usd": figures.fees_usd}
    score = np.where(np.isfinite(selection.score), selection.score, -math.inf)
    rank = np.where(selection.rank > 0, selection.rank, figures.count + 1)
    order = np.lexsort((np.arange(figures.count), -score, rank))[:limit]
    return [
        {
            "rank": int(selection.rank[p]) or None,
            "point": int(p),
            "parameters": dict(points[p]),
            **{name: float(column[p]) for name, column in columns.items()},
            "satisfied": {name: bool(passed[p]) for name, passed in selection.satisfied.items()},
            "windows": _window_rows(figures, int(p), selection.contaminated),
        }
        for p in order
    ]


def _window_rows(figures: PointFigures, point: int, touched: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "sharpe": float(figures.oos_sharpe[point, w]),
            "baseline_sharpe": float(figures.baseline_oos_sharpe[w]),
            "active_sharpe": float(figures.oos_active_sharpe[point, w]),
            "max_drawdown": float(figures.oos_max_drawdown[point, w]),
            "contaminated": name in touched,
        }
        for w, name in enumerate(figures.windows.names)
    ]
