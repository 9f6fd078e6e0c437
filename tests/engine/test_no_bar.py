"""What an ordinary strategy meets where the panel has no bar: nothing fills, and a delisted name is closed."""

import backtrader as bt
import numpy as np
import pytest

from ares7.bars import engine_bars
from ares7.config import AccountConfig
from ares7.costs import BpsCosts
from ares7.errors import ConfigError, MissingData
from feeds.cerebro import ares7_cerebro
from tests.engine.panels import panel_of, without_bars


class OnDay(bt.Strategy):
    """Gives one order on a day, of any kind."""

    params = (("day", 1), ("give", None), ("size", 10))

    def __init__(self):
        self.done = []

    def notify_order(self, order):
        self.done.append((len(self), order.getstatusname(), order.executed.price))

    def notify_trade(self, trade):
        self.done.append((len(self), "closed" if trade.isclosed else "open", trade.pnlcomm))

    def next(self):
        if len(self) == self.p.day:
            self.p.give(self)


def on_day(missing, give, day=1, sessions=14):
    close = np.arange(10.0, 10.0 + sessions)[:, None]
    panel = without_bars(panel_of(close - 0.5, close), missing, 0)
    engine = ares7_cerebro(panel, costs=BpsCosts(bps=0), account=AccountConfig(cash=1000))
    engine.addstrategy(OnDay, give=give, day=day)
    return engine.run()[0]


@pytest.mark.parametrize(
    ("give", "price"),
    [
        (lambda s: s.buy(size=5), 13.5),
        (lambda s: s.buy(size=5, exectype=bt.Order.Limit, price=20), 13.5),
        (lambda s: s.buy(size=5, exectype=bt.Order.Stop, price=10), 13.5),
    ],
    ids=["market", "limit", "stop"],
)
def test_no_order_of_any_kind_fills_where_there_is_no_bar(give, price):
    strategy = on_day(slice(1, 4), give)
    assert [entry for entry in strategy.done if entry[1] == "Completed"] == [(5, "Completed", price)]


def test_a_delisted_position_is_closed_and_its_trade_told():
    strategy = on_day(slice(3, 14), lambda s: s.buy(size=5))
    assert strategy.done[-1] == (8, "closed", 5 * (12 - 10.5))
    assert strategy.broker.getposition(strategy.data).size == 0
    assert strategy.broker.getcash() == 1007.5


def test_a_delisted_short_position_is_bought_back():
    strategy = on_day(slice(3, 14), lambda s: s.sell(size=5))
    assert strategy.broker.getposition(strategy.data).size == 0
    assert strategy.broker.getcash() == 1000 - 5 * (12 - 10.5)


def test_open_orders_of_a_delisted_name_are_cancelled():
    give = lambda s: s.buy(size=5, exectype=bt.Order.Limit, price=1)
    strategy = on_day(slice(3, 14), give)
    assert strategy.done[-1][:2] == (8, "Canceled")


class Seen(bt.Strategy):
    """Notes what every feed shows on every bar, before and after all of them have begun."""

    def __init__(self):
        self.bars = []

    def prenext(self):
        self.note("prenext")

    def next(self):
        self.note("next")

    def note(self, where):
        held = [self.getposition(feed).size for feed in self.datas]
        self.bars.append(
            (where, [len(feed) for feed in self.datas], [feed.close[0] for feed in self.datas], held)
        )


@pytest.mark.parametrize("kwargs", [{}, {"runonce": False}, {"cheat_on_open": True}])
def test_before_its_first_bar_a_name_has_no_row_and_nobody_sees_its_price(kwargs):
    close = np.arange(10.0, 22.0)[:, None] * [1.0, 2.0]
    panel = without_bars(panel_of(close - 0.5, close), slice(0, 4), 1)
    engine = ares7_cerebro(panel, costs=BpsCosts(bps=0), account=AccountConfig(cash=1000))
    engine.addstrategy(Seen)
    strategy = engine.run(**kwargs)[0]
    assert [bar[0] for bar in strategy.bars] == ["prenext"] * 4 + ["next"] * 8
    assert [bar[1] for bar in strategy.bars] == [[row + 1, max(row - 3, 0)] for row in range(12)]
    shown = np.array([bar[2] for bar in strategy.bars])
    assert np.isnan(shown[:4, 1]).all()
    np.testing.assert_array_equal(shown[4:], close[4:])
    assert np.isfinite(strategy.broker.history.nav).all()


def test_a_session_without_a_bar_shows_the_last_close_and_before_the_first_the_first():
    panel = panel_of(np.arange(1.0, 8.0)[:, None] - 0.5, np.arange(1.0, 8.0)[:, None])
    bars = engine_bars(without_bars(panel, [0, 3, 4], 0), first=0)
    assert bars.bar[:, 0].tolist() == [False, True, True, False, False, True, True]
    assert bars.gap[1:, 0].tolist() == [0, 0, 1, 2, 0, 0]
    assert bars.gap[0, 0] > 7
    for name in ("open", "high", "low", "close"):
        assert bars.prices[name][[0, 3, 4], 0].tolist() == [2.0, 3.0, 3.0]
    assert bars.prices["open"][1, 0] == 1.5
    assert bars.prices["volume"][:, 0].tolist() == [0, 1e6, 1e6, 0, 0, 1e6, 1e6]


def test_a_bar_that_lacks_a_price_is_an_error_and_no_fill():
    panel = panel_of([[1.0], [np.nan], [1.0]], [[1.0], [1.0], [1.0]])
    with pytest.raises(MissingData, match=r"S00.*no open on 2019-01-03"):
        engine_bars(panel)


def test_no_session_to_run_is_an_error():
    with pytest.raises(ConfigError, match="no session"):
        engine_bars(panel_of([[1.0]], [[1.0]]), first=1)
