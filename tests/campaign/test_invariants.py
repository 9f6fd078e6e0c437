"""Each invariant finds what is wrong: journals and books that were doctored, one way at a time."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from live.double.book import Book, BookExecution, BookOrder
from tests.campaign import invariants
from tests.campaign.books import FillRow, JournalRows, OrderRow
from tests.campaign.ledger import Halt, Ledger

ACCOUNT, DAY, LATER = "DU1", dt.date(2024, 7, 1), dt.date(2024, 7, 2)
BUY, SELL, NEXT = "A7-20240701-aaaaaaaa-1-B-1", "A7-20240701-aaaaaaaa-2-S-1", "A7-20240702-bbbbbbbb-3-B-1"
LIMIT = {"max_weight": 0.25, "max_order_usd": 300_000.0}


def order(ref, symbol, quantity, *, session=DAY, **more):
    return OrderRow(ref, symbol, "BUY" if "-B-" in ref else "SELL", quantity, session, **more)


def at_gateway(ref, symbol, quantity, filled, status="Filled", perm=1):
    action = "BUY" if "-B-" in ref else "SELL"
    return BookOrder(
        7, perm, perm, ref, symbol, action, "MKT", "OPG", quantity, filled, 10.0, status, ACCOUNT, ""
    )


def executed(number, ref, symbol, shares, price=10.0):
    side = "BOT" if "-B-" in ref else "SLD"
    exec_id = f"a7.{number}.01.01"
    return BookExecution(exec_id, ref, number, symbol, side, shares, price, 0.0, 1.0, None, ACCOUNT)


def fill(number, ref, symbol, shares, price=10.0):
    return FillRow(f"a7.{number}.01", 1, ref, symbol, "BUY" if "-B-" in ref else "SELL", shares, price)


JOURNAL = JournalRows(
    orders=(
        order(BUY, "AAA", 100.0),
        order(SELL, "BBB", 50.0),
        order(NEXT, "CCC", 10.0, session=LATER, stage="working", done=False),
    ),
    fills=(fill(1, BUY, "AAA", 100.0), fill(2, SELL, "BBB", 50.0)),
    fees={"a7.1.01": 1.0, "a7.2.01": 1.0},
    positions={"AAA": 100.0, "BBB": 25.0},
)
BOOK = Book(
    now=0.0,
    orders=(
        at_gateway(BUY, "AAA", 100.0, 100.0, perm=1),
        at_gateway(SELL, "BBB", 50.0, 50.0, perm=2),
        at_gateway(NEXT, "CCC", 10.0, 0.0, "PreSubmitted", perm=3),
    ),
    executions=(executed(1, BUY, "AAA", 100.0), executed(2, SELL, "BBB", 50.0)),
    cash={ACCOUNT: 9_498.0},
    equity={ACCOUNT: 10_748.0},
    positions={ACCOUNT: {"AAA": 100.0, "BBB": 25.0}},
    average_cost={ACCOUNT: {}},
)
SENT = [SELL, BUY, NEXT]


def ledger(**more):
    marks = {DAY: (10_000.0, {"AAA": 10.0, "BBB": 10.0, "CCC": 10.0})}
    return Ledger(cash_start=10_000.0, marks=marks, **more)


def found(journal=JOURNAL, book=BOOK, sent=SENT, deeds=None):
    findings = invariants.every(journal, book, sent, deeds or ledger(), ACCOUNT, LIMIT)
    return {finding.invariant for finding in findings}


def test_what_is_right_has_no_findings():
    assert found() == set()


def test_an_order_that_is_sent_twice_is_found():
    assert found(sent=[*SENT, BUY]) == {invariants.ONCE}


def test_a_second_incarnation_that_nobody_made_is_found_and_one_of_the_campaign_is_not():
    twice = replace(BOOK, orders=(*BOOK.orders, at_gateway(BUY, "AAA", 100.0, 0.0, "Cancelled", perm=9)))
    assert found(book=twice) == {invariants.ONCE}
    deeds = ledger()
    deeds.twins[BUY] += 1
    assert found(book=twice, deeds=deeds) == set()


def test_an_order_that_executes_more_than_its_quantity_is_found():
    small = tuple(replace(o, quantity=99.0) if o.ref == BUY else o for o in JOURNAL.orders)
    assert found(replace(JOURNAL, orders=small)) == {invariants.ONCE}


def test_an_order_that_is_in_no_journal_is_found():
    assert invariants.ONCE in found(replace(JOURNAL, orders=JOURNAL.orders[:2]))


@pytest.mark.parametrize(
    "doctored",
    [
        replace(JOURNAL, fills=JOURNAL.fills[:1]),
        replace(JOURNAL, fills=(JOURNAL.fills[0], fill(2, SELL, "BBB", 49.0))),
        replace(JOURNAL, fills=(JOURNAL.fills[0], fill(2, SELL, "BBB", 50.0, price=10.01))),
        replace(JOURNAL, fills=(JOURNAL.fills[0], replace(JOURNAL.fills[1], revision=2))),
        replace(JOURNAL, fills=(*JOURNAL.fills, fill(3, BUY, "AAA", 1.0))),
        replace(JOURNAL, fees={"a7.1.01": 1.0}),
        replace(JOURNAL, fees=JOURNAL.fees | {"a7.2.01": 2.0}),
    ],
    ids=["missing", "shares", "price", "revision", "invented", "no fee", "another fee"],
)
def test_a_fill_that_is_lost_or_wrong_is_found(doctored):
    assert invariants.FILLS in found(doctored)


@pytest.mark.parametrize(
    ("journal", "book"),
    [
        (replace(JOURNAL, positions={"AAA": 100.0, "BBB": 24.0}), BOOK),
        (replace(JOURNAL, positions={"AAA": 100.0}), BOOK),
        (replace(JOURNAL, aside={"BBB": 1.0}), BOOK),
        (JOURNAL, replace(BOOK, cash={ACCOUNT: 9_500.0})),
        (replace(JOURNAL, orders=(*JOURNAL.orders[:2], replace(JOURNAL.orders[2], done=True))), BOOK),
        (replace(JOURNAL, orders=(replace(JOURNAL.orders[0], done=False), *JOURNAL.orders[1:])), BOOK),
    ],
    ids=["shares", "position", "aside", "cash", "works there", "works here"],
)
def test_a_journal_that_is_not_the_gateways_book_is_found(journal, book):
    assert found(journal, book) == {invariants.BOOKS}


def test_shares_that_came_behind_the_runners_back_are_not_held_against_it():
    more = replace(BOOK, positions={ACCOUNT: {"AAA": 117.0, "BBB": 25.0}})
    assert found(book=more) == {invariants.BOOKS}
    deeds = ledger()
    deeds.drifts("AAA", 17.0)
    assert found(book=more, deeds=deeds) == set()


def test_a_position_beyond_its_limit_is_found():
    deeds = ledger()
    deeds.marks[DAY] = 3_999.0, deeds.marks[DAY][1]
    assert found(deeds=deeds) == {invariants.LIMITS}


def test_an_order_beyond_its_limit_is_found():
    deeds = ledger()
    deeds.marks[DAY] = 10**9, {"AAA": 3_001.0}
    assert found(deeds=deeds) == {invariants.LIMITS}


def test_a_short_position_is_found():
    short = replace(BOOK, positions={ACCOUNT: {"AAA": 100.0, "BBB": -25.0}})
    journal = replace(JOURNAL, positions={"AAA": 100.0, "BBB": -25.0})
    assert found(journal, short) == {invariants.LIMITS}


@pytest.mark.parametrize("level", ["BLOCK_NEW", "CANCEL_WORKING", "FLATTEN", "HALT"])
def test_an_order_after_a_halt_is_found(level):
    assert found(deeds=ledger(halts=[Halt(level, "file", 2)])) == {invariants.HALTS}
    assert found(deeds=ledger(halts=[Halt(level, "file", 3)])) == set()
    assert found(deeds=ledger(halts=[Halt(level, "file", 0, 0)])) == set()


def test_what_reduces_and_what_flattens_pass_their_levels():
    assert found(deeds=ledger(halts=[Halt("BLOCK_NEW", "file", 0, 1)])) == set()
    assert found(deeds=ledger(halts=[Halt("FLATTEN", "file", 0, 1)])) == {invariants.HALTS}
    closing = tuple(replace(o, purpose="flatten") if o.ref == SELL else o for o in JOURNAL.orders)
    flat = replace(JOURNAL, orders=closing)
    assert found(flat, deeds=ledger(halts=[Halt("FLATTEN", "file", 0, 1)])) == set()
    assert found(flat, deeds=ledger(halts=[Halt("HALT", "file", 0, 1)])) == {invariants.HALTS}
