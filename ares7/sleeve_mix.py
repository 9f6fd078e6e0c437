"""What every optimiser of sleeve weights is given, checked once, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ares7.arrays import Float1D, Float2D
from ares7.errors import ConfigError, DataError

ROUNDING = 1e-9
"""Caps that exceed the total by less than this share of it leave one mix only; weights below it are 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Allocation:
    """Long-only weights of K sleeves.

    Attributes
    ----------
    weights : (K,) float64
        Fractions of NAV, at least 0. What they leave below 1 is cash.
    objective : float
        What was optimised, at these weights, in the sample that chose them: CVaR a session (a loss is positive),
        annual Sharpe ratio, or annual volatility. NaN where nothing was optimised.
    note : str
        What the reader must know about the answer; empty where there is nothing to say.
    """

    weights: Float1D
    objective: float
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class SleeveReturns:
    """Checked inputs of an optimiser.

    Attributes
    ----------
    returns : (R, K) fractions
        Row i is earned from close i to close i + 1. Finite.
    caps : (K,) fractions of NAV
        Largest weight of each sleeve, at most ``total``.
    total : float
        What the weights add up to.
    names : tuple of str
    """

    returns: Float2D
    caps: Float1D
    total: float
    names: tuple[str, ...]

    def only_mix(self) -> Float1D | None:
        """(K,) weights where the caps leave no choice, else None."""
        room = float(self.caps.sum())
        return self.caps * (self.total / room) if room <= self.total * (1.0 + ROUNDING) else None

    def highest_mean(self, mean: Float1D) -> Float1D:
        """(K,) weights of the mix with the highest mean: filled up to the caps, best sleeve first."""
        return filled(mean, self.caps, self.total)

    def tidy(self, weights: Float1D) -> Float1D:
        """(K,) weights within [0, cap], rounding noise removed, adding up to what they were meant to."""
        kept = np.where(weights < ROUNDING, 0.0, np.minimum(weights, self.caps))
        spent = float(kept.sum())
        factor = float(weights.sum()) / spent if spent > 0 else 0.0
        return np.asarray(np.minimum(kept * factor, self.caps))


def filled(order: Float1D, caps: Float1D, total: float) -> Float1D:
    """Fill sleeves up to their caps until ``total`` is spent, highest ``order`` first, ties by column.

    Parameters
    ----------
    order : (K,) float64
    caps : (K,) fractions of NAV
    total : float

    Returns
    -------
    (K,) fractions of NAV
    """
    weights, left = np.zeros(len(caps)), total
    for sleeve in np.argsort(-order, kind="stable"):
        weights[sleeve] = min(float(caps[sleeve]), left)
        left -= weights[sleeve]
    return weights


def sleeve_returns(
    returns: Float2D,
    *,
    caps: float | Sequence[float] | Float1D | None = None,
    total: float = 1.0,
    sleeves: Sequence[str] | None = None,
) -> SleeveReturns:
    """Check the inputs of an optimiser.

    Parameters
    ----------
    returns : (R, K) fractions, one row a session
        At least two rows and one sleeve.
    caps : float or (K,) fractions of NAV, optional
        Largest weight of each sleeve; none by default.
    total : float, in (0, 1]
        What the weights add up to.
    sleeves : sequence of K str, optional
        Names for messages; ``sleeve 1`` and so on by default.

    Raises
    ------
    DataError
        Wrong shape, too few rows, a value that is not finite.
    ConfigError
        A cap that is negative or missing, a total outside (0, 1], caps that add up to less than the total.
    """
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] < 2 or values.shape[1] < 1:
        raise DataError(
            f"sleeve returns have shape {values.shape}; give (sessions, sleeves), at least two sessions"
        )
    count = values.shape[1]
    names = tuple(sleeves) if sleeves is not None else tuple(f"sleeve {i + 1}" for i in range(count))
    if len(names) != count:
        raise ConfigError(f"{len(names)} sleeve names for {count} columns of returns; give one name a column")
    holes = np.argwhere(~np.isfinite(values))
    if len(holes):
        row, column = (int(i) for i in holes[0])
        raise DataError(
            f"sleeve returns row {row}, {names[column]}: {values[row, column]} is no return ({len(holes)} such "
            "values); begin where every sleeve has returns, or leave the sleeve out"
        )
    if not 0 < total <= 1:
        raise ConfigError(f"sleeve weights add up to {total:g}; it must lie above 0 and be at most 1")
    return SleeveReturns(values, _caps(caps, total, names), total, names)


def _caps(caps: float | Sequence[float] | Float1D | None, total: float, names: tuple[str, ...]) -> Float1D:
    given = np.asarray(total if caps is None else caps, dtype=np.float64)
    if given.shape not in ((), (len(names),)):
        raise ConfigError(
            f"caps have shape {given.shape} for {len(names)} sleeves; give one number, or one each"
        )
    limits = np.minimum(np.broadcast_to(given, (len(names),)), total)
    for name, cap in zip(names, np.broadcast_to(given, (len(names),)), strict=True):
        if not cap >= 0:
            raise ConfigError(f"cap of {name} is {cap:g}; it must be 0 or more")
    if limits.sum() < total * (1.0 - ROUNDING):
        raise ConfigError(
            f"caps of {len(names)} sleeves add up to {limits.sum():g}, below the total weight {total:g}; raise "
            "the caps or lower the total"
        )
    return limits
