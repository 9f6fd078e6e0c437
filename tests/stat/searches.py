"""Families of trials on synthetic markets: every distinct point of a grid, and positions shifted in time.

The account has fractional shares, no costs, and free credit from a close to the fills of its orders, so that none
is refused: what a book was to earn is exactly what its holdings were to earn (`tests.stat.accounting`), and nothing
but luck and the planted effects is in the returns.
"""

from dataclasses import dataclass, replace
from datetime import date
from unittest.mock import patch

import numpy as np

from ares7.batch import market as prepared
from ares7.batch import run_plans
from ares7.book import planned
from ares7.config import AccountConfig, DataConfig, SyntheticConfig
from ares7.costs import BpsCosts
from ares7.grid import settings_at
from ares7.stages import Remembered
from feeds import synthetic, synthetic_prices
from strategies import registry
from tests.stat.accounting import hold

ACCOUNT = AccountConfig(shares="fractional", min_trade_nav=0.0, margin=True, financing_bps=0.0)
START_ROW = 300
"""Every signal is warm from here on."""
EFFECTS = ("QUALITY_ALPHA", "MOMENTUM_ALPHA", "LOW_VOL_ALPHA", "DRIFT")


def generated(preset, seed, last, *, symbols=80, strength=1.0):
    """A market from 2010 on; ``strength`` multiplies the planted effects."""
    config = SyntheticConfig(preset=preset, seed=seed, symbols=symbols, start=date(2010, 1, 4), end=last)
    effects = {name: strength * getattr(synthetic_prices, name) for name in EFFECTS}
    with patch.multiple(synthetic_prices, **effects):
        return synthetic.generate(config)


def panel_of(market, universe="auto"):
    panel = synthetic.to_panel(market, DataConfig(synthetic=market.config, universe=universe))
    return panel.starting(panel.dates[START_ROW])


def points_of(name):
    """Distinct points of the strategy's first grid."""
    strategy = registry.resolve(name)
    base = registry.settings(strategy, {})
    grid = next(iter(strategy.grids.values()))
    points = (settings_at(grid, i, type(base), base.model_dump(), name) for i in range(len(grid)))
    return list({point.model_dump_json(): point for point in points}.values())


@dataclass(frozen=True)
class Trials:
    """(P, R) returns a session of every trial, and (R,) of the baseline."""

    total: np.ndarray
    baseline: np.ndarray

    @property
    def active(self):
        return self.total - self.baseline


def simulated(panel, plans):
    """Returns of plans beside equal weight."""
    place = prepared(panel, account=ACCOUNT, costs=BpsCosts(bps=0.0))
    nav = run_plans(place, [*plans, planned(panel, targets_of("equal_weight", panel))]).nav
    returns = nav[:, 1:] / nav[:, :-1] - 1.0
    return Trials(returns[:-1], returns[-1])


def run_grid(panel, name, points):
    """Every point of a grid."""
    strategy, memo = registry.resolve(name), Remembered()
    return simulated(panel, [strategy.plan(panel, point, memo) for point in points])


def targets_of(name, panel, settings=None):
    strategy = registry.resolve(name)
    return strategy.weights(panel, settings or registry.settings(strategy, {}))


def expected_active(market, panel, name, settings):
    """What one point was to earn a session beyond equal weight, by the known expected returns of what both held."""
    known = np.nan_to_num(market.expected)
    books = hold(panel, targets_of(name, panel, settings)), hold(panel, targets_of("equal_weight", panel))
    own, base = ((book.held * known[book.rows]).sum(axis=1).mean() for book in books)
    return float(own - base)


def lasting_names(market, count):
    """The first stocks that have a bar from the first session to the last, holes aside."""
    bar = np.isfinite(market.close)
    lasting = market.is_stock & bar[0] & bar[-1] & (bar.mean(axis=0) > 0.98)
    names = np.array(market.symbols)[lasting]
    assert len(names) >= count
    return tuple(names[:count].tolist())


def shifted(panel, targets, shifts):
    """Plans whose decided rows are moved around the decisions in a circle."""
    assert targets.weights.shape == panel.shape
    rows = np.flatnonzero(targets.decide)
    plans = []
    for shift in shifts:
        weights = targets.weights.copy()
        weights[rows] = np.roll(targets.weights[rows], shift, axis=0)
        plans.append(planned(panel, replace(targets, weights=weights, regime=None)))
    return plans
