"""On real data with late listings and delistings, the engine and the plain loop over the rulings agree."""

import os
from pathlib import Path

import numpy as np
import pytest

from ares7.config import DataConfig
from feeds.load import load_panel
from strategies import defensive, equal_weight, low_volatility, quality_momentum, regime_ensemble
from tests.engine.running import assert_same, run_baskets, run_obvious, run_singles

DATA = os.environ.get("ARES7_DATA")
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder"),
]
STRATEGIES = (equal_weight, low_volatility, quality_momentum, defensive, regime_ensemble)


@pytest.fixture(scope="module")
def panel():
    needs = frozenset({"etfs", "index", "vix", "fundamentals"})
    loaded = load_panel(DataConfig(path=Path(DATA), cache=None), needs)
    return loaded.starting(np.datetime64("2016-01-04"))


@pytest.mark.parametrize(("shares", "gross"), [("whole", 0.98), ("fractional", 1.0)])
@pytest.mark.parametrize("module", STRATEGIES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_eight_years(panel, module, shares, gross):
    targets = module.weights(panel, module.Params(gross=gross))
    account = {"cash": 1e6, "shares": shares}
    outcome = run_baskets(panel, targets, **account)
    assert_same(outcome, run_obvious(panel, targets, **account))
    refused = [order for order in outcome.orders if order[3] == "refused"]
    assert bool(refused) == (gross == 1.0)
    if module is not defensive:
        assert outcome.kinds.count("delisting") >= 5


def test_single_orders_agree_where_there_are_refusals(panel):
    panel = panel.upto(int(np.searchsorted(panel.dates, np.datetime64("2018-01-01"))))
    targets = equal_weight.weights(panel, equal_weight.Params(gross=1.0))
    account = {"cash": 1e6, "shares": "fractional"}
    singles = run_singles(panel, targets, **account)
    assert "refused" in {order[3] for order in singles.orders}
    assert_same(singles, run_baskets(panel, targets, **account))
