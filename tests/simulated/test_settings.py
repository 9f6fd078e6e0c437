"""Settings of live trading hold for a simulated account too: capital, limits, and where the journal lies."""

from __future__ import annotations

import datetime as dt

import pytest

from live.journal.reader import JournalReader
from live.simulated.account import ACCOUNT
from live.simulated.contracts import contract_of, contracts_of
from tests import postgres
from tests.simulated.small_folder import SmallFolder

FIRST = dt.date(2024, 1, 30)
NAMES = ("AAA", "BBB", "CCC", "DDD")


@pytest.fixture
def folder(tmp_path):
    return SmallFolder(tmp_path / "small", NAMES).write()


def gross(account):
    return account.ask("SELECT gross_usd / nav_usd FROM navs WHERE kind = 'close' ORDER BY id DESC LIMIT 1")[
        0
    ][0]


def test_a_part_of_the_account_is_invested(account, folder):
    mine = account(data=folder, live={"capital_fraction": 0.5})
    mine.run(3, first=FIRST, basis="traded")
    assert gross(mine) == pytest.approx(0.49, abs=0.02)


def test_limits_keep_orders_back_and_the_decision_says_why(account, folder):
    mine = account(data=folder, limits={"max_order_usd": 10_000.0})
    mine.run(3, first=FIRST, basis="traded")
    assert mine.ask("SELECT COUNT(*) FROM intents") == [(0,)]
    outcomes = mine.ask("SELECT DISTINCT outcome FROM decisions WHERE target_weight > 0")
    assert outcomes == [("limited",)]
    assert "the limits keep back 4 of 4 orders" in " ".join(mine.told)


def test_what_the_cash_does_not_cover_is_rejected_and_the_next_decision_is_for_the_rest(account, tmp_path):
    small = SmallFolder(tmp_path / "gap", NAMES)
    # Everything opens a tenth higher than it closed.
    small.open.loc["2024-01-31"] = small.close.loc["2024-01-30"] * 1.1
    mine = account(data=small.write())
    mine.run(1, first=FIRST, basis="traded")
    mine.run(1, first=FIRST, basis="traded")
    rejected = mine.ask("SELECT reason FROM stages WHERE stage = 'rejected'")
    assert rejected == [("the cash does not cover it",)]
    mine.run(2, first=FIRST, basis="traded")
    assert mine.ask("SELECT MIN(cash_usd) >= 0 FROM navs") == [(1,)]


def test_the_account_begins_with_the_cash_that_was_configured_then(account, folder):
    first, later = account("same", data=folder, account={"cash": 50_000.0}), account("same", data=folder)
    first.run(1, first=FIRST, basis="traded", start_now=False)
    later.run(1, first=FIRST, basis="traded", start_now=False)
    assert later.ask("SELECT kind, nav_usd FROM navs") == [
        ("start", 50_000.0),
        ("close", 50_000.0),
        ("close", 50_000.0),
    ]


def test_the_journal_may_be_a_database(account, folder):
    if postgres.binaries() is None:
        pytest.skip("no PostgreSQL server: apt-get install postgresql")
    with postgres.running() as server:
        url = server.empty_database()
        mine, other = account(data=folder, live={"journal": url}), account("file", data=folder)
        for account_of in (mine, other):
            account_of.run(2, first=FIRST, basis="traded")
            account_of.run(2, once=False, first=FIRST, basis="traded")
        with JournalReader.open(url, "simulated", ACCOUNT) as journal:
            assert [nav.nav_usd for nav in journal.navs()] == [
                nav for (nav,) in other.ask("SELECT nav_usd FROM navs WHERE kind = 'close' ORDER BY id")
            ]
            assert len(journal.fills()) > 4


def test_contract_numbers_are_the_same_in_every_process_and_differ():
    assert contract_of("AAPL") == 401633281898
    found = contracts_of(f"N{i}" for i in range(5000))
    assert len(set(found.values())) == 5000
    assert all(0 < number < 10**12 for number in found.values())
