"""A failing audit and a bias ladder in a real browser: they draw in silence, and fit."""

from __future__ import annotations

import pytest

from tests.report.example_audit import FAILING, audited
from tests.report.in_browser import DRAWN, OUTSIDE, SCROLLS, complaints, needs_chromium, requests, save

pytestmark = needs_chromium
CHARTS = {
    "check": {"growth", "rolling-sharpe", "sleeves", "turnover"},
    "ladder": {"steps-0", "growth-0", "steps-1", "growth-1"},
}
COVERED = """
(() => {
  const mark = document.querySelector(".watermark.failed");
  const { width, height } = mark.getBoundingClientRect();
  return {
    whole: width >= document.documentElement.clientWidth && height >= document.documentElement.scrollHeight - 1,
    image: atob(getComputedStyle(mark).backgroundImage.match(/base64,([^"]+)/)[1]).includes(">AUDIT FAILED<"),
    repeated: getComputedStyle(mark).backgroundRepeat,
    printed: getComputedStyle(mark).printColorAdjust,
    pointer: getComputedStyle(mark).pointerEvents,
  };
})()
"""
OPEN = "[...document.querySelectorAll('.audit')].map((table) => table.checkVisibility())"


@pytest.fixture(scope="module")
def folders(ladder, tmp_path_factory):
    return {"ladder": ladder, "check": audited(tmp_path_factory.mktemp("failing"), *FAILING, sessions=400)}


@pytest.mark.parametrize("kind", ["check", "ladder"])
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, True)])
def test_every_chart_is_drawn_in_place_in_silence_and_without_network(browser, folders, kind, width, dark):
    report = (folders[kind] / "report.html").as_uri()
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


@pytest.mark.parametrize("media", ["screen", "print"])
def test_the_mark_of_a_failure_covers_the_whole_report_on_paper_too(browser, folders, media):
    browser.open((folders["check"] / "report.html").as_uri(), width=1280)
    browser.call("Emulation.setEmulatedMedia", media=media)
    assert browser.evaluate(COVERED) == {
        "whole": True,
        "image": True,
        "repeated": "repeat",
        "printed": {"screen": "economy", "print": "exact"}[media],
        "pointer": "none",
    }
    browser.call("Emulation.setEmulatedMedia", media="")
    assert complaints(browser) == []


def test_what_passes_is_folded_until_the_reader_opens_it_or_prints(browser, folders):
    browser.open((folders["check"] / "report.html").as_uri(), width=1280)
    assert browser.evaluate(OPEN) == [True, False]
    browser.evaluate("document.querySelector('details.passed summary').click()")
    assert browser.evaluate(OPEN) == [True, True]
    browser.open((folders["check"] / "report.html").as_uri(), width=1280)
    browser.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert browser.evaluate(OPEN) == [True, True]
