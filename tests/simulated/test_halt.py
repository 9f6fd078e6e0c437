"""Halts reach a simulated account through the same switch: file, journal, signals."""

from __future__ import annotations

import collections
import datetime as dt
import signal

import pytest

from live.halt.file_source import HaltFile
from live.journal.operator_journal import OperatorJournal
from live.machine import utc_now
from tests.simulated.small_folder import SmallFolder
from tests.simulated.test_waiting import Clock, acted

FIRST = dt.date(2024, 1, 30)
NAMES = ("AAA", "BBB", "CCC", "DDD")


@pytest.fixture
def mine(account, tmp_path):
    folder = SmallFolder(tmp_path / "small", NAMES).write()
    return account(data=folder)


def go(account, sessions):
    return account.run(sessions, first=FIRST, basis="traded")


def halt(account, level):
    with OperatorJournal.open(f"sqlite:///{account.path}", "simulated") as journal:
        journal.halt(level, "test", "because")


def stages(account, session):
    found = account.ask("SELECT i.session, s.stage FROM stages s JOIN intents i ON i.ref = s.ref")
    return dict(collections.Counter(stage for day, stage in found if day == session))


def shares(account):
    (found,) = account.ask("SELECT SUM(CASE side WHEN 'BUY' THEN shares ELSE -shares END) FROM fills")[0]
    return found or 0.0


def test_waiting_orders_are_cancelled_and_stay_so(mine):
    go(mine, 1)
    halt(mine, "CANCEL_WORKING")
    go(mine, 1)
    assert stages(mine, "2024-01-30") == {"working": 4, "cancelled": 4}
    halt(mine, "NONE")
    go(mine, 3)
    assert stages(mine, "2024-01-30") == {"working": 4, "cancelled": 4}
    # The month end decided under the halt: nothing was sent, and nothing is made up for.
    assert shares(mine) == 0


def test_no_order_is_given_under_a_halt(mine):
    HaltFile(mine.home, utc_now).prepare()
    (mine.home / "halt.json").write_text("whatever is no record halts")
    go(mine, 3)
    assert mine.ask("SELECT COUNT(*) FROM intents") == [(0,)]
    assert len(acted(mine)) == 3


def test_block_new_lets_orders_that_reduce_pass(mine):
    go(mine, 1)
    halt(mine, "BLOCK_NEW")
    go(mine, 4)
    # What was given before fills; of the month end's orders only sales leave.
    assert stages(mine, "2024-01-30") == {"working": 4, "filled": 4}
    assert {side for (side,) in mine.ask("SELECT side FROM intents WHERE session = '2024-01-31'")} <= {"SELL"}


def test_flatten_closes_everything_once(mine):
    go(mine, 3)
    assert shares(mine) > 0
    halt(mine, "FLATTEN")
    go(mine, 3)
    assert shares(mine) == 0
    closing = mine.ask("SELECT side, session FROM intents WHERE purpose = 'flatten'")
    assert closing == [("SELL", "2024-02-02")] * 4
    ((cash, nav),) = mine.ask("SELECT cash_usd, nav_usd FROM navs ORDER BY id DESC LIMIT 1")
    assert cash == nav


def test_a_process_that_waits_flattens_at_once_and_another_one_fills_it(mine):
    flattens = ("2024-02-02T01:00", lambda: halt(mine, "FLATTEN"))
    # The folder has more, but the process ends before the next close.
    clock = Clock("2024-02-01T23:00:00", flattens, ("2024-02-02T05:00", stop))
    with pytest.raises(KeyboardInterrupt):
        mine.run(9, first=FIRST, basis="traded", now=clock.now, sleep=clock.sleep)
    assert stages(mine, "2024-02-01") == {"working": 4}
    go(mine, 1)
    assert shares(mine) == 0


def stop():
    raise KeyboardInterrupt


def test_flatten_may_be_asked_for_again_while_nothing_trades(mine):
    clock = Clock(
        "2024-02-01T23:00:00",
        ("2024-02-02T01:00", lambda: halt(mine, "FLATTEN")),
        ("2024-02-02T02:00", lambda: halt(mine, "CANCEL_WORKING")),
        ("2024-02-02T03:00", lambda: halt(mine, "FLATTEN")),
    )
    mine.run(4, first=FIRST, basis="traded", now=clock.now, sleep=clock.sleep)
    assert shares(mine) == 0
    given = [ref[-4:] for (ref,) in mine.ask("SELECT ref FROM intents WHERE purpose = 'flatten'")]
    assert sorted(given) == ["-S-1"] * 4 + ["-S-2"] * 4


def test_a_signal_halts(mine):
    clock = Clock("2024-01-30T23:00:00", ("2024-01-31T01:00", lambda: signal.raise_signal(signal.SIGUSR2)))
    mine.run(2, first=FIRST, basis="traded", now=clock.now, sleep=clock.sleep)
    assert stages(mine, "2024-01-30") == {"working": 4, "cancelled": 4}
    assert HaltFile(mine.home, utc_now).read().level.name == "CANCEL_WORKING"
