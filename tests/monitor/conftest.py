from __future__ import annotations

import datetime as dt

import pytest

from tests.monitor.desk import Clock, Script

FRIDAY = dt.date(2024, 1, 5)


@pytest.fixture
def clock():
    return Clock(dt.datetime(2024, 1, 5, 21, 30, tzinfo=dt.UTC))


@pytest.fixture
def script(tmp_path, clock):
    made = Script(tmp_path / "journal", clock)
    yield made
    made.journal.close()
