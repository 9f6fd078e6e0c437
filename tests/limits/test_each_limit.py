"""Every limit: what is exactly at it passes, what is just above it or not known is refused, off means off."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from ares7.limits import LimitParams, Limits
from ares7.limits.check import RULES
from tests.limits.accounts import NAN, STOCK, VIEW, Working, named, only, order, view

CASES = {
    # code: settings, (order, account) at the limit, just above it, and where it cannot be computed
    "stale_price": (
        {"max_price_age_sessions": 2},
        (order(1), named(age_sessions=2)),
        (order(1), named(age_sessions=3)),
        (order(1), named(age_sessions=NAN)),
    ),
    "price_collar": (
        {"price_collar": 0.25},
        (order(1, limit_price=125.0), VIEW),
        (order(1, limit_price=125.01), VIEW),
        (order(1, limit_price=100.0, quote=NAN), VIEW),
    ),
    "order_notional": (
        {"max_order_usd": 10_000},
        (order(100), VIEW),
        (order(101), VIEW),
        None,
    ),
    "volume_share": (
        {"max_volume_share": 0.125},
        (order(125), VIEW),
        (order(126), VIEW),
        (order(1), named(volume=NAN)),
    ),
    "short_sale": (
        {"allow_short": False},
        (order(-100), view(positions={"A": 100.0})),
        (order(-101), view(positions={"A": 100.0})),
        (order(-1), view(positions={"A": NAN})),
    ),
    "weight": (
        {"max_weight": 0.1},
        (order(60), view(positions={"A": 40.0})),
        (order(61), view(positions={"A": 40.0})),
        (order(1), view(positions={"A": NAN})),
    ),
    "sector_weight": (
        {"max_sector_weight": 0.25},
        (order(150), view(positions={"B": 100.0, "C": 500.0})),
        (order(151), view(positions={"B": 100.0, "C": 500.0})),
        (order(1), named(sector="")),
    ),
    "gross": (
        {"max_gross": 1.0},
        (order(500), view(positions={"B": 300.0, "C": -200.0})),
        (order(501), view(positions={"B": 300.0, "C": -200.0})),
        (order(1), view(positions={"B": NAN})),
    ),
    "net": (
        {"max_net": 0.5},
        (order(400), view(positions={"B": 300.0, "C": -200.0})),
        (order(401), view(positions={"B": 300.0, "C": -200.0})),
        (order(1), view(positions={"B": NAN})),
    ),
    "turnover": (
        {"max_turnover": 0.5},
        (order(400), view(traded_usd=60_000.0)),
        (order(401), view(traded_usd=60_000.0)),
        (order(1), view(traded_usd=NAN)),
    ),
    "orders_a_day": (
        {"max_orders_a_day": 3},
        (order(1), view(orders_today=2)),
        (order(1), view(orders_today=3)),
        None,
    ),
    "buying_power": (
        {"max_cash_use": 1.0},
        (order(30), view(cash=5_000.0, working={"B": Working(buys=20.0)})),
        (order(31), view(cash=5_000.0, working={"B": Working(buys=20.0)})),
        (order(1), view(cash=NAN)),
    ),
    "daily_loss": (
        {"max_daily_loss": 0.25},
        (order(1), view(nav=75_000.0)),
        (order(1), view(nav=74_999.0)),
        (order(1), view(previous_nav=NAN)),
    ),
    "drawdown": (
        {"max_drawdown": 0.5},
        (order(1), view(nav=100_000.0, peak_nav=200_000.0)),
        (order(1), view(nav=99_999.0, peak_nav=200_000.0)),
        (order(1), view(peak_nav=NAN)),
    ),
}
NEEDS_NAV = ("weight", "sector_weight", "gross", "net", "turnover", "daily_loss", "drawdown")
CODES = list(CASES)


def judged(code, case):
    return Limits(only(**CASES[code][0])).check(*case)


def test_every_limit_has_its_cases():
    assert len(CASES) == len(RULES)


@pytest.mark.parametrize("code", CODES)
def test_an_order_exactly_at_a_limit_passes(code):
    assert judged(code, CASES[code][1]).allowed


@pytest.mark.parametrize("code", CODES)
def test_an_order_above_a_limit_is_refused_with_value_limit_and_remedy(code):
    verdict = judged(code, CASES[code][2])
    assert (verdict.allowed, verdict.code) == (False, code)
    assert verdict.value > verdict.limit
    assert f"{verdict.limit:.6g}" in verdict.reason
    assert "limits." in verdict.reason
    assert " A: " in verdict.reason


@pytest.mark.parametrize("code", [code for code in CODES if CASES[code][3] is not None])
def test_what_a_limit_cannot_compute_is_refused(code):
    verdict = judged(code, CASES[code][3])
    assert (verdict.allowed, verdict.code) == (False, code)
    assert math.isnan(verdict.value) or math.isnan(verdict.limit)
    assert "is not known" in verdict.reason


@pytest.mark.parametrize("code", NEEDS_NAV)
@pytest.mark.parametrize("nav", [NAN, 0.0, -1.0, math.inf])
def test_without_a_value_of_the_account_nothing_is_added(code, nav):
    verdict = judged(code, (CASES[code][1][0], replace(CASES[code][1][1], nav=nav)))
    assert (verdict.allowed, verdict.code) == (False, code)


@pytest.mark.parametrize("code", CODES)
def test_a_limit_that_is_off_refuses_nothing(code):
    assert Limits(only()).check(*CASES[code][2]).allowed


@pytest.mark.parametrize("close", [NAN, 0.0, -1.0, math.inf])
def test_an_order_without_a_price_is_refused_even_with_every_limit_off(close):
    verdict = Limits(only()).check(order(1), named(close=close))
    assert (verdict.allowed, verdict.code) == (False, "price")


def test_an_order_in_an_unknown_name_is_refused():
    assert Limits(only()).check(order(1, "ZZZ"), VIEW).code == "price"


@pytest.mark.parametrize("quantity", [NAN, math.inf, 0.0])
def test_an_order_of_no_number_of_shares_is_refused(quantity):
    assert Limits(only()).check(order(quantity), VIEW).code == "quantity"


def test_infinite_cash_is_no_cash():
    assert not Limits(only(max_cash_use=1.0)).check(order(1), view(cash=math.inf)).allowed


def test_a_fund_has_limits_of_its_own():
    limits = Limits(only(max_order_usd=1000, max_weight=0.01, max_fund_order_usd=50_000, max_fund_weight=0.4))
    assert limits.check(order(400, "F"), VIEW).allowed
    assert limits.check(order(401, "F"), VIEW).code == "weight"
    assert limits.check(order(501, "F"), VIEW).code == "order_notional"
    assert limits.check(order(11, "A"), VIEW).code == "order_notional"


def test_a_fund_needs_no_sector():
    assert Limits(only(max_sector_weight=0.01)).check(order(500, "F"), VIEW).allowed


def test_the_quote_counts_where_it_is_further_from_the_close_than_the_limit_price():
    limits = Limits(only(price_collar=0.1))
    assert limits.check(order(1, limit_price=100.0, quote=109.0), VIEW).allowed
    assert limits.check(order(1, limit_price=100.0, quote=50.0), VIEW).code == "price_collar"


def test_a_purchase_below_the_close_weighs_what_it_is_worth_afterwards():
    assert Limits(only(max_weight=0.1)).check(order(101, limit_price=90.0), VIEW).code == "weight"


def test_a_working_order_on_the_same_side_counts_and_one_on_the_other_side_does_not():
    limits = Limits(only(max_weight=0.1))
    assert limits.check(order(51), view(working={"A": Working(buys=50.0)})).code == "weight"
    held = view(positions={"A": 100.0}, working={"A": Working(sells=100.0)})
    assert limits.check(order(1), held).code == "weight"


def test_a_sale_that_is_not_covered_by_what_working_sales_leave_is_short():
    held = view(positions={"A": 100.0}, working={"A": Working(sells=60.0)})
    assert Limits(only(allow_short=False)).check(order(-40), held).allowed
    assert Limits(only(allow_short=False)).check(order(-41), held).code == "short_sale"


def test_proceeds_of_working_sales_may_be_spent_but_not_those_of_short_sales():
    limits = Limits(only(max_cash_use=1.0))
    selling = {"B": Working(sells=50.0)}
    assert limits.check(order(50), view(cash=0.0, positions={"B": 50.0}, working=selling)).allowed
    assert not limits.check(order(1), view(cash=0.0, working=selling)).allowed


def test_a_name_that_is_left_over_with_no_shares_needs_no_price():
    names = {"A": STOCK, "D": replace(STOCK, close=NAN)}
    closed = view(names=names, positions={"D": 10.0}, working={"D": Working(sells=10.0)})
    assert Limits(only(max_gross=1.0)).check(order(1), closed).allowed
    assert not Limits(only(max_gross=1.0)).check(order(1), replace(closed, working={})).allowed


def test_an_order_that_breaks_several_limits_names_the_first():
    both = only(max_order_usd=1, max_weight=1e-9)
    assert Limits(both).check(order(1), VIEW).code == "order_notional"


def test_the_defaults_have_every_limit_on_but_that_of_sectors():
    off = [name for name, value in LimitParams().model_dump().items() if value is None]
    assert off == ["max_sector_weight"]
    assert not LimitParams().allow_short
