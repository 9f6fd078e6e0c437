"""What a test asks of a page in Chromium: what it drew, what it complained of, what it asked for, what sticks out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.report.devtools import Chromium, find_chromium

CHROMIUM = find_chromium()
needs_chromium = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install it, or name one with ARES7_CHROMIUM"),
]
# What sticks out of the window, apart from what a table's own scroll bar reaches.
OUTSIDE = """
[...document.querySelectorAll("body, main *")]
  .filter((element) => !element.closest(".scroll, svg, .js-plotly-plot"))
  .filter((element) => element.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map((element) => element.outerHTML.slice(0, 80))
"""
SCROLLS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
DRAWN = """
Object.fromEntries([...document.querySelectorAll(".chart")].map((div) => [div.id, {
  traces: div.data ? div.data.length : 0,
  lines: div.querySelectorAll(".main-svg .scatterlayer .trace").length,
  marks: div.querySelectorAll(".main-svg path.js-line, .main-svg path.js-fill, .main-svg .bars path").length,
  images: div.querySelectorAll(".main-svg .heatmaplayer image").length,
  bars: div.querySelectorAll(".main-svg .bars .point").length,
  width: div.querySelector(".main-svg") ? div.querySelector(".main-svg").getBoundingClientRect().width : 0,
}]))
"""


def complaints(browser: Chromium) -> list[str]:
    """Console messages, uncaught errors and browser findings."""
    found = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
    return [str(event) for event in browser.events if event.get("method") in found]


def requests(browser: Chromium) -> list[str]:
    return [
        event["params"]["request"]["url"]
        for event in browser.events
        if event.get("method") == "Network.requestWillBeSent"
    ]


def save(browser: Chromium, name: str) -> None:
    """Keep a picture for a human eye when ARES7_SCREENSHOTS names a folder."""
    folder = os.environ.get("ARES7_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        browser.screenshot(Path(folder) / name)
