"""Sections of the report that are tables and text. Figures come from ``metrics.json``; none is computed here.

Every function takes the metrics (or a part of a run) and tolerates keys that are absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ares7.limitations import NOT_MODELLED
from ares7.metrics import MonthlyReturns
from ares7.tearsheet_charts import regime_colour
from ares7.tearsheet_contamination import footnotes, mark, touched
from ares7.tearsheet_format import (
    ABSENT,
    Markup,
    any_value,
    bullets,
    count,
    day,
    facts,
    figures,
    percent,
    ratio,
    section,
    table,
    text,
    usd,
    usd_short,
    with_error,
)
from ares7.tearsheet_format import tiles as format_tiles

Metrics = Mapping[str, Any]

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
FULL_COLOUR = 0.10
"""A month of this return, up or down, has the table's strongest colour."""
THIN_COVERAGE = 0.5
"""Below it the quality leg is thin (rulings 17)."""
SHOWN = 12
"""Longer lists of findings are folded."""


def part(metrics: Metrics, name: str) -> Metrics:
    """Return a section of the metrics; empty when it is absent."""
    value = metrics.get(name)
    return value if isinstance(value, Mapping) else {}


def tiles(metrics: Metrics, baseline: str) -> Markup:
    """Six headline figures, the baseline's below each."""
    own, other = part(metrics, "performance"), part(metrics, "baseline_performance")
    costs = part(metrics, "costs")

    def beside(name: str, key: str) -> tuple[str, object, str]:
        return name, percent(own.get(key)), f"{baseline} {percent(other.get(key))}"

    sharpe = with_error(own.get("sharpe"), own.get("sharpe_se"))
    shown: list[tuple[str, object, str]] = [
        ("Sharpe ratio", sharpe, f"{baseline} {ratio(other.get('sharpe'))}"),
        beside("Growth a year", "cagr"),
        beside("Volatility", "volatility"),
        beside("Deepest drawdown", "max_drawdown"),
        ("Turnover a year", percent(costs.get("turnover_one_way"), 0), "one way, of NAV"),
        (
            "Fees",
            usd_short(costs.get("fees_usd")),
            f"{ratio(costs.get('fees_bps'), 1)} bps of what was traded",
        ),
    ]
    return format_tiles(shown)


def _spell(performance: Metrics) -> Markup:
    """Peak, trough and recovery of the deepest drawdown, as a table cell."""
    if performance.get("max_drawdown_start") is None:
        return text(ABSENT)
    recovery = performance.get("max_drawdown_recovery")
    end = f"recovered {day(recovery)}" if recovery else "not recovered"
    return Markup(
        f'<td class="spell">{text(day(performance.get("max_drawdown_start")))}<br>'
        f"<small>low {text(day(performance.get('max_drawdown_trough')))}<br>{text(end)}</small></td>"
    )


def summary(metrics: Metrics, strategy: str, baseline: str) -> Markup:
    """Performance of the strategy beside the baseline's."""
    columns = part(metrics, "performance"), part(metrics, "baseline_performance")

    def row(name: str, key: str, show: Any) -> list[object]:
        return [name, *(show(column.get(key)) for column in columns)]

    rows: list[list[object]] = [
        ["Sharpe ratio", *(with_error(c.get("sharpe"), c.get("sharpe_se")) for c in columns)],
        row("Growth a year (CAGR)", "cagr", percent),
        row("Volatility a year", "volatility", percent),
        row("Sortino ratio", "sortino", ratio),
        row("Calmar ratio", "calmar", ratio),
        row("Total return", "total_return", percent),
        row("Final NAV", "final_nav", usd),
        row("Deepest drawdown", "max_drawdown", percent),
        ["from", *(_spell(c) for c in columns)],
        row("Sessions, peak to recovery", "max_drawdown_sessions", count),
    ]
    note = "Sharpe ratios are annualised; ± is Lo’s standard error for independent returns."
    return section("Performance", table(["", strategy, baseline], rows), note=note)


def _verdict(window: Metrics) -> object:
    beats = window.get("beats_baseline")
    if beats is None:
        return ABSENT
    return "yes" if beats else Markup('<span class="flag">no</span>')


def _window_row(window: Metrics, seen: Metrics) -> list[object]:
    period = f"{day(window.get('start'))} – {day(window.get('end'))}"
    cut = '<br><small class="flag">cut short by the data</small>' if window.get("cut_short") else ""
    cut += mark(seen.get(str(window.get("name")), []))
    if window.get("reached") is False:
        empty = Markup('<td colspan="6"><small>the data do not reach this window</small></td>')
        return [Markup(f"{text(window.get('name'))}<br><small>{text(period)}</small>{cut}"), empty]
    return [
        Markup(f"{text(window.get('name'))}<br><small>{text(period)}</small>{cut}"),
        _of(window.get("sessions"), window.get("expected_sessions")),
        with_error(window.get("sharpe"), window.get("sharpe_se")),
        ratio(window.get("baseline_sharpe")),
        _verdict(window),
        percent(window.get("cagr")),
        percent(window.get("max_drawdown")),
    ]


def _of(sessions: object, expected: object) -> str:
    """Return a day count, and how many there would have been where some are missing."""
    known = isinstance(expected, int) and expected != sessions
    return f"{count(sessions)} of {count(expected)}" if known else count(sessions)


def out_of_sample(metrics: Metrics, baseline: str) -> Markup:
    """Named windows, and how much of the training Sharpe ratio they keep."""
    windows = [w for w in metrics.get("windows") or [] if isinstance(w, Mapping)]
    if not windows:
        return Markup("")
    head = ["window", "sessions", "Sharpe", baseline, "beats it", "CAGR", "drawdown"]
    oos = part(metrics, "oos")
    shown = {
        "Sharpe before the windows": ratio(oos.get("train_sharpe")),
        "Mean, worst of the windows": f"{ratio(oos.get('mean_sharpe'))}, {ratio(oos.get('min_sharpe'))}",
        "Degradation": percent(oos.get("degradation")),
    }
    note = "Out of sample only as far as the configuration was fixed before these windows were looked at."
    seen = touched(metrics)
    rows = [_window_row(window, seen) for window in windows]
    return section("Out of sample", table(head, rows), figures(shown), footnotes(seen), note=note)


def months(returns: MonthlyReturns) -> Markup:
    """Calendar of monthly returns, coloured by size."""

    def cell(value: float) -> Markup:
        if value != value:
            return Markup("<td></td>")
        side = "gain" if value >= 0 else "loss"
        size = min(1.0, abs(value) / FULL_COLOUR)
        return Markup(f'<td class="{side}" style="--size:{size:.2f}">{text(ratio(100 * value, 1))}</td>')

    rows = [
        [year, *map(cell, row), Markup(f"<td>{text(ratio(100 * total, 1))}</td>")]
        for year, row, total in zip(
            returns.years.tolist(), returns.table.tolist(), returns.annual.tolist(), strict=True
        )
    ]
    return table(["", *MONTHS, "Year"], rows, "months") if rows else Markup("")


def attribution(metrics: Metrics) -> Markup:
    """What each regime contributed."""
    regimes = {k: v for k, v in part(metrics, "attribution").items() if isinstance(v, Mapping)}
    if not regimes:
        return Markup("")
    largest = max((abs(v.get("contribution") or 0.0) for v in regimes.values()), default=0.0) or 1.0

    def contribution(name: str, value: object) -> Markup:
        width = 100 * abs(float(value)) / largest if isinstance(value, int | float) else 0
        bar = f'<i class="bar" style="width:{width:.1f}%;background:var(--{regime_colour(name)})"></i>'
        return Markup(f'<td class="measure">{text(percent(value))}{bar}</td>')

    rows = [
        [
            name,
            count(v.get("sessions")),
            percent(v.get("share"), 0),
            percent(v.get("return_annual")),
            ratio(v.get("sharpe")),
            contribution(name, v.get("contribution")),
        ]
        for name, v in sorted(regimes.items(), key=lambda item: -(item[1].get("sessions") or 0))
    ]
    head = ["regime", "sessions", "of the time", "return a year", "Sharpe", "contribution"]
    exposure = part(metrics, "exposure")
    shown = {
        "Regime switches a year": ratio(exposure.get("switches_per_year"), 1),
        "Mean gross exposure": percent(exposure.get("mean_gross")),
        "Mean cash": percent(exposure.get("mean_cash")),
        "Mean number of names": ratio(exposure.get("mean_names"), 0),
    }
    note = (
        "A session’s return belongs to the regime known at the close before it; contributions add up to the "
        "mean return a year."
    )
    return section("Regimes", table(head, rows), figures(shown), note=note)


def costs(metrics: Metrics) -> Markup:
    """Return costs as a list; fees are reconciled with what was traded (C9)."""
    paid = part(metrics, "costs")
    if not paid:
        return Markup("")
    verdicts = {True: text("agrees to the cent"), False: Markup('<span class="flag">differs</span>')}
    verdict = verdicts.get(bool(paid["reconciles"])) if paid.get("reconciles") is not None else ABSENT
    expected = Markup(f"{text(usd(paid.get('expected_fees_usd'), 2))} <small>{verdict}</small>")
    return figures(
        {
            "Turnover, one way, a year": percent(paid.get("turnover_one_way"), 0),
            "Traded": usd(paid.get("traded_notional_usd")),
            "Fees": usd(paid.get("fees_usd"), 2),
            "Fees by the cost model": expected,
            "Fees, of what was traded": f"{ratio(paid.get('fees_bps'))} bps",
            "Fees of regime switches": usd(paid.get("switch_fees_usd"), 2),
            "Fees, of NAV, a year": percent(paid.get("fees_annual"), 2),
            "of that, regime switches": percent(paid.get("switch_fees_annual"), 2),
        }
    )


def _folded(items: list[object]) -> Markup:
    shown = bullets(items[:SHOWN])
    if len(items) <= SHOWN:
        return shown
    rest = bullets(items[SHOWN:])
    return Markup(f"{shown}<details><summary>{len(items) - SHOWN} more</summary>{rest}</details>")


def _records(items: list[object]) -> Markup:
    """Findings that are mappings as a table, date and symbol first; others as a list."""
    mappings = [item for item in items if isinstance(item, Mapping)]
    if len(mappings) < len(items):
        return _folded(items)
    names = {name: None for first in ("date", "symbol") for name in mappings[0] if name == first}
    names |= {name: None for item in mappings for name in item}
    rows = [[any_value(item.get(name)) for name in names] for item in mappings]
    top = table([*names], rows[:SHOWN], "text")
    if len(rows) <= SHOWN:
        return top
    rest = table([*names], rows[SHOWN:], "text")
    return Markup(f"{top}<details><summary>{len(rows) - SHOWN} more</summary>{rest}</details>")


def orders(metrics: Metrics) -> Markup:
    """How orders ended, refusals one by one, and what whole shares left undone."""
    book = part(metrics, "orders")
    if not book:
        return Markup("")
    kinds = ("submitted", "filled", "refused", "retried", "cancelled", "waiting", "delisting")
    shown: dict[str, object] = {kind.capitalize(): count(book.get(kind)) for kind in kinds}
    for name, value in part(metrics, "rounding").items():
        shown[f"Rounding: {name.replace('_', ' ')}"] = any_value(value)
    refusals = list(book.get("refusals") or [])
    listed = Markup(f"<h3>Refused</h3>{_records(refusals)}") if refusals else Markup("")
    return section("Orders", figures(shown), listed)


def findings(metrics: Metrics) -> Markup:
    """Warnings about the data, coverage of the quality slots, notes."""
    warnings, notes = list(metrics.get("warnings") or []), list(metrics.get("notes") or [])
    coverage = part(metrics, "coverage")
    parts = [_folded(warnings)] if warnings else []
    if notes:
        parts.append(Markup(f"<h3>Notes</h3>{_folded(notes)}"))
    if coverage:
        cells = [
            Markup(f'<td class="flag">{text(percent(share, 0))}</td>')
            if isinstance(share, int | float) and share < THIN_COVERAGE
            else percent(share, 0)
            for share in coverage.values()
        ]
        years = table(["", *coverage], [["coverage", *cells]])
        parts.append(Markup(f"<h3>Names with at least two quality slots, a year</h3>{years}"))
    return section("Warnings and notes" if warnings else "Notes", *parts)


def not_modelled() -> Markup:
    """Everything that the figures leave out."""
    return section("What was not modelled", bullets(NOT_MODELLED))


def provenance(run_provenance: Metrics) -> Markup:
    """Where the run came from, nested mappings flattened."""
    rows: dict[str, object] = {}

    def walk(tree: Metrics, prefix: str) -> None:
        for key, value in tree.items():
            name = f"{prefix}{key}".replace("_", " ")
            if isinstance(value, Mapping):
                walk(value, f"{prefix}{key} / ")
            elif isinstance(value, list):
                rows[name] = ", ".join(map(str, value)) or ABSENT
            else:
                rows[name] = str(value) if isinstance(value, int) else any_value(value)

    walk(run_provenance, "")
    shown = {name: Markup(f"<code>{text(value)}</code>") for name, value in rows.items()}
    return section("Provenance", facts(shown))
