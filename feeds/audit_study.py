"""An audit from configuration to a run folder: the backtest, and every check on it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ares7.audit.finding import Check, Severity
from ares7.audit.runner import Audit, audit
from ares7.audit.subject import Subject
from ares7.config import Config
from ares7.progress import progress
from ares7.run_files import RunResult
from feeds.backtest import computed_targets
from feeds.engines import Chosen, Tools
from feeds.study import counted, load_both, study_on

WATERMARK = "AUDIT FAILED"


def audit_study(
    config: Config,
    chosen: Chosen,
    baseline: Chosen,
    tools: Tools,
    root: Path,
    created: dt.datetime,
    checks: Sequence[Check],
) -> tuple[RunResult, Audit]:
    """Run the configured strategy and audit it; a result that fails carries a watermark.

    Parameters
    ----------
    checks : sequence of Check
        In the order in which they are shown.

    Raises
    ------
    DataError, ConfigError
        The backtest itself cannot be run.
    """
    panel = load_both(config, chosen, baseline)
    result = counted(
        config, panel, chosen, baseline, study_on(config, panel, chosen, baseline, tools, root), created
    )
    subject = Subject(
        name=chosen.name,
        weights=lambda data, settings: computed_targets(data, chosen.strategy, settings, chosen.name),
        settings=chosen.settings,
        panel=panel,
        account=config.account,
        costs=config.costs,
        baseline_nav=result.baseline_nav,
        config=config,
        ledger={name: result.metrics[name] for name in ("trials", "luck", "touched", "performance")},
    )
    with progress("checks", len(checks)) as step:
        found = audit(subject, checks, step)
    metrics = dict(result.metrics) | {"kind": "check", "audit": found.to_dict()}
    if found.worst is Severity.FAILURE:
        metrics["stamps"] = [*metrics["stamps"], WATERMARK]
    return replace(result, kind="check", metrics=metrics), found
