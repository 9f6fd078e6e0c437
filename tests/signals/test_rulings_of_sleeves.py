"""Choices inside the sleeves that the definitions left open, each with its ruling in the name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from ares7.book import month_end_rows
from ares7.errors import MissingData
from ares7.signals.momentum import momentum
from ares7.signals.regime import Regime
from ares7.signals.volatility import risk_at
from strategies import (
    defensive,
    fixed_mix,
    low_volatility,
    quality_momentum,
    regime_ensemble,
)
from strategies.quality_momentum import TiltParams
from tests.contracts.panels import FUNDS, at, changed, late_month_end, market, with_fields
from tests.engine.panels import panel_of, without_bars

# 16 and 17: quality-momentum


def test_rulings_16_defaults():
    params = TiltParams()
    assert (params.tilt, params.tilt_per_name, params.tilt_budget, params.skip) == ("per_name", 0.04, 0.20, 0)
    assert (params.top_frac, params.bottom_frac) == (0.20, 0.20)
    assert (params.quality_weight, params.momentum_weight, params.periods) == (0.6, 0.4, (126, 252))


def test_rulings_16_eligible_is_a_member_stock_with_a_close_at_t_and_at_t_minus_252():
    panel = market()
    t = late_month_end(panel)
    i = int(np.flatnonzero(month_end_rows(panel, 253) == t)[0])
    column = int(np.flatnonzero(quality_momentum.scores(panel, TiltParams()).eligible[i])[0])

    def eligible(other):
        return bool(quality_momentum.scores(other, TiltParams()).eligible[i, column])

    assert eligible(changed(panel, column, [t - 1, t - 126, t - 251, t - 253]))
    assert not eligible(changed(panel, column, t))
    assert not eligible(changed(panel, column, t - 252))
    member = panel.member.copy()
    member[t, column] = False
    assert not eligible(replace(panel, member=member))
    funds = [panel.symbols.index(s) for s in FUNDS]
    assert not quality_momentum.scores(panel, TiltParams()).eligible[:, funds].any()


def test_rulings_16_momentum_includes_the_last_month_unless_it_is_skipped():
    close = np.exp(np.linspace(0, 3, 300))[:, None]
    close[-1] *= 1.5
    rows = np.array([299])
    assert momentum(close, rows, 252)[0, 0] == close[299, 0] / close[47, 0] - 1
    assert momentum(close, rows, 252, skip=21)[0, 0] == close[278, 0] / close[47, 0] - 1


def test_rulings_16_fewer_than_20_names_with_a_value_make_no_score():
    panel = market()
    t = late_month_end(panel)
    only = TiltParams(quality_weight=1.0, momentum_weight=0.0)
    i = int(np.flatnonzero(month_end_rows(panel, 253) == t)[0])
    eligible = np.flatnonzero(quality_momentum.scores(panel, only).eligible[i])
    empty = {name: np.full(panel.shape, np.nan) for name in panel.fields if panel.fields[name].dtype == float}
    quality = {
        n: empty[n] for n in ("ebitda_margin", "operating_margin", "debt_to_equity", "liabilities_to_equity")
    }
    for count, scored in ((19, False), (20, True)):
        roe = np.full(panel.shape, np.nan)
        roe[t, eligible[:count]] = np.arange(count, dtype=float)
        got = quality_momentum.scores(with_fields(panel, roe=roe, **quality), only)
        assert got.score[i].any() == scored


def test_rulings_16_quality_momentum_alone_holds_its_base_outside_bull():
    panel = market()
    got = quality_momentum.weights(panel, quality_momentum.Params())
    assert got.regime is not None
    tilted, base = (make(panel, TiltParams()) for make in (quality_momentum.tilted, quality_momentum.base))
    rows = np.flatnonzero(got.decide & panel.month_end)
    assert {bool(got.regime.held[t] == Regime.BULL) for t in rows} == {True, False}
    for t in rows:
        chosen = tilted if got.regime.held[t] == Regime.BULL else base
        np.testing.assert_allclose(got.weights[t], 0.98 * at(chosen, t), rtol=0, atol=1e-15)


@pytest.mark.parametrize("regime", ["BEAR", "HIGH_VOL", "NEUTRAL"])
def test_rulings_16_the_ensemble_uses_quality_momentum_in_bull_only(regime):
    with pytest.raises(ValidationError, match="BULL only"):
        regime_ensemble.Params.model_validate({"mixes": {regime: {"quality_momentum": 0.1}}})
    got = regime_ensemble.weights(market(), regime_ensemble.Params())
    assert got.regime is not None
    acting = got.decide & (got.sleeves["quality_momentum"] > 0)
    assert (got.regime.held[acting] == Regime.BULL).all()


def test_rulings_17_a_column_is_standardised_over_every_name_that_has_it_and_the_slot_not_again():
    """Names with an EBITDA margin also shape the z-scores of the operating margin."""
    panel = market()
    t = late_month_end(panel)
    only = TiltParams(quality_weight=1.0, momentum_weight=0.0, tail=0.0)
    i = int(np.flatnonzero(month_end_rows(panel, 253) == t)[0])
    names = np.flatnonzero(quality_momentum.scores(panel, only).eligible[i])
    nothing = np.full(panel.shape, np.nan)
    ebitda, operating = nothing.copy(), nothing.copy()
    rng = np.random.default_rng(0)
    ebitda[t, names[:22]] = rng.normal(0.3, 0.1, 22)
    operating[t, names] = rng.normal(0.1, 0.05, len(names))
    got = quality_momentum.scores(
        with_fields(
            panel,
            roe=nothing,
            ebitda_margin=ebitda,
            operating_margin=operating,
            debt_to_equity=nothing,
            liabilities_to_equity=nothing,
        ),
        only,
    ).score[i, names]
    first = (ebitda[t, names[:22]] - ebitda[t, names[:22]].mean()) / ebitda[t, names[:22]].std()
    second = (operating[t, names] - operating[t, names].mean()) / operating[t, names].std()
    slot = np.concatenate([first, second[22:]])
    # The leg is standardised once more, as a mean of slots; the slot itself is not.
    np.testing.assert_allclose(got, (slot - slot.mean()) / slot.std(), atol=1e-12)


def test_rulings_17_leverage_counts_against_a_name():
    panel = market()
    t = late_month_end(panel)
    only = TiltParams(quality_weight=1.0, momentum_weight=0.0)
    i = int(np.flatnonzero(month_end_rows(panel, 253) == t)[0])
    column = int(np.flatnonzero(quality_momentum.scores(panel, only).eligible[i])[0])
    low = quality_momentum.scores(changed(panel, column, t, 0.0, "debt_to_equity"), only).score[i, column]
    high = quality_momentum.scores(changed(panel, column, t, 9.0, "debt_to_equity"), only).score[i, column]
    assert high < low


def test_rulings_17_coverage_is_reported_a_year_and_thin_months_are_named():
    panel = market()
    scored = quality_momentum.scores(panel, TiltParams())
    found = quality_momentum.diagnostics(panel, TiltParams())
    years = panel.dates[scored.rows].astype("datetime64[Y]").astype(str)
    inside = scored.rows >= panel.start_row
    for year, share in found["coverage"].items():
        assert share == pytest.approx(scored.coverage[inside & (years == year)].mean(), abs=1e-4)
    thin = [str(panel.dates[t]) for t in scored.rows[inside & (scored.coverage < 0.5)]]
    assert found["thin_months"] == thin
    assert thin
    assert "quality leg is thin" in found["warnings"][0]


# 19: low volatility


def test_rulings_19_the_return_after_a_gap_spans_it():
    close = np.full((70, 1), 10.0)
    close[:, 0] += np.arange(70) % 2
    close[60, 0] = np.nan
    got = risk_at(close, None, np.array([69]), 20, 60)
    days = [t for t in range(49, 70) if t != 60]
    moves = np.diff(close[days, 0]) / close[days[:-1], 0]
    assert got.volatility[0, 0] == pytest.approx(np.std(moves, ddof=1), abs=1e-15)


def test_rulings_19_a_return_from_before_the_window_is_missing():
    rng = np.random.default_rng(1)
    close = np.exp(np.cumsum(rng.normal(0, 0.01, (80, 1)), axis=0))
    index = np.exp(np.cumsum(rng.normal(0, 0.01, 80)))
    close[19:21] = np.nan  # rows 19 and 20 with t = 79: the window's first close is row 19
    got = risk_at(close, index, np.array([79]), 20, 60)
    # Returns of rows 20 and 21 are missing, two: still eligible, the older closes do not count.
    days = np.arange(22, 80)
    moves = close[days, 0] / close[days - 1, 0] - 1
    market_moves = index[days] / index[days - 1] - 1
    slope = np.cov(moves, market_moves)[0, 1] / np.var(market_moves, ddof=1)
    assert got.beta[0, 0] == pytest.approx(slope, abs=1e-12)
    close[21] = np.nan
    assert np.isnan(risk_at(close, index, np.array([79]), 20, 60).beta[0, 0])


def test_rulings_19_the_longer_window_may_be_that_of_the_volatility():
    panel = market()
    params = low_volatility.Params(vol_window=126, beta_window=63)
    book = low_volatility.sleeve(panel, params).weights
    np.testing.assert_allclose(book.sum(axis=1), 1.0)
    t = panel.shape[0] - 1
    swapped = risk_at(panel.fields["close"], panel.series["index"], np.array([t]), 63, 126)
    got = risk_at(panel.fields["close"], panel.series["index"], np.array([t]), 126, 63)
    whole = panel.bar[t - 126 : t + 1].all(axis=0)
    moves = panel.fields["close"][t - 62 : t + 1, whole] / panel.fields["close"][t - 63 : t, whole] - 1
    index = panel.series["index"][t - 62 : t + 1] / panel.series["index"][t - 63 : t] - 1
    slopes = [np.polyfit(index, column, 1)[0] for column in moves.T]
    np.testing.assert_allclose(got.beta[0, whole], slopes, atol=1e-9)
    assert (got.volatility[0, whole] != swapped.volatility[0, whole]).all()


def test_rulings_19_the_lowest_30_percent_by_inverse_volatility():
    panel = market()
    t = late_month_end(panel)
    book = at(low_volatility.sleeve(panel, low_volatility.Params()), t)
    risk = risk_at(panel.fields["close"], panel.series["index"], np.array([t]))
    eligible = (
        panel.is_stock & panel.member[t] & panel.bar[t] & np.isfinite(risk.volatility[0] + risk.beta[0])
    )
    held = book > 0
    assert held.sum() == int(0.3 * eligible.sum())
    assert not held[~eligible].any()
    ratio = book[held] * risk.volatility[0, held]
    np.testing.assert_allclose(ratio, ratio[0])


# 20: defensive


def basket_panel(trend=None):
    """400 sessions of four funds and BIL with equal volatility; ``trend`` is the drift of each a session."""
    rng = np.random.default_rng(3)
    noise = np.tile(rng.permutation(np.tile([0.004, -0.004], 200)), (5, 1)).T
    drift = np.array([0.001] * 5 if trend is None else trend)
    close = 50 * np.exp(np.cumsum(noise + drift, axis=0))
    return panel_of(close, close, ("BIL", "GLD", "IEF", "SHY", "TLT"), stocks=[False] * 5)


def last_row(panel, **params):
    sleeve = defensive.sleeve(panel, defensive.Params(**params))
    return dict(zip(panel.symbols, sleeve.weights[-1].round(6).tolist(), strict=True)), int(sleeve.rows[-1])


def test_rulings_20_four_funds_of_equal_risk_share_the_basket():
    book, _ = last_row(basket_panel())
    assert book == pytest.approx({"BIL": 0, "GLD": 0.25, "IEF": 0.25, "SHY": 0.25, "TLT": 0.25}, abs=2e-3)


def test_rulings_20_gated_weight_goes_to_bil_without_renormalising():
    panel = basket_panel([0.001, 0.001, -0.002, 0.001, -0.002])
    book, _ = last_row(panel)
    assert book["IEF"] == book["TLT"] == 0
    assert book["BIL"] == pytest.approx(0.5, abs=2e-2)
    assert book["GLD"] == pytest.approx(0.25, abs=2e-2)
    unparked, _ = last_row(panel, cash_symbol=None)
    assert unparked["BIL"] == 0
    assert sum(unparked.values()) == pytest.approx(1 - book["BIL"], abs=1e-5)


def test_rulings_20_and_to_cash_before_bil_is_listed():
    panel = basket_panel([0.001, 0.001, -0.002, 0.001, -0.002])
    _, t = last_row(panel)
    listed, _ = last_row(panel)
    book, _ = last_row(without_bars(panel, slice(0, t + 1), 0))
    assert book == {**listed, "BIL": 0.0}


def test_rulings_20_a_missing_average_gates_and_a_missing_volatility_takes_no_weight():
    panel = basket_panel()
    _, t = last_row(panel)
    gated, _ = last_row(without_bars(panel, [t - 150], 4))
    assert gated["TLT"] == 0
    assert gated["BIL"] == pytest.approx(0.25, abs=2e-3)
    unlisted, _ = last_row(without_bars(panel, slice(0, t - 40), 4))
    assert unlisted["TLT"] == unlisted["BIL"] == 0
    assert unlisted["GLD"] == pytest.approx(1 / 3, abs=2e-3)


def test_rulings_20_a_close_exactly_at_its_average_is_gated():
    close = np.full((200, 2), 7.0)
    close[-1, 1] = np.nextafter(7.0, 8.0) + 1e-12
    assert defensive.trend_gate(close, np.array([198, 199]), 200).tolist() == [[False, False], [False, True]]
    assert not defensive.trend_gate(close[:-1], np.arange(199), 200).any()


def test_rulings_20_the_share_of_near_cash_is_said():
    panel = market()
    notes = defensive.diagnostics(panel, defensive.Params())["notes"]
    book = defensive.sleeve(panel, defensive.Params())
    inside = book.rows >= panel.start_row
    columns = [panel.symbols.index("SHY"), panel.symbols.index("BIL")]
    share = book.weights[inside][:, columns].sum() / book.weights[inside].sum()
    assert f"{share:.0%}" in notes[0]


def test_rulings_20_the_switch_is_all_in_spy_or_seven_to_three():
    panel = market()
    book = defensive.sleeve(panel, defensive.Params(mode="switch"))
    spy, tlt = panel.symbols.index("SPY"), panel.symbols.index("TLT")
    pairs = {(round(w[spy], 9), round(w[tlt], 9)) for w in book.weights}
    assert pairs == {(1.0, 0.0), (0.7, 0.3)}
    # Risk-off until there is a 200-day average.
    assert (book.weights[book.rows < 199, spy] == 0.7).all()


@pytest.mark.parametrize("rows", [1, 2, 40, 59, 60, 61])
def test_rulings_20_the_switch_is_risk_off_on_any_short_history(rows):
    panel = market(start=None).upto(rows - 1)
    assert not defensive.risk_on(panel, defensive.Params(mode="switch")).any()


@pytest.mark.parametrize("module", [defensive, fixed_mix])
def test_a_fund_that_is_not_in_the_panel_is_named(module):
    panel = market()
    keep = [i for i, s in enumerate(panel.symbols) if s not in ("SPY", "TLT")]
    with pytest.raises(MissingData, match=r"'(SPY|TLT)' is not in the panel.*data.etfs"):
        module.weights(panel.columns(keep), module.Params())
