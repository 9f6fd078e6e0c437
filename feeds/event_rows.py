"""What announcements of any kind share: session flags, keys, and findings about rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from ares7.arrays import Bool1D, Dates
from ares7.errors import DataError
from feeds.findings import Finding, Input
from feeds.tables import place

SESSION_FLAGS = ("pre", "intraday", "post", "unknown")


@dataclass(frozen=True, slots=True)
class Problem:
    """Rows of one table that have one thing wrong with them.

    Attributes
    ----------
    bad : (E,) bool
    severity : "error" or "warning"
        Rows with an error are not used.
    code, what : str
        Slug of the finding, and what follows "3 rows" in its message.
    """

    bad: Bool1D
    severity: Literal["error", "warning"]
    code: str
    what: str


def announced(events: pd.DataFrame) -> Dates:
    """(E,) datetime64[D] New York dates; NaT where missing."""
    return events["announce_date"].to_numpy().astype("datetime64[D]")


def key_problems(events: pd.DataFrame) -> list[Problem]:
    """Rows without symbol or day, with an unknown session flag, or given twice for one symbol and day."""
    no_key = ((events["symbol"] == "") | events["announce_date"].isna()).to_numpy(dtype=bool)
    repeated = events.duplicated(["symbol", "announce_date"], keep=False).to_numpy(dtype=bool) & ~no_key
    unknown = ~events["session"].isin(SESSION_FLAGS).to_numpy(dtype=bool)
    flags = ", ".join(SESSION_FLAGS)
    return [
        Problem(no_key, "error", "missing-key", "without symbol or announce_date; complete it"),
        Problem(unknown, "error", "unknown-session", f"whose session is none of {flags}; correct it"),
        Problem(repeated, "error", "duplicate-row", "given twice for one symbol and day; keep one"),
    ]


def off_session(events: pd.DataFrame, sessions: Dates | None) -> list[Problem]:
    """Announcements between the first and the last session that fall on none."""
    if sessions is None or len(sessions) == 0:
        return []
    days = announced(events)
    off = (days >= sessions[0]) & (days <= sessions[-1]) & ~np.isin(days, sessions)
    return [Problem(off, "warning", "event-off-session", "on no session; effective on the next one")]


def sound_rows(events: pd.DataFrame, problems: Sequence[Problem]) -> pd.DataFrame:
    """Rows without an error, by symbol and day, index 0..n-1."""
    wrong = np.zeros(len(events), dtype=bool)
    for problem in problems:
        wrong |= problem.bad & (problem.severity == "error")
    return in_order(events[~wrong])


def in_order(events: pd.DataFrame) -> pd.DataFrame:
    """Rows by symbol and day, index 0..n-1."""
    return events.sort_values(["symbol", "announce_date"], kind="stable", ignore_index=True)


def findings_of(path: Path, name: Input, events: pd.DataFrame, problems: Sequence[Problem]) -> list[Finding]:
    """One finding for each problem that some row has."""
    return [_finding(path, name, events, problem) for problem in problems if problem.bad.any()]


def _finding(path: Path, name: Input, events: pd.DataFrame, problem: Problem) -> Finding:
    bad, days = problem.bad, announced(events)
    count, first = int(bad.sum()), int(np.flatnonzero(bad)[0])
    known = days[bad & ~np.isnat(days)]
    row = events.iloc[first]
    message = (
        f"{path}: {count} rows {problem.what}; the first is {place(first)} ({row['symbol']}, {days[first]}, "
        f"session {row['session']!r})"
    )
    span = (known.min(), known.max()) if len(known) == count else (None, None)
    return Finding(problem.severity, name, problem.code, message, count, span[0], span[1])


def listed_or_error(name: Input, list_all: Callable[[], list[Finding]]) -> list[Finding]:
    """Findings of a table; one that cannot be read is one finding."""
    try:
        return list_all()
    except DataError as error:
        return [Finding("error", name, "unreadable", str(error), kind=type(error))]


def raise_first(findings: Sequence[Finding]) -> None:
    """Raise the first error, and say how many more there are.

    Raises
    ------
    DataError
    """
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        more = f" ({len(errors) - 1} more: run 'python run.py data check DIR')" if len(errors) > 1 else ""
        raise errors[0].kind(errors[0].message + more)
