"""Announced buybacks: the canonical table, the layout of the original event files, and the panel's field.

Nothing but who announced how much on which day is read. The original files also carry a ``signal_rank``, which
was computed over events that were still to come.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ares7.arrays import Bool1D, Dates, Float1D, Float2D
from ares7.errors import DataError
from ares7.panel import Panel
from ares7.sessions import today as utc_today
from ares7.signals.surprise import mean_before, on_sessions, scaled
from feeds.earnings import effective_sessions
from feeds.event_rows import (
    Problem,
    announced,
    findings_of,
    key_problems,
    listed_or_error,
    off_session,
    raise_first,
    sound_rows,
)
from feeds.findings import Finding
from feeds.tables import find_table, read_table

STEM = "buybacks"
ORIGINAL = "buyback_events"
"""Stem of a table with the columns of the original event files: ``event_date, ticker, amount_usd``."""
VOLUME_SESSIONS, FEWEST_SESSIONS = 63, 32


def find_buybacks(folder: Path) -> Path | None:
    """Return the folder's table of buybacks in either layout, or None.

    Raises
    ------
    DataError
        When there are several: which one is meant cannot be known.
    """
    found = [path for stem in (STEM, ORIGINAL) if (path := find_table(folder, stem)) is not None]
    if len(found) > 1:
        raise DataError(f"{folder} holds both {found[0].name} and {found[1].name}; keep one of them")
    return found[0] if found else None


def read_buybacks(path: Path) -> pd.DataFrame:
    """Read announced buybacks.

    Parameters
    ----------
    path : Path
        CSV or Parquet with ``symbol, announce_date, session, amount_usd`` and optionally ``market_cap_usd,
        source``; or, under the name ``buyback_events``, ``event_date, ticker, amount_usd``, whose time of day is
        unknown.

    Returns
    -------
    DataFrame
        ``symbol, announce_date, session, amount_usd`` and ``market_cap_usd`` where given (USD), sorted by symbol
        and day, index 0..n-1.

    Raises
    ------
    DataError
        The first error that `check` lists.
    """
    events, findings = sound_buybacks(path)
    raise_first(findings)
    return events


def check(path: Path, sessions: Dates | None = None, *, today: np.datetime64 | None = None) -> list[Finding]:
    """List what is wrong with a table of buybacks; parameters are those of `sound_buybacks`."""
    return listed_or_error("buybacks", lambda: sound_buybacks(path, sessions, today)[1])


def sound_buybacks(
    path: Path, sessions: Dates | None = None, today: np.datetime64 | None = None
) -> tuple[pd.DataFrame, list[Finding]]:
    """Read the rows that can be used, and list what is wrong with the others.

    Parameters
    ----------
    path : Path
        As `read_buybacks`.
    sessions : (T,) datetime64[D] or None
        Exchange sessions; announcements between the first and the last that fall on none are counted.
    today : datetime64[D] or None
        Announcements after it are errors; None means today in UTC.

    Returns
    -------
    events : DataFrame
        As `read_buybacks`, without the rows that have an error.
    findings : list of Finding

    Raises
    ------
    DataError
        The table cannot be read at all.
    """
    events = _original(path) if path.stem == ORIGINAL else _canonical(path)
    problems = _problems(events, utc_today() if today is None else today) + off_session(events, sessions)
    return sound_rows(events, problems), findings_of(path, "buybacks", events, problems)


def _canonical(path: Path) -> pd.DataFrame:
    return read_table(
        path,
        ("symbol", "announce_date", "session", "amount_usd"),
        dates=("announce_date",),
        text=("source",),
        numbers=("amount_usd", "market_cap_usd"),
    )


def _original(path: Path) -> pd.DataFrame:
    raw = read_table(
        path, ("event_date", "ticker", "amount_usd"), dates=("event_date",), numbers=("amount_usd",)
    )
    raw = raw.rename(columns={"event_date": "announce_date", "ticker": "symbol"})
    return raw.assign(session=pd.Series(["unknown"] * len(raw), dtype=object))


def _problems(events: pd.DataFrame, today: np.datetime64) -> list[Problem]:
    amount = events["amount_usd"].to_numpy(dtype=np.float64)
    what = "whose {} is not a positive number of USD; correct it or leave it empty"
    found = [
        *key_problems(events),
        Problem(_impossible(amount), "error", "bad-amount", what.format("amount_usd")),
        Problem(
            announced(events) > today,
            "error",
            "future-date",
            f"announced after today ({today}); correct the date",
        ),
        Problem(np.isnan(amount), "warning", "missing-amount", "without amount_usd; they are no events"),
    ]
    if "market_cap_usd" in events:
        cap = events["market_cap_usd"].to_numpy(dtype=np.float64)
        found += [
            Problem(_impossible(cap), "error", "bad-amount", what.format("market_cap_usd")),
            Problem(
                np.isnan(cap), "warning", "missing-market-cap", "without market_cap_usd; they are no events"
            ),
        ]
    return found


def _impossible(amount: Float1D) -> Bool1D:
    return np.asarray(np.isinf(amount) | (amount <= 0))


def buyback_fields(
    path: Path, panel: Panel, today: np.datetime64
) -> tuple[dict[str, Float2D], list[Finding], dict[str, Any]]:
    """Read the buybacks and place the size of each on its effective session.

    Parameters
    ----------
    path : Path
        As `read_buybacks`.
    panel : Panel
        Its sessions, symbols, ``price`` and ``volume``.
    today : datetime64[D]
        Announcements after it are errors.

    Returns
    -------
    fields : dict of str to (T, N) float64
        ``buyback``: ``amount_usd / market_cap_usd`` where the table has that column. Without it, the amount over
        the mean dollar volume (traded price times volume) of the name in the 63 sessions before the effective one,
        at least 32 of which must have a bar: a number of sessions. One file never mixes the two, because they
        cannot be ranked against each other. NaN without an event, for funds, and where a number is missing.
        Effective sessions and several events on one are as in `feeds.surprises`. Empty if no row is sound.
    findings : list of Finding
        On the input ``buybacks``.
    provenance : dict
        Events used, those of other symbols, the scale, and the number of defined values.

    Raises
    ------
    DataError
        The table cannot be read at all.
    """
    events, findings = sound_buybacks(path, panel.dates, today)
    if events.empty:
        return {}, findings, {}
    column = {s: i for i, s in enumerate(panel.symbols) if panel.is_stock[i]}
    listed = events["symbol"].isin(column).to_numpy(dtype=bool)
    own = events[listed]
    name = np.array([column[symbol] for symbol in own["symbol"]], dtype=np.int64)
    row = effective_sessions(announced(own), own["session"].to_numpy(), panel.dates)
    by_cap = "market_cap_usd" in own
    if by_cap:
        scale = own["market_cap_usd"].to_numpy(dtype=np.float64)
    else:
        traded = panel.fields["price"] * panel.fields["volume"]
        scale = mean_before(traded, row, name, VOLUME_SESSIONS, FEWEST_SESSIONS)
    size = scaled(own["amount_usd"].to_numpy(dtype=np.float64), scale)
    values = on_sessions(size, row, name, panel.shape)
    provenance = {
        "file": path.name,
        "announcements": int(listed.sum()),
        "announcements_of_other_symbols": int((~listed).sum()),
        "scale": "market capitalisation" if by_cap else f"dollar volume of {VOLUME_SESSIONS} sessions",
        "defined": int(np.isfinite(values).sum()),
    }
    return {"buyback": values}, findings, provenance
