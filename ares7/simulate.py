"""The compiled twin of the event-driven engine: target rows -> orders -> next-open fills -> equity.

Same rules, same order of floating-point operations as the event-driven engine, so that both agree to the last bits
on every panel (C5). The work is done in `ares7.kernels`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ares7.arrays import AnyArray, Dates, Float1D
from ares7.bars import EngineBars
from ares7.book import FRESH_SESSIONS, Targets
from ares7.config import AccountConfig
from ares7.costs import CostModel
from ares7.errors import ConfigError
from ares7.kernels import ORDERS as ORDERS_SO_FAR
from ares7.kernels import Market, Rules, State, fee_terms, run_sessions
from ares7.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a compiled run gives: the same as the event-driven engine's ``history`` and ledger.

    Attributes
    ----------
    dates : (S,) datetime64[D]
    nav, cash : (S,) USD at each close
    gross : (S,) fraction of NAV
    names : (S,) number of positions
    ledger : Ledger or None
        None when the run was not recorded.
    """

    dates: Dates
    nav: Float1D
    cash: Float1D
    gross: Float1D
    names: Float1D
    ledger: Ledger | None


def _state(names: int, cash: float, capacity: int) -> State:
    def ints(*shape: int) -> AnyArray:
        return np.zeros(shape, dtype=np.int64)

    return State(
        cash=np.array([cash]),
        tally=ints(4),
        held=np.zeros(names),
        paid=np.zeros(names),
        new=ints(3, names),
        new_quantity=np.zeros(names),
        new_close=np.zeros(names),
        wait=ints(3, 2 * names),
        wait_quantity=np.zeros(2 * names),
        again=ints(2 * names),
        again_quantity=np.zeros(2 * names),
        book=np.zeros((capacity, 9)),
    )


def _plain(values: AnyArray, dtype: type) -> AnyArray:
    """Copy what is read-only, strided or of another type: numba would compile every kernel again for it."""
    return np.require(values, dtype, ["C", "W"])


def _require_rows(bars: EngineBars, targets: Targets) -> None:
    # A compiled kernel reads past the end of a short array without a word.
    shape = bars.panel.shape
    found = (targets.weights.shape, targets.decide.shape, targets.on_switch.shape)
    if found != (shape, shape[:1], shape[:1]):
        raise ConfigError(
            f"targets do not fit the panel: weights, decide and on_switch have shapes {found}; expected {shape} "
            f"and twice {shape[:1]}, one row a session and one column a symbol; compute them from this panel"
        )


def simulate(
    bars: EngineBars,
    targets: Targets,
    *,
    account: AccountConfig,
    costs: CostModel,
    record: bool = True,
) -> Simulation:
    """Trade target rows without Backtrader.

    Parameters
    ----------
    bars : EngineBars
        Rows to run, prepared once for any number of runs.
    targets : Targets
        Rows of the whole panel.
    account : AccountConfig
        ``exec_lag`` is applied by the caller (`ares7.book.delayed`).
    costs : CostModel
    record : bool
        Keep orders and fills.

    Returns
    -------
    Simulation

    Raises
    ------
    ConfigError
        The targets are not those of the bars' panel.
    """
    _require_rows(bars, targets)
    rows = slice(bars.first, bars.stop)
    decide = _plain(targets.decide[rows], np.bool_)
    sessions, names = bars.bar.shape
    # A decision makes at most one order a name, every refused one of them is retried at most once, and a name
    # leaves at most once between two decisions.
    capacity = names * (2 * int(decide.sum()) + 2) + int((bars.gap == FRESH_SESSIONS).sum()) if record else 0
    state = _state(names, float(account.cash), capacity)
    market = Market(
        _plain(bars.prices["open"], np.float64),
        _plain(bars.prices["close"], np.float64),
        _plain(bars.bar, np.bool_),
        _plain(bars.gap, np.int64),
        (bars.gap == FRESH_SESSIONS).any(axis=1),
    )
    rules = Rules(
        account.shares == "whole",
        account.margin,
        account.min_trade_nav,
        account.cash_rate,
        (account.financing_bps or 0.0) / 1e4,
        record,
    )
    out = np.zeros((4, sessions))
    run_sessions(
        market, _plain(targets.weights[rows], np.float64), decide, state, fee_terms(costs), rules, out
    )
    ledger = _ledger(bars, targets, state) if record else None
    return Simulation(bars.panel.dates[rows], out[0], out[1], out[2] / out[0], out[3], ledger)


def _ledger(bars: EngineBars, targets: Targets, state: State) -> Ledger:
    """Order book of the kernel as a `Ledger`; orders in submission, fills in execution order."""
    book = state.book[: state.tally[ORDERS_SO_FAR]]
    dates = bars.panel.dates[bars.first : bars.stop]
    on_switch = targets.on_switch[bars.first : bars.stop]
    return Ledger.from_book(bars.panel.symbols, book, dates, on_switch)
