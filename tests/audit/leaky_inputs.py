"""Planted causality bugs in what is read beside prices: regime, calendar, universe, fundamentals, events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ares7.book import Sleeve, assemble, month_end_rows, single_sleeve
from ares7.signals.cross_section import normalised
from strategies import equal_weight, regime_ensemble
from tests.audit.planting import at_month_ends, earlier, filled_back, move, register, smoothed

PLANTED, planted = register()

# Regime, VIX and calendar

ENSEMBLE = regime_ensemble.Params.model_validate(
    {
        "regime": {"sma": 40, "short": 21, "long": 63, "vix_bull": 18, "vix_high": 21},
        "low_volatility": {"beta_window": 63},
    }
)


@planted("vix", settings=ENSEMBLE)
def vix_of_tomorrow(panel, settings):
    return regime_ensemble.weights(
        replace(panel, series={**panel.series, "vix": earlier(panel.series["vix"])}), settings
    )


@planted("vix", settings=ENSEMBLE)
def regime_of_a_smoothed_whole_vix(panel, settings):
    return regime_ensemble.weights(
        replace(panel, series={**panel.series, "vix": smoothed(panel.series["vix"])}), settings
    )


@planted("vix", settings=ENSEMBLE)
def vix_threshold_of_the_whole_sample(panel, settings):
    vix = panel.series["vix"]
    level = 30.0 * vix / np.quantile(vix, 0.8)
    return regime_ensemble.weights(replace(panel, series={**panel.series, "vix": level}), settings)


@planted("index", settings=ENSEMBLE)
def index_of_next_week(panel, settings):
    series = {**panel.series, "index": earlier(panel.series["index"], 5)}
    return regime_ensemble.weights(replace(panel, series=series), settings)


@planted("index", "vix", settings=ENSEMBLE)
def minimum_hold_that_looks_ahead(panel, settings):
    """A label counts from the first of five equal ones, before the other four are known."""
    plan = regime_ensemble.plan(panel, settings)
    raw = plan.regime.raw
    held = raw.copy()
    for t in range(1, len(raw)):
        coming = raw[t : t + 5]
        held[t] = raw[t] if (coming == raw[t]).all() else held[t - 1]
    decide = panel.month_end.copy()
    decide[1:] |= held[1:] != held[:-1]
    decide[: panel.start_row] = False
    decide[panel.start_row] = True
    mix = regime_ensemble.mixes(held[decide], settings)
    regime = replace(plan.regime, held=held)
    return assemble(panel, replace(plan, mix=mix, decide=decide, regime=regime))


@planted("dates", settings=equal_weight.Params())
def month_end_from_the_next_row(panel, settings):
    months = panel.dates.astype("datetime64[M]")
    ends = np.append(months[1:] != months[:-1], False)
    return equal_weight.weights(replace(panel, month_end=ends), settings)


@planted("month_end", settings=equal_weight.Params())
def month_end_marked_a_row_early(panel, settings):
    return equal_weight.weights(replace(panel, month_end=earlier(panel.month_end)), settings)


@planted("the number of rows")
def lookback_from_the_length_of_the_panel(panel, settings):
    return at_month_ends(panel, move(panel.fields["close"], 10 + len(panel.dates) % 37), settings)


# Universe, fundamentals and events


@planted("membership", settings=equal_weight.Params())
def members_of_the_last_day(panel, settings):
    member = np.broadcast_to(panel.member[-1], panel.shape)
    return equal_weight.weights(replace(panel, member=member), settings)


@planted("membership", settings=equal_weight.Params())
def names_that_will_join_within_a_month(panel, settings):
    soon = panel.member.copy()
    for back in range(1, 22):
        soon |= earlier(panel.member, back)
    return equal_weight.weights(replace(panel, member=soon), settings)


@planted("operating_margin")
def median_of_the_whole_sample_before_the_first_report(panel, settings):
    margin = panel.fields["operating_margin"]
    reported = np.isfinite(margin).any(axis=0)
    median = np.zeros(len(reported))
    median[reported] = np.nanmedian(margin[:, reported], axis=0)
    return at_month_ends(panel, np.where(np.isfinite(margin), margin, median), settings)


@planted("operating_margin")
def back_filled_fundamentals(panel, settings):
    return at_month_ends(panel, filled_back(panel.fields["operating_margin"]), settings)


@planted("roe")
def latest_fundamentals_for_all_years(panel, settings):
    roe = panel.fields["roe"]
    return at_month_ends(panel, np.broadcast_to(filled_back(roe[::-1])[0], roe.shape), settings)


@planted("roe")
def winsorised_by_quantiles_of_the_whole_sample(panel, settings):
    roe = panel.fields["roe"]
    low, high = np.nanquantile(roe, [0.1, 0.9])
    score = np.clip(roe, low, high)
    rows = month_end_rows(panel, 2)
    usable = np.isfinite(score[rows]) & (panel.bar & panel.is_stock)[rows]
    weights = normalised(np.where(usable, score[rows] - low + 0.01, 0.0))
    return single_sleeve(panel, "roe", Sleeve(rows, weights), settings.gross)


@planted("debt_to_equity")
def fundamentals_of_a_quarter_later(panel, settings):
    return at_month_ends(panel, -earlier(panel.fields["debt_to_equity"], 63), settings)


@planted("surprise")
def tilt_before_its_event(panel, settings):
    surprise = np.nan_to_num(panel.fields["surprise"])
    tilt = np.zeros(panel.shape)
    for before in range(1, 6):
        tilt += earlier(surprise, before)
    return at_month_ends(panel, tilt, settings)


@planted("surprise")
def surprises_ranked_over_all_years(panel, settings):
    surprise = panel.fields["surprise"]
    limit = np.nanquantile(surprise, 0.7)
    recent = np.zeros(panel.shape, dtype=bool)
    for back in range(21):
        recent[back:] |= np.nan_to_num(surprise, nan=-9.0)[: len(recent) - back] >= limit
    rows = month_end_rows(panel, 2)
    held = recent[rows] & (panel.bar & panel.is_stock)[rows]
    weights = held / np.maximum(held.sum(axis=1, keepdims=True), 10)
    return single_sleeve(panel, "surprise", Sleeve(rows, weights), settings.gross)
