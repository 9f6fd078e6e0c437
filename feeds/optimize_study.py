"""Sleeve weights for each regime by an optimiser: chosen on train rows, judged out of sample like everything else."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np

from ares7.allocate import by_regime
from ares7.arrays import Float2D, Label1D
from ares7.batch import run_plans
from ares7.book import RegimeLabels
from ares7.config import Config
from ares7.errors import ConfigError
from ares7.grid import Grid, with_values
from ares7.params import BookParams
from ares7.progress import stage
from ares7.search_files import SearchResult
from ares7.selection import UNCONSTRAINED, SelectionConfig
from ares7.signals.regime import Regime
from ares7.sleeve_mix import Allocation
from feeds.engines import Chosen
from feeds.grid_study import chosen_yaml_of, provenance
from feeds.optimize_report import metrics_of, tables_of
from feeds.searching import Search, prepare, record_points

DIGITS = 6
"""Decimals of a proposed fraction."""


def optimize_study(config: Config, chosen: Chosen, baseline: Chosen, *, created: dt.datetime) -> SearchResult:
    """Optimise the mix of every regime on the train rows and run the result beside the mix it starts from.

    Raises
    ------
    ConfigError
        The strategy has no sleeves to mix, no session trains, or scipy is missing.
    """
    strategy, cut = chosen.strategy, config.search.optimize
    if strategy.sleeve_plans is None:
        raise ConfigError(
            f"{chosen.name} has no sleeves whose mix could be optimised; use regime_ensemble, or a strategy "
            "class with sleeve_plans"
        )
    # One point: what the search prepares is the market, the baseline and the windows.
    grid = Grid("base", {"gross": (chosen.settings.gross,)})
    search = prepare(config, chosen, baseline, grid, SelectionConfig(constraints=UNCONSTRAINED))
    market, panel = search.bench.market, search.bench.market.panel
    stage(f"optimising the mixes by {cut.method}")
    plans, labels = strategy.sleeve_plans(panel, chosen.settings, search.bench.memo)
    nav = run_plans(market, list(plans.values())).nav
    returns = nav[:, 1:] / nav[:, :-1] - 1.0
    found = _mixes(config, search, tuple(plans), returns.T, labels, strategy.allowed_sleeves, chosen.settings)
    proposed = _settings(chosen, found, tuple(plans), strategy.allowed_sleeves)
    points = [chosen.settings, proposed]
    curves = run_plans(market, [search.bench.plan(panel, point, search.bench.memo) for point in points])
    name = f"optimize-{chosen.name}-{search.digest[:8]}"
    record_points(search, points, curves, run=name, purpose="optimize", created=created)
    metrics = metrics_of(search, found, tuple(plans), curves)
    return SearchResult(
        kind="optimize",
        config_yaml=config.to_yaml(),
        digest=search.digest[:8],
        strategy=chosen.name,
        provenance=provenance(search) | {"trials": metrics["statistics"]["trials"]},
        metrics=metrics,
        tables=tables_of(search, found, tuple(plans), curves),
        chosen_yaml=chosen_yaml_of(config, proposed),
    )


def _mixes(
    config: Config,
    search: Search,
    sleeves: tuple[str, ...],
    returns: Float2D,
    labels: RegimeLabels,
    allowed: Any,
    settings: Any,
) -> dict[str, Allocation]:
    """(K,) weights a regime, each over the sleeves that may act in it, from the train rows alone."""
    cut, panel = config.search.optimize, search.bench.market.panel
    train = search.windows.train.stop
    if train < cut.min_sessions:
        raise ConfigError(
            f"{train} sessions lie before the earliest out-of-sample window, fewer than "
            f"search.optimize.min_sessions {cut.min_sessions}; start earlier or move oos"
        )
    held: Label1D = labels.held[panel.start_row :][:train]
    out = {}
    for regime in Regime:
        columns = [k for k, sleeve in enumerate(sleeves) if sleeve in allowed(regime)]
        own = settings.mix(regime)
        default = {r.name: [getattr(own, sleeves[k]) for k in columns] for r in Regime}
        found = by_regime(
            returns[:train, columns],
            held,
            cut.method,
            min_sessions=cut.min_sessions,
            default=default,
            caps=[cut.cap] * len(columns),
            total=min(1.0, cut.cap * len(columns)),
            alpha=cut.alpha,
            risk_free=config.metrics.risk_free,
            sleeves=[sleeves[k] for k in columns],
        )[regime.name]
        weights = np.zeros(len(sleeves))
        weights[columns] = found.weights
        out[regime.name] = Allocation(weights, found.objective, found.note)
    return out


def _settings(
    chosen: Chosen, found: dict[str, Allocation], sleeves: tuple[str, ...], allowed: Any
) -> BookParams:
    """Return the parameters with the optimised mixes."""
    mixes = {
        regime.name: {
            sleeve: float(np.floor(found[regime.name].weights[k] * 10**DIGITS) / 10**DIGITS)
            for k, sleeve in enumerate(sleeves)
            if sleeve in allowed(regime)
        }
        for regime in Regime
    }
    base = with_values(chosen.settings.model_dump(), {"mixes": mixes})
    found_settings: BookParams = type(chosen.settings).model_validate(base)
    return found_settings
