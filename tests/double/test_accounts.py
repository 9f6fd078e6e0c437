"""Accounts: what a client is told of cash, positions and figures, and whether it agrees with the books."""

from __future__ import annotations

import pytest

from live.double.account import Account
from live.double.market import Listing
from tests.double.client import ACCOUNT, connected, order, settle, stock, until

LISTING = Listing(1, "AAPL", "STK", "NASDAQ", "USD", 0, "NMS", "AAPL")


@pytest.mark.parametrize(
    ("trades", "quantity", "cost", "realized", "cash"),
    [
        ([(10, 100.0, 1.0)], 10, 100.1, 0.0, -1001.0),
        ([(10, 100.0, 1.0), (10, 110.0, 1.0)], 20, 105.1, 0.0, -2102.0),
        ([(10, 100.0, 1.0), (-4, 120.0, 1.0)], 6, 100.1, 4 * 19.9 - 1, -1001.0 + 479.0),
        ([(10, 100.0, 1.0), (-10, 120.0, 1.0)], 0, 0.0, 10 * 19.9 - 1, 198.0),
        ([(-10, 100.0, 1.0)], -10, 99.9, 0.0, 999.0),
        ([(-10, 100.0, 1.0), (10, 90.0, 1.0)], 0, 0.0, 10 * 9.9 - 1, 98.0),
        ([(10, 100.0, 1.0), (-15, 120.0, 1.0)], -5, 120.0, 10 * 19.9 - 1, 798.0),
    ],
)
def test_positions_are_kept_at_average_cost_with_commissions(trades, quantity, cost, realized, cash):
    account = Account("DU1", 0.0)
    for shares, price, fee in trades:
        account.trade(LISTING, shares, price, fee)
    held = account.holding(LISTING)
    assert (held.quantity, held.average_cost) == (quantity, pytest.approx(cost))
    assert (held.realized, account.cash) == (pytest.approx(realized), pytest.approx(cash))


def test_only_what_closes_has_a_realised_profit():
    account = Account("DU1", 0.0)
    assert account.trade(LISTING, 10, 100.0, 1.0) is None
    assert account.trade(LISTING, -4, 120.0, 1.0) == pytest.approx(4 * 19.9 - 1)


def shown(ib, tag, currency="USD"):
    return {v.account: float(v.value) for v in ib.accountValues() if (v.tag, v.currency) == (tag, currency)}


def test_the_figures_of_the_account_follow_a_trade_and_the_market(gateway):
    with connected(gateway) as ib:
        assert shown(ib, "NetLiquidation") == {ACCOUNT: 1_000_000.0}
        trade = ib.placeOrder(stock(), order(quantity=1000))
        until(ib, trade.isDone)
        until(ib, lambda: shown(ib, "TotalCashValue")[ACCOUNT] < 1_000_000)
        book = gateway.book()
        assert shown(ib, "TotalCashValue")[ACCOUNT] == pytest.approx(book.cash[ACCOUNT], abs=0.005)
        assert shown(ib, "GrossPositionValue")[ACCOUNT] == 112_000.0
        gateway.end_session()
        until(ib, lambda: shown(ib, "GrossPositionValue")[ACCOUNT] == 113_000.0)
        assert shown(ib, "NetLiquidation")[ACCOUNT] == pytest.approx(
            gateway.book().equity[ACCOUNT], abs=0.005
        )
        (held,) = ib.portfolio()
        assert (held.position, held.averageCost) == (1000.0, pytest.approx(112.005))


def test_figures_come_in_the_base_and_in_the_currency(gateway):
    with connected(gateway) as ib:
        assert shown(ib, "CashBalance", "BASE") == shown(ib, "CashBalance") == {ACCOUNT: 1_000_000.0}


def test_a_summary_gives_the_tags_that_were_asked_and_the_ledger(gateway):
    with connected(gateway) as ib:
        rows = {(v.tag, v.currency): v.value for v in ib.accountSummary()}
        assert rows["NetLiquidation", "USD"] == "1000000.00"
        assert rows["AccountType", ""] == "INDIVIDUAL"
        assert rows["NetLiquidationByCurrency", "BASE"] == "1000000.0000"


def test_several_accounts_have_books_of_their_own(start):
    control = start(accounts={"DU1": 10_000.0, "DU2": 20_000.0})
    with connected(control) as ib:
        assert ib.managedAccounts() == ["DU1", "DU2"]
        trade = ib.placeOrder(stock(), order(account="DU2"))
        until(ib, trade.isDone)
        settle(ib)
        assert control.book().positions == {"DU1": {}, "DU2": {"AAPL": 10.0}}
        assert [(p.account, p.position) for p in ib.positions()] == [("DU2", 10.0)]
        assert {a: round(v) for a, v in shown(ib, "NetLiquidation").items()} == {"DU1": 10_000, "DU2": 19_999}
        ib.placeOrder(stock(), order(account=""))
        settle(ib)
        assert ib.errors[-1][1] == 435


def test_positions_that_were_closed_are_told_as_zero_and_then_not_at_all(gateway):
    with connected(gateway) as ib:
        for side in ("BUY", "SELL"):
            trade = ib.placeOrder(stock(), order(side))
            until(ib, trade.isDone)
        settle(ib)
        assert [e.fields[14] for e in gateway.recorder.named("position")] == ["10", "0"]
        assert ib.positions() == []
    with connected(gateway):
        assert [e.fields[14] for e in gateway.recorder.named("position")] == ["10", "0"]


def test_an_account_can_be_kept_in_another_currency(start):
    control = start(base_currency="EUR")
    with connected(control) as ib:
        assert shown(ib, "NetLiquidation", "EUR") == {ACCOUNT: 1_000_000.0}
        assert shown(ib, "NetLiquidation", "USD") == {}


def test_figures_are_sent_now_and_then_because_prices_move(gateway):
    gateway.set_position("AAPL", 100, cost=112.0)
    with connected(gateway) as ib:
        gateway.advance_to("2024-01-22 13:00")
        until(ib, lambda: shown(ib, "GrossPositionValue")[ACCOUNT] > 11_250)
