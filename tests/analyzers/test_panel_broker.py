"""Our analyzers under our broker: baskets keep a ledger, single orders make notifications, figures are the same."""

import backtrader as bt
import numpy as np
import pytest

from analyzers import DEFAULT_ANALYZERS, add_default_analyzers
from ares7.config import AccountConfig
from ares7.costs import BpsCosts
from ares7.ledger import OrderKind
from ares7.panel import Panel
from ares7.sessions import period_ends, sessions
from feeds.cerebro import ares7_cerebro
from strategies.equal_weight import EqualWeight
from tests.analyzers.small_market import SmaCross

COSTS = BpsCosts(bps=10)
LAST_BAR = 50


def panel():
    """Four names; DDD has no bar after row 50."""
    dates = sessions(np.datetime64("2020-01-30"), np.datetime64("2020-07-31"))
    rng = np.random.default_rng(5)
    shape = (len(dates), 4)
    close = 50 * np.exp(np.cumsum(rng.normal(0.0005, 0.015, shape), axis=0))
    opening = close * np.exp(rng.normal(0, 0.004, shape))
    fields = {
        "open": opening,
        "high": np.maximum(opening, close) * 1.002,
        "low": np.minimum(opening, close) * 0.998,
        "close": close,
        "price": close.copy(),
        "volume": np.full(shape, 1e6),
    }
    for values in fields.values():
        values[LAST_BAR + 1 :, 3] = np.nan
    month_end, week_end = period_ends(dates)
    return Panel(
        dates=dates,
        symbols=("AAA", "BBB", "CCC", "DDD"),
        fields=fields,
        series={},
        is_stock=np.ones(4, dtype=bool),
        member=np.ones(shape, dtype=bool),
        month_end=month_end,
        week_end=week_end,
    )


def run(single_orders):
    cerebro = ares7_cerebro(panel(), costs=COSTS, account=AccountConfig(cash=1e5))
    cerebro.addstrategy(EqualWeight, single_orders=single_orders)
    add_default_analyzers(cerebro, costs=COSTS)
    return cerebro.run()[0]


@pytest.fixture(scope="module")
def basket():
    return run(False)


def analysis(strategy, name):
    return strategy.analyzers.getbyname(name).get_analysis()


def test_equity_is_the_brokers_history(basket):
    equity, history = basket.analyzers.equity, basket.broker.history
    assert equity.dates.tolist() == panel().dates.tolist()
    for name in ("nav", "cash", "gross", "names"):
        assert getattr(equity, name).tolist() == getattr(history, name).tolist()
    np.testing.assert_allclose(equity.gross, 1 - equity.cash / equity.nav, atol=1e-12)
    assert equity.names.max() == 4


def test_baskets_are_read_from_the_ledger(basket):
    assert basket.analyzers.fills.ledger is basket.broker.ledger
    assert analysis(basket, "turnover")["fills"] == analysis(basket, "orders")["filled"] > 4


def test_delisting_exits_count_in_turnover_and_costs(basket):
    fills, orders = basket.analyzers.fills.fills, basket.analyzers.fills.orders
    exits = np.flatnonzero(orders.kind[fills.order] == OrderKind.DELISTING)
    assert [fills.symbols[i] for i in fills.symbol[exits]] == ["DDD"]
    assert str(fills.date[exits[0]]) == str(panel().dates[LAST_BAR + 5])
    assert fills.fee[exits[0]] > 0
    nav = basket.analyzers.equity.nav
    rows = np.searchsorted(panel().dates, fills.date)
    by_hand = np.sum(fills.notional / 2 / nav[rows - 1]) * 252 / (len(nav) - 1)
    found = analysis(basket, "turnover")
    assert found["turnover_one_way"] == pytest.approx(by_hand, rel=1e-12)
    assert found["reconciles"]


def test_single_orders_give_the_figures_of_baskets(basket):
    single = run(True)
    assert single.analyzers.fills.ledger is not single.broker.ledger
    theirs, ours = basket.analyzers.fills, single.analyzers.fills
    for name in ("date", "symbol", "quantity"):
        assert getattr(ours.fills, name).tolist() == getattr(theirs.fills, name).tolist()
    assert ours.orders.kind.tolist().count(OrderKind.DELISTING) == 1
    for name in ("sharpe", "drawdown", "exposure"):
        mine, reference = analysis(single, name), analysis(basket, name)
        assert [str(v)[:8] for v in mine.values()] == [str(v)[:8] for v in reference.values()]
    assert analysis(single, "turnover")["turnover_one_way"] == pytest.approx(
        analysis(basket, "turnover")["turnover_one_way"], rel=1e-9
    )
    assert analysis(single, "turnover")["reconciles"]


def test_an_ordinary_strategy_on_our_feeds_has_every_figure():
    cerebro = ares7_cerebro(panel(), costs=COSTS, account=AccountConfig(cash=1e5))
    cerebro.addstrategy(SmaCross, target=0.2)
    add_default_analyzers(cerebro, costs=COSTS)
    cerebro.addanalyzer(bt.analyzers.DrawDown, _name="oracle")
    strategy = cerebro.run()[0]
    assert analysis(strategy, "drawdown")["max_drawdown"] == pytest.approx(
        analysis(strategy, "oracle")["max"]["drawdown"] / 100
    )
    assert analysis(strategy, "orders")["filled"] > 10
    assert analysis(strategy, "turnover")["reconciles"]
    assert set(strategy.analyzers.getnames()) >= set(DEFAULT_ANALYZERS) - {"regime_attribution"}
