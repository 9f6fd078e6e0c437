"""The report of the bias ladder: its numbers are those of the run folder."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from ares7.errors import DataError
from ares7.runs import list_runs
from ares7.tearsheet import build_report
from tests.report.page_text import own_text, payload, tables, visible

SHOWN = ("sharpe", "cagr", "volatility", "max_drawdown")


def number(cell: str) -> float:
    return float(cell.replace("−", "-").replace(" %", "").split(" ±")[0])


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.fixture(scope="module")
def page(ladder) -> str:
    return (ladder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def figures(ladder):
    return json.loads((ladder / "metrics.json").read_text())


@pytest.fixture(scope="module")
def climbed(ladder):
    """Rows of ladder.csv by market and mode, the null market first."""
    rows = rows_of(ladder / "ladder.csv")
    markets = sorted({row["market"] for row in rows}, key=lambda name: (name != "null", name))
    return {
        name: {
            mode: [row for row in rows if (row["market"], row["mode"]) == (name, mode)]
            for mode in ("honest", "alone", "cumulative")
        }
        for name in markets
    }


def test_it_is_rebuilt_to_the_same_bytes(ladder, page):
    assert build_report(ladder) == page


def test_each_mistake_stands_in_the_table_alone_and_with_all_before_it(page, climbed, figures):
    shown = [rows for rows in tables(page) if rows[1:] and rows[1][0] == "mistake"]
    assert len(shown) == len(climbed) == 2
    for rows, (name, modes) in zip(shown, climbed.items(), strict=True):
        equal, honest, *steps = rows[2:]
        assert (equal[0], honest[0]) == ("equal weight", "honest")
        assert number(equal[1]) == pytest.approx(
            figures["markets"][name]["equal_weight"]["sharpe"], abs=0.0051
        )
        pairs = [(honest, modes["honest"][0], modes["honest"][0])]
        pairs += list(zip(steps, modes["alone"], modes["cumulative"], strict=True))
        for cells, alone, together in pairs:
            assert cells[0].lower() == alone["bias"].replace("_", " ")
            for k, column in enumerate(SHOWN):
                scale, reach = (1, 0.0051) if column == "sharpe" else (100, 0.051)
                for cell, row in ((cells[1 + k], alone), (cells[5 + k], together)):
                    assert number(cell) == pytest.approx(scale * float(row[column]), abs=reach), (
                        name,
                        column,
                    )


def test_the_first_sentence_is_what_grows_where_nothing_can_be_foreseen(page, climbed):
    last = float(climbed["null"]["cumulative"][-1]["sharpe"])
    assert f"A Sharpe ratio of {last:.2f} grows out of nothing." in visible(page)


def test_a_ladder_that_does_not_climb_says_so(ladder, changed, figures):
    null = figures["markets"]["null"]
    rows = [
        {**row, "sharpe": -abs(row["sharpe"]) if row["mode"] == "cumulative" else 1.0} for row in null["rows"]
    ]
    page = build_report(changed(ladder, markets={"null": {**null, "rows": rows}}))
    assert "grows out of nothing" not in page
    assert "Here the mistakes add nothing" in page


def test_each_bar_reaches_from_one_level_to_the_next(page, climbed):
    drawn = payload(page)["figures"]
    for place, modes in enumerate(climbed.values()):
        levels = [float(row["sharpe"]) for row in (*modes["honest"], *modes["cumulative"])]
        bars = drawn[f"steps-{place}"]["data"][0]
        assert bars["base"] == pytest.approx([0.0, *levels[:-1]])
        assert np.add(bars["base"], bars["x"]).tolist() == pytest.approx(levels)


def test_published_and_equal_weight_are_lines(page, climbed, figures):
    for place, name in enumerate(climbed):
        lines = [shape["x0"] for shape in payload(page)["figures"][f"steps-{place}"]["layout"]["shapes"]]
        assert lines == [3.2, figures["markets"][name]["equal_weight"]["sharpe"]]


def test_curves_are_those_of_the_file_at_every_fifth_session_and_the_last(page, climbed, ladder):
    drawn = payload(page)
    for place, name in enumerate(climbed):
        rows = rows_of(ladder / f"curves_{name}.csv")
        kept = [row for i, row in enumerate(rows) if i % 5 == 0 or i == len(rows) - 1]
        assert drawn["series"][f"date-{place}"] == [row["date"] for row in kept]
        for k, curve in enumerate(c for c in rows[0] if c != "date"):
            shown = drawn["series"][f"curve-{place}-{k}"]
            assert shown == pytest.approx([float(row[curve]) for row in kept], rel=1e-6)


def test_every_mistake_is_explained_and_the_page_is_stamped(page, figures):
    told = visible(page).lower()
    assert all(words.lower() in told.replace("&#x27;", "'") for words in figures["explained"].values())
    assert "<li>LOOKAHEAD</li>" in page
    assert '<div class="watermark" aria-hidden="true"><span>LOOKAHEAD</span>' in page


def test_a_ladder_is_listed_without_figures_of_performance(ladder):
    (listed,) = list_runs(ladder.parent)
    assert listed.damage == ""
    assert (listed.sharpe, listed.cagr, listed.mdd) == (None, None, None)


def test_a_missing_curve_or_market_is_named(ladder, changed):
    folder = changed(ladder)
    (folder / "curves_null.csv").unlink()
    with pytest.raises(DataError, match=r"curves_null\.csv is missing"):
        build_report(folder)
    with pytest.raises(DataError, match="no market with a ladder"):
        build_report(changed(ladder, markets={}))


def test_hostile_names_are_shown_and_not_run(ladder, changed, figures):
    evil = "</script><img src=x onerror=alert(1)>"
    null = figures["markets"]["null"]
    rows = [{**row, "bias": evil} if row["step"] == 1 else row for row in null["rows"]]
    folder = changed(ladder, markets={"null": {**null, "rows": rows}}, explained={evil: evil})
    page = own_text(build_report(folder))
    assert "<img" not in page
    # In the table, as the name of the sentence, and as the sentence.
    assert page.split("<script")[0].count("&lt;img src=x onerror=alert(1)&gt;") == 3
