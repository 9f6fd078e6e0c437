"""Does a decision depend on what came after it? Prefixes (D1), other futures (D5), exposure (D12)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from ares7.audit.comparison import Difference, ExposureGap, Outcome, Raised, fails, figure
from ares7.audit.evidence import Evidence, EvidenceCheck, SharedEvidence, first_date
from ares7.audit.finding import Check, Finding, Severity, found
from ares7.audit.perturbation import LENGTH, all_inputs, input_groups

WHOLE_FUTURES = 3
"""Dates after which everything is changed at once."""
NAMED_DATES = 3
"""Further leaking dates that are asked which input they read."""


def _numbers(known: Evidence, t: int, gap: Difference, outcomes: Mapping[int, Outcome]) -> dict[str, Any]:
    leaking = [s for s, outcome in outcomes.items() if fails(outcome)]
    largest = max(o.amount for o in outcomes.values() if isinstance(o, Difference))
    return {
        "first_date": known.day(gap.row),
        "symbol": known.symbol(gap),
        "data_until": known.day(t),
        "differs_in": gap.what,
        "leaking_dates": len(leaking),
        "sampled_dates": len(outcomes),
        "largest_weight_difference": figure(largest),
    }


def _agreement(outcomes: Iterable[Outcome]) -> tuple[Severity, str]:
    """Severity and words for outcomes without a failure."""
    amounts = [outcome for outcome in outcomes if isinstance(outcome, Difference)]
    if not amounts:
        return Severity.PASS, "to the last bit"
    worst = max(amounts, key=lambda gap: gap.amount)
    return worst.severity, f"to {worst.amount:.1e}, rounding included"


CAUSAL = (
    "compute row t of weights from rows up to t alone; compare weights(panel.upto(t)) with weights(panel)"
)


class PrefixInvariance(EvidenceCheck):
    """D1: a row decided on the data up to its date is the row decided on all data (C2)."""

    id = "D1"
    title = "Prefix invariance"

    def _unanswered(self, known: Evidence) -> Finding:
        remedy = "make weights(panel, settings) a pure function that answers on every panel"
        return found(self, Severity.FAILURE, known.broken, remedy)

    def _findings(self, known: Evidence) -> Iterator[Finding]:
        outcomes = {t: known.prefix(t) for t in known.rows.tolist()}
        raised = [(t, o) for t, o in outcomes.items() if isinstance(o, Raised)]
        for t, given in raised[:1]:
            yield found(
                self,
                Severity.FAILURE,
                f"weights raises on data up to {known.day(t)}: {given.message} "
                f"({len(raised)} of {len(outcomes)} dates)",
                CAUSAL,
                first_date=known.day(t),
                raising_dates=len(raised),
                sampled_dates=len(outcomes),
            )
        if any(fails(o) for o in outcomes.values()):
            yield self._leak(known, outcomes)
        elif not raised:
            severity, words = _agreement(outcomes.values())
            yield found(
                self,
                severity,
                f"on {len(outcomes)} dates from {known.day(known.rows[0])} to {known.day(known.rows[-1])}, what "
                f"was decided up to the date agrees with all data {words}",
                CAUSAL if severity is Severity.WARNING else "",
                sampled_dates=len(outcomes),
            )

    def _leak(self, known: Evidence, outcomes: Mapping[int, Outcome]) -> Finding:
        t, gap = first_date(known, known.prefix, outcomes)
        fields = self._named(known, [t, *(s for s, o in outcomes.items() if fails(o) and s != t)])
        numbers = _numbers(known, t, gap, outcomes)
        return found(
            self,
            Severity.FAILURE,
            f"the row of {known.day(gap.row)} ({known.symbol(gap)}) depends on {', '.join(fields)} after "
            f"{known.day(t)}: on data up to that date it is another one; {numbers['leaking_dates']} of "
            f"{len(outcomes)} dates leak, by up to {numbers['largest_weight_difference']} of NAV",
            CAUSAL,
            fields=list(fields),
            **numbers,
        )

    def _named(self, known: Evidence, leaking: list[int]) -> tuple[str, ...]:
        """Inputs that the first of some leaking dates reads; the calendar or the length only if none reads any."""
        inputs = frozenset(all_inputs(known.panel)) | input_groups(known.panel).keys()
        others = sorted(leaking[1:], key=lambda t: not known.full.decide[t])
        named: tuple[str, ...] = (LENGTH,)
        for t in [leaking[0], *others[:: max(len(others) // NAMED_DATES, 1)][:NAMED_DATES]]:
            fields = known.read_after(t)
            if inputs.intersection(fields):
                return fields
            named = fields if named == (LENGTH,) else named
        return tuple(self._read_elsewhere(known)) or named

    def _read_elsewhere(self, known: Evidence) -> Iterator[str]:
        """Inputs that dates of D5 read, where the dates that leak here do not tell."""
        for group in input_groups(known.panel):
            t = next((t for t, outcome in known.futures(group).items() if fails(outcome)), None)
            if t is not None:
                yield from known.of_group(t, group) or [group]


class FuturePerturbation(EvidenceCheck):
    """D5: changing one input after t, and nothing else, changes no row up to t."""

    id = "D5"
    title = "Future perturbation"

    def _findings(self, known: Evidence) -> Iterator[Finding]:
        rows = known.future_rows.tolist()
        if not rows:
            yield found(self, Severity.SKIPPED, "the panel has no row after the first decision")
            return
        groups = list(input_groups(known.panel))
        told: list[Finding] = []
        seen: list[Outcome] = []
        for group in groups:
            outcomes = known.futures(group)
            seen += outcomes.values()
            told += self._of_group(known, group, outcomes)
        yield from told
        if not told:
            yield from self._together(known, rows, groups, seen)

    def _of_group(self, known: Evidence, group: str, outcomes: Mapping[int, Outcome]) -> Iterator[Finding]:
        raised = [(t, o) for t, o in outcomes.items() if isinstance(o, Raised) and not o.refused]
        if any(fails(o) for o in outcomes.values()):
            t, gap = first_date(known, lambda row: known.future(row, group), outcomes)
            fields = known.of_group(t, group) or [group]
            numbers = _numbers(known, t, gap, outcomes) | {"with_holes": known.holed(t, group)}
            where = " where values up to it are missing" if numbers["with_holes"] else ""
            yield found(
                self,
                Severity.FAILURE,
                f"changing {', '.join(fields)} after {known.day(t)} changes the row of {known.day(gap.row)} "
                f"({known.symbol(gap)}){where}; {numbers['leaking_dates']} of {len(outcomes)} dates leak, by up to "
                f"{numbers['largest_weight_difference']} of NAV",
                CAUSAL,
                fields=fields,
                **numbers,
            )
        elif raised:
            yield self._raises(group, known.day(raised[0][0]), raised, [group])

    def _raises(self, what: str, day: str, raised: list[tuple[int, Raised]], fields: list[str]) -> Finding:
        return found(
            self,
            Severity.FAILURE,
            f"weights raises when {what} after {day} is another: {raised[0][1].message}",
            CAUSAL,
            fields=fields,
            first_date=day,
            raising_dates=len(raised),
        )

    def _together(
        self, known: Evidence, rows: list[int], groups: list[str], seen: list[Outcome]
    ) -> Iterator[Finding]:
        """Everything at once, in the whole future, where no input alone shows anything."""
        dates = [rows[i] for i in np.unique(np.linspace(0, len(rows) - 1, WHOLE_FUTURES).astype(int))]
        outcomes = {t: known.everything(t) for t in dates}
        if any(fails(o) for o in outcomes.values()):
            t, gap = first_date(known, known.everything, outcomes)
            yield found(
                self,
                Severity.FAILURE,
                f"changing everything after {known.day(t)} changes the row of {known.day(gap.row)} "
                f"({known.symbol(gap)})",
                CAUSAL,
                fields=list(known.read_after(t)),
                **_numbers(known, t, gap, outcomes),
            )
            return
        raised = [(t, o) for t, o in outcomes.items() if isinstance(o, Raised) and not o.refused]
        if raised:
            yield self._raises("everything", known.day(raised[0][0]), raised, groups)
            return
        severity, words = _agreement([*seen, *outcomes.values()])
        refused = sum(isinstance(o, Raised) for o in seen)
        yield found(
            self,
            severity,
            f"changing {', '.join(groups)} after each of {len(rows)} dates leaves the rows before alike, {words}",
            CAUSAL if severity is Severity.WARNING else "",
            fields=groups,
            sampled_dates=len(rows),
            refused=refused,
        )


class ExposureOfThePast(EvidenceCheck):
    """D12: how much is invested at t, row sum and risk scale, is a function of the data up to t."""

    id = "D12"
    title = "Exposure known at the time"

    def _findings(self, known: Evidence) -> Iterator[Finding]:
        for t in known.rows.tolist():
            known.prefix(t)
        for group in input_groups(known.panel):
            known.futures(group)
        made = list(known.outcomes())
        gaps = [(t, o.exposure) for t, o in made if isinstance(o, Difference) and o.exposure is not None]
        if gaps:
            yield self._leak(known, gaps, len(made))
        elif made and all(isinstance(o, Raised) for _, o in made):
            yield found(self, Severity.SKIPPED, "weights raises on every other panel")
        else:
            yield found(
                self,
                Severity.PASS,
                f"the invested fraction is the same in {len(made)} comparisons of the past",
            )

    def _leak(self, known: Evidence, gaps: list[tuple[int, ExposureGap]], count: int) -> Finding:
        constant = [(t, gap) for t, gap in gaps if gap.factor is not None]
        t, gap = min(constant or gaps, key=lambda pair: (pair[1].row, pair[0]))
        numbers = {
            "first_date": known.day(gap.row),
            "data_until": known.day(t),
            "exposure": round(gap.wanted, 9),
            "exposure_then": round(gap.got, 9),
            "factor": None if gap.factor is None else round(gap.factor, 9),
            "comparisons": count,
            "differing": len(gaps),
        }
        if gap.factor is not None:
            message = (
                f"every session's exposure is {1 / gap.factor:.4g} times what the data up to {known.day(t)} gave: "
                "the whole book is scaled by one number that was fitted on later data"
            )
            remedy = "scale by what a trailing window knows (risk.vol_target), never by a figure of the whole sample"
            return found(self, Severity.FAILURE, message, remedy, **numbers)
        message = (
            f"exposure on {known.day(gap.row)} is {gap.wanted:.4g}, and {gap.got:.4g} if what came after "
            f"{known.day(t)} is left out or changed; {len(gaps)} of {count} comparisons differ"
        )
        return found(self, Severity.FAILURE, message, CAUSAL, **numbers)


def causality_checks() -> tuple[Check, ...]:
    """Return the checks of this module and of `invariance` and `missing`; they share answers."""
    from ares7.audit.invariance import Permutation, Scale, WarmUp
    from ares7.audit.missing import MissingValues

    evidence = SharedEvidence()
    kinds = (
        PrefixInvariance,
        FuturePerturbation,
        ExposureOfThePast,
        WarmUp,
        Permutation,
        Scale,
        MissingValues,
    )
    return tuple(kind(evidence) for kind in kinds)
