"""A vendor on this machine, and the command that fetches from it."""

from __future__ import annotations

import datetime as dt
import json

import pytest

import run
from feeds.fetch.command import fetch_data
from feeds.fetch.vendors import making
from feeds.fetch.vendors.yfinance import YFinance
from tests.vendors import made
from tests.vendors.server import Reply, Vendor, serving

HTTP = ("fred", "cboe", "sec", "polygon", "sharadar")


@pytest.fixture
def vendor():
    with serving(Vendor()) as found:
        day = dt.date.fromisoformat
        found.routes["/graph/fredgraph.csv"] = lambda path, query: Reply(
            made.fred_csv(query["id"], day(query["cosd"]), day(query["coed"]))
        )
        history = Reply(made.cboe_csv(), zipped=True)
        found.routes["/api/global/us_indices/daily_prices/VIX_History.csv"] = history
        yield found


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    monkeypatch.setenv("ARES7_POLYGON_KEY", "polygon-key-for-tests")
    monkeypatch.setenv("ARES7_SHARADAR_KEY", "sharadar-key-for-tests")
    monkeypatch.setenv("ARES7_SEC_AGENT", "Jane Doe jane@example.com")


@pytest.fixture
def options(vendor):
    """Settings that point to the vendor and do not wait."""
    found = [f"fetch.{name}.url={vendor.url}" for name in HTTP] + [f"fetch.sec.list_url={vendor.url}"]
    found += [f"fetch.{name}.per_minute=6000000" for name in (*HTTP, "yfinance")]
    found += ["fetch.retries=2", "fetch.backoff_s=0", "fetch.timeout_s=5"]
    return [word for option in found for word in ("--set", option)]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "market data"


@pytest.fixture
def fetch(options, folder, capsys):
    """``fetch(source, ...)``: exit code, stdout, stderr of the command line."""

    def call(source, *words, to=folder):
        capsys.readouterr()
        code = run.main(["data", "fetch", "--source", source, "--to", str(to), *options, *words])
        out, err = capsys.readouterr()
        return code, out, err

    return call


class Yahoo:
    """What a test says that Yahoo has; counts what is asked."""

    def __init__(self):
        self.asked, self.changes, self.missing, self.errors, self.announced = [], {}, set(), [], {}

    def download(self, ticker, first, last):
        self.asked.append((ticker, first, last))
        if self.errors and (error := self.errors.pop(0)) is not None:
            raise error
        if ticker in self.missing:
            return made.yahoo_frame(made.bars(ticker).iloc[:0])
        symbol = {"^GSPC": "SPX", "^VIX": "VIX"}.get(ticker, ticker)
        rows = made.bars(symbol, first, last, **self.changes.get(ticker, {}))
        if ticker == "^VIX":
            rows["volume"] = 0.0
        return made.yahoo_frame(rows)

    def announcements(self, ticker):
        return self.announced[ticker]


@pytest.fixture
def yahoo():
    return Yahoo()


@pytest.fixture
def fetch_yahoo(options, folder, yahoo):
    """``fetch_yahoo(...)``: the outcome of a fetch from the library's layout, without the library."""

    def make(config):
        own = config.fetch.yfinance
        return YFinance(own, making.patience("yfinance", config.fetch), yahoo.download, yahoo.announcements)

    def call(*words, now=made.NOW):
        given = ["data", "fetch", "--source", "yfinance", "--to", str(folder), *options, *words]
        args = run.parser().parse_args(given)
        return fetch_data(args, run.read_config(args), {"yfinance": make}, now)

    return call


@pytest.fixture
def data_check(capsys):
    """``data_check(folder)``: exit code and findings of ``data check``."""

    def call(folder, *words):
        capsys.readouterr()
        code = run.main(["data", "check", str(folder), "--json", "--set", "data.cache=null", *words])
        return code, json.loads(capsys.readouterr().out)

    return call
