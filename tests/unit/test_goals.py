"""The roadmap's numbers, and how an honest figure is held against them."""

import ast
import math
from pathlib import Path

import pytest
from pydantic import ValidationError

from ares7.errors import DataError
from ares7.goals import Goals, Honest, PhaseGoals, compare

ROOT = Path(__file__).resolve().parents[2]


def targets():
    return {(row["phase"], row["what"]): row["target"] for row in compare(Goals(), {})}


def test_the_targets_are_the_roadmaps():
    assert targets() == {
        ("phase3", "sharpe"): 3.30,
        ("phase3", "max_drawdown"): 0.12,
        ("phase3", "oos_min_sharpe"): 2.95,
        ("phase4", "sharpe"): 3.40,
        ("phase4", "max_drawdown"): 0.11,
        ("phase4", "oos_min_sharpe"): 3.00,
        ("phase5", "sharpe"): 3.50,
        ("phase5", "max_drawdown"): 0.10,
        ("phase5", "oos_min_sharpe"): 3.10,
        ("phase5", "degradation"): 0.10,
        ("phase6", "degradation"): 0.05,
        ("goal", "degradation"): 0.0,
    }


def test_what_was_not_measured_is_neither_met_nor_missed():
    assert all(row["met"] is None and math.isnan(row["figure"]) for row in compare(Goals(), {}))


@pytest.mark.parametrize(
    ("what", "value", "met"),
    [
        ("sharpe", 3.5, True),
        ("sharpe", 3.49, False),
        ("oos_min_sharpe", 3.1, True),
        ("oos_min_sharpe", 3.0, False),
        ("max_drawdown", 0.10, True),
        ("max_drawdown", 0.101, False),
        ("degradation", 0.099, True),
        ("degradation", 0.10, False),
        ("degradation", math.nan, None),
        ("sharpe", math.nan, None),
    ],
)
def test_a_figure_is_judged_by_its_value(what, value, met):
    rows = compare(Goals(), {"phase5": {what: Honest(value, value - 1, value + 1)}})
    (row,) = [row for row in rows if (row["phase"], row["what"]) == ("phase5", what)]
    assert row["met"] is met
    if met is not None:
        assert (row["figure"], row["low"], row["high"]) == (value, value - 1, value + 1)


def test_the_relation_is_named():
    relations = {row["what"]: row["relation"] for row in compare(Goals(), {})}
    assert relations == {
        "sharpe": "at least",
        "max_drawdown": "at most",
        "oos_min_sharpe": "at least",
        "degradation": "below",
    }


def test_a_figure_counts_for_its_own_phase_only():
    rows = compare(Goals(), {"phase3": {"sharpe": Honest(9.0)}})
    assert [row["phase"] for row in rows if row["met"] is not None] == ["phase3"]


def test_a_target_can_be_switched_off_in_config():
    goals = Goals.model_validate({"phase3": {"sharpe": 1.0}, "phase6": {}})
    rows = compare(goals, {})
    assert [(r["what"], r["target"]) for r in rows if r["phase"] == "phase3"] == [("sharpe", 1.0)]
    assert not [r for r in rows if r["phase"] == "phase6"]


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"phase7": {}}, "targets know no 'phase7'"),
        (
            {"phase3": {"cagr": Honest(1.0)}},
            r"targets know no 'cagr' \(figures of phase3\); they know sharpe",
        ),
    ],
)
def test_an_unknown_phase_or_figure_is_refused(figures, message):
    with pytest.raises(DataError, match=message):
        compare(Goals(), figures)


def test_an_interval_the_wrong_way_round_is_refused():
    with pytest.raises(DataError, match="give the lower end first"):
        Honest(1.0, 2.0, 0.0)


@pytest.mark.parametrize("settings", [{"max_drawdown": -0.12}, {"sharpe": math.inf}, {"sharp": 1.0}])
def test_settings_outside_their_limits_are_refused(settings):
    with pytest.raises(ValidationError):
        PhaseGoals.model_validate(settings)


def test_nothing_that_computes_or_chooses_reads_a_target():
    """Only settings, reports and the command line may import the targets."""
    folders = ("ares7", "strategies", "feeds", "analyzers", "live")
    files = [file for folder in folders for file in (ROOT / folder).glob("**/*.py")]
    readers = {file.name for file in files if imports_goals(file.read_text(encoding="utf-8"))}
    assert not [
        name for name in readers if not any(word in name for word in ("config", "tearsheet", "report"))
    ]


def imports_goals(source):
    if "goals" not in source:
        return False
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return "ares7.goals" in names


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from ares7.goals import Goals", True),
        ("from ares7 import goals", True),
        ("import ares7.goals", True),
        ("goals = 3", False),
    ],
)
def test_an_import_of_the_targets_is_noticed(source, found):
    assert imports_goals(source) is found
