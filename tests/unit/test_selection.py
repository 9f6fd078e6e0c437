"""The choice among points: objectives, constraints, ties, what was looked at (C10)."""

import datetime as dt
import math

import numpy as np
import pytest
from pydantic import ValidationError

from ares7 import folds
from ares7.batch_figures import equity_figures
from ares7.config import DEFAULT_WINDOWS, OosWindow
from ares7.errors import ConfigError, DataError
from ares7.metrics import returns_from_nav
from ares7.point_figures import PointFigures, PointWindows, point_windows
from ares7.selection import (
    NO_POINT,
    NO_SCORE,
    WALK_FORWARD,
    Constraints,
    Rejections,
    SelectionConfig,
    objective_scores,
    select,
)
from ares7.selection_table import table
from tests.unit.selection_cases import ABOVE, DEGRADATION, OFF, points, windows_of

NAN = math.nan


# Objectives


def test_train_sharpe_chooses_by_the_train_rows_alone():
    found = select(points([1.0, 2.0, 1.5], [[9.0], [-9.0], [0.0]]), "train_sharpe", OFF)
    assert (found.best, found.leader, found.reason) == (1, 1, None)
    assert found.rank.tolist() == [3, 1, 2]
    assert found.contaminated == ()


def test_oos_min_chooses_the_highest_of_the_lowest_window_and_contaminates_every_window():
    found = select(points([9.0, 1.0], [[3.0, 0.1], [0.5, 0.4]]), "oos_min_sharpe", OFF)
    assert found.best == 1
    assert found.score.tolist() == [0.1, 0.4]
    assert found.contaminated == ("OOS1", "OOS2")


def test_purged_cv_is_the_mean_over_the_folds_test_rows():
    figures = points([9.0, 1.0], [[9.0], [0.0]], folds=[[0.0, 1.0, 2.0], [1.0, 1.5, 1.1]])
    found = select(figures, "purged_cv", OFF)
    assert found.score == pytest.approx([1.0, 1.2])
    assert (found.best, found.contaminated) == (1, ())


def test_walk_forward_is_the_mean_over_the_yearly_test_windows():
    figures = points([9.0, 1.0], [[9.0], [0.0]], folds=[[5.0], [0.0]], years=[[0.0, 1.0], [1.0, 1.5]])
    found = select(figures, "walk_forward", OFF)
    assert found.score == pytest.approx([0.5, 1.25])
    assert (found.best, found.contaminated) == (1, ())


def test_a_fold_without_a_ratio_leaves_the_point_without_a_score():
    found = select(points([1.0, 1.0], [[1.0], [1.0]], folds=[[9.0, NAN], [0.1, 0.1]]), "purged_cv", OFF)
    assert found.best == 1
    assert found.rejections["score"] == Rejections(1, 1)


def test_the_lowest_window_is_over_those_that_have_a_ratio():
    found = select(points([1.0, 1.0], [[NAN, 2.0], [NAN, NAN]]), "oos_min_sharpe", OFF)
    np.testing.assert_array_equal(found.score, [2.0, NAN])


def test_objectives_that_a_run_does_not_have_are_nan():
    scores = objective_scores(points([1.0], [[1.0]]))
    assert math.isnan(scores["purged_cv"][0])
    assert math.isnan(scores["walk_forward"][0])


# Constraints


def test_degradation_must_be_below_its_limit():
    # 10 % exactly, a little less, a gain
    figures = points([1.0, 1.0, 0.5], [[0.875], [0.9], [0.6]])
    found = select(figures, "train_sharpe", Constraints(max_degradation=0.125, oos_above_baseline=False))
    assert found.satisfied["max_degradation"].tolist() == [False, True, True]
    assert found.best == 1


@pytest.mark.parametrize("train", [0.0, -1.0, NAN])
def test_degradation_of_a_train_ratio_that_is_not_positive_satisfies_nothing(train):
    found = select(points([train, 0.1], [[5.0], [5.0]]), "oos_min_sharpe", DEGRADATION)
    assert found.satisfied["max_degradation"].tolist() == [False, True]


def test_every_window_must_be_above_the_baseline():
    figures = points([1.0, 2.0, 3.0], [[1.1, 2.1], [1.1, 2.0], [NAN, 3.0]], baseline=[1.0, 2.0])
    found = select(figures, "train_sharpe", ABOVE)
    assert found.satisfied["oos_above_baseline"].tolist() == [True, False, False]
    assert found.contaminated == ("OOS1", "OOS2")


def test_a_window_that_the_data_do_not_reach_is_not_judged_and_not_touched():
    windows = PointWindows(
        slice(0, 100), ("A", "B", "C"), (slice(100, 150), slice(150, 150), slice(149, 150))
    )
    figures = points([1.0], [[1.1, NAN, NAN]], baseline=[1.0, NAN, NAN], windows=windows)
    found = select(figures, "train_sharpe", ABOVE)
    assert found.best == 0
    assert found.contaminated == ("A", "C")


def test_a_baseline_window_without_a_ratio_is_beaten_by_nobody():
    found = select(points([1.0], [[1.0]], baseline=[NAN]), "train_sharpe", ABOVE)
    assert (found.best, found.reason) == (None, NO_POINT)


def test_drawdown_is_that_of_the_train_rows_and_contaminates_nothing():
    figures = points([1.0, 2.0, 3.0], [[1.0]] * 3, depths=[0.1, 0.15, NAN])
    found = select(
        figures,
        "train_sharpe",
        Constraints(max_degradation=None, oos_above_baseline=False, max_drawdown=0.15),
    )
    assert found.satisfied["max_drawdown"].tolist() == [True, True, False]
    assert (found.best, found.contaminated) == (1, ())


def test_turnover_is_that_of_the_whole_run_and_so_touches_the_windows():
    limit = Constraints(max_degradation=None, oos_above_baseline=False, max_turnover=3.0)
    found = select(points([1.0, 2.0, 3.0], [[1.0]] * 3, turnover=[2.0, 3.0, 3.1]), "train_sharpe", limit)
    assert (found.best, found.contaminated) == (1, ("OOS1",))


def test_rejections_are_counted_alone_and_together():
    figures = points(
        [NAN, 1.0, 1.0, 1.0, 1.0],
        [[1.0], [1.0], [0.1], [0.1], [1.0]],
        baseline=[0.5],
        turnover=[9.0, 1.0, 9.0, 1.0, 9.0],
    )
    found = select(figures, "train_sharpe", Constraints(max_turnover=5.0))
    assert found.rejections == {
        "score": Rejections(1, 1),
        "max_degradation": Rejections(3, 3),
        "oos_above_baseline": Rejections(2, 3),
        "max_turnover": Rejections(3, 4),
    }
    assert (found.best, int((found.rank > 0).sum())) == (1, 1)


def test_no_point_is_an_answer_and_the_leader_is_still_named():
    found = select(points([1.0, 2.0], [[0.1], [0.1]]), "train_sharpe", DEGRADATION)
    assert (found.best, found.reason, found.leader) == (None, NO_POINT, 1)
    assert found.rank.tolist() == [0, 0]
    assert found.contaminated == ("OOS1",)


def test_without_a_score_there_is_no_leader():
    found = select(points([NAN, NAN], [[1.0], [1.0]]), "train_sharpe", OFF)
    assert (found.best, found.leader, found.reason) == (None, None, NO_SCORE)


def test_equal_scores_go_to_the_lowest_point_number():
    found = select(points([1.0, 2.0, 2.0, 2.0], [[1.0]] * 4), "train_sharpe", OFF)
    assert found.rank.tolist() == [4, 1, 2, 3]


# Figures: the same as those of one run


def curves(points_count=6, days=900, seed=2):
    dates = np.arange("2019-01-02", "2022-12-31", dtype="datetime64[D]")[:days]
    steps = np.random.default_rng(seed).normal(0.0008, 0.01, (points_count, days - 1))
    return dates, 1e6 * np.column_stack([np.ones(points_count), np.cumprod(1 + steps, axis=1)])


@pytest.mark.parametrize("days", [300, 900, 1400])
def test_windows_degradation_and_minimum_are_those_of_the_report(days):
    dates, nav = curves(days=days)
    windows = point_windows(dates[1:], DEFAULT_WINDOWS)
    found = PointFigures(windows, equity_figures(nav, windows.slices), None, np.ones(6), np.ones(6))
    for point in range(6):
        report = folds.oos_windows(
            dates[1:], returns_from_nav(nav[point]), None, DEFAULT_WINDOWS, calendar=None
        )
        assert windows.train.stop == report["train_sessions"]
        ours = (found.train_sharpe[point], found.min_oos_sharpe[point], found.degradation[point])
        theirs = (report["train_sharpe"], report["min_sharpe"], report["degradation"])
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
        np.testing.assert_allclose(
            found.oos_sharpe[point], [w["sharpe"] for w in report["windows"]], rtol=1e-12
        )
        assert windows.reached.tolist() == [w["reached"] for w in report["windows"]]


def test_train_ends_before_the_earliest_window_whatever_the_order():
    dates, _ = curves()
    assert point_windows(dates, DEFAULT_WINDOWS[::-1]).train == point_windows(dates, DEFAULT_WINDOWS).train
    assert point_windows(dates, ()).train == slice(0, len(dates))


def test_a_fold_may_not_reach_into_an_oos_window():
    dates, _ = curves()
    train = point_windows(dates, DEFAULT_WINDOWS).train.stop
    inside = slice(train - 50, train)
    assert point_windows(dates, DEFAULT_WINDOWS, [inside], [inside]).folds == (inside,)
    with pytest.raises(ConfigError, match=r"fold 1 covers returns .* outside the train rows"):
        point_windows(dates, DEFAULT_WINDOWS, [inside, slice(train - 50, train + 1)])
    with pytest.raises(ConfigError, match=r"yearly test window 0 covers returns"):
        point_windows(dates, DEFAULT_WINDOWS, years=[slice(train, train + 100)])
    with pytest.raises(ConfigError, match="fold 0 has 1 returns; a Sharpe ratio needs two"):
        point_windows(dates, DEFAULT_WINDOWS, [slice(3, 4)])


def test_columns_are_read_in_the_order_in_which_the_windows_are_laid_out():
    figures = points([1.0], [[2.0, 3.0]], folds=[[4.0, 5.0]], years=[[6.0]], baseline=[7.0, 8.0])
    assert figures.train_sharpe.tolist() == [1.0]
    assert figures.oos_sharpe.tolist() == [[2.0, 3.0]]
    assert figures.fold_sharpe.tolist() == [[4.0, 5.0]]
    assert figures.yearly_sharpe.tolist() == [[6.0]]
    assert figures.baseline_oos_sharpe.tolist() == [7.0, 8.0]
    assert len(figures.windows.slices) == 6


# A rule that has nothing to read is refused before anything runs


@pytest.mark.parametrize(
    ("objective", "constraints", "windows", "message"),
    [
        ("oos_min_sharpe", OFF, windows_of(0), "oos_min_sharpe has nothing to read: the data hold no two"),
        ("train_sharpe", DEGRADATION, windows_of(0), "max_degradation has nothing to read"),
        ("train_sharpe", OFF, PointWindows(slice(0, 1)), "train_sharpe has nothing to read: fewer than two"),
        ("purged_cv", OFF, windows_of(1), "purged_cv has nothing to read: there is no purged fold"),
        ("walk_forward", OFF, windows_of(1), "walk_forward has nothing to read: no test year"),
        (
            "train_sharpe",
            ABOVE,
            windows_of(1),
            "oos_above_baseline has nothing to read: there is no baseline",
        ),
        ("train_sharpe", DEGRADATION, windows_of(2, sessions=1), "max_degradation has nothing to read"),
    ],
)
def test_a_rule_with_nothing_to_read_is_refused(objective, constraints, windows, message):
    figures = points([1.0], [[1.0] * len(windows.oos)], windows=windows)
    with pytest.raises(ConfigError, match=message):
        select(figures, objective, constraints)


def test_no_point_at_all_is_refused():
    with pytest.raises(DataError, match="no point to choose from"):
        select(points([], np.empty((0, 1)), windows=windows_of(1)), "train_sharpe", OFF)


def test_figures_of_another_length_are_refused():
    with pytest.raises(DataError, match=r"turnover have shape \(3,\); 1 points and 2 windows need \(1,\)"):
        points([1.0], [[1.0]], turnover=[1.0, 1.0, 1.0])


# Settings


def test_the_defaults_are_the_roadmaps_limits_and_an_objective_of_train_rows():
    rule = SelectionConfig()
    assert rule.objective == "train_sharpe"
    assert (rule.constraints.max_degradation, WALK_FORWARD.constraints.max_degradation) == (0.10, 0.05)
    assert rule.constraints.oos_above_baseline
    assert rule.constraints.on == ("max_degradation", "oos_above_baseline")


def test_null_switches_a_constraint_off():
    rule = SelectionConfig.model_validate(
        {"constraints": {"max_degradation": None, "oos_above_baseline": False}}
    )
    assert rule.constraints.on == ()


@pytest.mark.parametrize(
    "settings",
    [
        {"objective": "sharpe"},
        {"constraints": {"max_drawdown": -0.1}},
        {"constraints": {"max_drawdown": 12}},
        {"constraints": {"max_turnover": -1}},
        {"constraints": {"max_degradation": math.nan}},
        {"constraints": {"max_degredation": 0.1}},
    ],
)
def test_settings_outside_their_limits_are_refused(settings):
    with pytest.raises(ValidationError):
        SelectionConfig.model_validate(settings)


# The table


def test_the_table_ranks_the_allowed_points_and_then_shows_the_rejected_by_score():
    figures = points(
        [1.0, 3.0, 2.0, NAN, 4.0],
        [[1.0], [2.9], [2.0], [1.0], [0.1]],
        baseline=[0.5],
        turnover=[1.0, 2.0, 3.0, 4.0, 5.0],
    )
    selection = select(figures, "train_sharpe", Constraints())
    rows = table([{"top": k} for k in range(5)], figures, selection)
    assert [row["point"] for row in rows] == [1, 2, 0, 4, 3]
    assert [row["rank"] for row in rows] == [1, 2, 3, None, None]
    first = rows[0]
    assert first["parameters"] == {"top": 1}
    assert (first["train_sharpe"], first["turnover"], first["fees_usd"]) == (3.0, 2.0, 100.0)
    assert first["degradation"] == pytest.approx(1 / 30)
    assert first["satisfied"] == {"score": True, "max_degradation": True, "oos_above_baseline": True}
    assert first["windows"] == [
        {
            "name": "OOS1",
            "sharpe": 2.9,
            "baseline_sharpe": 0.5,
            "active_sharpe": pytest.approx(1.9),
            "max_drawdown": 0.2,
            "contaminated": True,
        }
    ]
    assert {"oos_min_sharpe", "purged_cv", "walk_forward", "calmar", "max_drawdown"} <= set(first)
    assert [row["point"] for row in table([{}] * 5, figures, selection, limit=2)] == [1, 2]


def test_the_table_refuses_figures_of_other_points():
    figures = points([1.0], [[1.0]])
    with pytest.raises(DataError, match="2 points, figures of 1 and a selection of 1"):
        table([{}, {}], figures, select(figures, "train_sharpe", OFF))


def test_windows_of_config_are_inclusive():
    dates = np.array(["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-06"], dtype="datetime64[D]")
    window = OosWindow(name="w", start=dt.date(2020, 1, 2), end=dt.date(2020, 1, 3))
    found = point_windows(dates, (window,))
    assert (found.train, found.oos) == (slice(0, 1), (slice(1, 3),))
