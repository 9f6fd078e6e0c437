"""A folder, the database it was loaded into and the folder dumped from it give the same results."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ares7.config import DataConfig
from ares7.database_url import database_path
from feeds.check import check_folder
from feeds.database.dumping import dump_folder
from feeds.database.loading import load_folder
from feeds.load import load_with_findings
from feeds.synthetic import generate, write
from tests.database.frames import assert_same_panels, assert_same_tables, bend
from tests.feeds import small_folder

WINDOW = "oos=[{name: last, start: 2017-04-03, end: 2017-06-30}]"


def panel_of(path, **settings):
    panel, findings = load_with_findings(DataConfig(path=path, **({"cache": None} | settings)))
    return panel, findings


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_panel_and_folder_come_back(made, server, url, tmp_path, form):
    source = made
    if form == "csv":
        source = tmp_path / "csv"
        write(generate(DataConfig().synthetic.model_copy(update={"symbols": 5, "seed": 3})), source, "csv")
    load_folder(source, server)
    panel, findings = panel_of(source)
    stored, told = panel_of(url)
    assert_same_panels(panel, stored)
    assert [(f.severity, f.input, f.code, f.count, f.first, f.last) for f in findings] == [
        (f.severity, f.input, f.code, f.count, f.first, f.last) for f in told
    ]
    assert stored.provenance["synthetic"] is True
    dump_folder(server, tmp_path / "dump")
    assert_same_tables(source, tmp_path / "dump")
    assert_same_panels(panel, panel_of(tmp_path / "dump")[0])
    documents = [
        json.loads((folder / "provenance.json").read_text()) for folder in (source, tmp_path / "dump")
    ]
    assert documents[0] == documents[1]


def test_findings_name_the_database(made, server, url):
    load_folder(made, server)
    messages = [f.message for f in panel_of(url)[1] if "prices" in f.message]
    assert messages
    assert all(message.startswith(f"{server}: prices.parquet") for message in messages)
    assert [f.code for f in check_folder(DataConfig(path=url, cache=None))] == [
        f.code for f in check_folder(DataConfig(path=made, cache=None))
    ]


def test_missing_values_strange_words_and_optional_columns_come_back(server, tmp_path):
    tables = small_folder.tables()
    market = tables["market"]
    market.loc[market["symbol"] == "VIX", ["open", "high", "low", "adj_close", "volume"]] = ""
    tables["market"] = market.sample(frac=1, random_state=1).sort_values("date", kind="stable")
    tables["symbols"] = pd.DataFrame(
        {"symbol": ["AAA", "Ünï 'x\"\\", "NA"], "sector": ["Energy", "a, b", ""], "n": ["1", "", "3"]}
    )
    tables["earnings"] = pd.DataFrame(
        {
            "symbol": ["AAA", "BBB", "AAA"],
            "announce_date": ["2020-01-03", "2020-01-06", "2020-02-03"],
            "session": ["pre", "post", "unknown"],
            "eps_actual": ["1e-300", "-0.0", ""],
            "eps_estimate": ["", "inf", "0.1"],
        }
    )
    tables["buyback_events"] = pd.DataFrame(
        {"event_date": ["2020-01-03"], "ticker": ["AAA"], "amount_usd": ["12345678.9"]}
    )
    folder = small_folder.write(tmp_path / "small", tables)
    load_folder(folder, server)
    dump_folder(server, tmp_path / "dump")
    assert_same_tables(folder, tmp_path / "dump")
    symbols = pd.read_parquet(tmp_path / "dump" / "symbols.parquet")
    assert symbols["sector"].tolist() == ["Energy", "a, b", ""]
    assert (tmp_path / "dump" / "membership_x.parquet").is_file()
    assert list(pd.read_parquet(tmp_path / "dump" / "buyback_events.parquet")) == [
        "event_date",
        "ticker",
        "amount_usd",
    ]


@pytest.mark.parametrize("column", ["eps_estimate", "source"])
def test_a_column_that_no_file_had_is_not_dumped(market, server, tmp_path, column):
    bend(market, "earnings", lambda frame: frame.drop(columns=[column], errors="ignore"))
    load_folder(market, server)
    dump_folder(server, tmp_path / "dump")
    assert column not in pd.read_parquet(tmp_path / "dump" / "earnings.parquet")
    assert_same_tables(market, tmp_path / "dump")


def test_a_backtest_from_the_url_gives_the_same_files(made, url, call):
    assert call("data", "load", made, "--to", url).code == 0
    common = ("--strategy", "equal_weight", "--set", "runs.report=false", "--json")
    one, other = (call("backtest", "--data", path, *common) for path in (made, url))
    assert (one.code, other.code) == (0, 0), other.err
    assert one.json["metrics"] == other.json["metrics"]
    for name in ("equity.csv", "trades.csv", "orders.csv", "target_weights.parquet"):
        files = [Path(answer.json["run"]) / name for answer in (one, other)]
        assert files[0].read_bytes() == files[1].read_bytes(), name
    config = (Path(other.json["run"]) / "config.yaml").read_text()
    assert f"path: {url}" in config
    again = call("backtest", "--config", Path(other.json["run"]) / "config.yaml", *common[2:])
    assert again.json["metrics"] == one.json["metrics"]


@pytest.mark.parametrize(
    "verb", [("check",), ("grid", "--set", "search.top_quantile=0.2,0.4", "--set", WINDOW), ("ladder",)]
)
def test_other_verbs_read_the_url(made, url, call, verb):
    assert call("data", "load", made, "--to", url).code == 0
    extra = () if verb[0] == "ladder" else ("--strategy", "low_volatility")
    extra = (*extra, "--set", "runs.report=false", "--set", "period.end=2017-06-30", "--json")
    one, other = (call(*verb, "--data", path, *extra) for path in (made, url))
    assert one.code == other.code
    assert other.code in (0, 1), other.err
    assert one.json["metrics"].keys() == other.json["metrics"].keys()
    if verb[0] == "grid":
        names = ("points.csv", "curves.npy")
        for name in names:
            files = [Path(answer.json["run"]) / name for answer in (one, other)]
            assert files[0].read_bytes() == files[1].read_bytes(), name


def test_sectors_and_other_tables_are_read_from_the_database(made, server, url, tmp_path):
    from ares7.config import Config
    from feeds.limit_report import read_sectors, sectors_of

    load_folder(made, server)
    config = Config.model_validate(
        {
            "costs": {"model": "bps", "bps": 1},
            "data": {"path": url, "cache": tmp_path / "cache"},
            "limits": {"max_sector_weight": 0.5},
        }
    )
    assert sectors_of(config) == read_sectors(made) != {}


@pytest.mark.real_data
@pytest.mark.skipif("ARES7_DATA" not in os.environ, reason="ARES7_DATA names no real data folder")
def test_the_real_data_come_back_bit_for_bit(server, url, tmp_path):
    folder = Path(os.environ["ARES7_DATA"])
    load_folder(folder, server)
    panel, stored = panel_of(folder)[0], panel_of(url)[0]
    assert_same_panels(panel, stored)
    dump_folder(server, tmp_path / "dump")
    assert_same_tables(folder, tmp_path / "dump")


def test_bars_survive_the_way_through_the_server_with_every_kind_of_number(server, tmp_path):
    """Infinities, the smallest numbers, a negative zero, names of several lengths, none at all."""
    from feeds.database.bars import Bars, read_bars, write_bars
    from feeds.database.migrate import prepare
    from feeds.database.tables import DATA, SCHEMA

    values = np.array(
        [
            [np.inf, -np.inf, 5e-324, -0.0, 1.7976931348623157e308, np.nan],
            [np.nan] * 6,
            [0.1] * 6,
            [1 / 3] * 6,
        ]
    )
    days = np.array(["1900-01-02", "9999-12-31", "2000-01-01", "1999-12-31"], dtype="datetime64[D]")
    given = Bars(("A", "Long name", "Ωé"), np.array([0, 0, 1, 2]), days, values)
    with server.writing() as connection:
        prepare(server, connection)
        write_bars(
            connection,
            "market",
            SCHEMA,
            Bars(
                *(getattr(given, n) for n in ("symbols", "codes", "days")),
                np.where(np.isnan(values), 1.0, values),
            ),
        )
        write_bars(connection, "prices", SCHEMA, given)
        found = read_bars(connection, DATA["prices"])
    assert found.symbols == given.symbols
    assert found.days.tolist() == days.tolist()
    assert found.codes.tolist() == [0, 0, 1, 2]
    assert found.values.tobytes() == values.tobytes()


def test_a_url_is_a_place_of_its_own():
    place = database_path("postgresql://u@h/d?host=/x")
    assert (str(place), place.exists(), os.fspath(place)) == (place.url, False, place.url)
    assert DataConfig(path=place).path is place
