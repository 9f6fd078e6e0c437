"""The market file: funds that are traded, and the index and VIX series. Nothing is made up (C7)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from ares7.arrays import Dates, Float1D
from ares7.config import DataConfig
from ares7.errors import MissingData, StaleData
from feeds.findings import Finding, Input
from feeds.price_rows import NUMBERS, PriceRows, rows_from_frame
from feeds.prices import check_rows
from feeds.tables import read_table

Role = Literal["index", "vix"]


def read_market(path: Path) -> PriceRows:
    """Read a market table: ``date, symbol, close``, and the other columns of prices for funds.

    Raises
    ------
    DataError
        From `read_table`.
    """
    frame = read_table(path, ["date", "symbol", "close"], ["date"], ["symbol"], NUMBERS)
    return rows_from_frame(frame, str(path))


def check_funds(
    market: PriceRows, config: DataConfig, calendar: Dates, today: np.datetime64
) -> tuple[PriceRows, list[Finding]]:
    """Rows of the configured funds that are sound, and what is wrong with the rest.

    Symbols that are neither fund nor series here are checked too, as warnings: no strategy reads them.

    Parameters
    ----------
    calendar : (S,) datetime64[D]
        Exchange sessions that cover the file.
    """
    rows = market.only(config.etfs)
    good, findings = check_rows(rows, "etfs", calendar, today)
    others = set(market.symbols) - {*config.etfs, config.index, config.vix}
    findings += check_rows(market.only(others), "etfs", calendar, today, used=False)[1]
    for symbol in sorted(set(config.etfs) - set(market.symbols)):
        findings.append(
            Finding(
                "error",
                "etfs",
                "missing-fund",
                f"{market.source} has no rows for {symbol!r}, which data.etfs lists; add its rows or take it "
                "off the list",
                kind=MissingData,
            )
        )
    return good, findings


def role_series(
    market: PriceRows,
    symbol: str,
    role: Role,
    sessions: Dates,
    calendar: Dates,
    today: np.datetime64,
    max_gap: int,
) -> tuple[Float1D | None, list[Finding]]:
    """Closes of an index on the sessions.

    Parameters
    ----------
    market : PriceRows
        Rows of the market file.
    symbol : str
        Its symbol there.
    sessions : (T,) datetime64[D]
        Sessions of the panel.
    calendar : (S,) datetime64[D]
        Exchange sessions that cover the file.
    max_gap : int
        A missing session takes the last close for at most this many sessions in a row (rulings 12); 0 fills
        none. Nothing is filled before the first close.

    Returns
    -------
    (T,) float64 or None
        NaN where there is no close that is recent enough; None when the file does not have the symbol.
    findings : list of Finding
    """
    rows = market.only({symbol})
    if not rows.symbols:
        text = f"{market.source} has no rows for {symbol!r}, which data.{role} names; add them or correct it"
        return None, [Finding("error", role, f"missing-{role}", text, kind=MissingData)]
    name: Input = role
    # A series may leave its value empty on a holiday (FRED does); that is a missing session, judged below.
    rows = rows.take(~np.isnan(rows.values["close"]))
    good, findings = check_rows(rows, name, calendar, today, closes_only=True)
    inside = np.isin(good.days, sessions)
    values = np.full(len(sessions), np.nan)
    values[np.searchsorted(sessions, good.days[inside])] = good.values["close"][inside]
    filled = _fill(values, max_gap)
    count = int((np.isnan(values) & ~np.isnan(filled)).sum())
    if count:
        text = f"{market.source}: {symbol!r} misses {count} sessions, which take the close before them"
        findings.append(Finding("warning", role, f"{role}-filled", text, count=count))
    return filled, findings + _holes(filled, market.source, symbol, role, sessions, max_gap)


def _fill(values: Float1D, max_gap: int) -> Float1D:
    """Carry each value forward over at most ``max_gap`` missing ones."""
    rows = np.arange(len(values))
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, rows))
    recent = (last >= 0) & (rows - last <= max_gap)
    return np.where(recent, values[last], np.nan)


def _holes(
    values: Float1D, source: str, symbol: str, role: Role, sessions: Dates, max_gap: int
) -> list[Finding]:
    """One error for each run of sessions that has no value."""
    empty = np.flatnonzero(np.isnan(values))
    findings = []
    for part in np.split(empty, np.flatnonzero(np.diff(empty) > 1) + 1) if len(empty) else []:
        first, last = sessions[part[0]], sessions[part[-1]]
        stale = max_gap > 0 and part[0] > 0
        limit = f" and the close before is older than {max_gap} sessions" if stale else ""
        findings.append(
            Finding(
                "error",
                role,
                f"stale-{role}" if stale else f"missing-{role}",
                f"{source}: {symbol!r} has no close from {first} to {last} ({len(part)} sessions){limit}; "
                f"add them, or choose a period without these sessions",
                count=len(part),
                first=first,
                last=last,
                kind=StaleData if stale else MissingData,
            )
        )
    return findings
