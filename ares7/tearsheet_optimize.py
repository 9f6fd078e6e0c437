"""The report of an optimisation of sleeve mixes: what is proposed in each regime, and what it is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ares7 import tearsheet_charts, tearsheet_luck, tearsheet_tables
from ares7.runs import Run
from ares7.tearsheet_data import read_columns, read_equity
from ares7.tearsheet_distributions import Sections, overfitting
from ares7.tearsheet_document import Page, header, tried
from ares7.tearsheet_format import (
    Markup,
    chart,
    count,
    day,
    legend,
    percent,
    ratio,
    section,
    table,
    text,
    usd,
    with_error,
)
from ares7.tearsheet_grid import equity_section, names
from ares7.tearsheet_luck import part
from ares7.tearsheet_search_charts import mixes

METHODS = {
    "cvar": "the lowest mean of its worst daily losses (CVaR)",
    "max_sharpe": "the highest Sharpe ratio",
    "min_variance": "the lowest variance",
    "risk_parity": "equal contributions to its variance",
}
BEFORE = "before"


def page(run: Run) -> Page:
    """Return the report of an optimisation.

    Raises
    ------
    DataError
        A file of the run folder is missing or damaged.
    """
    found = run.metrics
    dates, curves = read_equity(run.folder, required=("nav", "before_nav", "baseline_nav"))
    strategy, baseline = names(found)
    drawn = (
        ("baseline_nav", baseline, "baseline"),
        ("before_nav", BEFORE, "accent"),
        ("nav", "proposed", "strategy"),
    )
    growth, series = tearsheet_charts.equity(
        dates,
        [(name, label, colour, curves[name]) for name, label, colour in drawn],
        [w for w in found.get("windows") or [] if isinstance(w, Mapping)],
    )
    bars, bar_figures = _mixes(run, found)
    halves, logit_figures = overfitting(part(found, "statistics"))
    method = str(found.get("method"))
    lede = (
        f"{method}: in each regime the mix of sleeves with {METHODS.get(method, 'the best objective')} over the "
        f"{count(found.get('train_sessions'))} sessions before the first out-of-sample window. "
        f"{day(found.get('start'))} to {day(found.get('end'))}, {count(len(dates))} sessions, against {baseline}."
        f"{tried(run.provenance)}"
    )
    parts = [
        header(found, f"Sleeve mixes of {strategy}", lede),
        _headline(found, baseline),
        bars,
        _beside(found, baseline),
        equity_section([(label, colour) for _, label, colour in reversed(drawn)]),
        tearsheet_tables.out_of_sample(found, baseline),
        halves,
        tearsheet_luck.statistics(
            part(found, "statistics"), "Statistics of the proposal", note="Of the proposed mixes."
        ),
        tearsheet_luck.targets(found),
        tearsheet_tables.findings(found),
        tearsheet_tables.not_modelled(),
        tearsheet_tables.provenance(run.provenance),
    ]
    return Page(
        title=f"Sleeve mixes of {strategy}, {dates[0]} to {dates[-1]}",
        made=str(run.provenance.get("stamp", "")),
        body="".join(parts),
        figures={"growth": growth} | bar_figures | logit_figures,
        series=series,
    )


def _headline(found: Mapping[str, Any], baseline: str) -> Markup:
    """Out of sample first: what the proposal changes where it was not fitted."""
    windows = part(found, "proposed").get("windows") or []
    old = part(found, BEFORE).get("windows") or []
    pairs = [
        (own.get("sharpe"), was.get("sharpe"))
        for own, was in zip(windows, old, strict=False)
        if isinstance(own.get("sharpe"), int | float) and isinstance(was.get("sharpe"), int | float)
    ]
    better = sum(own > was for own, was in pairs)
    said = (
        f"Out of sample the proposal is above the mix before in {better} of {len(pairs)} windows."
        if pairs
        else "No out-of-sample window judges the proposal."
    )
    own, was, base = (
        part(found, name).get("sharpe")
        for name in ("performance", "before_performance", "baseline_performance")
    )
    then = f"Whole run: Sharpe ratio {ratio(own)} proposed, {ratio(was)} before, {ratio(base)} {baseline}."
    judged = tearsheet_luck.verdict(part(found, "statistics"))
    luck = f"<p>{text(judged)}</p>" if judged else ""
    return Markup(
        f'<section class="verdict"><p class="answer">{text(said)}</p><p>{text(then)}</p>{luck}</section>'
    )


def _mixes(run: Run, found: Mapping[str, Any]) -> Sections:
    """Bars and table of the proposed fractions, in the order of ``mixes.csv``."""
    columns = read_columns(run.folder / "mixes.csv", ("regime",))
    regimes = {name: part(found, "mixes", name) for name in columns["regime"]}
    sleeves = [name for name in columns if name != "regime"]
    weights = {name: [part(mix, "weights").get(name) for mix in regimes.values()] for name in sleeves}
    colours = [tearsheet_charts.sleeve_colour(name, k) for k, name in enumerate(sleeves)]
    rows = [
        [
            _regime(name, str(mix.get("note") or "")),
            *(percent(weights[sleeve][i]) for sleeve in sleeves),
            ratio(mix.get("objective"), 4),
        ]
        for i, (name, mix) in enumerate(regimes.items())
    ]
    key = legend((name, colour, "area") for name, colour in zip(sleeves, colours, strict=True))
    place = chart("mixes", "Fraction of each sleeve, by regime", height=60 + 42 * len(regimes))
    listed = table(["regime", *sleeves, "objective"], rows)
    note = "Fractions of the invested book, before gross exposure."
    return section("Proposed mixes", key, place, listed, note=note), {"mixes": mixes([*regimes], weights)}


def _regime(name: str, note: str) -> Markup:
    small = f'<br><small class="flag">{text(note)}</small>' if note else ""
    return Markup(f"{text(name)}{small}")


def _beside(found: Mapping[str, Any], baseline: str) -> Markup:
    """Proposed, before and baseline in every figure."""
    lines = [part(found, name) for name in ("proposed", BEFORE)]
    whole = [part(found, name) for name in ("performance", "before_performance", "baseline_performance")]
    rows: list[list[object]] = [
        ["Sharpe ratio", *(with_error(p.get("sharpe"), p.get("sharpe_se")) for p in whole)],
        ["Train Sharpe ratio", *(ratio(line.get("train_sharpe")) for line in lines), ""],
        ["Degradation", *(percent(line.get("degradation")) for line in lines), ""],
    ]
    for own, was in zip(*(line.get("windows") or [] for line in lines), strict=False):
        shown = (own.get("sharpe"), was.get("sharpe"), own.get("baseline_sharpe"))
        rows.append([f"{own.get('name')} Sharpe ratio", *map(ratio, shown)])
    rows += [
        ["Sharpe ratio of active returns", *(ratio(line.get("active_sharpe")) for line in lines), ""],
        ["Growth a year", *(percent(p.get("cagr")) for p in whole)],
        ["Volatility a year", *(percent(p.get("volatility")) for p in whole)],
        ["Deepest drawdown", *(percent(p.get("max_drawdown")) for p in whole)],
        ["Turnover a year", *(percent(line.get("turnover"), 0) for line in lines), ""],
        ["Fees", *(usd(line.get("fees_usd")) for line in lines), ""],
    ]
    head = ["", "proposed", BEFORE, baseline]
    return section("Proposed, before, baseline", table(head, rows))
