"""Strategies written as lists of actions, run by our Cerebro and by Backtrader's own, and everything they can see."""

import datetime as dt

import backtrader as bt

from ares7.bars import engine_bars
from ares7.config import AccountConfig
from feeds.cerebro import ares7_cerebro
from feeds.commission import CostCommission
from feeds.panel_feed import aligned_feeds
from tests.engine.diary import ANALYZERS, Diary, told

KINDS = (
    "buy",
    "sell",
    "percent",
    "value",
    "close",
    "priced",
    "named",
    "limit",
    "stop",
    "oco",
    "bracket",
    "child",
    "late child",
    "cancel",
    "deposit",
)


class Program(bt.Strategy):
    """Does ``actions[n]``, a list of (kind, feed, amount), in session n; writes down what it can see.

    ``amount`` is in -1..1; it overrides no notification.
    """

    params = (("actions", ()),)

    def __init__(self):
        self.seen, self.mine = [], []

    def next(self):
        self.seen.append(self._account())
        actions = self.p.actions
        for kind, feed, amount in actions[len(self) - 1] if len(self) <= len(actions) else ():
            data = self.datas[feed % len(self.datas)]
            made = getattr(self, "do_" + kind.replace(" ", "_"))(data, amount)
            self.mine.extend(order for order in made or () if order is not None)

    def _account(self):
        broker = self.broker
        positions = [
            (data._name, str(position), getattr(position, "datetime", None), position.adjbase)
            for data, position in broker.positions.items()
        ]
        return (
            len(self),
            [repr(float(broker.getvalue(mkt=mkt, lever=lever))) for mkt in (0, 1) for lever in (0, 1)],
            (repr(float(broker.getcash())), broker.get_leverage(), broker.fundvalue, broker.fundshares),
            positions,
            [repr(float(broker.getvalue([data]))) for data in self.datas if data in broker.positions],
            [self._place(order) for order in broker.get_orders_open()],
        )

    def _place(self, order):
        return next((i for i, mine in enumerate(self.broker.orders) if mine is order), None)

    def _size(self, data, amount):
        return int(abs(amount) * 0.5 * self.broker.startingcash / data.close[0])

    def do_buy(self, data, amount):
        return [self.buy(data, size=self._size(data, amount))]

    def do_sell(self, data, amount):
        return [self.sell(data, size=self._size(data, amount))]

    def do_percent(self, data, amount):
        return [self.order_target_percent(data, target=amount)]

    def do_value(self, data, amount):
        return [self.order_target_value(data, target=amount * self.broker.getcash(), tradeid=1)]

    def do_close(self, data, amount):
        return [self.close(data)]

    def do_priced(self, data, amount):
        return [self.sell(data, size=self._size(data, amount), price=data.close[0] * 1.1)]

    def do_named(self, data, amount):
        return [self.buy(data, size=self._size(data, amount), exectype=bt.Order.Market, kind="mine")]

    def do_limit(self, data, amount):
        side, price = (self.buy, 1 - 0.02 * abs(amount)) if amount > 0 else (self.sell, 1 - 0.02 * amount)
        limit = {"exectype": bt.Order.Limit, "price": data.close[0] * price, "valid": dt.timedelta(5)}
        return [side(data, size=self._size(data, amount), **limit)]

    def do_stop(self, data, amount):
        size = self._size(data, amount)
        return [self.sell(data, size=size, exectype=bt.Order.StopTrail, trailpercent=0.02)]

    def do_oco(self, data, amount):
        first = self.buy(data, size=self._size(data, amount))
        if first is None:
            return []
        limit = {"exectype": bt.Order.Limit, "price": data.close[0] * 0.98}
        return [first, *(self.buy(data, size=3, oco=first, **limit) for _ in range(2))]

    def do_bracket(self, data, amount):
        close, size = data.close[0], self._size(data, amount)
        ends = {"limitprice": close * 1.02, "stopprice": close * 0.98}
        kind = bt.Order.Market if amount > 0 else bt.Order.Limit
        return self.buy_bracket(data=data, size=size, price=close, exectype=kind, **ends) if size else []

    def do_child(self, data, amount):
        parent = self.buy(data, size=self._size(data, amount))
        stop = {"exectype": bt.Order.Stop, "price": data.close[0] * 0.98}
        return [parent, self.sell(data, size=2, parent=parent, **stop)] if parent else []

    def do_late_child(self, data, amount):
        parent = next((order for order in self.mine if order.data is data and not order.alive()), None)
        stop = {"exectype": bt.Order.Stop, "price": data.close[0] * 0.97}
        return [self.sell(data, size=2, parent=parent, **stop)] if parent else []

    def do_cancel(self, data, amount):
        for order in self.mine[-3:]:
            self.cancel(order)

    def do_deposit(self, data, amount):
        self.broker.add_cash(amount * 1000)


def ours(panel, costs, cash, strategy=Program, **kwargs):
    engine = ares7_cerebro(panel, costs=costs, account=AccountConfig(cash=cash))
    engine.addstrategy(strategy, **kwargs)
    return engine


def theirs(panel, costs, cash, strategy=Program, **kwargs):
    """Backtrader's own Cerebro and broker on the same bars."""
    engine = bt.Cerebro(stdstats=False)
    for feed in aligned_feeds(engine_bars(panel)):
        engine.adddata(feed)
    engine.broker.setcash(cash)
    engine.broker.addcommissioninfo(CostCommission(costs=costs))
    engine.addstrategy(strategy, **kwargs)
    return engine


def listening(engine):
    """Attach recorders of every notification, field by field."""
    for analyzer in (Diary, *ANALYZERS, bt.analyzers.PyFolio, Everything):
        engine.addanalyzer(analyzer)
    return engine


class Everything(bt.Analyzer):
    """Every attribute of every order and trade that is told."""

    def start(self):
        self.told = []

    def notify_order(self, order):
        self.told.append((len(self.strategy), type(order).__name__, _whole_order(order, self.strategy)))

    def notify_trade(self, trade):
        fields = {key: _value(v) for key, v in vars(trade).items() if key not in ("ref", "data", "history")}
        fields["history"] = [
            (dict(entry.status), entry.event.size, entry.event.price, entry.event.order.getstatusname())
            for entry in trade.history
        ]
        self.told.append((len(self.strategy), trade.data._name, fields))


def _value(value):
    return repr(value) if isinstance(value, float) else value


def _whole_order(order, strategy):
    fields = {key: _value(value) for key, value in vars(order).items()}
    for gone in ("ref", "params", "p", "comminfo", "owner", "data", "parent"):
        fields.pop(gone, None)
    for part in ("created", "executed"):
        values = vars(fields.pop(part))
        fields |= {(part, key): _value(value) for key, value in values.items() if key != "exbits"}
        fields[part, "exbits"] = [{k: _value(v) for k, v in vars(bit).items()} for bit in values["exbits"]]
        fields[part, "pending"] = len(getattr(order, part).getpending())
    params = {key: _value(value) for key, value in vars(order.p).items()}
    for gone in ("owner", "data", "parent", "oco"):
        params.pop(gone, None)
    who = (order.owner is strategy, order.data._name, getattr(order.comminfo, "stocklike", None))
    return fields, params, who, order.alive(), order.isbuy(), order.getordername(), order.getstatusname()


def seen(strategy):
    """What a strategy saw and holds at the end: accounts by session, all attributes of its orders."""
    made = [_whole_order(order, strategy) for order in strategy.broker.orders]
    return [*strategy.seen, *made]


def heard(strategy):
    """What its analyzers were told."""
    return [*strategy.analyzers[-1].told, *told(strategy)]
