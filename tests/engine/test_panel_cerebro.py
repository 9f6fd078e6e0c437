"""Anyone's strategy in ares7_cerebro: what it sees and does is what Backtrader's own Cerebro and broker give it."""

import datetime as dt
import io

import backtrader as bt
import numpy as np
import pytest

from ares7.bars import engine_bars
from ares7.config import AccountConfig
from ares7.costs import BpsCosts
from feeds.broker import PanelBroker
from feeds.cerebro import ares7_cerebro
from feeds.commission import CostCommission
from feeds.panel_feed import aligned_feeds, market_feed
from tests.engine.diary import Diary, every_day, first_difference, keep, told
from tests.engine.panels import flat, market, panel_of

COSTS = BpsCosts(bps=10)
WATCHED = 5


class Busy(bt.Strategy):
    """Targets, limits, stops, brackets, cancellations, refused orders, sizes by a sizer."""

    params = (("period", 6), ("appetite", 0.3))

    def __init__(self):
        self.average = [bt.ind.SMA(data.close, period=self.p.period) for data in self.datas[:WATCHED]]
        self.cross = bt.ind.CrossOver(self.datas[0].close, self.average[0])
        self.spread = self.datas[1].high(-1) - self.datas[1].low
        self.timed = []

    def notify_timer(self, timer, when, *args, **kwargs):
        self.timed.append((len(self), when))

    def next(self):
        for i, (data, average) in enumerate(zip(self.datas[:WATCHED], self.average, strict=True)):
            size = self.getposition(data).size
            if data.close[0] > average[0] and not size:
                self.order_target_percent(data, target=self.p.appetite)
            elif data.close[0] < average[0] and size:
                self.close(data)
            if len(self) % 11 == i:
                self.buy(
                    data, size=3, exectype=bt.Order.Limit, price=data.close[0] * 0.995, valid=dt.timedelta(4)
                )
                self.sell(data, size=1, exectype=bt.Order.Stop, price=data.close[0] * 0.98)
        if self.cross[0] > 0:
            self.buy_bracket(
                data=self.datas[0],
                size=2,
                limitprice=self.datas[0].close[0] * 1.02,
                stopprice=self.datas[0].close[0] * 0.98,
                exectype=bt.Order.Market,
            )
        if len(self) % 17 == 0:
            self.buy(self.datas[2], size=1e6)
            for order in self.broker.get_orders_open():
                self.cancel(order)
        if self.spread[0] > 0 and len(self) % 7 == 0:
            self.buy(self.datas[3])


@pytest.fixture(scope="module")
def panel():
    return market(sessions=150, stocks=4, start=30, holes=False)


def ours(panel, strategy=Busy, **kwargs):
    engine = ares7_cerebro(panel, costs=COSTS, account=AccountConfig(cash=1e5), **kwargs)
    if strategy is not None:
        engine.addstrategy(strategy)
    return engine


def plain(panel, strategy=Busy, **kwargs):
    """Backtrader's own Cerebro and broker on the same bars."""
    engine = bt.Cerebro(**{"stdstats": False, **kwargs})
    for feed in aligned_feeds(engine_bars(panel)):
        engine.adddata(feed)
    engine.broker.setcash(1e5)
    engine.broker.addcommissioninfo(CostCommission(costs=COSTS))
    if strategy is not None:
        engine.addstrategy(strategy)
    return engine


def compare(panel, prepare=None, strategy=Busy, **kwargs):
    """Run both; assert that every strategy is told the same; return our strategies and theirs."""
    pair = []
    for make in (ours, plain):
        engine = keep(make(panel, strategy, **kwargs))
        if prepare is not None:
            prepare(engine)
        pair.append(engine.run())
    for one, other in zip(*pair, strict=True):
        assert first_difference(told(one), told(other)) is None
    return pair


def test_an_ordinary_strategy_is_told_the_same(panel):
    (strategy,), _ = compare(panel)
    events = strategy.analyzers[0].events
    assert len(strategy) == 120 == len(strategy.broker.history.nav)
    states = {event[3] for event in events if event[0] == "order"}
    assert states == {"Submitted", "Accepted", "Completed", "Canceled", "Margin", "Rejected", "Expired"}
    assert sum(event[0] == "trade" for event in events) > 30
    nav = [float(event[3][0]) for event in events if event[0] in ("next", "prenext")]
    assert strategy.broker.history.nav.tolist() == nav


WAYS = [
    {"runonce": False},
    {"preload": False},
    {"exactbars": True},
    {"exactbars": -1},
    {"exactbars": -2},
    {"lookahead": 2},
    {"oldsync": True},
    {"quicknotify": True},
    {"tradehistory": True},
    {"cheat_on_open": True},
    {"stdstats": True},
    {"stdstats": True, "oldbuysell": True, "oldtrades": True},
    {"tz": "US/Eastern"},
]


@pytest.mark.parametrize("kwargs", WAYS, ids=str)
def test_every_way_of_running(panel, kwargs):
    compare(panel, **kwargs)


class Opener(Busy):
    """Also trades before the open, for cheat_on_open."""

    def next_open(self):
        if len(self) % 5 == 0:
            self.buy(self.datas[4], size=2, coo=True)


def test_cheating_on_the_open(panel):
    compare(panel, strategy=Opener, cheat_on_open=True)


def test_two_strategies_share_the_account(panel):
    (one, other), _ = compare(panel, lambda engine: engine.addstrategy(Busy, period=12))
    assert len(one) == len(other) == 120


def test_signals_and_sizers(panel):
    class Signal(bt.Indicator):
        lines = ("signal",)

        def __init__(self):
            self.lines.signal = self.data - bt.ind.SMA(period=7)

    def prepare(engine):
        engine.add_signal(bt.SIGNAL_LONGSHORT, Signal)
        engine.addsizer(bt.sizers.PercentSizer, percents=20)

    (strategy,), _ = compare(panel, prepare, strategy=None)
    assert any(event[0] == "trade" for event in strategy.analyzers[0].events)


def test_timers_fire_as_in_backtrader(panel):
    def prepare(engine):
        for cheat in (False, True):
            engine.add_timer(bt.timer.SESSION_START, strats=True, weekdays=[1, 4], cheat=cheat)
        engine.add_timer(bt.timer.SESSION_END, strats=True, monthdays=[15], monthcarry=True)

    (one,), (other,) = compare(panel, prepare)
    assert one.timed == other.timed
    assert len(one.timed) > 40


def test_observers_hold_the_same_values(panel):
    def prepare(engine):
        for observer in (bt.observers.DrawDown, bt.observers.TimeReturn, bt.observers.FundValue):
            engine.addobserver(observer)

    (one,), (other,) = compare(panel, prepare, stdstats=True)
    values = [
        [repr(list(line.array)) for observer in strategy.getobservers() for line in observer.lines]
        for strategy in (one, other)
    ]
    assert values[0] == values[1]
    assert len(values[0]) > 10


def test_writers_write_the_same(panel):
    texts = []
    for make in (ours, plain):
        engine, out = make(panel), io.StringIO()
        engine.addwriter(bt.WriterFile, csv=True, out=out, close_out=False)
        engine.run()
        texts.append(out.getvalue().splitlines())
    assert len(texts[0]) > 120
    assert texts[0] == texts[1]


def test_optimisation_runs_each_value(panel):
    finals = []
    for make in (ours, plain):
        engine = make(panel, None)
        engine.addanalyzer(bt.analyzers.TimeReturn)
        engine.optstrategy(Busy, period=[3, 9], appetite=[0.1, 0.3])
        results = engine.run(maxcpus=1)
        finals.append([list(r[0].analyzers[0].get_analysis().values()) for r in results])
    assert finals[0] == finals[1]
    assert len({tuple(f) for f in finals[0]}) == 4


@pytest.mark.parametrize("kwargs", [{"runonce": False}, {"preload": False}], ids=str)
def test_a_cerebro_can_run_again_another_way(panel, kwargs):
    engine = keep(ours(panel))
    first = told(engine.run()[0])
    assert first_difference(told(engine.run(**kwargs)[0]), first) is None
    usual = {"runonce": True, "preload": True}
    assert first_difference(told(engine.run(**usual)[0]), first) is None


# Other feeds beside the panel's


@pytest.mark.parametrize("runonce", [True, False])
def test_a_market_feed_with_its_warm_up_beside_the_panel(panel, runonce):
    labels = np.arange(150) % 4

    def prepare(engine):
        engine.adddata(market_feed(panel, labels))

    (strategy,), _ = compare(panel, prepare, runonce=runonce)
    assert len(strategy) == 150
    history = strategy.broker.history
    assert history.dates.tolist() == panel.dates[30:].tolist()
    bars = [e for e in strategy.analyzers[0].events if e[0] in ("next", "prenext")][30:]
    assert history.nav.tolist() == [float(bar[3][0]) for bar in bars]


@pytest.mark.parametrize("runonce", [True, False])
@pytest.mark.parametrize("way", ["resampledata", "replaydata"])
def test_weeks_beside_the_days(panel, way, runonce):
    def prepare(engine):
        getattr(engine, way)(engine.datas[0], timeframe=bt.TimeFrame.Weeks)

    compare(panel, prepare, runonce=runonce)


class HoldsOther(bt.Strategy):
    """Trades the feed that is not the panel's, which also has bars at weekends."""

    def prenext(self):
        self.next()

    def next(self):
        if len(self) in (3, 20):
            self.buy(self.datas[-1] if len(self) == 3 else self.datas[0], size=10)


def test_an_own_feed_with_other_dates_can_be_held(panel):
    (strategy,), _ = compare(panel, lambda engine: engine.adddata(every_day(panel)), strategy=HoldsOther)
    history = strategy.broker.history
    assert history.names[-1] == 2
    values = 10 * strategy.datas[0].close[0] + 10 * strategy.datas[-1].close[0]
    assert history.gross[-1] == pytest.approx(values / history.nav[-1])
    assert strategy.broker.held.tolist() == [10.0] + [0.0] * (len(panel.symbols) - 1)


# Ending early, and afterwards


class Stops(bt.Strategy):
    params = (("how", "runstop"),)

    def next(self):
        self.buy(size=1)
        if len(self) == 40:
            if self.p.how == "runstop":
                self.env.runstop()
            else:
                raise RuntimeError("on purpose")

    def stop(self):
        self.last = (len(self), len(self.data), self.data.datetime.date(0), self.data.close[0])


@pytest.mark.parametrize("runonce", [True, False])
def test_runstop_leaves_everything_at_the_last_session(panel, runonce):
    (one,), (other,) = compare(panel, strategy=Stops, runonce=runonce)
    assert one.last == other.last
    assert one.last[:3] == (40, 40, panel.dates[69].item())
    assert len(one.broker.history.nav) == 40
    assert one.data.close[-1] == panel.fields["close"][68, 0]


def test_runstop_from_a_notification(panel):
    class StopsOnFill(Busy):
        def notify_order(self, order):
            if order.status == order.Completed and len(self) > 20:
                self.env.runstop()

    (one,), (other,) = compare(panel, strategy=StopsOnFill, quicknotify=True)
    assert len(one) == len(other) < 120


def test_an_exception_in_next_leaves_the_cerebro_readable(panel):
    engine = ours(panel, None)
    engine.addstrategy(Stops, how="raise")
    with pytest.raises(RuntimeError, match="on purpose"):
        engine.run()
    data = engine.datas[3]
    assert (len(data), data.datetime.date(0)) == (40, panel.dates[69].item())
    assert data.close[0] == panel.fields["close"][69, 3]
    assert len(engine.broker.history.nav) == 40
    engine.strats.clear()
    engine.addstrategy(Busy)
    again = told(keep(engine).run()[0])
    assert first_difference(again, told(keep(ours(panel)).run()[0])) is None


def test_lines_can_be_read_after_the_run(panel):
    engine = ours(panel)
    engine.run()
    for column, data in enumerate(engine.datas):
        assert len(data) == data.buflen() == 120
        assert data.close[0] == panel.fields["close"][-1, column]
        assert data.close[-119] == panel.fields["close"][30, column]
        assert list(data.close.get(size=3)) == panel.fields["close"][-3:, column].tolist()


def test_an_order_at_the_last_close_stays_submitted(panel):
    class Late(bt.Strategy):
        def next(self):
            if len(self) == 120:
                self.order = self.buy()

    (one,), (other,) = compare(panel, strategy=Late)
    assert one.order.getstatusname() == other.order.getstatusname() == "Submitted"


# The broker's other faces


def test_interest_and_values_by_every_name():
    class Asks(bt.Strategy):
        def next(self):
            if len(self) == 1:
                self.buy(size=10)
            broker = self.broker
            self.answers = (
                broker.getvalue(),
                broker.get_value(),
                broker.get_value([self.data]),
                broker.get_value(mkt=True),
                broker.get_value_lever(),
                broker.get_fundvalue(),
                broker.get_cash(),
            )

    engine = ares7_cerebro(
        panel_of(flat(3, [10.0]), flat(3, [10.0])), costs=COSTS, account=AccountConfig(cash=1e3)
    )
    engine.addstrategy(Asks)
    answers = engine.run()[0].answers
    assert answers == pytest.approx((999.9, 999.9, 100, 100, 999.9, 99.99, 899.9))


def test_costs_reach_the_broker_that_stands_in_backtraders_own_cerebro(panel):
    bars = engine_bars(panel)
    engine = bt.Cerebro(stdstats=False)
    for feed in aligned_feeds(bars):
        engine.adddata(feed)
    engine.broker = PanelBroker(bars=bars, costs=COSTS, cash=1e5)
    engine.addstrategy(Busy)
    engine.addanalyzer(Diary)
    theirs = ours(panel)
    theirs.addanalyzer(Diary)
    one, other = (e.run()[0].analyzers[0].events for e in (engine, theirs))
    assert first_difference(one, other) is None


def test_progress_is_told_after_each_session(panel):
    engine, done = ours(panel), []
    engine.on_step(done.append)
    engine.run()
    assert done == list(range(1, 121))
