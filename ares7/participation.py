"""How much of the market's volume fills take, and how much money a book can trade."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ares7.arrays import Dates, Float1D, Int1D
from ares7.ledger import Fills, OrderKind, Orders
from ares7.panel import Panel

MOST_OF_VOLUME, NOTIONAL_ABOVE = 0.05, 0.01
"""A book is too large when more than this part of its notional takes more than this share of a session's volume."""


def session_rows(dates: Dates, days: Dates) -> Int1D:
    """Row of each day, -1 where it is no session of the run."""
    row = np.searchsorted(dates, days)
    known = row < len(dates)
    known[known] = dates[row[known]] == days[known]
    return np.where(known, row, -1)


@dataclass(frozen=True, slots=True)
class VolumeShares:
    """Fills whose session has a known volume.

    Attributes
    ----------
    fill : (K,) int64
        Row of `Fills`.
    share : (K,) fraction
        Shares traded over the volume of the session; infinite where nothing else was traded.
    """

    fill: Int1D
    share: Float1D


def volume_shares(panel: Panel, fills: Fills, orders: Orders) -> VolumeShares | None:
    """Return the share of the session's volume that each fill takes; None for a panel without volume.

    Exits at a delisting are left out: they trade with no market.
    """
    volume = panel.fields.get("volume")
    if volume is None or not (np.nan_to_num(volume) > 0).any():
        return None
    row = session_rows(panel.dates, fills.date)
    traded = (row >= 0) & (orders.kind[fills.order] != OrderKind.DELISTING)
    at = (row[traded], fills.symbol[traded])
    # Shares are counted in total-return units (rulings 1): the same money buys close / price as many.
    close = panel.fields["close"][at]
    shares = np.abs(fills.quantity[traded]) * close / panel.fields.get("price", panel.fields["close"])[at]
    known = np.isfinite(volume[at]) & np.isfinite(shares)
    shares, there = shares[known], volume[at][known]
    share = np.divide(shares, there, out=np.full(len(there), np.inf), where=there > 0)
    return VolumeShares(np.flatnonzero(traded)[known], share)


def capacity(share_per_usd: Float1D, turnover: Float1D) -> float:
    """Return the largest account that stays within the limits, if trades scale with it.

    Parameters
    ----------
    share_per_usd : (K,)
        Share of the volume that each fill takes, over the NAV that it was sized by, in USD.
    turnover : (K,)
        Notional of each fill over that NAV.

    Returns
    -------
    float
        USD of NAV at which just `NOTIONAL_ABOVE` of the turnover takes more than `MOST_OF_VOLUME` of its session's
        volume; NaN without a fill, infinite where none takes anything.
    """
    if len(turnover) == 0:
        return float("nan")
    order = np.argsort(-share_per_usd, kind="stable")
    above = np.cumsum(turnover[order]) > NOTIONAL_ABOVE * turnover.sum()
    worst = float(share_per_usd[order][int(np.argmax(above))]) if above.any() else 0.0
    return MOST_OF_VOLUME / worst if worst > 0 else float("inf")
