"""Differences between journal and gateway: each is named, and the parts add up."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live.reconcile.differences import absent_orders, differences, missing_fills, rivals
from live.reconcile.views import GatewayBook, Hint, JournalBook, Kind
from tests.reconcile.cases import APPLE, BOND, NAMES, NOON, execution, open_order, our_ref, position


def journal(**held):
    positions = held.pop("positions", {APPLE: 100.0})
    return JournalBook(positions, NAMES, held.pop("refs", frozenset({our_ref()})), settled=True, **held)


def kinds(found):
    return [(d.kind, d.con_id, d.shares) for d in found]


def test_equal_books_do_not_differ():
    assert differences(journal(), GatewayBook((position(APPLE, 100),))) == []


def test_an_execution_without_our_reference_is_a_manual_trade():
    told = GatewayBook((position(APPLE, 70),), executions=(execution(APPLE, -30),))
    (found,) = differences(journal(), told)
    assert (found.kind, found.shares, found.roots) == (Kind.MANUAL_TRADE, -30, ("0001",))
    assert "SELL 30 at 100" in found.explanation
    assert "reconcile --accept AAPL" in found.explanation
    assert found.stops_trading


def test_manual_trades_that_net_to_nothing_are_named_all_the_same():
    told = GatewayBook(
        (position(APPLE, 100),),
        executions=(execution(APPLE, 30), execution(APPLE, -30, root="0002", minutes=5)),
    )
    assert kinds(differences(journal(), told)) == [(Kind.MANUAL_TRADE, APPLE, 0)]


def test_what_the_operator_decided_on_is_no_difference_any_more_but_a_later_trade_is():
    told = GatewayBook(
        (position(APPLE, 75),),
        executions=(execution(APPLE, -30), execution(APPLE, 5, root="0002", minutes=9)),
    )
    decided = journal(positions={APPLE: 70.0}, decided={APPLE: NOON + dt.timedelta(minutes=1)})
    assert kinds(differences(decided, told)) == [(Kind.MANUAL_TRADE, APPLE, 5)]


def test_an_execution_of_ours_that_the_journal_lacks_is_a_missing_fill():
    told = GatewayBook((position(APPLE, 140),), executions=(execution(APPLE, 40, ref=our_ref()),))
    assert [e.root for e in missing_fills(journal(), told)] == ["0001"]
    assert kinds(differences(journal(), told)) == [(Kind.MISSING_FILL, APPLE, 40)]


def test_a_booked_fill_is_neither_missing_nor_a_difference():
    told = GatewayBook((position(APPLE, 140),), executions=(execution(APPLE, 40, ref=our_ref()),))
    booked = journal(positions={APPLE: 140.0}, booked={"0001": (1, 40.0)})
    assert missing_fills(booked, told) == []
    assert differences(booked, told) == []


def test_a_correction_counts_only_what_it_changes():
    told = GatewayBook(
        (position(APPLE, 135),),
        executions=(
            execution(APPLE, 40, ref=our_ref()),
            execution(APPLE, 35, ref=our_ref(), revision=2),
        ),
    )
    booked = journal(positions={APPLE: 140.0}, booked={"0001": (1, 40.0)})
    assert [e.revision for e in missing_fills(booked, told)] == [2]
    assert kinds(differences(booked, told)) == [(Kind.MISSING_FILL, APPLE, -5)]


def test_a_working_order_of_somebody_else_stops_its_symbol_until_it_is_tolerated():
    told = GatewayBook((position(APPLE, 100),), (open_order(APPLE, 10),))
    (found,) = differences(journal(), told)
    assert (found.kind, found.shares, found.gateway, found.stops_trading) == (Kind.FOREIGN_ORDER, 0, 10, True)
    assert differences(journal(tolerated=frozenset({found.key})), told) == []
    other = GatewayBook((position(APPLE, 100),), (open_order(APPLE, 10, perm_id=78),))
    assert len(differences(journal(tolerated=frozenset({found.key})), other)) == 1


def test_our_own_working_order_is_no_difference():
    told = GatewayBook((position(APPLE, 100),), (open_order(APPLE, 10, ref=our_ref()),))
    assert differences(journal(), told) == []
    assert rivals(journal(), told) == ()


@pytest.mark.parametrize(
    ("after", "before_usd", "now_usd", "text"),
    [
        (400, 200.0, 50.5, "4-for-1"),
        (150, 90.0, 61.0, "3-for-2"),
        (10, 2.0, 20.6, "1-for-10"),
        (33, 5.0, 15.2, "1-for-3"),
    ],
)
def test_a_split_is_a_simple_ratio_with_the_price_moved_inversely(after, before_usd, now_usd, text):
    (found,) = differences(
        journal(), GatewayBook((position(APPLE, after),)), {APPLE: Hint(before_usd, now_usd)}
    )
    assert (found.kind, found.shares) == (Kind.SPLIT, after - 100)
    assert text in found.explanation


@pytest.mark.parametrize(
    ("after", "hint"),
    [
        (200, Hint(100.0, 99.0)),
        (200, Hint(None, 50.0)),
        (200, Hint(100.0, float("nan"))),
        (101, Hint(100.0, 99.0)),
        (-200, Hint(100.0, 50.0)),
        (237, Hint(100.0, 42.2)),
    ],
)
def test_a_change_of_which_price_or_ratio_say_otherwise_is_no_split(after, hint):
    (found,) = differences(journal(), GatewayBook((position(APPLE, after),)), {APPLE: hint})
    assert found.kind is Kind.UNEXPLAINED


def test_fractions_of_a_share_more_are_a_reinvested_dividend():
    (found,) = differences(journal(), GatewayBook((position(APPLE, 100.37),)))
    assert found.kind is Kind.DIVIDEND_REINVESTMENT
    assert found.shares == pytest.approx(0.37)


@pytest.mark.parametrize(
    ("after", "kind"), [(102, Kind.DIVIDEND_REINVESTMENT), (104, Kind.UNEXPLAINED), (98, Kind.UNEXPLAINED)]
)
def test_a_known_dividend_says_how_many_whole_shares_it_buys(after, kind):
    hint = {APPLE: Hint(50.0, 50.0, dividend_usd=1.0)}
    (found,) = differences(journal(), GatewayBook((position(APPLE, after),)), hint)
    assert found.kind is kind


def test_a_holding_that_the_journal_never_had_is_unknown():
    told = GatewayBook((position(APPLE, 100), position(999, 50)))
    (found,) = differences(journal(), told)
    assert (found.kind, found.con_id, found.shares) == (Kind.UNKNOWN_POSITION, 999, 50)
    assert "run.py adopt 999" in found.explanation


def test_an_ignored_holding_may_change_at_will_but_what_is_ours_must_be_there():
    mine = journal(ignored=frozenset({APPLE, BOND}))
    for theirs, bonds in ((100, 5), (130, 900), (100, 0)):
        assert differences(mine, GatewayBook((position(APPLE, theirs), position(BOND, bonds)))) == []
    short = differences(mine, GatewayBook((position(APPLE, 99),)))
    assert kinds(short) == [(Kind.UNEXPLAINED, APPLE, -1)]


def test_a_holding_in_another_currency_is_named_money_and_shares_alike():
    told = GatewayBook(
        (position(APPLE, 100), position(888, 10, currency="EUR")), cash={"USD": 5.0, "BASE": 9.0, "EUR": 3.5}
    )
    found = differences(journal(ignored=frozenset()), told)
    assert [(d.kind, d.symbol, d.stops_trading) for d in found] == [
        (Kind.CURRENCY, "888", True),
        (Kind.UNKNOWN_POSITION, "888", True),
        (Kind.CURRENCY, "EUR", False),
    ]


def test_a_position_told_in_whole_shares_equals_one_with_a_fraction():
    assert differences(journal(positions={APPLE: 100.37}), GatewayBook((position(APPLE, 100),))) == []
    assert differences(journal(positions={APPLE: 100.37}), GatewayBook((position(APPLE, 99),))) != []


def test_a_position_that_is_gone_is_named():
    (found,) = differences(journal(), GatewayBook())
    assert (found.kind, found.symbol, found.gateway, found.shares) == (Kind.UNEXPLAINED, "AAPL", 0, -100)


def test_orders_of_our_form_that_the_journal_does_not_know_are_a_rivals():
    theirs = our_ref(rebalance="ffffffff")
    told = GatewayBook(
        (position(APPLE, 110),),
        (open_order(BOND, 3, ref=our_ref(BOND, rebalance="eeeeeeee")),),
        (execution(APPLE, 10, ref=theirs),),
    )
    assert rivals(journal(), told) == (our_ref(BOND, rebalance="eeeeeeee"), theirs)
    assert rivals(journal(), GatewayBook(open_orders=(open_order(BOND, 3, ref="by hand"),))) == ()


def test_an_intent_of_which_the_gateway_has_no_trace_is_absent():
    refs = [our_ref(n=n) for n in (1, 2, 3)]
    told = GatewayBook((), (open_order(APPLE, 1, ref=refs[0]),), (execution(APPLE, 1, ref=refs[1]),))
    assert absent_orders(refs, told) == (refs[2],)


SHARES = st.integers(-300, 300).map(float)
FILLS = st.lists(
    st.tuples(st.sampled_from([APPLE, BOND]), SHARES.filter(bool), st.booleans(), st.booleans()), max_size=6
)


@given(
    ours=st.dictionaries(st.sampled_from([APPLE, BOND]), SHARES),
    theirs=st.dictionaries(st.sampled_from([APPLE, BOND, 999]), SHARES),
    fills=FILLS,
    price=st.sampled_from([25.0, 50.0, 100.0, 200.0]),
)
def test_the_parts_of_every_contract_add_up_to_its_difference(ours, theirs, fills, price):
    executions, booked = [], {}
    for number, (con_id, shares, mine, known) in enumerate(fills):
        root = f"{number:04d}"
        executions.append(execution(con_id, shares, ref=our_ref() if mine else "", root=root, minutes=number))
        if mine and known:
            booked[root] = (1, shares)
    told = GatewayBook(tuple(position(c, s) for c, s in theirs.items()), executions=tuple(executions))
    found = differences(
        journal(positions=ours, booked=booked), told, {APPLE: Hint(100.0, price), BOND: Hint(50.0, price)}
    )
    for con_id in (APPLE, BOND, 999):
        parts = sum(d.shares for d in found if d.con_id == con_id)
        assert parts == theirs.get(con_id, 0.0) - ours.get(con_id, 0.0)
    assert all(d.explanation and d.symbol for d in found)


@given(
    before=st.integers(1, 5000),
    terms=st.sampled_from([(2, 1), (3, 1), (3, 2), (1, 2), (1, 10), (20, 1), (5, 4), (7, 1)]),
    drift=st.floats(-0.08, 0.08),
)
def test_every_common_split_is_found_whatever_the_price_did_that_day(before, terms, drift):
    new, old = terms
    after = before * new // old
    if after in (0, before):
        return
    hint = {APPLE: Hint(100.0, 100.0 * old / new * (1 + drift))}
    (found,) = differences(
        journal(positions={APPLE: float(before)}), GatewayBook((position(APPLE, after),)), hint
    )
    assert found.kind is Kind.SPLIT
