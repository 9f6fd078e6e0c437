"""The book of a shadow run: what its decisions would have held, each filled in full at the next open.

A shadow run sends nothing, so it has no executions. This is the paper portfolio of Perold (1988) with the configured
costs: what the strategy wanted, traded without delay, refusal or slippage.
"""

from __future__ import annotations

import datetime as dt

import numpy as np

from ares7.arrays import Float1D, Float2D
from ares7.costs import CostModel
from ares7.errors import MissingData
from live.drift import BookHistory
from live.journal.reader import JournalReader
from live.journal.rows import Decision, Rebalance
from live.journal.wire_rows import EXCHANGE

SHADOW = "shadow"
LIMITED = "limited"
"""Outcome of a decision whose order the limits kept back."""
SPLIT = "split"
SAME_VALUE = 1e-3
"""Fraction: a shadow run whose account is worth this little more or less was sized for the same account."""


def decided_shares(decision: Decision) -> float:
    """Return the shares that a decision leaves once its order, if it has one, is filled."""
    if decision.outcome == LIMITED:
        return decision.held_shares + decision.working_shares
    return decision.target_shares


def decided_names(shadow: JournalReader) -> set[str]:
    """Every name that a shadow run ever wanted or held."""
    return {decision.symbol for decision in shadow.decisions()}


def of_shadow(
    shadow: JournalReader, live: BookHistory, opens: Float2D, costs: CostModel, splits: Float2D | None = None
) -> BookHistory:
    """Return the book that a shadow run would have had, beginning with what another book holds.

    Parameters
    ----------
    shadow : JournalReader
        Its decisions count; money comes and goes as in ``live``.
    live : BookHistory
        Gives sessions, names, closes, flows, and the shares and NAV of the first session.
    opens : (T, N) USD a share
        NaN where a name did not trade: its order waits for the next open.
    costs : CostModel
        What each trade is charged.
    splits : (T, N), optional
        New shares for an old one; 1 without a split.

    Raises
    ------
    MissingData
        The shadow wanted a name that has no price.
    """
    shape = live.shares.shape
    ratio = np.ones(shape) if splits is None else splits
    wanted = _targets(shadow, live)
    shares, traded, paid, fees = (np.zeros(shape) for _ in range(4))
    shares[0] = live.shares[0]
    pending = np.full(shape[1], np.nan)
    for row in range(1, shape[0]):
        held, pending = shares[row - 1] * ratio[row], pending * ratio[row]
        pending = np.where(np.isnan(wanted[row]), pending, wanted[row] * ratio[row])
        trades = np.isfinite(pending) & np.isfinite(opens[row])
        traded[row] = np.where(trades, pending - held, 0.0)
        price = np.where(trades, opens[row], 0.0)
        paid[row] = traded[row] * price
        fees[row] = np.where(traded[row] != 0, costs.fees(traded[row], price), 0.0)
        shares[row] = held + traded[row]
        pending = np.where(trades, np.nan, pending)
    fee = fees.sum(axis=1)
    return BookHistory(
        live.dates,
        live.symbols,
        shares,
        live.close,
        traded,
        paid,
        np.zeros(shape),
        fee,
        live.flows,
        _value(live, shares, paid, fee),
    )


def _value(live: BookHistory, shares: Float2D, paid: Float2D, fees: Float1D) -> Float1D:
    """(T,) USD: NAV that follows from the shares, from that of the first session on."""
    held = np.argwhere((shares != 0) & ~np.isfinite(live.close))
    if len(held):
        row, column = held[0]
        raise MissingData(
            f"{live.symbols[column]} has no close on {live.dates[row]}, and the shadow run holds it; add its prices"
        )
    worth = (shares * np.nan_to_num(live.close)).sum(axis=1)
    earned = np.diff(worth) - paid.sum(axis=1)[1:] - fees[1:] + live.flows[1:]
    return np.concatenate([[live.nav[0]], live.nav[0] + np.cumsum(earned)])


def _targets(shadow: JournalReader, live: BookHistory) -> Float2D:
    """(T, N) shares to be traded to in a session, decided since the one before; NaN: nothing was decided."""
    out = np.full(live.shares.shape, np.nan)
    column = {symbol: i for i, symbol in enumerate(live.symbols)}
    for rebalance in shadow.rebalances():
        day = np.datetime64(rebalance.session, "D")
        row = int(np.searchsorted(live.dates, day, side="right"))
        if day < live.dates[0] or row == len(live.dates):
            continue
        scale = _scale(rebalance, live, row - 1)
        # A name without a decision is neither wanted nor held by the account that the shadow run saw.
        out[row] = 0.0
        for decision in shadow.decisions(rebalance.rebalance_id):
            out[row, column[decision.symbol]] = scale * decided_shares(decision)
    return out


def _scale(rebalance: Rebalance, live: BookHistory, row: int) -> float:
    """Return what brings shares that were sized for another account to the value of this one."""
    scale = float(live.nav[row]) / rebalance.nav_usd if rebalance.nav_usd else 1.0
    return scale if abs(scale - 1.0) > SAME_VALUE else 1.0


def splits_of(journal: JournalReader, live: BookHistory) -> Float2D:
    """(T, N) new shares for an old one, of the splits that an account's journal took over."""
    ratio = np.ones(live.shares.shape)
    column = {symbol: i for i, symbol in enumerate(live.symbols)}
    for row in journal.adjustments():
        if row.kind != SPLIT or not row.before_shares or row.at is None or row.symbol not in column:
            continue
        day: dt.date = row.at.astimezone(EXCHANGE).date()
        at = int(np.searchsorted(live.dates, np.datetime64(day, "D")))
        if 0 < at < len(live.dates):
            ratio[at, column[row.symbol]] *= (row.before_shares + row.shares) / row.before_shares
    return ratio
