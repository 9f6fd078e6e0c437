"""Books that see what they must not, and honest ones, on the small random market."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ares7.audit.subject import Subject
from ares7.bars import engine_bars
from ares7.book import Targets
from ares7.config import AccountConfig
from ares7.costs import BpsCosts
from ares7.panel import Panel
from ares7.params import BookParams
from ares7.simulate import simulate
from tests.contracts.panels import market

ACCOUNT = AccountConfig(shares="fractional")
COSTS = BpsCosts(bps=10.0)


def held(panel: Panel, decide: np.ndarray, wanted: np.ndarray) -> Targets:
    """Rows that change at decisions only, and the start session."""
    decide = decide.copy()
    decide[: panel.start_row] = False
    decide[panel.start_row] = True
    latest = np.maximum.accumulate(np.where(decide, np.arange(len(decide)), -1))
    weights = np.where((latest >= 0)[:, None], wanted[latest], 0.0)
    return Targets(weights=weights, decide=decide, on_switch=np.zeros_like(decide))


def _best(score: np.ndarray, usable: np.ndarray, count: int = 8) -> np.ndarray:
    """Equal weights on the highest scores of each row."""
    ranked = np.argsort(np.argsort(np.where(usable & np.isfinite(score), -score, np.inf), axis=1), axis=1)
    chosen = (ranked < count) & usable & np.isfinite(score)
    return 0.95 * chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1)


def _usable(panel: Panel) -> np.ndarray:
    return panel.bar & panel.is_stock & panel.member


def weekly_foresight(panel: Panel, settings: Any) -> Targets:
    """Fridays' picks by the next session's own move from open to close."""
    move = np.log(panel.fields["close"] / panel.fields["open"])
    score = np.vstack([move[1:], move[-1:]])
    return held(panel, panel.week_end, _best(score, _usable(panel)))


def month_end_book(panel: Panel, settings: Any) -> Targets:
    """Equal weights of all, at month ends."""
    return held(panel, panel.month_end, _best(np.zeros_like(panel.fields["close"]), _usable(panel), 100))


def chosen_by_stops(panel: Panel, settings: Any) -> Targets:
    """All or nothing, changed after the book's own best sessions: the day of a decision is chosen by its return."""
    growth = np.nanmean(np.where(_usable(panel), panel.fields["close"], np.nan), axis=1)
    decide = np.append(False, np.diff(np.log(growth)) > 0.015)
    return held(panel, decide, _best(np.zeros_like(panel.fields["close"]), _usable(panel), 100))


def cash(panel: Panel, settings: Any) -> Targets:
    """Nothing, ever."""
    return held(panel, panel.month_end, np.zeros_like(panel.fields["close"]))


def subject(
    weights: Callable[[Panel, Any], Targets], account: AccountConfig = ACCOUNT, panel: Panel | None = None
) -> Subject:
    """Return the book on the random market, beside the equal-weight baseline."""
    data = market() if panel is None else panel
    base = simulate(engine_bars(data), month_end_book(data, None), account=ACCOUNT, costs=COSTS)
    return Subject(weights.__name__, weights, BookParams(), data, account, COSTS, base.nav)
