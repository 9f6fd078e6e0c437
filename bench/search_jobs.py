"""What a search is measured on: markets, grids and the plans of their points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares7.batch import Curves, Market, market, run_plans
from ares7.batch_figures import EquityFigures, equity_figures, joined
from ares7.book import Plan, Sleeve, assemble, decision_mask, regime_labels
from ares7.config import AccountConfig, DataConfig, SyntheticConfig
from ares7.grid import settings_at
from ares7.panel import Panel
from ares7.params import RegimeParams
from ares7.search import Bench, Block, block_points, evaluate, run_search
from ares7.stages import Remembered
from bench.job import CASH, GROSS, SESSIONS, Job, frames
from bench.own_engines import ACCOUNT, costs, panel_from
from feeds.load import load_panel
from strategies.regime_ensemble import Params, RegimeEnsemble, mixes

YEAR = 252
TRAIN_YEARS, WINDOWS = 3, 7
SAMPLED = 36
"""Every 36th point of a grid is compared with another engine."""


def settings(grid: str) -> list[Params]:
    """Return the validated parameters of every point of one of the ensemble's grids."""
    points, base = RegimeEnsemble.grids[grid], Params().model_dump()
    found: list[Any] = [settings_at(points, i, Params, base, "regime_ensemble") for i in range(len(points))]
    return found


def synthetic_panel(symbols: int) -> Panel:
    """The project's synthetic market, 2,520 sessions after the warm-up: fundamentals, funds, late listings, exits."""
    own = Params()
    full = load_panel(DataConfig(synthetic=SyntheticConfig(symbols=symbols)), own.requires)
    panel = full.last(SESSIONS + own.warmup).columns(range(full.shape[1]))
    return panel.starting(panel.dates[own.warmup])


def synthetic_market(panel: Panel) -> Market:
    """That market with a default account."""
    return market(panel, account=AccountConfig(cash=CASH), costs=costs())


def plans_of(panel: Panel, points: Sequence[Params]) -> list[Plan]:
    """Plans of a grid's points, which share their stages."""
    memo = Remembered()
    return [RegimeEnsemble.plan(panel, params, memo) for params in points]


def monthly(job: Job) -> tuple[Market, list[Plan]]:
    """The job's own market, and 729 regime mixes of three sleeves that are decided at month ends only.

    The sleeves are the job's targets, the 30 % with the lowest 63-day volatility weighted by its inverse, and the
    equally weighted fifth with the lowest close; what counts is that there are three of them.
    """
    panel = panel_from(job, frames(job))
    close, names = job.bars["close"], len(job.symbols)
    calm, cheap = np.zeros((len(job.rows), names)), np.zeros((len(job.rows), names))
    for i, t in enumerate(job.rows):
        window = close[max(0, t - 63) : t + 1]
        risk = np.std(window[1:] / window[:-1], axis=0)
        lowest = np.argsort(risk, kind="stable")[: names * 3 // 10]
        calm[i, lowest] = 1.0 / risk[lowest] / np.sum(1.0 / risk[lowest])
        cheap[i, np.argsort(close[t], kind="stable")[: names // 5]] = 1.0 / (names // 5)
    parts = (job.targets / GROSS, calm, cheap)
    decide = np.zeros(len(job.dates), dtype=bool)
    decide[job.rows] = True
    held = regime_labels(panel, **RegimeParams().model_dump()).held[decide]
    sleeves = {
        name: Sleeve(job.rows, part)
        for name, part in zip(("quality_momentum", "low_volatility", "defensive"), parts, strict=True)
    }
    plans = [Plan(sleeves, mixes(held, point), GROSS, decide) for point in settings("weights729")]
    return market(panel, account=ACCOUNT, costs=costs()), plans


def large(sessions: int, names: int, points: int, seed: int = 5) -> tuple[Market, list[Plan]]:
    """A market of opens and closes only, made in place, and month-end mixes of three sleeves of it."""
    rng = np.random.default_rng(seed)
    close, opening = np.empty((sessions, names)), np.empty((sessions, names))
    price = rng.uniform(20.0, 200.0, names)
    for t in range(sessions):
        opening[t] = np.maximum(np.round(price * np.exp(0.004 * rng.standard_normal(names)), 2), 0.05)
        price *= np.exp(0.0003 + 0.012 * rng.standard_normal(names))
        close[t] = np.maximum(np.round(price, 2), 0.05)
    ends = np.zeros(sessions, dtype=bool)
    ends[20::21] = True
    panel = Panel(
        dates=np.datetime64("2001-01-01") + np.arange(sessions),
        symbols=tuple(f"S{i:04d}" for i in range(names)),
        fields={"open": opening, "high": close, "low": close, "close": close},
        series={},
        is_stock=np.ones(names, dtype=bool),
        member=np.ones((sessions, names), dtype=bool),
        month_end=ends,
        week_end=np.zeros(sessions, dtype=bool),
    )
    decide, rows = decision_mask(panel), np.flatnonzero(ends)
    sleeves = {}
    for k in range(3):
        weights = rng.random((len(rows), names)) * (rng.random((len(rows), names)) < 0.3)
        sleeves[f"sleeve{k}"] = Sleeve(rows, weights / weights.sum(axis=1, keepdims=True))
    count = int(decide.sum())
    plans = []
    for _ in range(points):
        share = rng.dirichlet(np.ones(3))
        mix = {name: np.full(count, share[k]) for k, name in enumerate(sleeves)}
        plans.append(Plan(sleeves, mix, GROSS, decide))
    return market(panel, account=ACCOUNT, costs=costs()), plans


@dataclass(frozen=True, slots=True)
class Found:
    """Curves of all points, and their figures where they were asked for."""

    nav: Any
    figures: EquityFigures | None


def run_grid(
    place: Market, plans: Sequence[Plan], threads: int, windows: Sequence[slice] | None = None
) -> Found:
    """From plans to curves, cut into blocks and spread over threads as a search does it, the pool's start included.

    With ``windows``, figures of the whole period and of each window too.
    """
    nav = np.empty((len(plans), len(place.tape.close)))
    figures: dict[int, EquityFigures] = {}

    def task(first: int, part: Sequence[Plan]) -> tuple[int, Curves]:
        curves = run_plans(place, part)
        nav[first : first + len(part)] = curves.nav
        if windows is not None:
            figures[first] = equity_figures(curves.nav, windows)
        return first, curves

    if threads == 1:
        task(0, plans)
    else:
        _spread(task, plans, place, threads, lambda block: None)
    return Found(nav, joined([figures[k] for k in sorted(figures)]) if figures else None)


def _spread(
    task: Callable[..., Any],
    points: Sequence[Any],
    place: Market,
    threads: int,
    keep: Callable[[Any], None],
) -> None:
    sessions, names = place.tape.close.shape
    size = block_points(sessions, names, len(points), threads)
    parts = ((first, points[first : first + size]) for first in range(0, len(points), size))
    with ThreadPoolExecutor(threads) as pool:
        run_search(task, parts, pool, in_flight=2 * threads, keep=keep)


def search_afresh(panel: Panel, points: Sequence[Params], threads: int, windows: Sequence[slice] = ()) -> Any:
    """From a ready panel to the curves and figures of a grid: market, signals, plans, runs; nothing remembered."""
    place = synthetic_market(panel)
    baseline = np.linspace(CASH, 2 * CASH, len(place.dates))
    bench = Bench(place, RegimeEnsemble.plan, tuple(windows), baseline, 0.0)
    nav = np.empty((len(points), len(place.dates)))

    def keep(block: Block) -> None:
        nav[block.first : block.first + len(block.curves.nav)] = block.curves.nav

    def task(first: int, part: Sequence[Params]) -> Block:
        return evaluate(bench, first, part)

    _spread(task, points, place, threads, keep)
    return nav


def walk_forward_slices() -> list[slice]:
    """Rows of returns of 7 train windows of 3 years, then those of the year after each."""
    starts = [YEAR * i for i in range(WINDOWS)]
    trains = [slice(first, first + TRAIN_YEARS * YEAR) for first in starts]
    return trains + [slice(t.stop, min(t.stop + YEAR, SESSIONS - 1)) for t in trains]


def walk_forward(place: Market, plans: Sequence[Plan], threads: int) -> Any:
    """Every point over all windows, the best of each train window, and the run that follows those choices."""
    windows = walk_forward_slices()
    found = run_grid(place, plans, threads, windows)
    if found.figures is None:
        raise ValueError("a grid without points has no best one")
    best = np.argmax(found.figures.window_sharpe[:, :WINDOWS], axis=0)
    decided = np.flatnonzero(plans[0].decide) - place.bars.first
    year = np.clip((decided - TRAIN_YEARS * YEAR) // YEAR, 0, WINDOWS - 1)
    mix = {name: np.choose(year, [plans[point].mix[name] for point in best]) for name in plans[0].sleeves}
    first = plans[0]
    stitched = Plan(first.sleeves, mix, first.gross, first.decide, first.regime)
    return found.nav, run_plans(place, [stitched]).nav


def plain_curve(place: Market, plan: Plan) -> Any:
    """The same plan by the plain loop of `bench.plain`, on a market without holes."""
    from bench.plain import plain_loop

    targets = assemble(place.panel, plan)
    rows = np.flatnonzero(targets.decide)
    return plain_loop(place.tape.opening, place.tape.close, rows, targets.weights[rows], False)


def event_driven_curve(panel: Panel, params: Params) -> Any:
    """The same point through Backtrader, one feed a symbol."""
    from feeds.backtest import run_backtest

    done = run_backtest(panel, RegimeEnsemble, params, account=AccountConfig(cash=CASH), costs=costs())
    return done.cerebro.broker.history.nav


def difference(curves: Any, others: Any) -> float:
    """Largest relative difference at any close."""
    return max(float(np.max(np.abs(one / other - 1.0))) for one, other in zip(curves, others, strict=True))
