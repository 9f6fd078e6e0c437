"""Good input: what a loaded panel holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from feeds.assemble import content_hash
from tests.feeds.small_folder import (
    DAYS,
    FUNDS,
    STOCKS,
    at,
    column,
    load,
    tables,
    typed,
    write,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "data", tables())


def test_columns_are_stocks_and_funds_sorted(folder: Path) -> None:
    panel = load(folder)
    assert panel.symbols == tuple(sorted(STOCKS + FUNDS))
    assert [s for s, stock in zip(panel.symbols, panel.is_stock, strict=True) if not stock] == list(FUNDS)
    assert panel.dates.tolist() == DAYS.tolist()
    assert panel.dates.dtype == np.dtype("datetime64[D]")


def test_prices_are_total_return_and_price_is_traded(folder: Path) -> None:
    # rulings 1: open * adj_close / close, close = adj_close, price = split-adjusted close.
    panel, content = load(folder), tables()
    for symbol in STOCKS:
        adjusted, close = (column(content, "prices", symbol, name) for name in ("adj_close", "close"))
        for name in ("open", "high", "low"):
            raw = column(content, "prices", symbol, name)
            np.testing.assert_array_equal(at(panel, name, symbol), raw * adjusted / close)
        np.testing.assert_array_equal(at(panel, "close", symbol), adjusted)
        np.testing.assert_array_equal(at(panel, "price", symbol), close)
        np.testing.assert_array_equal(
            at(panel, "volume", symbol), column(content, "prices", symbol, "volume")
        )


def test_series_are_closes_and_no_columns(folder: Path) -> None:
    panel, content = load(folder), tables()
    np.testing.assert_array_equal(panel.signal("index"), column(content, "market", "SPX", "close"))
    np.testing.assert_array_equal(panel.signal("vix"), column(content, "market", "VIX", "close"))
    assert not {"SPX", "VIX"} & set(panel.symbols)


def test_arrays_are_contiguous_float64_and_locked(folder: Path) -> None:
    panel = load(folder)
    for values in [*panel.fields.values(), *panel.series.values()]:
        assert values.dtype == np.float64
        assert values.flags.c_contiguous
        assert not values.flags.writeable
    assert panel.member.dtype == panel.is_stock.dtype == np.bool_


def test_index_series_need_only_a_close(tmp_path: Path) -> None:
    content = tables()
    series = content["market"]["symbol"].isin(["SPX", "VIX"])
    content["market"].loc[series, ["open", "high", "low", "adj_close", "volume"]] = ""
    panel = load(write(tmp_path, content))
    assert np.isfinite(panel.signal("index")).all()


def test_market_without_funds_needs_three_columns(tmp_path: Path) -> None:
    content = tables()
    series = content["market"]["symbol"].isin(["SPX", "VIX"])
    content["market"] = content["market"].loc[series, ["date", "symbol", "close"]]
    panel = load(write(tmp_path, content), etfs=())
    assert panel.symbols == STOCKS
    assert np.isfinite(panel.signal("vix")).all()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_shuffled_symbols_give_the_identical_panel(tmp_path: Path, suffix: str, folder: Path) -> None:
    # rulings 9. Dates stay in order inside a symbol: a file with unsorted dates is refused.
    rng = np.random.default_rng(3)
    content = tables()
    for name in ("prices", "market", "membership_x"):
        frame = content[name]
        turn = np.argsort(rng.random(len(frame)))
        owner = frame["symbol"].to_numpy()[turn]
        order = np.empty(len(frame), dtype=int)
        for symbol in set(owner):
            # Symbols interleave at random; each keeps its own order.
            order[owner == symbol] = np.flatnonzero(frame["symbol"].to_numpy() == symbol)
        content[name] = frame.iloc[order][list(rng.permutation(frame.columns))]
    shuffled, plain = load(write(tmp_path / "shuffled", content, suffix)), load(folder)
    assert shuffled.symbols == plain.symbols
    assert content_hash(shuffled) == content_hash(plain)
    assert shuffled.provenance["panel_sha256"] == plain.provenance["panel_sha256"]


def test_parquet_and_csv_give_the_identical_panel(tmp_path: Path, folder: Path) -> None:
    other = load(write(tmp_path / "parquet", tables(), ".parquet"))
    assert content_hash(other) == content_hash(load(folder))


def test_float32_is_widened_before_any_arithmetic(tmp_path: Path) -> None:
    content = tables()
    narrow = typed(content["prices"]).astype(dict.fromkeys(("open", "close", "adj_close"), "float32"))
    write(tmp_path, content, ".parquet")
    narrow.to_parquet(tmp_path / "prices.parquet")
    panel = load(tmp_path)
    mine = narrow[narrow["symbol"] == "AAA"].astype(dict.fromkeys(("open", "close", "adj_close"), "float64"))
    expected = (mine["open"] * mine["adj_close"] / mine["close"]).to_numpy()
    np.testing.assert_array_equal(at(panel, "open", "AAA"), expected)


def test_ticker_na_is_no_missing_value(folder: Path) -> None:
    assert np.isfinite(at(load(folder), "close", "NA")).all()


def test_late_listing_and_delisting_are_nan_outside(tmp_path: Path) -> None:
    content = tables()
    frame = content["prices"]
    late = (frame["symbol"] == "BBB") & (frame["date"] < "2020-01-15")
    dead = (frame["symbol"] == "NA") & (frame["date"] > "2020-02-05")
    content["prices"] = frame[~late & ~dead]
    panel = load(write(tmp_path, content))
    np.testing.assert_array_equal(np.isfinite(at(panel, "close", "BBB")), np.datetime64("2020-01-15") <= DAYS)
    np.testing.assert_array_equal(np.isfinite(at(panel, "close", "NA")), np.datetime64("2020-02-05") >= DAYS)
    assert "prices/gap" not in panel.provenance["warnings"]


def test_gap_is_nan_and_a_counted_warning(tmp_path: Path) -> None:
    content = tables()
    frame = content["prices"]
    hole = (frame["symbol"] == "BBB") & frame["date"].isin([str(DAYS[7]), str(DAYS[8])])
    content["prices"] = frame[~hole]
    panel = load(write(tmp_path, content))
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(at(panel, "close", "BBB"))), [7, 8])
    assert panel.provenance["warnings"]["prices/gap"] == 2


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("outside-high-low", {"open": "99"}),
        ("suspicious-move", {"open": "20", "high": "20", "low": "20", "close": "20", "adj_close": "20"}),
        ("zero-volume", {"volume": "0"}),
    ],
)
def test_warnings_are_counted_and_do_not_stop(tmp_path: Path, code: str, change: dict[str, str]) -> None:
    # rulings 23.
    content = tables()
    for name, value in change.items():
        content["prices"].loc[9, name] = value
    panel = load(write(tmp_path, content))
    assert panel.provenance["warnings"][f"prices/{code}"] >= 1
    (shown,) = [f for f in panel.provenance["findings"] if f["code"] == code and f["input"] == "prices"]
    assert "prices.csv" in shown["message"]
    assert "AAA" in shown["message"]


def test_unused_market_symbols_only_warn(tmp_path: Path) -> None:
    content = tables()
    extra = content["market"][content["market"]["symbol"] == "TLT"].assign(symbol="QQQ", close="-1")
    content["market"] = pd.concat([content["market"], extra])
    panel = load(write(tmp_path, content))
    assert panel.provenance["warnings"]["etfs/bad-price"] == len(DAYS)
    assert "QQQ" not in panel.symbols


def test_importing_the_loader_is_light() -> None:
    code = (
        "import sys; import feeds.load; "
        "print([m for m in ('pandas', 'pyarrow', 'exchange_calendars', 'numba') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
