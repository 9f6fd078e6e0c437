"""Causal wavelet trend: one-sided filters by scale, trend over noise (rulings 9 and 21).

Row t uses closes up to and including close t. Nothing is padded, shifted to zero phase, decimated or scaled by the
whole sample; taps and windows are those of `ares7.signals.filters`.

Sources: Percival and Walden, Wavelet Methods for Time Series Analysis (2000), chapters 5 and 8: filters of the
maximal overlap transform, their widths, boundary values, wavelet variance; Renaud, Starck and Murtagh, Wavelet-based
combined signal filtering and prediction (2005): the causal a trous Haar transform.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np

from ares7.arrays import Bool2D, Float1D, Float2D, Int1D
from ares7.errors import ConfigError
from ares7.signals.filters import complete, filtered, log_returns, ordered, taps_on_returns

Feature = Literal["trend", "slope"]
Filter = Literal["haar", "la8", "db4"]
WIDTHS = {"haar": 2, "la8": 8, "db4": 8}
"""Coefficients of each wavelet's filter at the first level."""
PYWT_NAMES = {"haar": "haar", "la8": "sym4", "db4": "db4"}
"""What PyWavelets calls them."""


def haar_taps(level: int) -> Float1D:
    """Taps of the a trous Haar detail: half the latest mean of 2^(level-1) log closes less the mean of those before.

    c_0 = x, c_j(t) = (c_{j-1}(t) + c_{j-1}(t - 2^(j-1))) / 2, d_j = c_{j-1} - c_j (Renaud, Starck and Murtagh 2005).

    Parameters
    ----------
    level : int
        j >= 1: periods of 2^j to 2^(j+1) sessions.

    Returns
    -------
    (2^j - 1,)
        On log returns: a tent, largest, 1/2, in the middle; exact in binary.
    """
    half = _step(level)
    rising = np.arange(1, half + 1) / (2 * half)
    return np.concatenate([rising, rising[-2::-1]])


def slope_taps(levels: int) -> Float1D:
    """Taps of the slope of the Haar smooth: (c_J(t) - c_J(t - 2^(J-1))) / 2^(J-1), log return a session.

    Returns
    -------
    (2^J + 2^(J-1) - 1,)
        On log returns.
    """
    return _slope(_smooth(levels, _scaling("haar")), _step(levels))


def modwt_taps(level: int, name: Filter) -> Float1D:
    """Taps of the detail of the maximal overlap transform, one-sided and without the advance to zero phase.

    W_j(t) = sum_l h_{j,l} x(t-l), l = 0 .. (2^j - 1)(L - 1) (Percival and Walden 2000, section 5.4). Of a wavelet's
    two orientations the one with less delay is taken, which is theirs for LA(8) and D(8). The sign of a wavelet is a
    convention; here it makes the inner product with the Haar taps of the level positive, so that a recent rise counts
    upwards under every filter. Unlike Haar, la8 and db4 do not see a steady trend: their four vanishing moments
    remove it, and cubic paths.

    Parameters
    ----------
    level : int
    name : {"haar", "la8", "db4"}
        ``la8`` is PyWavelets' sym4, ``db4`` has 8 coefficients too.

    Returns
    -------
    ((2^j - 1)(L - 1),)
        On log returns.

    Raises
    ------
    ConfigError
        PyWavelets is not installed.
    """
    scaling = _scaling(name)
    wavelet = scaling[::-1] * (-1.0) ** np.arange(len(scaling))
    prices = np.convolve(_smooth(level - 1, scaling), _spread(wavelet, _step(level)))
    taps = taps_on_returns(prices)
    haar = haar_taps(level)
    return taps if np.dot(taps[: len(haar)], haar) > 0 else np.negative(taps)


def _step(level: int) -> int:
    """Sessions between the coefficients of a level's filter: 2^(level - 1)."""
    return 1 << (level - 1)


def _spread(taps: Float1D, step: int) -> Float1D:
    """Put ``step - 1`` zeros between taps."""
    out = np.zeros((len(taps) - 1) * step + 1)
    out[::step] = taps
    return out


def _smooth(levels: int, scaling: Float1D) -> Float1D:
    """Taps of the smooth c_J on log closes; level 0 is the close itself."""
    out = np.ones(1)
    for level in range(1, levels + 1):
        out = np.convolve(out, _spread(scaling, _step(level)))
    return out


def _slope(smooth: Float1D, step: int) -> Float1D:
    """Taps on log returns of the smooth less the smooth ``step`` sessions ago, over that many sessions."""
    gap = np.zeros(step)
    return taps_on_returns((np.concatenate([smooth, gap]) - np.concatenate([gap, smooth])) / step)


def _scaling(name: Filter) -> Float1D:
    """Scaling coefficients of the maximal overlap transform, which sum to 1; the earlier they weigh, the better."""
    if name == "haar":
        return np.array([0.5, 0.5])
    found = np.asarray(_pywt().Wavelet(PYWT_NAMES[name]).dec_lo) / np.sqrt(2.0)
    delay = np.dot(np.arange(len(found)), found * found) / np.dot(found, found)
    return np.asarray(found if delay <= (len(found) - 1) / 2 else found[::-1])


def _pywt() -> Any:
    try:
        import pywt
    except ImportError:
        raise ConfigError(
            "the wavelet filters la8 and db4 need PyWavelets, which is not installed; pip install -e "
            '".[wavelets]", or set filter to haar'
        ) from None
    return pywt


def energy(returns: Float2D, taps_of_levels: Sequence[Float1D], rows: Int1D, window: int) -> Float2D:
    """Mean over a trailing window of the sum of squared details: wavelet variance (Percival and Walden 2000, 8.3).

    Parameters
    ----------
    returns : (T, N)
        Without NaN: `log_returns`.
    taps_of_levels : sequence of (L,)
        One filter a level, at least one.
    rows : (R,) int64
    window : int, sessions

    Returns
    -------
    (R, N)
        From the window's own details, the oldest added first; NaN where the window's first session has fewer returns
        than the longest filter has taps.
    """
    from ares7.signals.filter_kernels import add_squares, window_means

    out = np.full((len(rows), returns.shape[1]), np.nan)
    known = rows >= window - 1 + max(len(taps) for taps in taps_of_levels)
    full = rows[known]
    read = np.zeros(len(returns), dtype=np.bool_)
    for back in range(window):
        read[full - back] = True
    sessions = np.flatnonzero(read)
    squares = np.zeros((len(sessions), returns.shape[1]))
    for taps in taps_of_levels:
        add_squares(ordered(returns), np.ascontiguousarray(taps), sessions, squares)
    means = np.empty((len(full), returns.shape[1]))
    window_means(squares, np.cumsum(read) - 1, full, window, means)
    out[known] = means
    return out


def support(
    *,
    band: Iterable[int] = (4, 5, 6),
    noise: Iterable[int] = (1, 2),
    window: int = 63,
    levels: int = 6,
    feature: Feature = "trend",
    filter: Filter = "haar",  # noqa: A002 - the word of the configuration
    energy_ratio: bool = False,
) -> int:
    """Closes that `trend_score` reads, the row's own included; 66 by default.

    Raises
    ------
    ConfigError
        See `trend_score`.
    """
    band, noise = _checked(band, noise, window, levels, feature, filter)
    rest = WIDTHS[filter] - 1

    def closes(level: int) -> int:
        return (2 * _step(level) - 1) * rest + 1

    trend = closes(levels) + _step(levels) if feature == "slope" else closes(max(band))
    deepest = levels if energy_ratio else max(noise)
    return max(trend, window - 1 + closes(deepest))


def trend_score(
    close: Float2D,
    rows: Int1D,
    *,
    band: Iterable[int] = (4, 5, 6),
    noise: Iterable[int] = (1, 2),
    window: int = 63,
    levels: int = 6,
    feature: Feature = "trend",
    filter: Filter = "haar",  # noqa: A002 - the word of the configuration
    energy_ratio: bool = False,
) -> Float2D:
    """Trend over noise: T / sqrt(E), known at the close of each row.

    T is the sum of the band's details (``trend``), or the slope of the smooth c_J (``slope``); E the mean over
    ``window`` sessions of the noise levels' squared details. ``energy_ratio`` multiplies by the band's share of the
    wavelet variance of all levels, over the same window.

    Parameters
    ----------
    close : (T, N) USD, total return
        NaN without a bar.
    rows : (R,) int64
    band, noise : int
        Levels, each within 1..``levels``: level j has periods of 2^j to 2^(j+1) sessions.
    window : int, sessions
    levels : int
        J.
    feature : {"trend", "slope"}
    filter : {"haar", "la8", "db4"}
        See `modwt_taps`.
    energy_ratio : bool

    Returns
    -------
    (R, N)
        NaN where the window of `support` closes is not `complete`, or E is 0.

    Raises
    ------
    ConfigError
        A level outside 1..J or named twice, no level, an unknown name, a window below 1; PyWavelets is not installed.
    """
    band, noise = _checked(band, noise, window, levels, feature, filter)
    width = support(
        band=band,
        noise=noise,
        window=window,
        levels=levels,
        feature=feature,
        filter=filter,
        energy_ratio=energy_ratio,
    )
    returns, details = log_returns(close), [_detail(level, filter) for level in range(1, levels + 1)]
    if feature == "slope":
        taps = _slope(_smooth(levels, _scaling(filter)), _step(levels))
    else:
        taps = _summed([details[level - 1] for level in band])
    spread = np.sqrt(energy(returns, [details[level - 1] for level in noise], rows, window))
    known = complete(close, rows, width) & (spread > 0)
    score = np.full(known.shape, np.nan)
    np.divide(filtered(returns, taps, rows), spread, out=score, where=known)
    if energy_ratio:
        variances = [energy(returns, (taps,), rows, window) for taps in details]
        score *= _share(variances, band, known)
    return score


def _checked(
    band: Iterable[int], noise: Iterable[int], window: int, levels: int, feature: str, name: str
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Levels in increasing order, so that their sums do not depend on how they were listed."""
    if levels < 1 or window < 1:
        raise ConfigError(f"wavelet levels {levels} and window {window} must both be at least 1")
    if feature not in ("trend", "slope"):
        raise ConfigError(f"unknown wavelet feature {feature!r}; set trend or slope")
    if name not in WIDTHS:
        raise ConfigError(f"unknown wavelet filter {name!r}; set one of {', '.join(WIDTHS)}")
    return _known("band", band, levels), _known("noise", noise, levels)


def _known(what: str, listed: Iterable[int], levels: int) -> tuple[int, ...]:
    found = tuple(sorted(listed))
    if not found or len(set(found)) < len(found) or not 1 <= found[0] <= found[-1] <= levels:
        raise ConfigError(
            f"wavelet {what} {list(found)} must be distinct levels, at least one, within 1..{levels}"
        )
    return found


def _detail(level: int, name: Filter) -> Float1D:
    return haar_taps(level) if name == "haar" else modwt_taps(level, name)


def _summed(filters: Sequence[Float1D]) -> Float1D:
    out = np.zeros(max(len(taps) for taps in filters))
    for taps in filters:
        out[: len(taps)] += taps
    return out


def _share(variances: Sequence[Float2D], band: Sequence[int], known: Bool2D) -> Float2D:
    """(R, N) share of the band in the variance of all levels; NaN where it is not known."""
    inside, total = np.zeros(known.shape), np.zeros(known.shape)
    for level, variance in enumerate(variances, start=1):
        total += variance
        if level in band:
            inside += variance
    return np.asarray(np.divide(inside, total, out=np.full(known.shape, np.nan), where=known))
