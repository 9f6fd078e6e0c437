"""Sections that show where a choice lies among all points: Sharpe ratios of the points, logits of the PBO."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ares7.arrays import Float1D
from ares7.tearsheet_charts import Figure
from ares7.tearsheet_format import Markup, chart, count, legend, pair, probability, ratio, section
from ares7.tearsheet_luck import part
from ares7.tearsheet_points import Points
from ares7.tearsheet_search_charts import distribution, logits

KINDS = {"total": "sharpe", "active": "active_sharpe"}
"""Kinds of returns and the column of their Sharpe ratios."""
Sections = tuple[Markup, dict[str, Figure]]


def sharpes(points: Points, found: Mapping[str, Any], label: str) -> Sections:
    """Histograms of all distinct points, with baseline, thresholds and the point called ``label``."""
    sections, figures = [], {}
    trials = part(found, "statistics", "trials")
    base = part(found, "baseline_performance").get("sharpe")
    for kind, column in KINDS.items():
        values = points.column(column)[points.distinct]
        if not np.isfinite(values).any():
            continue
        luck = part(found, "statistics", kind)
        lines = (
            ("baseline", base if kind == "total" else 0.0, "baseline", "solid"),
            (
                f"best of {count(trials.get('distinct'))} without skill",
                luck.get("threshold"),
                "accent",
                "solid",
            ),
            (
                f"of {count(trials.get('effective'))} effective",
                luck.get("threshold_effective"),
                "accent",
                "dot",
            ),
            (label, luck.get("sharpe"), "strategy", "solid"),
        )
        known = [line for line in lines if isinstance(line[1], int | float)]
        key = legend(
            (f"{name} {ratio(value)}", colour, "dash" if dash == "dot" else "line")
            for name, value, colour, dash in known
        )
        name = f"sharpes-{kind}"
        figures[name] = distribution(
            values,
            [(value, colour, dash) for _, value, colour, dash in known],
            f"Sharpe ratio, {kind} returns",
        )
        place = chart(name, f"Histogram of the points' Sharpe ratios, {kind} returns")
        note = f"{count(np.isfinite(values).sum().item())} distinct points. Drag to zoom, double-click to return."
        sections.append(section(f"Sharpe ratios of the points, {kind} returns", key, place, note=note))
    return pair(*sections), figures


def overfitting(found: Mapping[str, Any]) -> Sections:
    """Histograms of the logits of the PBO, where there are any."""
    sections, figures = [], {}
    for kind in KINDS:
        pbo = part(found, kind, "pbo")
        values: Float1D = np.array(
            [v for v in pbo.get("logits") or [] if isinstance(v, int | float)], dtype=np.float64
        )
        if not len(values):
            continue
        name = f"logits-{kind}"
        figures[name] = logits(values)
        note = (
            f"PBO {probability(pbo.get('value'))}: in that share of {count(pbo.get('splits'))} splits the best point "
            "of one half is not above the median of the other (logit 0 or less, in orange)."
        )
        place = chart(name, f"Histogram of the logits of the PBO, {kind} returns")
        sections.append(section(f"Probability of overfitting, {kind} returns", place, note=note))
    return pair(*sections), figures
