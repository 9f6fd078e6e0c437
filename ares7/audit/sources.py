"""D11 and D18: where the data came from, how old it is, and on which days it became known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from ares7.arrays import Dates, Float1D, Int1D
from ares7.audit.finding import Finding, Severity, found
from ares7.audit.inputs import ANNOUNCED, FUNDAMENTALS, event_fields, new_values
from ares7.audit.subject import Subject
from ares7.panel import PRICE_FIELDS, Panel

TAINTED = ("random", "mock", "dummy", "fake", "synthetic", "simulated")
STALE_SERIES_ROWS = 10
"""Rows of one and the same close in a row that warn: two weeks; a quiet VIX rests for days on its floor."""
STALE_FIELD_ROWS = 130
"""Half a year without any new figure of a field: companies report four times a year."""
QUARTER_DAYS = 91
IMPOSSIBLE_DAYS, EARLY_DAYS = 5, 20
IMPOSSIBLE_SHARE, EARLY_SHARE = 0.5, 0.3
WINDOW_DAYS, WINDOW_SHARE = 7, 0.6
FEWEST_CHANGES = 100


class Provenance:
    """D11: every input says where it came from, and is as fresh as the panel."""

    id: ClassVar[str] = "D11"
    title: ClassVar[str] = "Provenance and staleness"

    def run(self, subject: Subject) -> Iterable[Finding]:
        """Compare what the panel holds with what its provenance names; measure the age of each input."""
        failures = [*self._sources(subject)]
        stale = [*self._stale(subject)]
        if failures or stale:
            return [*failures, *stale]
        given = subject.panel.provenance
        stamp = "SYNTHETIC: " if given.get("synthetic") else ""
        message = f"{stamp}every input names its source; the newest row of each is fresh"
        evidence: dict[str, Any] = {
            "synthetic": bool(given.get("synthetic")),
            "files": dict(given.get("files", {})),
        }
        return [found(self, Severity.PASS, message, newest=newest_rows(subject.panel), **evidence)]

    def _sources(self, subject: Subject) -> Iterator[Finding]:
        panel, given = subject.panel, subject.panel.provenance
        remedy = "load the panel with feeds.load.load_panel, or name source, date and hash of each input"
        generated = bool(given.get("synthetic")) and bool(given.get("source"))
        if not generated and not given.get("files"):
            message = "the panel says of no input where it came from: provenance has no files and no hashes"
            yield found(self, Severity.FAILURE, message, remedy)
            return
        tainted = sorted(_words(given) if not given.get("synthetic") else ())
        if tainted:
            message = (
                f"made-up data under a real name: provenance says {', '.join(tainted)}, and not synthetic"
            )
            yield found(
                self, Severity.FAILURE, message, "set synthetic in its provenance.json", names=tainted
            )
        unnamed = sorted(_unnamed(panel, generated))
        if unnamed:
            message = f"{', '.join(unnamed)} has no source in the panel's provenance: it may be anything"
            yield found(self, Severity.FAILURE, message, remedy, fields=unnamed)

    def _stale(self, subject: Subject) -> Iterator[Finding]:
        panel = subject.panel
        for name in sorted(panel.series.keys() & subject.settings.requires):
            values = panel.series[name][panel.start_row :]
            length, stop = _longest_run(values)
            if length > STALE_SERIES_ROWS:
                first, last = (str(panel.dates[panel.start_row + r]) for r in (stop - length, stop - 1))
                message = f"{name} repeats one value on {length} sessions, {first} to {last}: filled forward"
                remedy = "supply the missing closes: a stale input must stop the decision (C7)"
                numbers = {"input": name, "first_date": first, "last_date": last, "sessions": length}
                yield found(self, Severity.WARNING, message, remedy, **numbers)
        if "fundamentals" not in subject.settings.requires:
            return
        newest = newest_rows(panel)
        for slot, fields in FUNDAMENTALS.items():
            latest = max((newest[name] for name in fields if name in newest), default=None)
            age = 0 if latest is None else int((panel.dates > np.datetime64(latest, "D")).sum())
            if age > STALE_FIELD_ROWS:
                names = " and ".join(fields)
                message = f"{names} has no new value after {latest}, {age} sessions before the panel ends"
                yield found(
                    self, Severity.WARNING, message, "add newer filings", input=slot, newest=latest, age=age
                )


def newest_rows(panel: Panel) -> dict[str, str]:
    """ISO date of the last new value of each input; inputs without any value are left out."""
    out = {}
    for name, values in [*panel.fields.items(), *panel.series.items()]:
        values = values if values.ndim == 2 else values[:, None]
        fresh = np.isfinite(values)
        fresh[1:] &= values[1:] != values[:-1]
        rows = np.flatnonzero(fresh.any(axis=1))
        if len(rows):
            out[name] = str(panel.dates[rows[-1]])
    return out


def _words(given: Mapping[str, Any]) -> Iterator[str]:
    """Texts of the sources and names of the files that say themselves that they are made up."""

    def texts(value: Any) -> Iterator[str]:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                yield from (str(key),) if isinstance(inner, bool) and inner else texts(inner)
        elif isinstance(value, str):
            yield value

    told = [*texts(given.get("source", {})), *texts(given.get("inputs", {})), *given.get("files", {})]
    for text in told:
        if any(word in text.lower() for word in TAINTED):
            yield text


def _unnamed(panel: Panel, generated: bool) -> Iterator[str]:
    """Fields that no part of the provenance accounts for."""
    given = panel.provenance
    accounted = set(given.get("inputs", {})) | {*PRICE_FIELDS, "price", "volume"}
    fundamentals = {name for fields in FUNDAMENTALS.values() for name in fields}
    if given.get("fundamentals", {}).get("files") or (generated and "files" not in given):
        accounted |= fundamentals
    for needs, names in ANNOUNCED.values():
        if given.get(needs, {}).get("announcements") or (generated and "files" not in given):
            accounted |= {*names}
    for name in event_fields(panel):
        if name not in accounted and np.isfinite(panel.fields[name]).any():
            yield name


def _longest_run(values: Float1D) -> tuple[int, int]:
    """Length of the longest stretch of one finite value, and the row after it."""
    same = np.concatenate([[False], values[1:] == values[:-1]])
    starts = np.flatnonzero(~same)
    lengths = np.diff(np.append(starts, len(values)))
    if not len(lengths):
        return 0, 0
    longest = int(np.argmax(lengths))
    return int(lengths[longest]), int(starts[longest] + lengths[longest])


class Timestamps:
    """D11: rows are exchange sessions, in order, and the calendar's marks are right."""

    id: ClassVar[str] = "D11"
    title: ClassVar[str] = "Timestamps"

    def run(self, subject: Subject) -> Iterable[Finding]:
        """Compare dates and marks with the exchange calendar that data or configuration names."""
        panel = subject.panel
        remedy = "align every input on the sessions of one exchange calendar (feeds.load does)"
        days = panel.dates.astype("datetime64[D]")
        back = np.flatnonzero(days[1:] <= days[:-1])
        if len(back):
            row = int(back[0]) + 1
            message = f"{panel.dates[row]} follows {panel.dates[row - 1]}: {len(back)} rows are not in order"
            return [
                found(
                    self, Severity.FAILURE, message, remedy, first_date=str(panel.dates[row]), rows=len(back)
                )
            ]
        calendar = _calendar(subject)
        wrong = [*_wrong_rows(days, calendar)] or [*_wrong_marks(panel, days, calendar)]
        out = [
            found(
                self,
                Severity.FAILURE,
                f"{len(rows)} {words}; the first is {panel.dates[rows[0]]}",
                remedy,
                first_date=str(panel.dates[rows[0]]),
                rows=len(rows),
            )
            for words, rows in wrong
        ]
        if out:
            return out
        what = f"sessions of {calendar}" if calendar else "weekdays (no calendar is named)"
        message = f"{len(days)} rows are {what}, in order, and month ends and week ends are marked right"
        return [found(self, Severity.PASS, message, calendar=calendar, rows=len(days))]


def _calendar(subject: Subject) -> str | None:
    given = subject.panel.provenance
    source = given.get("source")
    named = given.get("calendar") or (source.get("calendar") if isinstance(source, Mapping) else None)
    return named or (None if subject.config is None else subject.config.data.calendar)


def _wrong_rows(days: Dates, calendar: str | None) -> Iterator[tuple[str, Int1D]]:
    if calendar is None:
        weekend = np.flatnonzero((days.astype(np.int64) + 3) % 7 >= 5)  # 1970-01-01 was a Thursday
        if len(weekend):
            yield "rows lie on a weekend, and no calendar is named", weekend
        return
    from ares7.sessions import sessions

    known = sessions(days[0], days[-1], calendar)
    foreign = np.flatnonzero(~np.isin(days, known))
    if len(foreign):
        yield f"rows are no session of {calendar}", foreign
    absent = known[~np.isin(known, days)]
    if len(absent):
        yield (
            f"sessions of {calendar} have no row, the first {absent[0]}; rows after a hole",
            np.minimum(np.searchsorted(days, absent), len(days) - 1),
        )


def _wrong_marks(panel: Panel, days: Dates, calendar: str | None) -> Iterator[tuple[str, Int1D]]:
    """Marks that the calendar contradicts; without one the last row's cannot be judged."""
    marks = {"month": panel.month_end, "week": panel.week_end}
    if calendar is not None:
        from ares7.sessions import period_ends

        right = dict(zip(("month", "week"), period_ends(days, calendar), strict=True))
        until = len(days)
    else:
        monday = (days + np.timedelta64(3, "D")).astype("datetime64[W]")
        month = days.astype("datetime64[M]")
        right = {"month": month[:-1] != month[1:], "week": monday[:-1] != monday[1:]}
        until = len(days) - 1
    for name, mark in marks.items():
        wrong = np.flatnonzero(mark[:until] != right[name])
        if len(wrong):
            yield f"rows are marked wrongly as the last session of a {name} or not", wrong


class RestatedFundamentals:
    """D18: figures become visible when they were filed, not when their quarter ended."""

    id: ClassVar[str] = "D18"
    title: ClassVar[str] = "Fundamentals as filed"

    def run(self, subject: Subject) -> Iterable[Finding]:
        """Read what the provenance admits, and look at which days of a quarter figures become visible."""
        panel = subject.panel
        fields = [f for names in FUNDAMENTALS.values() for f in names if f in panel.fields]
        remedy = "use figures as first reported (ARQ, ART, ARY), dated by their filing (C6)"
        if panel.provenance.get("fundamentals", {}).get("restated"):
            message = (
                "fundamentals are restated rows (MR*), accepted on request: later corrections, by period end"
            )
            return [found(self, Severity.FAILURE, message, remedy, restated=True)]
        days = _visible_days(panel, fields)
        if len(days) < FEWEST_CHANGES:
            message = (
                f"{len(days)} new figures in the panel; {FEWEST_CHANGES} are needed to see when they come"
            )
            return [found(self, Severity.SKIPPED, message)]
        share, offset = _busiest_window(_since_quarter_end(days))
        evidence: dict[str, Any] = {
            "changes": len(days),
            "busiest_week_share": share,
            "busiest_week_day": offset,
        }
        if subject.config is not None:
            delay = subject.config.data.pit_delay_days
            # Visible on the first session after filing date + delay: what is filed on the last day of a quarter
            # comes on day 0, or on day 3 after a long weekend.
            lag = _since_quarter_end(days - np.timedelta64(delay, "D"))
            at_once, early = float((lag <= IMPOSSIBLE_DAYS).mean()), float((lag < EARLY_DAYS).mean())
            evidence |= {"filed_at_once": at_once, "filed_early": early, "pit_delay_days": delay}
            words = f"{at_once:.0%} of {len(days)} new figures are dated within {IMPOSSIBLE_DAYS} days of a quarter end"
            if at_once > IMPOSSIBLE_SHARE:
                message = f"{words}, before anybody files: they are dated by period end, not by filing"
                return [found(self, Severity.FAILURE, message, remedy, **evidence)]
            if early > EARLY_SHARE:
                message = (
                    f"{early:.0%} of {len(days)} new figures are dated in a quarter's first {EARLY_DAYS} days"
                )
                return [found(self, Severity.WARNING, message, remedy, **evidence)]
        if share > WINDOW_SHARE:
            message = (
                f"{share:.0%} of {len(days)} new figures become visible in one week of the quarter, from day {offset} "
                "on: companies do not file all at once, so they are likely dated by period end"
            )
            return [found(self, Severity.WARNING, message, remedy, **evidence)]
        message = (
            f"{len(days)} new figures become visible all over the quarter, at most {share:.0%} in one week"
        )
        return [found(self, Severity.PASS, message, **evidence)]


def _visible_days(panel: Panel, fields: Iterable[str]) -> Dates:
    """Session of each new figure, one a stock and a session."""
    return panel.dates[np.nonzero(new_values(panel, fields))[0]]


def _since_quarter_end(days: Dates) -> Int1D:
    """Calendar days since the first day of the calendar quarter; 0 is the day after a quarter's end."""
    quarter = days.astype("datetime64[M]").astype(np.int64) // 3 * 3
    return np.asarray((days - quarter.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64))


def _busiest_window(days: Int1D) -> tuple[float, int]:
    """Largest share of `WINDOW_DAYS` days of the quarter in a row, and the first of them; quarters are circular."""
    counts = np.bincount(np.minimum(days, QUARTER_DAYS), minlength=QUARTER_DAYS + 1)
    sums = [counts.take(range(i, i + WINDOW_DAYS), mode="wrap").sum() for i in range(len(counts))]
    first = int(np.argmax(sums))
    return float(sums[first] / counts.sum()), first
