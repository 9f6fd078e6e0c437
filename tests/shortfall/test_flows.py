"""Money in and out is an event: never profit, drawdown or alert."""

import datetime as dt
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares7 import metrics
from ares7.errors import DataError
from live.flow_watch import flow_since
from live.flows import (
    account_figures,
    check_cash,
    flow_series,
    loss_bases,
    named,
    recognised,
    time_weighted_curve,
    time_weighted_returns,
    trading_return,
)
from live.journal.rows import CashFlow, Fee, Fill, Nav
from live.journal.writer import Journal

MONDAY = dt.date(2024, 3, 4)
DAYS = [MONDAY + dt.timedelta(days=k) for k in range(5)]
AT = dt.datetime(2024, 3, 4, 14, 30, tzinfo=dt.UTC)


def fill(shares, price, root="1"):
    side = "BUY" if shares > 0 else "SELL"
    return Fill(root, 1, "", 1, "AAPL", side, abs(shares), price, AT, MONDAY)


def flow(amount, kind="unknown", session=MONDAY):
    return CashFlow(session, kind, amount)


def test_cash_that_trades_and_fees_explain_is_no_flow():
    # 10,000 - 10 * 100.005 + 5 * 20 - 1.23 = 9,098.72
    check = check_cash(10_000.0, 9_098.72, [fill(10, 100.005), fill(-5, 20.0, "2")], [1.0, 0.23])
    assert check.unexplained == pytest.approx(0.0, abs=1e-9)
    assert recognised(check, MONDAY) is None


def test_what_is_left_is_one_unknown_flow():
    found = recognised(check_cash(10_000.0, 13_998.5, [fill(10, 100.0)], [1.5]), MONDAY)
    assert (found.kind, found.amount_usd, found.session) == ("unknown", 5_000.0, MONDAY)


def test_the_same_look_makes_the_same_key_and_a_later_one_another():
    first, again = (recognised(check_cash(100.0, 150.0, [], []), MONDAY) for _ in range(2))
    later = recognised(check_cash(150.0, 200.0, [], []), MONDAY)
    assert first.key == again.key != later.key


def test_a_known_flow_is_not_recognised_again():
    assert recognised(check_cash(100.0, 150.0, [], [], [flow(50.0, "deposit")]), MONDAY) is None


@pytest.mark.parametrize(
    ("cents", "fills", "found"), [(1, 0, False), (2, 0, True), (3, 4, False), (4, 4, True)]
)
def test_rounding_makes_no_flow(cents, fills, found):
    many = [fill(1, 1.0, str(k)) for k in range(fills)]
    check = check_cash(100.0, 100.0 - fills + cents / 100 - 1e-9, many, [0.0])
    assert (recognised(check, MONDAY) is not None) is found


def test_a_figure_that_is_no_number_recognises_nothing():
    with pytest.raises(DataError, match="not a number"):
        check_cash(math.nan, 100.0, [], [])


OPEN, CLOSE, LATER = (dt.datetime(2024, 3, 4, hour, tzinfo=dt.UTC) for hour in (14, 21, 22))


@pytest.fixture
def books(tmp_path):
    """A journal with a clock that the test sets, and a close of 10,000 USD in cash at `CLOSE`."""
    clock = {"now": OPEN}
    url = f"sqlite:///{tmp_path / 'journal-paper.sqlite'}"
    with Journal.open(url, "paper", "DU1234567", clock=lambda: clock["now"]) as journal:

        def at(when, *written):
            clock["now"] = when
            for row in written:
                (journal.fill if isinstance(row, Fill) else journal.fee)(row)

        yield journal, at


def close(cash=10_000.0):
    return Nav(MONDAY, "close", cash, cash, at=CLOSE)


def test_a_fill_that_was_journalled_after_the_close_is_no_flow_however_early_it_traded(books):
    journal, at = books
    at(OPEN, fill(5, 100.0, "old"), Fee("old", 1, 1.0))
    at(LATER, fill(10, 100.0, "new"), Fee("new", 1, 1.0))
    assert flow_since(journal, close(), 10_000.0 - 1_001.0, MONDAY) is None
    assert flow_since(journal, close(), 10_000.0 - 1_001.0 + 50.0, MONDAY).amount_usd == 50.0


def test_a_fee_that_comes_after_the_close_is_no_withdrawal(books):
    journal, at = books
    at(OPEN, fill(5, 100.0, "1"))
    at(LATER, Fee("1", 1, 1.25))
    assert flow_since(journal, close(), 10_000.0 - 1.25, MONDAY) is None


def test_a_correction_after_the_close_counts_for_what_it_changes(books):
    journal, at = books
    at(OPEN, fill(5, 100.0, "1"), Fee("1", 1, 1.0))
    at(LATER, replace(fill(5, 99.0, "1"), revision=2), Fee("1", 2, 1.5))
    assert flow_since(journal, close(), 10_000.0 + 5.0 - 0.5, MONDAY) is None


def test_nothing_is_recognised_while_a_fee_is_not_known(books):
    journal, at = books
    at(LATER, fill(10, 100.0, "1"))
    assert flow_since(journal, close(), 9_500.0, MONDAY) is None


def test_naming_keeps_amount_and_session_and_refuses_the_wrong_sign():
    unknown = CashFlow(MONDAY, "unknown", -40.0, id=7)
    row = named(unknown, "withdrawal", "to my bank")
    assert (row.kind, row.amount_usd, row.session, row.names) == ("withdrawal", -40.0, MONDAY, 7)
    with pytest.raises(DataError, match="sign"):
        named(unknown, "deposit")
    with pytest.raises(DataError, match="kinds"):
        named(unknown, "gift")


def test_a_deposit_is_neither_profit_nor_the_end_of_a_drawdown():
    nav = np.array([100.0, 90.0, 140.0, 140.0, 70.0])
    moved = flow_series([flow(50.0, "deposit", DAYS[2]), flow(-70.0, "withdrawal", DAYS[4])], DAYS)
    assert time_weighted_returns(nav, moved).tolist() == pytest.approx([-0.1, 0.0, 0.0, 0.0])
    curve = time_weighted_curve(nav, moved)
    assert metrics.max_drawdown(curve) == pytest.approx(0.1)
    assert metrics.drawdown_series(curve)[-1] == pytest.approx(0.1)


def test_a_flow_counts_at_the_start_of_its_day():
    # 100 and 100 more on a day on which the book gains 10 %: 220, not 210.
    assert time_weighted_returns(np.array([100.0, 220.0]), np.array([0.0, 100.0])).tolist() == pytest.approx(
        [0.1]
    )


def test_a_flow_between_two_sessions_counts_on_the_later_one():
    days = [dt.date(2024, 3, 1), MONDAY]
    assert flow_series([flow(5.0, "deposit", dt.date(2024, 3, 2))], days).tolist() == [0.0, 5.0]
    with pytest.raises(DataError, match="after the last session"):
        flow_series([flow(5.0, "deposit", dt.date(2024, 3, 5))], days)


def test_dividends_interest_and_fees_are_earned_and_an_unknown_flow_is_not():
    rows = [flow(3.0, "dividend", DAYS[1]), flow(-1.0, "fee", DAYS[1]), flow(7.0, "unknown", DAYS[1])]
    assert flow_series(rows, DAYS).tolist() == [0.0, 7.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("kind", ["deposit", "withdrawal", "dividend", "interest", "fee", "tax", "unknown"])
def test_no_event_of_any_kind_moves_the_return_that_limits_and_alerts_read(kind):
    amount = -30.0 if kind in ("withdrawal", "fee", "tax") else 30.0
    assert trading_return(100.0, 100.0 + amount, [flow(amount, kind)]) == 0.0
    assert math.isnan(trading_return(100.0, 0.0, [flow(-100.0, kind)]))


def test_nothing_is_earned_on_nothing():
    with pytest.raises(DataError, match="nothing to earn"):
        time_weighted_returns(np.array([100.0, 0.0]), np.array([0.0, -100.0]))


def test_figures_come_from_the_time_weighted_curve():
    nav = np.array([100.0, 110.0, 160.0, 155.0, 165.0])
    rows = [flow(50.0, "deposit", DAYS[2]), flow(2.0, "dividend", DAYS[3])]
    found = account_figures(DAYS, nav, rows)
    curve = time_weighted_curve(nav, flow_series(rows, DAYS))
    assert found["max_drawdown"] == metrics.max_drawdown(curve)
    assert found["sharpe"] == metrics.sharpe(metrics.returns_from_nav(curve))
    assert found["earned_usd"] == pytest.approx(15.0)
    assert found["flows_usd"] == {"deposit": 50.0, "dividend": 2.0}


RETURNS = st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=8)


@given(RETURNS, st.data())
def test_whatever_is_paid_in_and_out_the_curve_is_that_of_the_returns(returns, data):
    flows = data.draw(st.lists(st.floats(-20.0, 200.0), min_size=len(returns) + 1, max_size=len(returns) + 1))
    nav = [100.0]
    for earned, moved in zip(returns, flows[1:], strict=True):
        start = nav[-1] + moved
        if start <= 1.0:
            return
        nav.append(start * (1 + earned))
    curve = time_weighted_curve(np.array(nav), np.array(flows))
    assert curve == pytest.approx(100.0 * np.cumprod([1.0, *(1 + r for r in returns)]), rel=1e-12)


@given(
    st.lists(
        st.tuples(st.integers(-500, 500).filter(bool), st.integers(1, 50_000), st.integers(0, 300)),
        max_size=8,
    ),
    st.integers(-10_000_000, 10_000_000),
)
def test_every_moved_cent_is_found_whatever_was_traded(trades, moved):
    fills = [fill(shares, cents / 100, str(k)) for k, (shares, cents, _) in enumerate(trades)]
    fees = [cents / 100 for _, _, cents in trades]
    after = sum(-shares * cents for shares, cents, _ in trades) - sum(fee for _, _, fee in trades) + moved
    check = check_cash(50_000.0, 50_000.0 + after / 100, fills, fees)
    found = recognised(check, MONDAY)
    if found is None:
        assert abs(moved) <= 1 + len(fills) / 2
    else:
        assert found.amount_usd == moved / 100


CLOSES = [(DAYS[0], 100.0), (DAYS[1], 120.0), (DAYS[2], 90.0)]


def test_limits_on_losses_compare_with_the_latest_close_and_the_highest_one():
    found = loss_bases(CLOSES, [], DAYS[3], 96.0)
    assert (found.previous_nav, found.peak_nav) == (90.0, pytest.approx(120.0))
    assert loss_bases([], [], DAYS[0], 50.0).peak_nav == 50.0
    assert loss_bases(CLOSES, [], DAYS[3], 130.0).peak_nav == 130.0


@given(
    st.sampled_from(["deposit", "withdrawal", "unknown"]),
    st.floats(1.0, 80.0),
    st.integers(1, 3),
)
def test_a_flow_on_any_day_changes_no_loss_of_the_day_and_no_drawdown(kind, amount, day):
    signed = -amount if kind == "withdrawal" else amount
    returns = [0.2, -0.25, 96 / 90 - 1]
    nav, moved = [100.0], [100.0]
    for number, earned in enumerate(returns, 1):
        nav.append(nav[-1] * (1 + earned))
        moved.append((moved[-1] + (signed if number == day else 0.0)) * (1 + earned))
    plain = loss_bases(list(zip(DAYS, nav[:3], strict=False)), [], DAYS[3], nav[3])
    found = loss_bases(
        list(zip(DAYS, moved[:3], strict=False)), [flow(signed, kind, DAYS[day])], DAYS[3], moved[3]
    )
    assert moved[3] / found.peak_nav == pytest.approx(nav[3] / plain.peak_nav)
    assert moved[3] / found.previous_nav == pytest.approx(nav[3] / plain.previous_nav)


@pytest.mark.parametrize(
    ("kind", "amount"), [("dividend", 5.0), ("fee", -5.0), ("tax", -2.0), ("interest", 1.0)]
)
def test_an_event_of_today_is_no_loss_and_no_gain_of_the_day(kind, amount):
    assert (
        loss_bases(CLOSES, [flow(amount, kind, DAYS[3])], DAYS[3], 90.0 + amount).previous_nav
        == 90.0 + amount
    )
