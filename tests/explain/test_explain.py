"""Every target weight can be taken apart, and its parts add up to it."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from ares7.errors import MissingData
from ares7.explain import Explainer
from ares7.risk import RiskParams
from ares7.run_files import to_json
from ares7.signals.regime import Regime, raw_labels
from strategies import registry
from tests.contracts.panels import ALL_SCALERS, BOTH, DATA, SHORT_REGIME, cases, market, real_panel

CASES = cases()
SUM = 1e-12
FULL = {"overlay": {"engines": BOTH}, "risk": ALL_SCALERS, "regime": {"min_hold": 3, **SHORT_REGIME}}


@cache
def explainer(label):
    return Explainer(market(), *CASES[label])


def ensemble(**given):
    strategy = registry.resolve("regime_ensemble")
    return Explainer(market(), strategy, registry.settings(strategy, given))


@pytest.mark.parametrize("label", list(CASES))
def test_the_parts_of_every_name_add_up_to_its_target_at_every_kind_of_session(label):
    found = explainer(label)
    panel, rng = market(), np.random.default_rng(4)
    decided = np.flatnonzero(found.plan.decide)
    rows = {panel.start_row - 1, panel.start_row, len(panel.dates) - 1, *rng.choice(decided, 12).tolist()}
    rows |= set(rng.integers(0, len(panel.dates), 6).tolist())
    for row in sorted(rows):
        taken = found.at(row)
        assert np.abs(taken.total - taken.target).max() <= SUM
        assert np.array_equal(taken.target, found.weights[row])


@pytest.mark.parametrize("label", list(CASES))
def test_what_is_explained_is_what_the_strategy_gives(label):
    strategy, settings = CASES[label]
    assert np.array_equal(explainer(label).weights, strategy.weights(market(), settings).weights)


def test_overlay_parts_name_every_engine_and_change_no_gross():
    found = ensemble(overlay={"engines": BOTH, "lam": 3.0, "cap": 0.01})
    for row in np.flatnonzero(found.plan.decide)[-8:]:
        taken = found.at(int(row))
        names = [name for name in taken.parts if name.startswith("overlay")]
        assert sum(float(taken.parts[name].sum()) for name in names) == pytest.approx(0.0, abs=1e-12)
    assert {"overlay wavelet", "overlay pead", "overlay cap"} <= set(names)
    assert np.abs(taken.overlay.applied).max() <= 0.01 + 1e-12


def test_an_engine_s_part_is_lambda_times_its_weight_times_its_tilt_of_the_stock_block():
    found = ensemble(overlay={"engines": ("wavelet",), "lam": 2.0})
    taken = found.at(-1)
    held = taken.overlay.applied != 0
    assert held.any()
    block = sum(taken.parts[f"sleeve {s.name}"] for s in taken.sleeves) + taken.parts.get(
        "left universe", 0.0
    )
    gross = float((block * market().is_stock).sum())
    expected = 2.0 * 0.54 * taken.overlay.tilts["wavelet"] * gross
    assert taken.parts["overlay wavelet"][held] == pytest.approx(expected[held], abs=1e-15)


def test_the_regime_s_reading_gives_its_label_by_the_published_rule():
    found = ensemble(regime={"min_hold": 3})
    panel, seen = market(), set()
    index, vix = panel.signal("index"), panel.signal("vix")
    raw = raw_labels(index, vix)
    for row in np.flatnonzero(found.plan.decide):
        reading = found.at(int(row)).regime
        assert reading.raw == Regime(int(raw[row])).name
        above = reading.index > reading.average
        up = reading.return_short > 0 and reading.return_long > 0
        if reading.vix >= 30:
            label = "HIGH_VOL"
        elif row < 252:
            label = "NEUTRAL"
        elif above and up and reading.vix < 25:
            label = "BULL"
        else:
            label = "BEAR" if not above and not up else "NEUTRAL"
        assert reading.raw == label
        assert reading.why
        seen.add(label)
    assert seen == {"BULL", "BEAR", "HIGH_VOL", "NEUTRAL"}


def test_the_combined_reading_of_the_scalers_is_the_scale_that_was_applied():
    found = ensemble(risk=ALL_SCALERS)
    step, seen = RiskParams().step, set()
    for row in np.flatnonzero(found.plan.decide):
        taken = found.at(int(row))
        combined = taken.scalers[-1]
        assert combined.scale == taken.scale == found.plan.scale[row]
        assert combined.scale <= combined.value + 1e-9 < combined.scale + step + 2e-9
        seen.add(taken.scale)
    assert [s.name for s in taken.scalers] == ["vol_target", "drawdown_ladder", "breaker", "vix", "combined"]
    assert len(seen) > 3


def test_reasons_say_by_which_rule_a_session_decides():
    found, panel = ensemble(**FULL), market()
    reasons = {int(row): found.at(int(row)).reasons for row in np.flatnonzero(found.plan.decide)}
    assert "start" in reasons[panel.start_row]
    assert all("other" not in why for why in reasons.values())
    for row, why in reasons.items():
        assert ("month_end" in why) == panel.month_end[row]
        assert ("overlay" in why) == panel.week_end[row]
    assert {"start", "month_end", "regime", "overlay", "risk_scale"} == {
        w for why in reasons.values() for w in why
    }


def test_a_session_between_decisions_repeats_the_latest_one_and_says_when_that_was():
    found = ensemble()
    decided = np.flatnonzero(found.plan.decide)
    gap = next(int(a) for a, b in pairwise(decided) if b - a > 2)
    before, after = found.at(gap), found.at(gap + 1)
    assert after.session > after.decided == before.session
    assert np.array_equal(before.target, after.target)


def test_before_the_first_decision_nothing_is_held():
    taken = ensemble().at(market().start_row - 1)
    assert (taken.decided, taken.sleeves, float(taken.target.sum())) == (None, (), 0.0)


def test_a_name_that_left_loses_exactly_what_its_sleeves_gave_it():
    found = ensemble()
    left = [
        (row, taken)
        for row in np.flatnonzero(found.plan.decide)
        if "left universe" in (taken := found.at(int(row))).parts
    ]
    assert left
    for _, taken in left:
        gone = taken.parts["left universe"] != 0
        assert np.array_equal(taken.target[gone], np.zeros(int(gone.sum())))


def test_the_record_of_a_name_is_plain_values_that_json_takes():
    taken = ensemble(**FULL).at(-1)
    held = taken.symbols[int(np.argmax(taken.target))]
    record = taken.of(held)
    assert sum(record["parts"].values()) == pytest.approx(record["target_weight"], abs=1e-12)
    assert to_json({**taken.summary(), "name": record})


def test_an_unknown_name_or_session_is_one_clear_error():
    found = ensemble()
    with pytest.raises(MissingData, match="NOPE is not in the panel"):
        found.at(-1).of("NOPE")
    with pytest.raises(MissingData, match="no session"):
        found.row_of("2015-01-10")


def test_the_live_rows_explain_the_latest_decision_as_the_whole_history_does():
    whole, panel = ensemble(**FULL), market()
    strategy = registry.resolve("regime_ensemble")
    settings = registry.settings(strategy, FULL)
    for row in np.flatnonzero(whole.plan.decide)[-3:]:
        short = Explainer(panel.upto(int(row)).last(settings.warmup), strategy, settings)
        mine, theirs = short.at(-1), whole.at(int(row))
        assert mine.parts.keys() == theirs.parts.keys()
        for name, part in theirs.parts.items():
            assert np.array_equal(mine.parts[name], part)
        assert mine.summary() == theirs.summary()


@pytest.mark.real_data
@pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder")
@pytest.mark.parametrize(
    "given",
    [{}, {"overlay": {"engines": BOTH}}, {"overlay": {"engines": BOTH}, "risk": ALL_SCALERS}],
    ids=["default", "overlays", "everything"],
)
def test_on_real_data_the_parts_of_random_names_on_random_days_add_up(given):
    panel = real_panel()
    stop = int(np.searchsorted(panel.dates, np.datetime64("2016-01-01")))
    panel = panel.rows(stop - 1800, stop).starting(panel.dates[stop - 700])
    strategy = registry.resolve("regime_ensemble")
    found = Explainer(panel, strategy, registry.settings(strategy, given))
    rng = np.random.default_rng(20240301)
    checked = 0
    for row in rng.choice(np.arange(stop - 700, stop) - (stop - 1800), 25, replace=False):
        taken = found.at(int(row))
        assert np.abs(taken.total - taken.target).max() <= SUM
        for at in rng.choice(np.flatnonzero(taken.target > 0), 5):
            record = taken.of(panel.symbols[at])
            assert abs(sum(record["parts"].values()) - record["target_weight"]) <= SUM
            checked += 1
    assert checked == 125
