"""The report of ``overlay optimize``: weights chosen on train and validation, and what they are worth on test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ares7 import tearsheet_luck, tearsheet_tables
from ares7.arrays import Float1D
from ares7.errors import DataError
from ares7.runs import Run
from ares7.tearsheet_charts import Figure
from ares7.tearsheet_contamination import LABEL
from ares7.tearsheet_data import REMEDY, read_columns, read_curves
from ares7.tearsheet_distributions import overfitting
from ares7.tearsheet_document import Page, header, tried
from ares7.tearsheet_format import (
    Markup,
    chart,
    count,
    day,
    facts,
    legend,
    percent,
    probability,
    ratio,
    section,
    table,
    text,
)
from ares7.tearsheet_luck import part
from ares7.tearsheet_overlay import added_section, headline, interval, of, usable
from ares7.tearsheet_overlay_charts import WINDOW_COLOURS, colour, dots, drift, weights_curve

Metrics = Mapping[str, Any]

BEST_SHOWN = 10
"""Points listed where the grid has more than two overlays."""


def page(run: Run) -> Page:
    """Return the report of an optimisation of overlays.

    Raises
    ------
    DataError
        A file of the run folder is missing or damaged.
    """
    found = run.metrics
    candidates = _candidates(run)
    strategy = str(found.get("strategy") or "strategy")
    windows = usable(found)
    others = candidates[1:]
    names = [str(line["name"]) for line in others]
    dates, active = read_curves(run.folder / "active.csv", required=tuple(names))
    net, arrays = drift(dates, {name: active[name] for name in names}, windows, "net")
    spans = {str(w["name"]): [of(line, w).get("sharpe_added") or {} for line in others] for w in windows}
    points, drawn = _points(run, candidates, windows)
    halves, logit_figures = overfitting(part(found, "statistics"))
    blended = ", ".join(str(name) for name in found.get("overlays") or [])
    period = f"{day(found.get('start'))} to {day(found.get('end'))}, {count(found.get('sessions'))} sessions"
    lede = (
        f"{count(part(found, 'grid').get('points'))} blends of {blended} around {strategy}, {period}."
        f"{tried(run.provenance)}"
    )
    parts = [
        header(found, f"Weights of the overlays of {strategy}", lede),
        headline(found),
        _choice(found),
        points,
        added_section(names, windows, found),
        _table(candidates, windows, found),
        _growth(names),
        halves,
        tearsheet_luck.statistics(
            part(found, "statistics"),
            "Statistics of the best of the grid",
            note=f"Active returns here are those less {found.get('baseline')}'s.",
        ),
        _increment(found),
        tearsheet_tables.findings(found),
        tearsheet_tables.not_modelled(),
        tearsheet_tables.provenance(run.provenance),
    ]
    return Page(
        title=f"Weights of the overlays of {strategy}, {found.get('start')} to {found.get('end')}",
        made=str(run.provenance.get("stamp", "")),
        body="".join(parts),
        figures={"net": net, "added": dots(names, spans)} | drawn | logit_figures,
        series=arrays,
    )


def _candidates(run: Run) -> list[Metrics]:
    found = [
        line for line in run.metrics.get("candidates") or [] if isinstance(line, Mapping) and line.get("name")
    ]
    if len(found) < 2 or found[0]["name"] != "base":
        raise DataError(f"run folder {run.folder}: metrics.json holds no candidates to compare; {REMEDY}")
    return found


def _choice(found: Metrics) -> Markup:
    raw = part(found, "tangency", "raw")
    note = str(part(found, "tangency").get("note") or "")
    shown = ", ".join(f"{name} {ratio(w, 3)}" for name, w in raw.items() if isinstance(w, int | float))
    told = {
        "Grid": f"{part(found, 'grid').get('told')}.",
        "Tangency": f"{'; '.join(words for words in (shown, note) if words)}.",
    }
    return section("What was chosen", facts(told))


def _points(
    run: Run, candidates: Sequence[Metrics], windows: Sequence[Metrics]
) -> tuple[Markup, dict[str, Figure]]:
    """Sharpe ratio along the weights for two overlays, else the points that are best on train."""
    overlays = [str(name) for name in run.metrics.get("overlays") or []]
    names = [str(w["name"]) for w in windows if w["name"] != "whole"]
    columns = {name: f"{name}_sharpe" for name in names}
    read = read_columns(run.folder / "optimize.csv", (*overlays, *columns.values()))
    weights = {name: _numbers(read[name]) for name in overlays}
    ratios = {name: _numbers(read[column]) for name, column in columns.items()}
    if len(overlays) != 2:
        return _best(weights, ratios), {}
    gains = {
        str(w["name"]): ratios[str(w["name"])] - _ratio_of(candidates[0], w)
        for w in windows
        if w["name"] in ratios
    }
    held = {str(line["name"]): part(line, "weights").get(overlays[0]) for line in candidates}
    marks = [
        (float(at), dash)
        for at, dash in ((held.get("grid"), "solid"), (held.get("configured"), "dash"))
        if isinstance(at, int | float)
    ]
    figure = weights_curve((overlays[0], overlays[1]), weights[overlays[0]], gains, marks)
    key = legend(
        [
            *((name, WINDOW_COLOURS.get(name, "baseline"), "line") for name in names),
            ("best on train", "ink", "line"),
            ("configured", "ink", "dash"),
        ]
    )
    described = "Net Sharpe ratio that each blend adds, by the weight of the first overlay and by window"
    note = (
        "Sharpe ratio of each blend less that without overlays, net of costs; every point is a book that was run. "
        "Train and validation are what the choice looked at."
    )
    place = chart("weights", described, "high")
    return section("What each blend adds", key, place, note=note), {"weights": figure}


def _best(weights: Mapping[str, Float1D], ratios: Mapping[str, Float1D]) -> Markup:
    first = next(iter(ratios.values()), np.zeros(0))
    rows = [
        [f"{place + 1}", *(ratio(v[k]) for v in weights.values()), *(ratio(v[k], 3) for v in ratios.values())]
        for place, k in enumerate(
            np.argsort(-np.nan_to_num(first, nan=-np.inf), kind="stable")[:BEST_SHOWN].tolist()
        )
    ]
    head = ["", *weights, *(f"{name} Sharpe" for name in ratios)]
    return section("Best blends by their train Sharpe ratio", table(head, rows)) if rows else Markup("")


def _numbers(values: Sequence[str]) -> Float1D:
    return np.array([float(value) if value else np.nan for value in values], dtype=np.float64)


def _ratio_of(line: Metrics, window: Metrics) -> float:
    value = tearsheet_tables.part(of(line, window), "interval").get("estimate")
    return float(value) if isinstance(value, int | float) else float("nan")


def _table(candidates: Sequence[Metrics], windows: Sequence[Metrics], found: Metrics) -> Markup:
    """Every candidate in every window; those that the choice looked at are marked."""
    seen = found.get("contaminated") or []
    head: list[object] = ["", "weights"]
    for w in windows:
        flag = Markup(f'<br><small class="flag">{LABEL}</small>') if w["name"] in seen else ""
        head += [Markup(f"{text(w['name'])} Sharpe{flag}"), "added"]
    rows = []
    for line in candidates:
        cells: list[object] = [str(line.get("label")), str(line.get("weights_text") or "")]
        for w in windows:
            figures = of(line, w)
            cells += [
                interval(tearsheet_tables.part(figures, "interval")),
                interval(tearsheet_tables.part(figures, "sharpe_added")),
            ]
        rows.append(cells)
    note = f"Net of costs; small: {percent(found.get('level'), 0)} intervals. Added: beside the book without overlays."
    return section("Candidates", table(head, rows), note=note)


def _growth(names: Sequence[str]) -> Markup:
    key = legend((name, colour(k), "line") for k, name in enumerate(names))
    place = chart("net", "Sum of daily active returns of each candidate, net of costs", "high")
    note = "Daily returns less those of the book without overlays, summed, net of costs."
    return section("Cumulative active return", key, place, note=note)


def _increment(found: Metrics) -> Markup:
    own = part(found, "statistics", "increment")
    if not own:
        return Markup("")
    counts = part(found, "statistics", "trials")
    rows = {
        "Sharpe ratio of what it adds": ratio(own.get("sharpe")),
        "Best of as many without skill": ratio(own.get("threshold")),
        "PSR": probability(own.get("psr")),
        f"DSR, {count(counts.get('distinct'))} trials": probability(own.get("dsr")),
    }
    note = "Of the returns that the best of the grid has more than the book without overlays, over the whole run."
    return section("Is what it adds luck", facts(rows), note=note)
