"""Reports of searches in a real browser: they draw in silence, sort, and let a reader choose the slice."""

from __future__ import annotations

import csv

import pytest

from ares7.tearsheet import write_report
from tests.report.in_browser import DRAWN, OUTSIDE, SCROLLS, complaints, needs_chromium, requests, save

pytestmark = needs_chromium
SCREENS = [(1280, False), (1280, True), (400, False), (400, True)]
HISTOGRAMS = {"sharpes-total", "sharpes-active", "logits-total", "logits-active"}
CHARTS = {
    "grid": {"growth", "slice", *HISTOGRAMS},
    "walkforward": {
        "growth",
        "rolling-sharpe",
        "sleeves",
        "turnover",
        "paths",
        "train-test",
        "combinatorial",
        "logits-total",
        "logits-active",
    },
    "optimize": {"growth", "mixes"},
}
COLUMN = "[...document.querySelectorAll('#points tbody tr')].map((row) => row.cells[{}].textContent)"
CLICK = "document.querySelector('#points button[data-column=\"{}\"]').click()"
HEADS = "[...document.querySelectorAll('#points button')].map((button) => button.textContent)"
CHOOSE = """
(() => {{
  const select = document.getElementById("slice-{}");
  select.value = "{}";
  select.dispatchEvent(new Event("change"));
}})()
"""
SLICE = """
(() => {
  const { data, layout } = document.getElementById("slice");
  return {
    z: data[0].z, across: layout.xaxis.title.text, up: layout.yaxis.title.text,
    shown: [...document.querySelectorAll("form.controls select")].map((select) => select.value),
    note: document.getElementById("slice-note").textContent,
  };
})()
"""


@pytest.mark.parametrize("kind", ["grid", "walkforward", "optimize"])
@pytest.mark.parametrize(("width", "dark"), SCREENS)
def test_every_chart_is_drawn_in_place_in_silence_and_without_network(browser, searches, kind, width, dark):
    report = (getattr(searches, kind) / "report.html").as_uri()
    browser.open(report, width=width, dark=dark)
    drawn = browser.evaluate(DRAWN)
    save(browser, f"{kind}-{width}-{'dark' if dark else 'light'}.png")

    assert complaints(browser) == []
    assert [url for url in requests(browser) if not url.startswith("data:")] == [report]
    assert set(drawn) == CHARTS[kind]
    for name, chart in drawn.items():
        assert chart["lines"] + chart["bars"] + chart["images"] >= chart["traces"] > 0, name
        assert chart["width"] > 200, name
    assert browser.evaluate(OUTSIDE) == []
    assert browser.evaluate(SCROLLS) is False


def figures(folder, name):
    rows = csv.DictReader((folder / "points.csv").read_text().splitlines())
    return {row["point"]: float(row[name]) for row in rows if not row["same_as"]}


@pytest.mark.parametrize(
    ("head", "name", "down"),
    [("point", "point", False), ("turnover", "turnover", True), ("CAGR", "cagr", True)],
)
def test_a_click_on_a_head_sorts_by_the_exact_figure_and_a_second_one_turns_it(
    browser, searches, head, name, down
):
    browser.open((searches.grid / "report.html").as_uri(), width=1280)
    exact = figures(searches.grid, name)
    column = browser.evaluate(HEADS).index(head)
    browser.evaluate(CLICK.format(column))
    shown = [exact[point] for point in browser.evaluate(COLUMN.format(0))]
    assert shown == sorted(exact.values(), reverse=down)
    browser.evaluate(CLICK.format(column))
    shown = [exact[point] for point in browser.evaluate(COLUMN.format(0))]
    assert shown == sorted(exact.values(), reverse=not down)
    assert complaints(browser) == []


def test_missing_figures_come_last_whichever_way_it_is_sorted(browser, searches, changed):
    folder = changed(searches.grid)
    rows = list(csv.reader((folder / "points.csv").read_text().splitlines()))
    place = rows[0].index("sharpe")
    first = next(i for i, row in enumerate(rows) if i and not row[1])
    rows[first][place] = ""
    with (folder / "points.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    browser.open(write_report(folder).as_uri(), width=1280)
    column = browser.evaluate(HEADS).index("Sharpe")
    for _ in range(2):
        browser.evaluate(CLICK.format(column))
        assert browser.evaluate(COLUMN.format(0))[-1] == rows[first][0]


def test_the_reader_chooses_axes_figure_and_what_becomes_of_the_others(browser, searches):
    browser.open((searches.grid / "report.html").as_uri(), width=1280)
    before = browser.evaluate(SLICE)
    assert before["shown"] == ["0", "1", "0", "0"]
    assert "are held at the values of point" in before["note"]

    browser.evaluate(CHOOSE.format("x", "1"))
    turned = browser.evaluate(SLICE)
    assert turned["shown"][:2] == ["1", "0"]
    assert (turned["across"], turned["up"]) == (before["up"], before["across"])
    assert turned["z"] == [list(row) for row in zip(*before["z"], strict=True)]

    browser.evaluate(CHOOSE.format("y", "2"))
    browser.evaluate(CHOOSE.format("others", "1"))
    averaged = browser.evaluate(SLICE)
    assert averaged["up"] == "low_volatility.top_quantile"
    assert averaged["note"] == "Averaged over the other axes: mixes.BULL.quality_momentum."

    browser.evaluate(CHOOSE.format("figure", "2"))
    assert browser.evaluate(SLICE)["z"] != averaged["z"]
    assert complaints(browser) == []


def test_a_change_of_theme_keeps_the_readers_choice(browser, searches):
    browser.open((searches.grid / "report.html").as_uri(), width=1280)
    browser.evaluate(CHOOSE.format("x", "2"))
    chosen = browser.evaluate(SLICE)
    dark = {"name": "prefers-color-scheme", "value": "dark"}
    browser.call("Emulation.setEmulatedMedia", features=[dark])
    # The browser tells the page of a change of theme when it next renders.
    browser.evaluate("new Promise((done) => setTimeout(done, 300))")
    assert browser.evaluate(SLICE) == chosen


def test_hostile_axes_are_shown_and_not_run(browser, searches, changed):
    folder = changed(searches.grid)
    evil = "<img src=x onerror=alert(1)>"
    lines = (folder / "points.csv").read_text().replace("low_volatility.top_quantile", evil)
    (folder / "points.csv").write_text(lines.replace(",0.3,", f",{evil},"))
    browser.open(write_report(folder).as_uri(), width=1280)
    browser.evaluate(CHOOSE.format("y", "2"))
    assert browser.evaluate("document.querySelectorAll('main img').length") == 0
    assert browser.evaluate(SLICE)["up"] == evil.replace("<", "&lt;")
    assert set(browser.evaluate(DRAWN)) == CHARTS["grid"]
    assert complaints(browser) == []
