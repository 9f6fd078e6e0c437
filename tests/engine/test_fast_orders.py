"""Orders of anyone's strategy in `ares7_cerebro`: to the last bit and attribute what Backtrader itself does."""

import backtrader as bt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares7.costs import BpsCosts, IbkrFixedCosts
from feeds.commission import CostCommission
from feeds.listening import someone_listens
from tests.engine.diary import first_difference
from tests.engine.order_programs import KINDS, Program, heard, listening, ours, seen, theirs
from tests.engine.panels import flat, market, panel_of

SESSIONS, NAMES = 40, 4
COSTS = BpsCosts(bps=10)


@pytest.fixture(scope="module")
def panel():
    return market(sessions=SESSIONS, stocks=NAMES, start=0, holes=False)


def random_actions(seed, kinds, sessions=SESSIONS, a_session=5, amounts=(-1.0, 1.0)):
    rng = np.random.default_rng(seed)
    return [
        [
            (str(rng.choice(kinds)), int(rng.integers(NAMES)), float(rng.uniform(*amounts)))
            for _ in range(rng.integers(a_session + 1))
        ]
        for _ in range(sessions)
    ]


def compare(panel, actions, *, cash=1e5, costs=COSTS, prepare=None, quick=True):
    """Run a program with and without listeners in both; return our listening strategy."""
    pairs = {}
    for listen in (True, False):
        pair = []
        for make in (ours, theirs):
            engine = make(panel, costs, cash, actions=actions)
            if prepare is not None:
                prepare(engine)
            if listen:
                listening(engine)
            pair.append(engine.run()[0])
        one, other = pair
        assert one.broker._quick is quick
        assert first_difference(seen(one), seen(other)) is None
        pairs[listen] = pair
    one, other = pairs[True]
    assert first_difference(heard(one), heard(other)) is None
    return one


def states(strategy):
    return {order.getstatusname() for order in strategy.broker.orders}


MARKET = ("buy", "sell", "percent", "value", "close", "priced", "named")


@pytest.mark.parametrize("costs", [COSTS, IbkrFixedCosts(slippage_bps=3), BpsCosts(bps=0)])
@pytest.mark.parametrize("seed", range(3))
def test_market_orders_long_and_short(panel, seed, costs):
    strategy = compare(panel, random_actions(seed, MARKET), costs=costs)
    assert {"Completed", "Margin"} <= states(strategy)
    sizes = [order.executed.psize for order in strategy.broker.orders]
    assert min(sizes) < 0 < max(sizes)


@pytest.mark.parametrize("seed", range(6))
def test_every_kind_of_order_mixed_with_market_orders(panel, seed):
    strategy = compare(panel, random_actions(seed, KINDS))
    assert {"Completed", "Margin", "Canceled"} <= states(strategy)


@pytest.mark.parametrize("seed", range(3))
def test_an_account_without_cash(panel, seed):
    actions = random_actions(seed, ("percent", "buy", "named"), amounts=(0.5, 1.0))
    strategy = compare(panel, actions, cash=2e4)
    refused = [order for order in strategy.broker.orders if order.status == bt.Order.Margin]
    assert len(refused) > 20
    assert any(order.executed.size for order in strategy.broker.orders)


def test_a_monthly_rebalance_by_order_target_percent(panel):
    weights = np.random.default_rng(4).dirichlet(np.ones(NAMES), SESSIONS)
    actions = [
        [("percent", i, w) for i, w in enumerate(weights[row])] if row % 5 == 0 else []
        for row in range(SESSIONS)
    ]
    strategy = compare(panel, actions)
    assert {"Completed", "Margin"} <= states(strategy)


def test_a_reversal_whose_opening_part_is_refused():
    """The closing part is filled (Partial), the rest is marked Margin: two notifications in one bar."""
    panel = panel_of([[10.0], [10.0], [10.0], [30.0], [30.0]], flat(5, [10.0]))
    actions = [[("sell", 0, 0.5)], [], [("buy", 0, 2.0)], [], []]
    strategy = compare(panel, actions, cash=1000.0)
    order = strategy.broker.orders[1]
    assert (order.getstatusname(), order.executed.size) == ("Margin", 25)


def test_the_last_cent_may_be_spent():
    panel = panel_of(flat(4, [10.0]), flat(4, [10.0]))
    actions = [[("buy", 0, 1.0), ("named", 0, 1.0), ("buy", 0, 0.02)]]
    strategy = compare(panel, actions, cash=1000.0, costs=BpsCosts(bps=0))
    assert [order.getstatusname() for order in strategy.broker.orders] == ["Completed", "Completed", "Margin"]
    assert strategy.broker.getcash() == 0.0


action = st.tuples(st.sampled_from(KINDS), st.integers(0, NAMES - 1), st.floats(-1, 1, width=32))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    actions=st.lists(st.lists(action, max_size=4), min_size=1, max_size=20),
    cash=st.sampled_from([3e3, 1e5]),
)
def test_any_program_of_orders(actions, cash):
    compare(_small_panel(), actions, cash=cash)


def _small_panel():
    return market(seed=3, sessions=24, stocks=NAMES, start=0, holes=False)


# What falls back to Backtrader's own code


def _changed(**params):
    def prepare(engine):
        for name, value in params.items():
            setattr(engine.broker.p, name, value)

    return prepare


def _commission(**terms):
    return lambda engine: engine.broker.addcommissioninfo(CostCommission(costs=COSTS, **terms))


FALLBACKS = {
    "slippage in percent": lambda engine: engine.broker.set_slippage_perc(0.002),
    "fixed slippage": lambda engine: engine.broker.set_slippage_fixed(0.05),
    "filler": lambda engine: engine.broker.set_filler(bt.broker.fillers.FixedSize(size=40)),
    "cheat on close": lambda engine: engine.broker.set_coc(True),
    "cheat on open": lambda engine: engine.broker.set_coo(True),
    "no check at submission": lambda engine: engine.broker.set_checksubmit(False),
    "short sales cost cash": lambda engine: engine.broker.set_shortcash(False),
    "another commission": lambda engine: engine.broker.setcommission(commission=0.002),
    "futures": lambda engine: engine.broker.setcommission(commission=2.0, margin=30.0, mult=5.0),
    "a commission for one name": lambda engine: engine.broker.setcommission(commission=0.01, name="GLD"),
    "leverage": _commission(leverage=2.0),
    "interest": _commission(interest=0.1, interest_long=True),
    "multiplier": _commission(mult=2.0),
    "order history": lambda engine: engine.add_order_history([["2019-01-10", 5, 20.0]], notify=True),
    "a compensated feed": lambda engine: engine.datas[1].compensate(engine.datas[0]),
    "a session end of its own": lambda engine: _sessionend(engine.datas[1]),
}


def _sessionend(data):
    data.p.sessionend = data.p.sessionend.replace(hour=16)


@pytest.mark.parametrize("prepare", FALLBACKS.values(), ids=FALLBACKS)
def test_what_the_fast_path_does_not_cover_falls_back(panel, prepare):
    compare(panel, random_actions(7, KINDS), prepare=prepare, quick=False)


@pytest.mark.parametrize("run", [{"runonce": False}, {"preload": False}, {"exactbars": 1}])
def test_other_loops_fall_back(panel, run):
    pair = []
    for make in (ours, theirs):
        pair.append(listening(make(panel, COSTS, 1e5, actions=random_actions(8, KINDS))).run(**run)[0])
    one, other = pair
    assert not one.broker._quick
    assert first_difference(seen(one), seen(other)) is None
    assert first_difference(heard(one), heard(other)) is None


class ChangesItsMind(Program):
    """Sets slippage for some sessions, and interest for some later ones."""

    def next(self):
        if len(self) in (10, 18):
            self.broker.set_slippage_perc(0.01 if len(self) == 10 else 0.0)
        if len(self) in (24, 30):
            terms = {"interest": 0.2, "interest_long": True} if len(self) == 24 else {}
            self.broker.addcommissioninfo(CostCommission(costs=COSTS, **terms))
        super().next()
        self.was_quick = [*getattr(self, "was_quick", []), getattr(self.broker, "_quick", None)]


@pytest.mark.parametrize("seed", range(4))
def test_settings_may_change_in_the_middle_of_a_run(panel, seed):
    pair = []
    for make in (ours, theirs):
        engine = make(panel, COSTS, 1e5, ChangesItsMind, actions=random_actions(seed, KINDS))
        pair.append(listening(engine).run()[0])
    one, other = pair
    assert [one.was_quick[n] for n in (5, 12, 20, 27, 35)] == [True, False, True, False, True]
    assert first_difference(seen(one), seen(other)) is None
    assert first_difference(heard(one), heard(other)) is None


class FromOutside(Program):
    """Trades before the first session and from timers that ring before the session's orders are filled."""

    def start(self):
        self.mine.append(self.buy(self.datas[1], size=3))
        self.add_timer(bt.timer.SESSION_START, cheat=True)

    def notify_timer(self, timer, when, *args, **kwargs):
        self.seen.append(repr(self.broker.getvalue([self.datas[2]])))
        self.mine.append(self.sell(self.datas[2], size=2))
        self.buy(self.datas[0], size=len(self), exectype=bt.Order.Close)


@pytest.mark.parametrize("option", ["quicknotify", "tradehistory", "stdstats"])
def test_orders_from_outside_next_under_options_of_cerebro(panel, option):
    pair = []
    for make in (ours, theirs):
        engine = make(panel, COSTS, 1e5, FromOutside, actions=random_actions(5, KINDS))
        setattr(engine.p, option, True)
        pair.append(listening(engine).run()[0])
    one, other = pair
    assert one.broker._quick
    assert first_difference(seen(one), seen(other)) is None
    assert first_difference(heard(one), heard(other)) is None


def test_two_strategies_in_one_account(panel):
    pair = []
    for make in (ours, theirs):
        engine = make(panel, COSTS, 1e5, actions=random_actions(1, KINDS))
        engine.addstrategy(Program, actions=random_actions(2, KINDS))
        pair.append(listening(engine).run())
    assert pair[0][0].broker._quick
    for one, other in zip(*pair, strict=True):
        assert first_difference(seen(one), seen(other)) is None
        assert first_difference(heard(one), heard(other)) is None


# Orders are Backtrader's


def test_a_fast_order_is_backtraders_own_class_with_the_same_attributes(panel):
    made = []
    for make in (ours, theirs):
        strategy = make(panel, COSTS, 1e5, actions=[[("buy", 0, 0.1), ("sell", 1, 0.1)]]).run()[0]
        made.append(strategy.broker.orders)
    for one, other in zip(*made, strict=True):
        assert type(one) is type(other)
        assert isinstance(one, bt.Order)
        assert set(vars(one)) == set(vars(other))
        assert list(vars(one.p)) == list(vars(other.p))
        assert type(one.p) is type(other.p)
        for part in ("created", "executed"):
            assert set(vars(getattr(one, part))) == set(vars(getattr(other, part)))
        lines = [str(order).splitlines()[1:] for order in (one, other)]
        unlike = {a.split(":")[0] for a, b in zip(*lines, strict=True) if a != b}
        assert unlike <= {"CommInfo"}
        twin = one.clone()
        assert twin == one
        assert twin.executed is not one.executed


# Who listens


class Silent(bt.Strategy):
    pass


def _with(analyzer=None, observer=None, **methods):
    def strategies(panel):
        engine = ours(panel, COSTS, 1e5, type("Told", (Silent,), methods))
        if analyzer is not None:
            engine.addanalyzer(analyzer)
        if observer is not None:
            engine.addobserver(observer)
        return engine.run()

    return strategies


class Parent(bt.Analyzer):
    def __init__(self):
        self.child = bt.analyzers.Transactions()


def _nothing(*_):
    return None


LISTENERS = {
    "notify_order": _with(notify_order=_nothing),
    "notify_trade": _with(notify_trade=_nothing),
    "trade analyzer": _with(bt.analyzers.TradeAnalyzer),
    "an analyzer's analyzer": _with(Parent),
    "observer": _with(observer=bt.observers.Trades),
}
DEAF = {
    "nothing": _with(),
    "value only": _with(bt.analyzers.DrawDown),
    "cash": _with(notify_cashvalue=_nothing),
    "store": _with(notify_store=_nothing),
}


@pytest.mark.parametrize("case", LISTENERS.values(), ids=LISTENERS)
def test_who_listens(panel, case):
    assert someone_listens(case(panel))


@pytest.mark.parametrize("case", DEAF.values(), ids=DEAF)
def test_who_does_not(panel, case):
    assert not someone_listens(case(panel))


def test_no_notification_is_made_when_nobody_listens(panel):
    engine = ours(panel, COSTS, 1e5, actions=random_actions(1, MARKET))
    strategy = engine.run()[0]
    assert len(strategy.broker.orders) > 20
    assert strategy._orders == []
    assert not strategy._trades
    assert {"Completed", "Margin"} <= states(strategy)
