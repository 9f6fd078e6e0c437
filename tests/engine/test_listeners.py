"""Whatever needs real orders or trades switches our strategies to single orders, and the account stays the same."""

import backtrader as bt
import numpy as np
import pytest

from analyzers import add_default_analyzers
from ares7.config import AccountConfig
from ares7.costs import BpsCosts, IbkrFixedCosts
from ares7.errors import ConfigError
from ares7.ledger import OrderKind, OrderStatus
from feeds.cerebro import ares7_cerebro
from feeds.panel_feed import market_feed
from strategies.equal_weight import EqualWeight, Params
from tests.engine.diary import every_day
from tests.engine.panels import flat, market, panel_of, targets_of, weekdays, without_bars

COSTS = BpsCosts(bps=10)
ACCOUNT = AccountConfig(cash=20_000)


@pytest.fixture(scope="module")
def panel():
    return market(sessions=160, stocks=10, start=20)


def run(panel, strategy=EqualWeight, prepare=None, costs=COSTS, **kwargs):
    engine = ares7_cerebro(panel, costs=costs, account=ACCOUNT)
    engine.addstrategy(strategy, settings=Params(gross=1.0), account=ACCOUNT, **kwargs)
    if prepare is not None:
        prepare(engine)
    return engine.run()[0]


@pytest.fixture(scope="module")
def baskets(panel):
    strategy = run(panel)
    orders = strategy.broker.ledger.orders
    retries = orders.status[orders.kind == OrderKind.RETRY]
    assert (orders.status == OrderStatus.REFUSED).any()
    assert (retries == OrderStatus.FILLED).any()
    return strategy


def same_account(one, other):
    np.testing.assert_allclose(one.broker.history.nav, other.broker.history.nav, rtol=1e-10)
    np.testing.assert_allclose(one.broker.history.cash, other.broker.history.cash, rtol=1e-10, atol=1e-6)


class OwnNotifications(EqualWeight):
    """Overrides both notifications and calls nobody."""

    def start(self):
        super().start()
        self.orders_told, self.trades_told = [], []

    def notify_order(self, order):
        self.orders_told.append((order.data._name, order.getstatusname(), order.executed.size))

    def notify_trade(self, trade):
        self.trades_told.append((trade.data._name, trade.isclosed))


def test_a_subclass_with_its_own_notifications_sees_them_and_retries_all_the_same(panel, baskets):
    strategy = run(panel, OwnNotifications)
    assert strategy.broker.ledger is None
    same_account(strategy, baskets)
    fills = baskets.broker.ledger.fills
    delisted = baskets.broker.ledger.orders.kind[fills.order] == OrderKind.DELISTING
    names = [panel.symbols[column] for column in fills.symbol[~delisted]]
    told = [(name, size) for name, status, size in strategy.orders_told if status == "Completed"]
    assert sorted(told) == sorted(zip(names, fills.quantity[~delisted].tolist(), strict=True))
    assert delisted.any()
    assert any(closed for _, closed in strategy.trades_told)


@pytest.mark.parametrize("only", ["notify_order", "notify_trade"])
def test_either_notification_is_enough(panel, baskets, only):
    told = []
    listening = type("Listening", (EqualWeight,), {only: lambda self, what: told.append(what)})
    strategy = run(panel, listening)
    assert len(told) > 10
    same_account(strategy, baskets)


def test_a_quick_notification_is_retried_too(panel, baskets):
    engine = ares7_cerebro(panel, costs=COSTS, account=ACCOUNT, quicknotify=True)
    engine.addstrategy(OwnNotifications, settings=Params(gross=1.0), account=ACCOUNT)
    same_account(engine.run()[0], baskets)


@pytest.mark.parametrize(
    "analyzer",
    [bt.analyzers.TradeAnalyzer, bt.analyzers.Transactions, bt.analyzers.SQN, bt.analyzers.PyFolio],
)
def test_analyzers_of_orders_and_trades_get_them(panel, baskets, analyzer):
    strategy = run(panel, prepare=lambda engine: engine.addanalyzer(analyzer))
    assert strategy.broker.ledger is None
    same_account(strategy, baskets)
    analysis = strategy.analyzers[0].get_analysis()
    fills = baskets.broker.ledger.fills
    if analyzer is bt.analyzers.TradeAnalyzer:
        assert analysis.total.closed > 0
    elif analyzer is bt.analyzers.SQN:
        assert analysis["trades"] > 0
    else:
        rows = analysis["transactions"] if analyzer is bt.analyzers.PyFolio else analysis
        days = {day.date() for day in rows if hasattr(day, "date")}
        # Backtrader tells the sale of a delisted name to trades, not to orders.
        delisted = baskets.broker.ledger.orders.kind[fills.order] == OrderKind.DELISTING
        assert set(fills.date[~delisted].tolist()) == days


@pytest.mark.parametrize(
    "analyzer",
    [
        bt.analyzers.DrawDown,
        bt.analyzers.TimeReturn,
        bt.analyzers.SharpeRatio,
        bt.analyzers.Returns,
        bt.analyzers.GrossLeverage,
        bt.analyzers.PositionsValue,
        bt.analyzers.Calmar,
        bt.analyzers.VWR,
        bt.analyzers.PeriodStats,
    ],
)
def test_analyzers_of_value_keep_baskets_and_agree(panel, analyzer):
    one = run(panel, prepare=lambda engine: engine.addanalyzer(analyzer))
    other = run(panel, prepare=lambda engine: engine.addanalyzer(analyzer), single_orders=True)
    assert one.broker.ledger is not None
    assert other.broker.ledger is None
    left, right = (s.analyzers[0].get_analysis() for s in (one, other))
    assert _flat(left) == pytest.approx(_flat(right), rel=1e-9, nan_ok=True)


def _flat(value):
    if isinstance(value, dict):
        return [number for item in value.values() for number in _flat(item)]
    if isinstance(value, list | tuple):
        return [number for item in value for number in _flat(item)]
    return [float(value)] if isinstance(value, int | float | np.floating) else []


def test_our_own_analyzers_keep_baskets(panel, baskets):
    strategy = run(panel, prepare=lambda engine: add_default_analyzers(engine, costs=COSTS))
    assert strategy.broker.ledger is not None
    assert strategy.broker.history.nav.tolist() == baskets.broker.history.nav.tolist()


@pytest.mark.parametrize("observer", [bt.observers.BuySell, bt.observers.Trades, bt.observers.DataTrades])
def test_observers_of_orders_and_trades_see_them(panel, baskets, observer):
    multi = observer is bt.observers.BuySell
    adding = "addobservermulti" if multi else "addobserver"
    strategy = run(panel, prepare=lambda engine: getattr(engine, adding)(observer))
    same_account(strategy, baskets)
    marks = [np.array(line.array) for observer in strategy.getobservers() for line in observer.lines]
    assert sum(np.isfinite(values).sum() for values in marks) > 0


def test_standard_observers_of_backtrader_see_value_and_trades(panel, baskets):
    engine = ares7_cerebro(panel, costs=COSTS, account=ACCOUNT, stdstats=True)
    engine.addstrategy(EqualWeight, settings=Params(gross=1.0), account=ACCOUNT)
    strategy = engine.run()[0]
    same_account(strategy, baskets)
    value = np.array(strategy.observers.broker.lines.value.array)[: len(strategy)]
    np.testing.assert_allclose(value, baskets.broker.history.nav, rtol=1e-10)


def test_fund_value_follows_the_nav_of_baskets(panel, baskets):
    class Fund(bt.Analyzer):
        def start(self):
            self.seen = []

        def notify_fund(self, cash, value, fundvalue, shares):
            self.seen.append((value, fundvalue))

    strategy = run(panel, prepare=lambda engine: engine.addanalyzer(Fund))
    value, fund = np.array(strategy.analyzers[0].seen).T
    assert strategy.broker.ledger is not None
    np.testing.assert_allclose(fund, value / ACCOUNT.cash * 100, rtol=1e-12)


# More than one strategy, other feeds, other broker settings


class Patient(bt.Strategy):
    """Bids for one share at half the price until the end."""

    def start(self):
        self.bid = None

    def next(self):
        if self.bid is None:
            self.bid = self.buy(size=1, exectype=bt.Order.Limit, price=self.data.close[0] / 2)


def test_an_ordinary_strategy_beside_ours_keeps_its_orders():
    panel = panel_of(flat(30, [10.0, 20.0]), flat(30, [10.0, 20.0]))
    targets = targets_of(panel, {row: np.array([0.25, 0.05 * row]) for row in range(0, 12, 2)})
    engine = ares7_cerebro(panel, costs=BpsCosts(bps=0), account=ACCOUNT)
    engine.addstrategy(EqualWeight, targets=targets, account=ACCOUNT)
    engine.addstrategy(Patient)
    ours, theirs = engine.run()
    assert theirs.bid.getstatusname() == "Accepted"
    assert ours.broker.getposition(ours.datas[0]).size == 500
    assert ours.broker.getposition(ours.datas[1]).size == 500


def test_two_of_ours_in_one_account_lose_no_shares():
    """Both want 25 %: the account holds 50 %, and its value is its cash plus what the fills bought."""
    panel = panel_of(flat(6, [10.0, 20.0]), flat(6, [10.0, 20.0]))
    targets = targets_of(panel, {0: np.array([0.25, 0.0])})
    engine = ares7_cerebro(panel, costs=BpsCosts(bps=0), account=ACCOUNT)
    for _ in range(2):
        engine.addstrategy(EqualWeight, targets=targets, account=ACCOUNT)
    broker = engine.run()[0].broker
    assert (broker.getposition(engine.datas[0]).size, broker.getcash()) == (1000.0, 10_000.0)
    assert broker.history.nav.tolist() == [20_000.0] * 6


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("runonce", [True, False])
def test_a_market_feed_with_its_warm_up_beside_our_strategy(panel, baskets, single, runonce):
    engine = ares7_cerebro(panel, costs=COSTS, account=ACCOUNT)
    engine.adddata(market_feed(panel, np.zeros(160)))
    engine.addstrategy(EqualWeight, settings=Params(gross=1.0), account=ACCOUNT, single_orders=single)
    strategy = engine.run(runonce=runonce)[0]
    assert len(strategy) == 160
    same_account(strategy, baskets)


@pytest.mark.parametrize("single", [False, True])
def test_a_feed_with_weekends_does_not_decide_twice(panel, baskets, single):
    engine = ares7_cerebro(panel, costs=COSTS, account=ACCOUNT)
    engine.adddata(every_day(panel))
    engine.addstrategy(EqualWeight, settings=Params(gross=1.0), account=ACCOUNT, single_orders=single)
    strategy = engine.run()[0]
    assert len(strategy) > 1.3 * len(baskets)
    same_account(strategy, baskets)


@pytest.mark.parametrize(
    "kwargs", [{"runonce": False}, {"preload": False}, {"exactbars": True}, {"oldsync": True}]
)
@pytest.mark.parametrize("single", [False, True])
def test_every_way_of_running_gives_the_same_account(panel, baskets, kwargs, single):
    engine = ares7_cerebro(panel, costs=COSTS, account=ACCOUNT)
    engine.addstrategy(EqualWeight, settings=Params(gross=1.0), account=ACCOUNT, single_orders=single)
    same_account(engine.run(**kwargs)[0], baskets)
    same_account(engine.run()[0], baskets)


def test_slippage_is_applied_by_backtraders_own_code():
    panel = panel_of(flat(4, [10.0]), [[10.0]] * 4)
    panel.fields["high"][:] = 11.0
    targets = targets_of(panel, {0: np.array([0.5])})

    def slip(engine):
        engine.broker.set_slippage_perc(0.01)

    strategy = run(panel, prepare=slip, costs=BpsCosts(bps=0), targets=targets)
    assert strategy.broker.getcash() == pytest.approx(20_000 - 1000 * 10.1)


def test_a_commission_set_on_the_broker_is_the_one_that_is_charged():
    panel = panel_of(flat(4, [10.0]), flat(4, [10.0]))
    targets = targets_of(panel, {0: np.array([0.5])})

    def dear(engine):
        engine.broker.setcommission(commission=0.02)

    strategy = run(panel, prepare=dear, targets=targets)
    assert strategy.broker.getcash() == pytest.approx(20_000 - 1000 * 10 * 1.02)
    named = run(panel, prepare=lambda e: e.broker.setcommission(commission=0.03, name="S00"), targets=targets)
    assert named.broker.getcash() == pytest.approx(20_000 - 1000 * 10 * 1.03)


@pytest.mark.parametrize("single", [False, True])
def test_added_cash_reaches_the_account(single):
    class Adds(EqualWeight):
        def next(self):
            super().next()
            if len(self) == 3:
                self.broker.add_cash(500.0)

    panel = panel_of(flat(6, [10.0]), flat(6, [10.0]))
    strategy = run(
        panel,
        Adds,
        costs=BpsCosts(bps=0),
        targets=targets_of(panel, {0: np.array([0.5])}),
        single_orders=single,
    )
    assert strategy.broker.history.nav.tolist() == [20_000.0] * 3 + [20_500.0] * 3
    assert strategy.broker.get_fundvalue() == pytest.approx(100)


def test_mixing_names_the_remedy():
    class Mixes(EqualWeight):
        def next(self):
            super().next()
            if len(self) == 2:
                self.buy(self.data)

    panel = panel_of(flat(6, [10.0]), flat(6, [10.0]))
    targets = targets_of(panel, {0: np.array([0.5])})
    with pytest.raises(ConfigError, match="single_orders=True"):
        run(panel, Mixes, targets=targets)
    strategy = run(panel, Mixes, targets=targets, single_orders=True)
    assert strategy.broker.getposition(strategy.data).size == 1001


def test_ordinary_feeds_are_refused_by_name(panel):
    engine = bt.Cerebro(stdstats=False)
    engine.adddata(market_feed(panel, np.zeros(160)))
    engine.addstrategy(EqualWeight)
    with pytest.raises(ConfigError, match=r"EqualWeight.*ares7_cerebro"):
        engine.run()


# No NaN, ever


@pytest.mark.parametrize("single", [False, True])
def test_a_name_without_any_bar_leaves_the_account_finite(single):
    panel = without_bars(panel_of(flat(30, [10.0, 5.0]), flat(30, [10.0, 5.0])), slice(0, 30), 1)
    targets = targets_of(panel, {row: np.array([0.4, 0.5]) for row in range(0, 30, 4)})
    strategy = run(panel, targets=targets, single_orders=single, costs=IbkrFixedCosts())
    assert np.isfinite(np.array(strategy.broker.history[1:])).all()
    assert [feed._name for feed in strategy.datas] == [panel.symbols[0]]
    assert strategy.broker.held[1] == 0


def test_weekdays_are_strictly_increasing():
    assert (np.diff(weekdays(300)) > np.timedelta64(0, "D")).all()
