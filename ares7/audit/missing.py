"""Missing values (D22): NaN in gives zero weight out, and every row can be traded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ares7.arrays import Bool2D, Float1D, Float2D
from ares7.audit.comparison import NEGLIGIBLE, Answer, Raised, decided
from ares7.audit.evidence import Evidence, EvidenceCheck
from ares7.audit.finding import Finding, Severity, found
from ares7.audit.perturbation import without_values
from ares7.book import FRESH_SESSIONS, tradable
from ares7.panel import Panel


class MissingValues(EvidenceCheck):
    """D22: NaN in gives zero weight out, never NaN; rows are sound; nothing before a first bar (C4)."""

    id = "D22"
    title = "Missing values"

    def _findings(self, known: Evidence) -> Iterator[Finding]:
        told = self._unsound(known, known.panel, known.full, "")
        if told is None:
            told = self._without_names(known)
        if told is None:
            told = self._with_holes(known)
        if told is not None:
            yield told
            return
        stale = self._stale(known)
        yield stale or found(
            self,
            Severity.PASS,
            f"rows are finite, at least 0 and at most {known.subject.settings.gross:g}; names without bars have "
            "no weight, holes give no NaN",
        )

    def _unsound(self, known: Evidence, panel: Panel, answer: Answer, when: str) -> Finding | None:
        """Say what is wrong with rows that are traded, whatever the data was."""
        if isinstance(answer, Raised):
            if answer.refused:
                return None
            return found(
                self,
                Severity.FAILURE,
                f"weights raises{when}: {answer.message}",
                "give a name with missing values no weight, or refuse with an ares7.errors class",
            )
        first = panel.start_row
        weights = answer.weights[first:]
        listed = np.logical_or.accumulate(panel.bar, axis=0)[first:]
        wrong = (
            ("is not a number", ~np.isfinite(weights), "write 0 where a signal is missing"),
            (
                "is negative",
                self._short(known, weights),
                "clip at 0: the account is long-only without margin",
            ),
            (
                "stands before the name's first bar",
                ~listed & (weights != 0),
                "give it none: do not back-fill",
            ),
        )
        for words, where, remedy in wrong:
            if where.any():
                row, column = (int(i) for i in np.argwhere(where)[0])
                return found(
                    self,
                    Severity.FAILURE,
                    f"the weight of {panel.symbols[column]} on {panel.dates[first + row]}{when} {words} "
                    f"({weights[row, column]:.4g}; {int(where.any(axis=1).sum())} sessions)",
                    remedy,
                    first_date=str(panel.dates[first + row]),
                    symbol=panel.symbols[column],
                    sessions=int(where.any(axis=1).sum()),
                )
        return self._too_much(panel, weights.sum(axis=1), known.subject.settings.gross, when)

    def _too_much(self, panel: Panel, total: Float1D, gross: float, when: str) -> Finding | None:
        above = np.flatnonzero(total > gross + NEGLIGIBLE)
        if len(above) == 0:
            return None
        day = str(panel.dates[panel.start_row + above[0]])
        return found(
            self,
            Severity.FAILURE,
            f"the row of {day}{when} sums to {total[above[0]]:.4g}, more than gross {gross:g} ({len(above)} sessions)",
            "normalise rows to settings.gross",
            first_date=day,
            sessions=len(above),
        )

    def _short(self, known: Evidence, weights: Float2D) -> Bool2D:
        return np.zeros(weights.shape, dtype=bool) if known.subject.account.margin else weights < 0

    def _without_names(self, known: Evidence) -> Finding | None:
        """Every fifth stock that the strategy holds never has a bar."""
        panel = known.panel
        held = np.flatnonzero((known.full.weights != 0).any(axis=0) & panel.is_stock)[::5]
        if len(held) == 0:
            return None
        missing = np.zeros(panel.shape, dtype=bool)
        missing[:, held] = True
        panel = without_values(panel, missing)
        return self._unsound(
            known, panel, decided(known.subject, panel), " where every fifth stock has no bar"
        )

    def _with_holes(self, known: Evidence) -> Finding | None:
        """One value in twenty of each stock is missing."""
        panel = known.panel
        rng = np.random.default_rng([known.subject.seed, 22])
        panel = without_values(panel, (rng.random(panel.shape) < 0.05) & panel.is_stock)
        return self._unsound(known, panel, decided(known.subject, panel), " where bars have holes")

    def _stale(self, known: Evidence) -> Finding | None:
        """Decided rows that ask for names which have stopped trading."""
        rows = np.flatnonzero(known.full.decide)
        rows = rows[rows >= known.panel.start_row]
        everywhere = replace(known.panel, member=np.ones(known.panel.shape, dtype=bool))
        gone = (known.full.weights[rows] != 0) & ~tradable(everywhere)[rows]
        if not gone.any():
            return None
        row, column = (int(i) for i in np.argwhere(gone)[0])
        day, symbol = known.day(int(rows[row])), known.panel.symbols[column]
        return found(
            self,
            Severity.WARNING,
            f"the decision of {day} asks for {symbol}, which has had no bar for {FRESH_SESSIONS} sessions "
            f"({int(gone.any(axis=1).sum())} decisions do so): that part of the book stays cash",
            "multiply decided rows by ares7.book.tradable(panel)",
            first_date=day,
            symbol=symbol,
        )
