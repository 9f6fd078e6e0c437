"""Many plans on one market: the whole equity curve of each, in blocks that fit into memory.

The numbers are those of `ares7.simulate`, to 1e-10 and better: points that hold a close call are run by it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares7.arrays import AnyArray, Bool1D, Bool2D, Dates, Float1D, Float2D, Int1D
from ares7.bars import EngineBars, engine_bars
from ares7.batch_kernel import CAREFUL, FEES, ORDERS, TURNOVER, Book, Tape, run_block
from ares7.book import FRESH_SESSIONS, Plan, Sleeve, assemble, delayed, planned, tradable
from ares7.config import AccountConfig
from ares7.costs import CostModel
from ares7.errors import ConfigError
from ares7.kernels import Rules, fee_terms
from ares7.metrics import SESSIONS_PER_YEAR
from ares7.panel import Panel
from ares7.simulate import simulate


@dataclass(frozen=True, slots=True)
class Market:
    """One panel prepared for any number of plans; read-only, shared by threads.

    Attributes
    ----------
    panel : Panel
        All rows, warm-up included.
    bars : EngineBars
        Rows that are run.
    account, costs
    alive : (T, N) bool
        Where a target is not cash (`ares7.book.tradable`).
    tape, terms, rules
        The same for the kernel.
    """

    panel: Panel
    bars: EngineBars
    account: AccountConfig
    costs: CostModel
    alive: Bool2D
    tape: Tape
    terms: Any
    rules: Rules

    @property
    def dates(self) -> Dates:
        """(S,) datetime64[D]."""
        return self.panel.dates[self.bars.first : self.bars.stop]


@dataclass(frozen=True, slots=True)
class Curves:
    """What each point did.

    Attributes
    ----------
    nav : (P, S) USD at each close
    turnover : (P,) one-way, a year (rulings 8)
    fees : (P,) USD
    fills : (P,) orders filled
    exact : (P,) bool
        The point held a close call and was run by `ares7.simulate`.
    """

    nav: Float2D
    turnover: Float1D
    fees: Float1D
    fills: Float1D
    exact: Bool1D


def market(panel: Panel, *, account: AccountConfig, costs: CostModel) -> Market:
    """Prepare a panel, from its start session to its end."""
    bars = engine_bars(panel)
    row, column = np.nonzero(bars.gap == FRESH_SESSIONS)
    tape = Tape(
        np.ascontiguousarray(bars.prices["open"]),
        np.ascontiguousarray(bars.prices["close"]),
        np.ascontiguousarray(bars.bar),
        _whole(bars, account.exec_lag),
        panel.is_stock,
        row.astype(np.int64),
        column.astype(np.int64),
    )
    rules = Rules(
        account.shares == "whole",
        account.margin,
        account.min_trade_nav,
        account.cash_rate,
        (account.financing_bps or 0.0) / 1e4,
        False,
    )
    return Market(panel, bars, account, costs, tradable(panel), tape, fee_terms(costs), rules)


def _whole(bars: EngineBars, lag: int) -> Bool1D:
    """(S,) bool: every name that may be held or ordered has a bar.

    A name that has had none for longer was closed in its fifth session, its orders lapsed then, and no decision that
    is acted on now saw it alive; a name that is not listed yet likewise.
    """
    gone = bars.gap > FRESH_SESSIONS + lag if lag >= 1 else np.zeros_like(bars.bar)
    return np.asarray((bars.bar | gone).all(axis=1))


def run_plans(market: Market, plans: Sequence[Plan]) -> Curves:
    """Run one block of plans on this thread.

    Parameters
    ----------
    market : Market
    plans : sequence of Plan
        Plans that share sleeves and decisions should share the objects (`ares7.stages.Remembered`).

    Returns
    -------
    Curves
    """
    plans = [written_out(market.panel, plan) for plan in plans]
    nav, totals = np.empty((len(plans), len(market.tape.close))), np.empty((len(plans), 4))
    book = lay_out(market, plans)
    # Without a plan there is nothing to compile for.
    if len(plans):
        run_block(market.tape, book, float(market.account.cash), market.terms, market.rules, nav, totals)
    return finished(market, plans, nav, totals)


def written_out(panel: Panel, plan: Plan) -> Plan:
    """Return a plan that overlays tilt as its target rows: the kernel blends sleeves and nothing else."""
    return plan if plan.tilt is None else planned(panel, assemble(panel, plan))


def finished(market: Market, plans: Sequence[Plan], nav: Float2D, totals: Float2D) -> Curves:
    """Run what a kernel handed back, and return every point's curve.

    Parameters
    ----------
    nav : (P, S) USD
    totals : (P, 4)
        Columns of `ares7.batch_kernel`; both are written to where ``CAREFUL`` is set.
    """
    for p in np.flatnonzero(totals[:, CAREFUL]).tolist():
        nav[p], totals[p] = _exactly(market, plans[p])
    years = max(nav.shape[1] - 1, 1) / SESSIONS_PER_YEAR
    return Curves(
        nav, totals[:, TURNOVER] / years, totals[:, FEES], totals[:, ORDERS], totals[:, CAREFUL] > 0
    )


def _exactly(market: Market, plan: Plan) -> tuple[Float1D, Float1D]:
    """Curve and totals of one plan by the kernel that follows every rule to the last bit."""
    targets = delayed(assemble(market.panel, plan), market.account.exec_lag - 1, market.panel.start_row)
    run = simulate(market.bars, targets, account=market.account, costs=market.costs)
    totals = np.array([0.0, 0.0, 0.0, 1.0])
    if run.ledger is not None:
        fills = run.ledger.fills
        row = np.searchsorted(run.dates, fills.date)
        notional = np.bincount(row, weights=np.abs(fills.quantity) * fills.price, minlength=len(run.nav))
        totals[:3] = np.sum(notional[1:] / 2.0 / run.nav[:-1]), fills.fee.sum(), len(fills.fee)
    return run.nav, totals


def joined(sleeves: Sequence[Sleeve]) -> tuple[Float2D, Int1D]:
    """Rows of all sleeves in one array, and the row at which each begins."""
    begin = np.cumsum([0, *(len(s.rows) for s in sleeves)])[:-1]
    return np.concatenate([s.weights for s in sleeves]) if sleeves else np.zeros((0, 0)), begin


def lay_out(
    market: Market,
    plans: Sequence[Plan],
    pool: Callable[[Sequence[Sleeve]], tuple[AnyArray, Int1D]] = joined,
) -> Book:
    """Lay plans out as arrays; what they share is stored once.

    Parameters
    ----------
    market : Market
    plans : sequence of Plan
    pool : callable
        Gives the pool of these sleeves and the row of it at which each begins.

    Raises
    ------
    ConfigError
        A plan was computed from another panel.
    """
    schedules, sleeves, scales = _Shared(), _Shared(), _Shared()
    picks: dict[tuple[int, int], int] = {}
    widest = max((len(plan.sleeves) for plan in plans), default=0)
    schedule, pick = np.zeros(len(plans), np.int64), np.full((len(plans), widest), -1)
    exposure = np.full(len(plans), -1)
    for p, plan in enumerate(plans):
        schedule[p] = schedules.number(plan.decide)
        for k, sleeve in enumerate(plan.sleeves.values()):
            pair = (sleeves.number(sleeve), int(schedule[p]))
            pick[p, k] = picks.setdefault(pair, len(picks))
        if plan.scale is not None:
            exposure[p] = scales.number((plan.scale, plan.decide))
    moments = [_moments(market, decide) for decide in schedules.found]
    longest = max((len(acts) for _, acts, _ in moments), default=0)
    mix = np.zeros((len(plans), widest, longest))
    for p, plan in enumerate(plans):
        kept = moments[schedule[p]][0]
        for k, part in enumerate(plan.mix[name] for name in plan.sleeves):
            mix[p, k, : len(kept)] = part[kept]
    rows, base = pool(sleeves.found)
    table = _picks(list(picks), sleeves.found, base, moments, longest)
    ends = np.cumsum([len(acts) for _, acts, _ in moments])
    acts, seen = (np.concatenate([m[i] for m in moments] or [np.zeros(0, np.int64)]) for i in (1, 2))
    return Book(
        pool=rows,
        begin=np.concatenate([[0], ends[:-1]]).astype(np.int64),
        end=ends.astype(np.int64),
        acts=acts,
        inverse=market.alive[seen] / market.tape.close[acts],
        picks=table,
        schedule=schedule,
        pick=pick,
        exposure=exposure,
        mix=mix,
        exposures=_exposures(scales.found, moments, schedules, longest),
        gross=np.array([plan.gross for plan in plans]),
    )


class _Shared:
    """Numbers for objects by identity, or for tuples of objects."""

    def __init__(self) -> None:
        self.found: list[Any] = []
        self._numbers: dict[Any, int] = {}

    def number(self, thing: Any) -> int:
        key = tuple(map(id, thing)) if isinstance(thing, tuple) else id(thing)
        if key not in self._numbers:
            self._numbers[key] = len(self.found)
            self.found.append(thing)
        return self._numbers[key]


def _moments(market: Market, decide: Bool1D) -> tuple[Int1D, Int1D, Int1D]:
    """Which decisions are acted on, in which engine row, and which panel row each of them knows."""
    if decide.shape != market.panel.dates.shape:
        raise ConfigError(
            f"a plan decides on {len(decide)} sessions and the market has {len(market.panel.dates)}; "
            "compute the plan from this panel"
        )
    seen = np.flatnonzero(decide)
    acts = seen + market.account.exec_lag - 1
    kept = np.flatnonzero((acts >= market.bars.first) & (acts < market.bars.stop))
    return kept, acts[kept] - market.bars.first, seen[kept]


def _picks(
    pairs: list[tuple[int, int]],
    sleeves: list[Sleeve],
    base: Int1D,
    moments: list[tuple[Int1D, Int1D, Int1D]],
    longest: int,
) -> AnyArray:
    """Row of the pool that each sleeve shows at each decision of each schedule."""
    # The last row shows nothing: what a plan with fewer sleeves than others picks, by -1.
    table = np.full((len(pairs) + 1, longest), -1, dtype=np.int64)
    for q, (sleeve, schedule) in enumerate(pairs):
        seen = moments[schedule][2]
        latest = np.searchsorted(sleeves[sleeve].rows, seen, side="right") - 1
        table[q, : len(seen)] = np.where(latest >= 0, base[sleeve] + latest, -1)
    return table


def _exposures(
    scales: list[Any], moments: list[tuple[Int1D, Int1D, Int1D]], schedules: _Shared, longest: int
) -> Float2D:
    out = np.ones((max(len(scales), 1), longest))
    for e, (scale, decide) in enumerate(scales):
        seen = moments[schedules.number(decide)][2]
        out[e, : len(seen)] = scale[seen]
    return out
