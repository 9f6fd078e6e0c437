"""Earnings surprises as fields of a panel, each in the row of the session on which it may first be used.

The announcements come from `feeds.earnings`, the arithmetic from `ares7.signals.surprise` (rulings 22).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ares7 import sessions
from ares7.arrays import Dates, Float1D, Float2D
from ares7.config import DataConfig
from ares7.errors import MissingData, StaleData
from ares7.panel import Panel
from ares7.signals.surprise import (
    latest_before,
    on_sessions,
    scaled,
    seasonal_difference,
    sequential_difference,
    standardised_surprise,
)
from feeds.earnings import effective_sessions, sound_earnings
from feeds.event_rows import announced
from feeds.findings import Finding


def surprise_fields(
    path: Path, config: DataConfig, panel: Panel, today: np.datetime64
) -> tuple[dict[str, Float2D], list[Finding], dict[str, Any]]:
    """Read the announcements and place what each one says on its effective session.

    Parameters
    ----------
    path : Path
        Canonical earnings table.
    config : DataConfig
        ``max_earnings_age_sessions`` and ``calendar``.
    panel : Panel
        Its sessions, symbols and ``price``. Announcements before its first row feed the differences.
    today : datetime64[D]
        Results announced after it are errors.

    Returns
    -------
    fields : dict of str to (T, N) float64
        ``surprise_sue`` (standard deviations), ``surprise_price_scaled`` and ``surprise_consensus`` (fraction of
        the price), ``surprise_legacy_seq`` (USD a share): the value in the row of the event's effective session,
        NaN elsewhere and where it is undefined. Of several announcements of one name with the same effective
        session the latest defined value counts. ``surprise_consensus`` exists only where the table has estimates.
        Empty if no row is sound.
    findings : list of Finding
        On the input ``earnings``.
    provenance : dict
        Announcements used, newest one, those of other symbols, and defined values a field.

    Raises
    ------
    DataError
        The table cannot be read at all.
    """
    events, findings = sound_earnings(path, panel.dates, today)
    findings += _staleness(path, events, panel.dates, config)
    findings += _coverage(path, events, panel)
    listed = events["symbol"].isin(_stocks(panel)).to_numpy(dtype=bool)
    fields = placed_surprises(events[listed], panel) if len(events) else {}
    provenance: dict[str, Any] = {"file": path.name, "announcements": int(listed.sum())}
    provenance["announcements_of_other_symbols"] = int((~listed).sum())
    provenance["newest"] = str(announced(events).max()) if len(events) else None
    provenance["defined"] = {name: int(np.isfinite(values).sum()) for name, values in fields.items()}
    return fields, findings, provenance


def placed_surprises(events: pd.DataFrame, panel: Panel) -> dict[str, Float2D]:
    """Place sound announcements of the panel's stocks on their effective sessions.

    Parameters
    ----------
    events : DataFrame
        ``symbol, announce_date, session, eps_actual`` and ``eps_estimate`` where known, one row a symbol and day.
    panel : Panel

    Returns
    -------
    dict of str to (T, N) float64
        As `surprise_fields`.
    """
    column = {symbol: i for i, symbol in enumerate(panel.symbols)}
    days = announced(events)
    name = np.array([column[symbol] for symbol in events["symbol"]], dtype=np.int64)
    # The arithmetic wants the order of the columns, whatever the order of the symbols.
    order = np.lexsort((days, name))
    name, days = name[order], days[order]
    eps = events["eps_actual"].to_numpy(dtype=np.float64)[order]
    row = effective_sessions(days, events["session"].to_numpy()[order], panel.dates)
    price = latest_before(panel.fields["price"], row, name)
    yearly = seasonal_difference(name, days, eps)
    values: dict[str, Float1D] = {
        "surprise_sue": standardised_surprise(name, yearly),
        "surprise_price_scaled": scaled(yearly, price),
        "surprise_legacy_seq": sequential_difference(name, eps),
    }
    if "eps_estimate" in events and events["eps_estimate"].notna().any():
        estimate = events["eps_estimate"].to_numpy(dtype=np.float64)[order]
        with np.errstate(over="ignore"):
            values["surprise_consensus"] = scaled(eps - estimate, price)
    return {key: on_sessions(each, row, name, panel.shape) for key, each in values.items()}


def _stocks(panel: Panel) -> list[str]:
    return [symbol for symbol, stock in zip(panel.symbols, panel.is_stock, strict=True) if stock]


def _staleness(path: Path, events: pd.DataFrame, dates: Dates, config: DataConfig) -> list[Finding]:
    """The sessions on which the newest announcement is too old; it is tested over all names."""
    limit = config.max_earnings_age_sessions
    told = announced(events)[np.isfinite(events["eps_actual"].to_numpy(dtype=np.float64))]
    if len(told) == 0:
        text = f"{path} has no sound announcement with an eps_actual; add some, or switch the earnings overlay off"
        return [Finding("error", "earnings", "stale-earnings", text, kind=StaleData)]
    newest = told.max()
    since = dates if newest >= dates[0] else sessions.sessions(newest, dates[-1], config.calendar)
    stale = since[np.searchsorted(since, newest, side="right") + limit :]
    stale = stale[stale >= dates[0]]
    if len(stale) == 0:
        return []
    age = int((since > newest).sum())
    text = (
        f"{path}: the newest announcement with an eps_actual is of {newest}, which is {age} sessions before "
        f"{dates[-1]}; the limit is {limit} sessions; add newer announcements, end the period before {stale[0]}, "
        "or raise data.max_earnings_age_sessions"
    )
    return [Finding("error", "earnings", "stale-earnings", text, len(stale), stale[0], stale[-1], StaleData)]


def _coverage(path: Path, events: pd.DataFrame, panel: Panel) -> list[Finding]:
    """Stocks of the panel without any announcement; all of them means that the symbols are written otherwise."""
    stocks = _stocks(panel)
    without = sorted(set(stocks) - set(events["symbol"]))
    if not without or not len(events):
        return []
    few = ", ".join(without[:5])
    if len(without) == len(stocks):
        text = f"{path} has no announcement of any stock of the panel ({few}); write the symbols as in the prices"
        return [Finding("error", "earnings", "no-known-symbol", text, kind=MissingData)]
    text = f"{path}: {len(without)} stocks have no announcement ({few}); they have no surprises"
    return [Finding("warning", "earnings", "symbols-without-earnings", text, len(without))]
