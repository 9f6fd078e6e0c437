"""An order that only reduces exposure is never refused, whatever is unknown, lost or halted (hypothesis)."""

from __future__ import annotations

import datetime as dt
import math

from hypothesis import example, given
from hypothesis import strategies as st

from ares7.limits import AccountView, LimitParams, Limits, Name, ProposedOrder, Working
from ares7.limits.view import reduces_exposure
from live.halt.gate import verdict
from live.halt.level import HaltLevel, HaltRecord
from live.halt.switch import HaltStanding

ANY = st.floats(allow_nan=True, allow_infinity=True)
SHARES = st.integers(1, 10**6).map(float)
TIGHT = LimitParams(
    max_order_usd=1e-9,
    max_fund_order_usd=1e-9,
    max_volume_share=1e-9,
    max_weight=1e-9,
    max_fund_weight=1e-9,
    max_sector_weight=1e-9,
    max_gross=1e-9,
    max_net=1e-9,
    max_turnover=1e-9,
    max_orders_a_day=1,
    price_collar=1e-9,
    max_cash_use=1e-9,
    max_daily_loss=1e-9,
    max_drawdown=1e-9,
)
BLOCKED = HaltStanding(
    HaltLevel.BLOCK_NEW,
    "file",
    HaltRecord(HaltLevel.BLOCK_NEW, "test", dt.datetime(2024, 1, 2, tzinfo=dt.UTC), "test"),
)


@st.composite
def reducing(draw):
    """A position of either side, part of it in working orders already, and an order for at most the rest."""
    held = draw(st.integers(1, 10**6))
    already = draw(st.integers(0, held - 1))
    quantity = draw(st.integers(1, held - already))
    other = draw(SHARES | st.just(0.0))
    side = draw(st.sampled_from((1.0, -1.0)))
    working = (
        Working(buys=other, sells=float(already)) if side > 0 else Working(buys=float(already), sells=other)
    )
    return side * held, -side * quantity, working


@st.composite
def accounts(draw, position, working):
    name = Name(draw(ANY), draw(ANY), draw(ANY), draw(st.sampled_from(("", "Energy"))), draw(st.booleans()))
    other = Name(draw(ANY))
    return AccountView(
        nav=draw(ANY),
        cash=draw(ANY),
        names=draw(st.sampled_from(({}, {"A": name}, {"A": name, "B": other}))),
        positions={"A": position, "B": draw(ANY)},
        working={"A": working},
        orders_today=draw(st.integers(0, 10**6)),
        traded_usd=draw(ANY),
        previous_nav=draw(ANY),
        peak_nav=draw(ANY),
    )


@given(st.data(), reducing(), st.none() | ANY, st.none() | ANY, st.sampled_from((TIGHT, LimitParams())))
def test_an_order_that_reduces_exposure_passes_any_limit_and_a_block_on_any_data(
    data, case, limit, quote, params
):
    position, quantity, working = case
    view = data.draw(accounts(position, working))
    order = ProposedOrder("A", quantity, limit, quote)
    assert Limits(params).check(order, view).code == "reduces"
    assert verdict(BLOCKED, Limits(params), order, view).allowed


@given(reducing(), st.data())
def test_an_order_that_reduces_never_brings_a_position_beyond_zero_whatever_of_the_working_ones_fills(
    case, data
):
    position, quantity, working = case
    buys = data.draw(st.floats(0.0, working.buys)) if position < 0 else 0.0
    sells = data.draw(st.floats(0.0, working.sells)) if position > 0 else 0.0
    after = position + quantity + buys - sells
    assert after * math.copysign(1.0, position) >= 0
    assert abs(position + quantity) < abs(position)


@given(st.integers(-1000, 1000), st.integers(-1000, 1000), st.integers(0, 50), st.integers(0, 50))
@example(100, -101, 0, 0)
@example(100, -60, 0, 50)
@example(0, -1, 0, 0)
def test_only_what_can_neither_open_nor_turn_a_position_counts_as_reducing(position, quantity, buys, sells):
    least = min(position + quantity, position + quantity + buys, position + quantity - sells)
    most = max(position + quantity, position + quantity + buys, position + quantity - sells)
    turns = (position > 0 and least < 0) or (position < 0 and most > 0)
    found = reduces_exposure(float(quantity), float(position), Working(float(buys), float(sells)))
    assert found == (quantity * position < 0 and not turns)


@given(st.data(), SHARES)
def test_a_purchase_under_a_block_is_refused(data, quantity):
    view = data.draw(accounts(0.0, Working()))
    assert verdict(BLOCKED, Limits(LimitParams()), ProposedOrder("A", quantity), view).code == "halt"


def test_a_position_that_is_not_known_is_not_reduced_by_anything():
    assert not reduces_exposure(-1.0, math.nan, Working())
    assert not reduces_exposure(math.nan, 1.0, Working())
    assert not reduces_exposure(-1.0, 1.0, Working(sells=math.nan))
