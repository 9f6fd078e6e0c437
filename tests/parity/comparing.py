"""The compiled twin beside the event-driven engine: run both, compare every column of what they did."""

import importlib.util
from contextlib import contextmanager
from dataclasses import fields
from unittest import mock

import numba
import numpy as np

from ares7 import simulate as twin
from ares7.bars import engine_bars
from ares7.config import AccountConfig
from ares7.ledger import Ledger
from tests.engine.running import COSTS, basket_account, outcome_of

COMPILED = not numba.config.DISABLE_JIT
"""False under NUMBA_DISABLE_JIT=1: the kernels run as plain Python, and the panels are smaller."""
TOLERANCE = 1e-10


def compiled(panel, targets, *, costs="bps", record=True, **account):
    """The compiled twin's run."""
    return twin.simulate(
        engine_bars(panel), targets, account=AccountConfig(**account), costs=COSTS[costs][0], record=record
    )


def run_compiled(panel, targets, **account):
    """The same as an `Outcome`, to be held against the engines of tests/engine."""
    run = compiled(panel, targets, **account)
    return outcome_of(panel, run.nav, run.cash, run.ledger)


def assert_engines_agree(panel, targets, **account):
    """Both engines give the same curves to 1e-10 and the same orders and fills to the last bit."""
    history, ledger = basket_account(panel, targets, **account)
    run = compiled(panel, targets, **account)
    assert np.array_equal(run.dates, history.dates)
    # Cash may be anywhere near 0, so its yardstick is the NAV.
    scale = {"nav": np.abs(history.nav), "cash": np.abs(history.nav), "gross": 1.0, "names": 1.0}
    for name, size in scale.items():
        difference = np.abs(getattr(run, name) - getattr(history, name)) / size
        assert difference.max() <= TOLERANCE, (name, difference.argmax(), difference.max())
    # Without a single decision the event-driven engine never learns that it would have traded baskets.
    assert_same_records(run.ledger, ledger or Ledger(panel.symbols))
    return run


def assert_same_records(one, other):
    for record in ("orders", "fills"):
        ours, theirs = getattr(one, record), getattr(other, record)
        for column in fields(ours):
            got, expected = getattr(ours, column.name), getattr(theirs, column.name)
            assert np.array_equal(got, expected, equal_nan=column.name == "resolved"), (record, column.name)


def kernels_as_python():
    """A second copy of the kernels that numba has not touched; arrays refuse an index past their end in it."""
    spec = importlib.util.find_spec("ares7.kernels")
    module = importlib.util.module_from_spec(spec)
    with mock.patch("numba.njit", return_value=lambda function: function):
        spec.loader.exec_module(module)
    return module


PYTHON = kernels_as_python()


@contextmanager
def as_python():
    """Let ``simulate`` run the plain kernels."""
    with mock.patch.object(twin, "run_sessions", PYTHON.run_sessions):
        yield
