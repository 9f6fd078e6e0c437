"""Edge cases 1 to 4 and 8 of the domain notes, by hand: regime, its inputs, the calendar."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ares7.book import Plan, Sleeve, assemble, decision_mask, regime_labels
from ares7.config import AccountConfig
from ares7.costs import BpsCosts
from ares7.errors import MissingData, StaleData
from ares7.params import BookParams
from ares7.sessions import period_ends, sessions
from ares7.signals.regime import Regime, raw_labels
from feeds.backtest import run_backtest
from feeds.load import load_panel
from strategies import quality_momentum, regime_ensemble
from strategies.base import PortfolioStrategy
from tests.contracts.panels import market
from tests.engine.panels import panel_of
from tests.feeds.small_folder import DAYS, TODAY, config, tables, write

D = np.datetime64


def label(index, vix):
    return Regime(raw_labels(np.asarray(index, dtype=float), np.full(len(index), float(vix)))[-1])


def rising():
    return np.linspace(100.0, 200.0, 260)


# 1: strict and inclusive thresholds


def test_case_1_an_index_exactly_at_its_average_is_not_above_it():
    flat = np.full(260, 100.0)
    assert label(flat, 15) is Regime.BEAR
    barely = flat.copy()
    barely[-1] = np.nextafter(100.0, 200.0)
    # Above the average, and both returns are positive.
    assert label(barely, 15) is Regime.BULL


@pytest.mark.parametrize("period", [126, 252])
def test_case_1_a_return_of_exactly_zero_is_not_positive(period):
    index = np.full(260, 90.0)
    index[-1] = index[-1 - period] = 100.0
    assert label(index, 15) is Regime.NEUTRAL
    below = np.full(260, 110.0)
    below[-1] = below[-1 - period] = 100.0
    below[-1 - (378 - period)] = 95.0
    # Under the average with one return of exactly 0 and the other positive.
    assert label(below, 15) is Regime.BEAR
    below[-1 - period] = 99.0
    assert label(below, 15) is Regime.NEUTRAL


@pytest.mark.parametrize(
    ("vix", "expected"),
    [
        (np.nextafter(25.0, 0), Regime.BULL),
        (25.0, Regime.NEUTRAL),
        (np.nextafter(30.0, 0), Regime.NEUTRAL),
        (30.0, Regime.HIGH_VOL),
    ],
)
def test_case_1_vix_at_exactly_25_is_not_bull_and_at_exactly_30_is_high_vol(vix, expected):
    assert label(rising(), vix) is expected


# 2: short history


def test_case_2_252_closes_are_neutral_and_253_are_classified():
    assert label(rising()[:252], 15) is Regime.NEUTRAL
    assert label(rising()[:253], 15) is Regime.BULL
    assert label(rising()[::-1][:252], 15) is Regime.NEUTRAL
    assert label(rising()[::-1][:253], 15) is Regime.BEAR


@pytest.mark.parametrize("rows", [1, 2, 100, 126, 127, 150, 199, 200, 201, 251])
def test_case_2_any_shorter_history_is_neutral_and_high_vol_is_tested_first(rows):
    assert label(rising()[:rows], 15) is Regime.NEUTRAL
    assert label(rising()[:rows], 30) is Regime.HIGH_VOL


# 3: gaps of VIX


def folder_without_vix(tmp_path, missing):
    content = tables()
    rows = content["market"]
    gone = (rows["symbol"] == "VIX") & rows["date"].isin([str(d) for d in DAYS[20 : 20 + missing]])
    content["market"] = rows[~gone]
    return write(tmp_path, content)


def test_case_3_three_sessions_without_vix_take_the_last_close(tmp_path):
    panel = load_panel(config(folder_without_vix(tmp_path, 3)), frozenset({"vix"}), today=TODAY)
    vix = panel.series["vix"]
    assert vix[20:23].tolist() == [vix[19]] * 3
    assert vix[23] != vix[19]


def test_case_3_four_sessions_without_vix_stop_the_run(tmp_path):
    with pytest.raises(StaleData, match=f"VIX.*{DAYS[23]}"):
        load_panel(config(folder_without_vix(tmp_path, 4)), frozenset({"vix"}), today=TODAY)


@pytest.mark.parametrize(("name", "kind"), [("vix", StaleData), ("index", MissingData)])
def test_case_3_no_decision_is_made_on_a_session_without_vix_or_index(name, kind):
    panel = market()
    values = panel.series[name].copy()
    values[700] = np.nan
    gappy = replace(panel, series={**panel.series, name: values})
    for strategy in (regime_ensemble, quality_momentum):
        with pytest.raises(kind, match=f"{name}.*{panel.dates[700]}"):
            strategy.weights(gappy, strategy.Params())


@pytest.mark.parametrize("name", ["vix", "index"])
def test_case_3_a_panel_without_the_series_names_it_and_the_remedy(name):
    panel = market()
    series = {k: v for k, v in panel.series.items() if k != name}
    with pytest.raises(MissingData, match=f"'{name}'.*config data.{name}"):
        regime_ensemble.weights(replace(panel, series=series), regime_ensemble.Params())


# 4: a regime that flips at close t


class Two(PortfolioStrategy):
    """A in BULL, B otherwise."""

    Params = BookParams

    @staticmethod
    def weights(panel, params):
        regime = regime_labels(panel, sma=2, short=1, long=2, vix_bull=25, vix_high=30, min_hold=0)
        bull = (regime.held == Regime.BULL).astype(float)
        rows = np.array([0])
        book = {"A": Sleeve(rows, np.array([[1.0, 0.0]])), "B": Sleeve(rows, np.array([[0.0, 1.0]]))}
        decide = decision_mask(panel, regime.held)
        mix = {"A": bull[decide], "B": 1.0 - bull[decide]}
        return assemble(panel, Plan(book, mix, params.gross, decide, regime))


def test_case_4_a_flip_at_close_t_trades_both_legs_at_the_open_of_t_plus_1_and_pays_for_both():
    index = np.array([10, 11, 12, 13, 14, 15, 9, 8, 7, 6.0])
    prices = np.tile([10.0, 20.0], (10, 1))
    panel = panel_of(prices, prices, ("A", "B"), start=3, series={"index": index, "vix": np.full(10, 15.0)})
    assert not panel.month_end.any()
    result = run_backtest(
        panel, Two, BookParams(), account=AccountConfig(cash=1000.0), costs=BpsCosts(bps=10.0)
    )
    fills = result.cerebro.broker.ledger.fills
    # Decided at row 3: floor(.98 * 1000 / 10) = 98 A for 980, fee .98; NAV 999.02.
    # Flipped at row 6: 98 A sold, fee .98; floor(.98 * 999.02 / 20) = 48 B for 960, fee .96.
    assert fills.date.tolist() == [panel.dates[4].item(), panel.dates[7].item(), panel.dates[7].item()]
    assert fills.symbol.tolist() == [0, 0, 1]
    assert fills.quantity.tolist() == [98.0, -98.0, 48.0]
    np.testing.assert_allclose(fills.fee, [0.98, 0.98, 0.96], atol=1e-12)
    history = result.cerebro.broker.history
    np.testing.assert_allclose(history.nav, [1000.0, 999.02, 999.02, 999.02, 997.08, 997.08, 997.08])
    np.testing.assert_allclose(history.cash[-1], 19.02 + 980 - 0.98 - 960 - 0.96)
    on_switch = result.cerebro.broker.ledger.orders.on_switch
    assert on_switch.tolist() == [False, True, True]


# 8: month ends that are no sessions


@pytest.mark.parametrize(
    ("month", "last"),
    [
        ("2020-05", "2020-05-29"),  # the 31st is a Sunday
        ("2021-05", "2021-05-28"),  # the 31st is Memorial Day
        ("2018-03", "2018-03-29"),  # the 30th is Good Friday
        ("2017-12", "2017-12-29"),  # the 31st is a Sunday
        ("2012-10", "2012-10-31"),  # after two sessions closed by a storm
    ],
)
def test_case_8_a_month_ends_on_its_last_session(month, last):
    days = sessions(D(f"{month}-01"), D(last))
    ends, _ = period_ends(days)
    # The last row has no successor here: the calendar says that it is the last one.
    assert days[ends].tolist() == [D(last).item()]
    shorter, _ = period_ends(days[:-1])
    assert not shorter.any()
