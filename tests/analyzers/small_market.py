"""A small seeded market and an ordinary Backtrader strategy, run under Backtrader's own broker."""

import backtrader as bt
import numpy as np
import pandas as pd

SESSIONS = 520
NAMES = ("AAA", "BBB", "CCC")


def bars(seed, count=SESSIONS, start="2019-01-02", volume=1e5):
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0.0004, 0.012, count)))
    opening = close * np.exp(rng.normal(0, 0.004, count))
    return pd.DataFrame(
        {
            "open": opening,
            "high": np.maximum(opening, close) * 1.003,
            "low": np.minimum(opening, close) * 0.997,
            "close": close,
            "volume": np.full(count, volume),
        },
        index=pd.bdate_range(start, periods=count),
    )


class SmaCross(bt.Strategy):
    """In above the average, out below; writes down what the broker says at each bar."""

    params = (("period", 10), ("target", 0.4))

    def __init__(self):
        self.average = {data: bt.ind.SMA(data.close, period=self.p.period) for data in self.datas}
        self.seen = []

    def prenext(self):
        self.note()

    def next(self):
        self.note()
        for data in self.datas:
            size = self.getposition(data).size
            if data.close[0] > self.average[data][0] and not size:
                self.order_target_percent(data, target=self.p.target)
            elif data.close[0] < self.average[data][0] and size:
                self.close(data)

    def note(self):
        sizes = [self.getposition(data).size for data in self.datas]
        values = [size * data.close[0] for size, data in zip(sizes, self.datas, strict=True)]
        self.seen.append(
            (
                self.datetime.date(),
                self.broker.getvalue(),
                self.broker.getcash(),
                sum(map(abs, values)),
                sum(size != 0 for size in sizes),
            )
        )


class Executions(bt.Analyzer):
    """Oracle for fills: every new execution bit, by Backtrader's own marks."""

    def start(self):
        self.bits = []
        self.final = {}

    def notify_order(self, order):
        self.final[order.ref] = order.getstatusname()
        self.bits += [
            (bt.num2date(bit.dt).date().isoformat(), order.data._name, bit.size, bit.price, bit.comm)
            for bit in order.executed.iterpending()
        ]


def cerebro(
    strategy=SmaCross, *, names=NAMES, count=SESSIONS, commission=0.001, cash=1e5, volume=1e5, **params
):
    engine = bt.Cerebro(stdstats=False)
    for seed, name in enumerate(names):
        frame = bars(seed, count, volume=volume)
        engine.adddata(bt.feeds.PandasData(dataname=frame), name=name)
    engine.broker.setcash(cash)
    engine.broker.setcommission(commission=commission)
    engine.addstrategy(strategy, **params)
    return engine
