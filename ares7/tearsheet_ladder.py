"""The report of the bias ladder: how a Sharpe ratio grows out of nothing, mistake by mistake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ares7 import tearsheet_tables
from ares7.errors import DataError
from ares7.runs import Run
from ares7.tearsheet_charts import Figure
from ares7.tearsheet_data import REMEDY, read_curves
from ares7.tearsheet_document import Page, header
from ares7.tearsheet_format import (
    Markup,
    chart,
    count,
    day,
    facts,
    legend,
    percent,
    ratio,
    section,
    text,
    with_error,
)
from ares7.tearsheet_ladder_charts import PUBLISHED, growth, label, steps, steps_height

Row = Mapping[str, Any]

NULL = "null"
"""The market without any foreseeable move."""
NAMES = {NULL: "Synthetic market without foreseeable moves", "data": "The configured data"}


def page(run: Run) -> Page:
    """Return the report of a bias ladder.

    Raises
    ------
    DataError
        A file of the run folder is missing or damaged.
    """
    found = run.metrics
    markets = _markets(run)
    explained = tearsheet_tables.part(found, "explained")
    figures: dict[str, Figure] = {}
    series: dict[str, list[Any]] = {}
    parts = [
        header(found, "The bias ladder", _lede(markets)),
        _headline(markets),
    ]
    for place, (name, market) in enumerate(markets.items()):
        curves, arrays = growth(*read_curves(run.folder / f"curves_{name}.csv"), str(place))
        bars = steps(_mode(market, "honest", "cumulative"), _sharpe_of_equal_weight(market))
        figures |= {f"steps-{place}": bars, f"growth-{place}": curves}
        series |= arrays
        parts.append(_steps_section(name, market, place))
        parts.append(_growth_section(name, market, place))
    parts += [
        _mistakes(explained, markets),
        tearsheet_tables.provenance(run.provenance),
    ]
    return Page(
        title=f"The bias ladder, {found.get('start')} to {found.get('end')}",
        made=str(run.provenance.get("stamp", "")),
        body="".join(parts),
        figures=figures,
        series=series,
    )


def _markets(run: Run) -> dict[str, Mapping[str, Any]]:
    """Markets by name, the one without foreseeable moves first."""
    found = {
        name: market
        for name, market in tearsheet_tables.part(run.metrics, "markets").items()
        if isinstance(market, Mapping) and _mode(market, "cumulative") and _mode(market, "honest")
    }
    if not found:
        raise DataError(f"run folder {run.folder}: metrics.json holds no market with a ladder; {REMEDY}")
    return dict(sorted(found.items(), key=lambda item: (item[0] != NULL, item[0])))


def _mode(market: Mapping[str, Any], *modes: str) -> list[Row]:
    """Rows of these modes, in the order of the steps."""
    rows = [row for row in market.get("rows") or [] if row.get("mode") in modes]
    return sorted(rows, key=lambda row: int(row.get("step") or 0))


def _sharpe_of_equal_weight(market: Mapping[str, Any]) -> float | None:
    value = tearsheet_tables.part(market, "equal_weight").get("sharpe")
    return float(value) if isinstance(value, int | float) else None


def _lede(markets: Mapping[str, Mapping[str, Any]]) -> str:
    market = next(iter(markets.values()))
    return (
        f"The engine whose Sharpe ratio was published as {ratio(PUBLISHED, 1)}: first without its "
        f"{count(len(_mode(market, 'cumulative')))} mistakes, then with each of them alone, then with one on top of "
        "the other. Nothing else on this page is a strategy anybody could have traded."
    )


def _headline(markets: Mapping[str, Mapping[str, Any]]) -> Markup:
    """Plain sentence on the market where nothing can be foreseen, then one for each of the others."""
    name, market = next(iter(markets.items()))
    honest, climbed = _mode(market, "honest")[0], _mode(market, "cumulative")
    together = climbed[-1].get("sharpe")
    grows = isinstance(together, int | float) and together > float(honest.get("sharpe") or 0.0)
    source = "nothing" if name == NULL else f"an honest {ratio(honest.get('sharpe'))}"
    said = (
        f"A Sharpe ratio of {ratio(together)} grows out of {source}."
        if grows
        else f"Here the mistakes add nothing: a Sharpe ratio of {ratio(together)} with all of them."
    )
    told = "".join(f"<p>{text(_climb(name, market))}</p>" for name, market in markets.items())
    return Markup(f'<section class="verdict"><p class="answer">{text(said)}</p>{told}</section>')


def _climb(name: str, market: Mapping[str, Any]) -> str:
    honest, climbed = _mode(market, "honest")[0], _mode(market, "cumulative")
    where = (
        "On a synthetic market where no move can be foreseen"
        if name == NULL
        else "On the configured data"
        if name == "data"
        else f"On the synthetic market {name}"
    )
    known = [row for row in climbed if isinstance(row.get("sharpe"), int | float)]
    peak = max(known, key=lambda row: float(row["sharpe"]), default=None)
    best = (
        f" ({ratio(peak.get('sharpe'))} with the first {count(peak.get('step'))})"
        if peak is not None and peak is not climbed[-1]
        else ""
    )
    return (
        f"{where}, equal weight has {ratio(_sharpe_of_equal_weight(market))}, the honest engine "
        f"{ratio(honest.get('sharpe'))}, and the same engine with all {count(len(climbed))} mistakes "
        f"{ratio(climbed[-1].get('sharpe'))}{best}."
    )


def _steps_section(name: str, market: Mapping[str, Any], place: int) -> Markup:
    climbed = _mode(market, "honest", "cumulative")
    key = legend(
        [
            ("honest", "strategy", "area"),
            ("added by a mistake", "accent", "area"),
            ("taken away", "baseline", "area"),
            ("equal weight", "ink", "line"),
            (f"published {ratio(PUBLISHED, 1)}", "alarm", "dash"),
        ]
    )
    described = "Sharpe ratio, honest and after each further mistake"
    note = (
        f"{day(market.get('start'))} to {day(market.get('end'))}, {count(market.get('sessions'))} sessions, "
        f"{count(market.get('announcements'))} announcements. Sharpe ratio after each further mistake; the bars are "
        "what it adds."
    )
    place_ = chart(f"steps-{place}", described, height=steps_height(len(climbed)))
    return section(NAMES.get(name, f"Synthetic market {name}"), key, place_, _table(market), note=note)


def _table(market: Mapping[str, Any]) -> Markup:
    """Each mistake alone, beside all up to it together."""
    alone = {row.get("bias"): row for row in _mode(market, "alone")}
    honest = _mode(market, "honest")[0]
    rows = [
        ("equal weight", tearsheet_tables.part(market, "equal_weight"), None),
        ("honest", honest, honest),
        *((label(row.get("bias")), alone.get(row.get("bias")), row) for row in _mode(market, "cumulative")),
    ]
    names = ("Sharpe", "CAGR", "volatility", "drawdown")
    heads = "".join(
        f'<th scope="col"{_first(i)}>{name}</th>' for _ in range(2) for i, name in enumerate(names)
    )
    groups = "".join(
        f'<th scope="colgroup" colspan="{len(names)}" class="group">{name}</th>'
        for name in ("alone", "all up to it together")
    )
    body = "".join(
        f'<tr><th scope="row">{text(name)}</th>{_cells(own)}{_cells(together)}</tr>'
        for name, own, together in rows
    )
    return Markup(
        '<div class="scroll" tabindex="0"><table class="ladder"><thead>'
        f'<tr><th></th>{groups}</tr><tr><th scope="col">mistake</th>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _first(i: int) -> str:
    return ' class="first"' if i == 0 else ""


def _cells(row: Row | None) -> str:
    if row is None:
        return f'<td class="first"></td>{"<td></td>" * 3}'
    shown: Sequence[object] = (
        with_error(row.get("sharpe"), row.get("sharpe_se")),
        *(percent(row.get(name)) for name in ("cagr", "volatility", "max_drawdown")),
    )
    return "".join(f"<td{_first(i)}>{text(value)}</td>" for i, value in enumerate(shown))


def _growth_section(name: str, market: Mapping[str, Any], place: int) -> Markup:
    last = count(len(_mode(market, "cumulative")))
    key = legend(
        [
            ("honest", "strategy", "line"),
            ("the mistakes up to each step", "accent-soft", "line"),
            (f"all {last}", "accent", "line"),
        ]
    )
    described = f"Growth of 1, honest and with the mistakes up to each step, market {name}"
    note = "Growth of 1, log axis; every fifth session is drawn."
    where = chart(f"growth-{place}", described, "high")
    return section(f"What the same money becomes: {_short(name)}", key, where, note=note)


def _short(name: str) -> str:
    return {NULL: "no foreseeable moves", "data": "the configured data"}.get(name, name)


def _mistakes(explained: Mapping[str, Any], markets: Mapping[str, Mapping[str, Any]]) -> Markup:
    """One sentence a mistake, in the order of the steps."""
    order: Iterable[Any] = (
        row.get("bias") for market in markets.values() for row in _mode(market, "cumulative")
    )
    known = {label(name): _sentence(explained[name]) for name in dict.fromkeys(order) if name in explained}
    return section("The mistakes", facts(known)) if known else Markup("")


def _sentence(words: object) -> str:
    told = str(words).strip()
    return f"{told[:1].upper()}{told[1:]}{'' if told.endswith('.') else '.'}"
