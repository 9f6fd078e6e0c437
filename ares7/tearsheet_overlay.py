"""The report of ``overlay ablation``: what each overlay adds to a book, net of costs, window by window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ares7 import tearsheet_tables
from ares7.arrays import Float1D
from ares7.errors import DataError
from ares7.runs import Run
from ares7.tearsheet_data import REMEDY, read_curves
from ares7.tearsheet_document import Page, header, tried
from ares7.tearsheet_format import (
    ABSENT,
    Markup,
    chart,
    count,
    day,
    legend,
    pair,
    percent,
    ratio,
    section,
    table,
    text,
    usd_short,
)
from ares7.tearsheet_overlay_charts import WINDOW_COLOURS, colour, dots, dots_height, drift

Metrics = Mapping[str, Any]

SILENT = ("base", "blend_0")
"""Books that are the base."""
GROSS = "_gross"


def page(run: Run) -> Page:
    """Return the report of an ablation.

    Raises
    ------
    DataError
        A file of the run folder is missing or damaged.
    """
    found = run.metrics
    books = _books(run)
    strategy = str(found.get("strategy") or "strategy")
    dates, active = read_curves(run.folder / "active.csv", required=tuple(b["name"] for b in books[1:]))
    windows = usable(found)
    compared = [book for book in books if book["name"] not in SILENT]
    drawn = [book for book in compared if book["name"] != "dates"]
    net, net_arrays = drift(dates, _curves(drawn, active, ""), windows, "net")
    gross, gross_arrays = drift(dates, _curves(drawn, active, GROSS), windows, "gross")
    spans = {str(w["name"]): [of(book, w).get("sharpe_added") or {} for book in compared] for w in windows}
    lede = (
        f"{strategy} without overlays, with each of them alone and with their blend, {day(found.get('start'))} to "
        f"{day(found.get('end'))}, {count(found.get('sessions'))} sessions.{tried(run.provenance)}"
    )
    parts = [
        header(found, f"What overlays add to {strategy}", lede),
        headline(found),
        added_section([short(book) for book in compared], windows, found),
        _growth(drawn),
        *(_table(books, window) for window in reversed(windows)),
        _likeness(found, windows),
        tearsheet_tables.findings(found),
        tearsheet_tables.not_modelled(),
        tearsheet_tables.provenance(run.provenance),
    ]
    figures = {"net": net, "gross": gross}
    if windows:
        figures["added"] = dots([short(book) for book in compared], spans)
    return Page(
        title=f"What overlays add to {strategy}, {found.get('start')} to {found.get('end')}",
        made=str(run.provenance.get("stamp", "")),
        body="".join(parts),
        figures=figures,
        series=net_arrays | gross_arrays,
    )


def _books(run: Run) -> list[Metrics]:
    books = [b for b in run.metrics.get("books") or [] if isinstance(b, Mapping) and b.get("name")]
    if len(books) < 2:
        raise DataError(f"run folder {run.folder}: metrics.json holds no books to compare; {REMEDY}")
    return books


def usable(found: Metrics) -> list[Metrics]:
    """Windows that have figures."""
    return [w for w in found.get("windows") or [] if isinstance(w, Mapping) and w.get("usable")]


def of(book: Metrics, window: Metrics) -> Metrics:
    """Figures of a book in a window."""
    return tearsheet_tables.part(tearsheet_tables.part(book, "windows"), str(window.get("name")))


def short(book: Metrics) -> str:
    """Name of a book on an axis."""
    name = str(book["name"])
    return {"dates": "dates only"}.get(name, name.replace("blend_", "blend, λ "))


def _curves(books: Sequence[Metrics], active: Mapping[str, Float1D], suffix: str) -> dict[str, Float1D]:
    return {short(b): active[b["name"] + suffix] for b in books if b["name"] + suffix in active}


def headline(found: Metrics) -> Markup:
    """Verdicts in plain sentences, the last one, of the blend or the choice, first."""
    told = [str(line) for line in found.get("verdicts") or []]
    if not told:
        return Markup("")
    *others, first = told
    rest = "".join(f"<p>{text(_sentence(line))}</p>" for line in others)
    return Markup(f'<section class="verdict"><p class="answer">{text(_sentence(first))}</p>{rest}</section>')


def _sentence(words: str) -> str:
    """With a true minus sign and a full stop."""
    return f"{words[:1].upper()}{words[1:]}.".replace(" -", " −").replace("[-", "[−")


def added_section(names: Sequence[str], windows: Sequence[Metrics], found: Metrics) -> Markup:
    """Place of the chart of what each book adds; empty without a window."""
    if not windows:
        return Markup("")
    key = legend((_period(w), WINDOW_COLOURS.get(str(w["name"]), "baseline"), "line") for w in windows)
    described = (
        "Net Sharpe ratio that each book adds to the one without overlays, with its interval, by window"
    )
    note = (
        f"Dots are net of costs; whiskers are {percent(found.get('level'), 0)} intervals of a paired stationary "
        "bootstrap: both books over the same resampled sessions. A whisker across 0: nothing can be told."
    )
    place = chart("added", described, height=dots_height(len(names), len(windows)))
    return section("Net Sharpe ratio added", key, place, note=note)


def _period(window: Metrics) -> str:
    cut = ", cut by the data" if window.get("cut_short") else ""
    return f"{window.get('name')} ({day(window.get('start'))} to {day(window.get('end'))}{cut})"


def _growth(drawn: Sequence[Metrics]) -> Markup:
    key = legend((short(book), colour(k), "line") for k, book in enumerate(drawn))
    halves = [
        section(
            f"Cumulative active return, {name}",
            key,
            chart(name, f"Sum of daily active returns of each overlay, {name}", "high"),
            note=note,
        )
        for name, note in (
            ("net", "Daily returns less those of the book without overlays, summed, after costs."),
            ("gross", "The same trades with each session's fees put back."),
        )
    ]
    return pair(*halves) if drawn else Markup("")


def interval(span: Metrics, show: Any = ratio) -> Markup:
    """Estimate with its interval below."""
    if not isinstance(span.get("estimate"), int | float):
        return text(ABSENT)
    return below(show(span["estimate"]), f"{show(span.get('low'))} to {show(span.get('high'))}")


def below(upper: object, lower: object) -> Markup:
    """Two figures in one cell."""
    return Markup(f"{text(upper)}<br><small>{text(lower)}</small>")


def _table(books: Sequence[Metrics], window: Metrics) -> Markup:
    head = [
        "",
        "Sharpe",
        "added, net",
        "added, gross",
        "return added a year",
        "costs added",
        "turnover",
        "tracking error",
        "drawdown",
        "capacity",
    ]
    rows = [_row(book, of(book, window)) for book in books]
    note = f"{_period(window)}. Small: interval, turnover added, capacity of the trades in stocks."
    return section(str(window["name"]).capitalize(), table(head, rows), note=note)


def _row(book: Metrics, figures: Metrics) -> list[object]:
    get = figures.get
    return [
        str(book.get("label")),
        ratio(get("sharpe")),
        interval(tearsheet_tables.part(figures, "sharpe_added")),
        ratio(get("gross_sharpe_added")),
        interval(tearsheet_tables.part(figures, "return_added"), lambda v: percent(v, 2)),
        percent(get("costs_added"), 2),
        below(ratio(get("turnover")), ratio(get("turnover_added"))),
        percent(get("tracking_error"), 2),
        percent(get("max_drawdown")),
        below(usd_short(get("capacity_usd")), usd_short(get("stock_capacity_usd"))),
    ]


def _likeness(found: Metrics, windows: Sequence[Metrics]) -> Markup:
    alike = tearsheet_tables.part(found, "likeness")
    names = [str(w["name"]) for w in windows]
    rows = [
        [name, *(ratio(by.get(w)) for w in names)] for name, by in alike.items() if isinstance(by, Mapping)
    ]
    note = "Mean correlation across names, at overlay dates, of the wavelet's tilts with those of plain trend engines."
    return section("How new the wavelet is", table(["", *names], rows), note=note) if rows else Markup("")
