"""Which findings stop a run, and what ``data check`` lists (rulings 23)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ares7.config import DataConfig, SyntheticConfig
from ares7.errors import ConfigError, DataError, MissingData
from feeds.check import check_folder
from feeds.load import load_panel, load_with_findings
from tests.feeds.small_folder import (
    ALL,
    DAYS,
    STOCKS,
    TODAY,
    at,
    config,
    drop,
    load,
    tables,
    write,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "data", tables())


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


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"nowhere does not exist; correct data\.path or --data"):
        load_panel(config(tmp_path / "nowhere"))


def test_file_where_a_folder_is_meant(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text("date\n")
    with pytest.raises(DataError, match=r"is a file; .*data\.layout"):
        load_panel(config(tmp_path / "prices.csv"))


def test_vendor_layout_without_files() -> None:
    with pytest.raises(ConfigError, match=r"data\.layout is yfinance_single and data\.path is not set"):
        load_panel(config(None, layout="yfinance_single"))  # type: ignore[arg-type]


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path, tables(), ".parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match="pip install 'pyarrow>=18'"):
        load_panel(config(folder), today=TODAY)
