"""Copies of our own strategies, each with one planted causality bug, and what the audit must say about it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ares7.book import Sleeve, delayed, month_end_rows, single_sleeve
from ares7.risk import model_returns
from ares7.signals.cross_section import normalised
from strategies import equal_weight, low_volatility, template
from tests.audit.planting import (
    at_month_ends,
    book,
    daily,
    earlier,
    filled_back,
    move,
    register,
    smoothed,
    with_prices,
)

PLANTED, planted = register()

# Prices


@planted("close", settings=template.Params(period=60, top=8))
def prices_of_tomorrow(panel, settings):
    return template.weights(with_prices(panel, earlier), settings)


@planted("close", "index", "membership", settings=low_volatility.Params(beta_window=63))
def weights_one_session_early(panel, settings):
    return delayed(low_volatility.weights(panel, settings), -1, panel.start_row)


@planted("close")
def centred_moving_average(panel, settings):
    close = panel.fields["close"]
    total, count = np.zeros(close.shape), np.zeros(close.shape)
    for k in range(-10, 11):
        part = close[max(k, 0) : len(close) + min(k, 0)]
        where = slice(max(-k, 0), len(close) + min(-k, 0))
        total[where] += np.nan_to_num(part)
        count[where] += np.isfinite(part)
    return at_month_ends(panel, close / (total / np.maximum(count, 1)), settings)


@planted("close")
def full_sample_zscore(panel, settings):
    signal = move(panel.fields["close"], 20)
    score = (signal - np.nanmean(signal, axis=0)) / np.nanstd(signal, axis=0)
    return at_month_ends(panel, score, settings)


@planted("close")
def back_filled_prices(panel, settings):
    close = filled_back(panel.fields["close"])
    rows = month_end_rows(panel, 30)
    held = np.isfinite(close[rows]) & panel.is_stock
    score = np.where(held, move(close, 20)[rows], np.nan)
    # Ranked over every name that has a price some day.
    rank = np.argsort(np.argsort(np.where(held, -score, np.inf), axis=1), axis=1)
    weights = np.where(held & (rank < 12), 1 / 12, 0.0)
    return single_sleeve(panel, "filled", Sleeve(rows, weights), settings.gross)


@planted("close")
def interpolated_gaps(panel, settings):
    close = panel.fields["close"].copy()
    rows = np.arange(len(close))
    for column in range(close.shape[1]):
        there = np.isfinite(close[:, column])
        if there.any():
            inside = (rows >= rows[there][0]) & ~there
            close[inside, column] = np.interp(rows[inside], rows[there], close[there, column])
    rows = month_end_rows(panel, 30)
    held = np.isfinite(close[rows]) & panel.is_stock
    weights = normalised(np.where(held, 1.0 / close[rows], 0.0))
    return single_sleeve(panel, "filled", Sleeve(rows, weights), settings.gross)


@planted("close")
def whole_series_fourier_smoothing(panel, settings):
    return at_month_ends(panel, move(smoothed(panel.fields["close"]), 20), settings)


@planted("close")
def whole_series_haar_wavelet(panel, settings):
    """Decimated Haar on blocks of 8 counted from the first row: a block's mean is known at its end only."""
    close = np.nan_to_num(panel.fields["close"], nan=1.0)
    blocks = np.array_split(close, np.arange(8, len(close), 8))
    coarse = np.concatenate([np.broadcast_to(b.mean(axis=0), b.shape) for b in blocks])
    return at_month_ends(panel, coarse / close, settings)


@planted("close")
def ranking_by_full_period_return(panel, settings):
    close = filled_back(panel.fields["close"])
    last = filled_back(panel.fields["close"][::-1])[0]
    rows = month_end_rows(panel, 2)
    return book(panel, np.broadcast_to(last / close[0], (len(rows), panel.shape[1])), settings, rows)


@planted("close")
def volatility_of_the_whole_sample(panel, settings):
    volatility = np.nanstd(move(panel.fields["close"], 1), axis=0)
    rows = month_end_rows(panel, 2)
    return book(panel, np.broadcast_to(-volatility, (len(rows), panel.shape[1])), settings, rows)


@planted("close", settings=low_volatility.Params(beta_window=63))
def only_names_with_a_price_a_month_later(panel, settings):
    alive = earlier(panel.bar, 21)
    return low_volatility.weights(replace(panel, member=panel.member & alive), settings)


@planted("close", settings=equal_weight.Params())
def delisted_names_dropped(panel, settings):
    return equal_weight.weights(replace(panel, member=panel.member & panel.bar[-1]), settings)


@planted("close")
def prices_divided_by_the_last_price(panel, settings):
    close = panel.fields["close"]
    return at_month_ends(panel, -(close / close[-1]), settings)


@planted("close", "membership")
def best_lookback_of_the_whole_sample(panel, settings):
    close = panel.fields["close"]
    tried = {
        period: at_month_ends(panel, move(close, period), settings) for period in (5, 10, 20, 40, 60, 120)
    }
    return max(tried.values(), key=lambda targets: model_returns(panel, targets.weights, 0.0).sum())


@planted("close")
def first_component_of_the_whole_sample(panel, settings):
    moves = daily(panel.fields["close"])
    load = np.ones(panel.shape[1])
    for _ in range(8):
        load = (moves * (moves @ load)[:, None]).sum(axis=0)
        load /= np.abs(load).max()
    rows = month_end_rows(panel, 2)
    return book(panel, np.broadcast_to(-np.abs(load), (len(rows), len(load))), settings, rows)


@planted("close", "index")
def beta_of_the_whole_sample(panel, settings):
    moves = daily(panel.fields["close"])
    own = np.nan_to_num(move(panel.series["index"][:, None], 1))[:, 0]
    beta = (moves * own[:, None]).sum(axis=0) / (own @ own)
    rows = month_end_rows(panel, 2)
    return book(panel, np.broadcast_to(-beta, (len(rows), len(beta))), settings, rows)


@planted("high", "low")
def range_of_tomorrow(panel, settings):
    spread = panel.fields["high"] / panel.fields["low"]
    return at_month_ends(panel, -earlier(spread), settings)


@planted("open")
def gap_of_the_next_open(panel, settings):
    return at_month_ends(panel, earlier(panel.fields["open"]) / panel.fields["close"], settings)


@planted("volume")
def most_traded_of_the_whole_sample(panel, settings):
    volume = np.nanmean(panel.fields["volume"], axis=0)
    rows = month_end_rows(panel, 2)
    return book(panel, np.broadcast_to(volume, (len(rows), len(volume))), settings, rows)


# Exposure


@planted("close", "index", "membership", settings=low_volatility.Params(beta_window=63))
def volatility_scaled_ex_post(panel, settings):
    targets = low_volatility.weights(panel, settings)
    curve = model_returns(panel, targets.weights, 0.0)[panel.start_row :]
    # Too little history leaves the book as it is.
    volatility = curve.std() * np.sqrt(252) if len(curve) > 5 else 0.0
    scale = min(0.05 / volatility, 1.0) if volatility > 0 else 1.0
    return replace(targets, weights=targets.weights * scale)


@planted("close", settings=equal_weight.Params())
def drawdown_guard_that_knows_tomorrow(panel, settings):
    targets = equal_weight.weights(panel, settings)
    growth = np.cumprod(1.0 + model_returns(panel, targets.weights, 0.0))
    drawdown = growth / np.maximum.accumulate(growth) - 1.0
    scale = np.where(earlier(drawdown) < -0.02, 0.5, 1.0)
    decide = targets.decide.copy()
    decide[1:] |= scale[1:] != scale[:-1]
    decide[: panel.start_row] = False
    return replace(targets, weights=targets.weights * scale[:, None], decide=decide, scale=scale)


@planted("close")
def rows_divided_by_their_future_sum(panel, settings):
    rows = month_end_rows(panel, 30)
    score = np.maximum(np.nan_to_num(move(panel.fields["close"], 20)[rows]) * panel.is_stock, 0.0)
    total = np.maximum.accumulate(score.sum(axis=1)[::-1])[::-1]
    weights = score / np.maximum(total, 1e-9)[:, None]
    return single_sleeve(panel, "scores", Sleeve(rows, weights), settings.gross)
