"""Null panels: what stays, what is drawn anew, and that nothing can be foretold from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ares7.audit.null_panel import MOST_MOVE, draw, null_model
from tests.contracts.panels import market, with_fields

PANEL = market(1, 760)
MODEL = null_model(PANEL)
OTHER = draw(MODEL, np.random.default_rng(3))
STOCKS = PANEL.is_stock


def own_moves(market):
    """(2, T, N) night and day of each name less what was to be expected and the market's part."""
    close, opening = market.panel.fields["close"], market.panel.fields["open"]
    before = close.copy()
    for t in range(1, len(before)):
        before[t] = np.where(np.isfinite(before[t]), before[t], before[t - 1])
    before = np.vstack([before[:1] * np.nan, before[:-1]])
    moves = np.array([opening / before, close / opening]) - 1.0
    own = moves - market.surprise[:, :, None] * MODEL.beta - MODEL.expected[:, None, :]
    return np.where(MODEL.traded, own, 0.0)


def test_sessions_listings_holes_and_what_is_no_price_stay():
    panel = OTHER.panel
    assert panel.dates is PANEL.dates
    assert panel.start == PANEL.start
    for name in ("open", "high", "low", "close", "price"):
        assert np.array_equal(np.isfinite(panel.fields[name]), PANEL.bar)
    for name in PANEL.fields.keys() - {"open", "high", "low", "close", "price"}:
        assert panel.fields[name] is PANEL.fields[name]
    assert panel.member is PANEL.member
    assert panel.month_end is PANEL.month_end


def test_the_size_of_every_own_move_stays_and_its_sign_is_drawn():
    for wanted, got in zip(MODEL.own, own_moves(OTHER), strict=True):
        np.testing.assert_allclose(np.abs(got), np.abs(wanted), atol=1e-12)
        moved = np.abs(wanted[:, STOCKS]) > 1e-9
        turned = (got * wanted < 0)[:, STOCKS][moved]
        assert abs(turned.mean() - 0.5) < 5 * 0.5 / np.sqrt(moved.sum())


def test_funds_turn_together_and_stocks_do_not():
    turned = np.sign(own_moves(OTHER) * MODEL.own)[0]
    funds = turned[:, ~STOCKS]
    assert (np.abs(funds.sum(axis=1)) == np.abs(funds).sum(axis=1)).all()
    stocks = turned[:, STOCKS]
    assert (np.abs(stocks.sum(axis=1)) < np.abs(stocks).sum(axis=1)).mean() > 0.99


def test_night_and_day_have_signs_of_their_own():
    night, day = np.sign(own_moves(OTHER) * MODEL.own)[:, :, STOCKS]
    together = night * day
    assert abs(together.sum()) < 5 * np.sqrt((together != 0).sum())
    assert abs(np.corrcoef(np.sign(OTHER.surprise * MODEL.surprise)[:, 1:])[0, 1]) < 0.2


def test_the_market_keeps_the_size_of_its_moves_and_its_premium():
    assert np.array_equal(np.abs(OTHER.surprise), np.abs(MODEL.surprise))
    index = OTHER.panel.series["index"]
    growth = (1.0 + OTHER.surprise + MODEL.premium[:, None]).prod(axis=0)
    np.testing.assert_allclose(index[1:] / index[:-1], growth[1:], rtol=1e-12)
    assert index[0] == PANEL.series["index"][0]
    given = PANEL.series["index"]
    assert (1 + MODEL.premium).prod() - 1 == pytest.approx((given[1:] / given[:-1] - 1).mean(), abs=2e-5)


def test_night_and_day_of_the_market_are_its_session():
    given = PANEL.series["index"]
    halves = MODEL.surprise + MODEL.premium[:, None]
    np.testing.assert_allclose((1.0 + halves[:, 1:]).prod(axis=0), given[1:] / given[:-1], rtol=1e-12)


def test_the_fund_that_holds_the_market_still_does():
    spy = PANEL.symbols.index("SPY")
    moves = np.diff(np.log(OTHER.panel.fields["close"][:, spy]))
    market_moves = np.diff(np.log(OTHER.panel.series["index"]))
    # Opens of this market are a third of a day's noise off; with their signs drawn, they no longer cancel.
    assert np.corrcoef(moves, market_moves)[0, 1] > 0.85


def test_stocks_have_no_drift_of_their_own_and_funds_keep_theirs():
    wanted = MODEL.beta * MODEL.premium[:, None]
    np.testing.assert_allclose(MODEL.expected[:, STOCKS], wanted[:, STOCKS], rtol=1e-12)
    bill = PANEL.symbols.index("SHY")
    opening, close = PANEL.fields["open"][:, bill], PANEL.fields["close"][:, bill]
    halves = opening[1:] / close[:-1] - 1.0, close[1:] / opening[1:] - 1.0
    np.testing.assert_allclose(MODEL.expected[:, bill], [half.mean() for half in halves], rtol=1e-9)


def test_vix_answers_to_the_drawn_market_as_it_did_to_the_real_one():
    def answer(panel):
        change = np.diff(np.log(panel.series["vix"]))
        moves = np.diff(np.log(panel.series["index"]))
        return np.corrcoef(change, moves)[0, 1]

    assert answer(PANEL) < -0.5
    assert answer(OTHER.panel) < -0.5
    assert not np.array_equal(OTHER.panel.series["vix"], PANEL.series["vix"])
    assert np.isfinite(OTHER.panel.series["vix"]).all()


def test_bars_are_whole_and_positive():
    fields = {name: values[PANEL.bar] for name, values in OTHER.panel.fields.items() if name in PRICES}
    assert (fields["low"] > 0).all()
    top, bottom = np.maximum(fields["open"], fields["close"]), np.minimum(fields["open"], fields["close"])
    assert (fields["high"] >= top * (1 - 1e-12)).all()
    assert (fields["low"] <= bottom * (1 + 1e-12)).all()
    np.testing.assert_allclose(fields["price"], fields["close"] * 0.5)


PRICES = ("open", "high", "low", "close", "price")


def test_the_wildest_moves_leave_prices_positive():
    close = PANEL.fields["close"].copy()
    close[300, :5] *= 40.0
    close[301, 5:10] *= 0.02
    wild = replace(with_fields(PANEL, close=close))
    model = null_model(wild)
    assert np.abs(model.own).max() <= MOST_MOVE
    for seed in range(5):
        drawn = draw(model, np.random.default_rng(seed)).panel
        assert (drawn.fields["close"][wild.bar] > 0).all()


def test_the_same_seed_gives_the_same_bits_and_another_one_other_prices():
    again = draw(MODEL, np.random.default_rng(3)).panel
    other = draw(MODEL, np.random.default_rng(4)).panel
    for name in PRICES:
        assert np.array_equal(again.fields[name], OTHER.panel.fields[name], equal_nan=True)
    assert not np.array_equal(other.fields["close"], OTHER.panel.fields["close"], equal_nan=True)


def test_without_an_index_the_mean_of_the_stocks_is_the_market():
    bare = replace(PANEL, series={})
    model = null_model(bare)
    close = PANEL.fields["close"]
    t = next(t for t in range(200, 700) if PANEL.bar[t - 1 : t + 1, STOCKS].all(axis=0).any())
    both = MODEL.traded[t] & STOCKS & PANEL.bar[t - 1]
    if np.array_equal(both, MODEL.traded[t] & STOCKS):
        halves = model.surprise[:, t] + model.premium
        assert (1 + halves).prod() - 1 == pytest.approx((close[t] / close[t - 1] - 1)[both].mean())
    assert draw(model, np.random.default_rng(1)).panel.series == {}


def test_a_missing_index_value_stays_missing():
    index = PANEL.series["index"].copy()
    index[100:103] = np.nan
    holed = replace(PANEL, series={**PANEL.series, "index": index})
    drawn = draw(null_model(holed), np.random.default_rng(1)).panel
    assert np.array_equal(np.isfinite(drawn.series["index"]), np.isfinite(index))
