"""What must not matter: older rows (D19), the order of symbols (D20) and units of price (D21)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ares7.arrays import Float2D, Int1D
from ares7.audit.comparison import (
    ROUNDING,
    Difference,
    Outcome,
    Raised,
    compare,
    decided,
    fails,
    figure,
    part,
    sampled_rows,
)
from ares7.audit.evidence import Evidence, EvidenceCheck
from ares7.audit.finding import Finding, Severity, found
from ares7.audit.perturbation import PRICES, scaled
from ares7.book import Targets
from ares7.panel import PRICE_FIELDS

WARMUP_DATES = 24
OF_A_TIE = 0.5
"""Share of a book that ties at the margin may exchange; more than that is no tie."""


class WarmUp(EvidenceCheck):
    """D19: the last ``settings.warmup`` rows decide what the whole past decides (C3); live holds no more."""

    id = "D19"
    title = "Warm-up"

    def _findings(self, known: Evidence) -> Iterator[Finding]:
        warmup, count = known.subject.settings.warmup, len(known.panel.dates)
        if count <= warmup:
            yield found(
                self,
                Severity.SKIPPED,
                f"the panel has {count} sessions and warmup is {warmup}: there is no older row to leave out",
            )
            return
        rows = sampled_rows(known.panel, known.full, max(known.first, warmup), WARMUP_DATES)
        outcomes = {t: self._on_tail(known, t, warmup) for t in rows.tolist()}
        raised = [(t, o) for t, o in outcomes.items() if isinstance(o, Raised)]
        failing = [(t, o) for t, o in outcomes.items() if isinstance(o, Difference) and fails(o)]
        if raised:
            t, given = raised[0]
            yield found(
                self,
                Severity.FAILURE,
                f"weights raises on the last {warmup} rows up to {known.day(t)}: {given.message}",
                "raise lookback, or make weights answer with warmup rows: live holds no more",
                first_date=known.day(t),
                warmup=warmup,
            )
        elif failing:
            yield self._too_short(known, warmup, failing, len(outcomes))
        else:
            gaps = [o for o in outcomes.values() if isinstance(o, Difference)]
            rounding = max((gap.amount for gap in gaps), default=0.0)
            severity = Severity.WARNING if rounding > ROUNDING else Severity.PASS
            yield found(
                self,
                severity,
                f"on {len(outcomes)} dates the last {warmup} rows decide what all rows before decide, "
                + (f"to {rounding:.1e}" if gaps else "to the last bit"),
                "compute each window from its own rows, or raise lookback" if rounding > ROUNDING else "",
                warmup=warmup,
                sampled_dates=len(outcomes),
            )

    def _on_tail(self, known: Evidence, t: int, width: int) -> Outcome:
        """Compare row ``t`` decided on ``width`` rows with row ``t`` decided on all rows up to it."""
        got = decided(known.subject, known.panel.upto(t).last(width))
        if isinstance(got, Raised):
            return got
        last = part(got, width - 1, width)
        gap = compare(part(known.full, t, t + 1), last, t)
        if gap is None or known.prefix(t) is None:
            return gap
        # What came later matters too: that is D1's to tell.
        past = decided(known.subject, known.panel.upto(t))
        return None if isinstance(past, Raised) else compare(part(past, t, t + 1), last, t)

    def _too_short(
        self, known: Evidence, warmup: int, failing: list[tuple[int, Difference]], count: int
    ) -> Finding:
        t, gap = failing[0]
        need = self._enough(known, t, warmup)
        largest = max(found_gap.amount for _, found_gap in failing)
        reach = f"{need} rows are enough on that date" if need else "no shorter past gives the same"
        return found(
            self,
            Severity.FAILURE,
            f"with the last {warmup} rows the row of {known.day(t)} ({known.symbol(gap)}) is another one: "
            f"{len(failing)} of {count} dates, by up to {figure(largest)} of NAV; {reach}",
            f"raise settings.lookback until warmup is {need} or more, or shorten what weights remembers"
            if need
            else "make weights forget: windows of fixed length instead of expanding ones",
            first_date=known.day(t),
            symbol=known.symbol(gap),
            differs_in=gap.what,
            warmup=warmup,
            enough_rows=need,
            differing_dates=len(failing),
            sampled_dates=count,
            largest_weight_difference=figure(largest),
        )

    def _enough(self, known: Evidence, t: int, warmup: int) -> int | None:
        """Fewest rows that decide the same on one date; None where all of the past is needed."""
        low, high = warmup, min(2 * warmup, t + 1)
        while high < t + 1 and fails(self._on_tail(known, t, high)):
            low, high = high, min(2 * high, t + 1)
        while high - low > 1:
            middle = (low + high) // 2
            if fails(self._on_tail(known, t, middle)):
                low = middle
            else:
                high = middle
        return None if high > t else high


class Permutation(EvidenceCheck):
    """D20: reordering the symbols reorders the columns and changes nothing else (C4)."""

    id = "D20"
    title = "Order of symbols"

    def _findings(self, known: Evidence) -> Iterator[Finding]:
        columns = known.panel.shape[1]
        if columns < 2:
            yield found(self, Severity.SKIPPED, "the panel has one symbol")
            return
        rng = np.random.default_rng([known.subject.seed, columns])
        orders = {"reversed": np.arange(columns)[::-1], "shuffled": rng.permutation(columns)}
        for name, order in orders.items():
            told = self._reordered(known, name, order)
            if told is not None:
                yield told
                return
        yield found(
            self,
            Severity.PASS,
            f"with {columns} symbols reversed and shuffled every row is the same to 1e-12",
        )

    def _reordered(self, known: Evidence, name: str, order: Int1D) -> Finding | None:
        got = decided(known.subject, known.panel.columns(order))
        if isinstance(got, Raised):
            message = f"weights raises when the symbols are {name}: {got.message}"
            return found(
                self, Severity.FAILURE, message, "find columns by panel.symbols, never by their place"
            )
        back = _in_order(got, order)
        first = known.panel.start_row
        gap = _traded(known.full, back, first)
        if gap is None or not fails(gap):
            return None
        ties = self._only_ties(known, back)
        words = (
            "ties are broken by the place of the column" if ties else "rows depend on the order of columns"
        )
        return found(
            self,
            Severity.WARNING if ties else Severity.FAILURE,
            f"with the symbols {name} the row of {known.day(gap.row)} ({known.symbol(gap)}) differs by up to "
            f"{figure(gap.amount)} of NAV in {gap.rows} sessions: {words}",
            "break ties by panel.symbol_rank"
            if ties
            else "find columns by panel.symbols, never by their place",
            first_date=known.day(gap.row),
            symbol=known.symbol(gap),
            rows=gap.rows,
            largest_weight_difference=figure(gap.amount),
            ties=ties,
        )

    def _only_ties(self, known: Evidence, back: Targets) -> bool:
        """Whether places matter only between equal names.

        With funds before stocks, and behind them, every name has another place and stocks keep their order.
        """
        panel = known.panel
        first = panel.start_row
        if panel.is_stock.all() or not panel.is_stock.any():
            return _margins(known.full.weights[first:], back.weights[first:])
        for key in (panel.is_stock, ~panel.is_stock):
            order = np.argsort(key, kind="stable")
            got = decided(known.subject, panel.columns(order))
            if isinstance(got, Raised) or fails(_traded(known.full, _in_order(got, order), first)):
                return False
        return True


class Scale(EvidenceCheck):
    """D21: units of price do not matter (C4): a later split or dividend rescales every earlier adjusted price."""

    id = "D21"
    title = "Units of price"

    def _findings(self, known: Evidence) -> Iterator[Finding]:
        rng = np.random.default_rng([known.subject.seed, 21])
        factor = 2.0 ** rng.integers(-6, 7, known.panel.shape[1])
        units = dict.fromkeys(PRICES, factor)
        cases: list[tuple[str, dict[str, Any], Severity]] = [
            ("every price is multiplied by one power of two", dict.fromkeys(PRICES, 8.0), Severity.FAILURE),
            (
                "each name's prices are split by a power of two",
                units | {"volume": 1.0 / factor},
                Severity.FAILURE,
            ),
            ("the index is multiplied by a power of two", {"index": 0.25}, Severity.FAILURE),
            (
                "each name's total-return prices are multiplied by a power of two, as a dividend would",
                dict.fromkeys(PRICE_FIELDS, factor),
                Severity.WARNING,
            ),
        ]
        cases[0][1]["volume"] = 0.125
        rounding = 0.0
        for words, factors, severity in cases:
            got = decided(known.subject, scaled(known.panel, factors))
            gap = got if isinstance(got, Raised) else _traded(known.full, got, known.panel.start_row)
            if isinstance(gap, Raised) or fails(gap):
                yield self._told(known, words, gap, severity)
                return
            rounding = max(rounding, 0.0 if gap is None else gap.amount)
        yield found(
            self,
            Severity.PASS,
            "powers of two in prices and index change nothing"
            + (f" beyond rounding ({rounding:.1e})" if rounding else ", to the last bit"),
            largest_weight_difference=rounding,
        )

    def _told(self, known: Evidence, words: str, gap: Outcome, severity: Severity) -> Finding:
        if isinstance(gap, Difference):
            return found(
                self,
                severity,
                f"if {words}, the row of {known.day(gap.row)} ({known.symbol(gap)}) is another one, by up to "
                f"{figure(gap.amount)} of NAV in {gap.rows} sessions: levels of adjusted prices depend on later splits "
                "and dividends",
                "compare returns or ratios, never levels of adjusted prices",
                first_date=known.day(gap.row),
                symbol=known.symbol(gap),
                rows=gap.rows,
                largest_weight_difference=figure(gap.amount),
            )
        said = gap.message if isinstance(gap, Raised) else ""
        return found(
            self,
            Severity.FAILURE,
            f"weights raises if {words}: {said}",
            "compare returns or ratios, never levels",
        )


def _in_order(targets: Targets, order: Int1D) -> Targets:
    weights = np.empty(targets.weights.shape)
    weights[:, order] = targets.weights
    return replace(targets, weights=weights)


def _traded(wanted: Targets, got: Targets, first: int) -> Difference | None:
    stop = len(wanted.decide)
    return compare(part(wanted, first, stop), part(got, first, stop), first)


def _margins(wanted: Float2D, got: Float2D) -> bool:
    """Whether the same weights went to other names, and only in a part of each row: ties at the margin."""
    differs = np.flatnonzero((np.abs(wanted - got) > ROUNDING).any(axis=1))
    before, after = wanted[differs], got[differs]
    same = np.allclose(np.sort(before, axis=1), np.sort(after, axis=1), rtol=0, atol=ROUNDING)
    exchanged = np.abs(before - after).sum(axis=1) / 2
    return bool(same and (exchanged <= OF_A_TIE * np.abs(before).sum(axis=1)).all())
