"""The order stage: target row -> orders, shared by every engine and by live trading (rulings 3 and 4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ares7.arrays import Bool1D, Float1D, Int1D

RETRY_CASH = 0.98
"""Fraction of the cash that a retried order may use (rulings 4)."""


@dataclass(frozen=True, slots=True)
class Basket:
    """Orders of one session in submission order.

    Attributes
    ----------
    symbol : (K,) int64
        Panel columns.
    quantity : (K,) float64
        Signed shares.
    close : (K,) float64
        Total-return close at the decision, USD.
    """

    symbol: Int1D
    quantity: Float1D
    close: Float1D


def net_asset_value(cash: float, held: Float1D, close: Float1D) -> float:
    """Cash + p1*c1 + p2*c2 + ..., added in panel column order (rulings 3).

    Parameters
    ----------
    cash : USD
    held : (N,) shares
    close : (N,) USD, finite
    """
    terms = np.empty(len(held) + 1)
    terms[0] = cash
    np.multiply(held, close, out=terms[1:])
    return float(np.add.accumulate(terms)[-1])


def target_shares(weights: Float1D, nav: float, close: Float1D, whole: bool) -> Float1D:
    """``floor((w * NAV) / close)`` shares, or the quotient itself for fractional shares; 0 at weight 0."""
    shares = (weights * nav) / close
    if whole:
        shares = np.floor(shares)
    return np.where(weights > 0, shares, 0.0)


def decide_orders(
    weights: Float1D,
    held: Float1D,
    close: Float1D,
    bar: Bool1D,
    nav: float,
    *,
    whole: bool,
    min_trade_nav: float,
) -> Basket:
    """Orders that bring the holdings to the target row.

    Sorted by (target - held) in shares, so that sales come first, then panel column order; skipped where
    ``|target - held| * close < min_trade_nav * NAV`` and the target is not 0 shares; no order for a name
    without a bar in this session.

    Parameters
    ----------
    weights : (N,) fraction of NAV
    held : (N,) shares
    close : (N,) USD, finite
    bar : (N,) bool
        The name traded in this session.
    nav : USD
    whole : bool
    min_trade_nav : float

    Returns
    -------
    Basket
    """
    target = target_shares(weights, nav, close, whole)
    change = target - held
    small = (np.abs(change) * close < min_trade_nav * nav) & (target != 0)
    wanted = (((change != 0) & bar) > small).nonzero()[0]
    wanted = wanted[change[wanted].argsort(kind="stable")]
    return Basket(wanted, change[wanted], close[wanted])


def retry_orders(
    symbol: Int1D,
    missing: Float1D,
    close: Float1D,
    bar: Bool1D,
    cash: float,
    fees: Float1D,
    *,
    whole: bool,
) -> Basket:
    """Second and last attempt for buys that were refused in this session (rulings 4).

    ``min(missing, floor(.98 * cash / (close * (1 + fee))))``, each sized against the same cash; a name without a
    bar is not retried.

    Parameters
    ----------
    symbol : (K,) int64
    missing : (K,) shares, positive
    close, bar : (N,)
    cash : USD
    fees : (K,) USD
        Commission of the missing quantity at the close; ``fee`` is its fraction of the notional.
    whole : bool

    Returns
    -------
    Basket
    """
    price = close[symbol]
    fee = fees / (missing * price)
    affordable = RETRY_CASH * cash / (price * (1.0 + fee))
    quantity = np.minimum(missing, np.floor(affordable) if whole else affordable)
    keep = bar[symbol] & (quantity > 0)
    return Basket(symbol[keep], quantity[keep], price[keep])
