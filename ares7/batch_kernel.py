"""Kernel of the batch: many plans on one market, at the speed of memory.

It does what `ares7.kernels` does with fewer steps: sums in any order, no sorting, no order book. That is the same to
the last share wherever nothing is close: so it never decides a close call. Where a share count, the smallest trade
or the cash could come out differently in another order of addition, and where an order might be refused, the point
is handed back (`CAREFUL`) for `ares7.simulate` to run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np

from ares7.arrays import AnyArray
from ares7.kernels import Rules, Terms

CLOSE_CALL = 1e-12
"""Relative distance below which a comparison is not decided here; sums in another order differ by some 1e-15."""
CASH_CALL = 1e-9
"""Fraction of NAV that must be left in cash after every check, for the checks to be passed in any order."""
TURNOVER, FEES, ORDERS, CAREFUL = range(4)
"""Columns of ``totals``: half the notional over NAV, summed; USD; count; 1 where the point was handed back."""

F = TypeVar("F", bound=Callable[..., Any])


def jit(function: F) -> F:
    """Compile; threads run it without the interpreter's lock, sums are added in any order, steps go into the loop."""
    options: dict[str, Any] = {"cache": True, "error_model": "numpy", "nogil": True}
    if function.__name__ != "run_block":
        options["inline"] = "always"
    compiled: Any = numba.njit(fastmath={"reassoc", "nsz", "contract"}, **options)(function)
    return cast(F, compiled)


class Tape(NamedTuple):
    """The market.

    ``opening``, ``close`` (S, N) USD; ``bar`` (S, N) bool, ``whole`` (S,) where it is true throughout; ``stock``
    (N,) bool; ``exit_row`` and ``exit_column`` (X,): fifth sessions without a bar, in
    order.
    """

    opening: AnyArray
    close: AnyArray
    bar: AnyArray
    whole: AnyArray
    stock: AnyArray
    exit_row: AnyArray
    exit_column: AnyArray


class Book(NamedTuple):
    """Plans of a block of P points.

    ``pool`` (R, N) rows of every sleeve; ``begin``, ``end`` (U,) decisions of each schedule within ``acts`` (engine
    row of the decision) and ``inverse`` (.., N; one over its closes, 0 where a name is not tradable); ``picks``
    (Q + 1, D) row of the pool that a sleeve shows at each decision, -1 for none; ``schedule`` (P,), ``pick`` (P, K)
    and ``exposure`` (P,) say which of them a point uses, -1 for none; ``mix`` (P, K, D); ``exposures`` (E, D);
    ``gross`` (P,).
    """

    pool: AnyArray
    begin: AnyArray
    end: AnyArray
    acts: AnyArray
    inverse: AnyArray
    picks: AnyArray
    schedule: AnyArray
    pick: AnyArray
    exposure: AnyArray
    mix: AnyArray
    exposures: AnyArray
    gross: AnyArray


class Desk(NamedTuple):
    """What one point carries along, (N,) each: ``held`` shares, open orders as ``change``; the rest is scratch."""

    held: AnyArray
    weights: AnyArray
    change: AnyArray
    filled: AnyArray


# Steps take plain arrays and row numbers: each array taken out of a tuple, and each view of a row, would cost a
# locked count of references, which is as much as the arithmetic. So would handing arrays to a function that is not
# put into the loop.


@jit
def _blend(
    weights: AnyArray,
    pool: AnyArray,
    picks: AnyArray,
    pick: AnyArray,
    mix: AnyArray,
    gross: AnyArray,
    p: int,
    d: int,
) -> None:
    """Target row of a point's decision ``d`` as `ares7.book.assemble` writes it, before membership and risk scale."""
    started = False
    for k in range(pick.shape[1]):
        part, row = gross[p] * mix[p, k, d], picks[pick[p, k], d]
        if part == 0.0 or row < 0:
            continue
        if started:
            for j in range(len(weights)):
                weights[j] += part * pool[row, j]
        else:
            for j in range(len(weights)):
                weights[j] = part * pool[row, j]
            started = True
    if not started:
        weights[:] = 0.0


@jit
def _whole_shares(
    held: AnyArray, weights: AnyArray, change: AnyArray, nav: float, limit: float, close: AnyArray, s: int,
    inverse: AnyArray, d: int,
) -> float:  # fmt: skip
    """Change towards the target row; returns how often another order of addition might decide otherwise."""
    doubts = 0.0
    for j in range(len(held)):
        exact = weights[j] * nav * inverse[d, j]
        target = np.floor(exact)
        moved, above = target - held[j], exact - target
        value = abs(moved) * close[s, j]
        near = (exact != 0.0) & (min(above, 1.0 - above) <= CLOSE_CALL * max(abs(exact), 1.0))
        near = near | ((target != 0.0) & (abs(value - limit) < CLOSE_CALL * limit))
        change[j] = 0.0 if (target != 0.0) & (value < limit) else moved
        doubts += 1.0 if near else 0.0
    return doubts


@jit
def _any_shares(
    held: AnyArray, weights: AnyArray, change: AnyArray, nav: float, limit: float, close: AnyArray, s: int,
    inverse: AnyArray, d: int,
) -> float:  # fmt: skip
    """`_whole_shares` where shares are fractional."""
    doubts = 0.0
    for j in range(len(held)):
        target = weights[j] * nav * inverse[d, j]
        moved = target - held[j]
        value = abs(moved) * close[s, j]
        change[j] = 0.0 if (target != 0.0) & (value < limit) else moved
        doubts += 1.0 if (target != 0.0) & (abs(value - limit) < CLOSE_CALL * limit) else 0.0
    return doubts


@jit
def _wanted(
    held: AnyArray, weights: AnyArray, change: AnyArray, nav: float, limit: float, close: AnyArray, s: int,
    inverse: AnyArray, d: int, whole: bool,
) -> float:  # fmt: skip
    if whole:
        return _whole_shares(held, weights, change, nav, limit, close, s, inverse, d)
    return _any_shares(held, weights, change, nav, limit, close, s, inverse, d)


@jit
def _bill(change: AnyArray, prices: AnyArray, s: int, terms: Terms) -> tuple[float, float, float]:
    """Notional, its absolute value and the fees of all changes at the prices of row ``s``, USD."""
    net, gross = 0.0, 0.0
    for j in range(len(change)):
        value = change[j] * prices[s, j]
        net += value
        gross += abs(value)
    if terms.per_share < 0.0:
        return net, gross, gross * terms.rate
    fees = 0.0
    for j in range(len(change)):
        commission = max(abs(change[j]) * terms.per_share, terms.minimum)
        fees += min(commission, terms.maximum * abs(change[j]) * prices[s, j])
    return net, gross, fees + terms.rate * gross


@jit
def _mark(close: AnyArray, held: AnyArray, cash: float, first: int, stop: int, out: AnyArray, p: int) -> None:
    """NAV of rows ``first`` to ``stop``, four at a time; the last four may overlap the ones before."""
    names = len(held)
    if stop - first < 4:
        for s in range(first, stop):
            a = 0.0
            for j in range(names):
                a += close[s, j] * held[j]
            out[p, s] = cash + a
        return
    s = first
    while s < stop:
        s = min(s, stop - 4)
        a, b, c, d = 0.0, 0.0, 0.0, 0.0
        for j in range(names):
            shares = held[j]
            a += close[s, j] * shares
            b += close[s + 1, j] * shares
            c += close[s + 2, j] * shares
            d += close[s + 3, j] * shares
        out[p, s], out[p, s + 1], out[p, s + 2], out[p, s + 3] = cash + a, cash + b, cash + c, cash + d
        s += 4


@jit
def _without_bar(change: AnyArray, bar: AnyArray, s: int) -> None:
    """No order for a name without a bar in this session."""
    for j in range(len(change)):
        change[j] = change[j] if bar[s, j] else 0.0


@jit
def _split(change: AnyArray, filled: AnyArray, bar: AnyArray, s: int, whole: bool) -> bool:
    """Divide the open orders into those that have a bar and those that wait; returns whether any waits."""
    if whole:
        filled[:] = change
        return False
    waiting = 0.0
    for j in range(len(change)):
        filled[j] = change[j] if bar[s, j] else 0.0
        change[j] -= filled[j]
        waiting += abs(change[j])
    return waiting > 0.0


@jit
def _leave(
    exit_row: AnyArray,
    exit_column: AnyArray,
    x: int,
    s: int,
    held: AnyArray,
    change: AnyArray,
    filled: AnyArray,
) -> int:
    """Sell what has its fifth session without a bar, its orders lapse (rulings 5); returns the next exit."""
    if x == len(exit_row) or exit_row[x] != s:
        return x
    filled[:] = 0.0
    while x < len(exit_row) and exit_row[x] == s:
        j = exit_column[x]
        filled[j] = -held[j]
        held[j], change[j] = 0.0, 0.0
        x += 1
    return x


@jit
def _move(held: AnyArray, change: AnyArray) -> float:
    """Book what was filled; returns how many orders."""
    count = 0.0
    for j in range(len(held)):
        held[j] += change[j]
        count += 1.0 if change[j] != 0.0 else 0.0
    return count


@jit
def _tally(totals: AnyArray, p: int, gross: float, fees: float, count: float, before: float) -> None:
    totals[p, TURNOVER] += gross / 2.0 / before
    totals[p, FEES] += fees
    totals[p, ORDERS] += count


@jit
def _scale(weights: AnyArray, stock: AnyArray, scale: float) -> None:
    for j in range(len(weights)):
        weights[j] *= scale if stock[j] else 1.0


@jit
def _until(sessions: int, s: int, exits: AnyArray, x: int, decision: int, every: bool) -> int:
    """Return the row before which nothing changes but prices."""
    until = sessions if decision < 0 else decision + 1
    if x < len(exits):
        until = min(until, exits[x])
    return s + 1 if every else until


@jit
def _run_point(
    tape: Tape,
    book: Book,
    desk: Desk,
    p: int,
    cash: float,
    terms: Terms,
    rules: Rules,
    out: AnyArray,
    totals: AnyArray,
) -> bool:
    """Run one point; returns whether it was finished."""
    opening, close, bar, whole, stock, exit_row, exit_column = tape
    pool, begin, end, acts, inverse, picks, schedule, pick, exposure, mix, exposures, gross_of = book
    held, weights, change, filled = desk
    first, last, scale = begin[schedule[p]], end[schedule[p]], exposure[p]
    least = -np.inf if rules.margin else CASH_CALL
    earns = rules.cash_rate != 0.0 or rules.financing != 0.0
    s, d, x, open_orders = 0, first, 0, False
    while s < len(close):
        before = out[p, s - 1] if s > 0 else cash
        cash *= 1.0 + (rules.cash_rate if cash >= 0.0 else rules.financing) / 252.0
        if open_orders:
            open_orders = _split(change, filled, bar, s, whole[s])
            net, gross, fees = _bill(filled, opening, s, terms)
            cash -= net + fees
            _tally(totals, p, gross, fees, _move(held, filled), before)
            if cash < least * before:
                return False
        leaving = _leave(exit_row, exit_column, x, s, held, change, filled)
        if leaving > x:
            x = leaving
            net, gross, fees = _bill(filled, close, s, terms)
            cash -= net + fees
            _tally(totals, p, gross, fees, 0.0, before)
        decision = acts[d] if d < last else -1
        until = _until(len(close), s, exit_row, x, decision, earns or open_orders)
        _mark(close, held, cash, s, until, out, p)
        s = until
        if decision == s - 1:
            nav = out[p, s - 1]
            _blend(weights, pool, picks, pick, mix, gross_of, p, d - first)
            if scale >= 0:
                _scale(weights, stock, exposures[scale, d - first])
            doubts = _wanted(
                held, weights, change, nav, rules.smallest * nav, close, decision, inverse, d, rules.whole
            )
            if not whole[decision]:
                _without_bar(change, bar, decision)
            net, gross, fees = _bill(change, close, decision, terms)
            open_orders = gross > 0.0
            if doubts > 0.0 or (open_orders and cash - net - fees < least * nav):
                return False
            d += 1
    return True


@jit
def run_block(
    tape: Tape, book: Book, cash: float, terms: Terms, rules: Rules, out: AnyArray, totals: AnyArray
) -> None:
    """Run every point of a block; ``out`` (P, S) takes NAV in USD, ``totals`` (P, 4) the columns above."""
    names = tape.close.shape[1]
    desk = Desk(np.zeros(names), np.zeros(names), np.zeros(names), np.zeros(names))
    for p in range(len(out)):
        desk.held[:] = 0.0
        totals[p] = 0.0
        if not _run_point(tape, book, desk, p, cash, terms, rules, out, totals):
            totals[p, CAREFUL] = 1.0
