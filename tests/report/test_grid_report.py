"""The report of a grid: its numbers are those of the run folder, and it says what was chosen and how sure that is."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import run as command
from ares7.errors import DataError
from ares7.tearsheet import build_report, write_report
from ares7.tearsheet_format import short_names
from ares7.tearsheet_points import read_points
from ares7.tearsheet_search_charts import logits
from tests.report.page_text import own_text, payload, references, table_with, visible

STYLE = (Path(__file__).parents[2] / "ares7" / "tearsheet_page.css").read_text()
EVIL = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def grid(searches) -> Path:
    return searches.grid


@pytest.fixture(scope="module")
def page(grid) -> str:
    return build_report(grid)


@pytest.fixture(scope="module")
def found(grid) -> dict:
    return json.loads((grid / "metrics.json").read_text())


@pytest.fixture(scope="module")
def points(grid) -> list[dict[str, str]]:
    return list(csv.DictReader((grid / "points.csv").read_text().splitlines()))


def number(cell: str) -> float:
    return float(cell.replace("−", "-").replace(",", "").replace(" %", "").split(" ")[0])


def test_report_rebuilds_it_to_the_same_bytes(grid, page, searches):
    assert (grid / "report.html").read_text(encoding="utf-8") == page
    assert command.main(["report", str(grid)]) == 0
    assert (grid / "report.html").read_text(encoding="utf-8") == page


@pytest.mark.parametrize("kind", ["grid", "walkforward", "optimize"])
def test_it_asks_for_nothing_and_finds_its_arrays_and_colours(searches, kind):
    page = build_report(getattr(searches, kind))
    own = own_text(page)
    assert "http" not in own.replace("http-equiv", "")
    assert "default-src 'none'; script-src 'sha256-" in own
    content = payload(page)
    assert references(content["figures"], "series") <= set(content["series"])
    light, dark = STYLE.split("@media screen and (prefers-color-scheme: dark)")
    for name in references(content["figures"], "css"):
        assert f"--{name}:" in light, name
        assert f"--{name}:" in dark, name
    for name in content["figures"]:
        assert f'id="{name}"' in own
    for name in own.split('class="chart')[1:]:
        drawn = name.split('id="')[1].split('"')[0]
        assert drawn in content["figures"] or (drawn == "slice" and "slices" in content)


def test_every_figure_of_every_distinct_point_stands_in_the_table_as_in_the_file(page, points, found):
    rows = table_with(page, "point", "degradation", "turnover")
    head, beside, body = rows[0], rows[1], rows[2:]
    distinct = {row["point"]: row for row in points if not row["same_as"]}
    assert sorted(row[0] for row in body) == sorted(distinct)
    windows = [w["name"] for w in found["windows"]]
    whole = [
        "sharpe",
        "active_sharpe",
        "cagr",
        "volatility",
        "max_drawdown",
        "calmar",
        "turnover",
        "fees_usd",
    ]
    columns = ["train_sharpe", "oos_min_sharpe", "purged_cv", "walk_forward", "degradation", *whole]
    columns += [f"{w}_{what}" for w in windows for what in ("sharpe", "active_sharpe", "max_drawdown")]
    columns = [c for c in columns if any(row[c] for row in points)]
    percent = {"degradation", "cagr", "volatility", "max_drawdown", *(f"{w}_max_drawdown" for w in windows)}
    assert len(head) == len(columns) + head.index("satisfied") + 1
    for row in body:
        for name, cell in zip(columns, row[-len(columns) :], strict=True):
            exact = float(distinct[row[0]][name]) * (100 if name in percent else 1)
            digits = len(cell.partition(".")[2])
            assert number(cell) == pytest.approx(exact, abs=0.5000001 * 10**-digits), name
        satisfied = row[head.index("satisfied")]
        assert satisfied == ("yes" if distinct[row[0]]["satisfied"] == "1" else "no")
    base = found["baseline_performance"]
    assert number(beside[head.index("Sharpe")]) == pytest.approx(base["sharpe"], abs=5e-4)
    assert number(beside[-3]) == pytest.approx(found["windows"][-1]["baseline_sharpe"], abs=5e-4)


def test_equal_points_are_named_by_the_one_that_was_run(page, points):
    rows = table_with(page, "point", "equal")
    shown = {row[0]: row[1] for row in rows[2:]}
    for point in points:
        if point["same_as"]:
            assert point["point"] in shown[point["same_as"]].split(", ")


def test_sort_keys_are_the_figures_of_the_file(grid, page):
    keys, points = payload(page)["keys"], read_points(grid)
    rows = table_with(page, "point", "degradation", "turnover")
    assert len(keys) == len(rows[0])
    for row, key in zip(rows[2:], keys[0], strict=True):
        assert float(row[0]) == key
    order = [points.row_of(int(row[0])) for row in rows[2:]]
    np.testing.assert_allclose(keys[rows[0].index("Sharpe")], points.column("sharpe")[order], rtol=1e-6)


def test_the_order_is_that_of_the_rule(page, points):
    rows = table_with(page, "point", "degradation")[2:]
    run = [row for row in points if not row["same_as"]]
    ranked = sorted(run, key=lambda r: (not r["rank"], float(r["rank"] or 0), -float(r["train_sharpe"])))
    assert [row[0] for row in rows] == [row["point"] for row in ranked]


def test_the_headline_gives_the_choice_and_the_verdict_over_all_trials(page, found):
    words = visible(page)
    trials, active = found["statistics"]["trials"], found["statistics"]["active"]
    assert f"Point {found['selection']['best']} is chosen." in words
    assert (
        f"Deflated Sharpe ratio of active returns, all {trials['distinct']} trials counted: {active['dsr']:.3f}."
        in words
    )
    assert (
        f"The lenient count, {trials['effective']} effective, gives {active['dsr_effective']:.3f}." in words
    )
    assert "SYNTHETIC" in words


@pytest.mark.parametrize(
    ("dsr", "sharpe", "said"),
    [
        (0.96, 1.2, "is unlikely to be luck"),
        (0.90, 0.9, "cannot be told from luck"),
        (0.10, -0.2, "adds nothing to the baseline"),
    ],
)
def test_the_verdict_follows_the_deflated_sharpe_ratio(grid, found, changed, dsr, sharpe, said):
    active = {**found["statistics"]["active"], "dsr": dsr, "sharpe": sharpe}
    luck = {**found["statistics"], "active": active}
    assert said in visible(build_report(changed(grid, statistics=luck)))


def test_no_point_is_an_answer_and_says_what_each_constraint_rejects(searches):
    folder = searches.search("grid", "search.low_volatility.top_quantile=0.3,0.4", LIMIT)
    found = json.loads((folder / "metrics.json").read_text())
    assert found["selection"]["best"] is None
    page = build_report(folder)
    words = visible(page)
    assert "No point satisfies the constraints. That is the answer of this grid." in words
    assert f"point {found['point']['number']}, which has the best train_sharpe and is not chosen" in words
    rows = {row[0]: row[1:] for row in table_with(page, "a point satisfies", "left")[1:]}
    assert rows["turnover a year at most 0.00"] == ["2", "2", "0"]
    for name, told in (
        ("has the objective’s figure", "score"),
        ("degradation below 10.0 %", "max_degradation"),
    ):
        rejected = found["selection"]["rejections"][told]
        assert rows[name][:2] == [str(rejected["alone"]), str(rejected["cumulative"])]


LIMIT = "search.selection.constraints.max_turnover=0.0001"


def test_windows_that_the_rule_reads_are_marked(page, grid, found, changed):
    assert found["selection"]["contaminated"] == ["A", "B"]
    rows = table_with(page, "window", "beats it")
    assert all("selection-contaminated" in row[0] for row in rows[1:])
    assert "A, B : the choice" not in visible(page)
    clean = {**found["selection"], "contaminated": []}
    assert "selection-contaminated" not in visible(build_report(changed(grid, selection=clean, touched=None)))


def test_statistics_are_those_of_the_run(page, found):
    rows = {row[0].split(" | ")[0]: row[1:] for row in table_with(page, "", "total", "active")[1:]}
    luck = found["statistics"]
    trials = luck["trials"]["distinct"]
    for name, key, digits in (
        ("Sharpe ratio", "sharpe", 2),
        (f"Best of {trials} without skill", "threshold", 2),
        ("Probabilistic Sharpe ratio (PSR)", "psr", 3),
        (f"Deflated Sharpe ratio (DSR), {trials} trials", "dsr", 3),
    ):
        for cell, kind in zip(rows[name], ("total", "active"), strict=True):
            assert number(cell) == pytest.approx(luck[kind][key], abs=0.5 * 10**-digits + 1e-9)
    assert rows["Minimum track record"][1] == "–"
    pbo = rows["Probability of backtest overfitting (PBO)"]
    assert pbo == [f"{luck[kind]['pbo']['value']:.3f}" for kind in ("total", "active")]
    assert rows["Reality check, p"] == ["–", f"{luck['superiority']['reality_check']:.3f}"]
    assert rows["Romano-Wolf, p of this point"][1] == f"{luck['superiority']['romano_wolf']:.3f}"


def test_targets_show_what_was_hoped_for_and_what_was_found(page, found):
    rows = table_with(page, "target", "measured", "interval", "met")[1:]
    assert len(rows) == len(found["targets"])
    for cells, row in zip(rows, found["targets"], strict=True):
        scale = 100 if row["what"] in ("max_drawdown", "degradation") else 1
        if row["figure"] is None:
            assert cells[2:] == ["–", "–", "–"]
        else:
            assert number(cells[2]) == pytest.approx(scale * row["figure"], abs=0.051)
            assert cells[4] == ("yes" if row["met"] else "no")


def test_histograms_count_every_distinct_point_and_mark_the_lines(page, points, found):
    figures = payload(page)["figures"]
    base = {"total": found["baseline_performance"]["sharpe"], "active": 0.0}
    for kind in ("total", "active"):
        figure, luck = figures[f"sharpes-{kind}"], found["statistics"][kind]
        assert sum(figure["data"][0]["y"]) == sum(not row["same_as"] for row in points)
        lines = [shape["x0"] for shape in figure["layout"]["shapes"]]
        assert lines == [base[kind], luck["threshold"], luck["threshold_effective"], luck["sharpe"]]


def test_the_warning_part_of_the_logits_is_the_probability_of_overfitting(page, found):
    for kind in ("total", "active"):
        bars, pbo = payload(page)["figures"][f"logits-{kind}"]["data"][0], found["statistics"][kind]["pbo"]
        warned = [c["css"] == "accent-soft" for c in bars["marker"]["color"]]
        assert sum(bars["y"]) == pbo["splits"]
        low = sum(y for y, warn in zip(bars["y"], warned, strict=True) if warn)
        assert low / pbo["splits"] == pytest.approx(pbo["value"])


def test_a_rank_at_the_median_counts_as_overfitting():
    bars = logits(np.array([-1.0, 0.0, 0.0, 1.0]))["data"][0]
    warned = [color["css"] == "accent-soft" for color in bars["marker"]["color"]]
    assert sum(y for y, warn in zip(bars["y"], warned, strict=True) if warn) == 3


@pytest.mark.parametrize("pair", ["0,1", "0,2", "1,2"])
def test_heat_maps_hold_the_other_axes_at_the_point_or_average_over_them(page, points, found, pair):
    slices = payload(page)["slices"]
    i, j = map(int, pair.split(","))
    axes = [*found["grid"]["axes"]]
    names = [axis["name"] for axis in slices["axes"]]
    fields = [next(a for a in axes if short_names(axes)[axes.index(a)] == name) for name in names]
    at = {field: str(found["point"]["values"][field]) for field in fields}
    other = fields[({0, 1, 2} - {i, j}).pop()]
    for figure in ("train_sharpe", "sharpe", "active_sharpe", "max_drawdown", "turnover"):
        cells = slices["cells"][pair][figure]
        for b, up in enumerate(slices["axes"][j]["values"]):
            for a, across in enumerate(slices["axes"][i]["values"]):
                here = [p for p in points if (p[fields[i]], p[fields[j]]) == (across, up)]
                held = [float(p[figure]) for p in here if p[other] == at[other]]
                assert cells["held"][b][a] == pytest.approx(held[0], rel=1e-5)
                mean = np.mean([float(p[figure]) for p in here])
                assert cells["mean"][b][a] == pytest.approx(mean, rel=1e-5)
    for axis, field in zip(slices["axes"], fields, strict=True):
        assert axis["values"][axis["chosen"]] == at[field]


def test_a_grid_of_one_axis_has_a_line_instead(searches):
    page = build_report(searches.search("grid", "search.low_volatility.top_quantile=0.3,0.4", LIMIT))
    content = payload(page)
    assert "slices" not in content
    assert content["figures"]["slice"]["data"][0]["x"] == ["0.3", "0.4"]


def many(folder: Path, count: int) -> None:
    """Give a copied run ``count`` distinct points on two axes."""
    lines = (folder / "points.csv").read_text().splitlines()
    header = lines[0].split(",")
    row = dict(
        zip(header, next(line for line in lines[1:] if line.split(",")[1] == "").split(","), strict=True)
    )
    rng = np.random.default_rng(1)
    rows = []
    for point in range(count):
        noise = {name: repr(rng.normal()) for name in ("train_sharpe", "sharpe", "active_sharpe")}
        place = {"mixes.BULL.quality_momentum": point // 50, "mixes.BULL.low_volatility": point % 50}
        rows.append({**row, **noise, **place, "point": point, "rank": "", "satisfied": 0})
    with (folder / "points.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize(
    ("count", "shown", "said"),
    [(2000, 2000, "All 2,000 distinct points"), (2001, 1000, "The best 1,000 of 2,001 distinct points")],
)
def test_up_to_two_thousand_points_are_listed_else_the_best_thousand(grid, changed, count, shown, said):
    folder = changed(grid)
    many(folder, count)
    page = build_report(folder)
    head, _, *rows = table_with(page, "point", "degradation")
    assert len(rows) == shown
    assert said in visible(page)
    assert len(page) < 8e6
    train = [number(row[head.index("train Sharpe")]) for row in rows]
    assert train == sorted(train, reverse=True)


@pytest.mark.parametrize("kind", ["grid", "walkforward", "optimize"])
def test_an_absent_section_leaves_the_rest(searches, changed, kind):
    folder = getattr(searches, kind)
    for name in json.loads((folder / "metrics.json").read_text()):
        if name != "kind":
            words = visible(build_report(changed(folder, **{name: None})))
            assert "What was not modelled" in words, name
            assert "nan" not in words.lower().split(), name


@pytest.mark.parametrize("kind", ["grid", "walkforward", "optimize"])
def test_figures_that_do_not_exist_are_dashes(searches, changed, kind):
    folder = getattr(searches, kind)
    found = json.loads((folder / "metrics.json").read_text())
    words = visible(build_report(changed(folder, **{k: blank(v) for k, v in found.items() if k != "kind"})))
    assert "nan" not in words.lower().split()
    assert "None" not in words.split("Provenance")[0]


def blank(node: object) -> object:
    """Return the same tree with every float replaced by null."""
    if isinstance(node, dict):
        return {key: blank(value) for key, value in node.items()}
    if isinstance(node, list):
        return [blank(value) for value in node]
    return None if isinstance(node, float) else node


def poisoned(node: object) -> object:
    """Return the same tree with every string, names included, replaced by markup."""
    if isinstance(node, dict):
        return {key: poisoned(value) for key, value in node.items()}
    if isinstance(node, list):
        return [poisoned(value) for value in node]
    return f"{EVIL}{node}" if isinstance(node, str) else node


@pytest.mark.parametrize("kind", ["grid", "walkforward", "optimize"])
def test_every_string_from_data_is_escaped(searches, changed, kind):
    folder = getattr(searches, kind)
    found = json.loads((folder / "metrics.json").read_text())
    copy = changed(folder, **{k: poisoned(v) for k, v in found.items() if k != "kind"})
    for name in ("points.csv", "years.csv", "mixes.csv", "sleeves.csv"):
        if (copy / name).exists():
            lines = list(csv.reader((copy / name).read_text().splitlines()))
            marked = [c if c in KNOWN or c.endswith("sharpe") else EVIL + c for c in lines[0]]
            with (copy / name).open("w", newline="") as file:
                csv.writer(file).writerows([marked, *lines[1:]])
    page = own_text(build_report(copy))
    assert "<img" not in page
    assert page.count("</script>") == 3
    assert page.count("&lt;img") >= 10


KNOWN = {"point", "same_as", "curve", "rank", "satisfied", "year", "regime", "date"}


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (None, "points.csv is missing"),
        (lambda s: s.replace("rank", "knar", 1), "points.csv has no column 'rank'"),
        (lambda s: s.splitlines()[0], "points.csv holds no point"),
        (lambda s: s + "1,,2\n", "points.csv line 20: "),
        (lambda s: s.replace("\n0,,", "\nzero,,", 1), "points.csv line 2: could not convert"),
    ],
)
def test_a_damaged_file_gives_one_error_that_names_it(grid, changed, edit, message):
    copy = changed(grid)
    if edit is None:
        (copy / "points.csv").unlink()
    else:
        (copy / "points.csv").write_text(edit((copy / "points.csv").read_text()))
    with pytest.raises(DataError, match=message):
        write_report(copy)
    assert not (copy / "report.html").exists()


def test_a_run_of_an_unknown_kind_is_refused(grid, changed):
    with pytest.raises(DataError, match="unknown kind 'spell'; known are backtest, check, grid"):
        build_report(changed(grid, kind="spell"))
