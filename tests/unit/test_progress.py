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
