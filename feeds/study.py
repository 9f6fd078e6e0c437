"""A strategy beside its baseline on one panel: from configuration to everything that a run folder keeps.

Strategies and analyzers are handed in; this module imports none of them.
"""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ares7.arrays import Label1D
from ares7.book import RegimeLabels, Targets, regime_labels
from ares7.config import Config
from ares7.errors import ConfigError, DataError
from ares7.metrics import performance
from ares7.panel import Panel
from ares7.params import BookParams, RegimeParams
from ares7.period import choose_period
from ares7.progress import stage
from ares7.provenance import code_version, versions
from ares7.run_files import RunResult
from ares7.signals.regime import UNKNOWN
from feeds import shared_cache
from feeds.account_curve import History
from feeds.backtest import computed_diagnostics
from feeds.engines import ENGINES, Chosen, Outcome, Tools
from feeds.limit_report import limit_report
from feeds.load import load_panel


def load_for(config: Config, needs: frozenset[str], warmup: int, name: str) -> Panel:
    """Load what a run reads, cut to the period, with the start session set.

    Parameters
    ----------
    needs : frozenset of str
        Inputs beyond prices (`ares7.params.BookParams.requires`) of every strategy of the run.
    warmup : int
        Rows that the hungriest of them needs before the start session.
    name : str
        Strategy, for messages.

    Raises
    ------
    DataError, ConfigError
        The data or the period cannot serve the run.
    """
    shared_cache.use(config.redis)
    # Calendar days that hold the warm-up for sure: problems before them do not touch the run.
    margin = dt.timedelta(days=warmup * 3 // 2 + 30)
    start, end = config.period.start, config.period.end
    first = None if start is None else np.datetime64(start - margin, "D")
    last = None if end is None else np.datetime64(end, "D")
    panel = load_panel(config.data, needs, first, last, allow_restated=config.allow_lookahead)
    panel = choose_period(panel, config.period, warmup, name)
    require_universe(panel)
    return panel


def require_universe(panel: Panel) -> None:
    """Refuse a universe that has no stock with a bar on the start session or on a month end after it.

    Raises
    ------
    DataError
    """
    row = panel.start_row
    rows = np.append(row, row + np.flatnonzero(panel.month_end[row:]))
    names = (panel.member & panel.bar & panel.is_stock)[rows].any(axis=1)
    if not names.all():
        raise DataError(
            f"universe is empty on {panel.dates[rows[~names][0]]} ({int((~names).sum())} of {len(rows)} month ends): "
            f"none of {int(panel.is_stock.sum())} stocks is a member with a price; check data.universe, "
            "the membership file and the period"
        )


def require_margin(config: Config, settings: BookParams) -> None:
    """Refuse leverage that the account has no margin for (rulings 6).

    Raises
    ------
    ConfigError
    """
    if settings.gross > 1 and not config.account.margin:
        raise ConfigError(
            f"strategy.params.gross is {settings.gross}, above 1: leverage needs account.margin: true "
            "and account.financing_bps"
        )


def study(
    config: Config, chosen: Chosen, baseline: Chosen, tools: Tools, root: Path, created: dt.datetime
) -> RunResult:
    """Load, run baseline and strategy, compute every figure, count the trial.

    Parameters
    ----------
    config : Config
    chosen, baseline : Chosen
    tools : Tools
    root : Path
        Folder of the project, whose commit is recorded.
    created : datetime
        Recorded with the trial.
    """
    began = time.perf_counter()
    panel = load_both(config, chosen, baseline)
    result = study_on(config, panel, chosen, baseline, tools, root)
    result = counted(config, panel, chosen, baseline, result, created)
    seconds = round(time.perf_counter() - began, 3)
    return replace(result, provenance=dict(result.provenance) | {"duration_s": seconds})


def load_both(config: Config, chosen: Chosen, baseline: Chosen) -> Panel:
    """Load what a strategy and its baseline read."""
    for settings in (chosen.settings, baseline.settings):
        require_margin(config, settings)
    stage("loading data")
    both = (chosen.settings, baseline.settings)
    needs = both[0].requires | both[1].requires
    return load_for(config, needs, max(settings.warmup for settings in both), chosen.name)


def counted(
    config: Config, panel: Panel, chosen: Chosen, baseline: Chosen, result: RunResult, created: dt.datetime
) -> RunResult:
    """Record a result as the trial that it is, and add what it is worth among all trials on its market."""
    # Imported here: a search imports this module for its data, and counts its own points.
    from feeds.trial_record import count_backtest

    found = count_backtest(config, panel, chosen, baseline.settings, result, created)
    provenance = dict(result.provenance) | {"trials": found["trials"]}
    return replace(result, metrics=dict(result.metrics) | found, provenance=provenance)


def study_on(
    config: Config, panel: Panel, chosen: Chosen, baseline: Chosen, tools: Tools, root: Path
) -> RunResult:
    """Run baseline and strategy on a loaded panel from its start session; compute every figure."""
    run = ENGINES[config.engine]

    def held(targets: Targets) -> Label1D | None:
        labels = _labels(panel, targets)
        return None if labels is None else labels.held[panel.start_row :]

    base = run(config, panel, baseline, tools, held, None)
    outcome = run(config, panel, chosen, tools, held, base.history.nav)
    return _result(config, panel, chosen, outcome, base.history, root)


def _labels(panel: Panel, targets: Targets) -> RegimeLabels | None:
    """Regime of every session: the strategy's own, else the default one where index and VIX are there."""
    if targets.regime is not None:
        return targets.regime
    first = panel.start_row
    known = all(r in panel.series and np.isfinite(panel.series[r][first:]).all() for r in ("index", "vix"))
    return regime_labels(panel, **RegimeParams().model_dump()) if known else None


def data_warnings(panel: Panel) -> list[str]:
    """What the loader counted, one line each, and how the universe was chosen."""
    found = panel.provenance.get("findings", [])
    lines = [f"{f['input']}/{f['code']} ({f['count']}): {f['message']}" for f in found]
    if panel.provenance.get("universe") != "members" and not panel.provenance.get("synthetic"):
        lines.append(
            "survivorship: the universe has no membership history; names chosen because they exist today "
            "overstate every return"
        )
    return lines


def stamps(config: Config, panel: Panel) -> list[str]:
    """What must be printed over every result of this configuration on this data."""
    found = {
        "SYNTHETIC": bool(panel.provenance.get("synthetic")),
        "ZERO COSTS": config.costs.is_zero,
        "LOOKAHEAD": config.account.exec_lag == 0,
        "LOOKAHEAD ALLOWED": config.allow_lookahead and config.account.exec_lag > 0,
    }
    return [name for name, applies in found.items() if applies]


def _metrics(
    config: Config, panel: Panel, chosen: Chosen, outcome: Outcome, baseline: History
) -> dict[str, Any]:
    history = outcome.history
    extra = computed_diagnostics(panel, chosen.strategy, chosen.settings, chosen.name, config.data.cache)
    target_gross = outcome.targets.weights[panel.start_row :].sum(axis=1)
    limited, refused = limit_report(config, panel, outcome)
    return (
        outcome.figures
        | limited
        | {
            "strategy": chosen.name,
            "baseline": config.baseline,
            "baseline_performance": performance(baseline.dates, baseline.nav, config.metrics.risk_free),
            "synthetic": bool(panel.provenance.get("synthetic")),
            "stamps": stamps(config, panel),
            "start": str(history.dates[0]),
            "end": str(history.dates[-1]),
            "sessions": len(history.dates),
            "rounding": {
                "mean_target_gross": float(target_gross.mean()),
                "mean_held_gross": float(history.gross.mean()),
                "mean_gap": float(np.abs(target_gross[:-1] - history.gross[1:]).mean()),
            },
            "coverage": extra.get("coverage", {}),
            "warnings": [*data_warnings(panel), *extra.get("warnings", []), *refused],
            "notes": extra.get("notes", []),
        }
    )


def _result(
    config: Config, panel: Panel, chosen: Chosen, outcome: Outcome, baseline: History, root: Path
) -> RunResult:
    first, targets, history = panel.start_row, outcome.targets, outcome.history
    labels = _labels(panel, targets)
    unknown = np.full(len(history.dates), UNKNOWN, dtype=np.int8)
    sleeves = {name: values[first:] for name, values in targets.sleeves.items()}
    sleeves["cash"] = 1.0 - np.sum(list(sleeves.values()), axis=0)
    return RunResult(
        config_yaml=config.to_yaml(),
        digest=config.digest(),
        strategy=chosen.name,
        baseline=config.baseline,
        provenance={
            "code": code_version(root),
            "versions": versions(),
            "data": dict(panel.provenance),
            "parameters": chosen.settings.model_dump(mode="json"),
            "warmup_sessions": chosen.settings.warmup,
        },
        metrics=_metrics(config, panel, chosen, outcome, baseline),
        dates=history.dates,
        nav=history.nav,
        cash=history.cash,
        gross=history.gross,
        baseline_nav=baseline.nav,
        symbols=panel.symbols,
        target_weights=targets.weights[first:],
        fills=outcome.fills,
        orders=outcome.orders,
        order_reference=outcome.ledger.reference,
        regime_raw=unknown if labels is None else labels.raw[first:],
        regime_held=unknown if labels is None else labels.held[first:],
        sleeves=sleeves,
    )
