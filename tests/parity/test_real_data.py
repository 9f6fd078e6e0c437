"""C5 on real data, with its late listings and delistings."""

import itertools
import os
from pathlib import Path

import numpy as np
import pytest

from ares7.book import delayed
from ares7.config import DataConfig
from feeds.load import load_panel
from strategies import registry
from tests.parity.comparing import assert_engines_agree

DATA = os.environ.get("ARES7_DATA")
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder"),
]
MIX = {"fixed_mix": {"mix": {"SPY": 0.6, "TLT": 0.4}}}


@pytest.fixture(scope="module")
def panel():
    needs = frozenset({"etfs", "index", "vix", "fundamentals"})
    return load_panel(DataConfig(path=Path(DATA), cache=None), needs)


def targets_for(panel, name, **given):
    strategy = registry.resolve(name)
    return strategy.weights(panel, registry.settings(strategy, {**MIX.get(name, {}), **given}))


def _accounts():
    models = itertools.cycle(("bps", "fixed", "tiered"))
    cash = itertools.cycle((1e6, 3e4, 3e4, 1e6, 1e6))
    for name, shares, gross in itertools.product(registry.names(), ("whole", "fractional"), (0.98, 1.0)):
        yield pytest.param(name, shares, gross, next(models), next(cash))


@pytest.mark.parametrize(("name", "shares", "gross", "costs", "cash"), list(_accounts()))
def test_from_2016_on(panel, name, shares, gross, costs, cash):
    cut = panel.starting(np.datetime64("2016-01-04"))
    targets = targets_for(cut, name, gross=gross)
    run = assert_engines_agree(cut, targets, costs=costs, cash=cash, shares=shares)
    if name == "equal_weight":
        orders = run.ledger.orders
        assert (orders.kind == 2).sum() >= 5
        if (shares, gross) == ("fractional", 1.0):
            assert (orders.status == 2).any()


@pytest.mark.parametrize(
    ("given", "account"),
    [
        ({}, {}),
        ({"gross": 1.0, "regime": {"min_hold": 5}}, {"shares": "fractional", "cash_rate": 0.02}),
    ],
    ids=["as shipped", "minimum hold, fully invested"],
)
def test_the_ensemble_from_2010_on(panel, given, account):
    cut = panel.starting(np.datetime64("2010-01-04"))
    run = assert_engines_agree(cut, targets_for(cut, "regime_ensemble", **given), cash=1e6, **account)
    assert len(run.nav) > 3500
    assert run.ledger.orders.on_switch.any()


def test_leverage_and_a_late_decision(panel):
    cut = panel.starting(np.datetime64("2016-01-04"))
    targets = delayed(targets_for(cut, "regime_ensemble", gross=1.5), 1, cut.start_row)
    run = assert_engines_agree(cut, targets, cash=1e6, margin=True, financing_bps=200.0, min_trade_nav=0.0)
    assert run.cash.min() < 0
