"""However often the process ends, orderly or not, the journal comes to say the same."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil

import pytest

from live.journal.database import Database
from live.journal.operator_journal import OperatorJournal
from tests.simulated.conftest import content
from tests.simulated.small_folder import SmallFolder

SESSIONS, BEGIN = 8, dt.date(2024, 1, 30)


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    """A start, a month end, a dividend, a name that pauses while an order waits, and one that ends."""
    made = SmallFolder(tmp_path_factory.mktemp("events"), ("AAA", "BBB", "CCC", "DDD"))
    made.pays("BBB", "2024-02-02", 0.75)
    made.pauses("CCC", "2024-02-01")
    made.ends("DDD", "2024-01-31")
    return made.write("2024-03-08")


@pytest.fixture
def on_events(account, events):
    def made(name):
        return account(
            name, data=events, account={"cash": 250_000.0, "cash_rate": 0.03, "min_trade_nav": 0.0}
        )

    return made


def go(account, sessions, **errand):
    return account.run(sessions, first=BEGIN, basis="traded", **errand)


def acted(account):
    if not account.path.exists():
        return 0
    return account.ask("SELECT COUNT(DISTINCT session) FROM navs WHERE kind = 'close'")[0][0]


@pytest.mark.parametrize("strategy", ["equal_weight", "low_volatility"])
def test_a_process_a_session_writes_what_one_process_writes(account, strategy):
    through, daily = account("through", strategy), account("daily", strategy)
    through.run(45)
    for _ in range(45):
        assert daily.run(1, once=True).sessions == 1
    assert content(daily) == content(through)
    assert len(content(through)["fills"]) > 20


def test_the_next_decision_is_waited_for_by_a_process_a_session_as_by_one(account):
    through, daily = account("through", "regime_ensemble"), account("daily", "regime_ensemble")
    through.run(30, start_now=False)
    for _ in range(30):
        daily.run(1, once=True, start_now=False)
    assert content(daily) == content(through)
    assert {reason for (reason,) in through.ask("SELECT reason FROM rebalances")} <= {"month_end", "regime"}


def test_the_events_happen(on_events):
    through = on_events("through")
    go(through, SESSIONS)
    kinds = dict(through.ask("SELECT kind, COUNT(*) FROM flows GROUP BY kind"))
    assert kinds == {"interest": SESSIONS, "dividend": 1}
    assert through.ask("SELECT symbol, session FROM intents WHERE purpose = 'flatten'") == [
        ("DDD", "2024-02-07")
    ]
    assert through.ask("SELECT session FROM rebalances") == [("2024-01-30",), ("2024-01-31",)]
    late = through.ask("SELECT session FROM fills WHERE symbol = 'CCC'")
    assert late == [("2024-01-31",), ("2024-02-02",)]


def test_a_process_a_session_does_the_same_about_events(on_events):
    through, daily = on_events("through"), on_events("daily")
    go(through, SESSIONS)
    for _ in range(SESSIONS):
        go(daily, 1, once=True)
    assert content(daily) == content(through)


class Killed(BaseException):
    """The process is gone."""


@contextlib.contextmanager
def killed_after(monkeypatch, commits):
    """Let nothing be written any more after so many commits; yields the count of those that were done."""
    done, original = [0], Database._block

    @contextlib.contextmanager
    def block(self, *, changes):
        if done[0] >= commits:
            raise Killed
        with original(self, changes=changes) as connection:
            yield connection
        done[0] += changes
        if done[0] >= commits:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Database, "_block", block)
        yield done


PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_a_kill_between_any_two_commits_changes_nothing(on_events, monkeypatch, part):
    through = on_events("through")
    with killed_after(monkeypatch, 10**9) as counted:
        go(through, SESSIONS)
    wanted, total = content(through), counted[0]
    assert total > 60
    for commits in range(1 + part, total, PARTS):
        mine = on_events(f"k{commits}")
        with killed_after(monkeypatch, commits), pytest.raises(Killed):
            go(mine, SESSIONS)
        left = SESSIONS - acted(mine)
        if left:
            go(mine, left)
        assert content(mine) == wanted, f"killed after commit {commits} of {total}"


def prepare_split(account, small):
    small.divides("BBB", "2024-02-01", 2.0)
    small.divides("CCC", "2024-02-01", 1.5)
    return lambda: small.write()


def prepare_halt(level):
    def prepare(account, small):
        def halts():
            with OperatorJournal.open(f"sqlite:///{account.path}", "simulated") as journal:
                journal.halt(level, "test", "because")

        return halts

    return prepare


@pytest.mark.parametrize(
    ("acts", "before"),
    [
        (prepare_split, 3),
        (prepare_split, 1),
        (prepare_halt("FLATTEN"), 3),
        (prepare_halt("CANCEL_WORKING"), 1),
    ],
    ids=["split", "split of waiting orders", "flatten", "cancel"],
)
def test_a_kill_while_something_rare_happens_changes_nothing(account, tmp_path, monkeypatch, acts, before):
    small = SmallFolder(tmp_path / "small", ("AAA", "BBB", "CCC", "DDD"))
    # The last session before the split.
    small.write(str(small.close.index[small.close.index.get_loc("2024-02-01") - 1]))
    base = account("base", data=small.folder)
    first = dt.date(2024, 1, 29) if before == 3 else dt.date(2024, 1, 31)
    base.run(before, first=first, basis="traded")
    happens = acts(base, small)
    happens()
    small.write()

    def on(name):
        made = account(name, data=small.folder)
        shutil.copytree(base.home, made.home)
        return made

    through = on("through")
    with killed_after(monkeypatch, 10**9) as counted:
        through.run(4, first=first, basis="traded")
    wanted, total = content(through), counted[0]
    for commits in range(1, total):
        mine = on(f"k{commits}")
        with killed_after(monkeypatch, commits), pytest.raises(Killed):
            mine.run(4, first=first, basis="traded")
        left = before + 4 - acted(mine)
        if left:
            mine.run(left, first=first, basis="traded")
        assert content(mine) == wanted, f"killed after commit {commits} of {total}"
    if acts is prepare_split:
        assert through.ask("SELECT COUNT(*) FROM adjustments") == [(2 if before == 3 else 0,)]


def test_a_process_that_is_killed_again_and_again_comes_to_the_same(on_events, monkeypatch):
    through, mine = on_events("through"), on_events("mine")
    go(through, SESSIONS)
    lives = 0
    while (left := SESSIONS - acted(mine)) > 0 and lives < 60:
        lives += 1
        # What is written again counts too, so that a life must be longer than a session.
        with killed_after(monkeypatch, 14 + 2 * (lives % 4)), contextlib.suppress(Killed):
            go(mine, left)
    assert lives > 3
    assert content(mine) == content(through)
