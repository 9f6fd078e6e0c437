"""Small panels: seeded markets with holes, late listings and delistings, and hand-written tables."""

from dataclasses import replace

import numpy as np

from ares7.book import Targets
from ares7.panel import Panel

PRICES = ("open", "high", "low", "close")
FUNDAMENTALS = ("roe", "ebitda_margin", "operating_margin", "debt_to_equity", "liabilities_to_equity")
FUNDS = ("BIL", "GLD", "IEF", "SHY", "SPY", "TLT")


def weekdays(count, start="2019-01-02"):
    return np.busday_offset(np.datetime64(start, "D"), np.arange(count), roll="forward")


def _ends(dates, unit, shift=0):
    period = (dates + np.timedelta64(shift, "D")).astype(f"datetime64[{unit}]")
    return np.append(period[1:] != period[:-1], False)


def panel_of(opening, close, symbols=None, *, start=0, series=None, stocks=None, extra=None):
    """A panel around (T, N) opens and closes; NaN where a name has no bar."""
    opening, close = np.array(opening, dtype=float), np.array(close, dtype=float)
    sessions, names = close.shape
    dates = weekdays(sessions)
    high, low = np.fmax(opening, close), np.fmin(opening, close)
    fields = {"open": opening, "high": high, "low": low, "close": close, "price": close.copy()}
    fields["volume"] = np.where(np.isfinite(close), 1e6, np.nan)
    return Panel(
        dates,
        tuple(symbols or (f"S{i:02d}" for i in range(names))),
        fields | (extra or {}),
        series or {},
        np.ones(names, dtype=bool) if stocks is None else np.array(stocks),
        np.ones((sessions, names), dtype=bool),
        _ends(dates, "M"),
        _ends(dates, "W", 3),
        start=dates[start],
    )


def targets_of(panel, rows):
    """Targets from {row: weights}; every named row decides."""
    weights = np.zeros(panel.shape)
    decide = np.zeros(len(panel.dates), dtype=bool)
    for row in sorted(rows):
        weights[row:] = rows[row]
        decide[row] = True
    return Targets(weights, decide, np.zeros(len(decide), dtype=bool))


def flat(sessions, prices):
    """(T, N) of constant prices."""
    return np.tile(np.array(prices, dtype=float), (sessions, 1))


def without_bars(panel, rows, column):
    """The panel with no bar of a name in some rows."""
    fields = {name: values.copy() for name, values in panel.fields.items()}
    for values in fields.values():
        values[rows, column] = np.nan
    return replace(panel, fields=fields)


def holes_of(rng, sessions, names):
    """(T, N) bool: late listings, delistings and gaps of one to eight sessions."""
    missing = np.zeros((sessions, names), dtype=bool)
    for column in range(0, names, 2):
        kind = column // 2 % 3
        if kind == 0:
            missing[: rng.integers(5, sessions // 2), column] = True
        elif kind == 1:
            missing[rng.integers(sessions // 2, sessions - 8) :, column] = True
        for _ in range(4):
            first = rng.integers(0, sessions)
            missing[first : first + rng.integers(1, 9), column] = True
    return missing


def market(seed=1, sessions=420, stocks=24, start=270, holes=True):
    """A seeded market with funds, fundamentals, an index and VIX that visits every regime."""
    rng = np.random.default_rng(seed)
    symbols = tuple(sorted([f"S{i:02d}" for i in range(stocks)] + list(FUNDS)))
    is_stock = np.array([symbol not in FUNDS for symbol in symbols])
    names = len(symbols)
    days = np.arange(sessions)
    common = rng.normal(np.where(days < 0.87 * sessions, 0.0015, -0.008), 0.008)
    moves = common[:, None] * rng.uniform(0.5, 1.5, names) + rng.normal(0, 0.015, (sessions, names))
    close = rng.uniform(8, 300, names) * np.exp(np.cumsum(moves, axis=0))
    opening = close * np.exp(rng.normal(0, 0.006, (sessions, names)))
    missing = np.zeros((sessions, names), dtype=bool)
    if holes:
        missing[:, is_stock] = holes_of(rng, sessions, stocks)
    opening[missing] = close[missing] = np.nan
    extra = {}
    for name in FUNDAMENTALS:
        steps = rng.normal(0.1, 1.0, (sessions // 60 + 1, names)).repeat(60, axis=0)[:sessions]
        extra[name] = np.where(is_stock & ~missing, steps, np.nan)
    vix = 21 + 10 * np.sin(days / 7) + rng.normal(0, 1, sessions)
    series = {"index": 1000 * np.exp(np.cumsum(common)), "vix": vix}
    return panel_of(opening, close, symbols, start=start, series=series, stocks=is_stock, extra=extra)
