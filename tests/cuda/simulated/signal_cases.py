"""Scores and regime labels of the device are the CPU's; run by ../test_simulated.py in numba's CUDA simulator."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from numba import config

from ares7.batch import market, run_plans
from ares7.book import RegimeLabels, regime_labels
from ares7.config import AccountConfig
from ares7.cuda.batch import run_plans_on_device
from ares7.cuda.regime import regime_labels_on_device
from ares7.errors import MissingData, StaleData
from ares7.params import RegimeParams
from ares7.signals.regime import Regime
from ares7.stages import compute
from strategies import quality_momentum, regime_ensemble
from tests.cuda.on_device import memo_of
from tests.engine.panels import market as market_of
from tests.engine.panels import panel_of
from tests.engine.running import COSTS

assert config.ENABLE_CUDASIM
# See batch_cases.py.
sys.setswitchinterval(1e-5)
TOLERANCE = 1e-12


@pytest.fixture(scope="module")
def panel():
    return market_of(stocks=26)


@pytest.fixture(scope="module")
def memo(panel):
    return memo_of(panel)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"quality_weight": 0.0},
        {"tail": 0.1, "periods": (63,), "skip": 5, "min_names": 3},
        {"tail": 0.0, "min_names": 12},
        {"min_names": 1000},
    ],
)
def test_scores(panel, memo, settings):
    params = quality_momentum.Params(**settings)
    expected, found = quality_momentum.scores(panel, params), memo(quality_momentum.scores, panel, params)
    assert np.array_equal(found.rows, expected.rows)
    assert np.array_equal(found.eligible, expected.eligible)
    assert np.abs(found.score - expected.score).max() <= TOLERANCE
    assert np.array_equal(found.coverage, expected.coverage)
    assert params.min_names == 1000 or np.abs(expected.score).max() > 1


def with_thin_quality(panel):
    """One slot thin, its fallback thinner, one column of equal values, an infinity."""
    fields = {name: values.copy() for name, values in panel.fields.items()}
    fields["ebitda_margin"][:, ::2] = np.nan
    fields["operating_margin"][:, 1::3] = np.nan
    fields["debt_to_equity"][:] = np.nan
    fields["liabilities_to_equity"][:, 5:] = np.nan
    fields["roe"] = np.where(np.isfinite(fields["roe"]), 0.125, np.nan)
    fields["operating_margin"][:, 2] = np.inf
    return type(panel)(**{name: getattr(panel, name) for name in panel.__slots__} | {"fields": fields})


@pytest.mark.parametrize("min_names", [4, 9])
def test_scores_of_thin_columns(panel, min_names):
    thin, params = with_thin_quality(panel), quality_momentum.Params(min_names=min_names)
    expected = quality_momentum.scores(thin, params)
    found = memo_of(thin)(quality_momentum.scores, thin, params)
    assert np.abs(found.score - expected.score).max() <= TOLERANCE
    assert np.array_equal(found.coverage, expected.coverage)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"min_hold": 3},
        {"sma": 20, "short": 5, "long": 30, "min_hold": 10, "vix_bull": 20},
        {"sma": 2, "short": 1, "long": 1, "min_hold": 60, "vix_bull": 90, "vix_high": 90},
        {"long": 1000},
    ],
)
def test_labels(panel, memo, settings):
    params = RegimeParams(**settings)
    expected = quality_momentum.labels(panel, params)
    found = memo(quality_momentum.labels, panel, params)
    assert isinstance(found, RegimeLabels)
    assert found.raw.dtype == found.held.dtype == np.int8
    assert np.array_equal(found.raw, expected.raw)
    assert np.array_equal(found.held, expected.held)


def test_labels_at_ties():
    """An index on its own average, returns of exactly 0, VIX on its limits, and gaps before the start."""
    rng = np.random.default_rng(3)
    index, vix = rng.choice([99.0, 100.0, 101.0], 400), rng.choice([24.0, 25.0, 30.0, np.nan], 400)
    index[rng.integers(0, 380, 12)] = np.nan
    close = np.full((400, 1), 10.0)
    held = panel_of(close, close, start=399, series={"index": index, "vix": vix})
    held.series["index"][399], held.series["vix"][399] = 100.0, 24.0
    settings = {"sma": 4, "short": 3, "long": 6, "vix_bull": 25.0, "vix_high": 30.0}
    for min_hold in (0, 2):
        expected = regime_labels(held, **settings, min_hold=min_hold)
        found = regime_labels_on_device(held, **settings, min_hold=min_hold)
        assert np.array_equal(found.raw, expected.raw)
        assert np.array_equal(found.held, expected.held)
    assert len(np.unique(expected.raw)) == 4


def test_a_run_of_labels_is_remembered_for_a_year():
    """HIGH_VOL twice in rows 10 and 11, then in every second session: held until both leave the window."""
    vix = np.where(np.arange(300) % 2 == 1, 35.0, 10.0)
    vix[:10], vix[10] = 10.0, 35.0
    close = np.full((300, 1), 10.0)
    held = panel_of(close, close, series={"index": np.full(300, 100.0), "vix": vix})
    found = regime_labels_on_device(held, **RegimeParams(long=1000, min_hold=2).model_dump()).held
    expected = regime_labels(held, **RegimeParams(long=1000, min_hold=2).model_dump()).held
    assert np.array_equal(found, expected)
    assert expected[261] == Regime.HIGH_VOL
    assert expected[262] == Regime.NEUTRAL


@pytest.mark.parametrize(("role", "error"), [("vix", StaleData), ("index", MissingData)])
def test_a_gap_is_refused_as_on_the_cpu(panel, role, error):
    series = {name: values.copy() for name, values in panel.series.items()}
    series[role][300] = np.nan
    broken = type(panel)(**{name: getattr(panel, name) for name in panel.__slots__} | {"series": series})
    with pytest.raises(error, match=f"{role} has no usable value on"):
        regime_labels_on_device(broken, **RegimeParams().model_dump())


@pytest.mark.parametrize("strategy", [quality_momentum, regime_ensemble])
def test_a_strategy_from_signal_to_equity(panel, memo, strategy):
    """What reads the scores and labels, nested stages too, takes the device's; the curve is the CPU's."""
    params = strategy.Params()
    ready = market(panel, account=AccountConfig(), costs=COSTS["bps"][0])
    expected = run_plans(ready, [strategy.plan(panel, params, compute)])
    found = run_plans_on_device(ready, [strategy.plan(panel, params, memo)])
    assert np.abs(found.nav / expected.nav - 1).max() <= 1e-10
    assert any(name.startswith("ares7.cuda") for name in memo.computed)
    assert quality_momentum.scores.name not in memo.computed
