"""Trials are counted (C10): one story of searches on one market, and what each of them says of all before it."""

import contextlib
import csv
import io
import json
import math
import sqlite3
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import run
from ares7.overfit import deflated_sharpe, moments

MARKET = {
    "data.synthetic.symbols": 30,
    "data.synthetic.start": "2013-01-02",
    "data.synthetic.end": "2017-12-29",
    "oos": "[{name: EARLY, start: 2017-01-01, end: 2017-06-30}, {name: LATE, start: 2017-07-01, end: 2017-12-29}]",
    "runs.report": "false",
    "search.bootstrap.draws": 100,
}
DAY_BEFORE = "2017-12-28"
QUALITY, DEFENSIVE = (0.6, 0.7), (0.2, 0.3, 0.4)
SIX = {"search.mixes.BULL.quality_momentum": "0.6,0.7", "search.mixes.BEAR.defensive": "0.2,0.3,0.4"}
TWO = {"strategy.name": "quality_momentum", "search.top_frac": "0.1,0.2"}
THREE = {"strategy.name": "quality_momentum", "search.top_frac": "0.1,0.2,0.3"}
YEARLY = {"search.walkforward.train_years": 2, "search.walkforward.first": 2017}
BLIND = {
    "search.selection.constraints.oos_above_baseline": "false",
    "search.selection.constraints.max_degradation": "null",
}
PHASES = 2
"""Published phases of the ensemble: run beside each of its grids, and trials too."""
BEFORE = 6 + PHASES


@dataclass(frozen=True)
class Desk:
    """Commands of one quant, with one ledger."""

    cache: Path
    folder: Path

    def __call__(self, verb, settings, *options):
        places = {"runs.folder": self.folder, "data.cache": self.cache}
        given = [f"--set={name}={value}" for name, value in (MARKET | places | settings).items()]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run.main([verb, "--json", *options, *given])
        assert code == 0, err.getvalue()
        return json.loads(out.getvalue())

    def ledger(self, query):
        with contextlib.closing(sqlite3.connect(self.folder / "trials.sqlite")) as connection:
            return connection.execute(query).fetchall()


def trials_of(answer):
    """Trials that a search or a backtest says there were: evaluations, and points among them."""
    metrics = answer["metrics"]
    for section in ("walkforward", "statistics"):
        metrics = metrics.get(section, metrics)
    return metrics["trials"]["count"], metrics["trials"]["distinct"]


def points_of(answer):
    """Points alone: a file of the project that changes while this runs makes new evaluations of them."""
    return trials_of(answer)[1]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def desk(cache, tmp_path_factory):
    return Desk(cache, tmp_path_factory.mktemp("story"))


@pytest.fixture(scope="module")
def story(desk):
    """Answers, in the order in which they were asked for."""
    return {
        "first": desk("grid", SIX, "--end", DAY_BEFORE),
        "again": desk("grid", SIX, "--end", DAY_BEFORE),
        "appended": desk("grid", SIX),
        "other strategy": desk("grid", TWO),
        "backtest": desk("backtest", {"strategy.name": "low_volatility"}),
        "walk-forward": desk("walkforward", THREE | YEARLY),
        "optimum": desk("optimize", {}),
        "last": desk("grid", SIX),
        "other market": desk("grid", TWO | {"data.synthetic.seed": 8}),
    }


def test_a_first_grid_counts_its_points_and_the_phases(story):
    assert trials_of(story["first"]) == (BEFORE, BEFORE)


def test_a_grid_that_is_run_twice_is_counted_once(story):
    assert trials_of(story["again"]) == (BEFORE, BEFORE)
    assert story["again"]["metrics"]["statistics"] == story["first"]["metrics"]["statistics"]


def test_an_appended_day_adds_trials_of_the_same_points_and_resets_nothing(story):
    assert trials_of(story["appended"]) == (2 * BEFORE, BEFORE)


@pytest.mark.parametrize(
    ("search", "points"),
    [
        ("other strategy", BEFORE + 2),
        ("backtest", BEFORE + 3),
        # One of its three points is new.
        ("walk-forward", BEFORE + 4),
        # The preset's mixes, which it starts from, were counted as phase4; what it proposes is new.
        ("optimum", BEFORE + 5),
        ("last", BEFORE + 5),
        ("other market", 2),
    ],
)
def test_every_search_on_the_same_market_adds_the_points_that_are_new(story, search, points):
    assert points_of(story[search]) == points


def test_every_point_of_a_grid_is_in_the_ledger_for_each_end_of_the_data(story, desk):
    found = desk.ledger("SELECT DISTINCT params, last_session FROM every_trial WHERE purpose = 'grid'")
    mixes = [(json.loads(params).get("mixes", {}), last) for params, last in found]
    points = [
        (mix["BULL"]["quality_momentum"], mix["BEAR"]["defensive"], last)
        for mix, last in mixes
        if set(mix) == {"BULL", "BEAR"}
    ]
    assert sorted(points) == sorted(product(QUALITY, DEFENSIVE, (DAY_BEFORE, "2017-12-29")))


def test_every_kind_of_search_leaves_its_purpose(story, desk):
    purposes = desk.ledger("SELECT DISTINCT purpose FROM every_trial")
    assert {purpose for (purpose,) in purposes} == {"grid", "backtest", "walkforward", "optimize"}


@pytest.mark.parametrize("kind", ["total", "active"])
def test_the_deflated_ratio_is_held_against_every_point_of_the_family(story, desk, kind):
    with (Path(story["last"]["run"]) / "equity.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    nav, base = (np.array([float(row[name]) for row in rows]) for name in ("nav", "baseline_nav"))
    returns = nav[1:] / nav[:-1] - 1.0
    if kind == "active":
        returns -= base[1:] / base[:-1] - 1.0
    column = {"total": "sharpe", "active": "active_sharpe"}[kind]
    # Of the trials of a point the one with the most of these dates, then the newest, comes last and stays.
    ratios = dict(
        desk.ledger(
            f"SELECT params_hash, {column} FROM every_trial "  # noqa: S608
            "WHERE market = (SELECT market FROM every_trial WHERE id = 1) ORDER BY last_session, id"
        )
    )
    wanted = deflated_sharpe(moments(returns), len(ratios), float(np.std(list(ratios.values()), ddof=1)))
    found = story["last"]["metrics"]["statistics"][kind]
    assert found["dsr"] == pytest.approx(wanted.dsr, rel=1e-9)
    assert found["threshold"] == pytest.approx(wanted.threshold * math.sqrt(252.0), rel=1e-9)


def test_the_same_optimum_is_worth_less_after_more_was_tried(story):
    before, after = (story[when]["metrics"] for when in ("appended", "last"))
    assert after["point"] == before["point"]
    for kind in ("total", "active"):
        then, now = before["statistics"][kind], after["statistics"][kind]
        assert now["psr"] == then["psr"]
        assert now["threshold"] > then["threshold"]
        assert now["dsr"] < then["dsr"]


def test_a_window_that_helped_to_choose_is_named_in_every_later_report(story):
    assert story["first"]["metrics"]["selection"]["contaminated"] == ["EARLY", "LATE"]
    touched = story["backtest"]["metrics"]["touched"]
    assert {(t["name"], t["start"]) for t in touched} == {("EARLY", "2017-01-01"), ("LATE", "2017-07-01")}
    assert {t["reason"] for t in touched} == {"grid train_sharpe"}
    assert {t["run"].rsplit("-", 1)[0] for t in touched} == {"grid-regime_ensemble", "grid-quality_momentum"}


def test_a_choice_by_the_train_rows_alone_touches_no_window(cache, tmp_path):
    desk = Desk(cache, tmp_path)
    assert desk("grid", TWO | BLIND)["metrics"]["selection"]["contaminated"] == []
    assert desk("backtest", {"strategy.name": "quality_momentum"})["metrics"]["touched"] == []
