"""The batch kernel for a CUDA device: one block of threads a point.

Same steps and same close calls as `ares7.batch_kernel`, which says what the arrays are. Threads of a block share the
names of a decision or a fill, and the sessions of a stretch between two of them. Every thread carries cash and row
numbers by itself and comes to the same branches; sums are trees of one fixed shape, so a run repeats to the bit.

One thread a point would leave most of a device idle for hundreds of points, and its threads would read other rows
of the market at a time; a block reads rows whole, neighbours by neighbours, and hundreds of points are in flight.
Warp shuffles are not used because numba's simulator has none.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numba

from ares7.batch_kernel import CAREFUL, CASH_CALL, CLOSE_CALL, FEES, ORDERS, TURNOVER, Book, Tape
from ares7.cuda.device import cuda, kernel, on_device
from ares7.kernels import Rules, Terms

THREADS = 256
"""Threads of a block, a power of two: a whole month is marked at once."""
LANES = 32
"""Threads that share the names of four sessions."""
TERMS = 5
"""Sums that are taken together: notional, its absolute value, fees, and two of the caller's."""
FOUR = 4
"""Sessions that a group of lanes marks at a time: holdings are read once for all of them."""


Number = TypeVar("Number", int, float)
# Not min and max: numba 0.66 to 0.68 cannot compile them for a device (numba issue 10753).


@on_device
def _smaller(a: Number, b: Number) -> Number:
    return a if a < b else b


@on_device
def _larger(a: Number, b: Number) -> Number:
    return a if a > b else b


@on_device
def _total(shared: Any) -> tuple[float, float, float, float, float]:
    """Sum every thread's terms; all threads must arrive, and get the same sums."""
    t, step = cuda.threadIdx.x, cuda.blockDim.x // 2
    cuda.syncthreads()
    while step > 0:
        if t < step:
            for i in range(TERMS):
                shared[i, t] += shared[i, t + step]
        cuda.syncthreads()
        step //= 2
    sums = shared[0, 0], shared[1, 0], shared[2, 0], shared[3, 0], shared[4, 0]
    cuda.syncthreads()
    return sums


@on_device
def _put(
    shared: Any, net: float, gross: float, fees: float, fourth: float, fifth: float
) -> tuple[float, float, float, float, float]:
    """Hand in this thread's terms and return everybody's sums."""
    t = cuda.threadIdx.x
    shared[0, t], shared[1, t], shared[2, t], shared[3, t], shared[4, t] = net, gross, fees, fourth, fifth
    return _total(shared)


@on_device
def _fee(shares: float, price: float, terms: Terms) -> float:
    notional = abs(shares) * price
    if terms.per_share < 0.0:
        return notional * terms.rate
    commission = _larger(abs(shares) * terms.per_share, terms.minimum)
    return _smaller(commission, terms.maximum * notional) + terms.rate * notional


@on_device
def _weight(book: Book, stock: Any, p: int, d: int, j: int) -> float:
    """Target weight of name ``j`` at decision ``d``, counted over all schedules."""
    k_of, at, weight = book.pick, d - book.begin[book.schedule[p]], 0.0
    for k in range(k_of.shape[1]):
        part, row = book.gross[p] * book.mix[p, k, at], book.picks[k_of[p, k], at]
        if part != 0.0 and row >= 0:
            weight += part * book.pool[row, j]
    if stock[j] and book.exposure[p] >= 0:
        weight *= book.exposures[book.exposure[p], at]
    return weight


@on_device
def _change(exact: float, held: float, price: float, limit: float, whole: bool) -> tuple[float, float]:
    """Shares to trade towards ``exact`` shares, and 1 where another order of addition might decide otherwise."""
    target, near = exact, False
    if whole:
        target = float(math.floor(exact))
        above = exact - target
        near = exact != 0.0 and _smaller(above, 1.0 - above) <= CLOSE_CALL * _larger(abs(exact), 1.0)
    moved = target - held
    value = abs(moved) * price
    if target != 0.0:
        near = near or abs(value - limit) < CLOSE_CALL * limit
        if value < limit:
            moved = 0.0
    return moved, 1.0 if near else 0.0


@on_device
def _decide(
    tape: Tape, book: Book, held: Any, change: Any, shared: Any,
    p: int, d: int, s: int, nav: float, terms: Terms, rules: Rules,
) -> tuple[float, float, float, float, float]:  # fmt: skip
    """Orders of decision ``d`` at close ``s``; returns their bill and the doubts."""
    net, gross, fees, doubts = 0.0, 0.0, 0.0, 0.0
    limit = rules.smallest * nav
    for j in range(cuda.threadIdx.x, held.shape[0], cuda.blockDim.x):
        price = tape.close[s, j]
        exact = _weight(book, tape.stock, p, d, j) * nav * book.inverse[d, j]
        moved, doubt = _change(exact, held[j], price, limit, rules.whole)
        doubts += doubt
        if not tape.bar[s, j]:
            moved = 0.0
        change[j] = moved
        net += moved * price
        gross += abs(moved) * price
        fees += _fee(moved, price, terms)
    return _put(shared, net, gross, fees, doubts, 0.0)


@on_device
def _fill(
    tape: Tape, held: Any, change: Any, shared: Any, s: int, terms: Terms
) -> tuple[float, float, float, float, float]:
    """Fill at open ``s`` what has a bar; returns the bill, how many were filled, and whether any waits."""
    net, gross, fees, count, waiting = 0.0, 0.0, 0.0, 0.0, 0.0
    for j in range(cuda.threadIdx.x, held.shape[0], cuda.blockDim.x):
        moved = change[j]
        if moved == 0.0:
            continue
        if not tape.bar[s, j]:
            waiting += 1.0
            continue
        price = tape.opening[s, j]
        held[j] += moved
        change[j] = 0.0
        count += 1.0
        net += moved * price
        gross += abs(moved) * price
        fees += _fee(moved, price, terms)
    return _put(shared, net, gross, fees, count, waiting)


@on_device
def _leave(
    tape: Tape, held: Any, change: Any, shared: Any, first: int, last: int, s: int, terms: Terms
) -> tuple[float, float, float, float, float]:
    """Sell at close ``s`` what has its fifth session without a bar, exits ``first`` to ``last``; returns the bill."""
    net, gross, fees = 0.0, 0.0, 0.0
    for x in range(first + cuda.threadIdx.x, last, cuda.blockDim.x):
        j = tape.exit_column[x]
        price, moved = tape.close[s, j], -held[j]
        held[j], change[j] = 0.0, 0.0
        net += moved * price
        gross += abs(moved) * price
        fees += _fee(moved, price, terms)
    return _put(shared, net, gross, fees, 0.0, 0.0)


@on_device
def _mark(
    close: Any,
    held: Any,
    shared: Any,
    cash: float,
    growth: float,
    first: int,
    stop: int,
    lanes: int,
    out: Any,
) -> float:
    """NAV of rows ``first`` to ``stop``, between which cash only earns; returns the last row's cash."""
    t = cuda.threadIdx.x
    lane, group = t % lanes, t // lanes
    sweep = FOUR * (cuda.blockDim.x // lanes)
    for base in range(first, stop, sweep):
        row = base + FOUR * group
        # Rows past the end are the last one again, and are not written.
        r0, r1 = _smaller(row, stop - 1), _smaller(row + 1, stop - 1)
        r2, r3 = _smaller(row + 2, stop - 1), _smaller(row + 3, stop - 1)
        a, b, c, d = 0.0, 0.0, 0.0, 0.0
        for j in range(lane, held.shape[0] if row < stop else 0, lanes):
            shares = held[j]
            a += close[r0, j] * shares
            b += close[r1, j] * shares
            c += close[r2, j] * shares
            d += close[r3, j] * shares
        shared[0, t], shared[1, t], shared[2, t], shared[3, t] = a, b, c, d
        step = lanes // 2
        cuda.syncthreads()
        while step > 0:
            if lane < step:
                for i in range(FOUR):
                    shared[i, t] += shared[i, t + step]
            cuda.syncthreads()
            step //= 2
        if lane == 0:
            _write(shared, t, cash, growth, base, row, stop, out)
        cash = _grown(cash, growth, _smaller(sweep, stop - 1 - base))
        cuda.syncthreads()
    return cash


@on_device
def _write(shared: Any, t: int, cash: float, growth: float, base: int, row: int, stop: int, out: Any) -> None:
    """NAV of the four rows from ``row`` on; ``cash`` is that of row ``base``."""
    cash = _grown(cash, growth, row - base)
    for i in range(FOUR):
        if row + i < stop:
            out[row + i] = cash + shared[i, t]
            cash *= growth


@on_device
def _grown(cash: float, growth: float, sessions: int) -> float:
    """Cash after so many sessions' interest, multiplied one by one as the CPU does."""
    if growth != 1.0:
        for _ in range(sessions):
            cash *= growth
    return cash


@on_device
def _exits_until(tape: Tape, x: int, s: int) -> int:
    """Return the first exit after row ``s``."""
    while x < tape.exit_row.shape[0] and tape.exit_row[x] == s:
        x += 1
    return x


@on_device
def _until(tape: Tape, s: int, x: int, decision: int, waiting: bool) -> int:
    """Return the row before which nothing changes but prices, and cash by interest."""
    if waiting:
        return s + 1
    until = tape.close.shape[0] if decision < 0 else decision + 1
    if x < tape.exit_row.shape[0]:
        until = _smaller(until, tape.exit_row[x])
    return until


@on_device
def _run_point(
    tape: Tape, book: Book, held: Any, change: Any, shared: Any,
    p: int, lanes: int, cash: float, terms: Terms, rules: Rules, out: Any,
) -> tuple[bool, float, float, float]:  # fmt: skip
    """Run one point; returns whether it was finished, and its turnover, fees and number of fills."""
    d, last = book.begin[book.schedule[p]], book.end[book.schedule[p]]
    least = -math.inf if rules.margin else CASH_CALL
    turnover, paid, orders = 0.0, 0.0, 0.0
    s, x, waiting = 0, 0, False
    while s < tape.close.shape[0]:
        before = out[s - 1] if s > 0 else cash
        growth = 1.0 + (rules.cash_rate if cash >= 0.0 else rules.financing) / 252.0
        cash *= growth
        if waiting:
            net, gross, fees, count, left = _fill(tape, held, change, shared, s, terms)
            cash -= net + fees
            turnover, paid, orders = turnover + gross / 2.0 / before, paid + fees, orders + count
            waiting = left > 0.0
            if cash < least * before:
                return False, 0.0, 0.0, 0.0
        leaving = _exits_until(tape, x, s)
        if leaving > x:
            net, gross, fees, _, _ = _leave(tape, held, change, shared, x, leaving, s, terms)
            cash -= net + fees
            turnover, paid, x = turnover + gross / 2.0 / before, paid + fees, leaving
        decision = book.acts[d] if d < last else -1
        until = _until(tape, s, x, decision, waiting)
        # Fills and exits may have changed its sign, and with it the rate of the sessions after this one.
        growth = 1.0 + (rules.cash_rate if cash >= 0.0 else rules.financing) / 252.0
        cash = _mark(tape.close, held, shared, cash, growth, s, until, lanes, out)
        s = until
        if decision == s - 1:
            nav = out[s - 1]
            net, gross, fees, doubts, _ = _decide(
                tape, book, held, change, shared, p, d, decision, nav, terms, rules
            )
            waiting = gross > 0.0
            if doubts > 0.0 or (waiting and cash - net - fees < least * nav):
                return False, 0.0, 0.0, 0.0
            d += 1
    return True, turnover, paid, orders


@kernel
def run_points(
    tape: Tape, book: Book, desks: Any, first: int, count: int, lanes: int,
    cash: float, terms: Terms, rules: Rules, out: Any, totals: Any,
) -> None:  # fmt: skip
    """Run points ``first`` to ``first + count``, one a block.

    ``desks`` (B, 2, N) holds shares and open orders, ``out`` (B, S) takes NAV in USD, ``totals`` (B, 4) the columns
    of `ares7.batch_kernel`. Threads a block: a power of two, at most `THREADS`; ``lanes`` a power of two that
    divides them.
    """
    shared = cuda.shared.array((TERMS, THREADS), numba.float64)
    i = cuda.blockIdx.x
    if i >= count:
        return
    for j in range(cuda.threadIdx.x, desks.shape[2], cuda.blockDim.x):
        desks[i, 0, j], desks[i, 1, j] = 0.0, 0.0
    cuda.syncthreads()
    done, turnover, fees, orders = _run_point(
        tape, book, desks[i, 0], desks[i, 1], shared, first + i, lanes, cash, terms, rules, out[i]
    )
    if cuda.threadIdx.x == 0:
        totals[i, TURNOVER], totals[i, FEES], totals[i, ORDERS] = turnover, fees, orders
        totals[i, CAREFUL] = 0.0 if done else 1.0
