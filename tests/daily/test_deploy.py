"""What is shipped for cron and systemd, and the messages that the troubleshooting table quotes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.daily.desk import ROOT

DEPLOY = ROOT / "deploy"
QUOTED = {
    "does not exist; run 'python run.py overlay": "live/daily/overlay_job.py live/daily/overlay_files.py",
    "has no earnings.parquet or earnings.csv": "feeds/assemble.py",
    "Final overlay:": "live/daily/overlay_steps.py",
    "neither .../.venv/bin/python nor python3 is there": "deploy/run_daily.sh",
    "output folder ... cannot be written": "live/daily/outputs.py live/daily/lock.py",
    "log folder ... cannot be written": "live/daily/log.py",
    "times the tilt exceeds overlay.cap": "live/daily/overlay_apply.py",
    "final weights are negative": "live/daily/overlay_apply.py",
    "negative weights": "live/daily/overlay_files.py",
    ", above 1": "live/daily/overlay_files.py",
    "the final weights sum to ..., above 1": "live/daily/overlay_apply.py",
    "is stale: it is of ..., and the session is": "live/daily/overlay_files.py",
    "do not say their date": "live/daily/base_weights.py",
    "prices are stale: they end on": "live/daily/market.py",
    "are not complete": "live/daily/market.py",
    "another job (": "live/daily/lock.py",
    "do not belong together: the sha256 differs": "live/daily/outputs.py",
}
"""Words of the table, ``...`` for what varies, and the file that says them."""


def sayings(path: str) -> str:
    """Text of a source with its wrapped strings joined and what is filled in replaced by ``...``."""
    text = re.sub(r'"\s*\n\s*f?"', "", (ROOT / path).read_text())
    return re.sub(r"\{[^{}]*\}|\$here", "...", text)


@pytest.mark.parametrize("words", QUOTED)
def test_a_message_in_the_troubleshooting_table_is_one_that_is_given(words):
    table = (ROOT / "docs/daily.md").read_text().split("## Troubleshooting")[1]
    assert words in table
    told = " ".join(sayings(path) for path in QUOTED[words].split())
    assert all(part in told for part in words.split("; "))


def test_the_script_may_be_executed():
    assert os.access(DEPLOY / "run_daily.sh", os.X_OK)


def test_the_examples_schedule_the_three_lines_in_new_york():
    lines = (DEPLOY / "crontab.example").read_text().splitlines()
    assert "CRON_TZ=America/New_York" in lines
    schedules = [re.sub(r"^# ", "", line) for line in lines if "run_daily.sh" in line]
    assert [" ".join(line.split()[:5]) for line in schedules] == ["0 9 * * *", "0 9 * * 1-5", "0 9,15 * * *"]
    assert sum(not line.startswith("#") for line in lines if "run_daily.sh" in line) == 1
    assert "America/New_York" in (DEPLOY / "ares7-daily.timer").read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_units_are_valid(tmp_path: Path):
    for name in ("ares7-daily.service", "ares7-daily.timer"):
        text = (DEPLOY / name).read_text().replace("/opt/ares7", str(ROOT)).replace("User=ares7\n", "")
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )
    about = [line for line in done.stderr.splitlines() if "ares7-daily" in line]
    assert (done.returncode, about) == (0, [])
