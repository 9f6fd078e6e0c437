"""Recorders under Backtrader's harder cases: partial fills, last-bar orders, early trades, intraday bars, shorts."""

import backtrader as bt
import numpy as np
import pandas as pd
import pytest
from dateutil.tz import gettz

import analyzers
from analyzers.equity import session_dates
from ares7 import metrics
from ares7.costs import IbkrFixedCosts
from ares7.ledger import OrderKind, OrderStatus
from tests.analyzers.small_market import Executions, SmaCross, bars, cerebro


class Scripted(bt.Strategy):
    """Does what ``plan`` says: {bar number: function of the strategy}."""

    params = (("plan", {}),)

    def next(self):
        act = self.p.plan.get(len(self))
        if act:
            act(self)


def run(plan, **kwargs):
    engine = cerebro(Scripted, plan=plan, **{"count": 12, "names": ("AAA",), **kwargs})
    engine.addanalyzer(analyzers.FillRecorder, _name="fills")
    engine.addanalyzer(analyzers.Equity, _name="equity")
    engine.addanalyzer(analyzers.Turnover, _name="turnover")
    engine.addanalyzer(analyzers.Orders, _name="orders")
    engine.addanalyzer(Executions, _name="executions")
    return engine


def rows(strategy):
    found = strategy.analyzers.fills.get_analysis()
    return list(
        zip(found["date"], found["symbol"], found["quantity"], found["price"], found["fee"], strict=True)
    )


def test_partial_fills_are_recorded_one_by_one():
    engine = run({2: lambda s: s.buy(size=250)}, volume=100, commission=0.002)
    engine.broker.set_filler(bt.fillers.FixedSize())
    strategy = engine.run()[0]
    fills = strategy.analyzers.fills.fills
    # 100 shares a bar: the order of 250 takes three bars.
    assert fills.quantity.tolist() == [100.0, 100.0, 50.0]
    assert np.diff(fills.date).astype(int).min() > 0
    assert set(fills.order.tolist()) == {0}
    assert rows(strategy) == strategy.analyzers.executions.bits
    np.testing.assert_allclose(fills.fee, fills.notional * 0.002)
    assert strategy.analyzers.orders.get_analysis()["filled"] == 1


def test_many_partial_fills_of_an_ordinary_strategy_match_and_reconcile():
    engine = cerebro(SmaCross, count=200, volume=40)
    engine.broker.set_filler(bt.fillers.FixedBarPerc(perc=50.0))
    engine.addanalyzer(analyzers.FillRecorder, _name="fills")
    engine.addanalyzer(Executions, _name="executions")
    strategy = engine.run()[0]
    assert rows(strategy) == strategy.analyzers.executions.bits
    fills = strategy.analyzers.fills.fills
    assert max(np.bincount(fills.order)) > 1
    held = np.bincount(fills.symbol, weights=fills.quantity, minlength=3)
    assert held.tolist() == [strategy.getposition(data).size for data in strategy.datas]


def test_a_partly_filled_order_that_is_cancelled_keeps_its_fills():
    def cancel(strategy):
        strategy.cancel(strategy.broker.orders[0])

    engine = run({2: lambda s: s.buy(size=250), 4: cancel}, volume=100)
    engine.broker.set_filler(bt.fillers.FixedSize())
    strategy = engine.run()[0]
    assert strategy.analyzers.fills.fills.quantity.tolist() == [100.0, 100.0]
    found = strategy.analyzers.orders.get_analysis()
    assert (found["submitted"], found["cancelled"], found["filled"]) == (1, 1, 0)


def test_a_partly_filled_order_waits_at_the_end():
    engine = run({11: lambda s: s.buy(size=250)}, volume=100)
    engine.broker.set_filler(bt.fillers.FixedSize())
    strategy = engine.run()[0]
    assert strategy.analyzers.fills.fills.quantity.tolist() == [100.0]
    assert strategy.analyzers.orders.get_analysis()["waiting"] == 1
    assert np.isnat(strategy.analyzers.fills.orders.resolved[0])


def test_orders_given_at_the_last_close_are_counted():
    engine = run({12: lambda s: s.buy(size=1)})
    strategy = engine.run()[0]
    assert strategy.analyzers.executions.final == {}  # Backtrader notifies nobody
    found = strategy.analyzers.orders.get_analysis()
    assert (found["submitted"], found["waiting"]) == (1, 1)


@pytest.mark.parametrize("checksubmit", [True, False])
def test_refusals_name_date_symbol_and_size(checksubmit):
    engine = run({3: lambda s: s.buy(size=5000)})
    engine.broker.set_checksubmit(checksubmit)
    strategy = engine.run()[0]
    found = strategy.analyzers.orders.get_analysis()
    day = str(bars(0, 12).index[3].date())
    assert found["refusals"] == [{"date": day, "symbol": "AAA", "size": 5000.0}]
    assert str(strategy.analyzers.fills.orders.decided[0]) == str(bars(0, 12).index[2].date())


def test_expired_orders_are_cancelled_orders():
    def limit(strategy):
        strategy.buy(
            size=1, price=1.0, exectype=bt.Order.Limit, valid=pd.Timestamp("2019-01-08").to_pydatetime()
        )

    strategy = run({2: limit}).run()[0]
    orders = strategy.analyzers.fills.orders
    assert orders.status.tolist() == [OrderStatus.CANCELLED]
    assert str(orders.resolved[0]) == "2019-01-09"


def test_quick_notifications_make_the_same_record():
    plan = {2: lambda s: s.buy(size=10), 5: lambda s: s.close(), 8: lambda s: s.sell(size=3)}
    usual, quick = run(plan).run()[0], run(plan).run(quicknotify=True)[0]
    assert rows(usual) == rows(quick)
    assert len(rows(quick)) == 3
    assert str(usual.analyzers.fills.orders) == str(quick.analyzers.fills.orders)


def test_reversing_a_position_is_one_fill_of_the_whole_size():
    strategy = run({2: lambda s: s.buy(size=10), 5: lambda s: s.sell(size=25)}).run()[0]
    assert strategy.analyzers.fills.fills.quantity.tolist() == [10.0, -25.0]


def test_short_positions_count_with_their_absolute_value():
    strategy = run({2: lambda s: s.sell(size=10)}).run()[0]
    equity, close = strategy.analyzers.equity, bars(0, 12)["close"].to_numpy()
    np.testing.assert_allclose(equity.gross[3:], 10 * close[3:] / equity.nav[3:])
    assert equity.names[3:].tolist() == [1.0] * 9


def test_commission_by_the_share_reconciles_with_the_same_schedule():
    costs = IbkrFixedCosts()

    class Schedule(bt.CommInfoBase):
        params = (("stocklike", True), ("commtype", bt.CommInfoBase.COMM_FIXED))

        def _getcommission(self, size, price, pseudoexec):
            return float(costs.fees(np.array([size]), np.array([price]))[0])

    engine = cerebro(SmaCross, count=120)
    engine.broker.addcommissioninfo(Schedule())
    engine.addanalyzer(analyzers.Turnover, costs=costs)
    found = engine.run()[0].analyzers[0].get_analysis()
    assert found["fills"] > 10
    assert found["reconciles"]


def test_trades_at_the_first_open_are_returns_over_the_starting_value():
    class AtOnce(bt.Strategy):
        def prenext_open(self):
            self.buy(size=100)

    engine = cerebro(AtOnce, count=5, names=("AAA",))
    engine.addanalyzer(analyzers.Equity)
    engine.addanalyzer(analyzers.Turnover, costs=None)
    engine.addanalyzer(bt.analyzers.TimeReturn)
    strategy = engine.run(cheat_on_open=True)[0]
    equity, turnover, theirs = strategy.analyzers
    assert equity.nav[0] == 1e5
    np.testing.assert_allclose(
        metrics.returns_from_nav(equity.nav), list(theirs.get_analysis().values()), atol=1e-15
    )
    assert turnover.get_analysis()["fills"] == 1
    assert turnover.get_analysis()["turnover_one_way"] > 0
    assert len(equity.dates) == 6
    assert equity.bars == slice(1, None)


def test_intraday_bars_count_once_a_session():
    stamps = pd.date_range("2024-01-02 10:00", periods=48, freq="6h")
    frame = bars(4, 48).set_axis(stamps)
    engine = bt.Cerebro(stdstats=False)
    engine.adddata(bt.feeds.PandasData(dataname=frame, timeframe=bt.TimeFrame.Minutes, compression=360))
    engine.addstrategy(Scripted, plan={10: lambda s: s.buy(size=10)})
    engine.addanalyzer(analyzers.Sharpe, _name="sharpe")
    strategy = engine.run()[0]
    equity = strategy.analyzers.sharpe.equity
    assert equity.dates.tolist() == sorted(set(stamps.date))
    assert strategy.analyzers.sharpe.get_analysis()["sessions"] == len(set(stamps.date)) - 1
    assert equity.nav[-1] == strategy.broker.getvalue()


def test_dates_follow_the_time_zone_of_the_strategy():
    frame = bars(4, 8).set_axis(pd.date_range("2024-01-03 02:00", periods=8, freq="D"))
    for zone, first in ((None, "2024-01-03"), (gettz("America/New_York"), "2024-01-02")):
        engine = bt.Cerebro(stdstats=False, tz=zone)
        engine.adddata(bt.feeds.PandasData(dataname=frame))
        engine.addstrategy(bt.Strategy)
        engine.addanalyzer(analyzers.Equity)
        strategy = engine.run()[0]
        assert strategy.analyzers[0].get_analysis()["dates"][0] == first
        stamps = [strategy.lines.datetime[0]]
        assert session_dates(strategy, stamps)[0] == np.datetime64(strategy.datetime.date(0))


def test_each_strategy_has_its_own_fills():
    engine = cerebro(Scripted, plan={2: lambda s: s.buy(size=1)}, count=8, names=("AAA",))
    engine.addstrategy(Scripted, plan={3: lambda s: s.buy(size=2)})
    engine.addanalyzer(analyzers.FillRecorder, _name="fills")
    first, second = engine.run()
    assert first.analyzers.fills.fills.quantity.tolist() == [1.0]
    assert second.analyzers.fills.fills.quantity.tolist() == [2.0]


def test_recording_does_not_change_the_run():
    plain = cerebro(SmaCross, count=200).run()[0]
    engine = cerebro(SmaCross, count=200)
    analyzers.add_default_analyzers(engine)
    assert engine.run()[0].seen == plain.seen


def test_a_second_run_starts_afresh():
    engine = cerebro(SmaCross, count=80)
    engine.addanalyzer(analyzers.FillRecorder)
    engine.addanalyzer(analyzers.Equity)
    first, second = (engine.run()[0].analyzers for _ in range(2))
    assert [a.get_analysis() for a in first] == [a.get_analysis() for a in second]


def test_what_a_strategy_says_of_an_order_is_kept():
    def retry(strategy):
        strategy.buy(size=3, kind=OrderKind.RETRY, on_switch=True)

    strategy = run({2: retry, 4: lambda s: s.buy(size=1)}).run()[0]
    orders = strategy.analyzers.fills.orders
    assert orders.kind.tolist() == [OrderKind.RETRY, OrderKind.DECISION]
    assert orders.on_switch.tolist() == [True, False]
    turnover = strategy.analyzers.turnover.get_analysis()
    assert turnover["switch_fees_usd"] == pytest.approx(strategy.analyzers.fills.fills.fee[0])
    assert strategy.analyzers.orders.get_analysis()["retried"] == 1
