"""Null panels: a market as it was, with the signs of everything unexpected drawn anew.

Sessions, calendar, listings, holes, volume, membership, fundamentals and the size of every move stay. The night and
the day of each session have signs of their own. Given everything up to a close or an open, and the sizes of all moves
to come, every stock then earns in expectation its beta times a constant premium, and a fund its own mean return.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ares7.arrays import Bool2D, Float1D, Float2D
from ares7.panel import PRICE_FIELDS, Panel
from ares7.signals.windows import latest_bar

NIGHT = 0.25
"""Share of the market's return that is taken to lie before the open where no stock tells."""
MOST_BETA, MOST_MOVE, MOST_MARKET = 3.0, 0.4, 0.15
"""Limits to beta, a name's own move and the market's, so that no price can reach zero by a change of signs."""
FEWEST_RETURNS = 250


@dataclass(frozen=True, slots=True)
class NullModel:
    """What a panel keeps when its signs are drawn anew; first axis: from close to open, from open to close.

    Attributes
    ----------
    panel : Panel
    traded : (T, N) bool
        Sessions in which a name moves: it has a bar and had one before.
    surprise : (2, T) fraction
        The market's return less its premium; 0 where it has none.
    premium : (2,) fraction
        The market's mean return.
    beta : (N,)
    expected : (2, N) fraction
        Of each name: beta times premium, and the mean residual of a fund.
    own : (2, T, N) fraction
        Own moves; their signs carry no meaning.
    vix : tuple of float, float, float and (T,)
        Constant, persistence, answer to the market's return, and residual of log VIX; None without VIX.
    """

    panel: Panel
    traded: Bool2D
    surprise: Float2D
    premium: Float1D
    beta: Float1D
    expected: Float2D
    own: Float2D
    vix: tuple[float, float, float, Float1D] | None


@dataclass(frozen=True, slots=True)
class NullMarket:
    """One draw.

    Attributes
    ----------
    panel : Panel
    surprise : (2, T) fraction
        Unexpected part of the market's return before and after the open.
    """

    panel: Panel
    surprise: Float2D


def null_model(panel: Panel) -> NullModel:
    """Split a panel's moves into the market's, the names' own and what was to be expected.

    The market is the series ``index``; without one, the mean return of all stocks. Its open is the one at which the
    stocks' opens fit their betas best.
    """
    bar = panel.bar
    close, opening = panel.fields["close"], panel.fields["open"]
    before = _close_before(close, bar)
    traded = bar & np.isfinite(before)
    moves = np.where(traded, np.array([opening / before, close / opening]) - 1.0, 0.0)
    whole = (1.0 + moves[0]) * (1.0 + moves[1]) - 1.0
    market = _market_returns(panel, whole, traded)
    known = np.isfinite(market)
    market = np.where(known, market, 0.0)
    seen = traded & known[:, None]
    beta = np.clip(_slopes(whole, market, seen), -MOST_BETA, MOST_BETA)
    stocks = seen & panel.is_stock
    night = _market_night(moves[0], beta, stocks, market)
    halves = np.array([night, (1.0 + market) / (1.0 + night) - 1.0])
    premium = halves.sum(axis=1) / max(int(known.sum()), 1)
    surprise = np.clip((halves - premium[:, None]) * known, -MOST_MARKET, MOST_MARKET)
    explained = halves[:, :, None] * beta
    residual = ((moves - explained) * seen).sum(axis=1) / np.maximum(seen.sum(axis=0), 1)
    residual[:, panel.is_stock] = 0.0
    own = np.where(traded, moves - explained - residual[:, None, :], 0.0)
    return NullModel(
        panel,
        traded,
        surprise,
        premium,
        beta,
        beta * premium[:, None] + residual,
        np.clip(own, -MOST_MOVE, MOST_MOVE),
        _vix_model(panel, np.where(known, market, np.nan)),
    )


def draw(model: NullModel, rng: np.random.Generator) -> NullMarket:
    """Draw all signs anew and put the panel together again.

    Stocks have signs of their own; funds share one a night and one a day, so that bonds still move together.
    """
    panel = model.panel
    surprise = model.surprise * _signs(rng, model.surprise.shape)
    moves = np.empty_like(model.own)
    for half in range(2):
        signs = _signs(rng, panel.shape)
        signs[:, ~panel.is_stock] = _signs(rng, (len(panel.dates), 1))
        np.multiply(model.own[half], signs, out=moves[half])
        moves[half] += surprise[half][:, None] * model.beta
        moves[half] += model.expected[half]
    moves[:, ~model.traded] = 0.0
    growth = 1.0 + surprise + model.premium[:, None]
    market = growth[0] * growth[1] - 1.0
    series = dict(panel.series)
    if "index" in series:
        series["index"] = _index(series["index"], market)
    if model.vix is not None:
        series["vix"] = _vix(series["vix"], model.vix, market)
    return NullMarket(
        replace(panel, fields=dict(panel.fields) | _prices(panel, moves), series=series), surprise
    )


def _close_before(close: Float2D, bar: Bool2D) -> Float2D:
    """(T, N) close of the latest earlier session with a bar; NaN before the first."""
    latest = latest_bar(bar)
    before = np.full(close.shape, np.nan)
    row, column = np.nonzero(latest[:-1] >= 0)
    before[row + 1, column] = close[latest[row, column], column]
    return before


def _market_returns(panel: Panel, whole: Float2D, traded: Bool2D) -> Float1D:
    """(T,) the market's return; NaN where there is none."""
    index = panel.series.get("index")
    if index is None:
        seen = traded & panel.is_stock
        count = seen.sum(axis=1)
        mean = (whole * seen).sum(axis=1) / np.maximum(count, 1)
        return np.asarray(np.where(count > 0, mean, np.nan))
    returns = np.full(len(index), np.nan)
    known = np.flatnonzero(np.isfinite(index))
    returns[known[1:]] = index[known[1:]] / index[known[:-1]] - 1.0
    return returns


def _slopes(returns: Float2D, market: Float1D, seen: Bool2D) -> Float1D:
    """(N,) least-squares slopes on the market, over the sessions that each name has; 0 where it stands still."""
    count = np.maximum(seen.sum(axis=0), 1)
    mean = market @ seen / count
    square = (market * market) @ seen - count * mean**2
    product = market @ (returns * seen) - mean * (returns * seen).sum(axis=0)
    return np.asarray(np.divide(product, square, out=np.zeros(len(mean)), where=square > 1e-12))


def _market_night(night: Float2D, beta: Float1D, stocks: Bool2D, market: Float1D) -> Float1D:
    """(T,) the market's return from close to open: least squares of the stocks' nights on their betas."""
    square = stocks @ (beta * beta)
    told = np.divide((night * stocks) @ beta, square, out=NIGHT * market, where=square > 0.1)
    return np.clip(told, -MOST_MARKET, MOST_MARKET)


def _vix_model(panel: Panel, market: Float1D) -> tuple[float, float, float, Float1D] | None:
    """Least squares of log VIX on its value a session before and the market's return."""
    vix = panel.series.get("vix")
    if vix is None:
        return None
    level = np.log(np.where(vix > 0, vix, np.nan))
    usable = np.flatnonzero(np.isfinite(level[1:]) & np.isfinite(level[:-1]) & np.isfinite(market[1:])) + 1
    residual = np.zeros(len(level))
    if len(usable) < FEWEST_RETURNS:
        return None
    design = np.column_stack([np.ones(len(usable)), level[usable - 1], market[usable]])
    constant, persistence, answer = (float(v) for v in np.linalg.lstsq(design, level[usable], rcond=None)[0])
    residual[usable] = level[usable] - design @ np.array([constant, persistence, answer])
    return constant, min(persistence, 0.999), answer, residual


def _signs(rng: np.random.Generator, shape: tuple[int, ...]) -> Float2D:
    """Minus or plus one, by fair coins."""
    count = math.prod(shape)
    bits = np.unpackbits(np.frombuffer(rng.bytes(count // 8 + 1), dtype=np.uint8))[:count]
    return np.asarray(2.0 * bits - 1.0).reshape(shape)


def _index(index: Float1D, returns: Float1D) -> Float1D:
    """Levels from the first one on; missing where they were missing."""
    known = np.isfinite(index)
    if not known.any():
        return index
    first = int(np.argmax(known))
    growth = np.cumprod(np.where(np.arange(len(index)) > first, 1.0 + returns, 1.0))
    return np.where(known, index[first] * growth, np.nan)


def _vix(vix: Float1D, model: tuple[float, float, float, Float1D], returns: Float1D) -> Float1D:
    """VIX that answers to the drawn market; missing where it was missing."""
    constant, persistence, answer, residual = model
    known = np.isfinite(vix) & (vix > 0)
    level, out = math.log(vix[int(np.argmax(known))]), []
    for drift in (constant + answer * returns + residual).tolist():
        level = drift + persistence * level
        out.append(level)
    return np.where(known, np.exp(np.clip(out, math.log(5.0), math.log(150.0))), vix)


def _prices(panel: Panel, moves: Float2D) -> dict[str, Float2D]:
    """Fields of a bar from the moves of its night and its day; the first bar of a name does not move."""
    bar = panel.bar
    own = {name: panel.fields[name] for name in (*PRICE_FIELDS, "price") if name in panel.fields}
    first = np.argmax(bar, axis=0)
    base = own["close"][first, np.arange(bar.shape[1])]
    close = np.where(bar, base * np.cumprod((1.0 + moves[0]) * (1.0 + moves[1]), axis=0), np.nan)
    opening = close / (1.0 + moves[1])
    top, bottom = np.maximum(opening, close), np.minimum(opening, close)
    made = {"open": opening, "close": close}
    if "high" in own:
        made["high"] = top * (own["high"] / np.maximum(own["open"], own["close"]))
    if "low" in own:
        made["low"] = bottom * (own["low"] / np.minimum(own["open"], own["close"]))
    if "price" in own:
        made["price"] = close * (own["price"] / own["close"])
    return made
