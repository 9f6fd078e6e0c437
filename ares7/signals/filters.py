"""One-sided filters on log returns: finite windows, each computed from its own rows (rulings 9 and 21).

Row t uses closes up to and including close t. Taps are listed from the row itself backwards. A filter whose taps h on
log closes x sum to 0 is one on log returns r: sum_l h_l x(t-l) = sum_k H_k r(t-k), where H_k is the sum of h_0 to
h_k; it reads one close more than it has taps. So the logarithm is only ever taken of a ratio of two closes, and a
split changes no bit.
"""

from __future__ import annotations

import numpy as np

from ares7.arrays import Bool2D, Float1D, Float2D, Int1D
from ares7.errors import ConfigError

HOLE = 4
"""Sessions without a bar in a row that a window may have (rulings 21)."""


def log_returns(close: Float2D) -> Float2D:
    """Log return from the last bar to each bar.

    Parameters
    ----------
    close : (T, N) USD, total return
        NaN without a bar.

    Returns
    -------
    (T, N)
        log(close / close of the last bar), computed for each pair of closes alone; 0 without a bar and at a
        name's first. The return after a hole spans it: filters see the last close repeated.
    """
    from ares7.signals.filter_kernels import returns_of

    out = np.empty(close.shape)
    returns_of(ordered(close), out)
    return out


def complete(close: Float2D, rows: Int1D, width: int, hole: int = HOLE) -> Bool2D:
    """Whether a name has a full window (rulings 21).

    Parameters
    ----------
    close : (T, N) USD
    rows : (R,) int64
    width : int, closes
        The row's own included.
    hole : int, sessions
        Longest run without a bar inside the window.

    Returns
    -------
    (R, N) bool
        A bar at the row, a bar at the first row of its window, and no longer run in between. Nothing before the
        window is read; false where the window starts before row 0.
    """
    from ares7.signals.filter_kernels import windows_of

    out = np.zeros((len(rows), close.shape[1]), dtype=np.bool_)
    order = np.argsort(rows, kind="stable")
    order = order[rows[order] >= width - 1]
    found = np.zeros((len(order), close.shape[1]), dtype=np.bool_)
    windows_of(ordered(close), rows[order], width, hole, found)
    out[order] = found
    return out


def filtered(returns: Float2D, taps: Float1D, rows: Int1D) -> Float2D:
    """Inner product of the taps with the returns that end at each row, the oldest added first.

    Parameters
    ----------
    returns : (T, N)
        Without NaN: `log_returns`.
    taps : (L,)
        The first belongs to the row itself.
    rows : (R,) int64

    Returns
    -------
    (R, N)
        NaN in rows with fewer than L returns before them, their own included; row 0 has none.

    Raises
    ------
    IndexError
        A row beyond the last.
    """
    from ares7.signals.filter_kernels import filter_rows

    if rows.max(initial=-1) >= len(returns):
        raise IndexError(f"row {rows.max()} of {len(returns)}")  # compiled code would read foreign memory
    out = np.empty((len(rows), returns.shape[1]))
    filter_rows(ordered(returns), np.ascontiguousarray(taps), rows, out)
    return out


def taps_on_returns(prices: Float1D) -> Float1D:
    """Taps on log returns from taps on log closes that sum to 0, up to rounding."""
    return np.asarray(np.cumsum(prices)[:-1])


def macd_taps(fast: int = 12, slow: int = 26, width: int = 126) -> Float1D:
    """Taps of a moving-average difference: a fast less a slow exponential average of log closes (Appel 1979).

    Parameters
    ----------
    fast, slow : int, sessions
        Spans: weights fall by 1 - 2 / (span + 1) a session.
    width : int, closes
        Both averages are cut off after it and rescaled, so that each sums to 1.

    Returns
    -------
    (width - 1,)
        On log returns.

    Raises
    ------
    ConfigError
        Unless 1 <= fast < slow and width >= 2.
    """
    if not (1 <= fast < slow and width >= 2):
        raise ConfigError(f"macd needs 1 <= fast < slow and width >= 2, not {fast}, {slow}, {width}")
    return taps_on_returns(_exponential(fast, width) - _exponential(slow, width))


def _exponential(span: int, width: int) -> Float1D:
    weights = (1.0 - 2.0 / (span + 1)) ** np.arange(width)
    return np.asarray(weights / weights.sum())


def ordered(values: Float2D) -> Float2D:
    """C-ordered float64, which the kernels are compiled for; a copy only where it is not."""
    return np.ascontiguousarray(values, dtype=np.float64)
