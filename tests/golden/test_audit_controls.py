"""The published series: those that earn the day which chose the book fail, those with the lag repaired do not."""

from __future__ import annotations

import numpy as np
import pytest

from ares7.audit.finding import Severity
from ares7.audit.returns_only import audit_returns
from tests.contracts.panels import DATA

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder"),
]
LEAKY = {
    "engine_factor_v2_best": "Fridays",
    "engine_c1_v6_results": "every 7 rows from 2015-11-23 on",
    "engine_factor_v2_results": "Fridays",
    "engine_factor_v2_test_results": "Fridays",
    "engine_factor_v2_reproduced": "Fridays",
    "engine_factor_v2_pit_results": "Fridays",
    "engine_factor_final_results": "Mondays",
    "ares7_best_ensemble_results": "Fridays",
}
HONEST = [
    "ew_sp100_base",
    "engine_c1_v6_fixed",
    "engine_momentum_simple_v1_results",
    "engine_c1_v6_correct",
    "engine_factor_v2_pit_fixed",
    "C1_rebuild_v1",
]


@pytest.fixture(scope="module")
def published():
    import pandas as pd

    rows = pd.read_parquet(f"{DATA}/legacy/daily_returns.parquet")
    return {
        name: (part["date"].to_numpy(), part["ret"].to_numpy(dtype=np.float64))
        for name, part in rows.groupby("series")
    }


@pytest.mark.parametrize("name", LEAKY)
def test_a_leaky_series_fails_and_its_rebalance_day_is_named(published, name):
    (finding,) = audit_returns(*published[name], name=name).failed
    assert finding.check == "D3"
    assert finding.evidence["sessions"] == LEAKY[name]
    assert finding.evidence["share"] > 0.6


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_series_has_no_failure(published, name):
    assert audit_returns(*published[name], name=name).failed == ()


@pytest.mark.parametrize("name", ["engine_factor_v2_best", "engine_c1_v6_results"])
@pytest.mark.parametrize("beyond", [False, True])
def test_the_verdict_is_the_same_beyond_the_market(published, name, beyond):
    dates, returns = published[name]
    base_dates, base = published["ew_sp100_base"]
    np.testing.assert_array_equal(dates, base_dates)
    assert audit_returns(dates, returns, base if beyond else None, name=name).worst is Severity.FAILURE


def test_no_other_published_series_fails(published):
    failed = {name for name in published if audit_returns(*published[name], name=name).failed}
    assert failed == {*LEAKY, "engine_factor_value_only"}, "value_only is factor_final under another name"
