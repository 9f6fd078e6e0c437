"""A halt file in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from live.halt.file_source import HaltFile
from tests.halt.clocks import Alarms, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def alarms() -> Alarms:
    return Alarms()


@pytest.fixture
def file(tmp_path: Path, clock: Clock) -> HaltFile:
    """Of a process that has started."""
    made = HaltFile(tmp_path / "journal", clock)
    made.prepare()
    return made
