"""What the run folder of ``overlay optimize`` says: candidates by window, every blend, how much of it is luck."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ares7.arrays import Float1D, Float2D
from ares7.config import Config
from ares7.metrics import SESSIONS_PER_YEAR, max_drawdown, performance, returns_from_nav
from ares7.overfit import deflation, moments
from ares7.overlay.ablation import added
from ares7.overlay.params import OverlayParams
from ares7.search_files import SearchResult
from ares7.search_statistics import luck
from ares7.trials import Family, TrialLedger
from feeds.grid_study import chosen_yaml_of, provenance
from feeds.overlay_optimize_study import CHOSE, Optimised
from feeds.overlay_report import common, sentence, spans_of, window_notes
from feeds.overlay_study import Window, blend_label
from feeds.searching import Search
from feeds.trial_record import ledger_path

LABELS = {
    "base": "no overlay",
    "configured": "configured weights",
    "equal": "equal weights",
    "tangency": "tangency weights",
    "grid": "best of the grid",
}


def optimize_result(
    config: Config, search: Search, windows: Mapping[str, Window], done: Optimised, family: Family
) -> SearchResult:
    """Return everything that an optimisation of overlays leaves behind."""
    books = {name: done.books[name] for name in LABELS if name in done.books}
    statistics = luck(
        done.grid.nav,
        search.bench.baseline_nav,
        done.best,
        family,
        bootstrap=config.search.bootstrap,
        blocks=config.search.pbo_blocks,
        risk_free=config.metrics.risk_free,
    )
    candidates = _candidates(config, books, done, windows)
    level = config.search.bootstrap.level
    metrics = common(config, search, dict(windows)) | {
        "kind": "overlay optimize",
        "overlays": list(done.names),
        "lambda": done.overlays["configured"].lam,
        "candidates": candidates,
        "tangency": {"raw": _weights(done.names, done.raw.weights), "note": _tangency_note(done)},
        "grid": {
            "points": len(done.weights),
            "best": done.best,
            "confirmed": done.confirmed,
            "told": _told(done, candidates),
        },
        "contaminated": [*CHOSE, "whole"],
        "performance": performance(search.dates, done.books["grid"], config.metrics.risk_free),
        "base_performance": performance(search.dates, done.books["base"], config.metrics.risk_free),
        "statistics": statistics | {"increment": _increment(done, statistics["trials"])},
        "verdicts": [
            sentence(_named(line), "test", line["windows"]["test"]["sharpe_added"], level)
            for line in candidates
            if line["name"] != "base"
        ],
        "notes": _notes(search, windows, done),
    }
    return SearchResult(
        kind="overlay optimize",
        config_yaml=config.to_yaml(),
        digest=search.digest[:8],
        strategy=search.points.chosen.name,
        provenance=provenance(search) | {"trials": statistics["trials"]},
        metrics=metrics,
        tables={
            "optimize": _points(done, windows),
            "candidates": _candidate_rows(candidates),
            "active": _active(search, books),
        },
        chosen_yaml=_proposal(config, search, done) if done.confirmed else None,
    )


def _proposal(config: Config, search: Search, done: Optimised) -> str:
    """Configuration that runs the best point as it was run here."""
    # Alone it might need fewer rows of warm-up, and start earlier.
    period = config.period.model_copy(update={"start": search.dates[0].item()})
    settings = search.points.chosen.settings.model_copy(update={"overlay": done.overlays["grid"]})
    return chosen_yaml_of(config.model_copy(update={"period": period}), settings)


def _named(line: Mapping[str, Any]) -> str:
    return f"{line['label']} ({line['weights_text']})"


def _weights(names: tuple[str, ...], weights: Float1D) -> dict[str, float]:
    return dict(zip(names, weights.tolist(), strict=True))


def _blend(name: str, overlay: OverlayParams, names: tuple[str, ...]) -> dict[str, Any]:
    if name == "base":
        return {"label": LABELS[name], "weights": {}, "weights_text": ""}
    shown = overlay.model_copy(update={"engines": names})
    weights = {each: getattr(overlay.weights, each) for each in names}
    return {"label": LABELS[name], "weights": weights, "weights_text": blend_label(shown)}


def _candidates(
    config: Config, books: Mapping[str, Float1D], done: Optimised, windows: Mapping[str, Window]
) -> list[dict[str, Any]]:
    """Each candidate with its figures in every window, the base first."""
    returns = np.array([returns_from_nav(nav) for nav in books.values()])
    free, draws = config.metrics.risk_free, config.search.bootstrap
    more = {n: added(returns[0][w.rows], returns[:, w.rows], draws, free) for n, w in windows.items()}
    return [
        {
            "name": name,
            **_blend(name, done.overlays[name], done.names),
            "windows": {
                window.name: {
                    **spans_of(more[window.name][k]),
                    "max_drawdown": max_drawdown(nav[window.rows.start : window.rows.stop + 1]),
                }
                for window in windows.values()
            },
        }
        for k, (name, nav) in enumerate(books.items())
    ]


def _increment(done: Optimised, counts: Mapping[str, int]) -> dict[str, float] | None:
    """Deflated Sharpe ratio of what the best point adds to the base, over the whole run."""
    base = returns_from_nav(done.books["base"])
    active: Float2D = np.array([returns_from_nav(nav) - base for nav in done.grid.nav])
    every = moments(active)
    own = every.of(done.best)
    if not own.sd > 0:
        return None
    held = deflation(own, every.sharpe, counts)
    year = float(np.sqrt(SESSIONS_PER_YEAR))
    return {
        "sharpe": float(own.sharpe) * year,
        **{name: held[name] for name in ("psr", "dsr", "dsr_effective")},
        "threshold": held["threshold"] * year,
    }


def _tangency_note(done: Optimised) -> str:
    if done.raw.why_not:
        return f"no tangency weights: {done.raw.why_not}"
    below = ", ".join(n for n, w in zip(done.names, done.raw.weights, strict=True) if w < 0)
    return f"negative tangency weights ({below}) are held as 0 and the rest rescaled to 1" if below else ""


def _told(done: Optimised, candidates: list[dict[str, Any]]) -> str:
    """Say which point leads on train, how it stands beside no overlay, and what follows."""
    lines = {line["name"]: line for line in candidates}
    beside = "; ".join(
        f"on {window} {own:.3f}, without overlays {base:.3f}"
        for window in CHOSE
        for own, base in [
            (lines[name]["windows"][window]["interval"]["estimate"] for name in ("grid", "base")),
        ]
    )
    follows = "it is proposed" if done.confirmed else "no overlay is proposed"
    return f"{lines['grid']['weights_text']} is the best blend by its train Sharpe ratio: {beside}; {follows}"


def _notes(search: Search, windows: Mapping[str, Window], done: Optimised) -> list[str]:
    lines = window_notes(dict(windows))
    lines += [note for note in [_tangency_note(done)] if note]
    test = windows["test"]
    with TrialLedger(ledger_path(search.config)) as ledger:
        runs = {t.run for t in ledger.touched(search.data_set) if t.start <= test.end and test.start <= t.end}
    if runs:
        lines.append(
            f"test is selection-contaminated: {len(runs)} earlier searches chose by sessions inside it "
            f"({', '.join(sorted(runs)[:3])})"
        )
    lines.append("train and validation are selection-contaminated: the weights were chosen there")
    return lines


def _points(done: Optimised, windows: Mapping[str, Window]) -> dict[str, list[Any]]:
    """``optimize.csv``: every point of the grid."""
    out: dict[str, list[Any]] = {"point": list(range(len(done.weights)))}
    for k, name in enumerate(done.names):
        out[name] = done.weights[:, k].tolist()
    for k, window in enumerate(windows):
        out[f"{window}_sharpe"] = done.point_sharpe[:, k].tolist()
    out["turnover"] = done.grid.turnover.tolist()
    out["fees_usd"] = done.grid.fees.tolist()
    return out


def _candidate_rows(candidates: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """``candidates.csv``: one row for each candidate and window."""
    rows = [
        {
            "candidate": line["name"],
            "weights": line["weights_text"],
            "window": window,
            **{
                f"{key}{suffix}": figures[span][edge]
                for key, span in (
                    ("sharpe", "interval"),
                    ("sharpe_added", "sharpe_added"),
                    ("return_added",) * 2,
                )
                for suffix, edge in (("", "estimate"), ("_low", "low"), ("_high", "high"))
            },
            "max_drawdown": figures["max_drawdown"],
        }
        for line in candidates
        for window, figures in line["windows"].items()
    ]
    return {key: [row[key] for row in rows] for key in rows[0]}


def _active(search: Search, books: Mapping[str, Float1D]) -> dict[str, list[Any]]:
    """``active.csv``: daily net returns of each candidate less the base's."""
    base = returns_from_nav(books["base"])
    return {
        "date": search.dates[1:].astype(str).tolist(),
        **{n: (returns_from_nav(nav) - base).tolist() for n, nav in books.items() if n != "base"},
    }
