"""What a walk-forward's run folder says beyond a backtest's figures: years, stability, paths, luck, targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ares7.batch_figures import equity_figures
from ares7.bootstrap import intervals
from ares7.goals import Honest, compare
from ares7.metrics import cagr, performance, returns_from_nav, sharpe
from ares7.overfit import probabilistic_sharpe
from ares7.purged import combinatorial_folds
from ares7.run_files import RunResult
from ares7.search_statistics import luck, returns_of
from ares7.trials import TrialLedger
from ares7.walkforward import Choice, combinatorial, stability
from feeds.evaluating import Evaluated
from feeds.searching import FILL_HORIZON, Search
from feeds.trial_record import ledger_path


def section_of(
    search: Search, done: Evaluated, choices: Sequence[Choice], result: RunResult
) -> dict[str, Any]:
    """What the run folder says about the walk-forward beyond a backtest's figures."""
    config = search.config
    points, cut = search.points, config.search.bootstrap
    values = [{} if c.held is None else points.grid.values(int(points.unique[c.held])) for c in choices]
    years = [_year(search, choice, done, result) for choice in choices]
    train = float(np.nanmean([year["train_sharpe"] for year in years]))
    own = sharpe(returns_from_nav(result.nav), config.metrics.risk_free)
    free = config.metrics.risk_free
    preset = _same_period(search, done, result)
    with TrialLedger(ledger_path(config)) as ledger:
        family = ledger.family(search.data_set)
    leader = int(np.nanargmax(done.figures.equity.sharpe))
    spans = intervals(returns_from_nav(result.nav), cut.level, cut.draws, cut.seed)
    degradation = (train - own) / train if train > 0 else float("nan")
    limit = config.search.walkforward.selection.constraints.max_degradation
    return {
        "grid": {
            "name": search.points.grid.name,
            "axes": {name: list(axis) for name, axis in search.points.grid.axes.items()},
            "points": len(search.points.grid),
            "distinct": len(search.points.hashes),
        },
        "settings": config.search.walkforward.model_dump(mode="json"),
        "years": [{**year, "values": value} for year, value in zip(years, values, strict=True)],
        "changes": stability(choices, values),
        "mean_train_sharpe": train,
        "sharpe": own,
        "psr": float(probabilistic_sharpe(returns_from_nav(result.nav))),
        "intervals": {name: {"low": s.low, "high": s.high} for name, s in spans.items()},
        "degradation": degradation,
        "degradation_limit": limit,
        "degradation_met": None if limit is None else bool(degradation < limit),
        "years_above_baseline": sum(bool(year["above_baseline"]) for year in years),
        "efficiency": _efficiency(search, choices, done),
        "hindsight": {"point": int(search.points.unique[leader]), "sharpe": preset["hindsight"]},
        "unchanged": preset["median"],
        "combinatorial": _combinatorial(search, done),
        "statistics": luck(
            done.curves.nav,
            search.bench.baseline_nav,
            leader,
            family,
            bootstrap=config.search.bootstrap,
            blocks=config.search.pbo_blocks,
            risk_free=free,
        ),
    }


def _year(search: Search, choice: Choice, done: Evaluated, result: RunResult) -> dict[str, Any]:
    """One line of the per-year table; stitched figures from the book that was traded."""
    first = np.datetime64(choice.window.decided, "D")
    rows = (result.dates >= first) & (result.dates <= search.dates[choice.window.test.stop])
    nav, base = result.nav[rows], result.baseline_nav[rows]
    free = search.config.metrics.risk_free
    own, other = (performance(result.dates[rows], part, free) for part in (nav, base))
    return {
        "year": choice.window.name,
        "decided": str(choice.window.decided),
        "sessions": int(rows.sum()) - 1,
        "cut_short": choice.window.test_cut_short,
        "point": None if choice.held is None else int(search.points.unique[choice.held]),
        "kept": choice.row is None,
        "allowed": choice.allowed,
        "train_sharpe": choice.train_sharpe,
        "test_sharpe": choice.test_sharpe,
        "rank": choice.rank,
        "of": len(search.points.hashes),
        "sharpe": own["sharpe"],
        "return": own["total_return"],
        "max_drawdown": own["max_drawdown"],
        "baseline_sharpe": other["sharpe"],
        "baseline_return": other["total_return"],
        "above_baseline": own["sharpe"] > other["sharpe"],
    }


def _same_period(search: Search, done: Evaluated, result: RunResult) -> dict[str, float]:
    """Sharpe ratios over the stitched period of the point best over all rows, and of the median point."""
    first = int(np.searchsorted(search.dates, result.dates[0]))
    part = equity_figures(np.ascontiguousarray(done.curves.nav[:, first:]), (), None, search.bench.risk_free)
    leader = int(np.nanargmax(done.figures.equity.sharpe))
    return {"hindsight": float(part.sharpe[leader]), "median": float(np.nanmedian(part.sharpe))}


def _efficiency(search: Search, choices: Sequence[Choice], done: Evaluated) -> float:
    """Mean annual test growth of the held points over their mean annual train growth."""
    pairs = []
    for choice in choices:
        if choice.held is not None:
            nav = done.curves.nav[choice.held]
            pairs.append(
                [cagr(nav[part.start : part.stop + 1]) for part in (choice.window.test, choice.window.train)]
            )
    test, train = np.nanmean(np.array(pairs), axis=0) if pairs else (np.nan, np.nan)
    return float(test / train) if train > 0 else float("nan")


def _combinatorial(search: Search, done: Evaluated) -> dict[str, Any]:
    cut = search.config.search.folds
    returns = returns_of(done.curves.nav, search.bench.risk_free)
    folds = combinatorial_folds(
        returns.shape[1], cut.groups, cut.test_groups, cut.purge, cut.embargo, horizon=FILL_HORIZON
    )
    found = combinatorial(returns, folds, cut.groups, cut.test_groups)
    base = sharpe(returns_from_nav(search.bench.baseline_nav), search.bench.risk_free)
    return {
        "splits": len(folds),
        "paths": found.paths.tolist(),
        "mean": float(found.paths.mean()),
        "sd": float(found.paths.std(ddof=1)) if len(found.paths) > 1 else float("nan"),
        "baseline_sharpe": base,
        "points_chosen": len(np.unique(found.rows)),
    }


def targets_of(search: Search, section: Mapping[str, Any], result: RunResult) -> list[dict[str, Any]]:
    """The roadmap's phase 6 beside honest figures; empty for a strategy without phases."""
    if not search.points.chosen.strategy.phases:
        return []
    spans = section["intervals"]
    figures = {
        "phase6": {
            "sharpe": Honest(section["sharpe"], spans["sharpe"]["low"], spans["sharpe"]["high"]),
            "degradation": Honest(section["degradation"]),
        },
        "goal": {"degradation": Honest(section["degradation"])},
    }
    return compare(search.config.targets, figures)


def tables_of(
    search: Search, choices: Sequence[Choice], section: Mapping[str, Any]
) -> dict[str, dict[str, list[Any]]]:
    """Return the CSV files beyond a backtest's."""
    years = section["years"]
    columns: dict[str, list[Any]] = {
        name: [year[name] for year in years] for name in years[0] if name != "values"
    }
    for axis in search.points.grid.axes:
        columns[axis] = [year["values"].get(axis, "") for year in years]
    return {"years": columns, "paths": {"sharpe": section["combinatorial"]["paths"]}}
