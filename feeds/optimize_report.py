"""What the run folder of an optimisation says: the mixes, and what they are worth out of sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ares7.batch import Curves
from ares7.batch_figures import equity_figures
from ares7.metrics import performance
from ares7.point_figures import PointFigures
from ares7.search_statistics import luck
from ares7.selection import UNCONSTRAINED, select
from ares7.selection_table import table
from ares7.sleeve_mix import Allocation
from ares7.trials import TrialLedger
from feeds.grid_report import oos_of
from feeds.searching import Search
from feeds.study import data_warnings, stamps
from feeds.trial_record import ledger_path

BEFORE, PROPOSED = 0, 1
"""Rows of the two curves."""


def metrics_of(
    search: Search, found: Mapping[str, Allocation], sleeves: tuple[str, ...], curves: Curves
) -> dict[str, Any]:
    """Return metrics.json.

    Parameters
    ----------
    found : mapping of regime name to Allocation
    sleeves : tuple of str
        Names of the allocations' entries.
    curves : Curves
        Of the mixes before, and of those proposed.
    """
    config, panel, base = search.config, search.bench.market.panel, search.bench.baseline_nav
    free = config.metrics.risk_free
    windows = equity_figures(curves.nav, search.windows.slices, base, free)
    figures = PointFigures(search.windows, windows, search.baseline, curves.turnover, curves.fees)
    selection = select(figures, "train_sharpe", UNCONSTRAINED)
    lines = {line["point"]: line for line in table([{}, {}], figures, selection)}
    oos = oos_of(search, curves.nav[PROPOSED])
    with TrialLedger(ledger_path(config)) as ledger:
        family = ledger.family(search.data_set)
    return {
        "kind": "optimize",
        "strategy": search.points.chosen.name,
        "baseline": config.baseline,
        "synthetic": bool(panel.provenance.get("synthetic")),
        "stamps": stamps(config, panel),
        "start": str(search.dates[0]),
        "end": str(search.dates[-1]),
        "sessions": len(search.dates),
        "method": config.search.optimize.method,
        "train_sessions": search.windows.train.stop,
        "mixes": {
            regime: {
                "weights": dict(zip(sleeves, allocation.weights.tolist(), strict=True)),
                "objective": allocation.objective,
                "note": allocation.note,
            }
            for regime, allocation in found.items()
        },
        "proposed": lines[PROPOSED],
        "before": lines[BEFORE],
        "performance": performance(search.dates, curves.nav[PROPOSED], free),
        "before_performance": performance(search.dates, curves.nav[BEFORE], free),
        "baseline_performance": performance(search.dates, base, free),
        "windows": oos.pop("windows"),
        "oos": oos,
        "turnover": float(curves.turnover[PROPOSED]),
        "fees_usd": float(curves.fees[PROPOSED]),
        "statistics": luck(
            curves.nav,
            base,
            PROPOSED,
            family,
            bootstrap=config.search.bootstrap,
            blocks=config.search.pbo_blocks,
            risk_free=free,
        ),
        "warnings": data_warnings(panel),
        "notes": [f"{regime}: {a.note}" for regime, a in found.items() if a.note],
    }


def tables_of(
    search: Search, found: Mapping[str, Allocation], sleeves: tuple[str, ...], curves: Curves
) -> dict[str, dict[str, list[Any]]]:
    """Return the CSV files."""
    weights = {name: [float(found[r].weights[k]) for r in found] for k, name in enumerate(sleeves)}
    return {
        "equity": {
            "date": search.dates.astype(str).tolist(),
            "nav": curves.nav[PROPOSED].tolist(),
            "before_nav": curves.nav[BEFORE].tolist(),
            "baseline_nav": search.bench.baseline_nav.tolist(),
        },
        "mixes": {"regime": list(found), **weights},
    }
