"""Check every row of a price table; what is wrong becomes findings, what is right goes to the grid."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

import numpy as np

from ares7.arrays import Bool1D, Dates, Float1D, Float2D, Int1D
from ares7.errors import DataError, MissingData
from feeds.findings import Finding, Input
from feeds.price_rows import PriceRows
from feeds.tables import place

EARLIEST = np.datetime64("1900-01-01", "D")
SUSPICIOUS_MOVE = 0.35
MAX_PRICE = 1e15
"""USD; above it a cell is taken for garbled (reverse splits make honest prices of 1e12)."""
MANY_NAMES = 5
"""So many names without a bar on a session, and none with one: the file has a hole."""
CLUSTER_DAYS = 31
"""Bad rows less than this far apart make one finding; a run elsewhere in time is not stopped by it."""

_DAY = np.timedelta64(1, "D")


class _Rule(NamedTuple):
    code: str
    bad: Bool1D
    field: str | None
    limit: str
    remedy: str
    severity: Literal["error", "warning"] = "error"
    kind: type[DataError] = DataError
    whole_file: bool = False


def check_rows(
    rows: PriceRows,
    name: Input,
    sessions: Dates,
    today: np.datetime64,
    *,
    used: bool = True,
    closes_only: bool = False,
) -> tuple[PriceRows, list[Finding]]:
    """Check every row.

    Parameters
    ----------
    rows : PriceRows
        Rows of the symbols to check.
    name : str
        Input that the findings belong to.
    sessions : (S,) datetime64[D]
        Exchange sessions that cover all plausible dates of ``rows``.
    today : datetime64[D]
        Rows after it are from the future.
    used : bool
        False for symbols that no strategy reads: their errors are warnings.
    closes_only : bool
        An index series: only its close is read, and a row off the calendar is left out with a warning.

    Returns
    -------
    good : PriceRows
        Rows without an error, ordered by symbol and date.
    findings : list of Finding
    """
    bad = np.zeros(len(rows.days), dtype=bool)
    findings: list[Finding] = []
    for rule in _rules(rows, sessions, today, closes_only):
        if rule.severity == "error":
            bad |= rule.bad
        findings += _found(rows, rule, name, used)
    good = rows.take(~bad).ordered()
    if len(good.days) and not closes_only:
        findings += _found(good, _suspicious(good), name, used)
    return good, findings


def plausible(rows: PriceRows, today: np.datetime64) -> Bool1D:
    """(n,) bool: rows whose date can be looked up in the calendar."""
    with np.errstate(invalid="ignore"):
        return np.asarray((rows.days >= EARLIEST) & (rows.days <= today))


def _rules(rows: PriceRows, sessions: Dates, today: np.datetime64, closes_only: bool) -> Iterator[_Rule]:
    yield from _date_rules(rows, today)
    off = plausible(rows, today) & ~np.isin(rows.days, sessions)
    text = "a date that is no exchange session"
    remedy = "remove the row or set data.calendar"
    yield _Rule("non-session", off, None, text, remedy, "warning" if closes_only else "error")
    yield from _order_rules(rows)
    values = rows.values
    yield from _value_rules({"close": values["close"]} if closes_only else values)
    if not closes_only:
        yield from _range_rules(values)


def _date_rules(rows: PriceRows, today: np.datetime64) -> Iterator[_Rule]:
    strange = np.array([not s or s != s.strip() for s in rows.symbols], dtype=bool)
    yield _Rule(
        "bad-symbol", strange[rows.codes], None, "an empty symbol or spaces around it", "correct the symbol"
    )
    days = rows.days
    yield _Rule("missing-date", np.isnat(days), None, "no date", "add the date or remove the row")
    yield _Rule("future-date", days > today, None, f"a date after today, {today} UTC", "correct the date")
    yield _Rule("ancient-date", days < EARLIEST, None, f"a date before {EARLIEST}", "correct the date")


def _order_rules(rows: PriceRows) -> Iterator[_Rule]:
    step = _steps(rows, np.argsort(rows.codes, kind="stable"))
    yield _Rule(
        "unsorted-dates",
        step < 0,
        None,
        "a date before that of the symbol's previous row",
        "sort the file by symbol and date",
        whole_file=True,
    )
    step = _steps(rows, np.lexsort((rows.days, rows.codes)))
    yield _Rule(
        "duplicate-row", step == 0, None, "a (date, symbol) that an earlier row already has", "keep one row"
    )


def _steps(rows: PriceRows, order: Int1D) -> Int1D:
    """(n,) days from the same symbol's row before it in ``order``; 1 for a symbol's first row."""
    days, codes = rows.days[order], rows.codes[order]
    known = ~np.isnat(days[1:]) & ~np.isnat(days[:-1]) & (codes[1:] == codes[:-1])
    steps = np.ones(len(order), dtype=np.int64)
    steps[order[1:][known]] = (days[1:] - days[:-1])[known] // _DAY
    return steps


def _value_rules(values: Mapping[str, Float1D]) -> Iterator[_Rule]:
    empty = [name for name, column in values.items() if np.isnan(column).any()]
    if empty:
        missing = np.logical_or.reduce([np.isnan(values[name]) for name in empty])
        limit, remedy = f"no number in {', '.join(empty)}", "write it or remove the row"
        yield _Rule("missing-value", missing, None, limit, remedy, kind=MissingData)
    for name, column in values.items():
        yield _Rule("infinite-value", np.isinf(column), name, "not finite", "correct the value")
        if name == "volume":
            yield _Rule("bad-volume", column < 0, name, "below 0", "correct the value")
        else:
            strange = (column <= 0) | (np.isfinite(column) & (column > MAX_PRICE))
            limit = f"not above 0 and at most {MAX_PRICE:g}"
            yield _Rule("bad-price", strange, name, limit, "correct the value or remove the row")


def _range_rules(values: Mapping[str, Float1D]) -> Iterator[_Rule]:
    low, high = values["low"], values["high"]
    yield _Rule("high-below-low", high < low, "high", "below low", "correct the row")
    for name in ("open", "close"):
        outside = (low <= high) & ((values[name] < low) | (values[name] > high))
        remedy = "check the row against its source"
        yield _Rule("outside-high-low", outside, name, "outside low to high", remedy, "warning")
    no_volume = values["volume"] == 0
    yield _Rule("zero-volume", no_volume, None, "zero volume", "a fill there is optimistic", "warning")


def _suspicious(good: PriceRows) -> _Rule:
    close = good.values["close"]
    move = np.zeros(len(close))
    move[1:] = np.where(good.codes[1:] == good.codes[:-1], close[1:] / close[:-1] - 1.0, 0.0)
    return _Rule(
        "suspicious-move",
        np.abs(move) > SUSPICIOUS_MOVE,
        "close",
        f"a one-day move above {SUSPICIOUS_MOVE:.0%}",
        "check it for a missed split",
        "warning",
    )


def clusters(days: Dates) -> list[slice]:
    """Slices of sorted days that lie close together (`CLUSTER_DAYS`)."""
    cuts = np.flatnonzero(np.diff(days) > CLUSTER_DAYS * _DAY) + 1
    edges = [0, *cuts.tolist(), len(days)]
    return [slice(a, b) for a, b in itertools.pairwise(edges) if b > a]


def _found(rows: PriceRows, rule: _Rule, name: Input, used: bool) -> list[Finding]:
    """One finding for each cluster of dates; one for the whole file where dates cannot say where it is."""
    at = np.flatnonzero(rule.bad)
    if len(at) == 0:
        return []
    at = at[np.argsort(rows.days[at], kind="stable")]
    whole = rule.whole_file or bool(np.isnat(rows.days[at]).any()) or rule.severity == "warning"
    parts = [slice(0, len(at))] if whole else clusters(rows.days[at])
    return [_finding(rows, rule, name, used, at[part], whole) for part in parts]


def _finding(rows: PriceRows, rule: _Rule, name: Input, used: bool, at: Int1D, whole: bool) -> Finding:
    worst, days = at[0], rows.days[at]
    days = days[~np.isnat(days)]
    what = rule.limit
    if rule.field is not None:
        what = f"{rule.field} {float(rows.values[rule.field][worst])}, {rule.limit}"
    when = f" on {days[0]}" if len(days) else ""
    more = ""
    if len(at) > 1:
        more = f" ({len(at)} rows like it" + (f", {days[0]} to {days[-1]})" if len(days) else ")")
    return Finding(
        severity=rule.severity if used else "warning",
        input=name,
        code=rule.code,
        message=f"{rows.source}: {rows.symbols[rows.codes[worst]]!r}{when} "
        f"({place(int(rows.numbers[worst]))}) has {what}; {rule.remedy}{more}",
        count=len(at),
        first=None if whole else days[0],
        last=None if whole else days[-1],
        kind=rule.kind,
    )


def gaps(
    close: Float2D, sessions: Dates, symbols: tuple[str, ...], source: str, name: Input
) -> list[Finding]:
    """Sessions without a bar between a name's first and last bar.

    A name's own gap is a warning. A session on which none of many names has a bar is a hole in the file, and an
    error.

    Parameters
    ----------
    close : (T, N) float64
        NaN without a bar.
    sessions : (T,) datetime64[D]
    """
    bar = np.isfinite(close)
    begun = np.maximum.accumulate(bar, axis=0)
    going = np.maximum.accumulate(bar[::-1], axis=0)[::-1]
    open_gap = begun & going & ~bar
    holes = sessions[(open_gap.sum(axis=1) >= MANY_NAMES) & ~bar.any(axis=1)]
    findings = []
    for part in clusters(holes):
        first, last, count = holes[part][0], holes[part][-1], len(holes[part])
        text = (
            f"{source} has no row at all on {count} exchange sessions from {first} to {last}; add the rows, or "
            "set data.calendar to the exchange that was closed"
        )
        finding = Finding("error", name, "missing-session", text, count, first, last, MissingData)
        findings.append(finding)
    rows, columns = np.nonzero(open_gap)
    if len(rows):
        names = [symbols[i] for i in np.unique(columns)]
        text = (
            f"{source}: {len(rows)} sessions without a bar inside the history of {len(names)} names, first "
            f"{symbols[columns[0]]!r} on {sessions[rows[0]]} (of {', '.join(names[:5])}); a gap is marked at "
            "the last close; add the rows if the name traded"
        )
        findings.append(Finding("warning", name, "gap", text, count=len(rows)))
    return findings
