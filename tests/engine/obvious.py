"""Rulings 3, 4, 5 and 7 once more, as one plain loop over sessions, orders and names.

Written from the rulings, not from the product. A refused order follows Backtrader's rule, and so does the order
of the floating-point operations of a sale: what was paid comes back, then the profit.
"""

import math
from dataclasses import dataclass, field

FRESH = 5


@dataclass
class Order:
    column: int
    shares: float
    close: float
    decided: int
    kind: str = "decision"
    state: str = "waiting"
    resolved: int | None = None


@dataclass
class Result:
    nav: list = field(default_factory=list)
    cash: list = field(default_factory=list)
    orders: list = field(default_factory=list)
    fills: list = field(default_factory=list)


def bps(rate):
    return lambda shares, price: abs(shares) * (rate / 1e4) * price


def per_share(rate, minimum, slippage_bps=0.0, cap=0.01):
    def fee(shares, price):
        value = abs(shares) * price
        return min(max(abs(shares) * rate, minimum), cap * value) + slippage_bps / 1e4 * value

    return fee


class Account:
    def __init__(self, panel, targets, *, cash, fee, whole=True, min_trade_nav=0.0005, cash_rate=0.0):
        self.panel, self.targets, self.fee = panel, targets, fee
        self.whole, self.min_trade_nav, self.cash_rate = whole, min_trade_nav, cash_rate
        self.cash = cash
        names = len(panel.symbols)
        self.shares, self.paid = [0.0] * names, [0.0] * names
        self.last, self.seen = [math.nan] * names, [None] * names
        self.submitted, self.waiting, self.refused = [], [], []
        self.result = Result()

    def has_bar(self, row, column):
        return not math.isnan(self.panel.fields["close"][row, column])

    def run(self):
        first = self.panel.start_row
        for row in range(len(self.panel.dates)):
            for column in range(len(self.shares)):
                if self.has_bar(row, column):
                    self.last[column] = float(self.panel.fields["close"][row, column])
                    self.seen[column] = row
            if row >= first:
                self.session(row)
        return self.result

    def session(self, row):
        self.refused = []
        self.cash *= 1 + self.cash_rate / 252
        self.check_submitted(row)
        self.trade_at_open(row)
        self.close_delisted(row)
        nav = self.nav()
        self.result.nav.append(nav)
        self.result.cash.append(self.cash)
        if self.targets.decide[row]:
            self.decide(row, nav)
        else:
            self.retry(row)

    def nav(self):
        total = self.cash
        for column, shares in enumerate(self.shares):
            if shares:
                total += shares * self.last[column]
        return total

    def finish(self, order, row, state):
        order.state, order.resolved = state, row
        if state == "refused":
            self.refused.append(order)

    def check_submitted(self, row):
        running = self.cash
        for order in self.submitted:
            running = running - order.shares * order.close - self.fee(order.shares, order.close)
            if running < 0:
                self.finish(order, row, "refused")
            else:
                self.waiting.append(order)
        self.submitted = []

    def trade_at_open(self, row):
        still = []
        for order in self.waiting:
            if not self.has_bar(row, order.column):
                still.append(order)
                continue
            price = float(self.panel.fields["open"][row, order.column])
            fee = self.fee(order.shares, price)
            if order.shares > 0 and self.cash - order.shares * price - fee < 0:
                self.finish(order, row, "refused")
            else:
                self.fill(order, row, price, fee)
        self.waiting = still

    def fill(self, order, row, price, fee):
        column, shares = order.column, order.shares
        before = self.shares[column]
        if shares < 0:
            paid = self.paid[column]
            self.cash = self.cash + (-shares * paid + -shares * (price - paid)) - fee
        else:
            self.cash = self.cash - shares * price - fee
            held = self.paid[column] * before + shares * price
            self.paid[column] = price if before == 0 else held / (before + shares)
        self.shares[column] = before + shares
        self.finish(order, row, "filled")
        self.result.fills.append((row, column, shares, price, fee))

    def close_delisted(self, row):
        for column in range(len(self.shares)):
            if self.seen[column] is None or row - self.seen[column] != FRESH:
                continue
            for order in [o for o in self.waiting if o.column == column]:
                self.finish(order, row, "cancelled")
                self.waiting.remove(order)
            if self.shares[column]:
                order = Order(column, -self.shares[column], self.last[column], row, "delisting")
                self.result.orders.append(order)
                self.fill(order, row, order.close, self.fee(order.shares, order.close))

    def decide(self, row, nav):
        for order in self.waiting:
            self.finish(order, row, "cancelled")
        self.waiting = []
        wanted = []
        for column, held in enumerate(self.shares):
            if not self.has_bar(row, column):
                continue
            weight, close = float(self.targets.weights[row, column]), self.last[column]
            target = (weight * nav) / close if weight > 0 else 0.0
            target = float(math.floor(target)) if self.whole else target
            change = target - held
            small = abs(change) * close < self.min_trade_nav * nav
            if change and not (small and target != 0):
                wanted.append((change, column, close))
        wanted.sort(key=lambda item: item[:2])
        self.submit([Order(column, change, close, row) for change, column, close in wanted])

    def retry(self, row):
        again = []
        for order in self.refused:
            if order.shares < 0 or order.kind == "retry" or not self.has_bar(row, order.column):
                continue
            close = self.last[order.column]
            fee = self.fee(order.shares, close) / (order.shares * close)
            affordable = 0.98 * self.cash / (close * (1 + fee))
            shares = min(order.shares, float(math.floor(affordable)) if self.whole else affordable)
            if shares > 0:
                again.append(Order(order.column, shares, close, row, "retry"))
        self.submit(again)

    def submit(self, orders):
        self.submitted = orders
        self.result.orders += orders


def trade(panel, targets, **settings):
    return Account(panel, targets, **settings).run()
