"""Good input: what a loaded panel holds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ares7.config import DataConfig, SyntheticConfig
from ares7.errors import ConfigError, DataError, MissingData, StaleData
from ares7.panel import Panel
from feeds.assemble import content_hash
from feeds.check import check_folder
from feeds.load import load_panel, load_with_findings
from tests.feeds.small_folder import DAYS, FUNDS, STOCKS, TODAY, Tables, config, tables, typed, write

ALL = frozenset({"etfs", "index", "vix"})
ROOT = Path(__file__).resolve().parents[2]


def load(folder: Path, needs: frozenset[str] = ALL, **settings: object) -> Panel:
    return load_panel(config(folder, **settings), needs, today=TODAY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "data", tables())


def at(panel: Panel, field: str, symbol: str) -> np.ndarray:
    return panel.field(field)[:, panel.symbols.index(symbol)]


def column(content: Tables, table: str, symbol: str, name: str) -> np.ndarray:
    frame = content[table]
    return frame.loc[frame["symbol"] == symbol, name].astype(float).to_numpy()


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


# Membership and universe


def test_membership_ends_are_inclusive(folder: Path) -> None:
    # rulings 16.
    panel = load(folder)
    member = panel.member[:, panel.symbols.index("BBB")]
    np.testing.assert_array_equal(
        member, (np.datetime64("2020-01-10") <= DAYS) & (np.datetime64("2020-02-14") >= DAYS)
    )
    assert panel.member[:, panel.symbols.index("AAA")].all()  # an open end
    assert panel.member[:, ~panel.is_stock].all()
    assert panel.provenance["warnings"]["membership/member-without-prices"] == 1  # GONE


def test_two_intervals_of_one_symbol_are_joined(tmp_path: Path) -> None:
    content = tables()
    again = pd.DataFrame([{"symbol": "BBB", "start_date": "2020-02-20", "end_date": "2020-02-21"}])
    content["membership_x"] = pd.concat([content["membership_x"], again])
    panel = load(write(tmp_path, content))
    member = panel.member[:, panel.symbols.index("BBB")]
    back = (np.datetime64("2020-02-20") <= DAYS) & (np.datetime64("2020-02-21") >= DAYS)
    assert member[back].all()
    assert member.sum() == back.sum() + 25


def test_universe_auto_without_membership_is_all(tmp_path: Path) -> None:
    content = tables()
    del content["membership_x"]
    assert load(write(tmp_path, content)).member.all()


def test_universe_all_ignores_membership(folder: Path) -> None:
    panel = load(folder, universe="all")
    assert panel.member.all()
    assert panel.provenance["universe"] == "all"


def test_universe_list_restricts_columns(folder: Path) -> None:
    panel = load(folder, universe=("BBB",))
    assert panel.symbols == ("BBB", *FUNDS)
    assert panel.member.all()


def test_errors_of_names_outside_the_universe_do_not_stop(tmp_path: Path) -> None:
    content = tables()
    content["prices"].loc[content["prices"]["symbol"] == "AAA", "close"] = "0"
    assert load(write(tmp_path, content), universe=("BBB",)).symbols == ("BBB", *FUNDS)


def test_universe_that_begins_late_is_a_warning(tmp_path: Path) -> None:
    content = tables()
    content["membership_x"]["start_date"] = "2020-01-15"
    panel = load(write(tmp_path, content))
    assert panel.provenance["warnings"]["membership/universe-begins-late"] == 9


# VIX and index


def drop(content: Tables, symbol: str, rows: list[int] | slice) -> Tables:
    gone = DAYS[rows].astype(str)
    frame = content["market"]
    content["market"] = frame[~((frame["symbol"] == symbol) & frame["date"].isin(gone))]
    return content


def test_vix_gap_of_three_sessions_takes_the_last_close(tmp_path: Path) -> None:
    # rulings 12; domain edge case 3.
    panel = load(write(tmp_path, drop(tables(), "VIX", [10, 11, 12])))
    vix = panel.signal("vix")
    assert (vix[10:13] == vix[9]).all()
    assert panel.provenance["warnings"]["vix/vix-filled"] == 3


def test_vix_gap_of_four_sessions_stops_a_run_that_reads_it(tmp_path: Path) -> None:
    folder = write(tmp_path, drop(tables(), "VIX", [10, 11, 12, 13]))
    with pytest.raises(StaleData, match=f"'VIX' has no close from {DAYS[13]} to {DAYS[13]}.*older than 3"):
        load(folder)
    panel = load(folder, ALL - {"vix"})
    assert np.flatnonzero(np.isnan(panel.signal("vix"))).tolist() == [13]


def test_vix_stale_at_the_end_stops(tmp_path: Path) -> None:
    with pytest.raises(StaleData, match=f"from {DAYS[-2]} to {DAYS[-1]}"):
        load(write(tmp_path, drop(tables(), "VIX", slice(len(DAYS) - 5, None))))


@pytest.mark.parametrize("gap", [0, 1, 5])
def test_vix_gap_limit_is_configurable(tmp_path: Path, gap: int) -> None:
    folder = write(tmp_path, drop(tables(), "VIX", list(range(10, 10 + gap + 1))))
    with pytest.raises(DataError, match=str(DAYS[10 + gap])):
        load(folder, max_vix_gap_sessions=gap)
    assert np.isfinite(load(folder, max_vix_gap_sessions=gap + 1).signal("vix")).all()


@pytest.mark.parametrize("symbol", ["SPX", "VIX"])
def test_series_that_begins_late_is_nan_before(tmp_path: Path, symbol: str) -> None:
    role = {"SPX": "index", "VIX": "vix"}[symbol]
    folder = write(tmp_path, drop(tables(), symbol, slice(0, 6)))
    with pytest.raises(MissingData, match=f"{symbol}.*from {DAYS[0]} to {DAYS[5]}"):
        load(folder)
    panel = load_panel(config(folder), ALL, first=DAYS[6], today=TODAY)
    assert np.flatnonzero(np.isnan(panel.signal(role))).tolist() == list(range(6))


def test_index_is_never_filled(tmp_path: Path) -> None:
    folder = write(tmp_path, drop(tables(), "SPX", [10]))
    with pytest.raises(MissingData, match=f"'SPX' has no close from {DAYS[10]} to {DAYS[10]}"):
        load(folder)
    assert np.isnan(load(folder, ALL - {"index"}).signal("index")[10])


def test_vix_off_session_value_is_left_out_with_a_warning(tmp_path: Path) -> None:
    content = tables()
    holiday = pd.DataFrame([{"date": "2020-01-20", "symbol": "VIX", "close": "55"}])
    frame = pd.concat([content["market"], holiday]).sort_values(["symbol", "date"], kind="stable")
    content["market"] = frame.fillna("")
    panel = load(write(tmp_path, content))
    assert 55.0 not in panel.signal("vix")
    assert panel.provenance["warnings"]["vix/non-session"] == 1


def test_index_and_vix_from_files_of_their_own(tmp_path: Path) -> None:
    content = tables()
    market = content["market"]
    for symbol, name in (("SPX", "index.csv"), ("VIX", "vix.csv")):
        market.loc[market["symbol"] == symbol, ["date", "close"]].to_csv(tmp_path / name, index=False)
    content["market"] = market[market["symbol"].isin(FUNDS)]
    folder = write(tmp_path / "data", content)
    panel = load(folder, index_file=tmp_path / "index.csv", vix_file=tmp_path / "vix.csv")
    np.testing.assert_array_equal(panel.signal("index"), column(tables(), "market", "SPX", "close"))
    np.testing.assert_array_equal(panel.signal("vix"), column(tables(), "market", "VIX", "close"))


# What stops a run, and what does not


def test_problems_of_inputs_that_are_not_read_do_not_stop(tmp_path: Path) -> None:
    content = tables()
    del content["market"]
    folder = write(tmp_path, content)
    panel = load_panel(config(folder), frozenset(), today=TODAY)
    assert panel.symbols == STOCKS
    assert not panel.series
    with pytest.raises(MissingData, match=r"add the file|name its symbol"):
        panel.signal("vix")


def test_problems_outside_the_dates_of_the_run_do_not_stop(tmp_path: Path) -> None:
    content = tables()
    content["prices"].loc[1, "close"] = "0"
    folder = write(tmp_path, content)
    with pytest.raises(DataError, match="not above 0"):
        load_panel(config(folder), first=DAYS[0], last=DAYS[5], today=TODAY)
    panel = load_panel(config(folder), first=DAYS[2], today=TODAY)
    assert np.isnan(at(panel, "close", "AAA")[1])


def test_future_rows_are_no_sessions_of_the_panel(tmp_path: Path) -> None:
    folder = write(tmp_path, tables())
    panel = load_panel(config(folder), last=DAYS[19], today=DAYS[20])
    assert panel.dates[-1] == DAYS[20]


def test_a_synthetic_folder_may_reach_into_the_future(folder: Path) -> None:
    (folder / "provenance.json").write_text(json.dumps({"synthetic": True, "seed": 3}))
    panel = load_panel(config(folder), ALL, today=np.datetime64("2019-06-01"))
    assert panel.provenance["synthetic"] is True
    assert panel.provenance["source"]["seed"] == 3


def test_real_folder_is_not_marked_synthetic(folder: Path) -> None:
    assert load(folder).provenance["synthetic"] is False


def test_other_files_are_ignored(folder: Path) -> None:
    before = load(folder).provenance["panel_sha256"]
    (folder / "fundamentals_other_2015.csv").write_text("garbage")
    (folder / "samples").mkdir()
    assert load(folder).provenance["panel_sha256"] == before


def test_unknown_calendar_is_a_config_error(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.calendar XNOPE.*XNYS"):
        load(folder, calendar="XNOPE")


def test_month_ends_come_from_the_calendar(folder: Path) -> None:
    panel = load(folder)
    assert panel.dates[panel.month_end].astype(str).tolist() == ["2020-01-31", "2020-02-28"]


def test_synthetic_market_is_the_default(tmp_path: Path) -> None:
    settings = DataConfig(
        path=None,
        cache=tmp_path,
        synthetic=SyntheticConfig(symbols=20, start="2015-01-02", end="2017-12-29"),  # type: ignore[arg-type]
    )
    panel, findings = load_with_findings(settings)
    assert panel is not None
    assert panel.provenance["synthetic"] is True
    assert [f.message for f in findings if f.severity == "error"] == []


def test_check_lists_every_problem_at_once(tmp_path: Path) -> None:
    content = tables()
    content["prices"].loc[3, "close"] = "0"
    content["prices"].loc[30, "high"] = "1"
    content["market"].loc[5, "volume"] = "-1"
    content["membership_x"].loc[0, "start_date"] = "soon"
    content["symbols"] = pd.DataFrame({"symbol": ["AAA", "AAA"], "gics_sector": ["", ""]})
    folder = write(tmp_path, drop(content, "VIX", [1, 2, 3, 4, 5]))
    findings = check_folder(config(folder), today=TODAY)
    errors = {(f.input, f.code) for f in findings if f.severity == "error"}
    assert errors == {
        ("prices", "bad-price"),
        ("prices", "high-below-low"),
        ("etfs", "bad-volume"),
        ("membership", "unreadable"),
        ("symbols", "bad-symbol"),
        ("vix", "stale-vix"),
    }
    assert [f.severity for f in findings] == sorted(f.severity for f in findings)  # errors first


def test_check_goes_on_when_prices_are_unreadable(tmp_path: Path) -> None:
    content = tables()
    content["market"].loc[5, "volume"] = "-1"
    folder = write(tmp_path, content)
    (folder / "prices.csv").write_bytes(b"\xff\xfe")
    errors = [f for f in check_folder(config(folder), today=TODAY) if f.severity == "error"]
    assert {(f.input, f.code) for f in errors} == {("prices", "unreadable"), ("etfs", "bad-volume")}


def test_check_of_a_sound_folder_has_no_error(folder: Path) -> None:
    findings = check_folder(config(folder), today=TODAY)
    assert [f.message for f in findings if f.severity == "error"] == []


def test_importing_the_loader_is_light() -> None:
    code = (
        "import sys; import feeds.load; "
        "print([m for m in ('pandas', 'pyarrow', 'exchange_calendars', 'numba') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
