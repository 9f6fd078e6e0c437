"""The real data folder loads as it is."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from ares7.config import DataConfig
from ares7.panel import Panel
from ares7.sessions import sessions
from feeds.assemble import content_hash
from feeds.check import check_folder
from feeds.load import load_panel, load_with_findings
from feeds.tables import read_table

DATA = os.environ.get("ARES7_DATA")
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder"),
]
D = np.datetime64
ALL = frozenset({"etfs", "index", "vix", "fundamentals", "earnings"})


def settings(**changes: object) -> DataConfig:
    return DataConfig(path=Path(str(DATA)), **({"cache": None} | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def panel() -> Panel:
    begin = time.perf_counter()
    loaded = load_panel(settings(), ALL)
    assert time.perf_counter() - begin < 5.0
    return loaded


def column(panel: Panel, name: str, symbol: str) -> np.ndarray:
    return panel.field(name)[:, panel.symbols.index(symbol)]


def row(panel: Panel, day: str) -> int:
    return int(np.searchsorted(panel.dates, D(day)))


def test_sessions_and_symbols(panel: Panel) -> None:
    assert panel.shape == (4828, 167 + 6)
    assert (str(panel.dates[0]), str(panel.dates[-1])) == ("2005-01-03", "2024-03-08")
    np.testing.assert_array_equal(panel.dates, sessions(D("2005-01-03"), D("2024-03-08")))
    assert panel.symbols == tuple(sorted(panel.symbols))
    funds = [s for s, stock in zip(panel.symbols, panel.is_stock, strict=True) if not stock]
    assert funds == ["BIL", "GLD", "IEF", "SHY", "SPY", "TLT"]


def test_no_error_and_the_known_warnings() -> None:
    findings = check_folder(settings())
    assert [f.message for f in findings if f.severity == "error"] == []
    counts = {f"{f.input}/{f.code}": f.count for f in findings}
    assert counts["prices/gap"] == 1
    assert counts["prices/outside-high-low"] == 1
    assert counts["prices/zero-volume"] == 59
    (odd,) = [f for f in findings if f.code == "outside-high-low" and f.input == "prices"]
    assert "'CELG' on 2015-03-30" in odd.message


def test_known_prices(panel: Panel) -> None:
    # data README: AAPL 645.57/28 and 93.70/4 around the 7:1 split, no jump.
    t = row(panel, "2014-06-06")
    np.testing.assert_allclose(column(panel, "price", "AAPL")[t : t + 2], [23.0561, 23.4250], atol=5e-5)
    assert panel.signal("vix").max() == pytest.approx(82.69)
    assert panel.signal("index")[row(panel, "2020-03-16")] == pytest.approx(2386.13)


def test_total_return_close_gains_on_the_price(panel: Panel) -> None:
    # Dividends only lift the total-return price relative to the traded one, up to the vendor's rounding.
    for symbol in ("AAPL", "T", "TLT"):
        ratio = column(panel, "close", symbol) / column(panel, "price", symbol)
        assert (np.diff(ratio[np.isfinite(ratio)]) > -2e-3).all()
        assert ratio[np.isfinite(ratio)][0] < 1.0
    opens = column(panel, "open", "AAPL") / column(panel, "close", "AAPL")
    assert np.nanmax(np.abs(opens - 1)) < 0.2


def test_dead_names_end(panel: Panel) -> None:
    for symbol, last in (("AGN", "2020-03-31"), ("S", "2020-03-27"), ("MON", None), ("HNZ", None)):
        bar = np.flatnonzero(np.isfinite(column(panel, "close", symbol)))
        assert bar[-1] < len(panel.dates) - 250
        if last is not None:
            assert str(panel.dates[bar[-1]]) == last
        for name in ("open", "high", "low", "price", "volume"):
            assert np.isnan(column(panel, name, symbol)[bar[-1] + 1 :]).all()


def test_mon_has_one_hole(panel: Panel) -> None:
    bar = np.isfinite(column(panel, "close", "MON"))
    inside = slice(int(np.argmax(bar)), int(np.flatnonzero(bar)[-1]) + 1)
    assert panel.dates[inside][~bar[inside]].astype(str).tolist() == ["2017-11-08"]


def test_membership_is_point_in_time(panel: Panel) -> None:
    table = read_table(
        Path(str(DATA)) / "membership_sp500.parquet", ["symbol"], dates=["start_date", "end_date"]
    )
    stocks = panel.member[:, panel.is_stock] & panel.bar[:, panel.is_stock]
    assert 120 <= stocks.sum(axis=1).min() <= stocks.sum(axis=1).max() <= 160
    tesla = panel.member[:, panel.symbols.index("TSLA")]
    start = table.loc[table["symbol"] == "TSLA", "start_date"].iloc[0]
    np.testing.assert_array_equal(tesla, panel.dates >= start.to_datetime64())
    assert panel.member[:, ~panel.is_stock].all()


def test_funds_listed_later_are_nan_before(panel: Panel) -> None:
    bar = np.isfinite(column(panel, "close", "BIL"))
    assert int(str(panel.dates[np.argmax(bar)])[:4]) == 2007
    assert bar[np.argmax(bar) :].all()


def test_fundamentals_are_there(panel: Panel) -> None:
    share = np.isfinite(panel.field("roe"))[row(panel, "2016-06-30")][panel.is_stock].mean()
    assert 0.5 < share < 1.0
    assert not np.isfinite(panel.field("roe"))[:, ~panel.is_stock].any()


def test_stored_equals_fresh(panel: Panel, tmp_path: Path) -> None:
    load_panel(settings(cache=tmp_path), ALL)
    begin = time.perf_counter()
    stored, findings = load_with_findings(settings(cache=tmp_path))
    assert time.perf_counter() - begin < 0.1
    assert stored is not None
    assert stored.provenance == panel.provenance
    assert content_hash(stored) == content_hash(panel) == panel.provenance["panel_sha256"]
    assert [f for f in findings if f.severity == "error"] == []


def test_universe_list(panel: Panel) -> None:
    few = load_panel(settings(universe=("AAPL", "AGN"), etfs=("SPY",)))
    assert few.symbols == ("AAPL", "AGN", "SPY")
    np.testing.assert_array_equal(column(few, "open", "AAPL"), column(panel, "open", "AAPL"))
