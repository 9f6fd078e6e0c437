"""Answers of one strategy to the same question asked on less data and on other futures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, cast

import numpy as np

from ares7.arrays import Int1D
from ares7.audit.comparison import (
    Answer,
    Difference,
    Outcome,
    Raised,
    answer,
    compare,
    decided,
    fails,
    figure,
    part,
    sampled_rows,
)
from ares7.audit.finding import Finding, Severity, found
from ares7.audit.perturbation import (
    CALENDAR,
    DATES,
    LENGTH,
    all_inputs,
    input_groups,
    other_calendar,
    scrambled,
    with_holes,
)
from ares7.audit.subject import Subject
from ares7.book import Targets
from ares7.panel import Panel

USUAL_CELLS = 800_000
"""Sessions x names at which the usual number of dates is looked at; a smaller panel is looked at more often."""
PREFIX_DATES, MOST_PREFIX_DATES = 40, 64
FUTURE_DATES = 16
BEFORE, AFTER = 60, 130
"""Sessions around t, beyond the warm-up, on which one input at a time is changed."""
DRAWS = 2
"""Futures that are tried, with and without gaps, to find the input that a leak reads."""


class Evidence:
    """Answers of one subject on prefixes and other futures, each computed once and read by several checks.

    Parameters
    ----------
    subject : Subject
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.panel = subject.panel
        self._prefixes: dict[int, Outcome] = {}
        self._futures: dict[tuple[int, str], Outcome] = {}
        self._windows: dict[tuple[int, bool], Window] = {}

    @cached_property
    def answered(self) -> Answer:
        """What the strategy decides on the whole panel."""
        return answer(lambda: self.subject.targets, self.panel)

    @property
    def full(self) -> Targets:
        """The same, where `broken` is empty."""
        return cast(Targets, self.answered)

    @cached_property
    def broken(self) -> str:
        """Why nothing can be compared: the strategy raises, or answers the same question differently."""
        first = self.answered
        if isinstance(first, Raised):
            return f"weights gives no answer on the whole panel: {first.message}"
        again = decided(self.subject, self.panel)
        if isinstance(again, Raised):
            return f"weights gives no answer when it is asked again: {again.message}"
        gap = compare(first, again, 0)
        if gap is None:
            return ""
        return (
            f"two calls on the same data differ on {self.day(gap.row)} ({self.symbol(gap)}) by {figure(gap.amount)}: "
            "weights is no function of its inputs"
        )

    @cached_property
    def first(self) -> int:
        """First row whose decision has all its warm-up; the start session where the panel is too short for one."""
        whole = self.subject.settings.warmup - 1
        start = self.panel.start_row
        return max(start, whole) if whole < len(self.panel.dates) - 1 else start

    @cached_property
    def rows(self) -> Int1D:
        """Rows at which prefixes are cut."""
        many = PREFIX_DATES * USUAL_CELLS // max(int(np.prod(self.panel.shape)), 1)
        count = min(max(many, 12), MOST_PREFIX_DATES)
        return sampled_rows(self.panel, self.full, self.first, count)

    @cached_property
    def future_rows(self) -> Int1D:
        """Rows after which the future is changed."""
        rows = sampled_rows(self.panel, self.full, self.first, 2 * FUTURE_DATES)
        rows = rows[rows < len(self.panel.dates) - 1]
        deciding = rows[self.full.decide[rows]]
        chosen = deciding if len(deciding) >= FUTURE_DATES else rows
        return chosen[np.linspace(0, len(chosen) - 1, min(FUTURE_DATES, len(chosen))).astype(np.int64)]

    def day(self, row: int) -> str:
        """ISO date of a row."""
        return str(self.panel.dates[row])

    def symbol(self, gap: Difference) -> str:
        """Name that differs most."""
        return self.panel.symbols[gap.column]

    def prefix(self, t: int) -> Outcome:
        """Compare what is decided on the rows up to ``t`` with what is decided on all rows, up to row ``t``."""
        if t not in self._prefixes:
            self._prefixes[t] = _against(self._all, decided(self.subject, self.panel.upto(t)), t)
        return self._prefixes[t]

    def futures(self, group: str) -> dict[int, Outcome]:
        """Other futures of one group of inputs, after each of `future_rows`."""
        return {t: self.future(t, group) for t in self.future_rows.tolist()}

    def holed(self, t: int, group: str) -> bool:
        """Whether the window of this date and group has holes: in every other one, so that back-fills show."""
        place = int(np.searchsorted(self.future_rows, t)) + list(input_groups(self.panel)).index(group)
        return place % 2 == 1

    def future(self, t: int, group: str) -> Outcome:
        """Change one group of inputs after ``t``, in the window around it, and compare its rows up to ``t``."""
        key = (t, group)
        if key not in self._futures:
            holes = self.holed(t, group)
            window = self._window(t, holes)
            names = input_groups(window.panel)[group]
            got = decided(self.subject, self._scrambled(window.panel, t - window.first, names, holes))
            self._futures[key] = _against(window, got, t)
        return self._futures[key]

    def everything(self, t: int) -> Outcome:
        """Change every input in every row after ``t`` and compare the rows up to ``t``."""
        key = (t, "")
        if key not in self._futures:
            other = self._scrambled(self.panel, t, all_inputs(self.panel), gaps=False)
            self._futures[key] = _against(self._all, decided(self.subject, other), t)
        return self._futures[key]

    def outcomes(self) -> Iterator[tuple[int, Outcome]]:
        """Yield every comparison made so far, with the last row that both answers share."""
        yield from self._prefixes.items()
        for (t, _), outcome in self._futures.items():
            yield t, outcome

    def read_after(self, t: int) -> tuple[str, ...]:
        """Inputs whose rows after ``t``, changed alone, change rows up to ``t``.

        The calendar, or the number of rows, where no input does.
        """
        names: list[str] = []
        for group in input_groups(self.panel):
            names += self.of_group(t, group)
        if not names:
            names = [n for n in (DATES, *CALENDAR) if self._calendar_matters(t, n)]
        return tuple(names) or (LENGTH,)

    def of_group(self, t: int, group: str) -> list[str]:
        """Members of a group of inputs whose rows after ``t`` matter alone; the group itself if only together."""
        members = input_groups(self.panel)[group]
        for window in (self._window(t, holes=False), self._window(t, holes=True), self._all):
            if self._matters(window, t, members):
                alone = [name for name in members if self._matters(window, t, (name,))]
                return alone or [group]
        return []

    def _matters(self, window: Window, t: int, names: tuple[str, ...]) -> bool:
        futures = (
            self._scrambled(window.panel, t - window.first, names, gaps, draw)
            for draw in range(DRAWS)
            for gaps in (False, True)
        )
        return any(self._tells(window, t, panel) for panel in futures)

    def _calendar_matters(self, t: int, name: str) -> bool:
        return any(self._tells(self._all, t, panel) for panel in other_calendar(self.panel, t, name))

    def _tells(self, window: Window, t: int, panel: Panel) -> bool:
        outcome = _against(window, decided(self.subject, panel), t)
        return outcome is not None and (isinstance(outcome, Raised) or outcome.severity is not Severity.PASS)

    def _scrambled(self, panel: Panel, t: int, names: Iterable[str], gaps: bool, draw: int = 0) -> Panel:
        rng = np.random.default_rng([self.subject.seed, t, draw])
        return scrambled(panel, t, names, rng, gaps=gaps)

    @cached_property
    def _all(self) -> Window:
        return Window(self.panel, 0, self.full)

    def _window(self, t: int, holes: bool) -> Window:
        """Rows around ``t``, and what is decided on them; all rows where the strategy gives no answer on these."""
        key = (t, holes)
        if key not in self._windows:
            warmup = self.subject.settings.warmup
            low = max(t - warmup - BEFORE, 0)
            panel = self.panel.rows(low, t + 1 + AFTER)
            start = max(panel.start_row, min(warmup - 1, t - low))
            panel = panel.starting(panel.dates[start])
            if holes:
                panel = with_holes(panel, t - low, np.random.default_rng([self.subject.seed, t]))
            given = decided(self.subject, panel)
            self._windows[key] = self._all if isinstance(given, Raised) else Window(panel, low, given)
        return self._windows[key]


@dataclass(frozen=True, slots=True)
class Window:
    """Rows of a panel, from row ``first`` of it on, and what the strategy decides on them."""

    panel: Panel
    first: int
    targets: Targets


def _against(window: Window, got: Answer, t: int) -> Outcome:
    """Compare another answer with the window's own, up to row ``t`` of the whole panel."""
    if isinstance(got, Raised):
        return got
    begin, stop = window.panel.start_row, t - window.first + 1
    return compare(part(window.targets, begin, stop), part(got, begin, stop), window.first + begin)


class SharedEvidence:
    """Hands the same evidence to every check of one subject."""

    def __init__(self) -> None:
        self._latest: Evidence | None = None

    def __call__(self, subject: Subject) -> Evidence:
        """Evidence about a subject, kept until another one is asked for."""
        if self._latest is None or self._latest.subject is not subject:
            self._latest = Evidence(subject)
        return self._latest


class EvidenceCheck:
    """A check that reads `Evidence`.

    Parameters
    ----------
    evidence : SharedEvidence, optional
        Shared with other checks, so that nothing is computed twice.
    """

    id: ClassVar[str]
    title: ClassVar[str]

    def __init__(self, evidence: SharedEvidence | None = None) -> None:
        self._evidence = evidence or SharedEvidence()

    def run(self, subject: Subject) -> Iterable[Finding]:
        """Look at a subject; one finding at least."""
        known = self._evidence(subject)
        if known.broken:
            return [self._unanswered(known)]
        return self._findings(known)

    def _unanswered(self, known: Evidence) -> Finding:
        return found(self, Severity.SKIPPED, known.broken)

    def _findings(self, known: Evidence) -> Iterable[Finding]:
        raise NotImplementedError


def earliest(leaks: Callable[[int], bool], rows: Int1D) -> int:
    """First of some rows that leaks, where the last one does and leaks follow leaks; one of those that do else."""
    low, high = 0, len(rows) - 1
    while low < high:
        middle = (low + high) // 2
        if leaks(int(rows[middle])):
            high = middle
        else:
            low = middle + 1
    return int(rows[high])


def first_date(
    known: Evidence, outcome_at: Callable[[int], Outcome], outcomes: Mapping[int, Outcome]
) -> tuple[int, Difference]:
    """Find the first row that differs: between the last clean sampled row and the first that is not.

    Returns
    -------
    row : int
        Last row of the data that shows it.
    gap : Difference
        Whose ``row`` is the first date that differs, and whose symbol differs most on it.
    """
    leaking = [t for t, outcome in outcomes.items() if fails(outcome)]
    end = min(leaking)
    clean = max((t for t in outcomes if t < end), default=known.first - 1)
    between = np.flatnonzero(known.full.decide[clean + 1 : end]) + clean + 1
    t = earliest(lambda row: fails(outcome_at(row)), np.append(between, end))
    gaps = [(s, g) for s in {t, *leaking} if isinstance(g := outcome_at(s), Difference) and fails(g)]
    return min(gaps, key=lambda pair: (pair[1].row, pair[0]))
