"""A walk-forward from configuration to a run folder: yearly choices, the stitched book traded, what it was worth."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ares7.batch_figures import equity_figures
from ares7.book import Targets, assemble
from ares7.config import Config
from ares7.errors import ConfigError
from ares7.panel import Panel
from ares7.progress import stage
from ares7.purged import walk_forward_windows
from ares7.run_files import RunResult
from ares7.selection import UNCONSTRAINED, SelectionConfig
from ares7.trials import TrialLedger
from ares7.walkforward import (
    Choice,
    choose,
    decided_rows,
    require_train_only,
    slices_of,
    stitch,
)
from feeds.engines import Chosen, Tools
from feeds.executors import Place
from feeds.grid_study import grid_of
from feeds.searching import FILL_HORIZON, ROOT, Search, prepare, run
from feeds.study import study_on
from feeds.trial_record import ledger_path, worth
from feeds.walkforward_report import section_of, tables_of, targets_of


def walkforward_study(
    config: Config,
    chosen: Chosen,
    baseline: Chosen,
    tools: Tools,
    place: Place,
    *,
    created: dt.datetime,
    allowed: bool = False,
) -> RunResult:
    """Evaluate the grid once, choose every 1 January from the years before, trade the choices as one book.

    The stitched book is run by the configured engine like any backtest: changes of parameters are traded and paid.

    Raises
    ------
    ConfigError, DataError
        Before any point is run; the ledger is untouched.
    """
    cut = config.search.walkforward
    require_train_only(cut.selection)
    # The rule of a re-optimisation reads its own train rows; the grid itself selects nothing.
    plain = SelectionConfig(constraints=UNCONSTRAINED)
    search = prepare(config, chosen, baseline, grid_of(config, chosen), plain, allowed=allowed)
    windows = walk_forward_windows(
        search.dates[1:],
        test_years=cut.test_years,
        train_years=cut.train_years,
        anchored=cut.anchored,
        purge=cut.purge,
        embargo=cut.embargo,
        first=cut.first,
        last=cut.last,
        horizon=FILL_HORIZON,
        warmup=search.points.chosen.settings.warmup,
        calendar=config.data.calendar,
    )
    name = f"walkforward-{chosen.name}-{search.digest[:8]}"
    done = run(search, place, run=name, purpose="walkforward", created=created)
    folds = config.search.folds.folds
    figures = equity_figures(
        done.curves.nav, slices_of(windows, folds), search.bench.baseline_nav, search.bench.risk_free
    )
    choices = choose(figures, windows, cut.selection, folds)
    stage("trading the choices")
    panel = search.bench.market.panel
    targets = _stitched(search, panel, choices)
    book = replace(chosen, strategy=_following(chosen.strategy, targets))
    started = panel.starting(np.datetime64(windows[0].decided, "D"))
    result = study_on(config, started, book, baseline, tools, ROOT)
    _touch(search, choices, name, created)
    section = section_of(search, done, choices, result)
    found = worth(config, started, result)
    metrics = dict(result.metrics) | {"kind": "walkforward", "walkforward": section} | found
    metrics["targets"] = targets_of(search, section, result)
    return replace(
        result,
        kind="walkforward",
        digest=search.digest[:8],
        metrics=metrics,
        provenance=dict(result.provenance) | {"trials": found["trials"]},
        tables=tables_of(search, choices, section),
    )


def _stitched(search: Search, panel: Panel, choices: Sequence[Choice]) -> Targets:
    books: dict[int, Targets] = {}
    for row in {choice.held for choice in choices if choice.held is not None}:
        plan = search.bench.plan(panel, search.points.settings(row), search.bench.memo)
        books[row] = assemble(panel, plan)
    if not books:
        raise ConfigError(
            "no point satisfies search.walkforward.selection.constraints in any train window; loosen them"
        )
    rows = decided_rows(panel.dates, [choice.window for choice in choices]).tolist()
    parts = [
        (row, None if choice.held is None else books[choice.held])
        for row, choice in zip(rows, choices, strict=True)
    ]
    return stitch(panel.dates, panel.shape[1], parts)


def _following(strategy: type[Any], targets: Targets) -> type[Any]:
    """Return a strategy class that holds given target rows."""
    members: dict[str, Any] = {
        "weights": staticmethod(lambda panel, settings: targets),
        "diagnostics": staticmethod(lambda panel, settings: {}),
        "plan": None,
        "__module__": __name__,
    }
    return type("WalkForward", (strategy,), members)


def _touch(search: Search, choices: Sequence[Choice], name: str, created: dt.datetime) -> None:
    """Mark the out-of-sample windows that some choice was trained on."""
    dates = search.dates[1:]
    with TrialLedger(ledger_path(search.config)) as ledger:
        for window in search.config.oos:
            start, end = np.datetime64(window.start, "D"), np.datetime64(window.end, "D")
            inside = (dates >= start) & (dates <= end)
            trained = [c.window.name for c in choices if inside[c.window.train].any()]
            if trained:
                reason = f"train rows of walk-forward {', '.join(trained)}"
                ledger.touch(window.name, start, end, search.data_set, name, reason, created=created)
