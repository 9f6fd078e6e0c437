"""How a causality bug is planted: a strategy, its settings, and the inputs that the audit must name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ares7.audit.causality import causality_checks
from ares7.audit.finding import Finding, Severity
from ares7.audit.subject import Subject
from ares7.book import Sleeve, Targets, month_end_rows, single_sleeve
from ares7.config import AccountConfig
from ares7.costs import BpsCosts
from ares7.panel import Panel
from ares7.params import BookParams
from ares7.signals.cross_section import normalised
from tests.contracts.panels import market, with_fields

IDS = ("D1", "D5", "D12", "D19", "D20", "D21", "D22")
PRICE = ("open", "high", "low", "close")


class Windows(BookParams):
    """Settings of the small strategies below; a year and a quarter is more than any of them reads."""

    rows: int = 130

    @property
    def lookback(self) -> int:
        return self.rows


SMALL = Windows()


@cache
def panel_of_leaks(rows: int = 620, start: int = 300) -> Panel:
    """The random market, with surprises at announcements: NaN on all other days."""
    panel = market(4, rows, start)
    rng = np.random.default_rng(8)
    surprise = np.where(rng.random(panel.shape) < 0.02, rng.standard_normal(panel.shape), np.nan)
    surprise[:, ~panel.is_stock] = np.nan
    return with_fields(panel, surprise=surprise)


def subject_of(weights, settings=SMALL, panel=None, name="planted", **account) -> Subject:
    panel = panel_of_leaks() if panel is None else panel
    sessions = len(panel.dates) - panel.start_row
    return Subject(
        name, weights, settings, panel, AccountConfig(**account), BpsCosts(bps=10), np.ones(sessions)
    )


def findings_of(subject: Subject, ids=IDS) -> list[Finding]:
    """What the causality checks with these ids say."""
    return [f for check in causality_checks() if check.id in ids for f in check.run(subject)]


def failures(findings, check=None) -> list[Finding]:
    return [f for f in findings if f.severity is Severity.FAILURE and check in (None, f.check)]


@dataclass(frozen=True)
class Planted:
    """A bug: the strategy, its settings, and the inputs whose future it reads."""

    weights: Callable[[Panel, Any], Targets]
    settings: BookParams
    fields: frozenset[str]


def register() -> tuple[dict[str, Planted], Callable]:
    """An empty list of bugs, and the decorator that adds one to it."""
    bugs: dict[str, Planted] = {}

    def planted(*fields: str, settings: BookParams = SMALL):
        def keep(weights):
            bugs[weights.__name__] = Planted(weights, settings, frozenset(fields))
            return weights

        return keep

    return bugs, planted


def book(panel: Panel, score: np.ndarray, settings: BookParams, rows=None, top: int = 8) -> Targets:
    """The ``top`` best scores at month ends, equally weighted; ``score`` is (R, N)."""
    rows = month_end_rows(panel, 2) if rows is None else rows
    usable = np.isfinite(score) & (panel.bar & panel.member & panel.is_stock)[rows]
    order = np.argsort(np.where(usable, -score, np.inf), axis=1, kind="stable")
    place = np.empty(order.shape, dtype=int)
    np.put_along_axis(place, order, np.broadcast_to(np.arange(order.shape[1]), order.shape), axis=1)
    held = (usable & (place < top)).astype(float)
    return single_sleeve(panel, "top", Sleeve(rows, normalised(held)), settings.gross)


def at_month_ends(panel: Panel, signal: np.ndarray, settings: BookParams) -> Targets:
    """`book` of a (T, N) signal."""
    return book(panel, signal[month_end_rows(panel, 2)], settings)


def move(close: np.ndarray, period: int) -> np.ndarray:
    out = np.full(close.shape, np.nan)
    out[period:] = close[period:] / close[:-period] - 1.0
    return out


def daily(close: np.ndarray) -> np.ndarray:
    return np.nan_to_num(move(close, 1))


def earlier(x: np.ndarray, rows: int = 1) -> np.ndarray:
    """Shift a series towards the past; the last rows keep the last value."""
    return np.concatenate([x[rows:], np.repeat(x[-1:], min(rows, len(x)), axis=0)])[: len(x)]


def filled_back(x: np.ndarray) -> np.ndarray:
    out = x.copy()
    for t in range(len(out) - 2, -1, -1):
        out[t] = np.where(np.isfinite(out[t]), out[t], out[t + 1])
    return out


def with_prices(panel: Panel, change: Callable[[np.ndarray], np.ndarray]) -> Panel:
    return with_fields(panel, **{name: change(panel.fields[name]) for name in PRICE})


def smoothed(x: np.ndarray) -> np.ndarray:
    """Drop the upper nine tenths of the frequencies of a whole series."""
    spectrum = np.fft.rfft(np.nan_to_num(x, nan=1.0), axis=0)
    spectrum[max(len(spectrum) // 10, 2) :] = 0
    return np.fft.irfft(spectrum, n=len(x), axis=0)
