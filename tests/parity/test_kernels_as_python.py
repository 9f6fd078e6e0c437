"""The kernels as numba compiles them and as plain Python: the same numbers, and never an index past an array's end.

Why the arrays of `ares7.simulate` are long enough. Between two decisions a name has one decision order. It waits,
is filled or is refused; only a refused one is retried, and a retry is not retried again. So no name ever has two live
orders: the queues of new, waiting and refused orders hold at most one entry a name, because a decision cancels what
waits before it enters its own. Orders are therefore at most two a name and decision, plus one for each fifth session
without a bar, on which a name is sold.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from ares7.bars import engine_bars
from ares7.book import FRESH_SESSIONS
from tests.engine.generated import accounts, examples, tables
from tests.engine.panels import flat, market, panel_of, targets_of, without_bars
from tests.engine.running import COSTS
from tests.parity.comparing import COMPILED, PYTHON, as_python, assert_same_records, compiled

ROOT = Path(__file__).resolve().parents[2]


def tight_run(panel, targets, *, cash, costs="bps", shares="whole", min_trade_nav=0.0005, decisions=None):
    """The plain kernels in arrays of exactly the lengths that the reasoning above allows; returns their state."""
    bars = engine_bars(panel)
    names, decide = len(panel.symbols), targets.decide[bars.first : bars.stop]
    decisions = int(decide.sum()) if decisions is None else decisions
    exits = int((bars.gap == FRESH_SESSIONS).sum())
    state = PYTHON.State(
        cash=np.array([cash]),
        tally=np.zeros(4, dtype=np.int64),
        held=np.zeros(names),
        paid=np.zeros(names),
        new=np.zeros((3, names), dtype=np.int64),
        new_quantity=np.zeros(names),
        new_close=np.zeros(names),
        wait=np.zeros((3, names), dtype=np.int64),
        wait_quantity=np.zeros(names),
        again=np.zeros(names, dtype=np.int64),
        again_quantity=np.zeros(names),
        book=np.zeros((2 * names * decisions + exits, 9)),
    )
    PYTHON.run_sessions(
        PYTHON.Market(
            bars.prices["open"], bars.prices["close"], bars.bar, bars.gap, (bars.gap == 5).any(axis=1)
        ),
        targets.weights[bars.first : bars.stop],
        decide,
        state,
        PYTHON.fee_terms(COSTS[costs][0]),
        PYTHON.Rules(shares == "whole", False, min_trade_nav, 0.0, 0.0, True),
        np.zeros((4, len(decide))),
    )
    return state


def crowded(names=4, decisions=1, sessions=12):
    """Every name asks for the whole account at each decision, then stops trading."""
    panel = panel_of(flat(sessions, [10.0] * names), flat(sessions, [10.0] * names))
    for column in range(names):
        panel = without_bars(panel, slice(3 * decisions, None), column)
    return panel, targets_of(panel, {3 * k: np.full(names, 1.0 - 0.3 * (k % 2)) for k in range(decisions)})


def busy(seed):
    """Half of the names, another half every third session, fully invested: refusals, retries, delistings."""
    panel = market(seed=seed, sessions=340, stocks=12, start=270)
    rng = np.random.default_rng(seed)
    weights = rng.random((340, panel.shape[1])) * (rng.random((340, panel.shape[1])) < 0.5)
    weights /= weights.sum(axis=1, keepdims=True)
    return panel, targets_of(panel, {row: weights[row] for row in range(270, 340, 3)})


def digest():
    """SHA-256 of everything that three runs give."""
    found, kinds, states = hashlib.sha256(), set(), set()
    for seed, (costs, shares) in enumerate([("bps", "whole"), ("fixed", "fractional"), ("tiered", "whole")]):
        panel, targets = busy(seed)
        run = compiled(panel, targets, cash=2e4, costs=costs, shares=shares, cash_rate=0.03)
        orders, fills = run.ledger.orders, run.ledger.fills
        kinds.update(orders.kind.tolist())
        states.update(orders.status.tolist())
        for array in (
            run.nav,
            run.cash,
            run.gross,
            run.names,
            orders.quantity,
            orders.status,
            orders.resolved,
        ):
            found.update(np.ascontiguousarray(array).tobytes())
        for array in (fills.date, fills.symbol, fills.quantity, fills.price, fills.fee, fills.order):
            found.update(np.ascontiguousarray(array).tobytes())
    assert (kinds, states) == ({0, 1, 2}, {0, 1, 2, 3})
    return found.hexdigest()


def test_a_process_in_the_other_mode_gives_the_same_bytes():
    other = {**os.environ, "NUMBA_DISABLE_JIT": "1" if COMPILED else "0", "PYTHONPATH": str(ROOT)}
    code = (
        "import numba; from tests.parity.test_kernels_as_python import digest;"
        "print(int(bool(numba.config.DISABLE_JIT)), digest())"
    )
    done = subprocess.run([sys.executable, "-c", code], env=other, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(int(COMPILED)), digest()]


@examples(200)
@given(table=tables(), account=accounts)
def test_no_array_is_ever_too_short(table, account):
    """Plain arrays raise where compiled code would write into foreign memory."""
    panel, targets = table
    run = compiled(panel, targets, **account)
    state = tight_run(panel, targets, **account)
    assert state.tally[PYTHON.ORDERS] == len(run.ledger.orders.decided)
    assert np.array_equal(
        state.book[: state.tally[PYTHON.ORDERS], PYTHON.QUANTITY], run.ledger.orders.quantity
    )
    with as_python():
        plain = compiled(panel, targets, **account)
    assert np.array_equal(plain.nav, run.nav)
    assert_same_records(plain.ledger, run.ledger)


@pytest.mark.parametrize("names", [1, 2, 7])
@pytest.mark.parametrize("decisions", [1, 2, 3])
@pytest.mark.parametrize("costs", ["bps", "fixed"])
def test_the_fullest_order_book_still_fits(names, decisions, costs):
    """Every order refused and retried, and what was bought then delisted."""
    panel, targets = crowded(names, decisions)
    state = tight_run(panel, targets, cash=1000.0, costs=costs, min_trade_nav=0.0)
    run = compiled(panel, targets, cash=1000.0, costs=costs, min_trade_nav=0.0)
    assert state.tally[PYTHON.ORDERS] == len(run.ledger.orders.decided)
    if decisions == 1:
        assert run.ledger.orders.kind.tolist() == [0] * names + [1] * names + [2]


def test_an_array_that_is_too_short_is_noticed_by_the_plain_kernels():
    """The tests above can fail."""
    panel, targets = crowded()
    with pytest.raises(IndexError):
        tight_run(panel, targets, cash=1000.0, min_trade_nav=0.0, decisions=0)
