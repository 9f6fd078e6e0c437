"""Drift between two books: each cause alone is named as such, and together they add up exactly."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares7.errors import DataError
from live.drift import CAUSES, BookHistory, drift

DATES = np.array(["2024-03-01", "2024-03-04", "2024-03-05", "2024-03-06"], dtype="datetime64[D]")
CLOSE = np.array([[10.0, 20.0], [11.0, 19.0], [12.0, 21.0], [11.5, 22.0]])


def book(
    traded,
    *,
    price=None,
    close=CLOSE,
    fees=None,
    flows=None,
    unfilled=None,
    given=None,
    cash=10_000.0,
    extra=0.0,
):
    """A book that follows from its trades; ``given`` are shares that come without a trade."""
    traded = np.asarray(traded, dtype=np.float64)
    price = np.asarray(close if price is None else price, dtype=np.float64)
    rows = len(traded)
    fees = np.zeros(rows) if fees is None else np.asarray(fees, dtype=np.float64)
    flows = np.zeros(rows) if flows is None else np.asarray(flows, dtype=np.float64)
    came = np.zeros(traded.shape) if given is None else np.asarray(given, dtype=np.float64)
    shares = np.cumsum(traded + came, axis=0)
    money = cash + np.cumsum(flows - fees - (traded * price).sum(axis=1))
    nav = money + (shares * close).sum(axis=1) + extra
    return BookHistory(
        DATES[:rows],
        ("A", "B"),
        shares,
        np.asarray(close, dtype=np.float64),
        traded,
        traded * price,
        np.zeros(traded.shape) if unfilled is None else np.asarray(unfilled, dtype=np.float64),
        fees,
        flows,
        nav,
    )


START = [[100.0, 50.0], [0.0, 0.0], [20.0, -10.0], [0.0, 0.0]]


def causes(first, second):
    found = drift(first, second)
    assert sum(found.by_cause.values()) == pytest.approx(found.total, abs=1e-8)
    return {name: float(part.sum()) for name, part in found.by_cause.items() if np.abs(part).max() > 1e-9}


def test_equal_books_do_not_drift():
    assert causes(book(START), book(START)) == {}


def test_a_worse_fill_is_a_matter_of_fills():
    paid = CLOSE.copy()
    paid[2] = [12.3, 20.8]
    assert causes(book(START, price=paid), book(START)) == {"fills": pytest.approx(-20 * 0.3 - 10 * 0.2)}


def test_fees_are_fees():
    assert causes(book(START, fees=[0, 0, 2.5, 0]), book(START, fees=[0, 0, 1.0, 0])) == {
        "fees": pytest.approx(-1.5)
    }


def test_a_deposit_is_a_flow():
    assert causes(book(START, flows=[0, 500, 0, 0]), book(START)) == {"flows": pytest.approx(500)}


def test_other_closes_are_a_matter_of_prices():
    other = CLOSE.copy()
    other[3] = [11.6, 22.0]
    assert causes(book(START, close=other), book(START)) == {"prices": pytest.approx(120 * 0.1)}


def test_a_share_less_that_was_no_failed_order_is_rounding():
    less = [[100.0, 50.0], [0.0, 0.0], [19.0, -10.0], [0.0, 0.0]]
    assert causes(book(less), book(START)) == {"rounding": pytest.approx(-1 * (11.5 - 12.0))}


def test_an_order_that_was_not_filled_is_missing_until_the_next_order_in_the_name():
    less = [[100.0, 50.0], [0.0, 0.0], [0.0, -10.0], [0.0, 0.0]]
    lacking = [[0.0, 0.0], [0.0, 0.0], [20.0, 0.0], [0.0, 0.0]]
    assert causes(book(less, unfilled=lacking), book(START)) == {"missing_orders": pytest.approx(-20 * -0.5)}


def test_a_missing_order_s_own_day_counts_from_the_price_at_which_the_other_traded():
    paid = CLOSE.copy()
    paid[2, 0] = 11.4
    less = [[100.0, 50.0], [0.0, 0.0], [0.0, -10.0], [0.0, 0.0]]
    lacking = [[0.0, 0.0], [0.0, 0.0], [20.0, 0.0], [0.0, 0.0]]
    found = causes(book(less, unfilled=lacking), book(START, price=paid))
    assert found == {"missing_orders": pytest.approx(-20 * (11.5 - 11.4))}


def test_shares_that_came_without_a_trade_are_a_corporate_action():
    came = [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 2.0]]
    assert causes(book(START, given=came), book(START)) == {"corporate_actions": pytest.approx(44.0)}


def test_a_nav_that_its_book_does_not_explain_says_so():
    accrued = np.array([0.0, 0.0, 7.0, 7.0])
    assert causes(book(START, extra=accrued), book(START)) == {"unexplained": pytest.approx(7.0)}


def test_a_round_trip_within_a_day_is_a_matter_of_fills():
    live = book(START)
    paid = live.paid.copy()
    paid[1, 0] = -30.0  # bought and sold 30 USD dearer
    nav = live.nav + np.array([0.0, 30.0, 30.0, 30.0])
    assert causes(replace(live, paid=paid, nav=nav), book(START)) == {"fills": pytest.approx(30.0)}


def test_a_name_without_a_close_that_is_held_is_refused():
    hole = CLOSE.copy()
    hole[2, 0] = np.nan
    with pytest.raises(DataError, match="without a close"):
        replace(book(START), close=hole)


def test_books_of_different_sessions_are_refused():
    with pytest.raises(DataError, match="cut both"):
        drift(book(START), book(START[:3], close=CLOSE[:3]))


def test_the_furthest_names_are_told():
    paid = CLOSE.copy()
    paid[2] = [12.3, 20.0]
    found = drift(book(START, price=paid), book(START)).to_dict()
    assert found["names_usd"] == {"B": pytest.approx(-10.0), "A": pytest.approx(-6.0)}
    assert found["total_usd"] == pytest.approx(-16.0)
    assert set(found["causes_usd"]) == set(CAUSES)


TRADES = st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=4, max_size=4)
CLOSES = st.lists(st.tuples(st.floats(5, 50), st.floats(5, 50)), min_size=4, max_size=4)
MONEY = st.lists(st.floats(-100, 100), min_size=4, max_size=4)


@st.composite
def any_book(draw):
    close = np.array(draw(CLOSES))
    price = close * (1 + np.array(draw(st.lists(st.floats(-0.05, 0.05), min_size=4, max_size=4)))[:, None])
    return book(
        draw(TRADES),
        price=price,
        close=close,
        fees=np.abs(draw(MONEY)),
        flows=draw(MONEY),
        unfilled=draw(TRADES),
        given=draw(TRADES),
        extra=np.array(draw(st.one_of(st.just([0.0] * 4), MONEY))),
    )


@given(any_book(), any_book())
def test_the_causes_of_any_two_books_add_up_session_by_session(first, second):
    found = drift(first, second)
    assert sum(found.by_cause.values()) == pytest.approx(found.total, abs=1e-6)
    assert found.total == pytest.approx(np.diff(first.nav) - np.diff(second.nav))


@given(any_book(), any_book())
def test_books_that_explain_their_own_nav_leave_nothing_unexplained(first, second):
    own = [replace(b, nav=rebuilt(b)) for b in (first, second)]
    assert drift(*own).by_cause["unexplained"] == pytest.approx(np.zeros(3), abs=1e-6)


def rebuilt(b):
    """NAV from cash and shares alone."""
    return 5_000.0 + np.cumsum(b.flows - b.fees - b.paid.sum(axis=1)) + (b.shares * b.close).sum(axis=1)
