"""The report of a walk-forward: that of the stitched book, and how its parameters came about year by year."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ares7 import tearsheet_luck, tearsheet_tables
from ares7.arrays import Float1D
from ares7.runs import Run
from ares7.tearsheet_charts import Figure
from ares7.tearsheet_data import ReportData, read_columns, read_report_data
from ares7.tearsheet_distributions import Sections, overfitting
from ares7.tearsheet_document import Page, header
from ares7.tearsheet_format import (
    ABSENT,
    Markup,
    any_value,
    chart,
    count,
    day,
    figures,
    legend,
    pair,
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
from ares7.tearsheet_luck import part
from ares7.tearsheet_page import book_sections, drawn, growth_section, lede
from ares7.tearsheet_search_charts import distribution, parameter_paths, train_and_test


def page(run: Run) -> Page:
    """Return the report of a walk-forward.

    Raises
    ------
    DataError
        A file of the run folder is missing or damaged.
    """
    data = read_report_data(run)
    book_figures, arrays = drawn(data)
    strategy, baseline = data.names
    found, walk = data.metrics, part(data.metrics, "walkforward")
    axes = _axes(run, walk)
    steps, step_figures = _paths(walk, axes)
    scatter, scatter_figures = _scatter(walk)
    combined, combined_figures = _combinatorial(walk, baseline)
    halves, logit_figures = overfitting(part(walk, "statistics"))
    parts = [
        header(found, f"Walk-forward of {strategy}", _rule(walk) + lede(data, part(walk, "statistics"))),
        _headline(data, walk),
        _tiles(found, walk, baseline),
        growth_section(data),
        _years(walk, axes, baseline),
        steps,
        pair(scatter, combined),
        _worth(walk),
        tearsheet_tables.out_of_sample(found, baseline),
        tearsheet_luck.backtest_luck(found),
        halves,
        tearsheet_luck.statistics(part(walk, "statistics"), "Statistics of the grid", note=_whose(walk)),
        tearsheet_luck.targets(found),
    ]
    return Page(
        title=f"Walk-forward of {strategy}, {data.dates[0]} to {data.dates[-1]}",
        made=str(run.provenance.get("stamp", "")),
        body="".join([*parts, *book_sections(data, tuple(book_figures))]),
        figures=book_figures | step_figures | scatter_figures | combined_figures | logit_figures,
        series=arrays,
    )


def _rule(walk: Mapping[str, Any]) -> str:
    """How the years were chosen, as the first sentence of the page."""
    settings, grid = part(walk, "settings"), part(walk, "grid")
    if not settings:
        return ""
    train = "all years" if settings.get("anchored") else f"the {_years_text(settings.get('train_years'))}"
    objective = part(settings, "selection").get("objective")
    return (
        f"{grid.get('name')}: the best of {count(grid.get('distinct'))} points by {objective} over {train} before, "
        f"held for {_years_text(settings.get('test_years'))}, then chosen again. "
    )


def _years_text(years: object) -> str:
    return f"{years} year" if years == 1 else f"{years} years"


def _headline(data: ReportData, walk: Mapping[str, Any]) -> Markup:
    limit, met = walk.get("degradation_limit"), walk.get("degradation_met")
    said = f"Stitched Sharpe ratio {ratio(walk.get('sharpe'))}, {data.names[1]} {_baseline_sharpe(data)}."
    below = "" if limit is None else f", {'below' if met else 'not below'} the limit of {percent(limit, 0)}"
    then = (
        f"Degradation {percent(walk.get('degradation'))}{below}: where they were chosen, the points showed "
        f"{ratio(walk.get('mean_train_sharpe'))} on average. {_above(walk)}"
    )
    return Markup(f'<section class="verdict"><p class="answer">{text(said)}</p><p>{text(then)}</p></section>')


def _baseline_sharpe(data: ReportData) -> str:
    return ratio(part(data.metrics, "baseline_performance").get("sharpe"))


def _above(walk: Mapping[str, Any]) -> str:
    years, above = _known_years(walk), walk.get("years_above_baseline")
    return "" if above is None else f"Above the baseline in {count(above)} of {count(len(years))} years."


def _known_years(walk: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [year for year in walk.get("years") or [] if isinstance(year, Mapping)]


def _tiles(found: Mapping[str, Any], walk: Mapping[str, Any], baseline: str) -> Markup:
    own, other = part(found, "performance"), part(found, "baseline_performance")
    limit, span = walk.get("degradation_limit"), part(walk, "intervals", "sharpe")
    costs = part(found, "costs")
    return tiles(
        [
            (
                "Sharpe ratio",
                with_error(own.get("sharpe"), own.get("sharpe_se")),
                f"{ratio(span.get('low'))} to {ratio(span.get('high'))}; {baseline} {ratio(other.get('sharpe'))}",
            ),
            (
                "Degradation",
                percent(walk.get("degradation"), 0),
                "no limit" if limit is None else f"limit {percent(limit, 0)}",
            ),
            ("Growth a year", percent(own.get("cagr")), f"{baseline} {percent(other.get('cagr'))}"),
            (
                "Deepest drawdown",
                percent(own.get("max_drawdown")),
                f"{baseline} {percent(other.get('max_drawdown'))}",
            ),
            ("Efficiency", percent(walk.get("efficiency"), 0), "test growth over train growth"),
            ("Turnover a year", percent(costs.get("turnover_one_way"), 0), "changes of point included"),
        ]
    )


def _years(walk: Mapping[str, Any], axes: Sequence[str], baseline: str) -> Markup:
    years = _known_years(walk)
    if not years:
        return Markup("")
    head = [
        "year",
        "point",
        "train Sharpe",
        "test rank",
        "Sharpe",
        baseline,
        "above it",
        "return",
        baseline,
        "drawdown",
        *short_names(axes),
    ]
    note = (
        "Each year’s point was chosen at the close of the day named, from earlier rows alone. Test rank: of the "
        "held point’s own curve among all points. Sharpe ratio, return and drawdown: of the stitched book, costs "
        "of changing included. Kept: no point satisfied the constraints, the one before stayed."
    )
    return section("Year by year", table(head, [_year(year, axes) for year in years]), note=note)


def _axes(run: Run, walk: Mapping[str, Any]) -> list[str]:
    """Axes of the grid in its own order, which ``metrics.json`` does not keep."""
    axes = part(walk, "grid", "axes")
    return [name for name in read_columns(run.folder / "years.csv", ("year",)) if name in axes]


def _year(year: Mapping[str, Any], axes: Sequence[str]) -> list[object]:
    values = part(year, "values")
    marks = [
        words
        for words, there in (
            ("cut short by the data", year.get("cut_short")),
            ("kept", year.get("kept")),
        )
        if there
    ]
    flags = "".join(f'<br><small class="flag">{words}</small>' for words in marks)
    sessions = f"{day(year.get('decided'))}, {count(year.get('sessions'))} sessions"
    above = {"True": text("yes"), "False": Markup('<span class="flag">no</span>')}
    return [
        Markup(f"{text(year.get('year'))}<br><small>{text(sessions)}</small>{flags}"),
        "cash" if year.get("point") is None else str(year.get("point")),
        ratio(year.get("train_sharpe")),
        f"{count(year.get('rank'))} of {count(year.get('of'))}" if year.get("rank") else ABSENT,
        ratio(year.get("sharpe")),
        ratio(year.get("baseline_sharpe")),
        above.get(str(year.get("above_baseline")), ABSENT),
        percent(year.get("return")),
        percent(year.get("baseline_return")),
        percent(year.get("max_drawdown")),
        *(any_value(values.get(axis)) for axis in axes),
    ]


def _paths(walk: Mapping[str, Any], axes: Sequence[str]) -> Sections:
    """Step lines of the parameters, and how often each changed."""
    years, values = _known_years(walk), part(walk, "grid", "axes")
    if not years or not axes:
        return Markup(""), {}
    short = short_names(axes)
    chosen = [[part(year, "values").get(axis) for year in years] for axis in axes]
    figure, height = parameter_paths(
        short, [str(year.get("year")) for year in years], chosen, [list(values[axis]) for axis in axes]
    )
    changes = part(walk, "changes")
    told = {
        name: f"{count(changes.get(axis))} of {max(len(years) - 1, 0)}"
        for name, axis in zip(short, axes, strict=True)
    }
    place = chart("paths", "The value of each parameter that was held, year by year", height=height)
    counted = Markup(f"<h3>Changes from one year to the next</h3>{figures(told)}") if changes else Markup("")
    note = "Steps on the values of each axis of the grid; a gap is a year in cash."
    return section("Parameters that were held", place, counted, note=note), {"paths": figure}


def _scatter(walk: Mapping[str, Any]) -> Sections:
    years = _known_years(walk)
    train, test = (_floats(year.get(key) for year in years) for key in ("train_sharpe", "test_sharpe"))
    if not np.isfinite(train + test).any():
        return Markup(""), {}
    names = [str(year.get("year")) for year in years]
    place = chart("train-test", "Sharpe ratio of each test year against its train window", "high")
    note = "Of the held point's own curve; on the dashed line a year keeps what the train window showed."
    return section("Train against test", place, note=note), {"train-test": train_and_test(names, train, test)}


def _floats(values: Any) -> Float1D:
    known = [float(v) if isinstance(v, int | float) else np.nan for v in values]
    return np.array(known, dtype=np.float64)


def _combinatorial(walk: Mapping[str, Any], baseline: str) -> Sections:
    """Distribution of the Sharpe ratios of the combinatorial paths."""
    cross = part(walk, "combinatorial")
    paths = _floats(cross.get("paths") or [])
    if not len(paths):
        return Markup(""), {}
    lines = [(cross.get("mean"), "strategy", "solid"), (cross.get("baseline_sharpe"), "baseline", "solid")]
    key = legend(
        [
            (f"mean {ratio(cross.get('mean'))} ± {ratio(cross.get('sd'))}", "strategy", "line"),
            (f"{baseline} {ratio(cross.get('baseline_sharpe'))}", "baseline", "line"),
        ]
    )
    note = (
        f"Purged combinatorial cross-validation: {count(cross.get('splits'))} splits make {count(len(paths))} paths "
        "over the whole run, each stitched from test parts only; "
        f"{count(cross.get('points_chosen'))} points were ever chosen."
    )
    figure: dict[str, Figure] = {
        "combinatorial": distribution(paths, lines, "Sharpe ratio of a path", "paths")
    }
    place = chart("combinatorial", "Histogram of the paths' Sharpe ratios", "high")
    return section("Combinatorial paths", key, place, note=note), figure


def _worth(walk: Mapping[str, Any]) -> Markup:
    """What choosing anew was worth beside not choosing at all."""
    if not walk:
        return Markup("")
    hindsight, spans = part(walk, "hindsight"), part(walk, "intervals")
    drawdown, growth = part(spans, "max_drawdown"), part(spans, "cagr")
    shown: dict[str, object] = {
        "Stitched Sharpe ratio": ratio(walk.get("sharpe")),
        "Median point, never changed": ratio(walk.get("unchanged")),
        f"Best point in hindsight, {any_value(hindsight.get('point'))}": ratio(hindsight.get("sharpe")),
        "PSR of the stitched book": probability(walk.get("psr")),
        "Efficiency": percent(walk.get("efficiency")),
        "Drawdown, interval": f"{percent(drawdown.get('low'))} to {percent(drawdown.get('high'))}",
        "Growth a year, interval": f"{percent(growth.get('low'))} to {percent(growth.get('high'))}",
    }
    note = (
        "All over the stitched period. Hindsight is the point that was best over the whole run: nobody could have "
        "known it. Choosing pays only where the stitched book is above the median point. Efficiency: mean growth "
        "of the held points in their test years over that in their train windows."
    )
    return section("What choosing was worth", figures(shown), note=note)


def _whose(walk: Mapping[str, Any]) -> str:
    return (
        f"Of point {any_value(part(walk, 'hindsight').get('point'))}, the best of the grid over the whole run in "
        "hindsight, not of the stitched book."
    )
