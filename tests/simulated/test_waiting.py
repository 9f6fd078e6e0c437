"""When a session counts: closed by the clock, there in the folder, in order; and what is said when it does not."""

from __future__ import annotations

import datetime as dt

import pytest

from ares7.errors import ConfigError, StaleData
from live.heartbeat import read_beat
from live.simulated import runner
from tests.simulated.small_folder import SmallFolder

FIRST = dt.date(2024, 1, 29)
NAMES = ("AAA", "BBB", "CCC", "DDD")


@pytest.fixture
def small(tmp_path):
    made = SmallFolder(tmp_path / "small", NAMES)
    made.write("2024-01-31")
    return made


def acted(account):
    return [day for (day,) in account.ask("SELECT session FROM navs WHERE kind = 'close' ORDER BY id")]


class Clock:
    """A clock that moves when somebody waits, and what happens meanwhile."""

    def __init__(self, start, *events, step=1800):
        self.time, self.events, self.step = dt.datetime.fromisoformat(start + "+00:00"), list(events), step
        self.waits = 0

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.waits += 1
        self.time += dt.timedelta(seconds=self.step)
        assert self.waits < 2000, "it waits for ever"
        while self.events and self.events[0][0] <= self.time.isoformat():
            self.events.pop(0)[1]()


def test_a_session_is_acted_on_after_its_close_and_not_before(account, small):
    mine = account(data=small.folder)
    # 16:00 in New York is 21:00 UTC; the bars count twenty minutes later.
    clock = Clock("2024-01-30T21:19:59", step=1)
    mine.run(2, first=FIRST, basis="traded", now=clock.now, sleep=clock.sleep)
    assert acted(mine) == ["2024-01-29", "2024-01-30"]
    assert clock.waits == 1


def test_rows_of_a_session_that_has_not_closed_are_not_looked_at(account, small):
    mine = account(data=small.folder)
    clock = Clock("2024-01-30T19:00:00")
    done = mine.run(1, once=True, first=None, now=clock.now, sleep=clock.sleep)
    assert str(done.session) == "2024-01-29"


def test_one_process_waits_for_rows_as_the_folder_grows(account, small):
    mine = account(data=small.folder)
    clock = Clock(
        "2024-01-31T23:00:00",
        ("2024-02-02T01:00", lambda: small.write("2024-02-01")),
        ("2024-02-05T22:00", lambda: small.write("2024-02-05")),
    )
    done = mine.run(6, first=FIRST, basis="traded", now=clock.now, sleep=clock.sleep)
    assert done.sessions == 6
    assert acted(mine) == ["2024-01-29", "2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02", "2024-02-05"]
    assert clock.waits > 10


def test_while_it_waits_it_gives_signs_of_life(account, small, monkeypatch):
    mine, seen = account(data=small.folder), []

    class Enough(Exception):
        pass

    def sleep(seconds):
        seen.append(read_beat(mine.home))
        raise Enough

    clock = Clock("2024-02-10T12:00:00")
    with pytest.raises(Enough):
        mine.run(9, first=FIRST, basis="traded", now=clock.now, sleep=sleep)
    assert (seen[0].state, str(seen[0].session)) == (runner.WAITING, "2024-01-31")


def test_a_stale_folder_ends_one_session_and_out_with_an_error_and_writes_nothing(account, small):
    mine = account(data=small.folder)
    clock = Clock("2024-02-10T12:00:00")
    mine.run(3, first=FIRST, basis="traded", now=clock.now)
    before = mine.path.read_bytes()
    with pytest.raises(StaleData, match=r"no bar of session 2024-02-01, the newest are of 2024-01-31"):
        mine.run(1, once=True, first=None, basis="traded", now=clock.now)
    assert mine.path.read_bytes() == before
    assert mine.ask("SELECT COUNT(*) FROM runs") == [(1,)]


def test_a_stale_folder_makes_no_journal(account, small, tmp_path):
    empty = account("empty", data=small.folder)
    clock = Clock("2024-02-10T12:00:00")
    with pytest.raises(StaleData):
        empty.run(1, once=True, first=dt.date(2024, 2, 1), basis="traded", now=clock.now)
    assert not empty.path.exists()


def test_nothing_is_due_before_the_next_close(account, small):
    mine = account(data=small.folder)
    clock = Clock("2024-02-01T12:00:00")
    mine.run(3, first=FIRST, basis="traded", now=clock.now)
    done = mine.run(1, once=True, first=None, basis="traded", now=clock.now)
    assert done.sessions == 0
    assert done.note == "session 2024-02-01 is final at 2024-02-01 21:20 UTC"
    assert mine.ask("SELECT COUNT(*) FROM runs") == [(1,)]


def test_a_missing_session_in_the_middle_stops(account, small):
    mine = account(data=small.folder)
    clock = Clock(
        "2024-02-10T12:00:00", ("2024-02-10T13:00", lambda: drop(small, "2024-02-01", "2024-02-05"))
    )
    with pytest.raises(StaleData, match=r"no bar of session 2024-02-01 and has some of 2024-02-05"):
        mine.run(9, first=FIRST, basis="traded", now=clock.now, sleep=clock.sleep)
    assert acted(mine) == ["2024-01-29", "2024-01-30", "2024-01-31"]


def drop(small, day, until):
    small.close.loc[day] = float("nan")
    small.write(until)


def test_names_without_a_bar_are_waited_for_and_then_left_out(account, small):
    mine = account(data=small.folder)
    small.pauses("CCC", "2024-02-01")
    small.write("2024-02-01")
    clock = Clock("2024-02-01T21:30:00", step=60)
    done = mine.run(4, first=FIRST, basis="traded", now=clock.now, sleep=clock.sleep)
    assert done.sessions == 4
    # Patience lasts 5,400 s from the close at 21:00.
    assert clock.now() == dt.datetime(2024, 2, 1, 22, 30, tzinfo=dt.UTC)
    assert "session 2024-02-01 without CCC (1 names)" in mine.told


def test_a_name_that_comes_late_is_not_left_out(account, small):
    mine = account(data=small.folder)
    whole = small.close.loc["2024-02-01", "CCC"]
    small.pauses("CCC", "2024-02-01")
    small.write("2024-02-01")

    def arrives():
        small.close.loc["2024-02-01", "CCC"] = whole
        small.write("2024-02-01")

    clock = Clock("2024-02-01T21:30:00", ("2024-02-01T22:00", arrives), step=60)
    mine.run(4, first=FIRST, basis="traded", now=clock.now, sleep=clock.sleep)
    assert clock.now() == dt.datetime(2024, 2, 1, 22, 0, tzinfo=dt.UTC)
    assert not any("without" in line for line in mine.told)


def test_missing_names_can_stop_the_run(account, small):
    mine = account(data=small.folder, live={"on_missing": "abort"})
    small.pauses("CCC", "2024-02-01")
    small.write("2024-02-01")
    with pytest.raises(StaleData, match=r"no bar of 2024-02-01 for CCC \(1 names\); nothing was decided"):
        mine.run(4, first=FIRST, basis="traded")
    assert acted(mine) == ["2024-01-29", "2024-01-30", "2024-01-31"]


def test_a_file_that_is_half_written_is_read_once_it_is_whole(account, small):
    mine = account(data=small.folder)
    small.write("2024-02-01")
    whole = (small.folder / "prices.parquet").read_bytes()
    small.write("2024-01-31")

    def half():
        (small.folder / "prices.parquet").write_bytes(whole[: len(whole) // 2])

    def rest():
        (small.folder / "prices.parquet").write_bytes(whole)

    clock = Clock("2024-02-01T23:00:00", ("2024-02-02T01:00", half), ("2024-02-02T03:00", rest))
    done = mine.run(4, first=FIRST, basis="traded", now=clock.now, sleep=clock.sleep)
    assert done.sessions == 4
    assert sum("cannot be read now" in line for line in mine.told) == 1


def test_names_that_the_folder_gains_are_traded_by_the_process_that_runs(account, small):
    late = SmallFolder(small.folder, (*NAMES, "NEW"))
    late.close.loc[late.close.index < "2024-02-20", "NEW"] = float("nan")
    late.write("2024-02-01")
    mine = account(data=small.folder)
    days = iter([day for day in late.close.index if day > "2024-02-01"])
    clock = Clock("2024-03-27T23:00:00")

    def sleep(seconds):
        late.write(next(days))

    mine.run(26, first=FIRST, basis="traded", now=clock.now, sleep=sleep)
    assert ("NEW",) in mine.ask("SELECT DISTINCT symbol FROM fills")


def test_a_first_start_begins_with_the_newest_session(account, small):
    mine = account(data=small.folder)
    mine.run(1, first=None, basis="traded")
    assert acted(mine) == ["2024-01-31"]


def test_from_may_repeat_what_it_said_and_not_jump(account, small):
    mine = account(data=small.folder)
    mine.run(1, first=FIRST, basis="traded")
    mine.run(1, first=FIRST, basis="traded")
    assert acted(mine) == ["2024-01-29", "2024-01-30"]
    with pytest.raises(ConfigError, match="goes on with 2024-01-31"):
        mine.run(1, first=dt.date(2024, 2, 1), basis="traded")


def test_an_account_cannot_begin_before_the_folder(account, small):
    with pytest.raises(ConfigError, match="begins with 2023-11-01"):
        account(data=small.folder).run(1, first=dt.date(2023, 6, 1), basis="traded")


def test_a_fetch_that_replaces_files_is_waited_for(account, small):
    mine = account(data=small.folder)
    pending = small.folder / ".fetch" / "commit.json"

    def begins():
        pending.parent.mkdir()
        pending.write_text("{}")
        small.write("2024-02-01")

    clock = Clock(
        "2024-02-01T22:00:00", ("2024-02-01T23:00", begins), ("2024-02-02T02:00", pending_gone(pending))
    )
    mine.run(4, first=FIRST, basis="traded", now=clock.now, sleep=clock.sleep)
    assert clock.now() >= dt.datetime(2024, 2, 2, 2, 0, tzinfo=dt.UTC)


def pending_gone(pending):
    return lambda: pending.unlink()
