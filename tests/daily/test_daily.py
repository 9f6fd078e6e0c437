"""The daily job: its files, its sessions, its agreement with the backtest."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ares7.errors import ConfigError
from ares7.sessions import sessions
from feeds.study import load_for
from live.daily.overlay_apply import apply_step, base_of
from live.daily.overlay_steps import combine_step, engine_step
from tests.daily.desk import ROOT, Desk

DAY, STAMP = "2017-12-20", "20171220"
FILES = {
    "wavelet_overlay_latest": "date,symbol,tilt_wavelet",
    "pead_overlay_latest": "date,symbol,tilt_pead",
    f"wavelet_pead_overlay_prod_{STAMP}": "date,symbol,tilt_final",
    f"ares7_final_weights_{STAMP}": "date,symbol,weight_base,tilt_final,weight_final",
}


def test_the_job_writes_four_files_with_their_sidecars(desk):
    done = desk.daily(DAY)
    assert (done.code, done.content["mode"], done.content["session"]) == (0, "normal", DAY)
    assert set(desk.bytes()) == {f"{name}.{end}" for name in FILES for end in ("csv", "json")}
    for name, header in FILES.items():
        lines = (desk.outputs / f"{name}.csv").read_text().splitlines()
        assert lines[0] == header
        assert all(line.startswith(f"{DAY},") for line in lines[1:])
        sidecar = desk.sidecar(f"{name}.csv")
        assert (sidecar["as_of"], sidecar["effective"], sidecar["mode"]) == (DAY, "2017-12-21", "normal")
        assert sidecar["overlay_session"] == "2017-12-15"
        assert len(sidecar["config_hash"]) == 8
        assert sidecar["versions"]["python"]
        assert sidecar["synthetic"] is True
        assert sidecar["statistics"]["symbols"] == len(lines) - 1
    assert desk.sidecar("pead_overlay_latest.csv")["inputs"]["files"]["earnings.parquet"]


def test_sidecars_hold_the_statistics_of_their_files(desk):
    desk.daily(DAY)
    for name, column in (("wavelet_overlay_latest", "tilt_wavelet"), ("pead_overlay_latest", "tilt_pead")):
        values = pd.read_csv(desk.outputs / f"{name}.csv")[column].to_numpy()
        found = desk.sidecar(f"{name}.csv")["statistics"]
        expected = (values.min(), values.max(), values.mean(), values.std(), np.abs(values).sum())
        assert np.allclose(
            [found[k] for k in ("min", "max", "mean", "std", "sum_abs")], expected, rtol=0, atol=1e-15
        )
        assert found["sum_abs"] > 0.01


def test_each_log_has_the_lines_that_are_searched_for(desk):
    desk.daily(DAY)
    number = r"[-+]?\d+\.\d+"
    for stem in ("daily_wavelet_pead", "wavelet_pead_combiner"):
        raw = max(desk.logs.glob(f"{stem}_*.log")).read_text().splitlines()
        assert all(re.match(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] \S", line) for line in raw)
        text = "\n".join(desk.log(stem))
        for what in ("Wavelet tilt range", "PEAD tilt range", "Final tilt range"):
            assert re.search(rf"^{what}: \[{number}, {number}\]$", text, re.MULTILINE)
        assert re.search(rf"^Final tilt mean: {number}$", text, re.MULTILINE)
        assert re.search(r"^Symbols: \d+$", text, re.MULTILINE)
        assert f"Final overlay: {desk.outputs}/wavelet_pead_overlay_prod_{STAMP}.csv" in text
        assert text.startswith("START ")
        assert text.endswith("END (exit=0)")
    steps = [line for line in desk.log() if re.fullmatch(r"Step \w+: done in \d+\.\d+ s", line)]
    assert [line.split()[1] for line in steps] == ["wavelet:", "pead:", "combine:", "apply:", "publish:"]


def test_a_second_run_of_a_session_changes_no_byte(desk):
    desk.daily(DAY, now="2017-12-21 14:00:00")
    first = desk.bytes()
    desk.daily(DAY, now="2018-03-01 03:00:00")
    assert desk.bytes() == first
    assert len(first) == 8


def test_the_steps_one_at_a_time_give_the_bytes_of_the_job(make_desk):
    whole, single = make_desk(), make_desk()
    whole.daily(DAY)
    for step in (
        lambda job: engine_step(job, "wavelet"),
        lambda job: engine_step(job, "pead"),
        combine_step,
        lambda job: apply_step(job, base_of(job)),
    ):
        single.publish(single.job(DAY), step)
    assert single.bytes() == whole.bytes()


@pytest.mark.parametrize("day", [DAY, "2017-12-15"])
def test_nothing_after_the_session_is_used(make_desk, market, tmp_path, day):
    cut = Path(shutil.copytree(market, tmp_path / "cut"))
    for name, column in (("prices", "date"), ("market", "date"), ("earnings", "announce_date")):
        table = pd.read_parquet(cut / f"{name}.parquet")
        table[table[column] <= pd.Timestamp(day)].to_parquet(cut / f"{name}.parquet")
    whole, short = make_desk(), make_desk(data={"path": str(cut)})
    whole.daily(day)
    short.daily(day)
    csvs = {name: h for name, h in whole.bytes().items() if name.endswith(".csv")}
    assert {name: h for name, h in short.bytes().items() if name.endswith(".csv")} == csvs
    assert len(csvs) == 4


def backtest_row(desk: Desk, day: str, *overrides: str) -> dict[str, float]:
    """Target row of the backtest with both overlays."""
    config = desk.config("strategy.overlays=[wavelet, pead]", *overrides)
    chosen = desk.choose(config)(config.strategy.name, config.strategy_params)
    panel = load_for(config, chosen.settings.requires, chosen.settings.warmup, chosen.name)
    row = chosen.strategy.weights(panel, chosen.settings).weights[
        int(np.searchsorted(panel.dates, np.datetime64(day)))
    ]
    return {symbol: float(w) for symbol, w in zip(panel.symbols, row, strict=True) if w > 0}


def assert_equals_backtest(desk: Desk, day: str, *overrides: str) -> None:
    expected = backtest_row(desk, day, *overrides)
    desk.daily(day, *overrides)
    found = {symbol: w for symbol, w in desk.weights(day).items() if w > 0}
    assert found.keys() == expected.keys()
    assert max(abs(found[s] - expected[s]) for s in expected) <= 1e-12
    base = desk.weights(day, "weight_base")
    assert max(abs(base[s] - found.get(s, 0.0)) for s in base) > 1e-4, "nothing was tilted"


SESSIONS = ["2017-06-30", "2017-09-15", "2017-12-20", "2017-12-26"]
"""A month end, an overlay date, two that are neither."""


@pytest.mark.parametrize("lam", [0.5, 1.0])
@pytest.mark.parametrize("day", SESSIONS)
def test_final_weights_equal_the_backtests_targets(make_desk, day, lam):
    desk = make_desk(strategy={"name": "regime_ensemble", "params": {"preset": "phase4"}})
    assert_equals_backtest(desk, day, f"strategy.overlay_lambda={lam}")


@pytest.mark.parametrize(
    "overrides",
    [
        ("strategy.name=equal_weight", "overlay.when=session"),
        ("strategy.name=quality_momentum", "overlay.when=month"),
        ("strategy.params.risk={vol_target: 0.05}",),
    ],
)
def test_final_weights_equal_the_backtests_targets_in_other_books(make_desk, overrides):
    desk = make_desk(strategy={"name": "regime_ensemble", "params": {"preset": "phase4"}})
    assert_equals_backtest(desk, "2017-12-20", *overrides)


@pytest.mark.real_data
@pytest.mark.parametrize("lam", [0.5, 1.0])
def test_final_weights_equal_the_backtests_targets_on_real_data(make_desk, real_data, lam):
    strategy = {"name": "regime_ensemble", "params": {"preset": "phase4"}}
    desk = make_desk(strategy=strategy, data={"path": str(real_data)})
    for day in ("2019-05-31", "2020-03-18", "2021-11-24"):
        assert_equals_backtest(desk, day, f"strategy.overlay_lambda={lam}")


def test_a_strategy_without_overlays_is_a_base_too(make_desk):
    desk = make_desk(strategy={"name": "defensive"})
    desk.daily(DAY)
    assert desk.weights(DAY) == desk.weights(DAY, "weight_base")
    assert set(desk.weights(DAY)) <= {"SPY", "TLT", "IEF", "SHY", "BIL", "GLD"}
    assert all(float(r["tilt_final"]) == 0 for r in desk.rows(f"ares7_final_weights_{STAMP}.csv"))


def test_other_overlays_than_the_backtests_are_refused(desk):
    with pytest.raises(ConfigError, match="another book than the backtest"):
        desk.daily(DAY, "strategy.overlays=[wavelet]")
    assert desk.bytes() == {}
    desk.daily(DAY, "strategy.overlays=[wavelet]", "daily.engines=[wavelet]")
    assert not (desk.outputs / "pead_overlay_latest.csv").exists()


WHEN = {
    "before the open, New York": ("2017-12-20 14:00:00", "2017-12-19"),
    "a second before the close": ("2017-12-20 20:59:59", "2017-12-19"),
    "at the close": ("2017-12-20 21:00:00", "2017-12-19"),
    "a second after the close": ("2017-12-20 21:00:01", "2017-12-20"),
    "past midnight UTC, still the day before in New York": ("2017-12-21 03:00:00", "2017-12-20"),
    "Saturday in Seoul, Friday in New York": ("2017-12-16 00:00:00", "2017-12-15"),
    "after an early close": ("2017-11-24 18:00:01", "2017-11-24"),
    "before an early close": ("2017-11-24 17:59:00", "2017-11-22"),
    "the morning after a holiday": ("2017-12-26 14:00:00", "2017-12-22"),
    "in summer time": ("2017-07-07 20:00:01", "2017-07-07"),
}


@pytest.mark.parametrize("case", WHEN)
def test_without_a_date_it_acts_on_the_latest_session_that_has_closed(desk, case):
    now, session = WHEN[case]
    done = desk.daily(now=now)
    assert done.content["session"] == session
    assert {r["date"] for r in desk.rows("wavelet_overlay_latest.csv")} == {session}


SKIPPED = {
    "Saturday": "2017-12-16 14:00:00",
    "Monday morning in Seoul, Sunday in New York": "2017-12-18 00:00:00",
    "Christmas": "2017-12-25 14:00:00",
    "Thanksgiving": "2017-11-23 20:00:00",
}


@pytest.mark.parametrize("case", SKIPPED)
def test_it_skips_a_day_without_a_session(desk, case):
    done = desk.daily(now=SKIPPED[case])
    assert (done.code, done.content["skipped"]) == (0, True)
    assert desk.bytes() == {}
    log = desk.log()
    assert log[-2].startswith("SKIPPED ")
    assert log[-1] == "END (exit=0)"
    assert desk.alerts() == []


def test_it_skips_a_given_date_without_a_session(desk):
    assert desk.daily("2017-12-25").content["skipped"] is True


def test_a_session_that_has_not_closed_is_refused(desk):
    with pytest.raises(ConfigError, match="has not closed yet; the latest that has is 2017-12-19"):
        desk.daily("2017-12-20", now="2017-12-20 20:00:00")


def test_files_name_the_next_session_over_a_holiday(desk):
    desk.daily("2017-12-22")
    assert desk.sidecar("wavelet_overlay_latest.csv")["effective"] == "2017-12-26"


def test_demo_files_say_so_and_have_names_that_no_reader_of_production_takes(desk):
    done = desk.daily(DAY, demo=True)
    assert done.content["mode"] == "demo"
    assert desk.log()[0].startswith("START ")
    assert "DEMO" in desk.log()[0]
    names = [name for name in desk.bytes() if name.endswith(".csv")]
    assert len(names) == 4
    for name in names:
        assert "_demo" in name
        assert desk.sidecar(name)["mode"] == "demo"
        assert not re.match(r".*_latest|wavelet_pead_overlay_prod_|ares7_final_weights_", name)
    first = desk.bytes()
    desk.daily(DAY, demo=True)
    assert desk.bytes() == first


def test_a_demo_does_not_touch_production_files(desk):
    desk.daily(DAY)
    before = desk.bytes()
    desk.daily(DAY, demo=True)
    assert {name: h for name, h in desk.bytes().items() if "_demo" not in name} == before


def test_a_file_of_base_weights_is_tilted(desk, make_desk):
    desk.daily(DAY)
    base = desk.weights(DAY, "weight_base")
    path = desk.folder / "base.csv"
    lines = [f"{DAY},{symbol},{weight!r}" for symbol, weight in base.items()]
    older = [f"2017-12-19,{symbol},0.001" for symbol in base]
    path.write_text("\n".join(["date,symbol,weight", *older, *lines]) + "\n")
    other = make_desk(daily={"base": str(path)})
    other.daily(DAY)
    found, expected = other.weights(DAY), desk.weights(DAY)
    assert found.keys() == expected.keys()
    assert max(abs(found[s] - expected[s]) for s in found) <= 1e-15


def test_funds_and_names_outside_the_universe_keep_their_weight(make_desk, desk):
    desk.daily(DAY)
    stocks = list(desk.weights(DAY))[:3]
    path = desk.folder / "base.csv"
    path.write_text(
        f"date,symbol,weight\n{DAY},{stocks[0]},0.2\n{DAY},{stocks[1]},0.2\n{DAY},TLT,0.3\n{DAY},ZZZZ,0.1\n"
    )
    other = make_desk(daily={"base": str(path)})
    other.daily(DAY)
    found = other.weights(DAY)
    assert (found["TLT"], found["ZZZZ"]) == (0.3, 0.1)
    assert found[stocks[0]] != 0.2
    assert abs(found[stocks[0]] + found[stocks[1]] - 0.4) < 1e-15
    assert any("ZZZZ" in text for text in other.sidecar(f"ares7_final_weights_{STAMP}.csv")["warnings"])


def as_cron(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run with the environment and the folder that cron gives."""
    environment = {"HOME": "/nonexistent", "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "LOGNAME": "nobody"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_script_runs_as_cron_would_run_it(desk, tmp_path):
    script = ROOT / "deploy" / "run_daily.sh"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if not (ROOT / ".venv/bin/python").exists():
        pytest.skip("the script finds the Python of .venv")
    command = [
        "env",
        "-i",
        str(script),
        "--config",
        str(desk.folder / "config.yaml"),
        "--date",
        DAY,
        "--json",
    ]
    done = as_cron(command, elsewhere)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["session"] == DAY
    assert desk.log()[-1] == "END (exit=0)"
    assert list(elsewhere.iterdir()) == []
    if Path(sys.prefix) != (ROOT / ".venv").resolve():
        return  # other libraries than the script's may round otherwise
    inside = make_inside(desk)
    assert {n: h for n, h in desk.bytes().items() if n.endswith("csv")} == {
        n: h for n, h in inside.items() if n.endswith("csv")
    }


def make_inside(desk: Desk) -> dict[str, str]:
    """Bytes of the same job in this process."""
    other = Desk(desk.folder / "inside", desk.settings)
    other.daily(DAY)
    return other.bytes()


def test_the_command_answers_errors_in_one_line(desk, tmp_path):
    arguments = ["--config", str(desk.folder / "config.yaml"), "--date", "2019-01-02"]
    done = as_cron([sys.executable, str(ROOT / "run.py"), "daily", *arguments], tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: prices are stale: they end on 2017-12-29")
    assert desk.log()[-1] == "END (exit=2)"
    assert [a["code"] for a in desk.alerts()] == ["stale-data"]
    assert done.stdout == ""


def test_a_week_of_sessions_uses_the_tilts_of_its_friday(desk):
    days = [str(day) for day in sessions(np.datetime64("2017-12-08"), np.datetime64("2017-12-14"))]
    seen = set()
    for day in days:
        desk.daily(day)
        rows = desk.rows("wavelet_overlay_latest.csv")
        seen.add(tuple((row["symbol"], row["tilt_wavelet"]) for row in rows))
    assert len(days) == 5
    assert len(seen) == 1
    desk.daily("2017-12-15")
    assert (
        tuple((r["symbol"], r["tilt_wavelet"]) for r in desk.rows("wavelet_overlay_latest.csv")) not in seen
    )


@pytest.fixture
def any_zone(monkeypatch):
    """The machine's time zone is put back afterwards."""
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


def test_the_time_zone_of_the_machine_has_no_say(desk, any_zone):
    desk.daily(now="2017-12-21 03:00:00")
    first = desk.bytes()
    for zone in ("Asia/Seoul", "America/Los_Angeles"):
        any_zone.setenv("TZ", zone)
        time.tzset()
        assert desk.daily(now="2017-12-21 03:00:00").content["session"] == DAY
        assert desk.bytes() == first


def test_a_session_of_the_past_says_that_the_latest_files_go_back(desk):
    desk.daily(DAY)
    desk.daily("2017-12-18")
    warned = [
        line for line in desk.log() if line.startswith("WARNING wavelet_overlay_latest.csv is of 2017-12-20")
    ]
    assert len(warned) == 1
    desk.daily(DAY)
    assert not any("will be of" in line for line in desk.log())


@pytest.mark.parametrize(
    "override",
    ["strategy.params.overlay={foo: 1}", "strategy.params.overlay=much", "strategy.params.overlay={cap: -1}"],
)
def test_wrong_settings_of_overlays_are_one_error(desk, override):
    with pytest.raises(ConfigError, match="overlay"):
        desk.daily(DAY, override)
    assert desk.log()[-1] == "END (exit=2)"
    assert len(desk.alerts()) == 1


def test_settings_of_overlays_beside_the_strategy_are_those_of_its_backtest(desk):
    assert_equals_backtest(desk, DAY, "strategy.params.overlay={cap: 0.004, pead: {horizon: 5}}")
    used = [abs(float(row["tilt_final"])) for row in desk.rows(f"ares7_final_weights_{STAMP}.csv")]
    assert max(used) <= 0.004 + 1e-12
