from __future__ import annotations

import datetime as dt

import pytest

from tests.monitor.desk import Clock, Desk, Script

FRIDAY = dt.date(2024, 1, 5)


@pytest.fixture
def clock():
    return Clock(dt.datetime(2024, 1, 5, 21, 30, tzinfo=dt.UTC))


@pytest.fixture
def script(tmp_path, clock):
    made = Script(tmp_path / "journal", clock)
    made.close(dt.date(2024, 1, 4))
    made.close(FRIDAY)
    yield made
    made.journal.close()


@pytest.fixture
def desks(tmp_path, clock):
    """Makes a monitor of the folder of ``script``; the one before is closed first, as by a restart."""
    made = []

    def make(*overrides, **options):
        for desk in made:
            desk.close()
        made.append(Desk(tmp_path / "journal", clock, *overrides, **options))
        return made[-1]

    yield make
    for desk in made:
        desk.close()


@pytest.fixture
def receiver():
    from tests.alerts.receivers import Receiver

    made = Receiver()
    yield made
    made.close()
