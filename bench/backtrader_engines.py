"""Backtrader as it is installed, and the same strategies on this project's Cerebro."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import numpy as np

from bench.job import CASH, COST, Job, frames


class Quiet(bt.Strategy):  # type: ignore[misc]
    """Anyone's strategy: ``order_target_percent`` at month ends, sales first. Nobody listens."""

    params: Any = (("rows", None), ("targets", None))

    def __init__(self) -> None:
        self.decisions = dict(zip(self.p.rows.tolist(), self.p.targets.tolist(), strict=True))
        self.equity: list[float] = []

    def next(self) -> None:
        """Record the value; trade where the table has a row."""
        value = self.broker.getvalue()
        row = self.decisions.get(len(self.equity))
        self.equity.append(value)
        if row is not None:
            self.rebalance(row, value)

    def rebalance(self, row: list[float], value: float) -> None:
        """Send one order a symbol; the largest sale goes first."""
        broker = self.broker
        gaps = [
            w * value - broker.getposition(d).size * d.close[0] for w, d in zip(row, self.datas, strict=True)
        ]
        for _, i in sorted((gap, i) for i, gap in enumerate(gaps)):
            self.order_target_percent(self.datas[i], target=row[i])


class Listening(Quiet):
    """The same, told about every order and trade."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: dict[str, float] = {}

    def hear(self, what: str, amount: float) -> None:
        """Count an event and add up its amount."""
        self.heard[what] = self.heard.get(what, 0) + 1
        self.heard[what + " amount"] = self.heard.get(what + " amount", 0.0) + amount

    def notify_order(self, order: Any) -> None:
        """Count by status."""
        self.hear(order.getstatusname(), order.executed.size * order.executed.price + order.executed.comm)

    def notify_trade(self, trade: Any) -> None:
        """Count opened and closed trades."""
        self.hear("trade closed" if trade.isclosed else "trade opened", trade.pnlcomm)


class InShares(Quiet):
    """Targets rounded down to whole shares, as this project does it, with ``order_target_size``."""

    def rebalance(self, row: list[float], value: float) -> None:
        """Send one order a symbol; the largest sale in shares goes first."""
        sizes = [np.floor((w * value) / d.close[0]) for w, d in zip(row, self.datas, strict=True)]
        changes = [s - self.broker.getposition(d).size for s, d in zip(sizes, self.datas, strict=True)]
        for _, i in sorted((change, i) for i, change in enumerate(changes)):
            self.order_target_size(self.datas[i], target=sizes[i])


def _run(cerebro: Any, strategy: type[Any], job: Job) -> tuple[Any, dict[str, Any]]:
    cerebro.addstrategy(strategy, rows=job.rows, targets=job.targets)
    if strategy is not Listening:
        return np.array(cerebro.run()[0].equity), {}
    cerebro.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
    done = cerebro.run()[0]
    trades = done.analyzers.trades.get_analysis()
    told = dict(sorted(done.heard.items()))
    told |= {
        "trades closed": trades.total.closed,
        "trades won": trades.won.total,
        "net": trades.pnl.net.total,
    }
    return np.array(done.equity), told


def vanilla(job: Job, strategy: type[Any]) -> Any:
    """Backtrader alone: one PandasData a symbol, its own Cerebro and broker, no observers."""
    data = frames(job)

    def run() -> Any:
        cerebro = bt.Cerebro(stdstats=False)
        for symbol, frame in data.items():
            cerebro.adddata(bt.feeds.PandasData(dataname=frame, openinterest=None), name=symbol)
        cerebro.broker.setcash(CASH)
        cerebro.broker.setcommission(commission=COST)
        return _run(cerebro, strategy, job)

    return run


def unmodified(job: Job, strategy: type[Any]) -> Any:
    """Run a strategy that knows nothing of this project on ``ares7_cerebro``, from DataFrames."""
    from bench.own_engines import costs, panel_from
    from feeds.cerebro import ares7_cerebro

    data = frames(job)
    return lambda: _run(ares7_cerebro(panel_from(job, data), costs=costs()), strategy, job)
