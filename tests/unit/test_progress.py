"""Progress: a bar on a terminal, few plain lines in a log, nothing on stdout."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import pytest

from ares7 import progress
from ares7.progress import stage


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_one_line_at_the_end_of_short_work(capsys):
    with progress.progress("backtest", total=3000) as step:
        for _ in range(3000):
            step(1)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"backtest: 3,000 of 3,000 in \d+\.\d s\n", err)


def test_a_log_gets_at_most_one_line_in_the_interval(capsys, monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.progress("search", total=20) as step:
        for _ in range(20):
            step(1)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == [
        "search: 5 of 20 (25%), 1 a second, 15 s left ...",
        "search: 10 of 20 (50%), 1 a second, 10 s left ...",
    ]
    assert len(lines) == 5


def test_a_terminal_gets_a_bar_that_ends_complete(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress.progress("backtest", total=50) as step:
        for _ in range(50):
            step(1)
    assert "backtest" in terminal.getvalue()
    assert "50/50" in terminal.getvalue()


@pytest.mark.parametrize(
    ("done", "left", "seconds", "wanted"),
    [
        (900, 100, 1.0, "900 a second, 0 s left"),
        (3000, 97_000, 1.0, "3,000 a second, 32 s left"),
        (10, 990, 10.0, "1 a second, 16:30 left"),
        (1, 9_999, 4.0, "0.25 a second, 11:06:36 left"),
        (0, 100, 1.0, ""),
        (5, 5, 0.0, ""),
    ],
)
def test_pace_is_units_a_second_and_time_left(done, left, seconds, wanted):
    assert progress.pace(done, left, seconds) == wanted


def test_what_was_done_before_counts_and_is_no_speed(capsys, monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.progress("points", total=1000, done=980) as step:
        for _ in range(6):
            step(1)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "points: 985 of 1,000 (98%), 1 a second, 15 s left ..."
    assert lines[-1].startswith("points: 986 of 1,000 in ")


def test_a_terminal_is_told_speed_and_time_left(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "BAR_SECONDS", 0.0)
    monkeypatch.setattr(progress, "pace", lambda done, left, seconds: f"[{done} done, {left} left]")
    with progress.progress("points", total=30, done=10) as step:
        step(5)
        shown = terminal.getvalue()
        step(15)
    assert "points" in shown
    assert "[5 done, 15 left]" in terminal.getvalue()


def test_work_of_no_units_is_no_error(capsys):
    with progress.progress("nothing", total=0) as step:
        step(0)
    assert "nothing: 0 of 0" in capsys.readouterr().err


@pytest.mark.parametrize("terminal", [False, True])
def test_an_error_in_the_work_passes_through_and_is_not_reported_as_done(monkeypatch, terminal):
    stream = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with pytest.raises(ValueError, match="broken"):
        break_off()
    assert "5/5" not in stream.getvalue()
    assert " in " not in stream.getvalue()


def break_off() -> None:
    with progress.progress("backtest", total=5) as step:
        step(1)
        raise ValueError("broken")


def test_stage_writes_one_line_to_stderr(capsys):
    stage("loading prices")
    assert capsys.readouterr() == ("", "loading prices ...\n")


def test_importing_progress_does_not_import_rich():
    code = "import sys, ares7.progress; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
