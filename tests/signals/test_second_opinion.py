"""The code against an independent implementation, on the random market and on real data at many dates."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from ares7.book import Targets, decision_mask
from ares7.panel import Panel
from ares7.params import RegimeParams
from ares7.risk import (
    RiskParams,
    breaker_state,
    drawdown_scale,
    model_returns,
    trailing_drawdown,
    vix_scale,
    vol_target_scale,
)
from ares7.signals.regime import Regime
from strategies import defensive, low_volatility, quality_momentum, regime_ensemble
from tests.contracts.panels import DATA, market, real_panel, scale_of
from tests.signals import second_opinion as again

TOLERANCE = 1e-10


@cache
def real() -> Panel:
    """Every symbol, eight years: 2020 and 2022, quality slots well filled, nine companies that die."""
    panel = real_panel()
    first, stop = np.searchsorted(panel.dates, np.array(["2014-01-02", "2022-07-01"], dtype="datetime64[D]"))
    return panel.rows(int(first), int(stop)).starting(np.datetime64("2015-02-11"))


SOURCES = [
    pytest.param(market, id="random"),
    pytest.param(
        real,
        id="real",
        marks=[
            pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder"),
            pytest.mark.real_data,
        ],
    ),
]
both_sources = pytest.mark.parametrize("source", SOURCES)


def month_ends(panel: Panel, count: int = 10) -> list[int]:
    rows = [t for t in again.month_ends(panel) if t >= 253]
    return [rows[i] for i in np.linspace(0, len(rows) - 1, count).astype(int)]


def row_of(sleeve, t: int) -> np.ndarray:
    return sleeve.weights[int(np.flatnonzero(sleeve.rows == t)[0])]


def vector(panel: Panel, book: again.Book) -> np.ndarray:
    out = np.zeros(panel.shape[1])
    for symbol, weight in book.items():
        out[panel.symbols.index(symbol)] = weight
    return out


def close_to(got: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCE)


@both_sources
def test_month_ends_come_from_the_calendar(source):
    panel = source()
    assert np.flatnonzero(panel.month_end[:-1]).tolist() == again.month_ends(panel)


@both_sources
@pytest.mark.parametrize("hold", [0, 1, 3, 5])
def test_regime(source, hold):
    panel = source()
    labels = cache(lambda t: again.raw_label(panel, t))
    got = quality_momentum.labels(panel.starting(panel.dates[252]), RegimeParams(min_hold=hold))
    expected = [labels(t) for t in range(panel.shape[0])]
    assert [Regime(x).name for x in got.raw] == expected
    rows = range(panel.shape[0]) if hold <= 1 else range(0, panel.shape[0], 3)
    assert [Regime(got.held[t]).name for t in rows] == [again.held_label(labels, t, hold) for t in rows]


@both_sources
@pytest.mark.parametrize(("tilt", "skip"), [("per_name", 0), ("budget", 0), ("per_name", 21)])
def test_quality_momentum(source, tilt, skip):
    panel = source()
    params = quality_momentum.TiltParams(tilt=tilt, skip=skip)
    scored = quality_momentum.scores(panel, params)
    tilted, base = (make(panel, params) for make in (quality_momentum.tilted, quality_momentum.base))
    for t in month_ends(panel):
        scores = again.qm_scores(panel, t, skip)
        i = int(np.flatnonzero(scored.rows == t)[0])
        assert {panel.symbols[k] for k in np.flatnonzero(scored.eligible[i])} == set(scores)
        close_to(scored.score[i], vector(panel, scores))
        close_to(row_of(tilted, t), vector(panel, again.qm_book(scores, tilt)))
        close_to(row_of(base, t), vector(panel, dict.fromkeys(scores, 1 / len(scores))))


@both_sources
def test_low_volatility(source):
    panel = source()
    sleeve = low_volatility.sleeve(panel, low_volatility.Params())
    for t in month_ends(panel):
        close_to(row_of(sleeve, t), vector(panel, again.low_vol_book(panel, t)))


@both_sources
def test_defensive_basket_and_switch(source):
    panel = source()
    basket = defensive.sleeve(panel, defensive.Params())
    switch = defensive.sleeve(panel, defensive.Params(mode="switch"))
    switched = set()
    for t in month_ends(panel, 40):
        close_to(row_of(basket, t), vector(panel, again.defensive_book(panel, t)))
        book = again.switch_book(panel, t)
        close_to(row_of(switch, t), vector(panel, book))
        switched.add(len(book))
    assert switched == {1, 2}


@both_sources
@pytest.mark.parametrize("preset", ["phase3", "phase4"])
def test_ensemble_rows_on_month_ends_and_switches(source, preset):
    panel = source()
    got = regime_ensemble.weights(panel, regime_ensemble.Params(preset=preset))
    assert got.regime is not None
    rows = np.flatnonzero(got.decide[:-1])
    chosen = rows[np.linspace(0, len(rows) - 1, 10).astype(int)].tolist()
    for regime in Regime:
        with_label = rows[got.regime.held[rows] == regime]
        chosen += with_label[[0, -1]].tolist()
    for t in chosen:
        expected = again.ensemble_row(panel, t, again.raw_label(panel, t), preset)
        close_to(got.weights[t], vector(panel, expected))


@both_sources
def test_decision_mask(source):
    panel = source()
    labels = [again.raw_label(panel, t) for t in range(panel.shape[0])]
    expected = np.zeros(panel.shape[0], dtype=bool)
    ends = set(again.month_ends(panel))
    for t in range(panel.start_row, panel.shape[0] - 1):
        expected[t] = t == panel.start_row or t in ends or labels[t] != labels[t - 1]
    got = regime_ensemble.weights(panel, regime_ensemble.Params()).decide
    assert np.array_equal(got[:-1], expected[:-1])
    only_months = expected & (panel.month_end | (np.arange(len(expected)) == panel.start_row))
    assert np.array_equal(decision_mask(panel)[:-1], only_months[:-1])


@cache
def curve(source) -> tuple[Panel, Targets, list[float]]:
    """The model curve of the default ensemble, by both implementations."""
    panel = source()
    targets = regime_ensemble.weights(panel, regime_ensemble.Params())
    books = [{panel.symbols[i]: float(row[i]) for i in np.flatnonzero(row)} for row in targets.weights]
    slow = [0.0, 0.0]
    slow += [again.model_return(panel, books, t) if books[t - 1] else 0.0 for t in range(2, panel.shape[0])]
    return panel, targets, slow


@both_sources
def test_model_curve(source):
    panel, targets, slow = curve(source)
    close_to(model_returns(panel, targets.weights, 10.0), np.array(slow))


@both_sources
def test_risk_scalers(source):
    panel, targets, slow = curve(source)
    returns, count = np.array(slow), panel.shape[0]
    rows = list(range(panel.start_row + 61, count, 41))
    depths = [again.drawdown(slow[: t + 1]) for t in range(count)]
    close_to(trailing_drawdown(returns), np.array(depths))
    vix = panel.series["vix"].tolist()
    every = RiskParams(vol_target=0.12, drawdown_ladder=True, breaker=True, vix_guard=True, vix_spike=True)
    tripped = breaker_state(np.array(depths), every)
    combined = drawdown_scale(np.array(depths), every)
    for t in rows:
        vol = again.volatility_scale(slow[: t + 1])
        assert vol_target_scale(returns, 0.12)[t] == pytest.approx(vol, abs=TOLERANCE)
        assert tripped[t] == again.breaker(depths[: t + 1])
        depth = again.ladder(depths[t]) * (0.4 if tripped[t] else 1.0)
        assert combined[t] == pytest.approx(depth, abs=TOLERANCE)
        guard = again.vix_guard(vix[: t + 1], spike=True)
        assert vix_scale(panel.series["vix"], every)[t] == pytest.approx(guard, abs=TOLERANCE)
        expected = again.stepped(min(vol, depth, guard))
        assert scale_of(panel, targets.weights, every)[t] == pytest.approx(expected, abs=TOLERANCE)
    assert {bool(tripped[t]) for t in rows} == {True, False}


@both_sources
def test_scaled_rows_are_the_stock_block_times_the_stepped_scale(source):
    panel, plain, slow = curve(source)
    params = regime_ensemble.Params(risk=RiskParams(drawdown_ladder=True))
    got = regime_ensemble.weights(panel, params)
    depths = [again.drawdown(slow[: t + 1]) for t in range(panel.shape[0])]
    for t in np.flatnonzero(got.decide & plain.decide):
        scale = np.where(panel.is_stock, again.stepped(again.ladder(depths[t])), 1.0)
        close_to(got.weights[t], plain.weights[t] * scale)


@pytest.mark.real_data
@pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder")
def test_fundamentals_are_what_was_filed_by_then():
    """Rulings 18, from the raw files: the latest period's value, filed over 90 days ago, at most 500."""
    import pandas as pd

    panel = real()
    quarterly = pd.read_parquet(f"{DATA}/fundamentals.parquet")
    annual = pd.read_parquet(f"{DATA}/fundamentals_annual.parquet")
    quarterly = quarterly[~quarterly["late_filing"]].assign(order=1)
    annual = annual[~annual["filing_date_estimated"]].assign(order=0)
    rows = pd.concat([quarterly, annual], ignore_index=True)
    rng = np.random.default_rng(4)
    seen = 0
    for t in np.sort(rng.choice(panel.shape[0], 4, replace=False)):
        today = pd.Timestamp(panel.dates[t])
        public = rows[rows["filing_date"] + pd.Timedelta(days=90) < today]
        for column, symbol in enumerate(panel.symbols):
            own = public[public["symbol"] == symbol]
            for name in (
                "roe",
                "ebitda_margin",
                "operating_margin",
                "debt_to_equity",
                "liabilities_to_equity",
            ):
                known = own[own[name].notna()]
                if name in ("roe", "debt_to_equity", "liabilities_to_equity"):
                    known = known[~(known["equity"] <= 0)]
                if "to_equity" in name:
                    known = known[known[name] >= 0]
                expected = np.nan
                if len(known):
                    latest = known.sort_values(["report_period", "order", "filing_date"]).iloc[-1]
                    if today <= latest["filing_date"] + pd.Timedelta(days=500):
                        expected = latest[name]
                        seen += 1
                assert panel.fields[name][t, column] == pytest.approx(expected, nan_ok=True, abs=TOLERANCE)
    assert seen > 300


def test_a_name_listed_for_251_sessions_is_not_eligible_and_one_for_252_is():
    """Rulings 16 and 19 at the boundary of their windows."""
    panel = market()
    t = month_ends(panel)[5]
    column = int(np.flatnonzero(panel.bar[t - 260 : t + 1].all(axis=0) & panel.is_stock)[0])
    for rows, eligible in ((252, False), (253, True)):
        values = panel.fields["close"].copy()
        values[: t + 1 - rows, column] = np.nan
        listed = replace(panel, fields={**panel.fields, "close": values})
        scored = quality_momentum.scores(listed, quality_momentum.TiltParams())
        assert scored.eligible[int(np.flatnonzero(scored.rows == t)[0]), column] == eligible
