"""The book of a shadow run, by hand; and the prices that an account trades at, found by its decisions."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import numpy as np
import pytest

from ares7.costs import BpsCosts
from ares7.errors import DataError, MissingData
from live.book_history import of_journal, unsent
from live.drift import drift
from live.journal.rows import Adjustment, Decision, Intent, Rebalance
from live.journal.writer import Journal
from live.model_book import of_shadow, splits_of
from live.price_table import PriceTable, basis_of
from tests.shortfall.journals import ACCOUNT, CLOSE, CON, DATES, DAYS, NAMES, at, four_sessions

OPEN = CLOSE - 0.5
FREE = BpsCosts(bps=0)


@pytest.fixture
def desk(tmp_path):
    made = four_sessions(tmp_path)
    yield made
    made.journal.close()


@pytest.fixture
def shadow(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path / 'journal-shadow.sqlite'}", "shadow", ACCOUNT) as journal:
        yield journal


def decide(journal, row, wanted, *, number="0a1b2c3d", nav=100_000.0, outcome="order"):
    journal.begin_rebalance(Rebalance(number, DAYS[row], "ensemble", "feedbeef", "month_end", nav))
    for symbol, target in wanted.items():
        journal.decision(
            [
                Decision(
                    number, symbol, CON[symbol], 0.5, target, 0.0, 0.0, target, float(CLOSE[row, 0]), outcome
                )
            ]
        )


def live_book(desk):
    return of_journal(desk.journal, DATES, NAMES, CLOSE)


def test_each_decision_is_filled_in_full_at_the_next_open_and_charged_as_configured(desk, shadow):
    decide(shadow, 0, {"AAPL": 100, "TLT": 200})
    live = live_book(desk)
    decide(shadow, 2, {"AAPL": 80}, number="1a1b2c3d", nav=float(live.nav[2]))
    book = of_shadow(shadow, live, OPEN, BpsCosts(bps=10))
    assert book.shares.tolist() == [[0, 0], [100, 200], [100, 200], [80, 0]]
    assert book.paid[1].tolist() == [100 * 100.5, 200 * 48.5]
    assert book.fees.tolist() == pytest.approx(
        [0.0, (100 * 100.5 + 200 * 48.5) * 1e-3, 0.0, (20 * 101.5 + 200 * 50.5) * 1e-3]
    )
    earned = 100 * 0.5 + 200 * 0.5 - book.fees[1]
    assert book.nav[:2].tolist() == pytest.approx([100_000.0, 100_000.0 + earned])
    assert drift(live, book).by_cause["unexplained"] == pytest.approx(np.zeros(3), abs=1e-6)
    assert drift(live, book).by_cause["flows"] == pytest.approx(np.zeros(3))


def test_a_name_that_does_not_trade_waits_for_its_open(desk, shadow):
    decide(shadow, 0, {"AAPL": 100})
    opens = OPEN.copy()
    opens[1, 0] = np.nan
    assert of_shadow(shadow, live_book(desk), opens, FREE).shares[:, 0].tolist() == [0, 0, 100, 100]


def test_what_the_limits_keep_back_is_not_traded(desk, shadow):
    decide(shadow, 0, {"AAPL": 100}, outcome="limited")
    assert not of_shadow(shadow, live_book(desk), OPEN, FREE).traded.any()


def test_shares_that_were_sized_for_another_account_are_scaled(desk, shadow):
    decide(shadow, 0, {"AAPL": 100}, nav=50_000.0)
    assert of_shadow(shadow, live_book(desk), OPEN, FREE).shares[1, 0] == 200


def test_a_decision_before_the_comparison_does_not_count_and_one_on_its_last_day_is_not_traded(desk, shadow):
    shadow.begin_rebalance(
        Rebalance("0a1b2c3d", DAYS[0] - dt.timedelta(days=1), "ensemble", "feedbeef", "x", 1e5)
    )
    decide(shadow, 3, {"AAPL": 100}, number="1a1b2c3d")
    assert not of_shadow(shadow, live_book(desk), OPEN, FREE).traded.any()


def test_a_split_that_the_account_took_over_splits_the_shadow_s_shares(desk, shadow):
    decide(shadow, 0, {"AAPL": 100})
    desk.now = at(DAYS[2], 15)
    desk.journal.adopt(Adjustment(CON["AAPL"], "AAPL", "split", 60, 60))
    live = live_book(desk)
    book = of_shadow(shadow, live, OPEN, FREE, splits_of(desk.journal, live))
    assert book.shares[:, 0].tolist() == [0, 100, 200, 200]


def test_a_name_without_a_price_is_one_error(desk, shadow):
    decide(shadow, 0, {"AAPL": 100})
    close = CLOSE.copy()
    live = live_book(desk)
    close[2, 0] = np.nan
    given = {name: getattr(live, name) for name in live.__slots__} | {"close": close}
    with pytest.raises(MissingData, match="AAPL has no close on 2024-03-05"):
        of_shadow(shadow, SimpleNamespace(**given), OPEN, FREE)


def test_decisions_that_became_no_order_are_told_with_their_reason(desk, shadow):
    desk.decide(2, [], rebalance="9a9b9c9d", refused=[("TLT", "limited")])
    never = unsent(desk.journal)
    assert [(u.symbol, u.shares, u.reason) for u in never] == [("TLT", 1.0, "above the limit")]
    decide(shadow, 0, {"AAPL": 100})
    assert unsent(shadow) == []


def test_a_late_fill_is_missing_until_it_comes(tmp_path):
    """Decided on day 0, half filled on day 1 and half on day 3, beside one that was filled at once."""
    late, full = four_sessions(tmp_path, filled=50), None
    try:
        (tmp_path / "full").mkdir()
        full = four_sessions(tmp_path / "full", filled=100)
        order = late.journal.orders()[0].intent
        assert isinstance(order, Intent)
        late.fill(3, order.ref, "AAPL", 50, 102.0)
        late.close(3)
        found = drift(live_book(late), live_book(full))
        expected = -50 * (102.0 - 100.5)
        assert found.by_cause["missing_orders"].sum() == pytest.approx(expected)
        assert found.by_cause["rounding"].sum() == pytest.approx(0.0)
        assert found.by_cause["unexplained"].sum() == pytest.approx(0.0, abs=1e-6)
    finally:
        late.journal.close()
        if full is not None:
            full.journal.close()


def panel(price, close):
    fields = {"price": price, "close": close, "open": close - 0.5}
    return SimpleNamespace(dates=DATES, symbols=NAMES, fields=fields)


def test_prices_are_found_by_those_that_decisions_were_sized_with(desk):
    assert basis_of(panel(CLOSE, CLOSE * 0.97), [desk.journal]) == "traded"
    assert basis_of(panel(CLOSE * 1.03, CLOSE), [desk.journal]) == "total_return"
    with pytest.raises(DataError, match="other closes than the journal's decisions"):
        basis_of(panel(CLOSE * 1.03, CLOSE * 0.97), [desk.journal])


def test_prices_of_a_table_keep_the_last_close_and_invent_no_open():
    close = CLOSE.copy()
    close[2, 0] = np.nan
    table = PriceTable.of(panel(close * 2, close), "traded")
    assert table.closes(["AAPL", "GLD"], DATES)[:, 0].tolist() == [200.0, 202.0, 202.0, 204.0]
    assert np.isnan(table.closes(["AAPL", "GLD"], DATES)[:, 1]).all()
    assert table.opens(["AAPL"], DATES[:2])[:, 0].tolist() == [199.0, 201.0]
    assert np.isnan(table.opens(["AAPL"], DATES[2:3])).all()
    with pytest.raises(MissingData, match="no prices of 2024-03-07"):
        table.require(DATES[-1:] + np.timedelta64(1, "D"))
