"""Figures of named out-of-sample windows, against a baseline and against the rows before them."""

from __future__ import annotations

from typing import Any

from analyzers.equity import EquityFigures, aligned
from ares7.config import DEFAULT_WINDOWS
from ares7.folds import oos_windows
from ares7.metrics import returns_from_nav


class OutOfSample(EquityFigures):
    """`ares7.folds.oos_windows` of the run.

    Parameters
    ----------
    windows : sequence of ares7.config.OosWindow
        Default: 2020-21, 2022-24, 2025.
    baseline_nav : Dated, optional
        NAV of what the strategy is compared with, for every session of the run.
    risk_free : float
        Annual rate, default 0.
    calendar : str, (C,) datetime64[D] or None
        Exchange whose sessions a full window has, or those sessions; None for markets without such a calendar.
    """

    params = (
        ("windows", DEFAULT_WINDOWS),
        ("baseline_nav", None),
        ("risk_free", 0.0),
        ("calendar", "XNYS"),
    )

    def figures(self) -> dict[str, Any]:
        """Return the figures, by the keys of `oos_windows`."""
        dates, nav, baseline = self.equity.dates, self.equity.nav, None
        if self.p.baseline_nav is not None:
            dates, nav = dates[self.equity.bars], nav[self.equity.bars]
            baseline = returns_from_nav(aligned(self.p.baseline_nav, dates, "baseline_nav"))
        return oos_windows(
            dates[1:],
            returns_from_nav(nav),
            baseline,
            self.p.windows,
            risk_free=self.p.risk_free,
            calendar=self.p.calendar,
        )
