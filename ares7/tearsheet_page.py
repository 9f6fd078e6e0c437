"""The report of a backtest: which sections there are, in which order, and what they say."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from ares7 import metrics, tearsheet_charts, tearsheet_luck, tearsheet_tables
from ares7.arrays import Float1D
from ares7.runs import Run
from ares7.tearsheet_audit import WATERMARK, audit_section, failed
from ares7.tearsheet_charts import Figure, compact
from ares7.tearsheet_data import ReportData, read_report_data
from ares7.tearsheet_document import Page, header, stamps, tried
from ares7.tearsheet_format import Markup, chart, count, day, legend, pair, section


def page(run: Run) -> Page:
    """Return the report of a backtest, and of its audit where there was one.

    Raises
    ------
    DataError
        A file of the run folder is missing or damaged.
    """
    data = read_report_data(run)
    figures, arrays = drawn(data)
    strategy, baseline = data.names
    found, luck = data.metrics, tearsheet_luck
    top = [
        header(found, strategy, lede(data)),
        audit_section(found),
        tearsheet_tables.tiles(found, baseline),
        luck.backtest_luck(found),
        growth_section(data),
        tearsheet_tables.out_of_sample(found, baseline),
        luck.targets(found),
    ]
    return Page(
        title=f"{WATERMARK}: " * failed(found) + f"{strategy}, {data.dates[0]} to {data.dates[-1]}",
        made=str(run.provenance.get("stamp", "")),
        body="".join([*top, *book_sections(data, tuple(figures))]),
        figures=figures,
        series=arrays,
    )


def lede(data: ReportData, counted: Mapping[str, Any] | None = None) -> str:
    """Return the period, the baseline, when orders are filled, and how much was tried.

    ``counted`` holds ``trials`` where the provenance does not know them all.
    """
    timing = "" if "LOOKAHEAD" in stamps(data.metrics) else " Decided at the close, traded at the next open."
    return (
        f"{day(data.dates[0])} to {day(data.dates[-1])}, {count(len(data.dates))} sessions, "
        f"against {data.names[1]}.{timing}{tried(counted or data.run.provenance)}"
    )


def book_sections(data: ReportData, figures: Collection[str]) -> list[Markup]:
    """Everything about a book that was traded, below its equity and its windows."""
    strategy, baseline = data.names
    found, tables = data.metrics, tearsheet_tables
    return [
        pair(tables.summary(found, strategy, baseline), _rolling_section(data, figures)),
        section(
            "Monthly returns",
            tables.months(metrics.monthly_returns(data.dates, data.nav)),
            note="Percent, total return, after costs.",
        ),
        _sleeves_section(data),
        tables.attribution(found),
        _turnover_section(data),
        tables.orders(found),
        tables.findings(found),
        tables.not_modelled(),
        tables.provenance(data.run.provenance),
    ]


def drawn(data: ReportData) -> tuple[dict[str, Figure], dict[str, list[Any]]]:
    """Charts of a book, by the id of their place, and the arrays that they refer to."""
    figures = {
        "growth": tearsheet_charts.growth(data),
        "sleeves": tearsheet_charts.sleeves(data),
        "turnover": tearsheet_charts.turnover(data),
    }
    arrays = tearsheet_charts.arrays(data)
    arrays["drawdown"] = compact(-metrics.drawdown_series(data.nav))
    arrays["baseline_drawdown"] = compact(-metrics.drawdown_series(data.baseline_nav))
    arrays["month"], arrays["month_turnover"] = _monthly_turnover(data)
    rolling = _rolling_sharpe(data, data.nav)
    if np.isfinite(rolling).any():
        figures["rolling-sharpe"] = tearsheet_charts.rolling_sharpe(data)
        arrays["rolling"] = compact(rolling)
        arrays["baseline_rolling"] = compact(_rolling_sharpe(data, data.baseline_nav))
    return figures, arrays


def _rolling_sharpe(data: ReportData, nav: Float1D) -> Float1D:
    """(T,) rolling Sharpe ratio; row t uses the returns up to close t."""
    rolling = metrics.rolling_sharpe(metrics.returns_from_nav(nav), data.rolling_sessions, data.risk_free)
    return np.append(np.nan, rolling)


def _monthly_turnover(data: ReportData) -> tuple[list[str], list[float | None]]:
    """Months, and the one-way turnover in each: sum of |notional| / 2 over the previous close's NAV."""
    before = np.append(data.nav[0], data.nav[:-1])
    months, row = np.unique(data.dates.astype("datetime64[M]"), return_inverse=True)
    return months.astype(str).tolist(), compact(np.bincount(row, data.traded / 2 / before).astype(np.float64))


def growth_section(data: ReportData) -> Markup:
    """Equity, regime and drawdowns."""
    strategy, baseline = data.names
    lines = legend([(strategy, "strategy", "line"), (baseline, "baseline", "line")])
    held = [label for label in data.regime_labels if label in data.held]
    regimes = legend([(label, tearsheet_charts.regime_colour(label), "area") for label in held])
    place = chart("growth", f"Equity of {strategy} and {baseline}, regime, drawdowns", "tall")
    note = "NAV, log axis; the regime in force; the fall from the highest NAV so far. Shaded: out of sample."
    return section("Growth and drawdown", lines, place, regimes, note=note)


def _rolling_section(data: ReportData, figures: Collection[str]) -> Markup:
    window = data.rolling_sessions
    place = (
        chart("rolling-sharpe", "Rolling Sharpe ratio over time", "high")
        if "rolling-sharpe" in figures
        else Markup(f'<p class="note">The run has fewer than {window} returns.</p>')
    )
    return section(f"Sharpe ratio of the last {window} sessions", place)


def _sleeves_section(data: ReportData) -> Markup:
    named = [
        (name, tearsheet_charts.sleeve_colour(name, position), "area")
        for position, name in enumerate(data.sleeves)
    ]
    place = chart("sleeves", "Fraction of NAV in each sleeve over time")
    return section(
        "Sleeves", legend(named), place, note="Fraction of NAV in each sleeve at the close, cash included."
    )


def _turnover_section(data: ReportData) -> Markup:
    named = legend([("one-way turnover a month", "strategy", "area"), ("fees so far", "accent", "line")])
    place = chart("turnover", "One-way turnover a month and fees paid so far")
    return section("Turnover and costs", named, place, tearsheet_tables.costs(data.metrics))
