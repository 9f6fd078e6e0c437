"""Dividends are paid and splits divide; neither makes a profit from nowhere, and a rewritten past is refused."""

from __future__ import annotations

import datetime as dt

import pytest

from ares7.errors import DataError, MissingData
from tests.simulated.small_folder import SmallFolder

FIRST = dt.date(2024, 1, 29)
NAMES = ("AAA", "BBB", "CCC", "DDD")


@pytest.fixture
def small(tmp_path):
    return SmallFolder(tmp_path / "small", NAMES)


def held(account):
    bought = account.ask("SELECT symbol, CASE side WHEN 'BUY' THEN shares ELSE -shares END FROM fills")
    found = {}
    for symbol, shares in [*bought, *account.ask("SELECT symbol, shares FROM adjustments")]:
        found[symbol] = found.get(symbol, 0.0) + shares
    return found


def navs(account):
    return dict(account.ask("SELECT session, nav_usd FROM navs WHERE kind = 'close' ORDER BY session"))


def flows(account):
    return account.ask("SELECT session, kind, symbol, amount_usd FROM flows ORDER BY id")


def test_a_dividend_is_paid_on_what_was_held_before_its_ex_date(account, small):
    small.pays("BBB", "2024-02-08", 1.25)
    mine = account(data=small.write())
    mine.run(12, first=FIRST, basis="traded")
    ((session, kind, symbol, usd),) = flows(mine)
    assert (session, kind, symbol) == ("2024-02-08", "dividend", "BBB")
    assert usd == pytest.approx(1.25 * held(mine)["BBB"], rel=1e-9)


def test_nobody_is_paid_who_buys_on_the_ex_date(account, small):
    small.pays("BBB", "2024-01-30", 1.25)
    mine = account(data=small.write())
    mine.run(3, first=FIRST, basis="traded")
    assert flows(mine) == []
    assert held(mine)["BBB"] > 0


def test_the_cash_is_the_account_with_its_trades_fees_and_dividends(account, small):
    small.pays("BBB", "2024-02-08", 1.25)
    small.pays("AAA", "2024-02-13", 0.5)
    mine = account(data=small.write())
    mine.run(24, first=FIRST, basis="traded")
    (traded,), (fees,), (paid,) = (
        mine.ask("SELECT SUM(CASE side WHEN 'BUY' THEN -shares ELSE shares END * price) FROM fills")[0],
        mine.ask("SELECT SUM(amount) FROM fees")[0],
        mine.ask("SELECT SUM(amount_usd) FROM flows")[0],
    )
    ((cash,),) = mine.ask("SELECT cash_usd FROM navs WHERE kind = 'close' ORDER BY id DESC LIMIT 1")
    assert cash == pytest.approx(1_000_000 + traded - fees + paid, abs=1e-6)


def grown(account, small, days, **errand):
    """Write the folder day by day, and act on each day as cron would."""
    for day in days:
        small.write(day)
        account.run(1, once=True, first=FIRST, **errand)


def between(small, first, last):
    return [day for day in small.close.index if first <= day <= last]


def test_a_split_changes_shares_and_no_value(account, small):
    plain = SmallFolder(small.folder.parent / "plain", NAMES)
    small.divides("CCC", "2024-02-07", 2.0)
    days = between(small, "2024-01-29", "2024-02-14")
    mine, other = account("mine", data=small.folder), account("other", data=plain.folder)
    grown(mine, small, days, basis="traded")
    grown(other, plain, days, basis="traded")
    assert held(mine)["CCC"] == 2 * held(other)["CCC"]
    assert mine.ask("SELECT symbol, kind, reason FROM adjustments") == [
        ("CCC", "split", "2024-02-07 2-for-1 split")
    ]
    for day, nav in navs(other).items():
        # Orders of the month end are whole shares of another price.
        assert navs(mine)[day] == pytest.approx(nav, rel=1e-5)
    assert navs(mine)["2024-02-07"] == pytest.approx(navs(other)["2024-02-07"], rel=1e-9)


def test_a_fraction_of_a_share_is_paid_in_cash(account, small):
    plain = SmallFolder(small.folder.parent / "plain", NAMES)
    small.divides("CCC", "2024-02-07", 1.5)
    days = between(small, "2024-01-29", "2024-02-07")
    mine, other = account("mine", data=small.folder), account("other", data=plain.folder)
    grown(mine, small, days, basis="traded")
    grown(other, plain, days, basis="traded")
    before = held(other)["CCC"]
    assert held(mine)["CCC"] == int(before * 1.5)
    if before % 2:
        assert [kind for _, kind, _, _ in flows(mine)] == ["corporate_action"]
    # Half a share at the close before, and it is worth the close of now.
    assert navs(mine)["2024-02-07"] == pytest.approx(navs(other)["2024-02-07"], abs=50.0)


def test_a_split_is_found_once_by_one_process_that_waits(account, small):
    small.divides("CCC", "2024-02-07", 2.0)
    days = between(small, "2024-01-29", "2024-02-14")
    daily, waiting = account("daily", data=small.folder), account("waiting", data=small.folder)
    grown(daily, small, days, basis="traded")
    coming = iter(days)
    small.write(next(coming))
    waiting.run(len(days), first=FIRST, basis="traded", sleep=lambda seconds: small.write(next(coming)))
    assert held(waiting) == held(daily)
    assert navs(waiting) == navs(daily)


def test_an_order_is_cancelled_when_its_shares_are_split_before_the_open(account, small):
    small.divides("CCC", "2024-01-30", 2.0)
    mine = account(data=small.folder)
    grown(mine, small, ["2024-01-29", "2024-01-30"], basis="traded")
    ((stage, reason),) = mine.ask(
        "SELECT s.stage, s.reason FROM stages s JOIN intents i ON i.ref = s.ref WHERE i.symbol = 'CCC' "
        "AND s.stage <> 'working'"
    )
    assert (stage, reason) == ("cancelled", "the share was split 2-for-1 before the open")
    assert "CCC" not in held(mine)


def test_a_past_that_no_split_explains_is_refused_and_nothing_is_written(account, small):
    mine = account(data=small.folder)
    days = between(small, "2024-01-29", "2024-02-05")
    grown(mine, small, days, basis="traded")
    before = navs(mine)
    small.close["AAA"] *= 1.37
    small.open["AAA"] *= 1.37
    small.write("2024-02-06")
    with pytest.raises(DataError, match=r"open of AAA on .* no split has such a ratio; nothing is decided"):
        mine.run(1, once=True, first=FIRST, basis="traded")
    assert navs(mine) == before
    assert mine.ask("SELECT COUNT(*) FROM adjustments") == [(0,)]


def test_a_correction_of_a_cent_is_no_split(account, small):
    mine = account(data=small.folder)
    grown(mine, small, between(small, "2024-01-29", "2024-02-05"), basis="traded")
    small.open.loc["2024-01-30", "AAA"] += 0.01
    grown(mine, small, ["2024-02-06"], basis="traded")
    assert len(navs(mine)) == 7


def test_total_return_prices_that_a_dividend_rescaled_are_refused(account, small):
    small.pays("BBB", "2024-02-06", 1.0)
    mine = account(data=small.folder)
    grown(mine, small, between(small, "2024-01-29", "2024-02-05"))
    before = navs(mine)
    small.write("2024-02-06")
    with pytest.raises(
        DataError, match=r"BBB .* rescaled by dividends; nothing is decided; .*--prices traded"
    ):
        mine.run(1, once=True, first=FIRST)
    assert navs(mine) == before


def test_a_name_that_is_held_and_vanishes_from_the_files_stops_everything(account, small):
    mine = account(data=small.folder)
    grown(mine, small, between(small, "2024-01-29", "2024-02-05"), basis="traded")
    small.close = small.close.drop(columns="DDD")
    small.write("2024-02-06")
    with pytest.raises(MissingData, match="DDD is held or ordered"):
        mine.run(1, once=True, first=FIRST, basis="traded")
