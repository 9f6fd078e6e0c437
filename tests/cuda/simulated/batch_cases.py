"""The device's batch gives the CPU's curves; run by ../test_simulated.py in numba's CUDA simulator."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import config

from ares7.batch import market, run_plans
from ares7.book import Plan, Sleeve, planned
from ares7.config import AccountConfig
from ares7.cuda import batch as device
from ares7.cuda.batch import DeviceMarket, Launch, run_plans_on_device
from ares7.errors import ConfigError
from tests.engine.generated import accounts, examples, tables
from tests.engine.panels import flat, panel_of, targets_of, without_bars
from tests.engine.running import COSTS
from tests.parity.test_batch import ordinary
from tests.parity.test_random_targets import loans

assert config.ENABLE_CUDASIM
# Simulated threads hand over at every barrier, and by default the interpreter lets each wait for 5 ms.
sys.setswitchinterval(1e-5)
TOLERANCE = 1e-10


def ready_market(panel, *, costs="bps", **account):
    return market(panel, account=AccountConfig(**account), costs=COSTS[costs][0])


def assert_same_curves(found, expected):
    scale = np.maximum(np.abs(expected.nav), 1.0)
    assert (np.abs(found.nav - expected.nav) / scale).max() <= TOLERANCE
    assert np.array_equal(found.exact, expected.exact)
    assert np.array_equal(found.fills, expected.fills)
    np.testing.assert_allclose(found.fees, expected.fees, rtol=1e-9, atol=1e-9)
    solvent = (expected.nav > 0).all(axis=1)
    np.testing.assert_allclose(found.turnover[solvent], expected.turnover[solvent], rtol=1e-9, atol=1e-12)


def check(panel, targets, launch=None, **account):
    ready, plans = ready_market(panel, **account), [planned(panel, targets)]
    found = DeviceMarket(ready, launch).run(plans)
    assert_same_curves(found, run_plans(ready, plans))
    return found


@examples(15)
@given(table=tables(), account=accounts)
def test_random_targets_with_holes_and_refusals(table, account):
    check(*table, **account)


@examples(15)
@given(table=tables(), account=loans, lag=st.sampled_from([1, 2, 4]), leverage=st.sampled_from([1.0, 1.7]))
def test_random_loans_interest_and_delays(table, account, lag, leverage):
    panel, targets = table
    targets.weights[:] *= leverage
    check(panel, targets, exec_lag=lag, **account)


@pytest.mark.parametrize("costs", sorted(COSTS))
@pytest.mark.parametrize("shares", ["whole", "fractional"])
def test_the_kernel_itself_agrees(costs, shares):
    """Without close calls nothing is handed back, whatever lists late, pauses or leaves."""
    for seed in range(2):
        panel, targets = ordinary(np.random.default_rng(seed))
        found = check(panel, targets, costs=costs, shares=shares, cash_rate=0.04 * seed)
        assert not found.exact[0]


@pytest.mark.parametrize(("threads", "lanes"), [(1, 1), (4, 1), (4, 4), (16, 2)])
def test_the_curve_does_not_depend_on_how_threads_divide_it(threads, lanes):
    panel, targets = ordinary(np.random.default_rng(4))
    found = check(panel, targets, Launch(threads, lanes, 2), cash_rate=0.05, costs="tiered")
    assert not found.exact[0]


def test_an_order_waits_for_its_bar_and_the_next_decision_cancels_it():
    close = flat(20, [10.0, 20.0])
    panel = without_bars(panel_of(close, close), slice(3, 5), 0)
    panel = without_bars(panel, slice(12, 15), 1)
    rows = {2: np.array([0.41, 0.11]), 11: np.array([0.13, 0.37]), 13: np.array([0.2, 0.2])}
    assert not check(panel, targets_of(panel, rows), cash=100_003.0).exact[0]


@pytest.mark.parametrize("leverage", [1.0, 2.1])
def test_a_position_is_held_without_a_decision_for_a_hundred_sessions(leverage):
    """A stretch longer than the block marks in one go, with interest on what stayed cash or was borrowed."""
    rng = np.random.default_rng(8)
    close = 30 * np.exp(np.cumsum(rng.normal(0, 0.02, (130, 3)), axis=0))
    panel = panel_of(close, close)
    targets = targets_of(panel, {1: leverage * np.array([0.31, 0.17, 0.23]), 120: np.zeros(3)})
    loan = {"margin": leverage > 1, "financing_bps": 450.0 if leverage > 1 else None}
    assert not check(panel, targets, cash_rate=0.06, **loan).exact[0]


def test_an_order_lapses_with_its_name_and_does_not_fill_when_it_returns():
    close = flat(20, [10.0, 20.0])
    panel = without_bars(panel_of(close, close), slice(4, 11), 0)
    rows = {0: np.array([0.13, 0.2]), 3: np.array([0.41, 0.11]), 17: np.array([0.2, 0.2])}
    found = check(panel, targets_of(panel, rows), cash=100_003.0)
    assert not found.exact[0]
    # Two purchases, a sale, and both names at the end; the order of row 3 for the first name never.
    assert found.fills[0] == 5


def test_a_close_call_is_handed_back():
    """A share count on a whole number, a trade of the smallest size, and cash that may not suffice."""
    close = flat(40, [0.1, 0.5, 2.0]) * np.where(np.arange(40) % 4 == 3, 2.0, 1.0)[:, None]
    panel = panel_of(np.vstack([close[:1], close[:-1]]), close)
    targets = targets_of(panel, {row: np.roll([0.5, 0.25, 0.25], row) for row in range(0, 39, 2)})
    assert check(panel, targets, cash=1000.0, min_trade_nav=0.0).exact[0]
    panel = panel_of(flat(8, [10.0]), flat(8, [10.0]))
    targets = targets_of(panel, {0: np.array([0.3]), 2: np.array([0.3005])})
    assert check(panel, targets, costs="free", cash=100_000.0).exact[0]
    panel, targets = ordinary(np.random.default_rng(3))
    targets.weights[:] /= 0.5
    assert check(panel, targets, cash=20_000.0).exact[0]


def mixed_plans(panel, rng):
    """Other schedules, sleeves, mixes and risk scales, and one plan with fewer sleeves."""
    sessions, names = panel.shape
    sleeves = [Sleeve(np.arange(0, sessions, 10), rng.dirichlet(np.ones(names), 6)) for _ in range(3)]
    masks = [np.isin(np.arange(sessions), np.arange(2, sessions, step)) for step in (5, 7, 20)]
    scale = np.round(rng.uniform(0, 1, sessions), 1)
    plans = []
    for i in range(7):
        decide = masks[i % 3]
        part = rng.uniform(0, 1, int(decide.sum()))
        parts = {"a": sleeves[i % 3], "b": sleeves[(i + 1) % 3]}
        plans.append(
            Plan(parts, {"a": part, "b": 1 - part}, 0.5, decide, None, scale if i % 3 == 0 else None)
        )
    return [*plans, Plan({"a": sleeves[0]}, {"a": np.ones(int(masks[0].sum()))}, 0.5, masks[0])]


@pytest.fixture
def mixed():
    rng = np.random.default_rng(5)
    panel, _ = ordinary(rng)
    panel = replace(panel, is_stock=np.arange(panel.shape[1]) % 3 > 0)
    return ready_market(panel), mixed_plans(panel, rng)


def test_plans_of_several_launches_do_not_disturb_each_other(mixed):
    ready, plans = mixed
    there = DeviceMarket(ready, Launch(8, 2, 4, points=3))
    found = there.run(plans)
    assert_same_curves(found, run_plans(ready, plans))
    assert not found.exact.any()
    again, backwards = there.run(plans), there.run(plans[::-1])
    assert np.array_equal(again.nav, found.nav)
    assert np.array_equal(backwards.nav[::-1], found.nav)


def test_market_and_sleeves_are_sent_once(mixed, monkeypatch):
    ready, plans = mixed
    sent = []
    joined = device.joined
    monkeypatch.setattr(device, "joined", lambda sleeves: sent.append(len(sleeves)) or joined(sleeves))
    there = DeviceMarket(ready)
    there.run(plans[:1])
    assert_same_curves(there.run(plans), run_plans(ready, plans))
    assert_same_curves(there.run(plans[2:4]), run_plans(ready, plans[2:4]))
    assert sent == [2, 3]
    other = [replace(plans[0], sleeves={name: replace(s) for name, s in plans[0].sleeves.items()})]
    assert_same_curves(there.run(other), run_plans(ready, other))
    assert sent == [2, 3, 2]
    made = []
    monkeypatch.setattr(device, "DeviceMarket", lambda m: made.append(m) or DeviceMarket(m))
    for _ in range(2):
        assert_same_curves(run_plans_on_device(ready, plans[:1]), run_plans(ready, plans[:1]))
    assert made == [ready]


def test_a_plan_without_sleeves_stays_cash(mixed):
    ready, plans = mixed
    found = DeviceMarket(ready).run([replace(plans[0], sleeves={}, mix={})])
    assert (found.nav == 1e6).all()
    assert found.fills[0] == 0


def test_no_plans_give_no_curves(mixed):
    found = run_plans_on_device(mixed[0], [])
    assert found.nav.shape == (0, len(mixed[0].dates))


def test_a_plan_of_another_panel_is_refused(mixed):
    ready, plans = mixed
    with pytest.raises(ConfigError, match="compute the plan from this panel"):
        run_plans_on_device(ready, [replace(plans[0], decide=plans[0].decide[:-1])])


def test_a_market_larger_than_the_device_is_refused(mixed, monkeypatch):
    monkeypatch.setattr("ares7.cuda.device.free_bytes", lambda: 1000.0)
    with pytest.raises(ConfigError, match=r"the market needs .* MiB on the CUDA device"):
        DeviceMarket(mixed[0])
