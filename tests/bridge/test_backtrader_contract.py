"""Backtrader's live contract, line by line (live_ib section 1)."""

from __future__ import annotations

import threading
import time

import backtrader as bt
import pytest

from ares7.errors import ConfigError, MissingData, ServiceUnavailable
from live.bt_order import IBOrder
from live.double.history import from_closes
from tests.bridge.stepping import run_bridge, told


class Buyer(bt.Strategy):
    """Buys a hundred of the first name once, and sells half of it five sessions later."""

    def next(self):
        if len(self) == 2:
            self.buy(size=100)
        elif len(self) == 7:
            self.sell(size=50)


class Idle(bt.Strategy):
    def next(self):
        pass


def until(history, row=-2):
    return history.dates[row].astype(object)


def nobody_is_connected(gateway, seconds=5.0):
    """The gateway hears of a closed socket a moment later."""
    end = time.monotonic() + seconds
    while gateway.connections() and time.monotonic() < end:
        time.sleep(0.005)
    return gateway.connections() == []


def run(gateway, connect, history, strategy, symbols=("AAPL",), *, row=20, **rest):
    store = connect(gateway, until=until(history, row))
    return run_bridge(store, gateway, strategy, symbols, **rest), store


def test_a_feed_is_live_when_it_is_added_and_brings_its_store(gateway, connect):
    store, cerebro = connect(gateway), bt.Cerebro()
    data = store.getdata(symbol="AAPL")
    assert data.islive()
    cerebro.adddata(data)
    assert store in cerebro.stores
    assert cerebro.p.quicknotify


def test_the_value_of_feeds_is_the_value_of_their_positions_alone(gateway, connect, history):
    outcome, store = run(gateway, connect, history, Buyer, ("AAPL", "MSFT"))
    broker, (aapl, msft) = store.getbroker(), store.datas
    assert broker.getvalue([aapl]) == 50 * aapl.close[0]
    assert broker.getvalue([msft]) == 0
    assert broker.getvalue(datas=[aapl, msft]) == broker.getvalue([aapl])
    assert outcome.value == pytest.approx(outcome.cash + 50 * aapl.close[0])


def test_cash_and_value_have_both_of_their_names(gateway, connect):
    broker = connect(gateway).getbroker()
    assert type(broker).get_cash is type(broker).getcash
    assert type(broker).get_value is type(broker).getvalue


def test_positions_are_a_mapping_by_feed_in_which_no_key_is_missing(gateway, connect, history):
    _, store = run(gateway, connect, history, Buyer, ("AAPL", "MSFT"))
    positions, (aapl, msft) = store.getbroker().positions, store.datas
    assert positions[aapl].size == 50
    assert positions[msft].size == 0
    assert positions[object()].size == 0
    assert {data._name: position.size for data, position in positions.items()} == {"AAPL": 50, "MSFT": 0}
    assert len(positions) == 2


def test_a_position_is_a_clone_unless_the_original_is_asked_for(gateway, connect, history):
    _, store = run(gateway, connect, history, Buyer)
    broker, data = store.getbroker(), store.datas[0]
    assert broker.getposition(data) is not broker.getposition(data)
    assert broker.getposition(data, clone=False) is broker.getposition(data, clone=False)


def test_every_notification_is_a_clone_and_tells_each_execution_once(gateway, connect, history):
    gateway.set(partial_slices=4)
    outcome, _ = run(gateway, connect, history, Buyer)
    first = [o for o in outcome.strategy.heard if o.isbuy()]
    assert [o.getstatusname() for o in first] == ["Submitted", "Accepted", *["Partial"] * 3, "Completed"]
    assert len({id(order) for order in first}) == len(first)
    assert [o.executed.size for o in first] == [0, 0, 25, 50, 75, 100]
    assert [len(o.executed.getpending()) for o in first] == [0, 0, 1, 1, 1, 1]


class Flips(bt.Strategy):
    """Long, flat, short, flat."""

    def next(self):
        size = {2: 100, 5: -100, 8: -30, 11: 30}.get(len(self), 0)
        if size:
            (self.buy if size > 0 else self.sell)(size=abs(size))


def test_trades_open_and_close_with_the_profit_and_the_fees_of_the_gateway(gateway, connect, history):
    outcome, _ = run(gateway, connect, history, Flips)
    opened = [t for t in outcome.strategy.trades if t.justopened]
    closed = [t for t in outcome.strategy.trades if t.isclosed]
    assert [t.size for t in opened] == [100, -30]
    assert len(closed) == 2
    executions = gateway.book().executions
    assert sum(t.commission for t in closed) == pytest.approx(sum(e.fee for e in executions))
    assert sum(t.pnlcomm for t in closed) == pytest.approx(outcome.cash - 1e6)
    assert outcome.cash == pytest.approx(gateway.book().cash[gateway.account])


def test_value_and_cash_are_answered_after_the_store_has_stopped(gateway, connect, history):
    def with_writer(cerebro):
        cerebro.addwriter(bt.WriterFile, out="/dev/null")

    outcome, store = run(gateway, connect, history, Buyer, configure=with_writer)
    assert store.getbroker().startingcash == 1e6
    assert outcome.value == store.getbroker().getvalue() > 0


class Fails(bt.Strategy):
    def next(self):
        raise RuntimeError("in next")


def test_an_exception_in_next_leaves_nothing_running_once_the_store_is_stopped(gateway, connect, history):
    before = set(threading.enumerate())
    with pytest.raises(RuntimeError, match="in next"):
        run(gateway, connect, history, Fails)
    assert set(threading.enumerate()) <= before
    assert nobody_is_connected(gateway)


class Watches(bt.Strategy):
    """Buys on every bar, and keeps in which state its feed was."""

    def __init__(self):
        self.orders = []

    def next(self):
        self.orders.append(self.buy(size=1))


def test_history_comes_delayed_then_live_and_no_order_is_accepted_on_it(gateway, connect, history):
    outcome, _ = run(gateway, connect, history, Watches, row=12, feed={"backfill": 3})
    assert outcome.strategy.feed_states == [("AAPL", "DELAYED"), ("AAPL", "LIVE")]
    states = [order.status for order in outcome.strategy.orders]
    assert states[:3] == [bt.Order.Rejected] * 3
    assert bt.Order.Rejected not in states[3:]
    assert any("past" in note for note in outcome.strategy.notes)
    assert len(gateway.book().orders) == len(states) - 3


def test_notes_of_the_store_reach_the_strategy(gateway, connect, history):
    gateway.advance(60)
    store = connect(gateway, until=until(history, 9))
    store.note("a note before the run")
    outcome = run_bridge(store, gateway, Idle, ["AAPL"])
    assert "a note before the run" in outcome.strategy.notes


class TooEarly(bt.Strategy):
    def prenext(self):
        self.buy(self.datas[1], size=1)


def test_an_order_before_the_first_bar_of_its_feed_is_a_clear_error(gateway, connect, history):
    gateway.call(lambda g: g.market.history.close.__setitem__((2, slice(0, 15)), float("nan")))
    with pytest.raises(ConfigError, match="before its first bar"):
        run_bridge(connect(gateway, bar_patience_s=1200.0), gateway, TooEarly, ["AAPL", "MSFT"])


class Zero(bt.Strategy):
    def next(self):
        if len(self) == 2:
            assert self.buy(size=0) is None
            self.order = self.broker.buy(self, self.data, 0.4)


def test_a_size_of_nothing_sends_nothing(gateway, connect, history):
    outcome, _ = run(gateway, connect, history, Zero, row=9)
    assert outcome.strategy.order.status == bt.Order.Rejected
    assert gateway.book().orders == ()


class Fractions(bt.Strategy):
    def next(self):
        if len(self) == 2:
            self.order = self.buy(size=10.9)


def test_a_size_is_rounded_down_to_whole_shares(gateway, connect, history):
    outcome, _ = run(gateway, connect, history, Fractions, row=9)
    assert gateway.book().orders[0].quantity == 10
    assert outcome.strategy.order.created.size == outcome.strategy.order.executed.size == 10
    assert outcome.strategy.order.status == bt.Order.Completed


class PricedMarket(bt.Strategy):
    def next(self):
        if len(self) == 2:
            self.buy(size=10, price=0.5)
            self.order_target_value(self.data, target=0.0, price=0.5)


def test_a_price_on_a_market_order_never_becomes_a_limit(gateway, connect, history):
    run(gateway, connect, history, PricedMarket, row=9)
    orders = gateway.book().orders
    assert [(o.kind, o.status) for o in orders] == [("MKT", "Filled")]


class Sizes(bt.Strategy):
    def next(self):
        if len(self) == 2:
            self.order_target_percent(target=0.5)
        elif len(self) == 4:
            self.order_target_value(target=250_000.0)
        elif len(self) == 6:
            self.order_target_size(target=0)


def test_targets_are_sized_by_the_position_of_their_own_feed(gateway, connect, history):
    outcome, _ = run(gateway, connect, history, Sizes, ("AAPL", "MSFT"))
    closes = dict(zip(history.dates.astype(str), history.close[0], strict=True))
    days = [str(d) for d in history.dates[5:]]
    half = int(500_000 / closes[days[1]])
    quarter = int((half * closes[days[3]] - 250_000) / closes[days[3]])
    sizes = [o.executed.size for o in outcome.strategy.heard if o.status == o.Completed]
    assert sizes == [half, -quarter, -(half - quarter)]


class Slow(bt.Strategy):
    """Counts the notifications that came between two bars."""

    def __init__(self):
        self.seen = []

    def next(self):
        self.seen.append(len(getattr(self, "heard", [])))
        if len(self) == 2:
            self.buy(size=1)


def test_an_order_is_notified_before_the_next_bar(gateway, connect, history):
    outcome, _ = run(gateway, connect, history, Slow, row=9)
    assert outcome.strategy.seen[1] == 0
    assert [status for _, status, _ in told(outcome.strategy)] == ["Submitted", "Accepted", "Completed"]
    assert outcome.strategy.seen[2] >= 2


def test_analyzers_that_read_positions_and_cash_work(gateway, connect, history):
    def with_analyzers(cerebro):
        cerebro.addanalyzer(bt.analyzers.PyFolio, _name="pyfolio")
        cerebro.addanalyzer(bt.analyzers.PositionsValue, cash=True, _name="positions")
        cerebro.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
        cerebro.addobserver(bt.observers.Value)

    outcome, _ = run(gateway, connect, history, Buyer, ("AAPL", "MSFT"), configure=with_analyzers)
    analyzers = outcome.strategy.analyzers
    returns, positions, transactions, _ = analyzers.pyfolio.get_pf_items()
    assert len(returns) > 10
    assert sorted(transactions.amount) == [-50, 100]
    last = list(analyzers.positions.get_analysis().values())[-1]
    assert sum(last) == pytest.approx(outcome.value)
    assert positions.to_numpy()[-1].sum() > 0
    assert analyzers.trades.get_analysis().total.open == 1


def test_two_stores_live_in_one_process(gateway, connect, history):
    first, second = connect(gateway, 7), connect(gateway, 8)
    assert first is not second
    for store in (first, second):
        store.getdata(symbol="AAPL")
        store.start()
    assert sorted(gateway.connections()) == [7, 8]


def test_a_second_run_of_a_store_is_refused(gateway, connect, history):
    store = connect(gateway, until=until(history, 7))
    run_bridge(store, gateway, Idle, ["AAPL"])
    with pytest.raises(ConfigError, match="make a new one"):
        store.start()


def test_a_feed_made_after_the_start_is_refused(gateway, connect):
    store = connect(gateway)
    store.start()
    with pytest.raises(ConfigError, match="before"):
        store.getdata(symbol="AAPL")


@pytest.mark.parametrize(
    ("feed", "error", "says"),
    [
        ({"symbol": ""}, ConfigError, "needs a symbol"),
        ({"symbol": "AAPL", "source": "ticks"}, ConfigError, "not known"),
        ({"symbol": "AAPL", "histroy": 3}, ConfigError, "no parameter histroy"),
        ({"symbol": "AAPL", "source": "keep_up_to_date", "compression": 7}, ConfigError, "no bar of IB"),
        ({"symbol": "AAPL", "source": "five_seconds", "backfill": 5}, ConfigError, "backfill"),
        ({"symbol": "AAPL", "timeframe": bt.TimeFrame.Minutes}, ConfigError, "session bars are daily"),
    ],
)
def test_a_feed_that_cannot_be_is_a_clear_error(gateway, connect, feed, error, says):
    with pytest.raises(error, match=says):
        connect(gateway).getdata(**feed)


def test_an_unknown_symbol_stops_the_start_and_leaves_no_connection(gateway, connect):
    store = connect(gateway)
    store.getdata(symbol="NOSUCH")
    with pytest.raises(MissingData, match="NOSUCH"):
        store.start()
    assert nobody_is_connected(gateway)


def test_an_ambiguous_symbol_is_found_by_its_primary_exchange(gateway, connect):
    gateway.add_listing("AAPL")
    store = connect(gateway)
    store.getdata(symbol="AAPL")
    with pytest.raises(MissingData, match="primary exchange"):
        store.start()
    named = connect(gateway)
    home = gateway.call(lambda g: g.market.named("AAPL").exchange)
    data = named.getdata(symbol="AAPL", primary_exchange=home)
    named.start()
    assert data.facts.primary_exchange == home


def test_nobody_listening_is_a_clear_error(gateway, connect):
    store = connect(gateway)
    gateway.call(lambda g: g.actions.refuse())
    with pytest.raises(ServiceUnavailable, match="nothing listens"):
        store.start()


def test_two_feeds_of_one_name_are_refused(gateway, connect):
    store = connect(gateway)
    store.getdata(symbol="AAPL")
    store.getdata(symbol="AAPL", adjusted=True)
    with pytest.raises(ConfigError, match="same name"):
        store.start()


@pytest.mark.parametrize(
    ("deed", "says"),
    [
        (lambda broker: broker.set_coo(True), "cheat_on_open"),
        (lambda broker: broker.add_order_history([]), "order history"),
        (lambda broker: broker.set_fund_history([]), "fund history"),
    ],
)
def test_what_exists_in_backtests_only_is_refused(gateway, connect, deed, says):
    with pytest.raises(ConfigError, match=says):
        deed(connect(gateway).getbroker())


class BuysWeekly(bt.Strategy):
    def next(self):
        if len(self.datas[1]) == 2 and not self.position:
            self.buy(self.datas[1], size=10)


def test_a_feed_can_be_resampled_and_its_clone_traded(gateway, connect, history):
    store = connect(gateway, until=until(history, 25))
    weekly = lambda cerebro: cerebro.resampledata(store.datas[0], timeframe=bt.TimeFrame.Weeks)
    outcome = run_bridge(store, gateway, BuysWeekly, ["AAPL"], configure=weekly)
    daily, clone = outcome.strategy.datas
    assert len(clone) >= 3
    assert [o.status for o in outcome.strategy.heard if o.data is clone][-1] == bt.Order.Completed
    assert outcome.strategy.broker.getposition(daily).size == 10
    assert outcome.strategy.broker.getposition(clone).size == 10


def test_of_many_feeds_only_one_looks_for_messages_in_a_round(double, connect):
    names = [f"N{i}" for i in range(30)]
    history = from_closes("2023-01-03", {name: [100.0] * 12 for name in names})
    gateway = double(history, start="2023-01-05 10:00")
    store = connect(gateway, until=history.dates[8].astype(object))
    looked, rounds = [], []
    pump, notes = store.pump, store.get_notifications
    store.pump = lambda wait=0.0: (looked.append(wait), pump(wait))
    store.get_notifications = lambda: (rounds.append(1), notes())[1]
    run_bridge(store, gateway, Idle, names)
    # Once by a feed, and once by the broker.
    assert len(looked) <= 2 * len(rounds) + 2


def test_an_order_is_a_live_one_whose_state_nobody_else_sets():
    assert issubclass(IBOrder, bt.OrderBase)
    assert not issubclass(IBOrder, bt.Order)
