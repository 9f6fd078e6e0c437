"""The watchdog tells a silent, a frozen and a vanished runner apart, with real processes, and ends none of them."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ares7.errors import DataError
from ares7.halt_config import HaltConfig
from live import heartbeat
from live.halt.file_source import HaltFile
from live.halt.level import HaltLevel
from live.heartbeat import STARTING, Beat, Heartbeat, life_of, read_beat, started_of
from live.watchdog import START_S, Watchdog, trouble_of
from tests.halt.clocks import START

ROOT = Path(__file__).resolve().parents[2]
RUNNER = """
import datetime as dt, sys, time
from pathlib import Path
from live.heartbeat import Heartbeat
beat = Heartbeat(Path(sys.argv[1]), lambda: dt.datetime.now(dt.UTC))
beat.beat("waiting")
print("up", flush=True)
while True:
    beat.beat("waiting", dt.date(2024, 1, 2))
    time.sleep(0.02)
"""


@pytest.fixture
def runner(tmp_path):
    """A process that writes heartbeats every 20 ms."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "up\n"
    yield process
    process.kill()
    process.communicate()


def now():
    return dt.datetime.now(dt.UTC)


def dog(folder, alarms, clock=now, **settings):
    return Watchdog(HaltConfig(folder=folder, **settings), clock, alarms)


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_runner_that_gives_signs_of_life_is_no_trouble(runner, tmp_path, alarms):
    assert dog(tmp_path, alarms).look() is None
    assert alarms == []


def test_a_frozen_runner_is_told_at_once_and_lives_on_when_it_is_continued(runner, tmp_path, alarms):
    watchdog = dog(tmp_path, alarms)
    os.kill(runner.pid, signal.SIGSTOP)
    until(lambda: life_of(read_beat(tmp_path)) == "frozen")
    assert watchdog.look().code == "runner-frozen"
    assert f"pid {runner.pid}" in alarms[0][1]
    assert runner.poll() is None
    os.kill(runner.pid, signal.SIGCONT)
    until(lambda: life_of(read_beat(tmp_path)) == "running")
    assert watchdog.look() is None
    assert alarms.codes == ["runner-frozen", "runner-back"]


def test_a_frozen_runner_can_still_be_halted_and_finds_the_halt_when_it_wakes(tmp_path, alarms, clock):
    code = (
        "import datetime as dt, sys, time\nfrom pathlib import Path\nfrom live.halt.file_source import HaltFile\n"
        "from live.halt.switch import HaltSwitch\n"
        "file = HaltFile(Path(sys.argv[1]), lambda: dt.datetime.now(dt.UTC))\nfile.prepare()\n"
        "switch = HaltSwitch([file], lambda *a: None, lambda: dt.datetime.now(dt.UTC))\n"
        "print('up', flush=True)\n"
        "while not switch.level():\n    time.sleep(0.005)\n"
        "print(switch.level().name, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "up\n"
        os.kill(process.pid, signal.SIGSTOP)
        HaltFile(tmp_path, clock).trip(HaltLevel.FLATTEN, "ann", "it hangs")
        os.kill(process.pid, signal.SIGCONT)
        assert process.communicate(timeout=10)[0] == "FLATTEN\n"
    finally:
        process.kill()
        process.communicate()


def test_a_killed_runner_is_gone_also_while_nobody_has_collected_it(runner, tmp_path, alarms):
    runner.send_signal(signal.SIGKILL)
    until(lambda: life_of(read_beat(tmp_path)) == "gone")
    assert runner.returncode is None  # a zombie still has its process id
    assert dog(tmp_path, alarms).look().code == "runner-gone"


def test_a_later_process_of_the_same_id_is_not_the_runner():
    mine = Beat(START, None, "waiting", os.getpid(), started_of(os.getpid()))
    assert life_of(mine) == "running"
    assert life_of(Beat(START, None, "waiting", os.getpid(), mine.started + 1)) == "gone"


@pytest.mark.parametrize("pid", [0, -1])
def test_an_impossible_process_id_is_gone(pid):
    assert life_of(Beat(START, None, "waiting", pid)) == "gone"


BEAT = Beat(START, dt.date(2024, 1, 2), "waiting", 7)
AT = dt.timedelta


@pytest.mark.parametrize(
    ("beat", "life", "seconds", "code"),
    [
        (None, "gone", 0, "runner-absent"),
        (BEAT, "running", 300, None),
        (BEAT, "running", 300.1, "runner-silent"),
        (BEAT, "running", -60, None),
        (BEAT, "running", -61, "runner-clock"),
        (BEAT, "frozen", 1, "runner-frozen"),
        (BEAT, "gone", 1, "runner-gone"),
        (Beat(START, None, "stopped", 7), "gone", 1e6, None),
        (Beat(START, None, "stopped", 7), "running", 301, "runner-silent"),
    ],
)
def test_each_trouble_has_its_code(beat, life, seconds, code):
    found = trouble_of(beat, life, START + dt.timedelta(seconds=seconds), 300)
    assert (None if found is None else found.code) == code


def test_a_trouble_is_told_again_only_after_a_while(tmp_path, alarms, clock):
    watchdog = dog(tmp_path, alarms, clock, repeat_s=100)
    for _ in range(5):
        assert watchdog.look().code == "runner-absent"
        clock.move(30)
    assert alarms.codes == ["runner-absent", "runner-absent"]


def test_a_damaged_heartbeat_is_a_trouble(tmp_path, alarms):
    for content in (
        "",
        "[]",
        "{}",
        '{"time": "2024-01-02T00:00:00", "session": null, "state": "", "pid": 1, "started": 0}',
    ):
        (tmp_path / "heartbeat.json").write_text(content)
        with pytest.raises(DataError, match="is no heartbeat"):
            read_beat(tmp_path)
    assert dog(tmp_path, alarms).look().code == "runner-heartbeat"


def test_a_heartbeat_is_read_back_as_it_was_written(tmp_path, clock):
    assert Heartbeat(tmp_path, clock).beat("filling", dt.date(2024, 1, 2))
    assert read_beat(tmp_path) == Beat(
        START, dt.date(2024, 1, 2), "filling", os.getpid(), started_of(os.getpid())
    )
    assert set(json.loads((tmp_path / "heartbeat.json").read_text())) == {
        "time",
        "session",
        "state",
        "pid",
        "started",
    }


def test_a_disk_that_takes_no_heartbeat_stops_nothing(tmp_path, clock):
    (tmp_path / "journal").write_text("a file in the way")
    assert not Heartbeat(tmp_path / "journal", clock).beat("waiting")


@pytest.mark.parametrize("level", ["BLOCK_NEW", "HALT"])
def test_it_trips_the_halt_if_it_is_told_to(tmp_path, alarms, clock, level):
    Heartbeat(tmp_path, clock).beat("waiting")
    clock.move(301)
    dog(tmp_path, alarms, clock, on_silence=level).look()
    found = HaltFile(tmp_path, clock).read()
    assert (found.level.name, found.who) == (level, "watchdog")
    assert "silent" in found.why


def test_it_trips_nothing_unless_it_is_told_to_nor_before_a_first_start(tmp_path, alarms, clock):
    dog(tmp_path, alarms, clock, on_silence="HALT").look()
    assert HaltFile(tmp_path, clock).read() is None
    Heartbeat(tmp_path, clock).beat("waiting")
    clock.move(301)
    assert dog(tmp_path, alarms, clock).look().code == "runner-silent"
    assert HaltFile(tmp_path, clock).read() is None


def test_the_same_sign_of_life_is_not_written_without_pause_and_another_one_is(tmp_path, clock, monkeypatch):
    seconds = [0.0]
    monkeypatch.setattr(heartbeat.time, "monotonic", lambda: seconds[0])
    beat = Heartbeat(tmp_path, clock)
    assert beat.beat("waiting")
    clock.move(0.5)
    seconds[0] += 0.5
    assert beat.beat("waiting")
    assert read_beat(tmp_path).time == START
    assert beat.beat("stopped")
    assert read_beat(tmp_path).state == "stopped"
    assert beat.beat("waiting")
    clock.move(1.0)
    seconds[0] += 1.0
    assert beat.beat("waiting")
    assert read_beat(tmp_path).time == clock()


def test_a_start_may_take_longer_than_any_other_silence():
    beat = Beat(START, None, STARTING, os.getpid())
    assert trouble_of(beat, "running", START + dt.timedelta(seconds=START_S), 300.0) is None
    late = START + dt.timedelta(seconds=START_S + 1)
    assert trouble_of(beat, "running", late, 300.0).code == "runner-silent"
    assert trouble_of(beat, "running", late, START_S + 1) is None
    assert trouble_of(beat, "gone", START, 300.0).code == "runner-gone"
