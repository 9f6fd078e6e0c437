"""Thirty consecutive sessions of real data, as a desk would meet them: each morning the files of the day before.

Cron starts the job at 9:00 New York, Monday to Friday. One morning the earnings are not there, one morning the
prices are those of the day before, three mornings are holidays, one job is killed. What fails is started again at
15:00, when the input has come.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ares7.errors import MissingData, StaleData
from ares7.sessions import session_before, sessions
from live.daily.outputs import Outputs, read_sidecar
from live.daily.overlay_stats import overlay_stats
from tests.daily.desk import ROOT, Desk, moment
from tests.daily.test_daily import as_cron, backtest_row

pytestmark = pytest.mark.real_data

FIRST, LAST = "2019-11-15", "2019-12-31"
MISSING, STALE, KILLED = "2019-11-21", "2019-12-04", "2019-12-12"
"""Mornings."""
HOLIDAYS = ["2019-11-28", "2019-12-25", "2020-01-01"]
AS_CRON = ["2019-11-19", "2019-12-10", "2019-12-27"]
"""Mornings on which the script is run with an empty environment."""
KILL = """
import os, signal, sys, run
count, real = 0, os.replace
def deadly(*arguments, **options):
    global count
    count += 1
    if count == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **options)
os.replace = deadly
run.main(sys.argv[1:])
"""
SERIES = ["SPX", "VIX", "SPY", "TLT", "IEF", "SHY", "BIL", "GLD"]


@pytest.fixture(scope="module")
def tables(real_data):
    """Thirty names that were traded all the time, and everything about them since 2016."""
    prices = pd.read_parquet(real_data / "prices.parquet")
    prices = prices[(prices["date"] >= "2016-06-01") & (prices["date"] <= LAST)]
    earnings = pd.read_parquet(real_data / "earnings.parquet")
    count = prices.groupby("symbol").size()
    whole = count[count == count.max()].index.intersection(earnings["symbol"].unique())
    names = sorted(whole)[::4][:30]
    market = pd.read_parquet(real_data / "market.parquet")
    assert len(names) == 30
    return {
        "prices": prices[prices["symbol"].isin(names)],
        "market": market[market["symbol"].isin(SERIES) & (market["date"] >= "2016-06-01")],
        "earnings": earnings[earnings["symbol"].isin(names)],
    }


def arrive(tables, folder: Path, session: str) -> None:
    """Write what the vendor has delivered after a session: nothing later than it."""
    folder.mkdir(exist_ok=True)
    for name, table in tables.items():
        column = "announce_date" if name == "earnings" else "date"
        table[table[column] <= session].to_parquet(folder / f"{name}.parquet", compression=None)


@pytest.fixture
def real_desk(tmp_path):
    """A desk whose data folder changes every day."""
    data = {"path": str(tmp_path / "data"), "cache": None}
    return Desk(tmp_path / "desk", {"data": data, "strategy": {"name": "equal_weight"}})


def run_killed(desk: Desk, session: str) -> None:
    """Kill the job while it renames its files into place; a reader finds whole pairs."""
    arguments = ["daily", "--config", str(desk.folder / "config.yaml"), "--date", session]
    done = subprocess.run(
        [sys.executable, "-c", KILL, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == -9, done.stderr
    outputs = Outputs(desk.outputs)
    for name in ("wavelet_overlay_latest.csv", "pead_overlay_latest.csv"):
        assert read_sidecar(outputs.find(name)) is not None


def run_as_cron(desk: Desk, session: str, elsewhere: Path) -> None:
    """Run the script with an empty environment, in another folder."""
    script = str(ROOT / "deploy" / "run_daily.sh")
    arguments = ["--config", str(desk.folder / "config.yaml"), "--date", session]
    done = as_cron(["env", "-i", script, *arguments], elsewhere)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_thirty_real_sessions_with_what_goes_wrong(real_desk, tables, tmp_path):
    if not (ROOT / ".venv/bin/python").exists():
        pytest.skip("the script finds the Python of .venv")
    desk, data = real_desk, tmp_path / "data"
    skipped, published = [], []
    for day in pd.bdate_range("2019-11-18", "2020-01-02").strftime("%Y-%m-%d"):
        session = str(session_before(np.datetime64(day)))
        morning, afternoon = f"{day} 14:00:00", f"{day} 20:00:00"
        arrive(tables, data, session)
        if day == MISSING:
            before = desk.bytes()
            (data / "earnings.parquet").rename(tmp_path / "late.parquet")
            with pytest.raises(MissingData, match="earnings"):
                desk.daily(now=morning)
            assert desk.bytes() == before
            (tmp_path / "late.parquet").rename(data / "earnings.parquet")
            desk.daily(now=afternoon)
        elif day == STALE:
            before = desk.bytes()
            arrive(tables, data, published[-1])
            with pytest.raises(StaleData, match=f"end on {published[-1]}, and the session is {session}"):
                desk.daily(now=morning)
            assert desk.bytes() == before
            arrive(tables, data, session)
            desk.daily(now=afternoon)
        elif day == KILLED:
            run_killed(desk, session)
            assert desk.daily(now=afternoon).code == 0
        elif day in AS_CRON:
            run_as_cron(desk, session, tmp_path)
        elif desk.daily(now=morning).content["skipped"]:
            skipped.append(day)
            continue
        published.append(session)
    expected = sessions(np.datetime64(FIRST), np.datetime64(LAST)).astype(str).tolist()
    assert published == expected
    assert len(published) >= 30
    assert skipped == HOLIDAYS
    assert_all_is_well(desk, published)
    assert_equal_to_the_backtest(desk, published)


def assert_all_is_well(desk: Desk, published: list[str]) -> None:
    """Every session has whole files, every log an end, every refusal an alert."""
    found = overlay_stats(desk.config(), 60, moment("2020-01-02 12:00:00"))
    assert [row["session"] for row in found["sessions"]] == published
    assert found["good"] is True
    assert sum(row["tilt"]["sum_abs"] > 0.05 for row in found["sessions"]) == len(published)
    codes = [(event["code"], event["session"]) for event in desk.alerts()]
    assert codes == [("missing-data", "2019-11-20"), ("stale-data", "2019-12-03")]
    ends = [path.read_text().splitlines()[-1].split("] ")[1] for path in desk.logs.glob("daily_*.log")]
    assert ends.count("END (exit=2)") == 2
    # The killed one could not write its last line.
    assert len(ends) - ends.count("END (exit=0)") - ends.count("END (exit=2)") == 1


def assert_equal_to_the_backtest(desk: Desk, published: list[str]) -> None:
    """What each morning gave is what a backtest over all of it gives for that session."""
    for session in published[::6]:
        expected = backtest_row(desk, session)
        found = {symbol: w for symbol, w in desk.weights(session).items() if w > 0}
        assert found.keys() == expected.keys()
        assert max(abs(found[s] - expected[s]) for s in expected) <= 1e-12
