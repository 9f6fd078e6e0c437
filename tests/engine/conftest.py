"""The two ways in which our broker trades, so that each rule is tested in both."""

import pytest

from tests.engine.panels import targets_of
from tests.engine.running import run_baskets, run_singles


@pytest.fixture(params=[run_baskets, run_singles], ids=["baskets", "singles"])
def trade(request):
    def run(panel, rows, *, cash=1000.0, costs="free", **account):
        return request.param(panel, targets_of(panel, rows), cash=cash, costs=costs, **account)

    return run
