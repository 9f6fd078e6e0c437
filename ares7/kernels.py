"""Kernels of the compiled twin: one session's steps, as plain Python that numba compiles unchanged.

Each function is the scalar form of what `ares7.orders`, `ares7.execution` and the panel broker do with vectors, in
the same order of floating-point operations (rulings 3, 4, 5 and 7). With ``NUMBA_DISABLE_JIT=1`` they run as they are
written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np

from ares7.arrays import AnyArray
from ares7.book import FRESH_SESSIONS
from ares7.costs import BpsCosts, CostModel
from ares7.ledger import OrderKind, OrderStatus
from ares7.orders import RETRY_CASH

WAITING, FILLED, REFUSED, CANCELLED = (int(s) for s in OrderStatus)
DECISION, RETRY, DELISTING = (int(k) for k in OrderKind)
NEW, WAIT, AGAIN, ORDERS = range(4)
"""Counters: orders of the last close, orders that wait for a bar, refused buys, all orders so far."""
DECIDED, RESOLVED, SYMBOL, QUANTITY, CLOSE, KIND, STATUS, PRICE, FEE = range(9)
"""Columns of the order book."""

F = TypeVar("F", bound=Callable[..., Any])


def jit(function: F) -> F:
    """Compile with numba, keeping the compiled code on disk; steps are put into the loop that calls them."""
    options: dict[str, Any] = {"cache": True, "error_model": "numpy"}
    if function.__name__ != "run_sessions":
        options["inline"] = "always"
    compiled: Any = numba.njit(**options)(function)
    return cast(F, compiled)


class Terms(NamedTuple):
    """Numbers by which `_fee` computes any commission model; a negative ``per_share`` means bps alone."""

    rate: float
    per_share: float
    minimum: float
    maximum: float


class Rules(NamedTuple):
    """Account settings as the kernels read them."""

    whole: bool
    margin: bool
    smallest: float
    cash_rate: float
    financing: float
    record: bool


class Market(NamedTuple):
    """Engine bars, (S, N) each; ``leaving`` (S,) is true where it is some name's fifth session without a bar."""

    opening: AnyArray
    close: AnyArray
    bar: AnyArray
    gap: AnyArray
    leaving: AnyArray


class State(NamedTuple):
    """Everything that one session hands to the next.

    ``cash`` (1,) USD; ``tally`` (4,); ``held`` and ``paid`` (N,); one column an order in ``new`` (symbol, number,
    kind), ``wait`` likewise and ``again`` (symbol), with quantities and closes beside them; ``book`` as above.
    """

    cash: AnyArray
    tally: AnyArray
    held: AnyArray
    paid: AnyArray
    new: AnyArray
    new_quantity: AnyArray
    new_close: AnyArray
    wait: AnyArray
    wait_quantity: AnyArray
    again: AnyArray
    again_quantity: AnyArray
    book: AnyArray


def fee_terms(costs: CostModel) -> Terms:
    """Return the numbers of a commission model."""
    if isinstance(costs, BpsCosts):
        return Terms(costs.bps / 1e4, -1.0, 0.0, 0.0)
    return Terms(costs.slippage_bps / 1e4, costs.per_share_usd, costs.minimum_usd, costs.maximum_fraction)


@jit
def _fee(quantity: float, price: float, terms: Terms) -> float:
    shares = abs(quantity)
    if terms.per_share < 0.0:
        return shares * terms.rate * price
    notional = shares * price
    commission = max(shares * terms.per_share, terms.minimum)
    return min(commission, terms.maximum * notional) + terms.rate * notional


@jit
def _enter(state: State, k: int, s: int, j: int, quantity: float, price: float, kind: int) -> None:
    """Write a new order into the book."""
    row = state.book[state.tally[ORDERS] + k]
    row[DECIDED], row[RESOLVED], row[SYMBOL], row[QUANTITY] = s, -1.0, j, quantity
    row[CLOSE], row[KIND], row[STATUS] = price, kind, WAITING


@jit
def _resolve(state: State, number: int, s: int, status: int, rules: Rules) -> None:
    if rules.record:
        state.book[number, RESOLVED], state.book[number, STATUS] = s, status


@jit
def _refuse(state: State, s: int, j: int, quantity: float, number: int, kind: int, rules: Rules) -> None:
    """Report a refused order; a buy that was no retry is retried at this session's close."""
    _resolve(state, number, s, REFUSED, rules)
    if quantity > 0.0 and kind != RETRY:
        k = state.tally[AGAIN]
        state.again[k], state.again_quantity[k] = j, quantity
        state.tally[AGAIN] = k + 1


@jit
def _submit(state: State, s: int, terms: Terms, rules: Rules) -> None:
    """Submission check at the decision's prices; a refused order's cash is not given back (rulings 4)."""
    running = state.cash[0]
    for k in range(state.tally[NEW]):
        j, quantity, price = state.new[0, k], state.new_quantity[k], state.new_close[k]
        running = running + -quantity * price - _fee(quantity, price, terms)
        if running >= 0.0 or rules.margin:
            place = state.tally[WAIT]
            for i in range(3):
                state.wait[i, place] = state.new[i, k]
            state.wait_quantity[place] = quantity
            state.tally[WAIT] = place + 1
        else:
            _refuse(state, s, j, quantity, state.new[1, k], state.new[2, k], rules)
    state.tally[NEW] = 0


@jit
def _fill(state: State, j: int, quantity: float, price: float, fee: float, margin: bool) -> bool:
    """Execution check and booking of one order."""
    cash, held, paid = state.cash[0], state.held[j], state.paid[j]
    if quantity < 0.0:
        after = cash + (-quantity * paid + -quantity * (price - paid)) - fee
    else:
        after = cash + -quantity * price - fee
        if after < 0.0 and not margin:
            return False
    now = held + quantity
    if now == 0.0:
        state.paid[j] = 0.0
    elif quantity > 0.0:
        state.paid[j] = price if held == 0.0 else (paid * held + quantity * price) / now
    state.held[j] = now
    state.cash[0] = after
    return True


@jit
def _execute(state: State, market: Market, s: int, terms: Terms, rules: Rules) -> None:
    """Fill at the open what has a bar; the rest keeps waiting."""
    left = 0
    for k in range(state.tally[WAIT]):
        j, number, quantity = state.wait[0, k], state.wait[1, k], state.wait_quantity[k]
        if not market.bar[s, j]:
            for i in range(3):
                state.wait[i, left] = state.wait[i, k]
            state.wait_quantity[left] = quantity
            left += 1
            continue
        price = market.opening[s, j]
        fee = _fee(quantity, price, terms)
        if _fill(state, j, quantity, price, fee, rules.margin):
            _resolve(state, number, s, FILLED, rules)
            if rules.record:
                state.book[number, PRICE], state.book[number, FEE] = price, fee
        else:
            _refuse(state, s, j, quantity, number, state.wait[2, k], rules)
    state.tally[WAIT] = left


@jit
def _cancel(state: State, s: int, j: int, rules: Rules) -> None:
    """Cancel waiting orders of column ``j``, or all of them when it is negative."""
    left = 0
    for k in range(state.tally[WAIT]):
        if j < 0 or state.wait[0, k] == j:
            _resolve(state, state.wait[1, k], s, CANCELLED, rules)
        else:
            for i in range(3):
                state.wait[i, left] = state.wait[i, k]
            state.wait_quantity[left] = state.wait_quantity[k]
            left += 1
    state.tally[WAIT] = left


@jit
def _close_delisted(state: State, market: Market, s: int, terms: Terms, rules: Rules) -> None:
    """Sell at the last price in the fifth session without a bar; its orders lapse (rulings 5)."""
    for j in range(len(state.held)):
        if market.gap[s, j] != FRESH_SESSIONS:
            continue
        _cancel(state, s, j, rules)
        if state.held[j] == 0.0:
            continue
        quantity, price = -state.held[j], market.close[s, j]
        fee = _fee(quantity, price, terms)
        _fill(state, j, quantity, price, fee, True)
        if rules.record:
            number = state.tally[ORDERS]
            _enter(state, 0, s, j, quantity, price, DELISTING)
            _resolve(state, number, s, FILLED, rules)
            state.book[number, PRICE], state.book[number, FEE] = price, fee
        state.tally[ORDERS] += 1


@jit
def _decide(state: State, market: Market, s: int, weights: AnyArray, nav: float, rules: Rules) -> int:
    """Orders towards a target row, sales first; returns how many (`orders.decide_orders`)."""
    count = 0
    close, bar, held = market.close[s], market.bar[s], state.held
    for j in range(len(held)):
        if not bar[j]:
            continue
        target = 0.0
        if weights[j] > 0.0:
            target = (weights[j] * nav) / close[j]
            if rules.whole:
                target = np.floor(target)
        change = target - held[j]
        if change == 0.0 or (target != 0.0 and abs(change) * close[j] < rules.smallest * nav):
            continue
        state.new[0, count], state.new_quantity[count] = j, change
        count += 1
    order = np.argsort(state.new_quantity[:count], kind="mergesort")
    state.new[0, :count] = state.new[0, :count][order]
    state.new_quantity[:count] = state.new_quantity[:count][order]
    return count


@jit
def _retry(state: State, market: Market, s: int, terms: Terms, rules: Rules) -> int:
    """Second attempt for refused buys; returns how many (`orders.retry_orders`)."""
    count = 0
    for k in range(state.tally[AGAIN]):
        j, missing = state.again[k], state.again_quantity[k]
        price = market.close[s, j]
        fee = _fee(missing, price, terms) / (missing * price)
        affordable = RETRY_CASH * state.cash[0] / (price * (1.0 + fee))
        if rules.whole:
            affordable = np.floor(affordable)
        quantity = min(missing, affordable)
        if market.bar[s, j] and quantity > 0.0:
            state.new[0, count], state.new_quantity[count] = j, quantity
            count += 1
    return count


@jit
def _order(state: State, market: Market, s: int, count: int, kind: int, rules: Rules) -> None:
    """Number the new orders and write them into the book."""
    for k in range(count):
        j = state.new[0, k]
        state.new[1, k], state.new[2, k] = state.tally[ORDERS] + k, kind
        state.new_close[k] = market.close[s, j]
        if rules.record:
            _enter(state, k, s, j, state.new_quantity[k], market.close[s, j], kind)
    state.tally[NEW] = count
    state.tally[ORDERS] += count


@jit
def _mark(state: State, market: Market, s: int, out: AnyArray) -> float:
    """Value the account at the close, in column order; returns the NAV."""
    close, shares = market.close, state.held
    nav, value = state.cash[0], 0.0
    for j in range(len(shares)):
        part = shares[j] * close[s, j]
        nav += part
        value += abs(part)
    out[0, s], out[1, s], out[2, s] = nav, state.cash[0], value
    return float(nav)


@jit
def run_sessions(
    market: Market,
    weights: AnyArray,
    decide: AnyArray,
    state: State,
    terms: Terms,
    rules: Rules,
    out: AnyArray,
) -> None:
    """Run every session in turn; ``out`` (4, S) takes NAV, cash, value held and number of names."""
    shares, cash, tally = state.held, state.cash, state.tally
    held = 0
    for s in range(len(market.close)):
        tally[AGAIN] = 0
        rate = rules.cash_rate if cash[0] >= 0.0 else rules.financing
        if rate != 0.0:
            cash[0] *= 1.0 + rate / 252.0
        moved = tally[NEW] > 0 or tally[WAIT] > 0 or market.leaving[s]
        if tally[NEW] > 0:
            _submit(state, s, terms, rules)
        if tally[WAIT] > 0:
            _execute(state, market, s, terms, rules)
        if market.leaving[s]:
            _close_delisted(state, market, s, terms, rules)
        if moved:
            held = int(np.count_nonzero(shares))
        nav = _mark(state, market, s, out)
        out[3, s] = held
        if decide[s]:
            _cancel(state, s, -1, rules)
            _order(state, market, s, _decide(state, market, s, weights[s], nav, rules), DECISION, rules)
        elif tally[AGAIN] > 0:
            _order(state, market, s, _retry(state, market, s, terms, rules), RETRY, rules)
