"""A dozen random honest strategies through the whole audit; two hundred of them are in `tests/stat`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ares7.audit.checks import all_checks
from ares7.audit.finding import Severity
from ares7.audit.returns_only import audit_returns
from ares7.audit.runner import audit
from ares7.book import delayed
from tests.audit.honest import alarms, honest_subject, long_short, lots, recipes, small_panel, weights

COUNT = 12
RECIPES = list(enumerate(recipes(COUNT)))
EVERY = {check.id for check in all_checks()}


@pytest.mark.parametrize(("number", "recipe"), RECIPES, ids=[f"{r.signal} {r.schedule}" for _, r in RECIPES])
def test_an_honest_strategy_passes_the_whole_audit(number, recipe):
    told = audit(honest_subject(recipe, number), all_checks())
    assert told.failed == ()
    assert alarms(told.findings) == []
    assert {f.check for f in told.findings} == EVERY
    made = {f.check for f in told.findings if f.severity is not Severity.SKIPPED}
    assert made >= EVERY - {"D6", "D7", "D9", "D17"}


@pytest.mark.parametrize(("number", "recipe"), RECIPES[1::4])
def test_the_same_strategy_a_session_early_fails(number, recipe):
    def early(panel, settings):
        return delayed(weights(panel, settings), -1, panel.start_row)

    told = audit(replace(honest_subject(recipe, number), weights=early), all_checks())
    assert {"D1", "D5"} <= {f.check for f in told.failed}


@pytest.mark.parametrize(("number", "recipe"), RECIPES[1::4])
def test_an_honest_long_short_series_fails_nothing(number, recipe):
    days, returns = long_short(recipe, number)
    assert abs(returns.mean()) < returns.std()
    assert audit_returns(days, returns, name=f"long-short {number}").failed == ()


def test_a_quarter_of_the_strategies_are_tilts_and_a_quarter_decide_daily():
    many = list(recipes(200))
    assert sum(r.shape == "tilt" for r in many) == 50
    assert sum(r.schedule == "daily" for r in many) >= 50
    assert len({r.model_dump_json() for r in many}) == 200
    assert len({r.signal for r in many}) == 14
    assert {r.gate for r in many} == {"none", "vix", "trend", "drawdown"}


def test_a_lot_depends_on_its_session_and_its_name_alone():
    panel = small_panel(40)
    rows = np.arange(400, 420)
    drawn = lots(panel, rows, 3)
    order = np.random.default_rng(1).permutation(panel.shape[1])
    assert np.array_equal(lots(panel.columns(order), rows, 3), drawn[:, order])
    assert np.array_equal(lots(panel.last(1200), rows - (len(panel.dates) - 1200), 3), drawn)
    assert not np.array_equal(lots(panel, rows, 4), drawn)
