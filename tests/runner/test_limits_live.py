"""Each limit through the runner: exactly the orders that break it stay away from the gateway, and sales still leave.

Every other limit is off. What is bought in the first sessions is sold in the last one, which is to buy two names.
"""

from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pytest

from ares7.limits import LimitParams
from feeds.engines import Chosen
from live.double.history import from_folder
from live.journal.reader import JournalReader
from live.order_state import Known
from tests.runner.mid_batch import InterruptedRunner, sides
from tests.runner.scripted import Scripted, ScriptedParams

SMALL, LARGE = "S010", "S005"
"""Bought in the last session; the smaller order leaves first."""
HELD = {"S003": 0.08, "S004": 0.08}
MORE = {"S003": 0.16, "S004": 0.08}
WANTED = {SMALL: 0.05, LARGE: 0.15}
FALLING = {"S008": 0.08, "S014": 0.08}
"""Both lost more than 4 % on 2024-06-25."""
OFF = {name: None for name in LimitParams.model_fields if name.startswith(("max_", "price_"))}
SESSIONS = 60
"""Of the mean volume: more than the strategy itself loads."""
SWITCHES = {"volume_sessions", "allow_short", "report_in_backtests"}
"""Parameters that are no number to compare; `allow_short` is tried at the socket below."""

CASES = {
    # limit: (its value, books, names that it keeps back)
    "max_order_usd": (100_000, (HELD, MORE, WANTED), {LARGE}),
    "max_fund_order_usd": (
        100_000,
        ({"GLD": 0.08}, {"GLD": 0.16}, {SMALL: 0.12, "SPY": 0.15}),
        {"SPY"},
    ),
    "max_volume_share": (None, (HELD, MORE, {SMALL: 0.05, "S015": 0.15}), {"S015"}),
    "max_weight": (0.1, (HELD, WANTED), {LARGE}),
    "max_fund_weight": (0.1, ({"GLD": 0.08}, {SMALL: 0.12, "SPY": 0.15}), {"SPY"}),
    "max_sector_weight": (0.1, (HELD, WANTED), {LARGE}),
    "max_gross": (0.18, (HELD, WANTED), {LARGE}),
    "max_net": (0.18, (HELD, WANTED), {LARGE}),
    "max_turnover": (0.15, (HELD, WANTED), {LARGE}),
    "max_orders_a_day": (2, (HELD, HELD | {"S006": 0.08, "S007": 0.08}, WANTED), {SMALL, LARGE}),
    "max_cash_use": (0.18, (HELD, WANTED), {LARGE}),
    "max_daily_loss": (0.002, (FALLING, WANTED), {SMALL, LARGE}),
    "max_drawdown": (0.002, (FALLING, WANTED), {SMALL, LARGE}),
}
SOCKET_ONLY = {"price_collar", "max_price_age_sessions"}
"""A decision sends no limit price and nothing without a bar: only orders of another kind meet these."""


def test_every_limit_is_tried():
    assert CASES.keys() | SOCKET_ONLY | SWITCHES == LimitParams.model_fields.keys()


def chosen(books):
    return Chosen("scripted", Scripted, ScriptedParams(books=books))


def volume_limit(market):
    """Between the share of the mean volume that 80,000 USD of S003 are, and that of 160,000 USD."""
    history = from_folder(market, basis="total_return")
    row, last = (
        history.symbols.index("S003"),
        int(np.searchsorted(history.dates, np.datetime64("2024-06-26"))),
    )
    window = slice(last - SESSIONS + 1, last + 1)
    dollars = history.volume[row, window].mean() * history.close[row, last]
    return 120_000 / dollars


def sent_in(gateway, session):
    """(symbol, side) of the orders of a session that reached the gateway."""
    day = session.strftime("%Y%m%d")
    refs = [ref for ref in gateway.recorder.order_refs() if ref.split("-")[1] == day]
    symbols = {order.ref: order.symbol for order in gateway.book().orders}
    return set(zip([symbols[ref] for ref in refs], sides(refs), strict=True))


@pytest.mark.parametrize("limit", CASES)
def test_a_limit_keeps_exactly_its_orders_from_the_gateway_and_says_why(
    run, gateway, market, tmp_path, limit
):
    value, books, refused = CASES[limit]
    value = volume_limit(market) if value is None else value
    limits = OFF | {"allow_short": True, "volume_sessions": SESSIONS, limit: value}
    # What prices alone have moved is left.
    config = {"limits": limits, "account": {"min_trade_nav": 0.03}}
    runner = run(sessions=len(books), chosen=chosen(books), config=config)
    runner.run()
    with JournalReader.open(f"sqlite:///{tmp_path / 'journal' / 'journal-paper.sqlite'}", "paper") as journal:
        rebalances = journal.rebalances()
        rows = [(r.session, d) for r in rebalances for d in journal.decisions(r.rebalance_id)]
        intended = {(o.intent.session, o.intent.symbol) for o in journal.orders()}
    last = rebalances[-1].session
    assert len(rebalances) == len(books)
    assert {(session, row.symbol) for session, row in rows if row.outcome == "limited"} == {
        (last, symbol) for symbol in refused
    }
    held = {symbol for book in books[:-1] for symbol in book}
    expected = {(symbol, "SELL") for symbol in held} | {(s, "BUY") for s in books[-1].keys() - refused}
    assert sent_in(gateway, last) == expected
    assert not {(last, symbol) for symbol in refused} & intended
    for row in (row for _, row in rows if row.outcome == "limited"):
        found = re.search(r"is ([-\d.e+]+), at most ([-\d.e+]+) is allowed; ", row.reason)
        assert float(found[1]) > float(found[2]), row.reason
        assert f"limits.{limit}" in row.reason
        if limit != "max_cash_use":  # what it compares is a part of the cash
            assert float(found[2]) == pytest.approx(value, rel=1e-5)
    assert any(f"the limits keep back {len(refused)} of " in line for line in runner.lines)


# What has changed since the decision: only the last question before the socket can see it.

TRIP = 2 * len(HELD) + 1
"""The one purchase of the second session, after its sales."""


OTHER = "A7-other"


class Changed(InterruptedRunner):
    """Tampers with what is known, or with the order itself, right before one order is asked about."""

    change = None

    def trip(self):
        """Take note of the order; the change is made by `_written`."""
        self._written = self._changing

    def _changing(self, ticket, order_id):
        self._written = self.conductor.before_writing
        self.ticket = ticket
        try:
            self._written(self.change(self, ticket) or ticket, order_id)
        finally:
            self.store.book.orders.pop(OTHER, None)


def a_limit_price(runner, ticket):
    close = runner.conductor._pre_trade.day.names[ticket.con_id].close
    return dataclasses.replace(ticket, order_type="LMT", tif="DAY", limit_price=round(1.2 * close, 2))


def known(runner, ticket, **facts):
    names = runner.conductor._pre_trade.day.names
    names[ticket.con_id] = dataclasses.replace(names[ticket.con_id], **facts)


def an_old_price(runner, ticket):
    known(runner, ticket, age_sessions=1.0)


def no_price(runner, ticket):
    known(runner, ticket, close=math.nan)


def no_value(runner, ticket):
    runner.conductor._nav = math.nan


def another_order(runner, ticket):
    other = dataclasses.replace(ticket, ref=OTHER)
    runner.store.book.orders[other.ref] = Known(other, 10**6, runner.store.now())


def many_orders(runner, ticket):
    for number in range(10):
        runner.conductor._pre_trade.sent(dataclasses.replace(ticket, ref=f"A7-{number}"))


def less_cash(runner, ticket):
    runner.store.holdings.cash -= 990_000


SOCKET = {
    # name: (limits that are on, what changes, what the refusal names)
    "price_collar": ({"price_collar": 0.1}, a_limit_price, "limits.price_collar"),
    "max_price_age_sessions": ({"max_price_age_sessions": 0}, an_old_price, "limits.max_price_age_sessions"),
    "an unknown price": ({}, no_price, "its price is not known"),
    "an unknown value of the account": ({"max_gross": 1.0}, no_value, "is not known"),
    "max_weight": ({"max_weight": 0.08}, another_order, "limits.max_weight"),
    "max_orders_a_day": ({"max_orders_a_day": 12}, many_orders, "limits.max_orders_a_day"),
    "max_cash_use": ({"max_cash_use": 1.0}, less_cash, "limits.max_cash_use"),
}


@pytest.mark.parametrize("name", SOCKET)
def test_what_changed_since_the_decision_is_judged_right_before_the_socket(run, gateway, tmp_path, name):
    limits, change, text = SOCKET[name]
    books = ({"S003": 0.08, "S004": 0.08}, {SMALL: 0.05})
    runner = run(
        kind=Changed,
        sessions=2,
        chosen=chosen(books),
        config={"limits": OFF | {"allow_short": True} | limits},
    )
    runner.trip_at, runner.change = TRIP, change
    runner.run()
    assert (runner.ticket.symbol, runner.ticket.side) == (SMALL, "BUY")
    assert runner.ticket.ref not in gateway.recorder.order_refs()
    assert [line for line in runner.lines if f"{SMALL} is not sent" in line and text in line]
    with JournalReader.open(f"sqlite:///{tmp_path / 'journal' / 'journal-paper.sqlite'}", "paper") as journal:
        assert journal.order(runner.ticket.ref) is None
        last = journal.rebalances()[-1]
        assert [d.outcome for d in journal.decisions(last.rebalance_id)] == ["order"] * 3
    assert sent_in(gateway, last.session) == {("S003", "SELL"), ("S004", "SELL")}


def test_a_sale_of_shares_that_are_not_there_any_more_is_not_sent(run, gateway):
    def sold(runner, ticket):
        del runner.store.holdings.positions[ticket.con_id]

    runner = run(kind=Changed, sessions=2, chosen=chosen((HELD, WANTED)), config={"limits": OFF})
    runner.trip_at, runner.change = len(HELD) + 1, sold
    runner.run()
    assert runner.ticket.side == "SELL"
    assert runner.ticket.ref not in gateway.recorder.order_refs()
    assert any("0 shares are ours to sell" in line for line in runner.lines)


def test_orders_of_the_session_are_counted_over_a_restart_in_mid_batch(run, gateway, tmp_path):
    """Five of ten orders leave and the process dies; then eight are allowed a day."""

    class Died(BaseException):
        pass

    class Dying(InterruptedRunner):
        def trip(self):
            raise Died

    names = {f"S{number:03d}": 0.05 for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)}
    limits = OFF | {"max_orders_a_day": 8}
    runner = run(kind=Dying, chosen=chosen((names,)), config={"limits": OFF})
    runner.trip_at = 6
    with pytest.raises(Died):
        runner.run()
    again = run(sessions=1, chosen=chosen((names,)), config={"limits": limits})
    again.run()
    assert len(gateway.recorder.order_refs()) == 8
    with JournalReader.open(f"sqlite:///{tmp_path / 'journal' / 'journal-paper.sqlite'}", "paper") as journal:
        assert len(journal.rebalances()) == 1
        assert len(journal.orders()) == 8
    assert any("the limits keep back 2 of " in line for line in again.lines)
