"""C5 for searches: a batch of plans gives the curves of `simulate`, close calls included."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares7.activity import by_session, turnover_one_way_annual
from ares7.bars import engine_bars
from ares7.batch import market, run_plans
from ares7.book import Plan, Sleeve, assemble, delayed, planned
from ares7.config import AccountConfig
from ares7.simulate import simulate
from strategies import registry
from tests.contracts import panels
from tests.engine.generated import accounts, examples, tables
from tests.engine.panels import flat, panel_of, targets_of, without_bars
from tests.engine.running import COSTS
from tests.parity.comparing import COMPILED, TOLERANCE
from tests.parity.test_random_targets import loans


def exact_run(panel, targets, *, costs="bps", **account):
    """One run by the kernel that follows every rule."""
    settings = AccountConfig(**account)
    targets = delayed(targets, settings.exec_lag - 1, panel.start_row)
    return simulate(engine_bars(panel), targets, account=settings, costs=COSTS[costs][0])


def batch_run(panel, plans, *, costs="bps", **account):
    return run_plans(market(panel, account=AccountConfig(**account), costs=COSTS[costs][0]), plans)


def assert_same_curve(curves, i, run):
    scale = np.maximum(np.abs(run.nav), 1.0)
    difference = np.abs(curves.nav[i] - run.nav) / scale
    assert difference.max() <= TOLERANCE, (difference.argmax(), difference.max())
    fills = run.ledger.fills
    assert curves.fees[i] == pytest.approx(fills.fee.sum(), rel=1e-9, abs=1e-9)
    notional = by_session(fills, fills.notional, run.dates)
    if (run.nav > 0).all():
        assert curves.turnover[i] == pytest.approx(
            turnover_one_way_annual(notional, run.nav), rel=1e-9, abs=1e-12, nan_ok=True
        )


def check(panel, targets, **account):
    plan = planned(panel, targets)
    curves = batch_run(panel, [plan], **account)
    assert_same_curve(curves, 0, exact_run(panel, assemble(panel, plan), **account))
    return curves


@examples(200)
@given(table=tables(), account=accounts)
def test_random_targets_with_holes_and_refusals(table, account):
    check(*table, **account)


@examples(150)
@given(table=tables(), account=loans, lag=st.sampled_from([1, 2, 4]), leverage=st.sampled_from([1.0, 1.7]))
def test_random_loans_interest_and_delays(table, account, lag, leverage):
    panel, targets = table
    targets.weights[:] *= leverage
    check(panel, targets, exec_lag=lag, **account)


def ordinary(rng, sessions=60, names=8, step=5):
    """A market of random prices with holes, a late listing and a delisting, and a table that leaves some cash."""
    close = rng.uniform(20, 90, names) * np.exp(np.cumsum(rng.normal(0, 0.02, (sessions, names)), axis=0))
    opening = close * np.exp(rng.normal(0, 0.01, (sessions, names)))
    panel = panel_of(opening, close, start=2)
    panel = without_bars(panel, slice(0, 12), 0)
    panel = without_bars(panel, slice(40, sessions), 1)
    for row in range(8, 50, 7):
        panel = without_bars(panel, slice(row, row + 2), 2)
    # Half stays cash: a name that cannot be sold for want of a bar leaves no buy without money.
    rows = {row: 0.5 * rng.dirichlet(np.ones(names)) for row in range(2, sessions - 1, step)}
    return panel, targets_of(panel, rows)


@pytest.mark.parametrize("costs", sorted(COSTS))
@pytest.mark.parametrize("shares", ["whole", "fractional"])
def test_the_fast_lane_itself_agrees(costs, shares):
    """Without close calls nothing is handed back, whatever lists late, pauses or leaves."""
    fast = 0
    for seed in range(8):
        panel, targets = ordinary(np.random.default_rng(seed))
        fast += int(not check(panel, targets, costs=costs, shares=shares).exact[0])
    assert fast == 8


def test_an_order_waits_for_its_bar_and_the_next_decision_cancels_it():
    close = flat(20, [10.0, 20.0])
    panel = without_bars(panel_of(close, close), slice(3, 5), 0)
    panel = without_bars(panel, slice(12, 15), 1)
    rows = {2: np.array([0.41, 0.11]), 11: np.array([0.13, 0.37]), 13: np.array([0.2, 0.2])}
    curves = check(panel, targets_of(panel, rows), cash=100_003.0)
    assert not curves.exact[0]


@pytest.mark.parametrize("weights", [(0.5, 0.25, 0.25), (0.2, 0.3, 0.5)])
def test_a_share_count_on_a_whole_number_is_handed_back(weights):
    close = flat(40, [0.1, 0.5, 2.0]) * np.where(np.arange(40) % 4 == 3, 2.0, 1.0)[:, None]
    panel = panel_of(np.vstack([close[:1], close[:-1]]), close)
    targets = targets_of(panel, {row: np.roll(weights, row) for row in range(0, 39, 2)})
    assert check(panel, targets, cash=1000.0, min_trade_nav=0.0).exact[0]


def test_cash_that_may_not_suffice_is_handed_back():
    panel, targets = ordinary(np.random.default_rng(3))
    targets.weights[:] /= 0.5
    curves = check(panel, targets, cash=20_000.0)
    assert curves.exact[0]


def test_a_trade_at_the_smallest_size_is_handed_back():
    close = flat(8, [10.0])
    panel = panel_of(close, close)
    # 5 shares of 10 USD are exactly .0005 of 100,000 USD.
    targets = targets_of(panel, {0: np.array([0.3]), 2: np.array([0.3005])})
    assert check(panel, targets, costs="free", cash=100_000.0).exact[0]


def test_plans_of_one_block_do_not_disturb_each_other():
    """Other schedules, sleeves, mixes and risk scales beside it change nothing for a plan; nor does the order."""
    rng = np.random.default_rng(5)
    panel, _ = ordinary(rng)
    sessions, names = panel.shape
    sleeves = [Sleeve(np.arange(0, sessions, 10), rng.dirichlet(np.ones(names), 6)) for _ in range(3)]
    masks = []
    for step in (5, 7, 20):
        mask = np.zeros(sessions, dtype=bool)
        mask[2::step] = True
        masks.append(mask)
    scale = np.round(rng.uniform(0, 1, sessions), 1)
    plans = []
    for i in range(12):
        decide = masks[i % 3]
        count = int(decide.sum())
        part = rng.uniform(0, 1, count)
        mix = {"a": part, "b": 1 - part}
        parts = {"a": sleeves[i % 3], "b": sleeves[(i + 1) % 3]}
        plans.append(Plan(parts, mix, 0.5, decide, None, scale if i % 4 == 0 else None))
    plans.append(Plan({"a": sleeves[0]}, {"a": np.ones(int(masks[0].sum()))}, 0.5, masks[0]))
    panel = replace(panel, is_stock=np.arange(names) % 3 > 0)
    together = batch_run(panel, plans)
    for i, plan in enumerate(plans):
        assert_same_curve(together, i, exact_run(panel, assemble(panel, plan)))
    backwards = batch_run(panel, plans[::-1])
    assert np.array_equal(backwards.nav[::-1], together.nav)
    assert not together.exact.any()


@pytest.mark.parametrize("name", registry.names())
def test_every_strategy_runs_in_a_batch(name):
    panel = panels.market()
    strategy = registry.resolve(name)
    params = strategy.Params()
    plan = (
        planned(panel, strategy.weights(panel, params))
        if strategy.plan is None
        else strategy.plan(panel, params)
    )
    if not COMPILED and panel.shape[0] > 500:
        pytest.skip("minutes as plain Python")
    curves = batch_run(panel, [plan])
    assert_same_curve(curves, 0, exact_run(panel, strategy.weights(panel, params)))
