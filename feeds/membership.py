"""Point-in-time universe membership: intervals with inclusive ends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ares7.arrays import AnyArray, Bool2D, Dates
from ares7.book import FRESH_SESSIONS
from ares7.errors import DataError, MissingData
from ares7.signals.windows import latest_bar
from feeds.findings import Finding
from feeds.tables import SUFFIXES, place, read_table

OPEN_END = np.datetime64("9999-12-31", "D")


@dataclass(frozen=True, slots=True)
class Membership:
    """Intervals, one a row.

    Attributes
    ----------
    source : str
        File, for messages.
    symbols : (n,) object
    first, last : (n,) datetime64[D]
        Inclusive; an interval without an end lasts until `OPEN_END`.
    """

    source: str
    symbols: AnyArray
    first: Dates
    last: Dates


def find_membership(folder: Path) -> Path | None:
    """Return the single ``membership*.parquet`` or ``.csv`` of a folder, or None.

    Raises
    ------
    DataError
        When there are several.
    """
    found = sorted(path for suffix in SUFFIXES for path in folder.glob(f"membership*{suffix}"))
    if len(found) > 1:
        names = [path.name for path in found]
        raise DataError(f"{folder} holds {len(found)} membership files {names}; keep one of them")
    return found[0] if found else None


def read_membership(path: Path) -> tuple[Membership, list[Finding]]:
    """Read and check intervals.

    Returns
    -------
    Membership
        The intervals without an error.
    findings : list of Finding

    Raises
    ------
    DataError
        From `read_table`.
    """
    frame = read_table(path, ["symbol", "start_date", "end_date"], dates=["start_date", "end_date"])
    symbols = frame["symbol"].to_numpy(dtype=object)
    first = frame["start_date"].to_numpy().astype("datetime64[D]")
    last = frame["end_date"].to_numpy().astype("datetime64[D]")
    last = np.where(np.isnat(last), OPEN_END, last)
    strange = np.array([not symbol or symbol != symbol.strip() for symbol in symbols], dtype=bool)
    rules = (
        ("bad-symbol", strange, "has an empty symbol or spaces around it; correct the symbol"),
        ("missing-date", np.isnat(first), "has no start_date; write the date of entry"),
        ("bad-interval", last < first, "has an end_date before its start_date; correct the dates"),
    )
    findings = [
        Finding(
            "error",
            "membership",
            code,
            f"{path}: {symbols[row]!r} ({place(row)}) {text}"
            + (f" ({count} such rows)" if count > 1 else ""),
            count=count,
        )
        for code, bad, text in rules
        if (count := int(bad.sum())) and (row := int(np.flatnonzero(bad)[0])) >= 0
    ]
    good = ~np.logical_or.reduce([bad for _, bad, _ in rules])
    return Membership(str(path), symbols[good], first[good], last[good]), findings


def member_mask(membership: Membership, dates: Dates, symbols: tuple[str, ...]) -> Bool2D:
    """(T, N) bool: the symbol is a member in that session; both ends of an interval count.

    Parameters
    ----------
    dates : (T,) datetime64[D]
    symbols : tuple of N str
    """
    mask = np.zeros((len(dates), len(symbols)), dtype=bool)
    column = {symbol: i for i, symbol in enumerate(symbols)}
    start = np.searchsorted(dates, membership.first, side="left")
    stop = np.searchsorted(dates, membership.last, side="right")
    for symbol, a, b in zip(membership.symbols, start, stop, strict=True):
        if symbol in column:
            mask[a:b, column[symbol]] = True
    return mask


def universe_findings(member: Bool2D, bar: Bool2D, dates: Dates, source: str) -> list[Finding]:
    """Sessions on which no member has a bar in the last `FRESH_SESSIONS`: nothing can be held there.

    Parameters
    ----------
    member, bar : (T, N) bool
        Of stocks only.
    dates : (T,) datetime64[D]

    Returns
    -------
    list of Finding
        An error where the universe becomes empty; a warning where it is empty only before its first member
        (a warm-up period before the file begins).
    """
    latest = latest_bar(bar)
    fresh = (latest >= 0) & (np.arange(len(dates))[:, None] - latest < FRESH_SESSIONS)
    filled = np.asarray((member & fresh).any(axis=1))
    if not filled.any():
        text = (
            f"{source}: no member has a price between {dates[0]} and {dates[-1]}; check that both files "
            "spell symbols alike, or set data.universe: all"
        )
        return [Finding("error", "membership", "empty-universe", text, kind=MissingData)]
    findings = []
    begin = int(np.argmax(filled))
    if begin:
        text = (
            f"{source}: the universe is empty before {dates[begin]}, though prices begin {dates[0]}; use the "
            "earlier sessions as warm-up only, or add the earlier intervals"
        )
        findings.append(Finding("warning", "membership", "universe-begins-late", text, count=begin))
    empty = np.flatnonzero(~filled[begin:]) + begin
    for part in np.split(empty, np.flatnonzero(np.diff(empty) > 1) + 1) if len(empty) else []:
        a, b, n = dates[part[0]], dates[part[-1]], len(part)
        text = (
            f"{source}: the universe becomes empty, no member has a price from {a} to {b} ({n} sessions); "
            "add the members' prices or intervals, or end the period before"
        )
        findings.append(Finding("error", "membership", "empty-universe", text, n, a, b, MissingData))
    return findings


def without_prices(membership: Membership, dates: Dates, symbols: tuple[str, ...]) -> list[Finding]:
    """Warn of members of the period that have no prices: survivorship bias.

    Parameters
    ----------
    dates : (T,) datetime64[D]
    symbols : tuple of str
        Names that have prices.
    """
    inside = (membership.first <= dates[-1]) & (membership.last >= dates[0])
    names = sorted(set(membership.symbols[inside]) - set(symbols))
    if not names:
        return []
    text = (
        f"{membership.source}: {len(names)} members of the period have no prices ({', '.join(names[:5])}, "
        "...), so results carry survivorship bias; add their prices"
    )
    return [Finding("warning", "membership", "member-without-prices", text, count=len(names))]
