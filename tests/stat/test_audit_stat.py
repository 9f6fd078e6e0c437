"""The audit's false alarms on two hundred random honest strategies, and the size of its null t."""

from __future__ import annotations

import numpy as np
import pytest

from ares7.audit.checks import all_checks
from ares7.audit.null_market import NullMarkets
from ares7.audit.returns_only import audit_returns
from ares7.audit.runner import audit
from tests.audit.honest import alarms, honest_subject, long_short, recipes

pytestmark = pytest.mark.stat

COUNT, PART = 200, 25
RECIPES = list(enumerate(recipes(COUNT)))
TRUE_OF_A_SERIES = frozenset({"D9"})
"""Too short a record for its Sharpe ratio: true of every honest book without skill."""


@pytest.mark.parametrize("first", range(0, COUNT, PART))
def test_no_honest_strategy_fails_and_few_are_warned_about(first):
    failed, warned = {}, {}
    for number, recipe in RECIPES[first : first + PART]:
        told = audit(honest_subject(recipe, number), all_checks())
        if told.failed:
            failed[number] = [(f.check, f.message) for f in told.failed]
        if alarms(told.findings):
            warned[number] = alarms(told.findings)
    assert failed == {}
    assert len(warned) <= 0.05 * PART, warned


def test_no_long_short_series_fails_and_few_are_warned_about():
    warned = {}
    for number, recipe in RECIPES[1::4]:
        told = audit_returns(*long_short(recipe, number), name=f"long-short {number}")
        assert told.failed == (), number
        own = [(check, message) for check, message in alarms(told.findings) if check not in TRUE_OF_A_SERIES]
        if own:
            warned[number] = own
    assert len(warned) <= 0.05 * COUNT / 4, warned


def test_the_null_t_of_honest_strategies_is_a_standard_normal():
    evidence = [next(iter(NullMarkets().run(honest_subject(r, n)))).evidence for n, r in RECIPES]
    for name in ("selection_t", "timing_t"):
        t = np.array([e[name] for e in evidence])
        assert abs(t.mean()) < 4.0 / np.sqrt(len(t)), name
        assert 0.85 < t.std() < 1.15, name
        assert np.abs(t).max() < 4.0, name
