"""Reports of walk-forward and optimisation, and what searches print: the numbers are those of the run folder."""

from __future__ import annotations

import csv
import json

import pytest

from ares7.errors import DataError
from ares7.screen_search import SHOW
from ares7.tearsheet import build_report
from ares7.tearsheet_format import short_names
from tests.report.page_text import payload, table_with, visible


def number(cell: str) -> float:
    return float(cell.replace("−", "-").replace(",", "").replace(" %", "").split(" ")[0])


def metrics_of(folder):
    return json.loads((folder / "metrics.json").read_text())


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.fixture(scope="module")
def walk(searches) -> str:
    return build_report(searches.walkforward)


@pytest.fixture(scope="module")
def mixed(searches) -> str:
    return build_report(searches.optimize)


@pytest.mark.parametrize("kind", ["walkforward", "optimize"])
def test_it_is_rebuilt_to_the_same_bytes(searches, kind):
    folder = getattr(searches, kind)
    assert (folder / "report.html").read_text(encoding="utf-8") == build_report(folder)


def test_each_year_stands_in_the_table_as_in_the_file(walk, searches):
    years = rows_of(searches.walkforward / "years.csv")
    head, *rows = table_with(walk, "year", "test rank")
    axes = [name for name in years[0] if "." in name]
    assert head[-len(axes) :] == short_names(axes)
    assert len(rows) == len(years)
    for cells, year in zip(rows, years, strict=True):
        assert cells[0].startswith(year["year"] + " | ")
        assert f"{year['sessions']} sessions" in cells[0]
        assert cells[1] == year["point"]
        assert cells[3] == f"{year['rank']} of {year['of']}"
        assert cells[6] == ("yes" if year["above_baseline"] == "True" else "no")
        assert cells[-len(axes) :] == [year[axis] for axis in axes]
        names = ("train_sharpe", "sharpe", "baseline_sharpe", "return", "baseline_return", "max_drawdown")
        for place, name in zip((2, 4, 5, 7, 8, 9), names, strict=True):
            scale, reach = (1, 0.0051) if place < 7 else (100, 0.051)
            assert number(cells[place]) == pytest.approx(scale * float(year[name]), abs=reach), name


def test_years_that_were_cut_short_or_kept_or_in_cash_say_so(searches, changed):
    found = metrics_of(searches.walkforward)["walkforward"]
    first, second, *rest = found["years"]
    first = {**first, "cut_short": True, "kept": True}
    second = {**second, "point": None, "values": {}, "train_sharpe": None, "test_sharpe": None, "rank": 0}
    page = build_report(changed(searches.walkforward, walkforward={**found, "years": [first, second, *rest]}))
    rows = table_with(page, "year", "test rank")[1:]
    assert rows[0][0].endswith(" | cut short by the data | kept")
    assert rows[1][1:4] == ["cash", "–", "–"]
    assert payload(page)["figures"]["paths"]["data"][0]["y"][1] is None


def test_the_steps_are_the_values_that_were_held_and_changes_are_counted(walk, searches):
    years, found = rows_of(searches.walkforward / "years.csv"), metrics_of(searches.walkforward)
    axes = [name for name in years[0] if "." in name]
    figure = payload(walk)["figures"]["paths"]
    for k, (trace, axis) in enumerate(zip(figure["data"], axes, strict=True)):
        ticks = figure["layout"][f"yaxis{k + 1 if k else ''}"]
        held = [ticks["ticktext"][ticks["tickvals"].index(y)] for y in trace["y"]]
        assert held[:-1] == [year[axis] for year in years]
    words = visible(walk)
    for name, axis in zip(short_names(axes), axes, strict=True):
        assert f"{name} {found['walkforward']['changes'][axis]} of {len(years) - 1}" in words


def test_train_against_test_and_the_combinatorial_paths_are_those_of_the_files(walk, searches):
    years, figures = rows_of(searches.walkforward / "years.csv"), payload(walk)["figures"]
    points = figures["train-test"]["data"][0]
    assert points["x"] == pytest.approx([float(y["train_sharpe"]) for y in years])
    assert points["y"] == pytest.approx([float(y["test_sharpe"]) for y in years])
    assert sum(figures["combinatorial"]["data"][0]["y"]) == len(rows_of(searches.walkforward / "paths.csv"))


def test_the_headline_gives_the_stitched_ratio_and_the_limit(walk, searches):
    found, words = metrics_of(searches.walkforward), visible(walk)
    part = found["walkforward"]
    base = found["baseline_performance"]["sharpe"]
    assert f"Stitched Sharpe ratio {part['sharpe']:.2f}, equal_weight {base:.2f}." in words
    assert f"Degradation {100 * part['degradation']:.1f} %, not below the limit of 5 %" in words
    assert f"Above the baseline in {part['years_above_baseline']} of {len(part['years'])} years." in words
    assert f"Median point, never changed {part['unchanged']:.2f}" in words
    hindsight = part["hindsight"]
    assert f"Best point in hindsight, {hindsight['point']} {hindsight['sharpe']:.2f}" in words
    assert f"Trials on this data so far: {part['statistics']['trials']['distinct']}." in words
    assert f"Of point {hindsight['point']}, the best of the grid" in words


def test_a_met_limit_and_an_absent_one_are_told_apart(searches, changed):
    found = metrics_of(searches.walkforward)["walkforward"]
    for change, said in (
        ({"degradation": 0.01, "degradation_met": True}, "Degradation 1.0 %, below the limit of 5 %:"),
        ({"degradation_limit": None, "degradation_met": None}, " %: where they were chosen"),
    ):
        page = build_report(changed(searches.walkforward, walkforward={**found, **change}))
        assert said in visible(page)


def test_it_holds_all_that_the_report_of_a_backtest_holds(walk):
    assert {"growth", "rolling-sharpe", "sleeves", "turnover"} <= set(payload(walk)["figures"])
    words = visible(walk)
    for title in ("Monthly returns", "Regimes", "Orders", "Performance", "Targets of the roadmap"):
        assert title in words


def test_the_mixes_are_those_of_the_file_in_its_order(mixed, searches):
    mixes = rows_of(searches.optimize / "mixes.csv")
    head, *rows = table_with(mixed, "regime", "objective")
    assert head[1:-1] == [name for name in mixes[0] if name != "regime"]
    for cells, mix in zip(rows, mixes, strict=True):
        assert cells[0].split(" | ")[0] == mix["regime"]
        for cell, value in zip(cells[1:-1], list(mix.values())[1:], strict=True):
            assert number(cell) == pytest.approx(100 * float(value), abs=0.051)
    for bar, name in zip(payload(mixed)["figures"]["mixes"]["data"], head[1:-1], strict=True):
        assert bar["x"] == pytest.approx([float(mix[name]) for mix in mixes])


def test_proposed_before_and_baseline_stand_beside_each_other(mixed, searches):
    found = metrics_of(searches.optimize)
    rows = {row[0]: row[1:] for row in table_with(mixed, "proposed", "before")[1:]}
    whole = [found[f"{name}performance"] for name in ("", "before_", "baseline_")]
    assert [number(cell) for cell in rows["Sharpe ratio"]] == [round(p["sharpe"], 2) for p in whole]
    for own, was in zip(found["proposed"]["windows"], found["before"]["windows"], strict=True):
        shown = [number(cell) for cell in rows[f"{own['name']} Sharpe ratio"]]
        expected = [own["sharpe"], was["sharpe"], own["baseline_sharpe"]]
        assert shown == pytest.approx(expected, abs=0.0051)
    growth = payload(mixed)["figures"]["growth"]["data"]
    assert [line["name"] for line in growth[:3]] == ["equal_weight", "before", "proposed"]
    for note in found["notes"]:
        assert note in visible(mixed)


@pytest.mark.parametrize(("kind", "file"), [("walkforward", "years.csv"), ("optimize", "mixes.csv")])
def test_a_missing_file_gives_one_error_that_names_it(searches, changed, kind, file):
    copy = changed(getattr(searches, kind))
    (copy / file).unlink()
    with pytest.raises(DataError, match=f"{file} is missing"):
        build_report(copy)


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["mixes.BULL.a", "mixes.BEAR.a"], ["BULL.a", "BEAR.a"]),
        (["mixes.BULL.a", "mixes.BULL.b"], ["a", "b"]),
        (["a.x", "b.x"], ["a.x", "b.x"]),
        (["a.b.c"], ["c"]),
        (["a.b", "a.b.c"], ["b", "b.c"]),
        (["gross"], ["gross"]),
        ([], []),
    ],
)
def test_names_lose_the_sections_that_all_share(names, short):
    assert short_names(names) == short


def test_the_screen_shows_the_best_five_points_beside_each_other(searches, capsys):
    found = metrics_of(searches.grid)
    SHOW["grid"](found)
    printed = capsys.readouterr().out
    assert len(found["leaders"]) == 5
    line = next(line for line in printed.splitlines() if "train Sharpe" in line)
    shown = [f"{leader['train_sharpe']:.3f}" for leader in found["leaders"]]
    assert [cell.strip() for cell in line.split("│")[2:7]] == shown
    for name in ("mixes.BULL.quality_momentum", "low_volatility.top_quantile", "A Sharpe*", "equal_weight"):
        assert name in printed
    assert "selection-contaminated" in printed
    assert f"{found['statistics']['active']['dsr']:.3f}" in printed
    assert max(map(len, printed.splitlines())) <= 110


def test_the_screen_shows_years_without_breaking_names(searches, capsys):
    found = metrics_of(searches.walkforward)
    SHOW["walkforward"](found)
    printed = capsys.readouterr().out
    assert "mixes.BULL.quality_momentum" in printed
    assert "low_volatility.top_quantile" in printed
    for year in found["walkforward"]["years"]:
        assert f"{year['rank']}/{year['of']}" in printed
    SHOW["optimize"](metrics_of(searches.optimize))
    assert "quality_momentum" in capsys.readouterr().out
