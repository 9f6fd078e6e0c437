"""The report in a real browser: it draws, asks for nothing, and fits, on a desk and a phone, light and dark."""

from __future__ import annotations

import datetime as dt

import pytest

from ares7.runs import write_run
from tests.report.devtools import Chromium
from tests.report.example_run import example_run
from tests.report.in_browser import DRAWN, OUTSIDE, SCROLLS, complaints, needs_chromium, requests, save

pytestmark = needs_chromium
CHARTS = {"growth", "rolling-sharpe", "sleeves", "turnover"}
SCREENS = [(1280, False), (1280, True), (768, False), (360, False), (360, True)]


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("runs")
    stamp = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    return (write_run(folder, example_run(), stamp=stamp, report=True) / "report.html").as_uri()


@pytest.mark.parametrize(("width", "dark"), SCREENS)
def test_every_chart_is_drawn_in_place_in_silence_and_without_network(browser, report, width, dark):
    browser.open(report, width=width, dark=dark)
    drawn = browser.evaluate(DRAWN)
    save(browser, f"report-{width}-{'dark' if dark else 'light'}.png")

    assert complaints(browser) == []
    assert [url for url in requests(browser) if not url.startswith("data:")] == [report]
    assert set(drawn) == CHARTS
    assert all(
        chart["lines"] + chart["bars"] + chart["images"] >= chart["traces"] > 0 for chart in drawn.values()
    )
    assert all(chart["marks"] > 0 and chart["width"] > 200 for chart in drawn.values())
    assert drawn["growth"]["images"] == 1
    assert drawn["turnover"]["bars"] > 100
    assert browser.evaluate(OUTSIDE) == []
    assert browser.evaluate(SCROLLS) is False


def test_charts_follow_the_theme_when_it_changes_and_are_light_on_paper(browser, report):
    browser.open(report, width=1280)
    light = line_colour(browser)
    dark_theme = {"name": "prefers-color-scheme", "value": "dark"}
    browser.call("Emulation.setEmulatedMedia", features=[dark_theme])
    dark = line_colour(browser)
    browser.call("Emulation.setEmulatedMedia", media="print", features=[dark_theme])
    paper = line_colour(browser)
    browser.call("Emulation.setEmulatedMedia", media="")
    assert light.startswith("#")
    assert dark.startswith("#")
    assert light == paper != dark


def line_colour(browser: Chromium) -> str:
    # The browser tells the page of a change of theme when it next renders.
    browser.evaluate("new Promise((done) => setTimeout(done, 300))")
    return browser.evaluate("document.getElementById('growth').data[1].line.color")


def test_a_run_of_one_session_without_trades_still_draws(browser, tmp_path):
    stamp = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    run = write_run(tmp_path, example_run(sessions=1), stamp=stamp, report=True)
    browser.open((run / "report.html").as_uri(), width=1280)
    assert set(browser.evaluate(DRAWN)) == CHARTS - {"rolling-sharpe"}
    assert complaints(browser) == []


def test_hostile_names_are_shown_and_not_run(browser, tmp_path):
    name = "</script><img src=x onerror=alert(1)>"
    stamp = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    run = write_run(tmp_path, example_run(sessions=300, strategy=name), stamp=stamp, report=True)
    browser.open((run / "report.html").as_uri(), width=1280)
    assert browser.evaluate("document.querySelector('h1').textContent") == name
    assert browser.evaluate("document.querySelectorAll('img').length") == 0
    assert set(browser.evaluate(DRAWN)) == CHARTS
    assert complaints(browser) == []
