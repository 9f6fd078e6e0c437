"""Choices about decisions, regime and risk that the definitions left open, each with its ruling in the name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from ares7.book import Plan, Sleeve, assemble, decision_mask, frozen
from ares7.config import build_config
from ares7.costs import BpsCosts
from ares7.errors import ConfigError, MissingData
from ares7.params import BookParams, RegimeParams
from ares7.risk import RiskParams, model_returns
from ares7.signals.regime import Regime
from feeds.study import require_margin
from strategies import (
    equal_weight,
    low_volatility,
    quality_momentum,
    regime_ensemble,
    registry,
)
from strategies.quality_momentum import TiltParams
from tests.contracts.panels import at, late_month_end, market, scale_of
from tests.engine.panels import panel_of

# 2: decisions


def test_rulings_2_a_month_that_is_not_over_does_not_end_with_the_data():
    panel = market()
    middle = late_month_end(panel) + 5
    assert not decision_mask(panel.upto(middle))[-1]


def test_rulings_2_a_strategy_that_does_not_read_the_regime_ignores_its_changes():
    panel = market()
    assert equal_weight.weights(panel, equal_weight.Params()).regime is None
    assert not equal_weight.weights(panel, equal_weight.Params()).on_switch.any()


def test_rulings_2_the_start_session_holds_cash_without_an_earlier_month_end():
    panel = market(start=None)
    full = equal_weight.weights(panel.starting(panel.dates[3]), equal_weight.Params())
    assert full.decide[3]
    assert not full.weights[3].any()


def test_rulings_2_a_sleeve_is_frozen_between_its_rows():
    sleeve = Sleeve(np.array([2, 5]), np.array([[1.0, 0.0], [0.25, 0.75]]))
    got = frozen(sleeve, np.array([0, 1, 2, 4, 5, 9]))
    assert got.tolist() == [[0, 0], [0, 0], [1, 0], [1, 0], [0.25, 0.75], [0.25, 0.75]]
    empty = Sleeve(np.zeros(0, dtype=np.int64), np.zeros((0, 2)))
    assert not frozen(empty, np.array([0, 3])).any()


def test_rulings_2_a_decided_row_is_the_sleeve_times_member_times_fresh():
    close = np.full((12, 4), 10.0)
    close[4:, 1] = np.nan  # five sessions without a bar at row 8
    close[5:, 2] = np.nan  # four
    panel = panel_of(close, close, start=2)
    member = np.ones((12, 4), dtype=bool)
    member[8:, 3] = False
    panel = replace(panel, member=member)
    decide = np.zeros(12, dtype=bool)
    decide[[2, 8]] = True
    book = {"all": Sleeve(np.array([1]), np.full((1, 4), 0.25))}
    got = assemble(panel, Plan(book, {"all": np.ones(2)}, 0.8, decide))
    assert got.weights[7].tolist() == [0.2] * 4
    assert got.weights[8].tolist() == got.weights[11].tolist() == [0.2, 0.0, 0.2, 0.0]
    assert got.sleeves["all"].tolist() == pytest.approx([0, 0] + [0.8] * 6 + [0.4] * 4)


# 3: gross


def test_rulings_3_a_row_is_gross_times_the_blended_fractions():
    """phase3: BEAR is .98 low-vol, NEUTRAL and HIGH_VOL .49."""
    panel = market()
    got = regime_ensemble.weights(panel, regime_ensemble.Params(preset="phase3"))
    assert got.regime is not None
    whole = panel.member.all(axis=0) & panel.bar.all(axis=0)
    for regime, gross in (
        (Regime.BEAR, 0.98),
        (Regime.NEUTRAL, 0.49),
        (Regime.HIGH_VOL, 0.49),
        (Regime.BULL, 0.98),
    ):
        rows = np.flatnonzero(got.decide & (got.regime.held == regime) & panel.month_end)
        rows = rows[[not got.weights[t, ~whole].any() or regime != Regime.HIGH_VOL for t in rows]]
        if regime is not Regime.HIGH_VOL:
            assert len(rows) > 3
        np.testing.assert_allclose(got.weights[rows].sum(axis=1), gross, atol=1e-12)


# 6: leverage


@pytest.mark.parametrize(
    "given",
    [{"ladder": ((-0.05, 1.2),)}, {"vix_levels": ((25.0, -0.1),)}, {"breaker_scale": 1.5}, {"vol_target": 0}],
)
def test_rulings_6_scales_lie_between_0_and_1(given):
    with pytest.raises(ValidationError):
        RiskParams(**given)


@pytest.mark.parametrize("account", [{}, {"financing_bps": 100}])
def test_rulings_6_gross_above_1_needs_margin(account):
    given = {"costs": {"model": "bps", "bps": 10}, "account": account}
    leveraged = equal_weight.Params(gross=1.5)
    with pytest.raises(ConfigError, match=r"gross is 1.5.*account.margin: true and account.financing_bps"):
        require_margin(build_config(given, Path.cwd(), "test"), leveraged)
    borrowing = given | {"account": {"margin": True, "financing_bps": 100}}
    require_margin(build_config(borrowing, Path.cwd(), "test"), leveraged)


def test_rulings_6_margin_needs_a_rate():
    given = {"costs": {"model": "bps", "bps": 10}, "account": {"margin": True}}
    with pytest.raises(ConfigError, match="financing_bps"):
        build_config(given, Path.cwd(), "test")


def test_rulings_6_a_vol_target_never_scales_up():
    panel = market()
    quiet = np.zeros(panel.shape)
    quiet[:, 0] = 0.01
    assert scale_of(panel, quiet, RiskParams(vol_target=1.0)).max() == 1.0


# 10: model curve


def test_rulings_10_the_model_curve_by_hand():
    close = np.array([[10, 10], [11, 10], [11, 12], [np.nan, 12], [22, 9.0]])
    panel = panel_of(close, close)
    weights = np.array([[0, 0], [0.5, 0.5], [0.5, 0.5], [1.0, 0], [1.0, 0]])
    got = model_returns(panel, weights, cost_bps=100.0)
    # Row 2: .5 * 0 + .5 * .2, less 1 % of the 1.0 traded for row 1. Row 3: no bar, and no change of targets.
    # Row 4: the return after a gap spans it, 22 / 11 - 1 at weight 1, less 1 % of |1 - .5| + |0 - .5|.
    np.testing.assert_allclose(got, [0, 0, 0.1 - 0.01, 0.0, 1.0 - 0.01], atol=1e-15)


# 12 to 15: regime, presets, scalers


@pytest.mark.parametrize("flag", ["event_risk", "credit_stress"])
def test_rulings_12_flags_that_do_not_exist_are_refused(flag):
    with pytest.raises(ValidationError):
        RegimeParams.model_validate({flag: True})


def test_rulings_13_the_default_follows_the_raw_label():
    panel = market()
    for hold in (0, 1):
        labels = quality_momentum.labels(panel, RegimeParams(min_hold=hold))
        assert np.array_equal(labels.raw, labels.held)


@pytest.mark.parametrize(
    ("preset", "regime", "mix"),
    [
        ("phase3", "BULL", (0.7, 0.3, 0.0)),
        ("phase3", "BEAR", (0.0, 1.0, 0.0)),
        ("phase3", "HIGH_VOL", (0.0, 0.5, 0.0)),
        ("phase3", "NEUTRAL", (0.0, 0.5, 0.0)),
        ("phase4", "BULL", (0.7, 0.3, 0.0)),
        ("phase4", "BEAR", (0.0, 0.5, 0.5)),
        ("phase4", "HIGH_VOL", (0.0, 0.2, 0.8)),
        ("phase4", "NEUTRAL", (0.0, 0.5, 0.0)),
    ],
)
def test_rulings_14_presets(preset, regime, mix):
    got = regime_ensemble.Params(preset=preset).mix(Regime[regime])
    assert (got.quality_momentum, got.low_volatility, got.defensive) == mix


def test_rulings_14_phase4_is_the_default_and_overrides_replace_one_regime():
    assert regime_ensemble.Params().preset == "phase4"
    params = regime_ensemble.Params.model_validate({"mixes": {"BEAR": {"defensive": 0.3}}})
    assert params.mix(Regime.BEAR).low_volatility == 0
    assert params.mix(Regime.BULL) == regime_ensemble.Params().mix(Regime.BULL)


def test_rulings_14_cash_is_parked_in_the_cash_symbol_once_it_is_listed():
    panel = market()
    plain = regime_ensemble.weights(panel, regime_ensemble.Params(preset="phase3"))
    parked = regime_ensemble.weights(panel, regime_ensemble.Params(preset="phase3", cash_symbol="BIL"))
    assert plain.regime is not None
    bil = panel.symbols.index("BIL")
    others = np.arange(panel.shape[1]) != bil
    assert np.array_equal(plain.weights[:, others], parked.weights[:, others])
    listed = int(np.argmax(panel.bar[:, bil]))
    neutral = np.flatnonzero(plain.decide & (plain.regime.held == Regime.NEUTRAL) & panel.month_end)
    assert (neutral > listed).any()
    assert (neutral < listed).any()
    np.testing.assert_allclose(parked.weights[neutral[neutral > listed], bil], 0.49, atol=1e-15)
    assert not parked.weights[: listed + 1, bil].any()


def test_rulings_14_a_cash_symbol_that_is_not_there_is_named():
    with pytest.raises(MissingData, match="cash_symbol 'CASH'"):
        regime_ensemble.weights(market(), regime_ensemble.Params(cash_symbol="CASH"))


def test_rulings_14_weights_are_blended_and_not_returns():
    """A row is the mix of the sleeves' own rows."""
    panel = market()
    got = regime_ensemble.weights(panel, regime_ensemble.Params())
    assert got.regime is not None
    tilted = quality_momentum.tilted(panel, TiltParams())
    low = low_volatility.sleeve(panel, low_volatility.Params())
    rows = np.flatnonzero(got.decide & panel.month_end & (got.regime.held == Regime.BULL))
    assert len(rows) > 3
    for t in rows:
        np.testing.assert_allclose(
            got.weights[t], 0.98 * (0.7 * at(tilted, t) + 0.3 * at(low, t)), rtol=0, atol=1e-15
        )


def test_rulings_15_all_scalers_are_off_by_default():
    assert not RiskParams().enabled
    assert not regime_ensemble.Params().risk.enabled
    assert regime_ensemble.weights(market(), regime_ensemble.Params()).scale is None


def test_rulings_15_the_scale_is_the_minimum_of_the_enabled_ones_floored_to_tenths():
    panel = market()
    weights = regime_ensemble.weights(panel, regime_ensemble.Params()).weights
    single = [
        {"vol_target": 0.12},
        {"drawdown_ladder": True, "breaker": True},
        {"vix_guard": True, "vix_spike": True},
    ]
    alone = [scale_of(panel, weights, RiskParams(**given)) for given in single]
    together = scale_of(panel, weights, RiskParams(**single[0], **single[1], **single[2]))
    assert np.array_equal(together, np.min(alone, axis=0))
    assert np.allclose(together * 10, np.round(together * 10), atol=1e-12)
    assert any((together == one).mean() < 1 for one in alone)


def test_rulings_15_the_model_curve_is_charged_the_configured_costs():
    chosen = registry.settings(
        regime_ensemble.RegimeEnsemble, {"risk": {"vol_target": 0.1}}, BpsCosts(bps=25)
    )
    assert isinstance(chosen, regime_ensemble.Params)
    assert chosen.risk.cost_bps == 25


# 32: warm-up


def test_rulings_32_warm_up_is_computed_from_the_parameters():
    ensemble = regime_ensemble.Params
    assert ensemble().warmup == 276
    assert ensemble(regime=RegimeParams(min_hold=3)).warmup == 528
    every = RiskParams(vol_target=0.12, drawdown_ladder=True, breaker=True, vix_guard=True, vix_spike=True)
    assert 1000 <= ensemble(regime=RegimeParams(min_hold=3), risk=every).warmup <= 1060
    assert BookParams().warmup == 24
    assert low_volatility.Params(beta_window=504).warmup == 528
