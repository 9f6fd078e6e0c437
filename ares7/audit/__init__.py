"""The audit: checks that a backtest which lies would fail.

Source of the ids D1 to D13: the detectors of docs/audit.md, each named after the published mistake that it catches.
`check` runs all of them on a strategy and a panel; it needs no configuration, no run folder and no pytest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ares7.arrays import Float1D
    from ares7.audit.finding import Check
    from ares7.audit.runner import Audit
    from ares7.config import AccountConfig
    from ares7.costs import CostModel
    from ares7.panel import Panel
    from ares7.params import BookParams

DEFAULT_BPS = 10.0
"""Costs one way where none are named, as in config.yaml."""


def check(
    strategy: Any,
    panel: Panel,
    settings: BookParams | None = None,
    *,
    account: AccountConfig | None = None,
    costs: CostModel | None = None,
    baseline_nav: Float1D | None = None,
    checks: Sequence[Check] | None = None,
) -> Audit:
    """Audit a strategy on a panel: what a user's own test calls.

    ::

        check(MyIdea, panel).require()

    Parameters
    ----------
    strategy : class or module
        With ``weights(panel, settings)`` and, unless ``settings`` is given, ``Params``.
    panel : Panel
        Without a start session the first one that leaves the warm-up of ``settings`` is taken.
    settings : BookParams, optional
        ``strategy.Params()`` otherwise.
    account : AccountConfig, optional
    costs : CostModel, optional
        10 bps one way otherwise.
    baseline_nav : (S,) USD, optional
        From the start session to the end; equal weight of the panel's stocks otherwise, traded with the same account
        and costs.
    checks : sequence of Check, optional
        All of them otherwise.

    Returns
    -------
    Audit
        Its ``require()`` raises `ares7.errors.CheckFailed`, naming every failure.

    Raises
    ------
    ConfigError
        The strategy has no ``weights`` or ``Params``, or gives no ``Targets``; the panel is shorter than the warm-up;
        the baseline has another length than the run.
    Exception
        Whatever ``weights`` raises on the whole panel.
    """
    from ares7.audit.checks import all_checks
    from ares7.audit.runner import audit
    from ares7.config import AccountConfig
    from ares7.costs import BpsCosts

    name = str(getattr(strategy, "__name__", strategy))
    chosen = _settings(strategy, name) if settings is None else settings
    _require(callable(getattr(strategy, "weights", None)), f"{name} has no function weights(panel, settings)")
    subject = _subject(
        name,
        strategy.weights,
        chosen,
        _started(panel, chosen, name),
        account or AccountConfig(),
        costs or BpsCosts(bps=DEFAULT_BPS),
        baseline_nav,
    )
    return audit(subject, all_checks() if checks is None else checks)


def _require(condition: bool, message: str) -> None:
    from ares7.errors import ConfigError

    if not condition:
        raise ConfigError(
            f"{message}; ares7.audit.check takes a panel and a class or module with Params and "
            "weights(panel, settings) -> Targets"
        )


def _settings(strategy: Any, name: str) -> BookParams:
    _require(callable(getattr(strategy, "Params", None)), f"{name} has no Params, and no settings are given")
    settings: BookParams = strategy.Params()
    return settings


def _started(panel: Panel, settings: BookParams, name: str) -> Panel:
    from ares7.config import PeriodConfig
    from ares7.period import choose_period

    return panel if panel.start is not None else choose_period(panel, PeriodConfig(), settings.warmup, name)


def _subject(
    name: str,
    weights: Any,
    settings: BookParams,
    panel: Panel,
    account: AccountConfig,
    costs: CostModel,
    baseline_nav: Float1D | None,
) -> Any:
    import numpy as np

    from ares7.audit.subject import Subject
    from ares7.book import Targets

    sessions = len(panel.dates) - panel.start_row
    if baseline_nav is None:
        plain = Subject("equal weight", _equal_weight, settings, panel, account, costs, np.ones(sessions))
        baseline_nav = plain.run.nav
    shape, first = np.shape(baseline_nav), panel.dates[panel.start_row]
    _require(
        shape == (sessions,), f"baseline_nav has shape {shape}, the run {sessions} sessions from {first}"
    )
    subject = Subject(name, weights, settings, panel, account, costs, np.asarray(baseline_nav))
    made = type(subject.targets).__name__
    _require(isinstance(subject.targets, Targets), f"weights of {name} returns {made}, not Targets")
    return subject


def _equal_weight(panel: Panel, settings: BookParams) -> Any:
    """Hold 1/n of every listed member among the stocks, from month end to month end (rulings 16)."""
    import numpy as np

    from ares7.book import Sleeve, month_end_rows, single_sleeve

    rows = month_end_rows(panel)
    held = (panel.bar & panel.member & panel.is_stock)[rows]
    sleeve = Sleeve(rows, held / np.maximum(held.sum(axis=1, keepdims=True), 1))
    return single_sleeve(panel, "equal_weight", sleeve, min(settings.gross, 1.0))
