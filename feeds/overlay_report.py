"""What the run folder of ``overlay ablation`` says: figures by book and window, likeness of tilts, plain sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ares7.bootstrap import Interval
from ares7.config import Config
from ares7.metrics import performance
from ares7.overlay.ablation import Added, added, figures_of, likeness
from ares7.overlay.engines import engine
from ares7.search_files import SearchResult
from ares7.trial_clusters import trial_counts
from ares7.trials import TrialLedger
from feeds.grid_study import provenance
from feeds.overlay_study import BASE, BLEND, DATES_ONLY, Book, Window, windows_of
from feeds.searching import Search
from feeds.study import data_warnings, stamps
from feeds.trial_record import ledger_path

COMPARED = ("momentum", "macd")
"""Plain trend engines that the wavelet is held against."""


def ablation_result(config: Config, search: Search, books: Sequence[Book]) -> SearchResult:
    """Return everything that an ablation leaves behind; ``books`` begin with the base."""
    windows = windows_of(config.search.overlay_study, search.dates)
    found = {name: _figures(config, books, window) for name, window in windows.items()}
    with TrialLedger(ledger_path(config)) as ledger:
        trials = trial_counts(ledger.family(search.data_set))
    full = next(book for book in books if book.name == f"{BLEND}_1")
    free = config.metrics.risk_free
    metrics = common(config, search, windows) | {
        "kind": "overlay ablation",
        "blend": {"label": full.label, "overlays": list(full.overlay.engines) if full.overlay else []},
        "books": [
            {
                "name": book.name,
                "label": book.label,
                "windows": {name: figures[book.name] for name, figures in found.items() if figures},
            }
            for book in books
        ],
        "likeness": _likeness(search, books, windows),
        "performance": performance(search.dates, full.done.nav, free),
        "base_performance": performance(search.dates, books[0].done.nav, free),
        "verdicts": verdicts(books, found, windows, config.search.bootstrap.level),
        "trials": trials,
        "notes": [*window_notes(windows), *_notes(config, books)],
    }
    return SearchResult(
        kind="overlay ablation",
        config_yaml=config.to_yaml(),
        digest=search.digest[:8],
        strategy=search.points.chosen.name,
        provenance=provenance(search) | {"trials": trials},
        metrics=metrics,
        tables={
            "ablation": _rows(metrics["books"], windows),
            "active": _active(search, books),
            "equity": {
                "date": search.dates.astype(str).tolist(),
                **{book.name: book.done.nav.tolist() for book in books},
            },
        },
    )


def common(config: Config, search: Search, windows: dict[str, Window]) -> dict[str, Any]:
    """Return the part of metrics.json that both studies of overlays have."""
    panel = search.bench.market.panel
    return {
        "strategy": search.points.chosen.name,
        "baseline": config.baseline,
        "synthetic": bool(panel.provenance.get("synthetic")),
        "stamps": stamps(config, panel),
        "start": str(search.dates[0]),
        "end": str(search.dates[-1]),
        "sessions": len(search.dates),
        "level": config.search.bootstrap.level,
        "windows": [
            {
                "name": window.name,
                "start": window.first,
                "end": window.last,
                "sessions": window.sessions,
                "cut_short": window.cut,
                "usable": window.usable,
            }
            for window in windows.values()
        ],
        "warnings": data_warnings(panel),
    }


def window_notes(windows: dict[str, Window]) -> list[str]:
    """One line for each window that the data do not cover."""
    lines = []
    for window in windows.values():
        if not window.usable:
            lines.append(
                f"{window.name} ({window.start} to {window.end}) has {window.sessions} returns in the run and is left "
                "out; move search.overlay_study or the period"
            )
        elif window.cut:
            lines.append(f"{window.name} is cut by the data to {window.first} to {window.last}")
    return lines


def _figures(config: Config, books: Sequence[Book], window: Window) -> dict[str, dict[str, Any]]:
    """Figures of each book in one window; none where the data do not reach it."""
    if not window.usable:
        return {}
    free, rows, base = config.metrics.risk_free, window.rows, books[0].done
    net = np.array([book.done.net[rows] for book in books])
    more = added(net[0], net, config.search.bootstrap, free)
    return {
        book.name: {**figures_of(book.done, base, rows, free), **spans_of(own)}
        for book, own in zip(books, more, strict=True)
    }


def spans_of(own: Added) -> dict[str, Any]:
    """Return the intervals of one comparison."""
    return {
        "interval": asdict(own.own),
        "sharpe_added": asdict(own.sharpe),
        "return_added": asdict(own.annual_return),
    }


def distinguishable(span: Interval) -> bool:
    """Whether 0 lies outside the interval."""
    return span.low > 0 or span.high < 0


def sentence(what: str, where: str, span: dict[str, float], level: float) -> str:
    """Say in words what was added, and whether it can be told from nothing."""
    told = Interval(span["estimate"], span["low"], span["high"])
    if told.estimate == told.low == told.high == 0.0:
        return f"on {where} {what} changes nothing"
    if not np.isfinite([told.estimate, told.low, told.high]).all():
        return f"on {where} what {what} adds is not defined"
    judged = "not distinguishable from 0"
    if distinguishable(told):
        judged = "distinguishable from 0: it " + ("helps" if told.low > 0 else "hurts")
    return (
        f"on {where} {what} adds {told.estimate:+.2f} [{told.low:+.2f}, {told.high:+.2f}] to the net Sharpe ratio "
        f"({level:.0%} interval): {judged}"
    )


def verdicts(
    books: Sequence[Book],
    found: dict[str, dict[str, dict[str, Any]]],
    windows: dict[str, Window],
    level: float,
) -> list[str]:
    """One line for each overlay alone and for the blend in full, on test, else on the whole run."""
    where = "test" if windows["test"].usable else "whole"
    if not found[where]:
        return ["the run is too short to judge anything"]
    place = "test" if where == "test" else "the whole run"
    judged = [
        b for b in books if b.name not in (BASE, DATES_ONLY) and b.overlay is not None and b.overlay.lam == 1
    ]
    return [sentence(book.label, place, found[where][book.name]["sharpe_added"], level) for book in judged]


def _likeness(
    search: Search, books: Sequence[Book], windows: dict[str, Window]
) -> dict[str, dict[str, float | None]]:
    """Mean correlation across names of the wavelet's tilts with those of plain trend engines, by window."""
    alone = {b.name: b.overlay for b in books if b.overlay is not None and b.overlay.engines == (b.name,)}
    if "wavelet" not in alone:
        return {}
    panel, memo = search.bench.market.panel, search.bench.memo
    own = memo(engine("wavelet"), panel, alone["wavelet"])
    days = panel.dates[own.rows]
    out: dict[str, dict[str, float | None]] = {}
    for name in COMPARED:
        if name not in alone:
            continue
        alike = likeness(own.values, memo(engine(name), panel, alone[name]).values)
        out[name] = {
            window.name: float(np.mean(part)) if len(part) else None
            for window in windows.values()
            for part in [_known(alike[(days >= window.start) & (days <= window.end)])]
        }
    return out


def _known(values: Any) -> Any:
    return values[np.isfinite(values)]


def _notes(config: Config, books: Sequence[Book]) -> list[str]:
    level = config.search.bootstrap.level
    lines = [
        f"{len(books) - 1} comparisons a window, each with an interval of its own: about {1 - level:.0%} of them "
        "exclude 0 by chance alone",
        "gross: the same trades with each session's fees put back",
        "capacity: the NAV at which 1 % of what is traded takes more than 5 % of its session's volume; of the whole "
        "book, and of its stocks, which are all that overlays trade",
        "the book of overlay dates without tilts is no strategy and is not counted as a trial",
    ]
    if not len(books[0].done.share):
        lines.append("the data have no volume: capacity is not known")
    return lines


FIGURES = (
    "sharpe",
    "gross_sharpe",
    "gross_sharpe_added",
    "gross_return_added",
    "costs_added",
    "turnover",
    "turnover_added",
    "tracking_error",
    "max_drawdown",
    "capacity_usd",
    "stock_capacity_usd",
)
SPANS = ("sharpe_added", "return_added")


def _rows(books: list[dict[str, Any]], windows: dict[str, Window]) -> dict[str, list[Any]]:
    """``ablation.csv``: one row for each book and window."""
    rows = [
        {
            "book": book["name"],
            "label": book["label"],
            "window": name,
            "first": windows[name].first,
            "last": windows[name].last,
            "sessions": windows[name].sessions,
            **{key: figures[key] for key in FIGURES},
            **{
                f"{key}{suffix}": figures[key][edge]
                for key in SPANS
                for suffix, edge in (("", "estimate"), ("_low", "low"), ("_high", "high"))
            },
        }
        for book in books
        for name, figures in book["windows"].items()
    ]
    return {key: [row[key] for row in rows] for key in rows[0]} if rows else {}


def _active(search: Search, books: Sequence[Book]) -> dict[str, list[Any]]:
    """``active.csv``: daily returns less the base's, after and before costs."""
    base, out = books[0].done, {"date": search.dates[1:].astype(str).tolist()}
    for book in books[1:]:
        out[book.name] = (book.done.net - base.net).tolist()
        out[f"{book.name}_gross"] = (book.done.gross - base.gross).tolist()
    return out
