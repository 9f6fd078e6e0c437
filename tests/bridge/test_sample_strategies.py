"""Strategies written as Backtrader's samples are run unmodified, and fill as on Backtrader's own broker."""

from __future__ import annotations

import backtrader as bt
import pytest

from live.double.history import from_closes
from tests.bridge.conftest import walk
from tests.bridge.stepping import run_bridge, run_vanilla

NAMES = ("AAPL", "BRK-B", "MSFT")


class SmaCross(bt.SignalStrategy):
    """Backtrader's quick start with signals."""

    def __init__(self):
        sma1, sma2 = bt.ind.SMA(period=4), bt.ind.SMA(period=12)
        crossover = bt.ind.CrossOver(sma1, sma2)
        self.signal_add(bt.SIGNAL_LONG, crossover)


class CrossEach(bt.Strategy):
    """Buys and closes each name at its own cross."""

    params = (("fast", 4), ("slow", 12))

    def __init__(self):
        self.cross = {
            d: bt.ind.CrossOver(bt.ind.SMA(d, period=self.p.fast), bt.ind.SMA(d, period=self.p.slow))
            for d in self.datas
        }

    def next(self):
        for d in self.datas:
            if self.cross[d] > 0:
                self.buy(d, size=100)
            elif self.cross[d] < 0 and self.getposition(d).size:
                self.close(d)


class TargetPercent(bt.Strategy):
    """samples/order_target: the share of the first name follows the day of the month."""

    def notify_order(self, order):
        if order.status in (order.Completed, order.Canceled, order.Rejected, order.Margin):
            self.order = None

    def start(self):
        self.order = None

    def next(self):
        if self.order is None:
            day = self.data.datetime.date(0).day
            self.order = self.order_target_percent(target=(day % 10) / 10.0)


class Rebalancer(bt.Strategy):
    """Equal weights, rebalanced every five sessions, sells first."""

    def next(self):
        if len(self) % 5 == 1:
            weights = {d: 0.9 / len(self.datas) for d in self.datas}
            if len(self) % 2 == 0:
                weights[self.datas[0]] = 0.05
            total = self.broker.getvalue()
            gap = {d: self.broker.getvalue([d]) / total - w for d, w in weights.items()}
            for d in sorted(self.datas, key=gap.get, reverse=True):
                self.order_target_percent(d, target=weights[d])


class Bracket(bt.Strategy):
    """samples/bracket: a limited entry with a stop and a limit around it; one bracket at a time.

    The exits lie further away than a day's range: Backtrader's broker lets them work from the next bar on, an
    exchange from the entry on.
    """

    params = (("limit", 0.0), ("away", 0.04))

    def __init__(self):
        self.cross = bt.ind.CrossOver(bt.ind.SMA(period=2), bt.ind.SMA(period=5))
        self.orefs = []

    def notify_order(self, order):
        if not order.alive() and order.ref in self.orefs:
            self.orefs.remove(order.ref)

    def next(self):
        if self.orefs or self.position:
            return
        if self.cross > 0:
            close = self.data.close[0]
            price = round(close * (1.0 - self.p.limit), 2)
            orders = self.buy_bracket(
                size=50,
                price=price,
                stopprice=round(price - self.p.away * close, 2),
                limitprice=round(price + self.p.away * close, 2),
            )
            self.orefs = [order.ref for order in orders]


@pytest.mark.parametrize(
    ("strategy", "names", "count"),
    [
        (SmaCross, NAMES[:1], 4),
        (CrossEach, NAMES, 10),
        (TargetPercent, NAMES[:1], 30),
        (Rebalancer, NAMES, 20),
        (Bracket, NAMES[:1], 6),
    ],
)
def test_a_sample_strategy_fills_on_the_bridge_as_on_backtraders_broker(
    double, connect, strategy, names, count
):
    closes, opens = walk(121, seed=11, names=NAMES, daily=0.012)
    history = from_closes("2023-01-03", closes, opens=opens)
    first, until = history.dates[1], history.dates[-2]
    control = double(history, start=f"{first} 09:00")
    # Time stands still between two closes: a pause would last until the next.
    store = connect(control, until=until.astype(object), cancel_settle_s=0.0)
    live = run_bridge(store, control, strategy, names)
    backtest = run_vanilla(history, strategy, names, first=first, until=until)
    assert len(live.fills) >= count
    assert live.fills == backtest.fills
    assert live.cash == pytest.approx(backtest.cash, abs=1e-6)
    assert live.value == pytest.approx(backtest.value, abs=1e-6)
    book = control.book()
    assert book.cash[control.account] == pytest.approx(live.cash, abs=1e-6)


def test_a_sample_strategy_closes_the_same_trades_on_the_bridge(double, connect):
    closes, opens = walk(121, seed=11, names=NAMES, daily=0.012)
    history = from_closes("2023-01-03", closes, opens=opens)
    first, until = history.dates[1], history.dates[-2]
    control = double(history, start=f"{first} 09:00")
    live = run_bridge(connect(control, until=until.astype(object)), control, CrossEach, NAMES)
    backtest = run_vanilla(history, CrossEach, NAMES, first=first, until=until)

    def closed(outcome):
        trades = [t for t in outcome.strategy.trades if t.isclosed]
        return [(t.data._name, round(t.pnl, 6), round(t.commission, 6), round(t.pnlcomm, 6)) for t in trades]

    assert len(closed(live)) >= 4
    assert closed(live) == closed(backtest)
