"""C5 with overlays: Backtrader, the compiled twin and the batch of a search hold the same tilted book."""

import os
from dataclasses import replace

import numpy as np
import pytest

from ares7.batch import market as batch_market
from ares7.batch import run_plans
from ares7.book import assemble, delayed
from ares7.config import AccountConfig
from ares7.costs import BpsCosts
from ares7.grid import Grid, settings_at
from ares7.search import Bench, evaluate
from ares7.stages import Remembered
from feeds.backtest import run_backtest
from strategies import registry
from tests.contracts import panels
from tests.parity.comparing import COMPILED, TOLERANCE, assert_engines_agree
from tests.parity.test_batch import assert_same_curve, batch_run, exact_run

CASES = {name: case for name, case in panels.cases().items() if " overlay=" in name}
GRID = Grid("overlays", {"overlay.lam": (0.0, 0.5, 1.0), "overlay.weights.wavelet": (0.0, 0.27, 0.54)})
TAKERS = ("equal_weight", "low_volatility", "quality_momentum", "regime_ensemble")


@pytest.fixture(scope="module")
def market():
    panel = panels.market()
    return panel if COMPILED else panel.upto(480)


@pytest.mark.parametrize("case", CASES)
def test_a_batch_gives_the_curve_of_one_run(market, case):
    strategy, params = CASES[case]
    curves = batch_run(market, [strategy.plan(market, params)])
    assert_same_curve(curves, 0, exact_run(market, strategy.weights(market, params)))


def test_tilted_and_plain_books_of_one_block_do_not_disturb_each_other(market):
    some = list(CASES.values())
    some = some[:3] + some[-8:]
    memo = Remembered()
    tilted = [strategy.plan(market, params, memo) for strategy, params in some]
    plans = [
        plan for pair in zip(tilted, [replace(p, tilt=None) for p in tilted], strict=True) for plan in pair
    ]
    together = batch_run(market, plans, costs="tiered")
    for i, plan in enumerate(plans):
        assert_same_curve(together, i, exact_run(market, assemble(market, plan), costs="tiered"))
    assert not np.array_equal(together.nav[::2], together.nav[1::2])


@pytest.mark.parametrize("name", TAKERS)
def test_a_grid_over_lambda_and_weights_equals_single_runs(market, name):
    """Every stage is shared between the points; the points with nothing acting decide at month ends only."""
    strategy = registry.resolve(name)
    own = registry.settings(strategy, {"overlay": {"engines": ("wavelet", "pead")}})
    points = [settings_at(GRID, i, strategy.Params, dict(own), name) for i in range(len(GRID))]
    assert {(p.overlay.lam, p.overlay.weights.wavelet) for p in points} == {
        (lam, weight) for lam in (0.0, 0.5, 1.0) for weight in (0.0, 0.27, 0.54)
    }
    place = batch_market(market, account=AccountConfig(), costs=BpsCosts(bps=10))
    bench = Bench(place, strategy.plan, (), np.linspace(1e6, 2e6, len(place.dates)), 0.0)
    curves = evaluate(bench, 0, points).curves
    for i, params in enumerate(points):
        assert_same_curve(curves, i, exact_run(market, strategy.weights(market, params)))
    # Lambda 0 is one book, whatever the weights; every other point is one of its own.
    assert len({nav.tobytes() for nav in curves.nav}) == 7


@pytest.fixture(scope="module")
def announcements():
    return panels.real_announcements()


@pytest.mark.parametrize("shares", ["whole", "fractional"])
@pytest.mark.parametrize(
    "given",
    [
        {"overlay": {"engines": ("wavelet", "pead")}},
        {"overlay": {"engines": ("wavelet", "pead"), "lam": 0.5}, "risk": {"vol_target": 0.12}, "gross": 1.0},
        {
            "overlay": {"engines": ("pead",), "when": "session", "pead": {"decay": "linear"}},
            "preset": "phase3",
        },
    ],
    ids=["both", "half, scaled", "pead daily"],
)
@pytest.mark.real_data
@pytest.mark.skipif("ARES7_DATA" not in os.environ, reason="ARES7_DATA names no real data folder")
def test_three_engines_agree_on_real_data(announcements, given, shares):
    panel = announcements
    strategy = registry.resolve("regime_ensemble")
    params = registry.settings(strategy, given)
    account, costs = AccountConfig(shares=shares), BpsCosts(bps=10)
    run = run_backtest(panel, strategy, params, account=account, costs=costs).cerebro.broker
    targets = strategy.weights(panel, params)
    compiled = assert_engines_agree(panel, targets, cash=account.cash, shares=shares)
    curves = run_plans(batch_market(panel, account=account, costs=costs), [strategy.plan(panel, params)])
    assert np.max(np.abs(compiled.nav / run.history.nav - 1.0)) <= TOLERANCE
    assert np.max(np.abs(curves.nav[0] / run.history.nav - 1.0)) <= TOLERANCE
    assert curves.fees[0] == pytest.approx(run.ledger.fills.fee.sum(), rel=1e-9)


@pytest.mark.parametrize("lag", [2, 4])
def test_late_execution_delays_overlay_decisions_like_all_others(market, lag):
    strategy, params = CASES["equal_weight overlay={'engines': ('wavelet',)}"]
    targets = delayed(strategy.weights(market, params), lag - 1, market.start_row)
    assert_engines_agree(market, targets, cash=1e5, shares="fractional", costs="fixed")
    curves = batch_run(market, [strategy.plan(market, params)], exec_lag=lag, shares="fractional")
    assert_same_curve(
        curves, 0, exact_run(market, strategy.weights(market, params), exec_lag=lag, shares="fractional")
    )
