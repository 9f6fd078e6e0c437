"""D6, D7, D10 on events that stand in one session each: they move whole, stay rare, and are remembered."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from pydantic import Field

from ares7.audit import events, inputs
from ares7.audit.events import EventAlignment
from ares7.audit.finding import Severity
from ares7.audit.inputs import lasts_one_session, named_weights, panel_inputs
from ares7.audit.perturbation import PRICES
from ares7.audit.sources import _unnamed
from ares7.params import BookParams
from strategies import low_volatility
from strategies.low_volatility import Params as LowVolatility
from tests.audit.test_inputs import ablation, latest, subject, top
from tests.contracts.panels import QUALITY, market, with_fields

SUE, CONSENSUS = "surprise_sue", "surprise_consensus"


class Drift(BookParams):
    """Says that post-earnings drift counts."""

    needs: frozenset[str] = frozenset({"earnings"})
    pead_weight: float = Field(default=1.0, ge=0)

    @property
    def requires(self) -> frozenset[str]:
        return self.needs


def plain():
    """The random market before anything was announced."""
    kept = {k: v for k, v in market().fields.items() if k in (*PRICES, "volume", *QUALITY)}
    return replace(market(), fields=kept)


@cache
def announced(share: float = 0.02):
    """Surprises in two variants, the second missing for a third of the events, and buybacks."""
    panel, rng = plain(), np.random.default_rng(11)
    there = (rng.random(panel.shape) < share) & panel.is_stock
    sue = np.where(there, rng.standard_normal(panel.shape), np.nan)
    consensus = np.where(rng.random(panel.shape) < 2 / 3, sue / 100.0, np.nan)
    buyback = np.where((rng.random(panel.shape) < 0.004) & panel.is_stock, rng.random(panel.shape), np.nan)
    return with_fields(panel, **{SUE: sue, CONSENSUS: consensus, "buyback": buyback})


def drift(panel, settings):
    """Buys what surprised most within the last month."""
    return top(panel, latest(panel.fields[SUE]))


def pairs(panel):
    """Every event as what its two variants say, in order; 9 stands for no value."""
    both = np.isfinite(panel.fields[SUE]) | np.isfinite(panel.fields[CONSENSUS])
    values = zip(panel.fields[SUE][both], panel.fields[CONSENSUS][both], strict=True)
    return sorted((np.nan_to_num(a, nan=9.0), np.nan_to_num(b, nan=9.0)) for a, b in values)


def given(panel, name):
    return next(one for one in panel_inputs(panel) if one.name == name)


def test_announcements_are_inputs_of_their_own_names():
    panel = announced()
    assert given(panel, "surprises").needs == "earnings"
    assert given(panel, "surprises").fields == (SUE, CONSENSUS)
    assert given(panel, "buybacks").needs == "buybacks"
    assert lasts_one_session(panel.fields[SUE])
    assert not lasts_one_session(panel.fields["roe"])


@pytest.mark.parametrize("change", [inputs.noisy, inputs.reordered])
def test_other_announcements_are_as_rare_and_as_whole_as_the_real_ones(change):
    panel = announced()
    other = change(panel, [given(panel, "surprises")], np.random.default_rng(3))
    assert pairs(other) == pairs(panel)
    assert not np.array_equal(other.fields[SUE], panel.fields[SUE], equal_nan=True)
    assert other.fields["buyback"] is panel.fields["buyback"]


def test_noise_keeps_the_sessions_of_announcements_and_changes_what_they_say():
    panel = announced()
    other = inputs.noisy(panel, [given(panel, "surprises")], np.random.default_rng(3))
    np.testing.assert_array_equal(np.isfinite(other.fields[SUE]), np.isfinite(panel.fields[SUE]))
    moved = np.isfinite(panel.fields[SUE]) & (other.fields[SUE] != panel.fields[SUE])
    assert moved.sum() > 0.9 * np.isfinite(panel.fields[SUE]).sum()


def test_noise_in_figures_that_stay_is_everywhere_as_before():
    panel = announced()
    other = inputs.noisy(panel, [given(panel, "profitability")], np.random.default_rng(3))
    assert np.isfinite(other.fields["roe"]).all()


# D6


def test_one_variant_that_is_read_is_enough():
    found = ablation(drift, Drift(), announced())["earnings"]
    assert found.severity is Severity.PASS
    assert "surprises" in found.message


def test_announcements_that_are_declared_and_never_read_are_not_excused_as_too_few():
    def weights(panel, settings):
        return low_volatility.weights(panel, LowVolatility())

    found = ablation(weights, Drift(), announced())
    assert found["earnings"].severity is Severity.FAILURE
    assert "pead_weight is 1" in found["earnings"].message


def test_a_weight_of_the_overlays_blend_says_that_announcements_count():
    settings = LowVolatility(overlay={"engines": ("pead",), "weights": {"pead": 0.4}})
    assert named_weights(settings, ["pead"]) == {"overlay.weights.pead": 0.4}
    assert named_weights(settings, ["buyback"]) == {}


def test_few_announcements_are_no_proof():
    panel = announced(share=0.0005)
    found = ablation(lambda p, s: top(p, -np.log(p.fields["close"])), Drift(), panel)["earnings"]
    assert found.severity is Severity.WARNING
    assert found.evidence["names"] < inputs.FEWEST_NAMES


def test_announcements_that_are_read_without_being_declared_warn():
    found = ablation(drift, Drift(needs=frozenset()), announced())
    (warning,) = [f for f in found.values() if "not declared" in f.message]
    assert warning.evidence["inputs"] == ["earnings"]


def test_buybacks_are_declared_by_their_own_name():
    def weights(panel, settings):
        return top(panel, latest(panel.fields["buyback"], 63))

    found = ablation(weights, Drift(needs=frozenset({"buybacks"})), announced())
    assert found["buybacks"].severity is Severity.PASS


# D7


def test_a_tilt_before_its_announcement_names_the_variant():
    def weights(panel, settings):
        early = np.full(panel.shape, np.nan)
        early[:-2] = panel.fields[SUE][2:]
        return drift(with_fields(panel, **{SUE: early}), settings)

    (found,) = EventAlignment().run(subject(weights, Drift(), announced()))
    assert found.severity is Severity.FAILURE
    assert found.evidence["fields"] == [SUE]


def test_a_drift_that_waits_passes():
    (found,) = EventAlignment().run(subject(drift, Drift(), announced()))
    assert found.severity is Severity.PASS


def shifted(row, **cells):
    """Column 0 after the events following ``row`` came later; ``cells`` are {field: {row: value}}."""
    panel, fields = plain(), {}
    for name in (SUE, CONSENSUS):
        fields[name] = np.full(panel.shape, np.nan)
        for at, value in cells.get(name, {}).items():
            fields[name][at, 0] = value
    panel = with_fields(panel, **fields)
    moved = events._later(panel, events._Shift(row, np.array([0]), (SUE, CONSENSUS)))
    return {
        name: {
            int(t): float(moved.fields[name][t, 0])
            for t in np.flatnonzero(np.isfinite(moved.fields[name][:, 0]))
        }
        for name in fields
    }


def test_an_announcement_of_the_decision_itself_is_not_repeated():
    assert shifted(100, surprise_sue={100: 1.0, 103: 2.0})[SUE] == {100: 1.0, 103 + events.SHIFT: 2.0}


def test_the_last_session_of_the_shift_moves_too():
    last = 100 + events.SHIFT
    assert shifted(100, surprise_sue={last: 2.0})[SUE] == {last + events.SHIFT: 2.0}
    assert shifted(100, surprise_sue={last + 1: 2.0})[SUE] == {last + 1: 2.0}


def test_a_moved_announcement_replaces_another_one_whole():
    later = 103 + events.SHIFT
    got = shifted(100, surprise_sue={103: 1.0, later: 2.0}, surprise_consensus={later: 0.02})
    assert got == {SUE: {later: 1.0}, CONSENSUS: {}}


def test_what_would_move_past_the_end_is_gone():
    end = len(market().dates) - 1
    assert shifted(end - 5, surprise_sue={end - 3: 1.0})[SUE] == {}


# D10


def test_announcements_are_accounted_for_by_the_files_that_gave_them():
    panel = announced()
    names = {SUE, CONSENSUS, "buyback"}
    bare = replace(panel, provenance={"files": {"prices.csv": "0"}})
    assert names <= set(_unnamed(bare, False))
    told = {"files": {}, "earnings": {"announcements": 9}, "buybacks": {"announcements": 2}}
    assert not names & set(_unnamed(replace(panel, provenance=told), False))
    assert "buyback" in set(_unnamed(replace(panel, provenance={**told, "buybacks": {}}), False))
