"""All checks together: shipped strategies pass, planted bugs are named, and a user's test can call it."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ares7.audit import check
from ares7.audit.causality import causality_checks
from ares7.audit.checks import all_checks
from ares7.audit.finding import Severity
from ares7.bars import engine_bars
from ares7.config import AccountConfig
from ares7.costs import BpsCosts
from ares7.errors import CheckFailed, ConfigError
from ares7.params import BookParams
from ares7.simulate import simulate
from strategies import equal_weight, registry
from tests.audit.leaky import PLANTED
from tests.audit.leaky_inputs import PLANTED as PLANTED_INPUTS
from tests.audit.planting import SMALL, panel_of_leaks
from tests.contracts.panels import market, names

ROOT = Path(__file__).resolve().parents[2]
SOURCE = {
    "synthetic": True,
    "source": {"generator": "tests"},
    "inputs": {"surprise": {"source": "tests", "sha256": "0"}},
}


def stamped(panel):
    return replace(panel, provenance=SOURCE)


def idea(weights, name="idea"):
    return SimpleNamespace(__name__=name, Params=BookParams, weights=weights)


@pytest.mark.parametrize("name", names())
def test_a_shipped_strategy_has_no_failure(name):
    found = check(registry.resolve(name), stamped(market(1, 760, 300)))
    assert found.failed == ()
    assert {f.check for f in found.findings} == {f"D{i}" for i in range(1, 23)}
    # Its volume is a few thousand shares a day, against an account of a million.
    assert {f.check for f in found.findings if f.severity is Severity.WARNING} <= {"D15"}


PLANTED_HERE = {
    "prices_of_tomorrow": ({"D1", "D5"}, "close"),
    "volatility_scaled_ex_post": ({"D1", "D5", "D12"}, "close"),
    "tilt_before_its_event": ({"D1", "D5", "D7"}, "surprise"),
    "month_end_from_the_next_row": ({"D1"}, "dates"),
}


@pytest.mark.parametrize("name", PLANTED_HERE)
def test_a_planted_bug_fails_under_its_own_name(name):
    bug = (PLANTED | PLANTED_INPUTS)[name]
    ids, field = PLANTED_HERE[name]
    found = check(idea(bug.weights, name), stamped(panel_of_leaks()), bug.settings)
    assert found.worst is Severity.FAILURE
    failed = {f.check: f for f in found.failed}
    assert ids <= set(failed)
    assert field in failed["D1"].message
    with pytest.raises(CheckFailed) as caught:
        found.require()
    for finding in found.failed:
        assert f"{finding.check} {finding.message}" in str(caught.value)
    assert caught.value.exit_code == 1


def test_filling_at_the_close_that_decides_fails_by_itself():
    found = check(equal_weight, stamped(market(1, 760, 300)), account=AccountConfig(exec_lag=0))
    assert {f.check for f in found.failed} == {"D14"}


def test_the_same_audit_twice_is_the_same():
    bug = PLANTED["delisted_names_dropped"]
    first, again = (check(idea(bug.weights), stamped(panel_of_leaks()), bug.settings) for _ in range(2))
    assert first.to_dict() == again.to_dict()


def test_every_id_is_described_in_the_document():
    text = (ROOT / "docs/audit.md").read_text()
    described = re.findall(r"^\| (D\d+) \|", text, re.MULTILINE)
    assert sorted(described) == sorted({each.id for each in all_checks()})
    assert len(described) == 22


def test_the_example_of_the_document_runs():
    text = (ROOT / "docs/audit.md").read_text()
    (example,) = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    space: dict[str, object] = {}
    exec(compile(example, "docs/audit.md", "exec"), space)  # noqa: S102 - our own document
    test = space["test_my_idea_does_not_see_tomorrow"]
    assert callable(test)
    test()


# The function itself


def test_the_default_baseline_is_the_equal_weight_strategy():
    panel = stamped(market(1, 760, 300))
    targets = equal_weight.weights(panel, equal_weight.Params())
    nav = simulate(engine_bars(panel), targets, account=AccountConfig(), costs=BpsCosts(bps=10)).nav
    seen = []

    class Spy:
        id = title = "spy"

        def run(self, subject):
            seen.append(subject)
            return []

    check(registry.resolve("low_volatility"), panel, checks=[Spy()])
    np.testing.assert_array_equal(seen[0].baseline_nav, nav)
    given = np.linspace(1.0, 2.0, len(nav))
    check(equal_weight, panel, baseline_nav=given, costs=BpsCosts(bps=3), checks=[Spy()])
    assert seen[1].costs.bps == 3
    np.testing.assert_array_equal(seen[1].baseline_nav, given)


def test_without_a_start_the_first_session_after_the_warm_up_decides():
    panel = stamped(market(1, 760, None))
    found = check(registry.resolve("low_volatility"), panel, checks=causality_checks())
    assert found.failed == ()
    warmup = registry.resolve("low_volatility").Params().warmup
    (prefix,) = [f for f in found.findings if f.check == "D1"]
    assert str(panel.dates[warmup - 1]) in prefix.message


@pytest.mark.parametrize(
    ("strategy", "settings", "options", "words"),
    [
        (object(), None, {}, "Params"),
        (SimpleNamespace(__name__="idea", Params=BookParams), None, {}, "no function weights"),
        (idea(lambda panel, settings: None), None, {}, "returns NoneType, not Targets"),
        (equal_weight, None, {"baseline_nav": np.ones(3)}, "baseline_nav has shape"),
    ],
)
def test_what_cannot_be_audited_is_refused(strategy, settings, options, words):
    with pytest.raises(ConfigError, match=words) as caught:
        check(strategy, stamped(market(1, 760, 300)), settings, **options)
    assert "\n" not in str(caught.value)


def test_a_strategy_that_raises_on_everything_raises_its_own_error():
    def broken(panel, settings):
        raise ValueError("no idea")

    with pytest.raises(ValueError, match="no idea"):
        check(idea(broken), stamped(market(1, 760, 300)))


def test_a_book_without_positions_proves_nothing_and_fails_nothing():
    def nothing(panel, settings):
        targets = equal_weight.weights(panel, equal_weight.Params())
        return replace(targets, weights=np.zeros_like(targets.weights))

    found = check(idea(nothing), stamped(market(1, 760, 300)), SMALL)
    assert found.failed == ()
    assert Severity.SKIPPED in {f.severity for f in found.findings}
    found.require()


def test_importing_the_audit_is_cheap():
    heavy = {"numpy", "pandas", "numba", "scipy", "pydantic"}
    code = f"import sys, ares7.audit; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
