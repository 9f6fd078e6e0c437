"""Accounting identities of a compiled run, rebuilt from its orders and fills alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ares7.bars import engine_bars
from ares7.ledger import OrderKind, OrderStatus
from tests.engine.generated import accounts, examples, tables
from tests.engine.panels import flat, panel_of
from tests.engine.running import COSTS
from tests.parity.comparing import compiled


def holdings(bars, fills):
    """(S, N) shares at each close, from the fills."""
    dates = bars.panel.dates[bars.first : bars.stop]
    held = np.zeros((len(dates), len(bars.panel.symbols)))
    np.add.at(held, (np.searchsorted(dates, fills.date), fills.symbol), fills.quantity)
    return held.cumsum(axis=0)


@examples(150)
@given(table=tables(), account=accounts)
def test_cash_and_positions_are_the_nav(table, account):
    panel, targets = table
    run, bars = compiled(panel, targets, **account), engine_bars(panel)
    held = holdings(bars, run.ledger.fills)
    value = (held * bars.prices["close"]).sum(axis=1)
    np.testing.assert_allclose(run.cash + value, run.nav, rtol=1e-9)
    np.testing.assert_allclose(run.gross * run.nav, value, rtol=1e-9, atol=1e-9 * account["cash"])
    # Sums of fills leave a dust of rounding where fractional shares were sold.
    assert np.array_equal(run.names, (held > 1e-7).sum(axis=1))
    assert held.min() > -1e-7
    if account["shares"] == "whole":
        assert np.array_equal(held, np.round(held))


@examples(150)
@given(table=tables(), account=accounts)
def test_cash_moves_only_by_fills_and_fees(table, account):
    panel, targets = table
    run = compiled(panel, targets, **account)
    fills = run.ledger.fills
    expected = COSTS[account["costs"]][0].fees(fills.quantity, fills.price)
    assert np.array_equal(fills.fee, expected)
    assert (fills.fee >= 0).all()
    flow = -(fills.quantity * fills.price) - fills.fee
    spent = np.zeros(len(run.nav))
    np.add.at(spent, np.searchsorted(run.dates, fills.date), flow)
    np.testing.assert_allclose(
        account["cash"] + spent.cumsum(), run.cash, rtol=0, atol=1e-9 * account["cash"]
    )
    assert np.isfinite(run.nav).all()
    assert run.nav.min() > 0
    assert run.cash.min() >= 0


@examples(150)
@given(table=tables(), account=accounts)
def test_orders_and_fills_tell_the_same_story(table, account):
    panel, targets = table
    run, bars = compiled(panel, targets, **account), engine_bars(panel)
    orders, fills = run.ledger.orders, run.ledger.fills
    filled = np.flatnonzero(orders.status == OrderStatus.FILLED)
    assert np.array_equal(np.sort(fills.order), filled)
    assert np.array_equal(orders.symbol[fills.order], fills.symbol)
    assert np.array_equal(orders.quantity[fills.order], fills.quantity)
    assert np.array_equal(orders.resolved[fills.order], fills.date)
    assert np.array_equal(np.isnat(orders.resolved), orders.status == OrderStatus.WAITING)
    done = orders.status != OrderStatus.WAITING
    delisting = orders.kind == OrderKind.DELISTING
    assert (orders.resolved[done & ~delisting] > orders.decided[done & ~delisting]).all()
    assert np.array_equal(orders.resolved[delisting], orders.decided[delisting])
    assert (orders.status[delisting] == OrderStatus.FILLED).all()
    row, opened = np.searchsorted(run.dates, fills.date), ~delisting[fills.order]
    assert bars.bar[row[opened], fills.symbol[opened]].all()
    assert np.array_equal(fills.price[opened], bars.prices["open"][row, fills.symbol][opened])
    assert np.array_equal(fills.price[~opened], bars.prices["close"][row, fills.symbol][~opened])
    decided = np.searchsorted(run.dates, orders.decided[orders.kind == OrderKind.DECISION])
    assert targets.decide[bars.first : bars.stop][decided].all()


@examples(60)
@given(table=tables(), account=accounts, prices=st.lists(st.floats(1, 500), min_size=6, max_size=6))
def test_free_trading_at_constant_prices_keeps_the_nav(table, account, prices):
    panel, targets = table
    shown = np.where(panel.bar, flat(len(panel.dates), prices[: len(panel.symbols)]), np.nan)
    still = panel_of(shown, shown, panel.symbols, start=panel.start_row)
    run = compiled(still, targets, **{**account, "costs": "free"})
    np.testing.assert_allclose(run.nav, account["cash"], rtol=1e-12)


@examples(60)
@given(table=tables(), account=accounts)
def test_costs_only_ever_lower_the_nav_at_constant_prices(table, account):
    panel, targets = table
    shown = np.where(panel.bar, 10.0, np.nan)
    still = panel_of(shown, shown, panel.symbols, start=panel.start_row)
    run = compiled(still, targets, **account)
    fees = run.ledger.fills.fee.sum()
    np.testing.assert_allclose(run.nav[-1], account["cash"] - fees, rtol=1e-12)
    assert (np.diff(run.nav) <= 1e-12 * account["cash"]).all()


@examples(60)
@given(table=tables(), account=accounts, factor=st.sampled_from([0.25, 0.5, 2.0, 1024.0]))
def test_prices_and_cash_in_another_unit_give_the_same_shares(table, account, factor):
    """Powers of two scale exactly; per-share fees and minimums do not scale, so bps alone."""
    panel, targets = table
    account = {**account, "costs": "bps"}
    scaled = panel_of(
        panel.fields["open"] * factor, panel.fields["close"] * factor, panel.symbols, start=panel.start_row
    )
    one = compiled(panel, targets, **account)
    other = compiled(scaled, targets, **{**account, "cash": account["cash"] * factor})
    assert np.array_equal(one.nav * factor, other.nav)
    assert np.array_equal(one.ledger.orders.quantity, other.ledger.orders.quantity)
    assert np.array_equal(one.ledger.orders.status, other.ledger.orders.status)


@examples(40)
@given(table=tables(), account=accounts)
def test_later_rows_do_not_reach_back(table, account):
    panel, targets = table
    cut = panel.start_row + max((len(panel.dates) - panel.start_row) // 2, 1)
    whole = compiled(panel, targets, **account)
    changed = panel.fields["close"].copy()
    changed[cut:] *= 3.0
    other = panel_of(panel.fields["open"], changed, panel.symbols, start=panel.start_row)
    rows = cut - panel.start_row
    assert np.array_equal(compiled(other, targets, **account).nav[:rows], whole.nav[:rows])
