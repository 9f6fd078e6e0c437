"""A backtest with findings of an audit, made up; the run itself is that of `example_run`."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

from ares7.audit.finding import Finding, Severity
from ares7.audit.runner import Audit
from ares7.runs import write_run
from tests.report.example_run import example_run

PREFIX = Finding(
    "D1",
    "prefix invariance",
    Severity.FAILURE,
    "the row of 2011-02-04 (S172) depends on close after 2011-02-04; 37 of 38 dates leak, by up to 0.0349 of NAV",
    {"fields": ["close", "index"], "first_date": "2011-02-04", "leaking_dates": 37, "symbol": "S172"},
    "compute row t of weights from rows up to t alone",
)
FUTURE = replace(PREFIX, check="D5", title="future perturbation", message="changing index changes 2013-01-30")
LAG = Finding("D2", "Extra lag", Severity.WARNING, "0.82 at +0, 0.31 at +1", {"z": 4.2}, "look at the timing")
EVENTS = Finding("D7", "No reaction before the event", Severity.SKIPPED, "no field comes from events")
COSTS = Finding(
    "D8", "Costs reconcile", Severity.PASS, "paid 10 bps", {"raw": {"fees_usd": 1234.5}, "of": [1, 2]}
)
UNITS = Finding("D21", "units of price", Severity.PASS, "powers of two change nothing")
FAILING = (
    COSTS,
    PREFIX,
    EVENTS,
    UNITS,
    FUTURE,
    replace(FUTURE, message="changing vix changes 2013-01-30"),
    LAG,
)
PASSING = (COSTS, UNITS)


def audited(folder: Path, *findings: Finding, kind: str = "check", sessions: int = 300) -> Path:
    """Write a run with these findings and its report."""
    result = example_run(sessions)
    metrics = {**result.metrics, "audit": Audit(result.strategy, findings).to_dict()}
    stamp = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    return write_run(folder, replace(result, kind=kind, metrics=metrics), stamp=stamp, report=True)
