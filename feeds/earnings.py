"""Earnings announcements: the canonical table, the yfinance layout, and when each event takes effect.

The effective session of an announcement (rulings 22): on day D before the open or during the session, D itself;
after the close or at an unknown time, the next session; on a day that is no session, the next session whatever
the flag says.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ares7.arrays import AnyArray, Dates, Int1D
from ares7.errors import DataError
from ares7.sessions import today as utc_today
from feeds.event_rows import (
    SESSION_FLAGS,
    Problem,
    announced,
    findings_of,
    in_order,
    key_problems,
    listed_or_error,
    off_session,
    raise_first,
    sound_rows,
)
from feeds.findings import Finding
from feeds.tables import place, read_table

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
    events, findings = sound_earnings(path)
    raise_first(findings)
    return events


def sound_earnings(
    path: Path, sessions: Dates | None = None, today: np.datetime64 | None = None
) -> tuple[pd.DataFrame, list[Finding]]:
    """Read the rows of an earnings table that can be used, and list what is wrong with the others.

    Parameters are those of `check`.

    Returns
    -------
    events : DataFrame
        As `read_earnings`, without the rows that have an error.
    findings : list of Finding

    Raises
    ------
    DataError
        The table cannot be read at all.
    """
    events = read_table(
        path,
        _REQUIRED,
        dates=("announce_date", "fiscal_quarter_end"),
        text=("announce_time_et", "source"),
        numbers=("eps_actual", "eps_estimate"),
    )
    problems = _problems(events, utc_today() if today is None else today) + off_session(events, sessions)
    return sound_rows(events, problems), findings_of(path, "earnings", events, problems)


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
    return listed_or_error("earnings", lambda: sound_earnings(path, sessions, today)[1])


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
    raise_first(findings_of(path, "earnings", events, _problems(events, utc_today())))
    return in_order(events)


def _flag_of(minute: int) -> str:
    if minute == 0:
        return "unknown"
    if minute < _OPEN_MINUTE:
        return "pre"
    return "intraday" if minute < _CLOSE_MINUTE else "post"


def _problems(events: pd.DataFrame, today: np.datetime64) -> list[Problem]:
    days = announced(events)
    eps = events["eps_actual"].to_numpy(dtype=np.float64)
    future = (days > today) & np.isfinite(eps)
    found = [
        *key_problems(events),
        Problem(np.isinf(eps), "error", "infinite-eps", "whose eps_actual is infinite; correct it"),
        Problem(
            future,
            "error",
            "future-date",
            f"with an eps_actual that is announced after today ({today}); correct the date",
        ),
        Problem(np.isnan(eps), "warning", "missing-eps", "without eps_actual; no surprise is computed"),
    ]
    if "eps_estimate" in events:
        infinite = np.isinf(events["eps_estimate"].to_numpy(dtype=np.float64))
        found.append(Problem(infinite, "error", "infinite-eps", "whose eps_estimate is infinite; correct it"))
    if "fiscal_quarter_end" in events:
        early = (events["fiscal_quarter_end"] > events["announce_date"]).to_numpy(dtype=bool)
        what = "announced before their fiscal quarter ended"
        found.append(Problem(early, "warning", "announced-early", what))
    return found
