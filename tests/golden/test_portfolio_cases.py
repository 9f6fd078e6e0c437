"""Edge cases 5 to 7 of the domain notes, by hand: few names, listings, fundamentals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ares7.config import AccountConfig
from ares7.costs import BpsCosts
from ares7.ledger import OrderKind
from feeds.asof import latest_visible
from feeds.backtest import run_backtest
from feeds.filings import FIELDS, without_meaningless_ratios
from strategies import equal_weight, quality_momentum
from strategies.quality_momentum import TiltParams, tilted_rows
from tests.contracts.panels import market, weekdays, with_fields
from tests.engine.panels import panel_of

D = np.datetime64


# 5: few names, ties, no spread


def tilted(scores, names=None, **params):
    count = len(scores)
    rank = np.arange(count) if names is None else np.argsort(np.argsort(np.array(list(names))))
    score = np.array(scores, dtype=float)[None]
    return tilted_rows(score, np.ones((1, count), dtype=bool), rank, TiltParams(**params))[0]


def test_case_5_one_name_is_the_whole_book():
    np.testing.assert_allclose(tilted([3.0]), [1.0])


def test_case_5_fewer_names_than_one_over_the_fraction_tilt_one_name_each_way():
    # 3 * .20 < 1, so one name: 1/3 + .04, 1/3, 1/3 - .04.
    np.testing.assert_allclose(tilted([1.0, 3.0, 2.0]), [1 / 3 - 0.04, 1 / 3 + 0.04, 1 / 3], atol=1e-15)
    np.testing.assert_allclose(tilted([1.0, 3.0]), [0.46, 0.54], atol=1e-15)


def test_case_5_ties_go_to_the_first_symbol_wherever_its_column_is():
    np.testing.assert_allclose(tilted([1, 1, 1, 0, 0], "EDCBA"), [0.2, 0.2, 0.24, 0.16, 0.2], atol=1e-15)
    np.testing.assert_allclose(tilted([0, 1, 1, 1, 0], "ABCDE"), [0.2, 0.24, 0.2, 0.2, 0.16], atol=1e-15)


def test_case_5_all_scores_equal_is_no_tilt():
    np.testing.assert_allclose(tilted([2.0] * 7), [1 / 7] * 7, atol=1e-15)


def test_case_5_no_names_is_an_empty_book():
    row = tilted_rows(np.zeros((1, 3)), np.zeros((1, 3), dtype=bool), np.arange(3), TiltParams())
    assert row.tolist() == [[0, 0, 0]]


def test_case_5_a_cross_section_without_spread_gives_the_equal_weight_base():
    panel = market()
    same = np.where(panel.bar, panel.fields["close"][:, [0]], np.nan)
    fields = {name: np.full(panel.shape, 0.3) for name in ("roe", "ebitda_margin", "debt_to_equity")}
    flat = with_fields(panel, close=same, **fields)
    tilted_sleeve, base = (
        make(flat, TiltParams()) for make in (quality_momentum.tilted, quality_momentum.base)
    )
    np.testing.assert_allclose(tilted_sleeve.weights, base.weights, rtol=0, atol=1e-15)


def test_rulings_16_per_name_tilt_of_a_hundred_names():
    # 20 x (.01 + .04) + 60 x .01 + 20 x 0 = 1.6: 3.125 %, .625 % and nothing.
    row = tilted(np.arange(100.0))
    np.testing.assert_allclose(row[80:], 0.03125)
    np.testing.assert_allclose(row[20:80], 0.00625)
    assert not row[:20].any()


def test_rulings_16_budget_tilt_of_a_hundred_names():
    # .20 / (2 * 20) = .005 a name around .01, nothing clipped.
    row = tilted(np.arange(100.0), tilt="budget")
    np.testing.assert_allclose(row[[0, 50, 99]], [0.005, 0.01, 0.015])
    assert row.sum() == pytest.approx(1.0, abs=1e-12)


# 6: not yet listed, gaps, delisted


def held_run(close, cash=1000.0, opening=None):
    close = np.array(close, dtype=float)
    panel = panel_of(close if opening is None else opening, close, start=0)
    result = run_backtest(
        panel,
        equal_weight.EqualWeight,
        equal_weight.Params(gross=1.0),
        account=AccountConfig(cash=cash),
        costs=BpsCosts(bps=0.0),
    )
    return panel, result.targets, result.cerebro.broker


def test_case_6_a_name_has_no_weight_before_its_first_bar():
    prices = np.full((70, 2), 10.0)
    prices[:45, 1] = np.nan
    panel, targets, broker = held_run(prices)
    ends = np.flatnonzero(panel.month_end)
    first = ends[ends >= 45][0]
    assert not targets.weights[:first, 1].any()
    assert targets.weights[first].tolist() == [0.5, 0.5]
    fills = broker.ledger.fills
    assert fills.date[fills.symbol == 1].tolist() == [panel.dates[first + 1].item()]


def test_case_6_a_delisted_holding_is_sold_at_its_last_price_and_stays_cash():
    prices = np.full((70, 2), 10.0)
    first = int(np.flatnonzero(panel_of(prices, prices).month_end)[0])
    prices[first + 1 :, 1] = 8.0
    gone = first + 4
    prices[gone:, 1] = np.nan
    panel, targets, broker = held_run(prices)
    fills = broker.ledger.fills
    exit_row = gone + 4
    k = int(np.flatnonzero(broker.ledger.orders.kind[fills.order] == OrderKind.DELISTING)[0])
    assert (fills.date[k], fills.price[k], fills.quantity[k]) == (panel.dates[exit_row], 8.0, -50.0)
    # 50 shares each, bought at the open after the month end, when the second name stood at 8: 1000 - 500 - 400.
    nav, cash = broker.history.nav, broker.history.cash
    assert cash[first + 1] == 100.0
    assert cash[exit_row - 1] == 100.0
    assert cash[exit_row] == 500.0
    assert nav[exit_row - 1] == nav[exit_row] == 1000.0
    later = np.flatnonzero(targets.decide & (np.arange(70) > exit_row))
    assert not targets.weights[later, 1].any()


def test_case_6_a_short_gap_keeps_the_position_at_its_last_close():
    prices = np.full((70, 2), 10.0)
    first = int(np.flatnonzero(panel_of(prices, prices).month_end)[0])
    prices[first + 4 : first + 8, 1] = np.nan
    _, _, broker = held_run(prices)
    assert (broker.ledger.orders.kind == OrderKind.DECISION).all()
    assert broker.history.names[first + 2 : first + 12].tolist() == [2.0] * 10
    np.testing.assert_allclose(broker.history.nav, 1000.0)


# 7: fundamentals that mean nothing, duplicates, restatements

SESSIONS = weekdays(400, D("2020-01-01"))


def known(rows, name, day, delay=0):
    frame = pd.DataFrame(
        [
            {
                "symbol": "A",
                "annual": False,
                "lastupdated": "2020-01-01",
                "equity": 1.0,
                "revenue": 1.0,
                **dict.fromkeys(FIELDS, np.nan),
                **row,
            }
            for row in rows
        ]
    )
    for column in ("report_period", "filing_date", "lastupdated"):
        frame[column] = pd.to_datetime(frame[column])
    fields = latest_visible(without_meaningless_ratios(frame), SESSIONS, ("A",), delay, 500)
    return fields[name][int(np.searchsorted(SESSIONS, D(day))), 0]


FILED = {"report_period": "2019-12-31", "filing_date": "2020-02-03"}


@pytest.mark.parametrize("equity", [0.0, -5.0])
def test_case_7_ratios_over_equity_that_is_not_positive_are_missing(equity):
    row = FILED | {"debt_to_equity": -3.0, "roe": -0.4, "liabilities_to_equity": 2.0, "equity": equity}
    for name in ("debt_to_equity", "roe", "liabilities_to_equity"):
        assert np.isnan(known([row], name, "2020-03-02"))
    good = row | {"debt_to_equity": 3.0, "equity": 5.0}
    assert known([good], "debt_to_equity", "2020-03-02") == 3.0


def test_case_7_a_margin_over_no_revenue_is_missing():
    row = FILED | {"ebitda_margin": np.inf, "operating_margin": np.inf, "revenue": 0.0}
    assert np.isnan(known([row], "ebitda_margin", "2020-03-02"))
    assert np.isnan(known([row], "operating_margin", "2020-03-02"))


def test_case_7_an_infinite_value_is_missing_and_never_a_score():
    assert np.isnan(known([FILED | {"roe": np.inf}], "roe", "2020-03-02"))
    panel = market()
    values = panel.fields["roe"].copy()
    values[:, 0] = np.inf
    scored = quality_momentum.scores(with_fields(panel, roe=values), TiltParams())
    assert np.isfinite(scored.score).all()


def test_case_7_the_later_of_two_rows_of_one_filing_wins_and_a_restatement_waits_for_its_own_filing():
    first = FILED | {"roe": 0.10}
    updated = FILED | {"roe": 0.11, "lastupdated": "2020-01-05"}
    assert known([updated, first], "roe", "2020-03-02") == 0.11
    restated = FILED | {"filing_date": "2020-04-01", "roe": 0.05}
    assert known([first, restated], "roe", "2020-04-01") == 0.10
    assert known([first, restated], "roe", "2020-04-02") == 0.05


def test_case_7_a_name_without_any_factor_is_neutral_and_one_factor_is_enough_for_a_score():
    panel = market()
    t = int(np.flatnonzero(panel.month_end)[-2])
    i = int(np.flatnonzero(quality_momentum.month_end_rows(panel, 253) == t)[0])
    eligible = quality_momentum.scores(panel, TiltParams()).eligible[i]
    first, second = np.flatnonzero(eligible)[:2]
    empty = {name: panel.fields[name].copy() for name in ("roe", "ebitda_margin", "operating_margin")}
    empty |= {name: panel.fields[name].copy() for name in ("debt_to_equity", "liabilities_to_equity")}
    for values in empty.values():
        values[t, first] = values[t, second] = np.nan
    empty["roe"][t, second] = 9.0
    only_quality = TiltParams(quality_weight=1.0, momentum_weight=0.0)
    score = quality_momentum.scores(with_fields(panel, **empty), only_quality).score[i]
    assert score[first] == 0.0
    assert score[second] > 0.0
