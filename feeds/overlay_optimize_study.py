"""``overlay optimize``: weights of the overlays chosen on train and validation, judged on test."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ares7.arrays import Float1D, Float2D
from ares7.batch import Curves, run_plans
from ares7.bootstrap import MIN_SESSIONS
from ares7.config import Config
from ares7.errors import ConfigError
from ares7.metrics import returns_from_nav, sharpe
from ares7.overlay.ablation import Tangency, blends, tangency
from ares7.overlay.params import EngineWeights, OverlayParams
from ares7.progress import stage
from ares7.search_files import SearchResult
from ares7.trials import Family, TrialLedger
from feeds.engines import Chosen
from feeds.overlay_study import Window, plan_with, prepared, windows_of
from feeds.searching import Search, record_points
from feeds.trial_record import ledger_path

CHOSE = ("train", "validation")
"""Windows that the choice looks at."""
DIGITS = 6
"""Decimals of a weight."""


@dataclass(frozen=True, slots=True)
class Optimised:
    """Everything that was run for a choice.

    Attributes
    ----------
    names : tuple of P str
        The overlays that are blended.
    weights : (M, P)
        Of the points of the grid.
    point_sharpe : (M, W) annual
        Net Sharpe ratio of each point in each window; NaN in one that the data do not reach.
    best : int
        The point with the highest train Sharpe ratio.
    confirmed : bool
        It is above the base on train and on validation.
    raw : Tangency
        As computed, of any sign.
    books : mapping of name to (S,) USD
        ``base``, ``configured``, ``equal``, ``grid`` (the best point), ``tangency`` where it can be held.
    overlays : mapping of name to OverlayParams
        Of these books.
    grid : Curves
        Of the points.
    """

    names: tuple[str, ...]
    weights: Float2D
    point_sharpe: Float2D
    best: int
    confirmed: bool
    raw: Tangency
    books: Mapping[str, Float1D]
    overlays: Mapping[str, OverlayParams]
    grid: Curves


def overlay_optimize_study(
    config: Config, chosen: Chosen, baseline: Chosen, *, created: dt.datetime
) -> SearchResult:
    """Run every blend of the acting overlays, choose by the train and validation windows, judge on test.

    Parameters
    ----------
    config : Config
        With overlays (`feeds.overlay_study.with_overlays`).
    chosen : Chosen
        With them too.
    created : datetime
        Recorded with every trial.

    Raises
    ------
    ConfigError, DataError
        Fewer than two overlays act, a window has too few sessions, or as for a backtest; nothing is recorded.
    """
    # Imported here: the report reads what this module makes.
    from feeds.overlay_optimize_report import optimize_result

    blend: OverlayParams = chosen.settings.overlay  # type: ignore[attr-defined]
    names = tuple(blend.acting)
    if len(names) < 2:
        raise ConfigError(
            f"overlay optimize needs two acting overlays; {_acting(blend)}; set strategy.overlays, for example "
            "[wavelet, pead], with overlay.weights and strategy.overlay_lambda above 0"
        )
    weights = blends(len(names))
    points = [with_weights(blend, names, row) for row in weights]
    books = {
        "base": OverlayParams(),
        "configured": blend,
        "equal": with_weights(blend, names, np.full(len(names), 1.0 / len(names))),
    }
    search = prepared(config, chosen, baseline, [*books.values(), *points])
    windows = windows_of(config.search.overlay_study, search.dates)
    _require(windows)
    stage(f"running {len(points)} blends")
    run = f"overlay-optimize-{chosen.name}-{search.digest[:8]}"
    curves = _run(search, [*books.values(), *points], run, created)
    head = len(books)
    grid = Curves(*(getattr(curves, name)[head:] for name in Curves.__slots__))
    navs = dict(zip(books, curves.nav, strict=False))
    ratios = _window_sharpe(grid.nav, windows, config.metrics.risk_free)
    best = int(np.nanargmax(ratios[:, 0]))
    books["grid"], navs["grid"] = points[best], grid.nav[best]
    raw = tangency(_streams(grid.nav, navs["base"], weights, windows))
    if not raw.why_not:
        held = np.maximum(raw.weights, 0.0)
        held /= held.sum()
        books["tangency"] = with_weights(blend, names, held)
        navs["tangency"] = _run(search, [books["tangency"]], run, created).nav[0]
    plain = _window_sharpe(navs["base"][None], windows, config.metrics.risk_free)[0]
    above = bool((ratios[best] > plain)[: len(CHOSE)].all())
    done = Optimised(names, weights, ratios, best, above, raw, navs, books, grid)
    family = _touched(search, windows, run, created)
    stage("statistics")
    return optimize_result(config, search, windows, done, family)


def _acting(blend: OverlayParams) -> str:
    if blend.lam == 0:
        return "lambda is 0, so none acts"
    return f"only {blend.acting[0]} acts" if blend.acting else "none acts"


def with_weights(blend: OverlayParams, names: tuple[str, ...], weights: Float1D) -> OverlayParams:
    """Return a blend with other weights."""
    chosen = {name: round(float(w), DIGITS) for name, w in zip(names, weights, strict=True)}
    return blend.model_copy(
        update={"weights": EngineWeights.model_validate({**blend.weights.model_dump(), **chosen})}
    )


def _require(windows: Mapping[str, Window]) -> None:
    for name, window in windows.items():
        if not window.usable:
            raise ConfigError(
                f"search.overlay_study.{name} ({window.start} to {window.end}) has {window.sessions} returns in the "
                f"run, fewer than {MIN_SESSIONS}; choosing and judging need all three windows; move them or the period"
            )


def _run(search: Search, overlays: list[OverlayParams], run: str, created: dt.datetime) -> Curves:
    """Run books and count each as a trial; what stands there twice is one trial."""
    curves = run_plans(search.bench.market, [plan_with(search, overlay) for overlay in overlays])
    own = search.points.chosen.settings
    settings = [own.model_copy(update={"overlay": overlay}) for overlay in overlays]
    record_points(search, settings, curves, run=run, purpose="optimize", created=created)
    return curves


def _window_sharpe(nav: Float2D, windows: Mapping[str, Window], risk_free: float) -> Float2D:
    """(P, W) annual net Sharpe ratios."""
    returns = [returns_from_nav(row) for row in nav]
    return np.array([[sharpe(r[window.rows], risk_free) for window in windows.values()] for r in returns])


def _streams(nav: Float2D, base: Float1D, weights: Float2D, windows: Mapping[str, Window]) -> Float2D:
    """(P, R) net active returns of each overlay alone at weight 1, over train and validation."""
    alone = [int(np.flatnonzero(weights[:, k] == 1.0)[0]) for k in range(weights.shape[1])]
    active = np.array([returns_from_nav(nav[row]) - returns_from_nav(base) for row in alone])
    return np.concatenate([active[:, windows[name].rows] for name in CHOSE], axis=1)


def _touched(search: Search, windows: Mapping[str, Window], run: str, created: dt.datetime) -> Family:
    """Mark the windows that the choice has looked at; return everything that was ever tried on this market."""
    with TrialLedger(ledger_path(search.config)) as ledger:
        for name in CHOSE:
            window = windows[name]
            reason = f"overlay optimize chose weights on {name}"
            ledger.touch(name, window.start, window.end, search.data_set, run, reason, created=created)
        return ledger.family(search.data_set)
