"""Random honest strategies: every block reads its own row and earlier ones, and trades at the next open.

The engine is long-only (rulings 6), so a ``tilt`` is the long-only form of a long-short book: every stock around equal
weight, more of the better ones and as much less of the others. `long_short` gives the true one, as a series.
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Literal

import numpy as np

from ares7.audit.finding import Severity
from ares7.audit.subject import Subject
from ares7.book import Plan, Sleeve, Targets, assemble
from ares7.config import AccountConfig, DataConfig, SyntheticConfig
from ares7.costs import BpsCosts
from ares7.panel import Panel
from ares7.params import BookParams
from ares7.signals.cross_section import normalised
from strategies import equal_weight
from tests.contracts.panels import freeze

YEAR = 252
FIELDS = ("roe", "ebitda_margin", "operating_margin", "debt_to_equity", "liabilities_to_equity")
PRICE_SIGNALS = ("momentum", "reversal", "low volatility", "high", "turnover", "up days", "gap", "range")
MARKETS = 4
ARITHMETIC = frozenset({"D16"})
"""Checks whose warning is a plain fact about an honest book: what it would be at other costs."""


class Recipe(BookParams):
    """One honest strategy."""

    signal: str
    window: int
    skip: int = 0
    shape: Literal["top", "tilt"]
    count: int
    weighting: Literal["equal", "inverse volatility", "rank"]
    schedule: str
    gate: Literal["none", "vix", "trend", "drawdown"] = "none"
    gate_lag: int = 0
    gate_decides: bool = False
    level: float = 20.0
    volatility_target: float | None = None
    lot: int = 0

    @property
    def lookback(self) -> int:
        """Longest window, and two months more where a quarter may pass between decisions."""
        return (
            max(self.window + self.skip, 61) + 2 + self.gate_lag + (45 if self.schedule == "quarterly" else 0)
        )

    @property
    def requires(self) -> frozenset[str]:
        needed = {"fundamentals"} if self.signal in FIELDS else set()
        if self.gate == "vix":
            needed.add("vix")
        if self.gate in ("trend", "drawdown") or self.volatility_target is not None:
            needed.add("index")
        return frozenset(needed)


def windows(x: np.ndarray, rows: np.ndarray, width: int) -> np.ndarray:
    """(R, width, ...) the ``width`` rows up to each of ``rows``; earlier than the first they are NaN."""
    at = rows[:, None] + np.arange(1 - width, 1)
    return np.where((at >= 0).reshape(*at.shape, *[1] * (x.ndim - 1)), x[np.maximum(at, 0)], np.nan)


def before(x: np.ndarray, rows: np.ndarray, back: int) -> np.ndarray:
    return windows(x, rows, back + 1)[:, 0]


def daily(x: np.ndarray, rows: np.ndarray, width: int) -> np.ndarray:
    values = windows(x, rows, width + 1)
    return values[:, 1:] / values[:, :-1] - 1.0


def lots(panel: Panel, rows: np.ndarray, seed: int) -> np.ndarray:
    """A number for each session and name that depends on both and on nothing else: splitmix64."""
    days = panel.dates[rows].astype(np.int64).astype(np.uint64)
    names = np.array([zlib.crc32(s.encode()) for s in panel.symbols], dtype=np.uint64)
    with np.errstate(over="ignore"):
        x = (
            days[:, None] * np.uint64(0x9E3779B97F4A7C15)
            + names * np.uint64(0xC2B2AE3D27D4EB4F)
            + np.uint64(seed)
        )
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    return (x ^ (x >> np.uint64(31))).astype(np.float64)


def score(panel: Panel, rows: np.ndarray, recipe: Recipe) -> np.ndarray:
    """(R, N) the higher, the better; NaN where it is not known."""
    close, w = panel.fields["close"], recipe.window
    if recipe.signal in FIELDS:
        sign = -1.0 if recipe.signal.endswith("equity") else 1.0
        return sign * panel.fields[recipe.signal][rows]
    if recipe.signal == "momentum":
        return before(close, rows, recipe.skip) / before(close, rows, w + recipe.skip)
    if recipe.signal == "reversal":
        return before(close, rows, w) / close[rows]
    if recipe.signal == "low volatility":
        return -daily(close, rows, w).std(axis=1)
    if recipe.signal == "high":
        return close[rows] / windows(close, rows, w).max(axis=1)
    if recipe.signal == "turnover":
        return -windows(panel.fields["price"] * panel.fields["volume"], rows, w).mean(axis=1)
    if recipe.signal == "up days":
        moves = daily(close, rows, w)
        return np.where(np.isfinite(moves).all(axis=1), (moves > 0).sum(axis=1), np.nan)
    if recipe.signal == "gap":
        return -(panel.fields["open"][rows] / before(close, rows, 1))
    if recipe.signal == "range":
        return -(windows(panel.fields["high"], rows, w) / windows(panel.fields["low"], rows, w)).mean(axis=1)
    return lots(panel, rows, recipe.lot)


def placed(values: np.ndarray, usable: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """(R, N) place from 0 for the best; ties by symbol; unusable names come last."""
    by_name = np.argsort(rank)
    key = np.where(usable, -np.where(np.isfinite(values), values, -np.inf), np.inf)[:, by_name]
    order = np.argsort(key, axis=1, kind="stable")
    place = np.empty(order.shape, dtype=np.int64)
    np.put_along_axis(place, order, np.broadcast_to(np.arange(order.shape[1]), order.shape), axis=1)
    out = np.empty_like(place)
    out[:, by_name] = place
    return out


def chosen(panel: Panel, rows: np.ndarray, recipe: Recipe) -> np.ndarray:
    """(R, N) sleeve weights."""
    values = score(panel, rows, recipe)
    usable = np.isfinite(values) & (panel.bar & panel.member & panel.is_stock)[rows]
    place = placed(values, usable, panel.symbol_rank)
    number = usable.sum(axis=1, keepdims=True)
    if recipe.shape == "tilt":
        tilt = 1.0 - 2.0 * (place + 0.5) / np.maximum(number, 1)
        return normalised(np.where(usable, 1.0 + tilt, 0.0))
    held = usable & (place < recipe.count)
    if recipe.weighting == "equal":
        return normalised(held.astype(np.float64))
    if recipe.weighting == "rank":
        return normalised(np.where(held, recipe.count - place, 0.0))
    spread = daily(panel.fields["close"], rows, 60).std(axis=1)
    return normalised(np.where(held & (spread > 0), 1.0 / np.where(spread > 0, spread, 1.0), 0.0))


def due(panel: Panel, schedule: str) -> np.ndarray:
    """(T,) sessions on which the schedule decides; all of it is the calendar's."""
    day = panel.dates.astype(np.int64)
    if schedule == "daily":
        return np.ones(len(day), dtype=bool)
    if schedule == "weekly":
        return panel.week_end.copy()
    if schedule.startswith("weekday"):
        return (day + 3) % 7 == int(schedule[-1])
    month = panel.dates.astype("datetime64[M]").astype(np.int64)
    return panel.month_end & ((month % 3 == 2) | (schedule == "monthly"))


def exposure(panel: Panel, rows: np.ndarray, recipe: Recipe) -> np.ndarray:
    """(R,) in [0, 1] by gate and trailing volatility, of that close or of the one before."""
    at = np.maximum(rows - recipe.gate_lag, 0)
    out = np.ones(len(rows))
    if recipe.gate == "vix":
        out = np.where(panel.series["vix"][at] < recipe.level, 1.0, 0.4)
    elif recipe.gate == "trend":
        index = panel.series["index"]
        out = np.where(index[at] > windows(index, at, 60).mean(axis=1), 1.0, 0.3)
    elif recipe.gate == "drawdown":
        index = panel.series["index"]
        out = np.where(index[at] > 0.97 * windows(index, at, 40).max(axis=1), 1.0, 0.5)
    if recipe.volatility_target is not None:
        spread = daily(panel.series["index"], rows, 40).std(axis=1) * np.sqrt(YEAR)
        known = np.isfinite(spread) & (spread > 0)
        out = out * np.where(
            known, np.minimum(recipe.volatility_target / np.where(known, spread, 1.0), 1.0), 1.0
        )
    return out


def weights(panel: Panel, recipe: Recipe) -> Targets:
    """Target rows of a recipe."""
    decide = due(panel, recipe.schedule)
    if recipe.gate_decides:
        state = exposure(
            panel, np.arange(len(panel.dates)), recipe.model_copy(update={"volatility_target": None})
        )
        decide[1:] |= state[1:] != state[:-1]
    first = panel.start_row
    decide[:first] = False
    decide[first] = True
    rows = np.flatnonzero(decide)
    sleeve = Sleeve(rows.astype(np.int64), chosen(panel, rows, recipe))
    return assemble(
        panel, Plan({"book": sleeve}, {"book": exposure(panel, rows, recipe)}, recipe.gross, decide)
    )


def recipes(count: int, seed: int = 5) -> Iterator[Recipe]:
    """Random recipes: every fourth is a tilt both ways, every fourth decides daily."""
    rng = np.random.default_rng(seed)
    signals = (*PRICE_SIGNALS, *FIELDS, "lots")
    for i in range(count):
        signal = str(rng.choice(signals))
        slow = signal in ("momentum", "low volatility", "high", "turnover", "up days", "range")
        yield Recipe(
            signal=signal,
            # A daily book reads shorter windows: it reads one for every session, in each of three hundred answers.
            window=int(rng.integers(20, 60 if i % 4 == 3 else 253) if slow else rng.integers(2, 16)),
            skip=int(rng.choice([0, 5, 21])) if signal == "momentum" else 0,
            shape="tilt" if i % 4 == 1 else "top",
            count=int(rng.integers(4, 16)),
            weighting=str(rng.choice(["equal", "inverse volatility", "rank"])),
            schedule="daily"
            if i % 4 == 3
            else str(rng.choice(["monthly", "weekly", "quarterly", *[f"weekday {k}" for k in range(5)]])),
            gate=str(rng.choice(["none", "none", "vix", "trend", "drawdown"])),
            gate_lag=int(rng.integers(0, 2)),
            gate_decides=bool(rng.integers(0, 2)),
            level=float(rng.uniform(17, 24)),
            volatility_target=float(rng.uniform(0.08, 0.16)) if rng.random() < 0.3 else None,
            gross=float(rng.choice([0.9, 0.98])),
            lot=int(rng.integers(1, 2**31)),
        )


@cache
def small_panel(seed: int) -> Panel:
    """Forty stocks and the funds of the synthetic market over some 1,500 sessions."""
    from feeds.load import load_panel

    synthetic = SyntheticConfig(
        preset="planted" if seed % 2 else "null",
        seed=seed,
        symbols=40,
        start=dt.date(2014, 1, 2),
        end=dt.date(2019, 12, 31),
    )
    panel = load_panel(
        DataConfig(synthetic=synthetic, cache=None), frozenset({"etfs", "index", "vix", "fundamentals"})
    )
    panel = panel.starting(panel.dates[330])
    freeze(panel)
    return panel


@cache
def baseline_nav(seed: int) -> np.ndarray:
    own = equal_subject(seed)
    return own.run.nav


def equal_subject(seed: int) -> Subject:
    panel = small_panel(seed)
    settings = equal_weight.Params()
    bare = np.ones(len(panel.dates) - panel.start_row)
    return Subject(
        "equal_weight", equal_weight.weights, settings, panel, AccountConfig(), BpsCosts(bps=5), bare
    )


def honest_subject(recipe: Recipe, number: int) -> Subject:
    """A recipe on one of the small markets, in whole shares or fractional ones."""
    market = 40 + number % MARKETS
    # A small account: forty names of which some hardly trade cannot take more.
    account = AccountConfig(cash=100_000.0, shares="fractional" if number % 3 == 0 else "whole")
    base = equal_subject(market)
    return replace(
        base,
        name=f"honest {number}",
        weights=weights,
        settings=recipe,
        account=account,
        baseline_nav=baseline_nav(market),
        seed=number,
    )


def long_short(recipe: Recipe, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Dates and returns of a true long-short book: half long the better half, half short the other, a day later."""
    panel = small_panel(40 + number % MARKETS)
    rows = np.flatnonzero(due(panel, recipe.schedule) & (np.arange(len(panel.dates)) >= panel.start_row))
    values = score(panel, rows, recipe)
    usable = np.isfinite(values) & (panel.bar & panel.member & panel.is_stock)[rows]
    place, number_of = placed(values, usable, panel.symbol_rank), usable.sum(axis=1, keepdims=True)
    side = np.where(usable, np.sign(number_of - 1 - 2 * place), 0.0)
    book = side / np.maximum(np.abs(side).sum(axis=1, keepdims=True), 1)
    close = panel.fields["close"]
    moves = np.nan_to_num(np.vstack([np.zeros((1, close.shape[1])), close[1:] / close[:-1] - 1.0]))
    held = np.zeros(close.shape)
    for row, wanted in zip(rows, book, strict=True):
        held[row + 2 :] = wanted
    returns = (held * moves).sum(axis=1)
    first = int(rows[0]) + 2
    return panel.dates[first:], returns[first:]


def alarms(findings) -> list[tuple[str, str]]:
    """Check and message of every warning that is none of `ARITHMETIC`."""
    return [
        (f.check, f.message) for f in findings if f.severity is Severity.WARNING and f.check not in ARITHMETIC
    ]
