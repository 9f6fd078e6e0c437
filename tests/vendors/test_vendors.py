"""Each vendor's layout becomes the canonical one."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import zipfile

import numpy as np
import pandas as pd
import pytest

from tests.vendors import layouts, made
from tests.vendors.server import Reply

UNTIL = ("--start", "2022-01-03", "--end", "2024-03-08")
NAMES = ("--universe", ",".join(made.STOCKS))


def table(folder, name="prices"):
    return pd.read_parquet(folder / f"{name}.parquet")


def of(rows, symbol):
    return rows[rows["symbol"] == symbol].drop(columns="symbol").reset_index(drop=True)


def equal(got, wanted):
    pd.testing.assert_frame_equal(got, wanted, check_dtype=False, check_like=True)


@pytest.fixture
def polygon(vendor):
    found = layouts.Polygon()
    vendor.routes |= found.routes()
    return found


@pytest.fixture
def sharadar(vendor):
    found = layouts.Sharadar(page=1000)
    vendor.routes["/api/v3/datatables/SHARADAR/*"] = found
    return found


# Polygon


def test_polygon_takes_histories_by_symbol_and_new_days_for_all_at_once(fetch, vendor, polygon, folder):
    assert fetch("polygon", *NAMES, "--start", "2022-01-03", "--end", "2024-03-07")[0] == 0
    assert len(vendor.requests) == 5 + 6
    vendor.requests.clear()
    assert fetch("polygon", *NAMES, "--end", "2024-03-08")[0] == 0
    # Five sessions again, and one new one: one request each, for eleven names.
    assert [path.rpartition("/")[2] for path in vendor.paths] == [
        "2024-03-01",
        "2024-03-04",
        "2024-03-05",
        "2024-03-06",
        "2024-03-07",
        "2024-03-08",
    ]
    wanted = made.bars("BRK-B").assign(adj_close=lambda rows: rows["close"])
    equal(of(table(folder), "BRK-B"), wanted)
    equal(of(table(folder, "market"), "SPY"), made.bars("SPY"))


def test_polygon_fetches_a_symbol_again_after_its_split(fetch, vendor, polygon, folder):
    fetch("polygon", *NAMES, "--start", "2022-01-03", "--end", "2024-03-07")
    polygon.changes["AAPL"] = {"split": 4.0}
    vendor.requests.clear()
    code, out, _ = fetch("polygon", *NAMES, "--end", "2024-03-08")
    assert code == 0
    assert "split AAPL: 4:1" in out
    assert vendor.paths[-1] == "/v2/aggs/ticker/AAPL/range/1/day/2022-01-03/2024-03-08"
    np.testing.assert_array_equal(of(table(folder), "AAPL")["close"], made.bars("AAPL", split=4.0)["close"])


def test_polygon_says_that_it_has_no_dividends(fetch, polygon, folder, data_check):
    fetch("polygon", *NAMES, *UNTIL)
    told = json.loads((folder / "provenance.json").read_text())["fetch"]["sources"]["polygon"]
    assert told["adjustment"]["adj_close"] == "split"
    _, found = data_check(folder)
    assert "no-dividends" in {finding["code"] for finding in found["findings"]}


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"status": "OK", "adjusted": False, "results": []}, "does not say that its prices are adjusted"),
        ({"status": "ERROR", "error": "no such plan"}, "no such plan"),
        ({"status": "OK", "adjusted": True, "results": [{"o": 1}]}, "lacks the columns ['h'"),
        (
            {
                "status": "OK",
                "adjusted": True,
                "results": [{"o": "x", "h": 1, "l": 1, "c": 1, "v": 1, "t": 1}],
            },
            "'x'",
        ),
        ({"status": "OK", "adjusted": True, "results": 5}, "no rows"),
        ([], "not a JSON object"),
    ],
)
def test_polygon_answers_that_are_none(fetch, vendor, folder, told, words):
    vendor.routes["/v2/*"] = Reply(json.dumps(told), kind="application/json")
    code, _, err = fetch("polygon", "--universe", "AAPL", *UNTIL)
    assert code == 2
    assert words in err
    assert not (folder / "prices.parquet").exists()


def test_polygon_next_pages_are_followed_at_the_same_place_only(fetch, vendor, folder):
    bar = {"o": 1.0, "h": 1.0, "l": 1.0, "c": 1.0, "v": 5}

    def page(path, query):
        at = int(query.get("page", 0))
        stamp = int(pd.Timestamp("2024-03-05", tz="America/New_York").timestamp() * 1000) + at * 86_400_000
        told = {"status": "OK", "adjusted": True, "results": [{**bar, "t": stamp}]}
        if at < 2:
            told["next_url"] = f"{vendor.url}{path}?page={at + 1}"
        return Reply(json.dumps(told))

    vendor.routes["/v2/*"] = page
    assert fetch("polygon", "--universe", "AAPL", *UNTIL, "--set", "data.etfs=[]")[0] == 0
    assert table(folder)["date"].dt.day.tolist() == [5, 6, 7]
    told = {"status": "OK", "adjusted": True, "results": [], "next_url": "https://elsewhere.example.com/x"}
    vendor.routes["/v2/*"] = Reply(json.dumps(told))
    code, _, err = fetch("polygon", "--universe", "MSFT", *UNTIL, "--set", "data.etfs=[]")
    assert (code, "another place" in err) == (2, True)


@pytest.fixture
def flat_files(tmp_path):
    """Day files of traded prices: AAPL was split 4:1 on 2024-02-01."""
    place = tmp_path / "flat"
    place.mkdir()
    for day in made.days(dt.date(2024, 1, 2), dt.date(2024, 3, 8)).tolist():
        stamp = int(pd.Timestamp(day, tz="America/New_York").timestamp()) * 10**9
        lines = ["ticker,volume,open,close,high,low,window_start,transactions"]
        for ticker in ("AAPL", "BRK.B", *made.FUNDS):
            (bar,) = made.bars(ticker.replace(".", "-"), day, day).itertuples()
            by = 4 if ticker == "AAPL" and day < dt.date(2024, 2, 1) else 1
            prices = [bar.open * by, bar.close * by, bar.high * by, bar.low * by]
            lines.append(
                ",".join(map(repr, [ticker, bar.volume / by, *prices, stamp])).replace("'", "") + ","
            )
        content = "\n".join(lines).encode()
        if day.day % 2:
            (place / f"{day}.csv").write_bytes(content)
        else:
            (place / f"{day}.csv.gz").write_bytes(gzip.compress(content))
    (place / "splits.csv").write_text("ticker,execution_date,split_from,split_to\nAAPL,2024-02-01,1,4\n")
    return place


def test_polygon_day_files_are_adjusted_by_the_splits_beside_them(fetch, vendor, flat_files, folder):
    words = (
        "--universe",
        "AAPL,BRK-B",
        "--from",
        str(flat_files),
        "--start",
        "2024-01-02",
        "--end",
        "2024-03-08",
    )
    assert fetch("polygon", *words)[0] == 0
    assert vendor.requests == []
    for symbol in ("AAPL", "BRK-B"):
        wanted = made.bars(symbol, dt.date(2024, 1, 2))
        equal(of(table(folder), symbol), wanted.assign(adj_close=wanted["close"]))


def test_polygon_day_files_without_splits_are_refused(fetch, flat_files):
    (flat_files / "splits.csv").unlink()
    code, _, err = fetch("polygon", "--universe", "AAPL", "--from", str(flat_files), *UNTIL)
    assert code == 2
    assert "splits.csv" in err


def test_a_day_file_of_another_day_is_refused(fetch, flat_files):
    (flat_files / "2024-01-02.csv.gz").rename(flat_files / "2024-01-03.csv.gz")
    (flat_files / "2024-01-03.csv").unlink()
    code, _, err = fetch("polygon", "--universe", "AAPL", "--from", str(flat_files), *UNTIL)
    assert code == 2
    assert "2024-01-02, not the day of its name" in err


# Sharadar


def test_sharadar_gives_prices_funds_fundamentals_and_names(fetch, vendor, sharadar, folder):
    assert fetch("sharadar", *NAMES, *UNTIL)[0] == 0
    equal(of(table(folder), "BRK-B"), made.bars("BRK-B"))
    equal(of(table(folder, "market"), "TLT"), made.bars("TLT"))
    filed = of(table(folder, "fundamentals"), "AAPL").set_index("report_period")
    row = filed.loc["2022-06-30"]
    assert row["filing_date"] == pd.Timestamp("2022-08-09")
    assert row["roe"] == pytest.approx(120 / 500)
    assert row["ebitda_margin"] == pytest.approx(302 / 1005)
    assert row["operating_margin"] == pytest.approx(250 / 1005)
    assert row["debt_to_equity"] == pytest.approx(202 / 500)
    assert row["liabilities_to_equity"] == pytest.approx(700 / 500)
    assert row["dimension"] == "ART"
    names = table(folder, "symbols").set_index("symbol")
    assert names.loc["BRK-B", "name"] == "BRK.B Inc"
    assert not names["delisted"].any()
    # Pages of a thousand rows were put together.
    assert any("qopts.cursor_id" in query for _, query, _ in vendor.requests)


def test_sharadar_asks_for_the_new_days_of_many_symbols_at_once(fetch, vendor, sharadar, folder):
    fetch("sharadar", *NAMES, "--start", "2022-01-03", "--end", "2024-03-07")
    vendor.requests.clear()
    sharadar.changes["JPM"] = {"dividends": [("2024-03-08", 0.01)]}
    code, out, _ = fetch("sharadar", *NAMES, "--end", "2024-03-08")
    assert code == 0
    assert "dividend JPM: adjusted closes times 0.99" in out
    asked = [(path.rpartition("/")[2], query["ticker"]) for path, query, _ in vendor.requests]
    assert ("SEP.json", "AAPL,BIL,BRK.B,GLD,IEF,JPM,MSFT,SHY,SPY,TLT,XOM") in asked
    assert ("SEP.json", "JPM") in asked
    wanted = made.bars("JPM", dividends=[("2024-03-08", 0.01)])
    np.testing.assert_array_equal(of(table(folder), "JPM")["adj_close"], wanted["adj_close"])


def test_a_list_of_the_users_own_stays_and_names_the_universe(fetch, sharadar, folder):
    folder.mkdir()
    (folder / "symbols.csv").write_text("symbol,sp100\nAAPL,true\nJPM,false\nXOM,true\n")
    code, out, _ = fetch("sharadar", "--universe", "sp100", *UNTIL)
    assert code == 0
    assert "survivorship bias" in out
    assert set(table(folder)["symbol"]) == {"AAPL", "XOM"}
    assert not (folder / "symbols.parquet").exists()
    code, _, err = fetch("sharadar", *UNTIL, "--kinds", "names")
    assert (code, "symbols.csv was not written by data fetch" in err) == (2, True)


@pytest.mark.parametrize("ending", ["csv", "zip"])
def test_sharadar_files_of_this_machine_give_the_same(fetch, vendor, sharadar, folder, tmp_path, ending):
    place = tmp_path / "bulk"
    place.mkdir()
    first, last = dt.date(2021, 6, 1), made.LAST
    tables = {
        "SEP": (layouts.SEP, layouts.sep_rows(sharadar.stocks, first, last)),
        "SFP": (layouts.SEP, layouts.sep_rows(sharadar.funds, first, last)),
        "SF1": (layouts.SF1, layouts.sf1_rows([*sharadar.stocks, "NA"])),
        "TICKERS": (layouts.TICKERS, layouts.tickers_rows([*sharadar.stocks, "NA"])),
    }
    for name, (columns, rows) in tables.items():
        body = pd.DataFrame(rows, columns=[*columns]).to_csv(index=False)
        if ending == "csv":
            (place / f"SHARADAR_{name}.csv").write_text(body)
        else:
            with zipfile.ZipFile(place / f"{name}.zip", "w") as archive:
                archive.writestr(f"SHARADAR_{name}_2_abc.csv", body)
    assert fetch("sharadar", *NAMES, *UNTIL)[0] == 0
    asked = len(vendor.requests)
    other = tmp_path / "other"
    assert fetch("sharadar", *NAMES, *UNTIL, "--from", str(place), to=other)[0] == 0
    assert len(vendor.requests) == asked
    for name in ("prices", "market", "fundamentals", "symbols"):
        pd.testing.assert_frame_equal(table(folder, name), table(other, name))


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"quandl_error": {"code": "X"}}, "no datatable"),
        (
            {"datatable": {"data": [], "columns": [{"name": "ticker"}]}, "meta": {"next_cursor_id": None}},
            "lacks the",
        ),
        ({"datatable": {"data": [["AAPL"]], "columns": [{"name": "ticker"}]}, "meta": {}}, "no datatable"),
    ],
)
def test_sharadar_answers_that_are_none(fetch, vendor, told, words):
    vendor.routes["/api/v3/*"] = Reply(json.dumps(told))
    code, _, err = fetch("sharadar", "--universe", "AAPL", *UNTIL)
    assert code == 2
    assert words in err


def test_a_damaged_file_of_sharadar_is_one_error(fetch, tmp_path):
    (tmp_path / "SEP.zip").write_bytes(b"PK\x03\x04 nothing")
    code, _, err = fetch("sharadar", "--universe", "AAPL", *UNTIL, "--from", str(tmp_path))
    assert code == 2
    assert "SEP.zip is no readable Sharadar table" in err
    (tmp_path / "SEP.zip").unlink()
    (tmp_path / "SEP.csv").write_text("ticker,date\nAAPL,2024-01-02\n")
    code, _, err = fetch("sharadar", "--universe", "AAPL", *UNTIL, "--from", str(tmp_path))
    assert (code, "lacks the columns" in err) == (2, True)


# FRED, Cboe


def test_fred_and_cboe_give_the_same_closes(fetch, folder, tmp_path):
    assert fetch("fred", *UNTIL, "--set", "fetch.fred.names={VIX: VIXCLS}")[0] == 0
    assert fetch("cboe", *UNTIL, to=tmp_path / "other")[0] == 0
    pd.testing.assert_frame_equal(table(folder, "market"), table(tmp_path / "other", "market"))
    known, closes = made.vix()
    rows = of(table(folder, "market"), "VIX")
    np.testing.assert_array_equal(rows["close"], closes)
    assert rows["date"].to_numpy().astype("datetime64[D]").tolist() == known.tolist()
    assert rows[["open", "high", "low", "adj_close", "volume"]].isna().all(axis=None)


def test_fred_names_each_series(fetch, vendor, folder):
    assert fetch("fred", *UNTIL)[0] == 0
    assert sorted(query["id"] for _, query, _ in vendor.requests) == ["SP500", "VIXCLS"]
    assert set(table(folder, "market")["symbol"]) == {"SPX", "VIX"}


# yfinance


def test_yahoo_rows_without_a_price_are_no_bars_and_unusable_ones_are_told(fetch_yahoo, yahoo, folder):
    download = yahoo.download

    def holes(ticker, first, last):
        frame = download(ticker, first, last)
        if ticker == "AAPL":
            frame.iloc[5] = np.nan
            frame.iloc[7, frame.columns.get_loc("Open")] = np.nan
            frame.iloc[9, frame.columns.get_loc("Low")] = 0.0
        return frame

    yahoo.download = holes
    outcome = fetch_yahoo(*NAMES, "--start", "2022-01-03")
    assert [(f["code"], f["symbol"]) for f in outcome.findings] == [("unusable-bar", "AAPL")]
    assert "2 rows" in outcome.findings[0]["text"]
    assert len(of(table(folder), "AAPL")) == len(made.bars("AAPL")) - 3


def test_yahoo_days_without_a_session_are_left_out_and_told(fetch_yahoo, yahoo, folder):
    download = yahoo.download

    def sunday(ticker, first, last):
        frame = download(ticker, first, last)
        extra = frame.iloc[[0]].set_axis(pd.DatetimeIndex(["2024-03-03"], tz="America/New_York", name="Date"))
        return pd.concat([frame, extra]) if ticker == "JPM" else frame

    yahoo.download = sunday
    outcome = fetch_yahoo(*NAMES, "--start", "2022-01-03")
    assert [(f["code"], f["symbol"]) for f in outcome.findings] == [("off-session", "JPM")]
    equal(of(table(folder), "JPM"), made.bars("JPM"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda frame: frame.drop(columns="Adj Close"), "Adj Close"),
        (lambda frame: frame.reset_index(drop=True), "not dates"),
        (lambda frame: frame.set_axis(frame.index + pd.Timedelta(hours=9)), "times of day"),
        (lambda frame: frame.astype({"Open": object}).assign(Open="x"), "no number"),
    ],
)
def test_a_changed_layout_of_yahoo_is_one_error(fetch_yahoo, yahoo, folder, change, words):
    from ares7.errors import DataError

    download = yahoo.download
    yahoo.download = lambda *asked: change(download(*asked))
    with pytest.raises(DataError, match=words):
        fetch_yahoo(*NAMES, "--start", "2022-01-03")
    assert not (folder / "prices.parquet").exists()


def test_yahoo_announcements_become_the_earnings_table(fetch_yahoo, yahoo, folder, data_check):
    times = pd.DatetimeIndex(
        ["2024-05-02 16:30:00", "2024-02-01 16:30:00", "2023-11-02 08:00:00", "2023-08-03 12:00:00"],
        tz="America/New_York",
        name="Earnings Date",
    )
    for symbol in made.STOCKS:
        yahoo.announced[symbol] = pd.DataFrame(
            {
                "EPS Estimate": [1.5, 2.1, 1.4, 1.2],
                "Reported EPS": [np.nan, 2.2, 1.5, 1.1],
                "Surprise(%)": 1.0,
            },
            index=times,
        )
    fetch_yahoo(*NAMES, "--start", "2022-01-03", "--kinds", "bars,earnings")
    rows = of(table(folder, "earnings"), "AAPL")
    assert rows["session"].tolist() == ["intraday", "pre", "post", "post"]
    assert rows["announce_date"].dt.strftime("%m-%d").tolist() == ["08-03", "11-02", "02-01", "05-02"]
    np.testing.assert_array_equal(rows["eps_actual"], [1.1, 1.5, 2.2, np.nan])
    code, found = data_check(folder)
    assert [f for f in found["findings"] if f["severity"] == "error" and f["input"] == "earnings"] == []
    assert code == 0


def test_without_the_library_yahoo_is_one_clear_error(fetch, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "yfinance", None)
    code, _, err = fetch("yfinance", *NAMES, *UNTIL)
    assert code == 2
    assert "pip install -e '.[data]'" in err
