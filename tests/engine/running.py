"""Run targets under the product in each of its modes, and put what happened in one comparable form."""

from dataclasses import dataclass

import backtrader as bt
import numpy as np

from ares7.bars import engine_bars
from ares7.config import AccountConfig
from ares7.costs import BpsCosts, IbkrFixedCosts, IbkrTieredCosts
from feeds.cerebro import ares7_cerebro
from feeds.commission import CostCommission
from feeds.panel_feed import aligned_feeds
from strategies.base import PortfolioStrategy
from tests.engine import obvious

COSTS = {
    "bps": (BpsCosts(bps=10), obvious.bps(10)),
    "fixed": (IbkrFixedCosts(slippage_bps=3), obvious.per_share(0.005, 1.0, 3)),
    "tiered": (IbkrTieredCosts(), obvious.per_share(0.0035, 0.35)),
    "free": (BpsCosts(bps=0), obvious.bps(0)),
}
KINDS = ("decision", "retry", "delisting")
STATES = ("waiting", "filled", "refused", "cancelled")
BACKTRADER_STATES = {
    bt.Order.Completed: "filled",
    bt.Order.Margin: "refused",
    bt.Order.Canceled: "cancelled",
}


@dataclass
class Outcome:
    nav: np.ndarray
    cash: np.ndarray
    orders: list
    """(decided row, column, shares, state), in order of submission."""
    fills: list
    """(row, column, shares, price, fee), in order of execution."""
    kinds: list


class Recorded(PortfolioStrategy):
    """Trades given targets and writes down NAV and cash at each close, under any broker."""

    def start(self):
        super().start()
        self.seen = []

    def next(self):
        self.seen.append((self.broker.getvalue(), self.broker.getcash()))
        super().next()


def basket_account(panel, targets, *, costs="bps", **account):
    """History and ledger of the event-driven engine."""
    settings = AccountConfig(**account)
    cerebro = ares7_cerebro(panel, costs=COSTS[costs][0], account=settings)
    cerebro.addstrategy(Recorded, targets=targets, account=settings)
    strategy = cerebro.run()[0]
    history = strategy.broker.history
    assert np.array_equal(history.nav, [nav for nav, _ in strategy.seen])
    return history, strategy.broker.ledger


def outcome_of(panel, nav, cash, ledger):
    """A ledger in the form in which every engine can be compared."""
    first = panel.start_row
    orders, fills = ledger.orders, ledger.fills
    row_of = {day: row - first for row, day in enumerate(panel.dates.tolist())}
    decided = [row_of[day] for day in orders.decided.tolist()]
    return Outcome(
        nav,
        cash,
        list(
            zip(
                decided,
                orders.symbol.tolist(),
                orders.quantity.tolist(),
                [STATES[s] for s in orders.status],
                strict=True,
            )
        ),
        list(
            zip(
                [row_of[day] for day in fills.date.tolist()],
                fills.symbol.tolist(),
                fills.quantity.tolist(),
                fills.price.tolist(),
                fills.fee.tolist(),
                strict=True,
            )
        ),
        [KINDS[k] for k in orders.kind],
    )


def run_baskets(panel, targets, *, costs="bps", **account):
    history, ledger = basket_account(panel, targets, costs=costs, **account)
    return outcome_of(panel, history.nav, history.cash, ledger)


def run_singles(panel, targets, *, costs="bps", **account):
    settings = AccountConfig(**account)
    cerebro = ares7_cerebro(panel, costs=COSTS[costs][0], account=settings)
    return _singles(cerebro, panel, targets, settings)


def run_vanilla(panel, targets, *, costs="bps", **account):
    """The same strategy class under Backtrader's own Cerebro and broker; right on panels without holes only."""
    settings = AccountConfig(**account)
    bars = engine_bars(panel)
    cerebro = bt.Cerebro(stdstats=False)
    for feed in aligned_feeds(bars):
        cerebro.adddata(feed)
    cerebro.broker = bt.brokers.BackBroker(cash=settings.cash)
    cerebro.broker.addcommissioninfo(CostCommission(costs=COSTS[costs][0]))
    return _singles(cerebro, panel, targets, settings)


def _singles(cerebro, panel, targets, settings):
    cerebro.addstrategy(Recorded, targets=targets, account=settings, single_orders=True)
    strategy = cerebro.run()[0]
    dates = {day.toordinal(): row for row, day in enumerate(panel.dates[panel.start_row :].tolist())}
    orders, fills, kinds = [], [], []
    for order in cerebro.broker.orders:
        column = order.data.column
        delisted = bool(order.info.get("delisted"))
        decided = dates[int(order.executed.dt if delisted else order.created.dt)]
        orders.append((decided, column, order.created.size, BACKTRADER_STATES.get(order.status, "waiting")))
        kinds.append("delisting" if delisted else KINDS[order.info.kind])
        for bit in order.executed.exbits:
            fills.append((dates[int(bit.dt)], column, bit.size, bit.price, bit.comm))
    nav, cash = np.array(strategy.seen).T
    return Outcome(nav, cash, orders, fills, kinds)


def run_obvious(panel, targets, *, costs="bps", cash, shares="whole", **account):
    result = obvious.trade(panel, targets, cash=cash, fee=COSTS[costs][1], whole=shares == "whole", **account)
    first = panel.start_row
    return Outcome(
        np.array(result.nav),
        np.array(result.cash),
        [(o.decided - first, o.column, o.shares, o.state) for o in result.orders],
        [(row - first, *rest) for row, *rest in result.fills],
        [o.kind for o in result.orders],
    )


def assert_same(one, other, rtol=1e-10):
    np.testing.assert_allclose(one.nav, other.nav, rtol=rtol, atol=0)
    scale = np.abs(other.nav).max()
    np.testing.assert_allclose(one.cash, other.cash, rtol=rtol, atol=rtol * scale)
    assert one.kinds == other.kinds
    _assert_rows(one.orders, other.orders, rtol)
    _assert_rows(sorted(one.fills), sorted(other.fills), rtol)


def _assert_rows(one, other, rtol):
    assert [_exact(row) for row in one] == [_exact(row) for row in other]
    numbers, expected = ([_floats(row) for row in rows] for rows in (one, other))
    if numbers:
        np.testing.assert_allclose(numbers, expected, rtol=rtol, atol=1e-9)


def _exact(row):
    return [value for value in row if isinstance(value, str | int)]


def _floats(row):
    return [value for value in row if not isinstance(value, str | int)]
