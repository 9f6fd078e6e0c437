"""Every point that is run is counted: what the ledger keeps of it, and what a report says of all of them."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ares7.arrays import Dates, Float1D, Float2D
from ares7.config import Config
from ares7.overfit import Moments, deflation, moments
from ares7.panel import Panel
from ares7.params import BookParams
from ares7.provenance import code_digest
from ares7.run_files import RunResult
from ares7.trial_clusters import trial_counts
from ares7.trials import ReturnMoments, Trial, TrialLedger, data_set_of, weekly
from feeds.engines import Chosen

ROOT = Path(__file__).resolve().parent.parent


def ledger_path(config: Config) -> Path:
    """Return where every point ever evaluated is recorded."""
    return config.search.ledger or config.runs.folder / "trials.sqlite"


def settings_hash(config: Config, baseline: BookParams) -> str:
    """Identify the engine settings under which a point is one trial: account, costs, baseline, risk-free rate."""
    settings = {
        "account": config.account.model_dump(mode="json"),
        "costs": config.costs.model_dump(mode="json"),
        "baseline": [config.baseline, baseline.model_dump(mode="json")],
        "risk_free": config.metrics.risk_free,
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:24]


def code_of(strategy: type[Any]) -> str:
    """Hash of the project's code and of the strategy's own file, wherever that lies."""
    path = getattr(sys.modules.get(strategy.__module__), "__file__", None)
    own = Path(path).read_bytes() if path else b""
    return hashlib.sha256(code_digest(ROOT).encode() + own).hexdigest()[:16]


def trials_of(
    strategy: str,
    points: Sequence[BookParams | str],
    *,
    dates: Dates,
    nav: Float2D,
    baseline_nav: Float1D,
    total: Moments,
    active: Moments,
    drawdown: Float1D,
    turnover: Float1D,
    settings: str,
    code: str,
) -> list[Trial]:
    """Return the trials of P points.

    Parameters
    ----------
    points : sequence of P BookParams or str
        Parameters, or their `ares7.trials.canonical` text.
    dates : (S,) datetime64[D]
    nav : (P, S) USD
    baseline_nav : (S,) USD
    total, active : Moments
        Of the P series of returns, and of those minus the baseline's.
    drawdown, turnover : (P,)
    settings, code : str
        `settings_hash` and `code_of`.
    """
    mondays, own = weekly(dates[1:], nav[:, 1:] / nav[:, :-1] - 1.0)
    _, other = weekly(dates[1:], baseline_nav[1:] / baseline_nav[:-1] - 1.0)
    minus = (own - other).astype(np.float32)

    def moment(found: Moments, i: int) -> ReturnMoments:
        return ReturnMoments(*(float(v[i]) for v in (found.mean, found.sd, found.skew, found.kurtosis)))

    return [
        Trial(
            strategy=strategy,
            params=point if isinstance(point, str) else point.model_dump(mode="json"),
            settings_hash=settings,
            code_version=code,
            first=dates[0],
            last=dates[-1],
            sessions=len(dates) - 1,
            total=moment(total, i),
            active=moment(active, i),
            nav_ratio=float(nav[i, -1] / nav[i, 0]),
            max_drawdown=float(drawdown[i]),
            turnover=float(turnover[i]),
            first_week=mondays[0],
            weekly=minus[i],
        )
        for i, point in enumerate(points)
    ]


def count_backtest(
    config: Config,
    panel: Panel,
    chosen: Chosen,
    baseline: BookParams,
    result: RunResult,
    created: dt.datetime,
) -> dict[str, Any]:
    """Record a backtest as the trial that it is, and return its `worth`."""
    total, active = _moments(result)
    trials = trials_of(
        chosen.name,
        [chosen.settings],
        dates=result.dates,
        nav=result.nav[None],
        baseline_nav=result.baseline_nav,
        total=total,
        active=active,
        drawdown=np.array([result.metrics["performance"]["max_drawdown"]]),
        turnover=np.array([result.metrics["costs"]["turnover_one_way"]]),
        settings=settings_hash(config, baseline),
        code=code_of(chosen.strategy),
    )
    data_set = data_set_of(panel, result.dates[0], result.dates[-1])
    with TrialLedger(ledger_path(config)) as ledger:
        ledger.record(data_set, trials, run=result.label, purpose="backtest", created=created)
    return worth(config, panel, result)


def worth(config: Config, panel: Panel, result: RunResult) -> dict[str, Any]:
    """Say what a result is worth among all trials on its market.

    Returns
    -------
    dict
        Sections of metrics.json: ``trials`` with ``count distinct effective``; ``luck`` with ``psr dsr
        dsr_effective active_psr active_dsr active_dsr_effective threshold active_threshold`` (thresholds are
        annual Sharpe ratios); ``touched``, the out-of-sample windows that some selection has used, each ``name
        start end run reason``.
    """
    total, active = _moments(result)
    data_set = data_set_of(panel, result.dates[0], result.dates[-1])
    with TrialLedger(ledger_path(config)) as ledger:
        family = ledger.family(data_set)
        touched = ledger.touched(data_set)
    counts = trial_counts(family)
    luck: dict[str, float] = {}
    for prefix, own, sharpes in (("", total, family.sharpes), ("active_", active, family.active_sharpes)):
        luck |= {prefix + name: value for name, value in _luck(own.of(0), sharpes, counts).items()}
    return {
        "trials": counts,
        "luck": luck,
        "touched": [
            {"name": t.name, "start": str(t.start), "end": str(t.end), "run": t.run, "reason": t.reason}
            for t in touched
        ],
    }


def _moments(result: RunResult) -> tuple[Moments, Moments]:
    """Of total and of active returns, one series each."""
    nav = result.nav[None]
    returns = nav[:, 1:] / nav[:, :-1] - 1.0
    base = result.baseline_nav[1:] / result.baseline_nav[:-1] - 1.0
    return moments(returns), moments(returns - base)


def _luck(own: Moments, sharpes: Float1D, counts: dict[str, int]) -> dict[str, float]:
    if not own.sd > 0:
        return dict.fromkeys(("psr", "dsr", "dsr_effective", "threshold"), math.nan)
    held = deflation(own, sharpes, counts)
    return {
        **{name: held[name] for name in ("psr", "dsr", "dsr_effective")},
        "threshold": held["threshold"] * math.sqrt(252.0),
    }
