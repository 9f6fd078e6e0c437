"""Orders of one rebalance are judged one after the other, each beside those before it that were allowed."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ares7.limits import AccountView, LimitParams, Limits, Name, ProposedOrder, Working
from tests.limits.accounts import NAN, STOCK, VIEW, named, only, order, view


def codes(limits, orders, account):
    return [verdict.code for verdict in limits.check_batch(orders, account)]


def test_turnover_adds_up_over_the_orders_of_a_rebalance():
    limits = Limits(only(max_turnover=0.5))
    batch = [order(400, "A"), order(400, "B"), order(201, "C"), order(200, "C"), order(1, "A")]
    assert codes(limits, batch, VIEW) == ["within", "within", "turnover", "within", "turnover"]


def test_the_number_of_orders_adds_up_and_a_refused_one_does_not_count():
    limits = Limits(only(max_orders_a_day=3, max_order_usd=10_000))
    batch = [order(1), order(1000), order(1), order(1), order(1)]
    assert codes(limits, batch, VIEW) == ["within", "order_notional", "within", "within", "orders_a_day"]


def test_sales_that_come_first_make_room_for_purchases():
    limits = Limits(only(max_gross=1.0, max_net=1.0, max_cash_use=1.0, max_sector_weight=0.6))
    full = view(cash=2_000.0, positions={"A": 490.0, "C": 490.0})
    assert codes(limits, [order(-490, "A"), order(510, "B")], full) == ["reduces", "within"]
    assert codes(limits, [order(510, "B"), order(-490, "A")], full) == ["sector_weight", "reduces"]
    assert codes(limits, [order(-490, "A"), order(511, "B")], full) == ["reduces", "gross"]


def test_orders_in_one_name_add_up_to_its_weight():
    assert codes(Limits(only(max_weight=0.1)), [order(60), order(40), order(1)], VIEW) == [
        "within",
        "within",
        "weight",
    ]


def test_sales_of_one_name_add_up_to_what_is_held():
    limits = Limits(only(allow_short=False))
    assert codes(limits, [order(-60), order(-40), order(-1)], view(positions={"A": 100.0})) == [
        "reduces",
        "reduces",
        "short_sale",
    ]


def test_orders_that_reduce_count_and_pass_where_others_do_not():
    limits = Limits(only(max_orders_a_day=2, max_turnover=0.3))
    held = view(positions={"A": 300.0, "B": 300.0})
    batch = [order(-300, "A"), order(-300, "B"), order(1, "C")]
    assert codes(limits, batch, held) == ["reduces", "reduces", "turnover"]


def test_a_sale_without_a_price_leaves_the_turnover_unknown():
    held = replace(named("A", close=NAN), positions={"A": 10.0})
    assert codes(Limits(only(max_turnover=1.0)), [order(-10, "A"), order(1, "B")], held) == [
        "reduces",
        "turnover",
    ]


def test_cash_is_spent_once():
    assert codes(
        Limits(only(max_cash_use=1.0)), [order(600, "A"), order(401, "B"), order(400, "B")], VIEW
    ) == [
        "within",
        "buying_power",
        "within",
    ]


SYMBOLS = ("A", "B", "C")
BOOK_LIMITS = LimitParams(
    max_order_usd=None,
    max_volume_share=None,
    max_weight=0.5,
    max_sector_weight=0.75,
    max_gross=1.0,
    max_turnover=None,
    max_daily_loss=None,
    max_drawdown=None,
)
ORDERS = st.lists(st.tuples(st.sampled_from(SYMBOLS), st.integers(-800, 800)), max_size=12)
HELD = st.fixed_dictionaries({symbol: st.integers(0, 200).map(float) for symbol in SYMBOLS})
FACTS = {
    "A": STOCK,
    "B": replace(STOCK, close=50.0),
    "C": Name(200.0, 0.0, 1000.0, "Health Care"),
}


def worth(shares):
    return {symbol: shares[symbol] * FACTS[symbol].close for symbol in SYMBOLS}


@given(HELD, ORDERS)
def test_what_a_batch_lets_pass_keeps_the_filled_book_within_its_limits_or_no_worse_than_it_was(held, wanted):
    account = AccountView(200_000.0, 200_000.0 - sum(worth(held).values()), FACTS, held)
    batch = [ProposedOrder(symbol, float(quantity)) for symbol, quantity in wanted]
    shares = dict(held)
    for one, verdict in zip(batch, Limits(BOOK_LIMITS).check_batch(batch, account), strict=True):
        if verdict.allowed:
            shares[one.symbol] += one.quantity
    before, after = worth(held), worth(shares)
    assert all(count >= 0 for count in shares.values())
    assert all(after[s] <= max(0.5 * account.nav, before[s]) for s in SYMBOLS)
    assert after["A"] + after["B"] <= max(0.75 * account.nav, before["A"] + before["B"])
    assert sum(after.values()) <= max(account.nav, sum(before.values())) + 1e-6


@given(HELD, ORDERS)
def test_a_batch_of_one_is_what_a_single_check_says(held, wanted):
    account = AccountView(200_000.0, 50_000.0, FACTS, held)
    for symbol, quantity in wanted:
        one = ProposedOrder(symbol, float(quantity))
        single = Limits(BOOK_LIMITS).check(one, account)
        assert [repr(v) for v in Limits(BOOK_LIMITS).check_batch([one], account)] == [repr(single)]


@given(HELD, ORDERS)
def test_orders_sent_one_by_one_with_a_view_that_knows_those_before_get_the_verdicts_of_the_batch(
    held, wanted
):
    limits, account = Limits(BOOK_LIMITS), AccountView(200_000.0, 150_000.0, FACTS, held)
    batch = [ProposedOrder(symbol, float(quantity)) for symbol, quantity in wanted]
    together = limits.check_batch(batch, account)
    working = {symbol: Working() for symbol in SYMBOLS}
    for one, expected in zip(batch, together, strict=True):
        seen = replace(account, working=dict(working))
        assert limits.check(one, seen).code == expected.code
        if expected.allowed:
            known = working[one.symbol]
            working[one.symbol] = Working(
                known.buys + max(one.quantity, 0.0), known.sells + max(-one.quantity, 0.0)
            )
