"""The report of a grid: what was chosen by which rule, every point, and how much of the choice is luck."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ares7 import tearsheet_charts, tearsheet_luck, tearsheet_tables
from ares7.runs import Run
from ares7.tearsheet_data import read_equity
from ares7.tearsheet_distributions import overfitting, sharpes
from ares7.tearsheet_document import Page, header, tried
from ares7.tearsheet_format import (
    Markup,
    any_value,
    chart,
    count,
    day,
    legend,
    percent,
    probability,
    ratio,
    section,
    short_names,
    table,
    text,
    tiles,
    with_error,
)
from ares7.tearsheet_luck import SURE, part
from ares7.tearsheet_point_table import points_section, sort_keys
from ares7.tearsheet_points import read_points
from ares7.tearsheet_slices import slices

OBJECTIVES = {
    "train_sharpe": "the Sharpe ratio before the first out-of-sample window",
    "oos_min_sharpe": "the lowest Sharpe ratio of the out-of-sample windows, by which the point is then judged",
    "purged_cv": "the mean Sharpe ratio of purged folds of the train rows",
    "walk_forward": "the mean Sharpe ratio of yearly test windows inside the train rows",
}
CONSTRAINTS = {
    "score": ("has the objective’s figure", any_value),
    "max_degradation": ("degradation below", percent),
    "oos_above_baseline": ("every out-of-sample window above the baseline", any_value),
    "max_drawdown": ("drawdown of the train rows at most", percent),
    "max_turnover": ("turnover a year at most", ratio),
}


def page(run: Run) -> Page:
    """Return the report of a grid.

    Raises
    ------
    DataError
        A file of the run folder is missing or damaged.
    """
    found = run.metrics
    points = read_points(run.folder)
    dates, curves = read_equity(run.folder)
    strategy, baseline = names(found)
    number = part(found, "point").get("number")
    chosen = points.row_of(number)
    label = f"point {number}"
    windows = [w for w in found.get("windows") or [] if isinstance(w, Mapping)]
    growth, series = tearsheet_charts.equity(
        dates,
        [
            ("baseline_nav", baseline, "baseline", curves["baseline_nav"]),
            ("nav", label, "strategy", curves["nav"]),
        ],
        windows,
    )
    objective = str(part(found, "selection").get("objective"))
    heat, slice_figures, further = slices(points, chosen, objective)
    where, sharpe_figures = sharpes(points, found, label)
    halves, logit_figures = overfitting(part(found, "statistics"))
    parts = [
        header(found, f"Grid of {strategy}", _lede(found, len(dates), run.provenance)),
        _headline(found, [*points.axes]),
        _tiles(found, baseline),
        _rule(found),
        tearsheet_tables.out_of_sample(found, baseline),
        points_section(points, found, chosen),
        heat,
        where,
        halves,
        tearsheet_luck.statistics(part(found, "statistics"), f"Statistics of {label}", note=""),
        equity_section([(label, "strategy"), (baseline, "baseline")]),
        tearsheet_luck.targets(found),
        tearsheet_tables.findings(found),
        tearsheet_tables.not_modelled(),
        tearsheet_tables.provenance(run.provenance),
    ]
    return Page(
        title=f"Grid of {strategy}, {dates[0]} to {dates[-1]}",
        made=str(run.provenance.get("stamp", "")),
        body="".join(parts),
        figures={"growth": growth} | slice_figures | sharpe_figures | logit_figures,
        series=series,
        further={"keys": sort_keys(points, found)} | further,
    )


def equity_section(curves: Sequence[tuple[str, str]]) -> Markup:
    """Place of the figure ``growth`` of curves, each (label, CSS colour), the most important first."""
    key = legend([(label, colour, "line") for label, colour in curves])
    said = " and ".join(label for label, _ in curves)
    note = "NAV, log axis; the fall from the highest NAV so far. Shaded: out of sample."
    return section(f"Equity of {said}", key, chart("growth", f"Equity of {said}", "tall"), note=note)


def names(found: Mapping[str, Any]) -> tuple[str, str]:
    """Strategy and baseline of a search."""
    return str(found.get("strategy") or "strategy"), str(found.get("baseline") or "baseline")


def _lede(found: Mapping[str, Any], sessions: int, provenance: Mapping[str, Any]) -> str:
    grid = part(found, "grid")
    distinct, evaluated = grid.get("distinct"), grid.get("evaluated")
    partly = "" if evaluated in (None, distinct) else f", {count(evaluated)} of them evaluated"
    size = f"{grid.get('name')}: {count(grid.get('points'))} points, {count(distinct)} distinct{partly}. "
    return (
        f"{size if grid else ''}{day(found.get('start'))} to {day(found.get('end'))}, {count(sessions)} sessions, "
        f"against {names(found)[1]}.{tried(provenance)}"
    )


def _headline(found: Mapping[str, Any], axes: Sequence[str]) -> Markup:
    choice, point = part(found, "selection"), part(found, "point")
    values = part(point, "values")
    at = ", ".join(
        f"{short} {any_value(values.get(axis))}" for short, axis in zip(short_names(axes), axes, strict=True)
    )
    if choice.get("best") is None:
        reason = str(choice.get("reason") or "no point is chosen")
        said = f"{reason[:1].upper()}{reason[1:]}."
        then = (
            f"That is the answer of this grid. The figures below are those of point {point.get('number')}, which has "
            f"the best {choice.get('objective')} and is not chosen: {at}."
        )
    else:
        said, then = f"Point {point.get('number')} is chosen.", f"{at}."
    judged = tearsheet_luck.verdict(part(found, "statistics"))
    luck = f"<p>{text(judged)}</p>" if judged else ""
    return Markup(
        f'<section class="verdict"><p class="answer">{text(said)}</p><p>{text(then)}</p>{luck}</section>'
    )


def _tiles(found: Mapping[str, Any], baseline: str) -> Markup:
    own, other = part(found, "performance"), part(found, "baseline_performance")
    luck, oos = part(found, "statistics"), part(found, "oos")
    active, trials = part(luck, "active"), part(luck, "trials")
    return tiles(
        [
            (
                "DSR of active returns",
                probability(active.get("dsr")),
                f"{count(trials.get('distinct'))} trials; luck below {SURE}",
            ),
            (
                "Sharpe ratio",
                with_error(own.get("sharpe"), own.get("sharpe_se")),
                f"{baseline} {ratio(other.get('sharpe'))}",
            ),
            (
                "Degradation",
                percent(oos.get("degradation"), 0),
                f"train {ratio(oos.get('train_sharpe'))}, then {ratio(oos.get('mean_sharpe'))}",
            ),
            (
                "Overfitting, PBO",
                probability(part(active, "pbo").get("value")),
                f"active; total {probability(part(luck, 'total', 'pbo').get('value'))}",
            ),
            ("Growth a year", percent(own.get("cagr")), f"{baseline} {percent(other.get('cagr'))}"),
            (
                "Deepest drawdown",
                percent(own.get("max_drawdown")),
                f"{baseline} {percent(other.get('max_drawdown'))}",
            ),
        ]
    )


def _rule(found: Mapping[str, Any]) -> Markup:
    """Objective, constraints, how many points each rejects, and which windows took part."""
    choice = part(found, "selection")
    if not choice:
        return Markup("")
    objective = str(choice.get("objective"))
    said = f"The highest {objective}: {OBJECTIVES.get(objective, 'see the documentation')}."
    limits, rejections = part(choice, "constraints"), part(choice, "rejections")
    every = part(found, "grid").get("evaluated", part(found, "grid").get("distinct"))
    rows = []
    for name in [
        *(c for c in CONSTRAINTS if c in rejections),
        *(r for r in rejections if r not in CONSTRAINTS),
    ]:
        words, show = CONSTRAINTS.get(name, (name.replace("_", " "), any_value))
        limit = limits.get(name)
        rejected = part(rejections, name)
        so_far = rejected.get("cumulative")
        left = every - so_far if isinstance(every, int) and isinstance(so_far, int) else None
        bound = "" if limit is None or isinstance(limit, bool) else f" {show(limit)}"
        rows.append([words + bound, count(rejected.get("alone")), count(so_far), count(left)])
    head = ["a point satisfies", "fail this alone", "rejected so far", "left"]
    touched = [str(name) for name in choice.get("contaminated") or []]
    seen = (
        Markup(
            f'<p class="after"><span class="flag">selection-contaminated</span>: {text(", ".join(touched))}. The rule '
            "reads these windows, so their figures for the chosen point are no longer out of sample.</p>"
        )
        if touched
        else Markup('<p class="after">The rule reads no out-of-sample window.</p>')
    )
    return section("The rule of selection", table(head, rows, "rule") if rows else "", seen, note=said)
