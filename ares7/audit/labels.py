"""D17: the same weights on the same dates, given to other names.

What a book owes to its dates, its exposure and its concentration stays; what it owes to *which* names it holds is
exchanged. Both are traded free of costs, since a shuffled book changes hands at every decision.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from ares7.arrays import Bool2D, Float1D, Float2D
from ares7.audit.finding import Finding, Severity, found
from ares7.audit.subject import Subject
from ares7.book import Targets, tradable
from ares7.costs import BpsCosts
from ares7.metrics import SESSIONS_PER_YEAR, ZERO_SD, returns_from_nav, sharpe

MOST_SHUFFLES, FEWEST_SHUFFLES = 40, 12
MOST_CELLS = 5_000_000
"""Decisions x names x shuffles at most, while there are `FEWEST_SHUFFLES`."""
TOO_GOOD = 8.0
FEWEST_RETURNS = 250


def shuffled(targets: Targets, eligible: Bool2D, rng: np.random.Generator) -> Targets:
    """Exchange the weights of eligible names, anew at each decision.

    Parameters
    ----------
    targets : Targets
        Rows that are no decision come back as 0: nobody trades on them.
    eligible : (T, N) bool
        Names that may take each other's place; the others keep their weights.
    """
    rows = np.flatnonzero(targets.decide)
    decided, may = targets.weights[rows], eligible[rows]
    # Eligible places in order, and the same places in a random order: both sorts put the others last.
    places = np.argsort(~may, axis=1, kind="stable")
    drawn = np.argsort(np.where(may, rng.random(may.shape), 2.0), axis=1)
    there = np.take_along_axis(may, places, axis=1)
    source = np.where(there, drawn, places)
    out = np.empty_like(decided)
    np.put_along_axis(out, places, np.take_along_axis(decided, source, axis=1), axis=1)
    weights = np.zeros_like(targets.weights)
    weights[rows] = out
    return replace(targets, weights=weights)


def advantage_t(own: Float1D, others: Float2D) -> float:
    """Return the t over time of own returns less the mean of the others', both at a volatility of 1.

    Parameters
    ----------
    own : (R,)
    others : (K, R)
    """
    mean = others.mean(axis=0)
    spreads = [float(series.std()) for series in (own, mean)]
    if min(spreads) <= ZERO_SD:
        return 0.0
    gap = own / spreads[0] - mean / spreads[1]
    error = float(gap.std(ddof=1)) / math.sqrt(len(gap))
    return float(gap.mean()) / error if error > ZERO_SD else 0.0


class LabelShuffle:
    """D17: Sharpe ratio beside those of the same weights on other names.

    A book that chooses no better than chance passes, with its number: that is a result and no error. One that is
    `TOO_GOOD` standard deviations above its shuffles, and whose advantage has such a t over time too, is warned about.
    """

    id: ClassVar[str] = "D17"
    title: ClassVar[str] = "Label shuffles"

    def run(self, subject: Subject) -> Iterable[Finding]:
        """Trade the book and its shuffles, free of costs."""
        return [self._compared(subject)]

    def _compared(self, subject: Subject) -> Finding:
        targets, panel = subject.targets, subject.panel
        eligible = tradable(panel) & panel.bar & panel.is_stock
        if not _selects(targets, eligible):
            return found(
                self,
                Severity.SKIPPED,
                "at no decision do the eligible stocks have different weights: there is no choice to shuffle",
            )
        free = BpsCosts(bps=0.0)
        own = returns_from_nav(subject.simulated(costs=free).nav)
        if len(own) < FEWEST_RETURNS:
            return found(self, Severity.SKIPPED, f"{len(own)} returns; {FEWEST_RETURNS} are needed")
        cells = int(targets.decide.sum()) * panel.shape[1]
        count = int(np.clip(MOST_CELLS // max(cells, 1), FEWEST_SHUFFLES, MOST_SHUFFLES))
        rng = np.random.default_rng([subject.seed, 17])
        others = np.array(
            [
                returns_from_nav(subject.simulated(shuffled(targets, eligible, rng), costs=free).nav)
                for _ in range(count)
            ]
        )
        return self._judged(own, others)

    def _judged(self, own: Float1D, others: Float2D) -> Finding:
        ratio, ratios = sharpe(own), np.array([sharpe(series) for series in others])
        if not (math.isfinite(ratio) and np.isfinite(ratios).all()):
            return found(self, Severity.SKIPPED, "returns do not vary, or the account is ruined")
        mean, spread = float(ratios.mean()), float(ratios.std(ddof=1))
        z = (ratio - mean) / spread if spread > ZERO_SD else 0.0
        t = advantage_t(own, others)
        below = int((ratios < ratio).sum())
        evidence: dict[str, Any] = {
            "sharpe": ratio,
            "shuffled_mean": mean,
            "shuffled_sd": spread,
            "shuffles": len(ratios),
            "percentile": 100.0 * below / len(ratios),
            "z": z,
            "advantage_t": t,
            "advantage": SESSIONS_PER_YEAR * float((own - others.mean(axis=0)).mean()),
        }
        told = (
            f"Sharpe ratio {ratio:.2f} before costs, above {below} of {len(ratios)} shuffles; on other names the same "
            f"weights give {mean:.2f} (sd {spread:.2f}; advantage over time t {t:.1f})"
        )
        if z > TOO_GOOD and t > TOO_GOOD:
            remedy = "too good to be chosen with what was known: look for a field that is known later than its row says"
            return found(
                self,
                Severity.WARNING,
                f"{told}: {z:.0f} standard deviations above its shuffles",
                remedy,
                **evidence,
            )
        return found(self, Severity.PASS, told, **evidence)


def _selects(targets: Targets, eligible: Bool2D) -> bool:
    """Whether some decision gives different weights to names that may take each other's place."""
    rows = targets.decide
    weights, may = targets.weights[rows], eligible[rows]
    most = np.where(may, weights, -np.inf).max(axis=1, initial=-np.inf)
    least = np.where(may, weights, np.inf).min(axis=1, initial=np.inf)
    return bool((most > least).any())
