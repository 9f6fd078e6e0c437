"""Runs a strategy on the bridge, the double's clock stepping from close to close, and on Backtrader's own broker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd

MINUTES_AFTER = 25.0
"""After the close: beyond the store's delay for bars."""


class Stepper(bt.Analyzer):
    """Ends the next session each time the strategy has decided."""

    params = (("store", None), ("control", None))

    def next(self):
        # What was decided is at the gateway before time goes on.
        self.p.store.begin_round()
        self.p.store.client.server_time()
        if not self.p.store.finished:
            self.p.control.end_session(MINUTES_AFTER)

    def prenext(self):
        self.next()

    def nextstart(self):
        self.next()


@dataclass
class Outcome:
    """A run that is over."""

    strategy: Any
    value: float
    cash: float
    fills: list = field(default_factory=list)
    """(symbol, size, price, fee) of every completed order."""


def told(strategy):
    """Every order notification of a recording strategy: (symbol, status, executed size)."""
    return [(o.data._name, o.getstatusname(), o.executed.size) for o in strategy.heard]


class Hears:
    """Mixed into a strategy: keeps what it was told, and passes it on."""

    def __init__(self, *args, **kwargs):
        self.heard, self.trades, self.notes, self.feed_states = [], [], [], []
        super().__init__(*args, **kwargs)

    def notify_order(self, order):
        self.heard.append(order)
        super().notify_order(order)

    def notify_trade(self, trade):
        self.trades.append(trade)
        super().notify_trade(trade)

    def notify_store(self, msg, *args, **kwargs):
        self.notes.append(msg)
        super().notify_store(msg, *args, **kwargs)

    def notify_data(self, data, status, *args, **kwargs):
        self.feed_states.append((data._name, data._getstatusname(status)))
        super().notify_data(data, status, *args, **kwargs)


def hearing(strategy):
    """The strategy class, unmodified, with ears."""
    return type(strategy.__name__, (Hears, strategy), {"__module__": strategy.__module__})


def fills_of(strategy):
    done = [o for o in strategy.heard if o.status == o.Completed]
    return [
        (o.data._name, o.executed.size, round(o.executed.price, 6), round(o.executed.comm, 6)) for o in done
    ]


def run_bridge(store, control, strategy, symbols, *, configure=None, feed=None, **params):
    """Run a strategy from the first session after the start of the double to ``store.until``."""
    cerebro = bt.Cerebro()
    cerebro.setbroker(store.getbroker())
    for symbol in symbols:
        cerebro.adddata(store.getdata(symbol=symbol, **(feed or {})))
    cerebro.addstrategy(hearing(strategy), **params)
    if configure is not None:
        configure(cerebro)
    cerebro.addanalyzer(Stepper, store=store, control=control)
    try:
        store.start()
        control.end_session(MINUTES_AFTER)
        done = cerebro.run()[0]
    finally:
        store.stop()
    broker = store.getbroker()
    return Outcome(done, broker.getvalue(), broker.getcash(), fills_of(done))


def run_vanilla(
    history, strategy, symbols, *, first, until, cash=1e6, commission=0.001, configure=None, **params
):
    """Run the same class on Backtrader's broker over the sessions from ``first`` to ``until``."""
    cerebro = bt.Cerebro()
    cerebro.broker.setcash(cash)
    cerebro.broker.setcommission(commission=commission)
    for symbol in symbols:
        cerebro.adddata(bt.feeds.PandasData(dataname=frame(history, symbol, first, until)), name=symbol)
    cerebro.addstrategy(hearing(strategy), **params)
    if configure is not None:
        configure(cerebro)
    done = cerebro.run()[0]
    return Outcome(done, cerebro.broker.getvalue(), cerebro.broker.getcash(), fills_of(done))


def frame(history, symbol, first, until):
    row = history.symbols.index(symbol)
    rows = (history.dates >= np.datetime64(first)) & (history.dates <= np.datetime64(until))
    columns = {name: getattr(history, name)[row, rows] for name in ("open", "high", "low", "close", "volume")}
    return pd.DataFrame(columns, index=pd.DatetimeIndex(history.dates[rows].astype("datetime64[ns]")))
