"""Earnings announcements: the canonical table, the yfinance layout, and when each event takes effect.

The effective session of an announcement (rulings 22): on day D before the open or during the session, D itself;
after the close or at an unknown time, the next session; on a day that is no session, the next session whatever
the flag says.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from ares7.arrays import AnyArray, Bool1D, Dates, Int1D
from ares7.errors import DataError
from ares7.sessions import today as utc_today
from feeds.findings import Finding
from feeds.tables import place, read_table

SESSION_FLAGS = ("pre", "intraday", "post", "unknown")
_SAME_DAY = ("pre", "intraday")
_REQUIRED = ("symbol", "announce_date", "session", "eps_actual")
_OPEN_MINUTE, _CLOSE_MINUTE = 9 * 60 + 30, 16 * 60
_STAMP = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}[+-]\d{2}:\d{2}")


def effective_sessions(
    announce_dates: Dates, session_flags: Sequence[str] | AnyArray, sessions: Dates
) -> Int1D:
    """Row of the first session on whose close an announcement may be used.

    Parameters
    ----------
    announce_dates : (E,) datetime64[D]
        New York calendar dates.
    session_flags : (E,) str
        ``pre``, ``intraday``, ``post`` or ``unknown``.
    sessions : (T,) datetime64[D]
        Exchange sessions without holes, strictly increasing.

    Returns
    -------
    (E,) int64
        Index into ``sessions``; -1 where the effective session is none of them: it lies after the last one,
        so that the event is not known yet, or the event is older than the first one.

    Raises
    ------
    DataError
        An unknown flag.
    """
    flags = np.asarray(session_flags, dtype=object)
    unknown = ~np.isin(flags, SESSION_FLAGS)
    if unknown.any():
        raise DataError(
            f"session flag {flags[unknown][0]!r} is none of {', '.join(SESSION_FLAGS)}; correct it"
        )
    days = announce_dates.astype("datetime64[D]")
    on_or_after = np.searchsorted(sessions, days, side="left")
    after = np.searchsorted(sessions, days, side="right")
    rows = np.where(np.isin(flags, _SAME_DAY), on_or_after, after).astype(np.int64)
    # Which session followed an event before the first one is not known from these sessions.
    return np.where((after > 0) & (rows < len(sessions)), rows, -1)


def read_earnings(path: Path) -> pd.DataFrame:
    """Read the canonical earnings table.

    Parameters
    ----------
    path : Path
        CSV or Parquet with ``symbol, announce_date, session, eps_actual`` (New York dates, split-adjusted USD
        a share) and optionally ``announce_time_et, eps_estimate, fiscal_quarter_end, source``.

    Returns
    -------
    DataFrame
        These columns, sorted by symbol and announcement date, index 0..n-1.

    Raises
    ------
    DataError
        The first error that `check` lists.
    """
    events, findings = _load(path, utc_today())
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        more = f" ({len(errors) - 1} more: run 'python run.py data check DIR')" if len(errors) > 1 else ""
        raise errors[0].kind(errors[0].message + more)
    return _in_order(events)


def check(path: Path, sessions: Dates | None = None, *, today: np.datetime64 | None = None) -> list[Finding]:
    """List what is wrong with an earnings table.

    Parameters
    ----------
    path : Path
        As `read_earnings`.
    sessions : (T,) datetime64[D] or None
        Exchange sessions; announcements between the first and the last that fall on none are counted.
    today : datetime64[D] or None
        Results announced after it are errors; None means today in UTC.
    """
    try:
        events, findings = _load(path, utc_today() if today is None else today)
    except DataError as error:
        return [Finding("error", "earnings", "unreadable", str(error), kind=type(error))]
    if sessions is not None and len(sessions):
        days = _days(events)
        off = (days >= sessions[0]) & (days <= sessions[-1]) & ~np.isin(days, sessions)
        findings += _finding(
            path, events, off, "warning", "event-off-session", "on no session; effective on the next one"
        )
    return findings


def read_yfinance_earnings(path: Path, symbol: str) -> pd.DataFrame:
    """Read one symbol's earnings dates as yfinance writes them.

    Parameters
    ----------
    path : Path
        CSV with ``Earnings Date`` (``YYYY-MM-DD HH:MM:SS+hh:mm``), ``EPS Estimate`` and ``Reported EPS``.
    symbol : str
        The layout does not name it.

    Returns
    -------
    DataFrame
        Columns and order of `read_earnings`. The date is New York's; before 09:30 is ``pre``, from 16:00 on
        ``post``, else ``intraday``. Exactly midnight is ``unknown``: the vendor writes it for no time at all.

    Raises
    ------
    DataError
        Another layout, a time stamp without offset, a date given twice.
    """
    raw = read_table(
        path, ("Earnings Date", "EPS Estimate", "Reported EPS"), numbers=("EPS Estimate", "Reported EPS")
    )
    stamps = raw["Earnings Date"]
    for index, stamp in enumerate(stamps):
        if not _STAMP.fullmatch(stamp):
            raise DataError(
                f"{path} {place(index)}: 'Earnings Date' holds {stamp!r}; layout yfinance_earnings_dates has time "
                "stamps with an offset, such as 2024-02-01 16:00:00-05:00; export it again"
            )
    try:
        local = pd.to_datetime(stamps, utc=True, format="%Y-%m-%d %H:%M:%S%z").dt.tz_convert(
            "America/New_York"
        )
    except ValueError as error:
        raise DataError(f"{path}: 'Earnings Date' holds an impossible time ({error}); correct it") from None
    minute = (local.dt.hour * 60 + local.dt.minute).to_numpy()
    events = pd.DataFrame(
        {
            "symbol": pd.Series([symbol] * len(raw), dtype=object),
            "announce_date": local.dt.tz_localize(None).dt.normalize().astype("datetime64[s]"),
            "session": pd.Series([_flag_of(int(m)) for m in minute], dtype=object),
            "eps_actual": raw["Reported EPS"],
            "announce_time_et": local.dt.strftime("%H:%M").astype(object),
            "eps_estimate": raw["EPS Estimate"],
            "source": pd.Series(["yfinance"] * len(raw), dtype=object),
        }
    )
    errors = [finding for finding in _check_events(path, events, utc_today()) if finding.severity == "error"]
    if errors:
        raise DataError(errors[0].message)
    return _in_order(events)


def _flag_of(minute: int) -> str:
    if minute == 0:
        return "unknown"
    if minute < _OPEN_MINUTE:
        return "pre"
    return "intraday" if minute < _CLOSE_MINUTE else "post"


def _load(path: Path, today: np.datetime64) -> tuple[pd.DataFrame, list[Finding]]:
    events = read_table(
        path,
        _REQUIRED,
        dates=("announce_date", "fiscal_quarter_end"),
        text=("announce_time_et", "source"),
        numbers=("eps_actual", "eps_estimate"),
    )
    return events, _check_events(path, events, today)


def _in_order(events: pd.DataFrame) -> pd.DataFrame:
    return events.sort_values(["symbol", "announce_date"], kind="stable", ignore_index=True)


def _days(events: pd.DataFrame) -> Dates:
    return events["announce_date"].to_numpy().astype("datetime64[D]")


def _check_events(path: Path, events: pd.DataFrame, today: np.datetime64) -> list[Finding]:
    days = _days(events)
    eps = events["eps_actual"].to_numpy(dtype=np.float64)
    no_key = ((events["symbol"] == "") | events["announce_date"].isna()).to_numpy(dtype=bool)
    repeated = events.duplicated(["symbol", "announce_date"], keep=False).to_numpy(dtype=bool) & ~no_key
    flags = ", ".join(SESSION_FLAGS)
    unknown = ~events["session"].isin(SESSION_FLAGS).to_numpy(dtype=bool)
    found = [
        _finding(
            path, events, no_key, "error", "missing-key", "without symbol or announce_date; complete it"
        ),
        _finding(
            path, events, unknown, "error", "unknown-session", f"whose session is none of {flags}; correct it"
        ),
        _finding(
            path, events, repeated, "error", "duplicate-row", "given twice for one symbol and day; keep one"
        ),
        _finding(
            path, events, np.isinf(eps), "error", "infinite-eps", "whose eps_actual is infinite; correct it"
        ),
        _finding(
            path,
            events,
            (days > today) & np.isfinite(eps),
            "error",
            "future-date",
            f"with an eps_actual that is announced after today ({today}); correct the date",
        ),
        _finding(
            path,
            events,
            np.isnan(eps),
            "warning",
            "missing-eps",
            "without eps_actual; no surprise is computed",
        ),
    ]
    if "fiscal_quarter_end" in events:
        early = (events["fiscal_quarter_end"] > events["announce_date"]).to_numpy(dtype=bool)
        found.append(
            _finding(
                path,
                events,
                early,
                "warning",
                "announced-early",
                "announced before their fiscal quarter ended",
            )
        )
    return [finding for findings in found for finding in findings]


def _finding(
    path: Path,
    events: pd.DataFrame,
    bad: Bool1D,
    severity: Literal["error", "warning"],
    code: str,
    what: str,
) -> list[Finding]:
    """One finding about the rows that are ``bad``, or none."""
    if not bad.any():
        return []
    first = int(np.flatnonzero(bad)[0])
    days = _days(events)
    known = days[bad & ~np.isnat(days)]
    row = events.iloc[first]
    message = (
        f"{path}: {bad.sum()} rows {what}; the first is {place(first)} ({row['symbol']}, {days[first]}, "
        f"session {row['session']!r})"
    )
    span = (known.min(), known.max()) if len(known) == bad.sum() else (None, None)
    return [Finding(severity, "earnings", code, message, int(bad.sum()), span[0], span[1])]
