"""``overlay ablation``: what each overlay adds to a strategy, net of costs, with intervals."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ares7.activity import by_session
from ares7.arrays import Dates
from ares7.batch import Market, run_plans
from ares7.book import Plan, assemble, delayed
from ares7.bootstrap import MIN_SESSIONS
from ares7.config import Config, DataConfig
from ares7.grid import Grid
from ares7.overlay.ablation import Traded
from ares7.overlay.params import Engine, EngineWeights, OverlayParams
from ares7.participation import session_rows, volume_shares
from ares7.progress import stage
from ares7.search_config import OverlayStudyConfig
from ares7.search_files import SearchResult
from ares7.selection import UNCONSTRAINED, SelectionConfig
from ares7.simulate import simulate
from feeds.engines import Chosen
from feeds.searching import Search, prepare, record_points

USUAL: tuple[Engine, ...] = ("wavelet", "pead")
"""The overlays of a study whose configuration names none."""
BASE, DATES_ONLY, BLEND = "base", "dates", "blend"
LAMBDAS = (0.0, 0.5, 1.0)


_UNKNOWN = (np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0), np.zeros(0, dtype=bool))
"""Fills with a known volume, where there is none."""


@dataclass(frozen=True, slots=True)
class Window:
    """Rows of returns of one window.

    Attributes
    ----------
    name : str
    rows : slice
        Of returns; empty where the data do not reach the window.
    start, end : datetime64[D]
        As configured; those of the run for the whole period.
    first, last : str or None
        Sessions of the first and last return.
    cut : bool
        The data do not cover it.
    """

    name: str
    rows: slice
    start: np.datetime64
    end: np.datetime64
    first: str | None
    last: str | None
    cut: bool

    @property
    def sessions(self) -> int:
        """Returns in the window."""
        return int(self.rows.stop - self.rows.start)

    @property
    def usable(self) -> bool:
        """Enough returns for an interval."""
        return self.sessions >= MIN_SESSIONS


def windows_of(study: OverlayStudyConfig, dates: Dates) -> dict[str, Window]:
    """Cut the configured windows to the run, and add ``whole``, all of it.

    Parameters
    ----------
    study : OverlayStudyConfig
    dates : (S,) datetime64[D]
        Sessions of the NAV.
    """
    earned = dates[1:]
    edges = {n: (np.datetime64(w.start, "D"), np.datetime64(w.end, "D")) for n, w in study.windows.items()}
    out = {}
    for name, (start, end) in {**edges, "whole": (dates[0], dates[-1])}.items():
        rows = slice(int(np.searchsorted(earned, start)), int(np.searchsorted(earned, end, side="right")))
        inside = earned[rows].astype(str).tolist()
        first, last = (inside[0], inside[-1]) if inside else (None, None)
        out[name] = Window(name, rows, start, end, first, last, bool(start < dates[0] or end > dates[-1]))
    return out


def with_overlays(config: Config) -> Config:
    """Return the configuration of a study: the usual overlays where it names none."""
    if config.strategy.overlays:
        return config
    return config.model_copy(update={"strategy": config.strategy.model_copy(update={"overlays": USUAL})})


def has_buybacks(config: DataConfig) -> bool:
    """Whether a data folder has announced buybacks."""
    from feeds.buybacks import find_buybacks
    from feeds.load import local_path

    if config.path is None or config.layout != "canonical":
        return False
    return find_buybacks(local_path(config)) is not None


@dataclass(frozen=True, slots=True)
class Book:
    """One book of a study: how it is called, its overlays (None: the blend's dates without its tilts), what it did."""

    name: str
    label: str
    overlay: OverlayParams | None
    done: Traded


def prepared(config: Config, chosen: Chosen, baseline: Chosen, overlays: list[OverlayParams]) -> Search:
    """Load what the hungriest of some overlays reads, and validate each; nothing is run nor recorded yet.

    Raises
    ------
    ConfigError, DataError
        As for a backtest of any of them.
    """
    grid = Grid("overlays", {"overlay": tuple(dict.fromkeys(overlays))})
    plain = Chosen(
        chosen.name, chosen.strategy, chosen.settings.model_copy(update={"overlay": OverlayParams()})
    )
    # The study has windows of its own.
    free = config.model_copy(update={"oos": ()})
    return prepare(free, plain, baseline, grid, SelectionConfig(constraints=UNCONSTRAINED))


def plan_with(search: Search, overlay: OverlayParams) -> Plan:
    """Return the strategy's plan with these overlays."""
    settings = search.points.chosen.settings.model_copy(update={"overlay": overlay})
    return search.bench.plan(search.bench.market.panel, settings, search.bench.memo)


def traded(market: Market, plan: Plan) -> Traded:
    """Run a plan by the compiled engine and keep what it traded."""
    targets = delayed(assemble(market.panel, plan), market.account.exec_lag - 1, market.panel.start_row)
    run = simulate(market.bars, targets, account=market.account, costs=market.costs)
    if run.ledger is None:
        flat = np.zeros(len(run.nav))
        return Traded(run.nav, flat, flat, *_UNKNOWN)
    fills = run.ledger.fills
    fees, notional = (by_session(fills, each, run.dates) for each in (fills.fee, fills.notional))
    measured = volume_shares(market.panel, fills, run.ledger.orders)
    if measured is None:
        return Traded(run.nav, fees, notional, *_UNKNOWN)
    row = session_rows(run.dates, fills.date[measured.fill])
    stock = market.panel.is_stock[fills.symbol[measured.fill]]
    return Traded(run.nav, fees, notional, row, measured.share, fills.notional[measured.fill], stock)


def blend_label(overlay: OverlayParams) -> str:
    """Weights of a blend in words, for example ``54/46 wavelet/pead``."""
    weights = [f"{100 * getattr(overlay.weights, name):.4g}" for name in overlay.engines]
    return f"{'/'.join(weights)} {'/'.join(overlay.engines)}"


def overlays_of(config: Config, blend: OverlayParams) -> dict[str, tuple[str, OverlayParams]]:
    """Every book of an ablation that overlays make: label and overlays by name, the base first."""
    study = config.search.overlay_study
    alone = dict.fromkeys((*study.engines, *blend.engines))
    if has_buybacks(config.data):
        alone["buyback"] = None
    out = {BASE: ("no overlay", OverlayParams())}
    for name in alone:
        weights = EngineWeights.model_validate({**blend.weights.model_dump(), name: 1.0})
        out[name] = (
            f"{name} alone",
            blend.model_copy(update={"engines": (name,), "lam": 1.0, "weights": weights}),
        )
    for lam in LAMBDAS:
        out[f"{BLEND}_{lam:g}"] = (
            f"{blend_label(blend)}, lambda {lam:g}",
            blend.model_copy(update={"lam": lam}),
        )
    return out


def ablation_study(config: Config, chosen: Chosen, baseline: Chosen, *, created: dt.datetime) -> SearchResult:
    """Run a strategy without overlays, with each of them, and with their blend; compare them.

    Parameters
    ----------
    config : Config
        With overlays (`with_overlays`).
    chosen : Chosen
        With them too.
    created : datetime
        Recorded with every trial.

    Raises
    ------
    ConfigError, DataError
        Before anything is run.
    """
    # Imported here: the report reads books of this module.
    from feeds.overlay_report import ablation_result

    blend: OverlayParams = chosen.settings.overlay  # type: ignore[attr-defined]
    wanted = overlays_of(config, blend)
    search = prepared(config, chosen, baseline, [overlay for _, overlay in wanted.values()])
    stage("running every overlay")
    books = run_books(search, wanted)
    settings = [search.points.settings(row) for row in range(len(search.points.hashes))]
    curves = run_plans(search.bench.market, [plan_with(search, s.overlay) for s in settings])  # type: ignore[attr-defined]
    run = f"overlay-ablation-{chosen.name}-{search.digest[:8]}"
    record_points(search, settings, curves, run=run, purpose="backtest", created=created)
    stage("statistics")
    return ablation_result(config, search, books)


def run_books(search: Search, wanted: Mapping[str, tuple[str, OverlayParams]]) -> list[Book]:
    """Run each book, and after the base the blend's decision days without its tilts."""
    market = search.bench.market
    books = [
        Book(name, label, overlay, traded(market, plan_with(search, overlay)))
        for name, (label, overlay) in wanted.items()
    ]
    full = replace(plan_with(search, wanted[f"{BLEND}_1"][1]), tilt=None)
    books.insert(1, Book(DATES_ONLY, "overlay dates, no tilt", None, traded(market, full)))
    return books
