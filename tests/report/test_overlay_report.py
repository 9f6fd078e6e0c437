"""Reports of the studies of overlays: numbers are those of the run folder, and a browser draws them in silence."""

from __future__ import annotations

import csv
import html
import json

import numpy as np
import pytest

from ares7.errors import DataError
from ares7.tearsheet import build_report
from tests.report.in_browser import DRAWN, OUTSIDE, SCROLLS, complaints, needs_chromium, requests, save
from tests.report.page_text import payload, tables, visible

SCREENS = [(1280, False), (1280, True), (400, False), (400, True)]
CHARTS = {
    "ablation": {"added": 4, "net": 6, "gross": 6},
    "optimize": {"weights": 3, "added": 4, "net": 4, "logits-total": 1, "logits-active": 1},
}
WINDOWS = ("train", "validation", "test", "whole")


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def number(cell):
    return float(cell.replace("−", "-").replace(" %", "").split(" | ")[0])


def page_of(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


def metrics_of(folder):
    return json.loads((folder / "metrics.json").read_text())


def minus(words):
    return words.replace(" -", " −").replace("[-", "[−")


@pytest.mark.parametrize("kind", ["ablation", "optimize"])
def test_it_is_rebuilt_to_the_same_bytes(overlays, kind):
    folder = getattr(overlays, kind)
    assert build_report(folder) == page_of(folder)


@pytest.mark.parametrize("kind", ["ablation", "optimize"])
def test_every_verdict_note_and_stamp_is_shown(overlays, kind):
    folder = getattr(overlays, kind)
    told, found = html.unescape(visible(page_of(folder))), metrics_of(folder)
    assert found["verdicts"]
    for verdict in found["verdicts"]:
        assert minus(verdict[1:]) in told
    for note in found["notes"]:
        assert note in told
    assert "SYNTHETIC" in told
    assert "cut by the data" in told


def test_the_first_sentence_is_about_the_blend(overlays):
    page = page_of(overlays.ablation)
    answer = page.split('<p class="answer">')[1].split("</p>")[0]
    assert answer.startswith("On test 54/46 wavelet/pead, lambda 1 adds ")


def test_every_window_has_a_table_of_every_book(overlays):
    rows = rows_of(overlays.ablation / "ablation.csv")
    shown = [t for t in tables(page_of(overlays.ablation)) if "costs added" in t[0]]
    assert len(shown) == len(WINDOWS)
    for cells, window in zip(shown, reversed(WINDOWS), strict=True):
        own = [row for row in rows if row["window"] == window]
        assert [line[0] for line in cells[1:]] == [row["label"] for row in own]
        for line, row in zip(cells[1:], own, strict=True):
            names = (
                "sharpe",
                "sharpe_added",
                "gross_sharpe_added",
                "return_added",
                "costs_added",
                "turnover",
            )
            for cell, name in zip(line[1:], names, strict=False):
                percent = name in ("return_added", "costs_added")
                assert number(cell) == pytest.approx(float(row[name]) * (100 if percent else 1), abs=0.0051)
            low, high = (float(row[f"sharpe_added_{edge}"]) for edge in ("low", "high"))
            assert line[2].split(" | ")[1].replace("−", "-") == f"{low:z.2f} to {high:z.2f}"


def test_dots_and_whiskers_are_the_estimates_and_their_intervals(overlays):
    rows = rows_of(overlays.ablation / "ablation.csv")
    compared = [r for r in rows if r["book"] not in ("base", "blend_0")]
    for trace in payload(page_of(overlays.ablation))["figures"]["added"]["data"]:
        own = [r for r in compared if r["window"] == trace["name"]]
        estimate, low, high = (
            np.array([float(r[f"sharpe_added{edge}"]) for r in own]) for edge in ("", "_low", "_high")
        )
        assert trace["x"] == pytest.approx(estimate.tolist(), rel=1e-6)
        assert trace["error_x"]["array"] == pytest.approx((high - estimate).tolist(), rel=1e-5)
        assert trace["error_x"]["arrayminus"] == pytest.approx((estimate - low).tolist(), rel=1e-5)


@pytest.mark.parametrize(("kind", "suffix"), [("net", ""), ("gross", "_gross")])
def test_curves_are_sums_of_the_active_returns(overlays, kind, suffix):
    rows = rows_of(overlays.ablation / "active.csv")
    content = payload(page_of(overlays.ablation))
    kept = [i for i in range(len(rows)) if i % 5 == 0 or i == len(rows) - 1]
    assert content["series"][f"date-{kind}"] == [rows[i]["date"] for i in kept]
    for place, book in enumerate(("wavelet", "pead", "momentum", "macd", "blend_0.5", "blend_1")):
        total = np.cumsum([float(row[book + suffix]) for row in rows])[kept]
        assert content["series"][f"{kind}-{place}"] == pytest.approx(total.tolist(), rel=1e-5, abs=1e-9)


def test_the_curve_along_the_weights_is_each_blend_less_no_overlay(overlays):
    points, found = rows_of(overlays.optimize / "optimize.csv"), metrics_of(overlays.optimize)
    figure = payload(page_of(overlays.optimize))["figures"]["weights"]
    base = found["candidates"][0]["windows"]
    assert [trace["name"] for trace in figure["data"]] == ["train", "validation", "test"]
    for trace in figure["data"]:
        window = trace["name"]
        assert trace["x"] == [float(p["wavelet"]) for p in points]
        plain = base[window]["interval"]["estimate"]
        gain = [float(p[f"{window}_sharpe"]) - plain for p in points]
        assert trace["y"] == pytest.approx(gain, rel=1e-5, abs=1e-9)
    best, configured = (shape["x0"] for shape in figure["layout"]["shapes"])
    assert (best, configured) == (float(points[found["grid"]["best"]]["wavelet"]), 0.54)


def test_windows_that_the_choice_looked_at_are_marked(overlays):
    (shown,) = [t for t in tables(page_of(overlays.optimize)) if "weights" in t[0]]
    marked = [cell.split(" Sharpe")[0] for cell in shown[0] if "selection-contaminated" in cell]
    assert marked == ["train", "validation", "whole"]


def test_three_overlays_show_the_best_blends_instead_of_a_curve(overlays):
    folder = overlays.study("overlay optimize", "strategy.overlays=[wavelet,pead,momentum]")
    page = page_of(folder)
    assert "weights" not in payload(page)["figures"]
    points = sorted(rows_of(folder / "optimize.csv"), key=lambda p: -float(p["train_sharpe"]))[:10]
    (shown,) = [t for t in tables(page) if "train Sharpe" in t[0] and "momentum" in t[0]]
    assert [number(line[4]) for line in shown[1:]] == pytest.approx(
        [float(p["train_sharpe"]) for p in points], abs=0.00051
    )


@pytest.mark.parametrize(("kind", "section"), [("ablation", "books"), ("optimize", "candidates")])
def test_a_damaged_run_folder_is_an_error_that_names_it(overlays, changed, kind, section):
    with pytest.raises(DataError, match=section):
        build_report(changed(getattr(overlays, kind), **{section: None}))
    folder = changed(getattr(overlays, kind))
    (folder / "active.csv").unlink()
    with pytest.raises(DataError, match=r"active\.csv"):
        build_report(folder)


@pytest.mark.parametrize("kind", ["ablation", "optimize"])
@pytest.mark.parametrize(("width", "dark"), SCREENS)
@needs_chromium[0]
@needs_chromium[1]
def test_every_chart_is_drawn_in_place_in_silence_and_without_network(browser, overlays, kind, width, dark):
    report = (getattr(overlays, kind) / "report.html").as_uri()
    browser.open(report, width=width, dark=dark)
    drawn = browser.evaluate(DRAWN)
    save(browser, f"overlay-{kind}-{width}-{'dark' if dark else 'light'}.png")

    assert complaints(browser) == []
    assert [url for url in requests(browser) if not url.startswith("data:")] == [report]
    assert set(drawn) == set(CHARTS[kind])
    for name, chart in drawn.items():
        assert chart["lines"] + chart["bars"] >= chart["traces"] > 0, name
        assert chart["width"] > 200, name
        assert chart["traces"] == CHARTS[kind][name], name
    assert browser.evaluate(OUTSIDE) == []
    assert browser.evaluate(SCROLLS) is False
