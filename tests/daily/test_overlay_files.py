"""Production files: what is read, what is refused and with which words, and that pairs are replaced together."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ares7.errors import DataError, MissingData, StaleData
from live.daily.acting_session import Acting
from live.daily.outputs import PUBLISHING, STAGING, Outputs, read_sidecar, sidecar_path
from live.daily.overlay_files import blend_name, read_base, read_tilts, tilt_name, weights_name
from tests.daily.desk import pair

D = np.datetime64
ACTING = Acting(D("2017-12-20"), D("2017-12-21"), D("2017-12-21"))
COLUMNS = ("tilt_wavelet", "tilt")


def tilts(tmp_path, text, columns=COLUMNS):
    path = tmp_path / "wavelet_overlay_latest.csv"
    path.write_text(text)
    return read_tilts(path, columns, ACTING, "run it again")


def base(tmp_path, text, **options):
    path = tmp_path / "base.csv"
    path.write_text(text)
    return read_base(path, ACTING, **options)


@pytest.mark.parametrize("column", ["tilt_wavelet", "tilt"])
def test_the_originals_overlay_files_are_read_and_are_undated(tmp_path, column):
    read = tilts(tmp_path, f"symbol,{column}\nMSFT,0.01\nAAPL,-0.002\n")
    assert read.by_symbol == {"MSFT": 0.01, "AAPL": -0.002}
    assert read.symbols == ("MSFT", "AAPL")
    assert read.as_of is None


def test_a_column_of_dates_dates_a_file(tmp_path):
    assert tilts(tmp_path, "date,symbol,tilt\n2017-12-20,A,0.1\n").as_of == ACTING.as_of


def test_a_sidecar_dates_a_file_without_a_column(tmp_path):
    path = pair(
        tmp_path, "wavelet_overlay_latest.csv", {"symbol": ["A"], "tilt": [0.1]}, {"as_of": "2017-12-20"}
    )
    assert read_tilts(path, COLUMNS, ACTING, "").as_of == ACTING.as_of


REFUSED_TILTS = {
    "no column": ("symbol,weight\nA,0.1\n", MissingData, ["lacks the column tilt_wavelet or tilt"]),
    "no symbol column": ("name,tilt\nA,0.1\n", MissingData, ["symbol"]),
    "empty": ("", DataError, ["is empty"]),
    "no rows": ("symbol,tilt\n", DataError, ["no rows"]),
    "a symbol twice": ("symbol,tilt\nA,0.1\nB,0\nA,0.2\n", DataError, ["1 symbols twice (A)", "keep one"]),
    "no number": ("symbol,tilt\nA,0.1\nB,\n", DataError, ["the tilt of B is nan", "1 such rows"]),
    "infinite": ("symbol,tilt\nA,inf\n", DataError, ["the tilt of A is inf"]),
    "a word": ("symbol,tilt\nA,much\n", DataError, ["data row 1", "much"]),
    "no symbol": ("symbol,tilt\nA,0.1\n,0.2\n", DataError, ["data row 2 has no symbol"]),
    "the session before": (
        "date,symbol,tilt\n2017-12-19,A,0.1\n",
        StaleData,
        ["is stale", "2017-12-19", "2017-12-20", "run it again"],
    ),
    "the session after": ("date,symbol,tilt\n2017-12-21,A,0.1\n", DataError, ["in the future", "2017-12-21"]),
    "two dates": (
        "date,symbol,tilt\n2017-12-19,A,0.1\n2017-12-20,B,0.1\n",
        DataError,
        ["several dates (2017-12-19 to 2017-12-20)"],
    ),
    "no date": ("date,symbol,tilt\n,A,0.1\n", DataError, ["data row 1 has no date"]),
    "a time": ("date,symbol,tilt\n2017-12-20 09:00:00,A,0.1\n", DataError, ["time"]),
}


@pytest.mark.parametrize("case", REFUSED_TILTS)
def test_an_overlay_file_that_cannot_be_trusted_is_refused(tmp_path, case):
    text, kind, words = REFUSED_TILTS[case]
    with pytest.raises(kind) as error:
        tilts(tmp_path, text)
    assert all(word in str(error.value) for word in [*words, "wavelet_overlay_latest.csv"])


def test_a_missing_overlay_file_says_what_makes_it(tmp_path):
    with pytest.raises(MissingData, match="does not exist; run it again"):
        read_tilts(tmp_path / "wavelet_overlay_latest.csv", COLUMNS, ACTING, "run it again")


def test_base_weights_of_a_history_are_those_of_the_session(tmp_path):
    text = "date,symbol,weight\n2017-12-19,A,0.9\n2017-12-20,A,0.3\n2017-12-20,B,0.2\n2017-12-21,A,0.1\n"
    read = base(tmp_path, text)
    assert (read.by_symbol, read.as_of) == ({"A": 0.3, "B": 0.2}, ACTING.as_of)


def test_base_weights_without_a_date_are_undated(tmp_path):
    read = base(tmp_path, "symbol,weight\nA,0.5\nB,0.5\n")
    assert (read.by_symbol, read.as_of) == ({"A": 0.5, "B": 0.5}, None)


REFUSED_BASES = {
    "stale": ("date,symbol,weight\n2017-12-19,A,0.9\n", StaleData, ["is stale", "2017-12-19"]),
    "only later": ("date,symbol,weight\n2017-12-21,A,0.9\n", DataError, ["no date up to 2017-12-20"]),
    "future": (
        "date,symbol,weight\n2017-12-20,A,0.9\n2017-12-22,A,0.9\n",
        DataError,
        ["2017-12-22", "in the future"],
    ),
    "negative": ("symbol,weight\nA,0.5\nB,-0.1\n", DataError, ["the weight of B is -0.1", "1 negative"]),
    "above one": ("symbol,weight\nA,0.6\nB,0.5\n", DataError, ["sum to 1.1", "not percent"]),
    "no number": ("symbol,weight\nA,\n", DataError, ["the weight of A is nan"]),
    "twice": ("symbol,weight\nA,0.1\nA,0.1\n", DataError, ["twice (A)"]),
    "no column": ("symbol,share\nA,0.1\n", MissingData, ["lacks the column weight"]),
}


@pytest.mark.parametrize("case", REFUSED_BASES)
def test_base_weights_that_cannot_be_trusted_are_refused(tmp_path, case):
    text, kind, words = REFUSED_BASES[case]
    with pytest.raises(kind) as error:
        base(tmp_path, text)
    assert all(word in str(error.value) for word in [*words, "base.csv"])


def test_a_sum_of_one_and_a_little_rounding_is_accepted(tmp_path):
    assert len(base(tmp_path, "symbol,weight\nA,0.5\nB,0.5000009\n").symbols) == 2


def test_a_file_that_was_edited_is_refused(tmp_path):
    path = pair(tmp_path, "a.csv", {"symbol": ["A"], "tilt": [0.1]}, {"as_of": "2017-12-20"})
    path.write_text(path.read_text().replace("0.1", "0.2"))
    with pytest.raises(DataError, match=r"do not belong together.*run 'python run\.py daily' again"):
        read_tilts(path, COLUMNS, ACTING, "")


@pytest.mark.parametrize("text", ["", "{", "[1", '{"schema": 99}'])
def test_a_damaged_sidecar_is_refused(tmp_path, text):
    path = pair(tmp_path, "a.csv", {"symbol": ["A"], "tilt": [0.1]}, {})
    sidecar_path(path).write_text(text)
    with pytest.raises(DataError, match="daily"):
        read_sidecar(path)


def test_a_json_file_of_somebody_else_is_no_sidecar(tmp_path):
    path = tmp_path / "base.csv"
    path.write_text("symbol,weight\nA,0.1\n")
    sidecar_path(path).write_text('{"author": "me"}')
    assert read_base(path, ACTING).as_of is None


def test_names_of_demo_files_are_their_own():
    for name in (tilt_name("pead"), blend_name("20171220"), weights_name("20171220")):
        assert "_demo" not in name
    assert tilt_name("pead", demo=True) == "pead_overlay_demo.csv"
    assert blend_name("20171220", demo=True) == "wavelet_pead_overlay_demo_20171220.csv"
    assert weights_name("20171220", demo=True) == "ares7_demo_weights_20171220.csv"


def staged(folder, value):
    outputs = Outputs(folder)
    outputs.recover()
    for name in ("a.csv", "b.csv"):
        outputs.stage(name, f"symbol,tilt\nA,{value}\n".encode(), {"as_of": "2017-12-20"})
    return outputs


def test_nothing_is_seen_before_it_is_published(tmp_path):
    outputs = staged(tmp_path, 1)
    assert not (tmp_path / "a.csv").exists()
    assert Outputs(tmp_path).find("a.csv") == tmp_path / "a.csv"
    assert outputs.find("a.csv").read_text().endswith("A,1\n")
    outputs.publish()
    assert read_sidecar(tmp_path / "a.csv")["as_of"] == "2017-12-20"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv", "a.json", "b.csv", "b.json"]


def test_what_was_only_staged_is_dropped(tmp_path):
    staged(tmp_path, 1).publish()
    staged(tmp_path, 2)
    assert (tmp_path / STAGING).is_dir()
    assert Outputs(tmp_path).recover() == []
    assert (tmp_path / "a.csv").read_text().endswith("A,1\n")
    assert not (tmp_path / STAGING).exists()


def test_what_was_being_published_is_finished_and_read_meanwhile(tmp_path):
    staged(tmp_path, 1).publish()
    staged(tmp_path, 2)
    (tmp_path / STAGING).rename(tmp_path / PUBLISHING)
    (tmp_path / PUBLISHING / "a.csv").replace(tmp_path / "a.csv")
    reader = Outputs(tmp_path)
    assert reader.find("b.csv").read_text().endswith("A,2\n")
    assert read_sidecar(reader.find("a.csv")) is not None
    assert read_sidecar(reader.find("b.csv")) is not None
    assert reader.recover() == ["a.json", "b.csv", "b.json"]
    for name in ("a.csv", "b.csv"):
        assert (tmp_path / name).read_text().endswith("A,2\n")
        assert read_sidecar(tmp_path / name) is not None
    assert not (tmp_path / PUBLISHING).exists()


def test_a_sidecar_names_its_file_and_hash(tmp_path):
    path = pair(tmp_path, "a.csv", {"symbol": ["A"], "tilt": [float(np.float64(0.1))]}, {"mode": "normal"})
    found = json.loads(sidecar_path(path).read_text())
    assert (found["file"], found["schema"], len(found["sha256"])) == ("a.csv", 1, 64)
