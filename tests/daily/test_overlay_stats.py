"""The weekly and monthly checks: what they count, and what they call not as it should be."""

from __future__ import annotations

import shutil
from itertools import pairwise

import numpy as np
import pytest

from ares7.errors import ConfigError, MissingData
from live.daily.overlay_stats import lines_of, overlay_stats
from tests.daily.desk import Desk, moment

DAYS = ["2017-12-13", "2017-12-14", "2017-12-15", "2017-12-18", "2017-12-19", "2017-12-20"]
NOW = moment("2017-12-20 22:00:00")


def stats(desk, last=30, now=NOW, until=None):
    return overlay_stats(desk.config(), last, now, None if until is None else np.datetime64(until))


@pytest.fixture(scope="module")
def six_sessions(market, shared_cache, tmp_path_factory):
    """A desk that has published; to be copied."""
    data = {"path": str(market), "cache": str(shared_cache)}
    made = Desk(
        tmp_path_factory.mktemp("six") / "desk", {"data": data, "strategy": {"name": "low_volatility"}}
    )
    for day in DAYS:
        made.daily(day)
    return made


@pytest.fixture
def published(six_sessions, tmp_path):
    folder = tmp_path / "desk"
    shutil.copytree(six_sessions.folder, folder)
    return Desk(folder, six_sessions.settings)


def modes(found):
    return {row["session"]: row["mode"] for row in found["sessions"]}


def test_sessions_that_are_as_they_should_be_are_good(published):
    found = stats(published)
    assert modes(found) == dict.fromkeys(DAYS, "normal")
    assert found["good"] is True
    assert found["alerts"] == {}


def test_the_days_are_calendar_days_up_to_the_last_closed_session(published):
    assert list(modes(stats(published, 7))) == DAYS[1:]
    assert list(modes(stats(published, 1))) == DAYS[-1:]
    assert list(modes(stats(published, 2, moment("2017-12-20 15:00:00")))) == ["2017-12-18", "2017-12-19"]
    assert list(modes(stats(published, 3, until="2017-12-15"))) == DAYS[:3]


def test_figures_are_those_of_the_files(published):
    rows = stats(published)["sessions"]
    assert rows[0]["turnover"] is None
    for before, row in pairwise(rows):
        old, new = published.weights(before["session"]), published.weights(row["session"])
        moved = sum(abs(new.get(s, 0.0) - old.get(s, 0.0)) for s in {*old, *new}) / 2
        assert abs(row["turnover"] - moved) < 1e-12
        name = f"wavelet_pead_overlay_prod_{row['session'].replace('-', '')}.csv"
        tilts = [float(r["tilt_final"]) for r in published.rows(name)]
        assert (row["tilt"]["min"], row["tilt"]["max"]) == (min(tilts), max(tilts))
        assert row["tilt"]["symbols"] == len(tilts)
        assert abs(row["applied"]["gross"] - sum(new.values())) < 1e-12
    assert max(row["turnover"] for row in rows[1:]) > 0.01


def test_a_session_without_files_is_missing(published):
    for path in published.outputs.glob("*20171218*"):
        path.unlink()
    found = stats(published)
    assert modes(found)["2017-12-18"] == "missing"
    assert found["good"] is False
    assert found["sessions"][4]["turnover"] is None


def test_a_session_that_was_not_run_yet_is_missing(published):
    found = stats(published, 7, moment("2017-12-22 22:00:00"))
    assert modes(found)["2017-12-22"] == "missing"
    assert not found["good"]


def test_sessions_before_the_first_file_are_not(published):
    assert list(modes(stats(published, 300))) == DAYS


def test_an_edited_file_is_damaged(published):
    with (published.outputs / "ares7_final_weights_20171219.csv").open("a") as file:
        file.write("2017-12-19,ZZZ,0.1,0,0.1\n")
    row = stats(published)["sessions"][4]
    assert row["mode"] == "damaged"
    assert "do not belong together" in row["problem"]


def test_a_fallback_is_not_good_and_its_alert_is_counted(published, market, tmp_path):
    bent = shutil.copytree(market, tmp_path / "bent")
    (bent / "earnings.parquet").unlink()
    published.daily("2017-12-20", f"data.path={bent}", "daily.on_stale=base_only")
    found = stats(published)
    assert modes(found)["2017-12-20"] == "base_only"
    assert found["alerts"] == {"fallback-base-only": 1}
    assert found["good"] is False
    assert any(line == "alerts: 1 fallback-base-only" for line in lines_of(found))


def test_lines_for_a_person_have_a_row_a_session(published):
    lines = lines_of(stats(published))
    assert [line.split()[0] for line in lines[1:7]] == DAYS
    assert lines[-1] == "6 sessions in 30 days, 0 not as they should be"


def test_no_files_and_no_days_are_refused(desk):
    with pytest.raises(MissingData, match=r"run 'python run\.py daily' first"):
        stats(desk)
    with pytest.raises(ConfigError, match="--last 0"):
        stats(desk, 0)
