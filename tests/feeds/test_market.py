"""Index and VIX: filled a little, never made up (rulings 12, C7)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ares7.errors import DataError, MissingData, StaleData
from feeds.load import load_panel
from tests.feeds.small_folder import (
    ALL,
    DAYS,
    FUNDS,
    TODAY,
    column,
    config,
    drop,
    load,
    tables,
    write,
)


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
