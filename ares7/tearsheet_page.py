"""The body of the report: which sections there are, in which order, and what they say."""

from __future__ import annotations

from collections.abc import Collection

from ares7 import metrics, tearsheet_charts, tearsheet_tables
from ares7.tearsheet_data import ReportData
from ares7.tearsheet_format import Markup, chart, count, day, legend, section, text


def body(data: ReportData, figures: Collection[str]) -> str:
    """Return the inner HTML of the page; ``figures`` are the names of the charts that there are data for."""
    strategy, baseline = data.names
    found = data.metrics
    tables = tearsheet_tables
    parts = [
        _header(data, strategy, baseline),
        tables.tiles(found, baseline),
        _growth_section(data, strategy, baseline),
        tables.out_of_sample(found, baseline),
        Markup(
            f'<div class="pair">{tables.summary(found, strategy, baseline)}'
            f"{_rolling_section(data, figures)}</div>"
        ),
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
    return "".join(parts)


def _header(data: ReportData, strategy: str, baseline: str) -> Markup:
    found = data.metrics
    stamps = [str(stamp) for stamp in found.get("stamps") or []]
    if found.get("synthetic") and "SYNTHETIC" not in stamps:
        stamps.insert(0, "SYNTHETIC")
    listed = "".join(f"<li>{text(stamp)}</li>" for stamp in stamps)
    ribbon = f'<ul class="stamps">{listed}</ul>' if stamps else ""
    mark = f'<div class="watermark" aria-hidden="true"><span>{text(stamps[0])}</span></div>' if stamps else ""
    trials = data.run.provenance.get("trials")
    tried = f" Trials on this data so far: {count(trials)}." if isinstance(trials, int) else ""
    timing = "" if "LOOKAHEAD" in stamps else " Decided at the close, traded at the next open."
    lede = (
        f"{day(data.dates[0])} to {day(data.dates[-1])}, {count(len(data.dates))} sessions, "
        f"against {baseline}.{timing}{tried}"
    )
    return Markup(f'{mark}<header><h1>{text(strategy)}</h1><p class="lede">{text(lede)}</p>{ribbon}</header>')


def _growth_section(data: ReportData, strategy: str, baseline: str) -> Markup:
    lines = legend([(strategy, "strategy", True), (baseline, "baseline", True)])
    held = [label for label in data.regime_labels if label in data.held]
    regimes = legend([(label, tearsheet_charts.regime_colour(label), False) for label in held])
    drawn = chart("growth", f"Equity of {strategy} and {baseline}, regime, drawdowns", "tall")
    note = "NAV, log axis; the regime in force; the fall from the highest NAV so far. Shaded: out of sample."
    return section("Growth and drawdown", lines, drawn, regimes, note=note)


def _rolling_section(data: ReportData, figures: Collection[str]) -> Markup:
    window = data.rolling_sessions
    drawn = (
        chart("rolling-sharpe", "Rolling Sharpe ratio over time", "high")
        if "rolling-sharpe" in figures
        else Markup(f'<p class="note">The run has fewer than {window} returns.</p>')
    )
    return section(f"Sharpe ratio of the last {window} sessions", drawn)


def _sleeves_section(data: ReportData) -> Markup:
    named = [
        (name, tearsheet_charts.sleeve_colour(name, position), False)
        for position, name in enumerate(data.sleeves)
    ]
    drawn = chart("sleeves", "Fraction of NAV in each sleeve over time")
    return section(
        "Sleeves", legend(named), drawn, note="Fraction of NAV in each sleeve at the close, cash included."
    )


def _turnover_section(data: ReportData) -> Markup:
    named = legend([("one-way turnover a month", "strategy", False), ("fees so far", "accent", True)])
    drawn = chart("turnover", "One-way turnover a month and fees paid so far")
    return section("Turnover and costs", named, drawn, tearsheet_tables.costs(data.metrics))
