"""Every point of the 45 grid is what the event-driven engine gives, on real data with holes."""

from __future__ import annotations

import os

import numpy as np
import pytest

from ares7.batch import Curves, market
from ares7.config import AccountConfig
from ares7.costs import BpsCosts
from ares7.grid import settings_at
from ares7.search import Bench, evaluate
from feeds.backtest import run_backtest
from strategies.regime_ensemble import Params, RegimeEnsemble
from tests.contracts.panels import real_sample

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif("ARES7_DATA" not in os.environ, reason="ARES7_DATA names no real data folder"),
]
ACCOUNT, COSTS = AccountConfig(), BpsCosts(bps=10)


def curves_of(panel, points) -> Curves:
    place = market(panel, account=ACCOUNT, costs=COSTS)
    bench = Bench(place, RegimeEnsemble.plan, (), np.linspace(1e6, 2e6, len(place.dates)), 0.0)
    return evaluate(bench, 0, points).curves


def points_of(name, numbers):
    grid, own = RegimeEnsemble.grids[name], Params()
    return [settings_at(grid, i, Params, dict(own), name) for i in numbers]


def worst(panel, points) -> float:
    """Largest relative difference between the batch and Backtrader at any close of any point."""
    curves, found = curves_of(panel, points), []
    for nav, fees, params in zip(curves.nav, curves.fees, points, strict=True):
        run = run_backtest(panel, RegimeEnsemble, params, account=ACCOUNT, costs=COSTS)
        broker = run.cerebro.broker
        found.append(float(np.max(np.abs(nav / broker.history.nav - 1.0))))
        assert fees == pytest.approx(broker.ledger.fills.fee.sum(), rel=1e-9)
    return max(found)


def test_the_sample_has_late_listings_delistings_and_holes():
    panel = real_sample()
    bar = panel.bar[panel.start_row :]
    assert (~bar[0] & bar.any(axis=0)).any()
    assert (~bar[-1] & bar.any(axis=0)).any()


def test_every_point_of_the_45_grid_equals_backtrader():
    points = points_of("qm45", range(45))
    assert len({repr(point) for point in points}) == 45
    assert worst(real_sample(), points) <= 1e-10


def test_points_of_the_729_grid_equal_backtrader():
    assert worst(real_sample(), points_of("weights729", range(0, 729, 91))) <= 1e-10
