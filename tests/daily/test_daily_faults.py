"""What the daily job does when something is missing, stale, damaged, full, locked or killed."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from ares7.errors import Ares7Error, CheckFailed, ConfigError, DataError, MissingData, StaleData
from live.daily.lock import exclusive
from tests.daily.desk import ROOT

BEFORE, DAY, STAMP = "2017-12-19", "2017-12-20", "20171220"
BLEND, WEIGHTS = f"wavelet_pead_overlay_prod_{STAMP}.csv", f"ares7_final_weights_{STAMP}.csv"


@pytest.fixture
def bent(market, tmp_path):
    """A copy of the market that a test may damage."""
    return shutil.copytree(market, tmp_path / "bent")


def cut(folder, name, column, last):
    """End a table on a date."""
    table = pd.read_parquet(folder / f"{name}.parquet")
    table[table[column] <= pd.Timestamp(last)].to_parquet(folder / f"{name}.parquet")


def refused(desk, kind, *words, day=DAY, options=()):
    """The job refuses, changes nothing, appends one alert and ends its log."""
    before, alerts = desk.bytes(), len(desk.alerts())
    with pytest.raises(kind) as error:
        desk.daily(day, *options)
    assert all(word in str(error.value) for word in words), str(error.value)
    assert desk.bytes() == before
    assert desk.log()[-1] == f"END (exit={error.value.exit_code})"
    assert len(desk.alerts()) == alerts + 1
    event = desk.alerts()[-1]
    assert (event["session"], event["severity"], event["message"]) == (day, "critical", str(error.value))
    assert sorted(event) == ["code", "message", "session", "severity", "time"]
    assert not (desk.outputs / ".staging").exists()
    return event


def test_missing_earnings_are_refused(make_desk, bent):
    desk = make_desk(data={"path": str(bent)})
    desk.daily(BEFORE)
    (bent / "earnings.parquet").unlink()
    assert refused(desk, MissingData, "earnings")["code"] == "missing-data"


def test_stale_earnings_are_refused(make_desk, bent):
    cut(bent, "earnings", "announce_date", "2017-08-01")
    desk = make_desk(data={"path": str(bent)})
    refused(desk, DataError, "earnings")


def test_stale_prices_are_refused(make_desk, bent):
    for name in ("prices", "market"):
        cut(bent, name, "date", BEFORE)
    desk = make_desk(data={"path": str(bent)})
    desk.daily(BEFORE)
    event = refused(desk, StaleData, "prices are stale", f"end on {BEFORE}", f"session is {DAY}")
    assert event["code"] == "stale-data"


def test_a_stale_vix_stops_a_base_that_reads_it(make_desk, bent):
    table = pd.read_parquet(bent / "market.parquet")
    late = (table["symbol"] == "VIX") & (table["date"] > pd.Timestamp("2017-12-08"))
    table[~late].to_parquet(bent / "market.parquet")
    strategy = {"name": "regime_ensemble"}
    desk = make_desk(data={"path": str(bent)}, strategy=strategy, daily={"on_stale": "base_only"})
    refused(desk, DataError, "VIX")


def test_no_data_folder_is_refused(make_desk, tmp_path):
    desk = make_desk(data={"path": str(tmp_path / "nowhere")})
    refused(desk, DataError, "nowhere", "does not exist")


def falling_back(make_desk, bent, policy, *, good=(), limit=5):
    """A desk that has published ``good`` sessions and then lost its earnings."""
    desk = make_desk(data={"path": str(bent)}, daily={"on_stale": policy, "last_good_sessions": limit})
    for day in good:
        desk.daily(day)
    earnings = (bent / "earnings.parquet").read_bytes()
    (bent / "earnings.parquet").unlink()
    return desk, earnings


def test_the_last_good_blend_is_applied_and_marked(make_desk, bent):
    desk, _ = falling_back(make_desk, bent, "last_good", good=["2017-12-15", BEFORE])
    done = desk.daily(DAY)
    assert (done.code, done.content["mode"]) == (1, "last_good")
    earlier = desk.rows("wavelet_pead_overlay_prod_20171219.csv")
    assert [(r["symbol"], r["tilt_final"]) for r in desk.rows(BLEND)] == [
        (r["symbol"], r["tilt_final"]) for r in earlier
    ]
    for name in (BLEND, WEIGHTS):
        assert desk.sidecar(name)["mode"] == "last_good"
        assert desk.sidecar(name)["overlay_session"] == "2017-12-15"
    assert "earnings" in desk.sidecar(BLEND)["warnings"][0]
    assert "wavelet_pead_overlay_prod_20171219.csv" in desk.sidecar(BLEND)["inputs"]
    assert [(a["code"], a["severity"]) for a in desk.alerts()] == [("fallback-last-good", "error")]
    assert desk.log()[-1] == "END (exit=1)"
    assert desk.sidecar("wavelet_overlay_latest.csv")["as_of"] == BEFORE
    once = desk.bytes()
    desk.daily(DAY)
    assert desk.bytes() == once


def test_the_last_good_weights_are_todays_base_with_yesterdays_blend(make_desk, bent):
    desk, _ = falling_back(make_desk, bent, "last_good", good=[BEFORE])
    whole = make_desk()
    whole.daily(DAY)
    desk.daily(DAY)
    # Both sessions take the tilts of the Friday before, so that the weights are the same.
    assert desk.weights(DAY) == whole.weights(DAY)


def test_a_borrowed_blend_is_not_borrowed_again(make_desk, bent):
    desk, _ = falling_back(make_desk, bent, "last_good", good=["2017-12-13"], limit=2)
    assert desk.daily("2017-12-14").code == 1
    assert desk.daily("2017-12-15").code == 1
    with pytest.raises(DataError, match=r"holds no good blend of the last 2 sessions.*base_only"):
        desk.daily("2017-12-18")


def test_a_good_blend_of_the_session_itself_is_not_replaced(make_desk, bent):
    desk, _ = falling_back(make_desk, bent, "last_good", good=[DAY])
    before = desk.bytes()
    done = desk.daily(DAY)
    assert (done.code, done.content["mode"]) == (1, "last_good")
    assert desk.bytes()[BLEND] == before[BLEND]
    assert desk.sidecar(BLEND)["mode"] == "normal"
    assert desk.bytes()[WEIGHTS] == before[WEIGHTS]


def test_a_damaged_blend_is_not_the_last_good_one(make_desk, bent):
    desk, _ = falling_back(make_desk, bent, "last_good", good=["2017-12-15", BEFORE])
    with (desk.outputs / "wavelet_pead_overlay_prod_20171219.csv").open("a") as file:
        file.write("2017-12-19,ZZZ,0.5\n")
    desk.daily(DAY)
    assert "wavelet_pead_overlay_prod_20171215.csv" in desk.sidecar(BLEND)["inputs"]


def test_a_demo_blend_is_not_the_last_good_one(make_desk, bent):
    desk, _ = falling_back(make_desk, bent, "last_good")
    desk.daily(BEFORE, demo=True)
    with pytest.raises(DataError, match="holds no good blend"):
        desk.daily(DAY)


def test_base_only_publishes_the_base_and_says_so(make_desk, bent):
    desk, earnings = falling_back(make_desk, bent, "base_only", good=[BEFORE])
    done = desk.daily(DAY)
    assert (done.code, done.content["mode"]) == (1, "base_only")
    base, final = desk.weights(DAY, "weight_base"), desk.weights(DAY)
    assert final == base
    assert all(float(r["tilt_final"]) == 0 for r in desk.rows(BLEND))
    assert desk.sidecar(WEIGHTS)["mode"] == "base_only"
    assert [a["code"] for a in desk.alerts()] == ["fallback-base-only"]
    (bent / "earnings.parquet").write_bytes(earnings)
    assert desk.daily(DAY).code == 0
    assert desk.weights(DAY, "weight_base") == base
    assert desk.weights(DAY) != base


@pytest.mark.parametrize(("policy", "code"), [("base_only", 1), ("last_good", 1)])
def test_a_users_base_survives_stale_prices_under_a_fallback(make_desk, bent, policy, code):
    path = bent / "base.csv"
    rows = [f"{day},S001,0.5\n{day},S002,0.4\n{day},TLT,0.1\n" for day in (BEFORE, DAY)]
    path.write_text("date,symbol,weight\n" + "".join(rows))
    for name in ("prices", "market"):
        cut(bent, name, "date", BEFORE)
    desk = make_desk(data={"path": str(bent)}, daily={"base": str(path), "on_stale": policy})
    desk.daily(BEFORE)
    done = desk.daily(DAY)
    assert (done.code, done.content["mode"]) == (code, policy)
    expected = {"S001": 0.5, "S002": 0.4, "TLT": 0.1} if policy == "base_only" else desk.weights(BEFORE)
    assert desk.weights(DAY) == expected


@pytest.mark.parametrize("policy", ["base_only", "last_good"])
def test_a_strategys_base_does_not_survive_stale_prices(make_desk, bent, policy):
    for name in ("prices", "market"):
        cut(bent, name, "date", BEFORE)
    desk = make_desk(data={"path": str(bent)}, daily={"on_stale": policy})
    desk.daily(BEFORE)
    refused(desk, StaleData, "prices are stale")


def test_an_undated_base_is_refused_unless_the_configuration_accepts_it(make_desk, bent):
    path = bent / "base.csv"
    path.write_text("symbol,weight\nS001,0.5\nS002,0.4\n")
    desk = make_desk(daily={"base": str(path)})
    refused(desk, ConfigError, "base.csv", "daily.accept_undated: true")
    done = desk.daily(DAY, "daily.accept_undated=true")
    assert (done.code, done.content["mode"]) == (0, "undated")
    assert any("does not say its date" in text for text in done.content["warnings"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"date,symbol,weight\n{BEFORE},S001,0.5\n", ["stale", BEFORE]),
        (f"date,symbol,weight\n{DAY},S001,-0.5\n", ["-0.5"]),
        (f"date,symbol,weight\n{DAY},S001,50\n", ["sum to 50"]),
        (f"date,symbol,weight\n{DAY},S001,\n", ["S001 is nan"]),
        (f"date,symbol,weight\n{DAY},S001,.1\n{DAY},S001,.1\n", ["twice"]),
        ("", ["empty"]),
    ],
)
@pytest.mark.parametrize("policy", ["refuse", "base_only"])
def test_a_base_that_cannot_be_trusted_is_always_refused(make_desk, bent, text, words, policy):
    path = bent / "base.csv"
    path.write_text(text)
    refused(make_desk(daily={"base": str(path), "on_stale": policy}), DataError, "base.csv", *words)


def test_a_second_job_is_turned_away_and_told_who_runs(desk):
    with exclusive(desk.outputs, "2017-12-21 14:00:00 UTC"):
        event = refused(desk, CheckFailed, f"pid {os.getpid()}", "started 2017-12-21 14:00:00 UTC")
    assert event["code"] == "check-failed"
    assert desk.daily(DAY).code == 0


def test_a_dead_job_leaves_no_lock(desk):
    code = (
        "import time; from pathlib import Path; from live.daily.lock import exclusive\n"
        f"with exclusive(Path({str(desk.outputs)!r}), 'then'):\n    print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    refused(desk, CheckFailed, f"pid {holder.pid}", "started then")
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert desk.daily(DAY).code == 0


def test_a_job_killed_at_any_point_leaves_whole_files_and_the_next_one_completes(desk, make_desk):
    command = [sys.executable, "-m", "tests.daily.killing", str(desk.folder), BEFORE, DAY]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    clean = make_desk()
    for day in (BEFORE, DAY):
        clean.daily(day)
    expected = clean.bytes()
    assert len(answers) >= 18
    assert {answer["signal"] for answer in answers} == {signal.SIGKILL}
    for answer in answers:
        assert answer["untouched"], answer["point"]
        assert answer["latest"] in ([BEFORE], [DAY]), answer["point"]
        assert answer["after"] == expected, answer["point"]
        assert set(answer["left"]) == {".daily.lock", *expected}, answer["point"]
    # Both sides of the moment from which the new files count were met.
    assert {answer["latest"][0] for answer in answers} == {BEFORE, DAY}


def test_a_job_that_is_terminated_ends_its_log(desk):
    arguments = ["daily", "--config", str(desk.folder / "config.yaml"), "--date", DAY]
    code = (
        "import sys, time, run, live.daily.job\n"
        "live.daily.job._overlays = lambda *a: (print('working', flush=True), time.sleep(60))\n"
        f"sys.exit(run.main({arguments!r}))"
    )
    job = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert job.stdout is not None
    assert job.stdout.readline() == "working\n"
    job.terminate()
    job.communicate()
    assert job.returncode == 143
    assert desk.log()[-1] == "END (exit=143)"
    assert desk.bytes() == {}


def test_a_full_disk_replaces_nothing(desk, monkeypatch):
    desk.daily(BEFORE)
    real, count = os.fsync, 0

    def full(descriptor):
        nonlocal count
        count += 1
        if count == 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    refused(desk, Ares7Error, "No space left", "nothing was replaced", "daily.outputs")
    monkeypatch.undo()
    assert desk.daily(DAY).code == 0


def test_a_disk_that_is_too_small_replaces_nothing(desk, make_desk, tmp_path):
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("mounting a small disk needs root")
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        refused(
            make_desk(daily={"outputs": str(small / "out")}),
            Ares7Error,
            "No space left",
            "nothing was replaced",
        )
        assert [p.name for p in (small / "out").iterdir()] == [".daily.lock"]
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_an_output_folder_that_cannot_be_made_is_refused(make_desk, tmp_path):
    (tmp_path / "file").write_text("in the way")
    desk = make_desk(daily={"outputs": str(tmp_path / "file" / "out")})
    refused(desk, Ares7Error, "cannot be written", "daily.outputs")


def test_a_read_only_output_folder_is_refused(desk):
    if os.geteuid() == 0:
        pytest.skip("root writes everywhere")
    desk.daily(BEFORE)
    desk.outputs.chmod(0o500)
    try:
        refused(desk, Ares7Error, "cannot be written", "Permission denied")
    finally:
        desk.outputs.chmod(0o700)


def test_a_log_folder_that_cannot_be_made_is_refused(make_desk, tmp_path):
    (tmp_path / "file").write_text("in the way")
    desk = make_desk(daily={"logs": str(tmp_path / "file" / "logs")})
    with pytest.raises(Ares7Error, match=r"log folder .* cannot be written"):
        desk.daily(DAY)
    assert desk.bytes() == {}


def test_logs_of_one_second_do_not_overwrite_each_other(desk):
    for _ in range(3):
        desk.daily("2017-12-25")
    names = sorted(path.name for path in desk.logs.glob("daily_wavelet_pead_*.log"))
    assert names == [f"daily_wavelet_pead_20300102_120000{number}.log" for number in ("", "_2", "_3")]
    assert all((desk.logs / name).read_text().endswith("END (exit=0)\n") for name in names)


def test_an_error_that_nobody_foresaw_ends_the_log_and_alerts(desk, monkeypatch):
    def broken(*_):
        raise RuntimeError("out of luck")

    monkeypatch.setattr("live.daily.job.apply_step", broken)
    with pytest.raises(RuntimeError):
        desk.daily(DAY)
    assert desk.log()[-2:] == ["ERROR RuntimeError: out of luck", "END (exit=1)"]
    assert [a["code"] for a in desk.alerts()] == ["unexpected-error"]
    assert desk.bytes() == {}


def test_a_late_job_says_that_the_open_has_passed(desk):
    desk.daily(DAY, now="2017-12-21 14:00:00")
    assert not any("has passed" in line for line in desk.log())
    time.sleep(0.01)
    desk.daily(DAY, now="2017-12-21 20:00:00")
    assert any("the open of 2017-12-21" in line and "has passed" in line for line in desk.log())
