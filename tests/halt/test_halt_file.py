"""The halt file: every level, every damage, and writers that race, hang or die."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import live.halt.file_source as module
from ares7.errors import Ares7Error, CheckFailed, ConfigError, DataError
from live.halt.file_source import HaltFile
from live.halt.level import HaltLevel, HaltRecord
from live.halt.switch import HaltSwitch
from tests.halt.clocks import START

ROOT = Path(__file__).resolve().parents[2]
HALTS = [level for level in HaltLevel if level]


def level_of(file, alarms, clock):
    return HaltSwitch([file], alarms, clock).level()


def in_another_process(code: str, folder: Path) -> subprocess.Popen:
    """Start Python with a halt file named ``file`` in ``folder``."""
    head = (
        "import datetime as dt, sys, time\nfrom pathlib import Path\nfrom live.halt.file_source import HaltFile\n"
        "from live.halt.level import HaltLevel\n"
        "file = HaltFile(Path(sys.argv[1]), lambda: dt.datetime.now(dt.UTC))\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", head + code, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("level", HALTS)
def test_every_level_is_read_back_with_who_when_and_why(file, level):
    file.trip(level, "ann", "an outage")
    other = HaltFile(file.folder, file._now)
    assert file.read() == other.read() == HaltRecord(level, "ann", START, "an outage")


@pytest.mark.parametrize("level", HALTS)
def test_resume_lifts_every_level_and_says_what_it_lifted(file, level):
    file.trip(level, "ann", "an outage")
    assert file.resume("bob", "over").level is level
    assert file.read() == HaltRecord(HaltLevel.NONE, "bob", START, "over")


@pytest.mark.parametrize("first", HALTS)
@pytest.mark.parametrize("second", HALTS)
def test_a_halt_raises_the_level_and_never_lowers_it(file, first, second):
    file.trip(first, "ann", "1")
    held = file.trip(second, "bob", "2")
    assert file.read() == held
    assert held.level is max(first, second)
    assert held.who == ("bob" if second > first else "ann")


def test_nothing_is_halted_where_nobody_ever_halted(tmp_path, clock, alarms):
    new = HaltFile(tmp_path, clock)
    assert new.read() is None
    assert level_of(new, alarms, clock) is HaltLevel.NONE


DAMAGES = {
    "empty, as touch leaves it": b"",
    "cut off": b'{"schema": 1, "level": "NO',
    "no JSON": b"halt!",
    "no mapping": b"[]",
    "binary": b"\x00\xff\xfe",
    "another schema": b'{"schema": 2, "level": "NONE", "who": "x", "when": "2024-01-02T00:00:00+00:00", "why": ""}',
    "no schema": b'{"level": "NONE", "who": "x", "when": "2024-01-02T00:00:00+00:00", "why": ""}',
    "no such level": b'{"schema": 1, "level": "FINE", "who": "x", "when": "2024-01-02T00:00:00+00:00", "why": ""}',
    "no level": b'{"schema": 1, "who": "x", "when": "2024-01-02T00:00:00+00:00", "why": ""}',
    "no time": b'{"schema": 1, "level": "NONE", "who": "x", "when": "yesterday", "why": ""}',
    "no zone": b'{"schema": 1, "level": "NONE", "who": "x", "when": "2024-01-02T00:00:00", "why": ""}',
    "a number for who": b'{"schema": 1, "level": "NONE", "who": 3, "when": "2024-01-02T00:00:00+00:00", "why": ""}',
    "nested too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("content", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_halts_everything_with_one_alert_until_resume_writes_it_anew(
    file, alarms, clock, content
):
    switch = HaltSwitch([file], alarms, clock)
    assert switch.level() is HaltLevel.NONE
    file.path.write_bytes(content)
    assert [switch.level() for _ in range(3)] == [HaltLevel.HALT] * 3
    assert alarms.codes == ["halt-source"]
    assert "halt.json" in alarms[0][1]
    assert "resume" in alarms[0][1]
    assert file.resume("ann", "repaired").level is HaltLevel.HALT
    assert switch.level() is HaltLevel.NONE


def test_a_file_that_vanishes_halts_and_so_does_its_folder(file, alarms, clock):
    switch = HaltSwitch([file], alarms, clock)
    file.path.unlink()
    assert switch.level() is HaltLevel.HALT
    file.resume("ann", "")
    assert switch.level() is HaltLevel.NONE
    file.folder.rename(file.folder.with_name("away"))
    assert switch.level() is HaltLevel.HALT


def test_a_file_that_is_a_folder_halts(tmp_path, alarms, clock):
    (tmp_path / "halt.json").mkdir()
    assert level_of(HaltFile(tmp_path, clock), alarms, clock) is HaltLevel.HALT


def test_a_halt_on_a_damaged_file_stays_a_full_halt(file):
    file.path.write_bytes(b"")
    held = file.trip(HaltLevel.BLOCK_NEW, "ann", "an outage")
    assert held.level is HaltLevel.HALT
    assert "an outage" in held.why
    assert file.read() == held


def test_an_unchanged_file_costs_one_stat_and_a_changed_one_is_read_at_once(file, monkeypatch):
    old = time.time() - 60
    os.utime(file.path, (old, old))
    file.read()
    reads = []
    parsed = HaltFile._parsed
    monkeypatch.setattr(HaltFile, "_parsed", lambda self: reads.append(1) or parsed(self))
    for _ in range(100):
        assert file.read().level is HaltLevel.NONE
    assert reads == []
    HaltFile(file.folder, file._now).trip(HaltLevel.HALT, "ann", "")
    assert file.read().level is HaltLevel.HALT


def test_a_change_within_one_tick_of_the_clock_and_of_the_same_size_is_seen(file):
    file.read()
    before = file.path.stat()
    content = file.path.read_text()
    assert len("NONE") == len("HALT")
    with file.path.open("r+") as same:
        same.write(content.replace("NONE", "HALT"))
    os.utime(file.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.path.stat().st_size == before.st_size
    assert file.path.stat().st_ino == before.st_ino
    assert file.read().level is HaltLevel.HALT


def test_a_check_before_an_order_takes_less_than_a_tenth_of_a_millisecond(file, alarms, clock):
    old = time.time() - 60
    os.utime(file.path, (old, old))
    switch = HaltSwitch([file], alarms, clock)
    switch.level()
    began = time.perf_counter()
    for _ in range(1000):
        switch.level()
    assert time.perf_counter() - began < 1.0  # ten times what is promised, for a busy machine


def test_every_change_is_kept(file):
    file.trip(HaltLevel.FLATTEN, "ann", "1")
    file.trip(HaltLevel.BLOCK_NEW, "bob", "2")
    file.resume("cid", "3")
    rows = [json.loads(line) for line in (file.folder / "halt-log.jsonl").read_text().splitlines()]
    assert [(row["who"], row["level"]) for row in rows] == [
        ("ares7", "NONE"),
        ("ann", "FLATTEN"),
        ("bob", "BLOCK_NEW"),
        ("cid", "NONE"),
    ]


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path, clock):
    (tmp_path / "journal").write_text("a file in the way")
    for act in (
        lambda file: file.prepare(),
        lambda file: file.trip(HaltLevel.HALT, "ann", ""),
        lambda file: file.resume("ann", ""),
    ):
        with pytest.raises(Ares7Error, match=r"halt\.json cannot be written: .*; correct the folder"):
            act(HaltFile(tmp_path / "journal", clock))


def test_a_write_that_fails_leaves_the_old_level_and_no_litter(file, monkeypatch):
    file.trip(HaltLevel.BLOCK_NEW, "ann", "")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(Ares7Error, match="No space left on device"):
        file.resume("bob", "")
    assert file.read().level is HaltLevel.BLOCK_NEW
    assert sorted(p.name for p in file.folder.iterdir()) == [".halt.lock", "halt-log.jsonl", "halt.json"]


def test_a_reader_beside_a_writer_sees_whole_records_only(file, alarms, clock):
    code = "for n in range(60):\n    file.trip(HaltLevel.HALT, 'x', str(n))\n    file.resume('x', '')\n"
    writer = in_another_process(code, file.folder)
    switch, seen = HaltSwitch([file], alarms, clock), set()
    while writer.poll() is None:
        seen.add(switch.level())
    assert writer.communicate(timeout=30)[1] == ""
    assert alarms == []
    assert seen == {HaltLevel.NONE, HaltLevel.HALT}


def test_two_halts_at_once_end_at_the_higher_level(file):
    for _ in range(2):
        file.resume("test", "")
        code = "sys.stdin.readline()\nfile.trip(HaltLevel[sys.stdin.readline().strip()], 'x', '')"
        pair = [in_another_process(code, file.folder) for _ in range(2)]
        for process, level in zip(pair, ("CANCEL_WORKING", "FLATTEN"), strict=True):
            process.stdin.write(f"\n{level}\n")
            process.stdin.flush()
        for process in pair:
            assert process.communicate(timeout=30)[1] == ""
        assert file.read().level is HaltLevel.FLATTEN


def test_a_process_that_is_frozen_in_the_middle_of_writing_stops_no_halt_and_lets_nobody_resume(
    file, monkeypatch
):
    monkeypatch.setattr(module, "LOCK_PATIENCE_S", 0.1)
    code = "with file._locked(1.0):\n    print('locked', flush=True)\n    time.sleep(60)\n"
    frozen = in_another_process(code, file.folder)
    try:
        assert frozen.stdout.readline() == "locked\n"
        os.kill(frozen.pid, signal.SIGSTOP)
        assert file.trip(HaltLevel.HALT, "ann", "it hangs").level is HaltLevel.HALT
        with pytest.raises(CheckFailed, match=r"not lifted: another process holds .*\.halt\.lock"):
            file.resume("ann", "")
        assert file.read().level is HaltLevel.HALT
    finally:
        frozen.kill()
        frozen.communicate()
    assert file.resume("ann", "").level is HaltLevel.HALT


def test_a_killed_writer_leaves_the_old_level_and_no_lock(file):
    code = (
        "import os\nos.replace = lambda *a, **k: (print('now', flush=True), time.sleep(60))\n"
        "file.trip(HaltLevel.HALT, 'x', '')\n"
    )
    killed = in_another_process("Path.replace = lambda s, t: os.replace(s, t)\n" + code, file.folder)
    assert killed.stdout.readline() == "now\n"
    killed.kill()
    killed.communicate()
    assert file.read().level is HaltLevel.NONE
    assert file.trip(HaltLevel.FLATTEN, "ann", "").level is HaltLevel.FLATTEN


def test_a_file_system_without_locks_can_still_be_halted(file, monkeypatch):
    def unsupported(descriptor, operation):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    assert file.trip(HaltLevel.HALT, "ann", "").level is HaltLevel.HALT


@pytest.mark.parametrize("text", ["halt", "HALT", " Halt "])
def test_a_level_is_found_by_its_name(text):
    assert HaltLevel.parse(text) is HaltLevel.HALT
    assert HaltLevel.parse("block-new") is HaltLevel.BLOCK_NEW


def test_a_level_that_does_not_exist_is_one_clear_error():
    with pytest.raises(ConfigError, match="one of NONE, BLOCK_NEW, CANCEL_WORKING, FLATTEN, HALT"):
        HaltLevel.parse("stop")


def test_a_record_of_another_kind_is_one_clear_error():
    with pytest.raises(DataError, match="no halt record"):
        HaltRecord.from_dict("HALT")
