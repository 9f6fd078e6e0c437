"""The page in a browser: its figures are the snapshot's, it follows the journal, and fits a telephone."""

from __future__ import annotations

import datetime as dt
import shutil
import time

import pytest

from ares7.tearsheet_format import percent, ratio, usd
from tests.dashboard.conftest import TOKEN
from tests.monitor.desk import ACCOUNT
from tests.report.in_browser import OUTSIDE, SCROLLS, complaints, needs_chromium, requests, save

pytestmark = needs_chromium
TICK = "window.dash_clientside.set_props('tick', {n_intervals: Math.floor(Math.random() * 1e9)})"


def until(browser, expression, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not browser.evaluate(expression):
        assert time.monotonic() < deadline, browser.evaluate("document.body.innerText")
        time.sleep(0.05)


def opened(browser, served, width=1280, *, dark=False):
    browser.open(served.url, width=width, dark=dark)
    until(browser, "!!document.querySelector('#chart .main-svg .scatterlayer .trace')")


def text_of(browser, name):
    return browser.evaluate(f"document.getElementById('{name}').innerText")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_shows_the_snapshot_and_fits(browser, served, width, dark):
    opened(browser, served, width, dark=dark)
    money = served.looker.latest.snapshot.money
    assert text_of(browser, "tile-nav") == usd(money.nav_usd)
    assert text_of(browser, "tile-daily") == percent(money.daily_return, 2)
    assert text_of(browser, "tile-total") == percent(money.total_return)
    assert text_of(browser, "tile-drawdown") == percent(money.drawdown)
    assert text_of(browser, "tile-sharpe") == ratio(money.sharpe)
    assert text_of(browser, "tile-halt") == "NONE"
    assert "one <b>order</b> was rejected" in text_of(browser, "alerts")
    assert "open" in text_of(browser, "alerts")
    save(browser, f"dashboard-{width}-{'dark' if dark else 'light'}.png")
    assert browser.evaluate(OUTSIDE) == []
    assert not browser.evaluate(SCROLLS)
    assert complaints(browser) == []
    assert all(url.startswith((f"http://{served.host}/", "data:", "blob:")) for url in requests(browser))


def test_it_follows_the_journal(browser, served):
    opened(browser, served)
    before = text_of(browser, "tile-nav")
    served.script.clock.add(60)
    served.script.close(dt.date(2024, 1, 8), 0.05)
    served.looker.step()
    browser.evaluate(TICK)
    shown = usd(served.looker.latest.snapshot.money.nav_usd)
    assert shown != before
    until(browser, f"document.getElementById('tile-nav').innerText === '{shown}'")


def test_a_journal_that_is_away_is_shown_as_stale_and_comes_back(browser, served, tmp_path):
    opened(browser, served)
    path = tmp_path / "journal" / "journal-paper.sqlite"
    away = tmp_path / "away.sqlite"
    served.script.journal.close()
    shutil.move(path, away)
    served.looker.step()
    browser.evaluate(TICK)
    until(browser, "document.getElementById('page').className === 'stale'")
    assert "Stale: this is the state of" in text_of(browser, "banner")
    assert text_of(browser, "tile-nav") == usd(served.looker.latest.snapshot.money.nav_usd)
    save(browser, "dashboard-stale.png")
    shutil.move(away, path)
    served.looker.step()
    browser.evaluate(TICK)
    until(browser, "document.getElementById('page').className === ''")


def test_the_switch_changes_the_theme(browser, served):
    opened(browser, served)
    colour = "getComputedStyle(document.body).backgroundColor"
    light = browser.evaluate(colour)
    browser.evaluate("document.getElementById('theme').click()")
    until(browser, f"{colour} !== '{light}'")


def test_no_account_and_no_secret_is_on_the_page(browser, served):
    opened(browser, served)
    everything = browser.evaluate("document.documentElement.outerHTML") + served.client().get(
        "/_dash-layout", base_url=f"http://{served.host}", headers={"Host": served.host}
    ).get_data(as_text=True)
    assert ACCOUNT not in everything
    assert TOKEN not in everything
    assert TOKEN not in browser.evaluate("location.href + document.cookie")
