"""D7: nothing reacts to an event before it is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ares7.arrays import Bool2D, Float2D, Int1D
from ares7.audit.comparison import Difference, Outcome, Raised, compare, decided, part
from ares7.audit.finding import Finding, Severity, found
from ares7.audit.inputs import event_fields, gap_to, groups_of_events, matters, new_values, panel_inputs
from ares7.audit.subject import Subject
from ares7.book import Targets
from ares7.panel import Panel

EVENTS, EVENT_NAMES, EVENT_ROWS = 8, 10, 5
SHIFT = 42
"""Sessions by which events are shifted: two months, so that a decision at a month end falls between."""


@dataclass(frozen=True, slots=True)
class _Shift:
    """Events of some names after row ``row``, all of them made visible `SHIFT` sessions later."""

    row: int
    names: Int1D
    fields: tuple[str, ...]


class EventAlignment:
    """D7: no target reacts to an event before the session on which it becomes visible."""

    id: ClassVar[str] = "D7"
    title: ClassVar[str] = "No reaction before the event"

    def run(self, subject: Subject) -> Iterable[Finding]:
        """Make a few events visible later; what was decided before their own session must stay."""
        if not event_fields(subject.panel):
            return [found(self, Severity.SKIPPED, "the panel has no field that comes from events")]
        shifts = [shift for fields in _kinds(subject.panel) for shift in _shifts(subject, fields)]
        if not shifts:
            return [found(self, Severity.SKIPPED, "no event becomes visible soon after a decision")]
        reacted = 0
        for shift in shifts:
            answer = decided(subject, _later(subject.panel, shift))
            if isinstance(answer, Raised):
                continue
            gap = _before(subject, answer, shift.row)
            if matters(gap):
                if _differs_by_itself(subject):
                    return [found(self, Severity.SKIPPED, "two calls on the same data differ (D1)")]
                return [self._early(subject, shift)]
            reacted += matters(gap_to(subject, subject.targets, answer))
        if not reacted:
            message = f"no decision depends on the {len(shifts)} groups of events that were shifted"
            return [found(self, Severity.SKIPPED, message)]
        message = (
            f"{reacted} of {len(shifts)} groups of events change decisions when they are shifted by {SHIFT} "
            "sessions, and none changes one made before its own session"
        )
        return [found(self, Severity.PASS, message, groups=len(shifts), reacting=reacted)]

    def _early(self, subject: Subject, shift: _Shift) -> Finding:
        panel, fields = subject.panel, shift.fields

        def gap_of(names: tuple[str, ...], columns: Int1D) -> Outcome:
            answer = decided(subject, _later(panel, _Shift(shift.row, columns, names)))
            return None if isinstance(answer, Raised) else _before(subject, answer, shift.row)

        read = tuple(name for name in fields if matters(gap_of((name,), shift.names))) or fields
        column = next((c for c in shift.names if matters(gap_of(read, np.array([c])))), shift.names[0])
        gap = gap_of(read, np.array([column]))
        if not isinstance(gap, Difference):
            gap = gap_of(read, shift.names)
        at = shift.row if not isinstance(gap, Difference) else gap.row
        amount = gap.amount if isinstance(gap, Difference) else 0.0
        after = new_values(panel, read)[shift.row + 1 :, column]
        visible = str(panel.dates[shift.row + 1 + int(np.argmax(after))])
        symbol, day = panel.symbols[column], str(panel.dates[at])
        message = (
            f"targets of {day} react to {', '.join(read)} of {symbol}, which becomes visible on {visible} only "
            f"(weights differ by up to {amount:.3g} when it comes {SHIFT} sessions later)"
        )
        remedy = (
            "use a figure from its session of visibility on, as the panel dates it; never move it earlier"
        )
        numbers = {"first_date": day, "visible": visible, "symbol": symbol, "fields": list(read)}
        return found(self, Severity.FAILURE, message, remedy, largest_weight_difference=amount, **numbers)


def _differs_by_itself(subject: Subject) -> bool:
    again = decided(subject, subject.panel)
    return isinstance(again, Raised) or matters(gap_to(subject, subject.targets, again))


def _before(subject: Subject, answer: Targets, row: int) -> Outcome:
    first = subject.panel.start_row
    return compare(part(subject.targets, first, row + 1), part(answer, first, row + 1), first)


def _kinds(panel: Panel) -> list[tuple[str, ...]]:
    """Event fields by what ``requires`` calls their input: events of every day would hide the rarer ones."""
    kinds: dict[str, tuple[str, ...]] = {}
    for given in panel_inputs(panel):
        if given.fields:
            kinds[given.needs] = kinds.get(given.needs, ()) + given.fields
    return list(kinds.values())


def _shifts(subject: Subject, fields: tuple[str, ...]) -> list[_Shift]:
    """Decisions just before events of one kind, month ends first, spread over the period."""
    panel, changes = subject.panel, new_values(subject.panel, fields)
    decisions = np.flatnonzero(subject.targets.decide)
    decisions = decisions[(decisions >= panel.start_row) & (decisions < len(panel.dates) - SHIFT - 2)]

    def soon(rows: Int1D, within: int) -> Int1D:
        return rows[[bool(changes[r + 1 : r + 1 + within].any()) for r in rows]]

    choices: list[Callable[[], Int1D]] = [
        lambda: soon(decisions[panel.month_end[decisions]], 1),
        lambda: soon(decisions[panel.month_end[decisions]], EVENT_ROWS),
        lambda: soon(decisions, EVENT_ROWS),
    ]
    chosen: list[int] = []
    for choice in choices:
        rows = choice()
        rows = rows[~np.isin(rows, chosen)]
        room = EVENTS // 2 if not chosen else EVENTS - len(chosen)
        if len(rows) and room > 0:
            chosen += rows[np.unique(np.linspace(0, len(rows) - 1, room).astype(int))].tolist()
    return [_Shift(row, _soonest(changes, row), fields) for row in sorted(chosen)]


def _soonest(changes: Bool2D, row: int) -> Int1D:
    coming = changes[row + 1 : row + 1 + EVENT_ROWS]
    wait = np.where(coming.any(axis=0), np.argmax(coming, axis=0), EVENT_ROWS)
    names = np.argsort(wait, kind="stable")[:EVENT_NAMES]
    return names[wait[names] < EVENT_ROWS].astype(np.int64)


def _later(panel: Panel, shift: _Shift) -> Panel:
    """Hold what was known at ``shift.row`` for `SHIFT` sessions more; an event of one session moves as a whole."""
    events = groups_of_events(panel, shift.fields)
    changed = dict(panel.fields)
    for name in shift.fields:
        if not any(name in group for group in events):
            changed[name] = _held(panel.fields[name], shift)
    for group in events:
        changed |= _moved(panel, group, shift)
    return replace(panel, fields=changed)


def _held(values: Float2D, shift: _Shift) -> Float2D:
    out = values.copy()
    for column in shift.names:
        out[shift.row + 1 : shift.row + 1 + SHIFT, column] = values[shift.row, column]
    return out


def _moved(panel: Panel, group: tuple[str, ...], shift: _Shift) -> dict[str, Float2D]:
    """Events of the `SHIFT` sessions after ``shift.row``, `SHIFT` sessions later, in place of any that lie there."""
    first, stop = shift.row + 1, shift.row + 1 + SHIFT
    out = {name: panel.fields[name].copy() for name in group}
    there = np.any([np.isfinite(values[first:stop]) for values in out.values()], axis=0)
    for name, values in out.items():
        coming = panel.fields[name][first:stop]
        for column in shift.names:
            values[first:stop, column] = np.nan
            rows = np.flatnonzero(there[:, column])
            rows = rows[rows + stop < len(values)]
            values[rows + stop, column] = coming[rows, column]
    return out
