"""A small random market with every irregularity, and every strategy in several settings."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ares7.book import Targets
from ares7.config import DataConfig
from ares7.panel import Panel
from ares7.params import BookParams
from ares7.risk import combined_scale, model_returns
from strategies import registry
from strategies.base import PortfolioStrategy

FUNDS = ("BIL", "GLD", "IEF", "SHY", "SPY", "TLT")
SURPRISES = ("surprise_sue", "surprise_price_scaled", "surprise_consensus", "surprise_legacy_seq")
QUALITY = ("roe", "ebitda_margin", "operating_margin", "debt_to_equity", "liabilities_to_equity")
STOCKS = 40
ROWS = 1150
FIRST = np.datetime64("2015-01-05")


def weekdays(count: int, first: np.datetime64 = FIRST) -> np.ndarray:
    return np.busday_offset(first, np.arange(count + 1), roll="forward").astype("datetime64[D]")


def ends(days: np.ndarray, unit: str) -> np.ndarray:
    shift = np.timedelta64(3 if unit == "W" else 0, "D")
    period = (days + shift).astype(f"datetime64[{unit}]")
    return period[1:] != period[:-1]


def _bars(rng: np.random.Generator, close: np.ndarray) -> dict[str, np.ndarray]:
    opening = close * np.exp(rng.normal(0, 0.003, close.shape))
    high, low = np.maximum(opening, close) * 1.004, np.minimum(opening, close) * 0.996
    volume = rng.integers(1_000, 9_000, close.shape).astype(float)
    return {"open": opening, "high": high, "low": low, "close": close, "price": close * 0.5, "volume": volume}


def _market(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Index returns in stretches of different drift and volatility, and a VIX that answers to them."""
    drift = rng.choice([0.0016, 0.0008, -0.0022, 0.0002], size=rows // 60 + 1).repeat(60)[:rows]
    sigma = np.where(drift < 0, 0.017, 0.008)
    returns = drift + sigma * rng.standard_normal(rows)
    level = np.log(19.0) + np.zeros(rows)
    for t in range(1, rows):
        level[t] = 0.94 * level[t - 1] + 0.06 * np.log(18.0) - 4.0 * returns[t] + 0.02 * rng.standard_normal()
    return returns, np.exp(level)


def _holes(rng: np.random.Generator, close: np.ndarray) -> None:
    """Late listings, delistings, short gaps and long ones, in place."""
    rows = len(close)
    for column, row in ((1, rows // 3), (2, rows // 2), (3, rows - 300), (4, rows - 20)):
        close[:row, column] = np.nan
    for column, row in ((5, rows // 2), (6, rows - 260), (7, rows - 11), (8, 200)):
        close[row:, column] = np.nan
    for column in (9, 10, 11, 12):
        for row in rng.integers(30, rows - 10, 12):
            close[row : row + rng.integers(1, 9), column] = np.nan


def _fundamentals(rng: np.random.Generator, shape: tuple[int, int]) -> dict[str, np.ndarray]:
    out = {}
    for k, name in enumerate(QUALITY):
        steps = rng.normal(0.1 * (k + 1), 0.4, (shape[0] // 63 + 1, shape[1])).repeat(63, axis=0)[: shape[0]]
        steps[:, rng.random(shape[1]) < (0.05 if name == "roe" else 0.2)] = np.nan
        steps[: 150 * (k + 1)] = np.nan
        out[name] = np.ascontiguousarray(steps)
    return out


def _announced(seed: int, shape: tuple[int, int]) -> dict[str, np.ndarray]:
    """Surprises of quarterly announcements and rarer buybacks; drawn apart, so that prices stay what they are."""
    stock, out = np.arange(shape[1]) < STOCKS, {}
    for k, name in enumerate(SURPRISES):
        out[name] = events(np.random.default_rng([seed, k]), shape, stock, 63)
    out["buyback"] = np.abs(events(np.random.default_rng([seed, len(SURPRISES)]), shape, stock, 90))
    return out


def events(rng: np.random.Generator, shape: tuple[int, int], stock: np.ndarray, every: int) -> np.ndarray:
    """(T, N) sparse: a value every ``every`` sessions or so, of stocks, some undefined, many of them tied."""
    out = np.full(shape, np.nan)
    for column in np.flatnonzero(stock):
        rows = np.arange(rng.integers(every), shape[0], every)
        rows = np.unique(np.clip(rows + rng.integers(-6, 7, len(rows)), 0, shape[0] - 1))
        out[rows, column] = np.round(rng.standard_normal(len(rows)), 1)
        out[rows[rng.random(len(rows)) < 0.1], column] = np.nan
    return out


@cache
def market(seed: int = 1, rows: int = ROWS, start: int | None = 270) -> Panel:
    """Stocks with late listings, delistings and holes, funds of which BIL lists late, membership, quality."""
    rng = np.random.default_rng(seed)
    moves, vix = _market(rng, rows)
    beta = rng.uniform(0.4, 1.6, STOCKS)
    beta[20:24] *= -0.5
    own = rng.normal(0, rng.uniform(0.006, 0.02, STOCKS), (rows, STOCKS)) + rng.normal(0, 0.0006, STOCKS)
    fund_beta = np.array([0.0, 0.05, -0.1, 0.0, 1.0, -0.2])
    fund_sigma = np.array([2e-4, 0.009, 0.004, 9e-4, 3e-4, 0.008])
    funds = moves[:, None] * fund_beta + rng.normal(0.0001, fund_sigma, (rows, len(FUNDS)))
    growth = np.hstack([moves[:, None] * beta + own, funds])
    close = 40.0 * np.exp(rng.normal(0, 0.7, growth.shape[1])) * np.exp(np.cumsum(growth, axis=0))
    _holes(rng, close)
    close[: rows // 3 + 50, STOCKS] = np.nan  # BIL
    days = weekdays(rows)
    symbols = tuple(f"S{i:02d}" for i in range(STOCKS)) + FUNDS
    member = np.ones(close.shape, dtype=bool)
    member[: rows // 2, 13], member[rows - 150 :, 14], member[300 : rows - 200, 15] = False, False, False
    order = np.argsort(np.array(symbols))
    panel = Panel(
        dates=days[:-1],
        symbols=symbols,
        fields={
            **{k: np.where(np.isfinite(close), v, np.nan) for k, v in _bars(rng, close).items()},
            **_fundamentals(rng, close.shape),
            **_announced(seed, close.shape),
        },
        series={"index": 2000.0 * np.exp(np.cumsum(moves)), "vix": vix},
        is_stock=np.arange(close.shape[1]) < STOCKS,
        member=member,
        month_end=ends(days, "M"),
        week_end=ends(days, "W"),
        start=None if start is None else days[start],
    ).columns(order)
    freeze(panel)
    return panel


def freeze(panel: Panel) -> None:
    """A strategy that writes into its input fails."""
    for values in (*panel.fields.values(), *panel.series.values(), panel.member, panel.month_end):
        values.flags.writeable = False


def with_fields(panel: Panel, **fields: np.ndarray) -> Panel:
    return replace(panel, fields={**panel.fields, **fields})


ALL_SCALERS: dict[str, Any] = {
    "vol_target": 0.12,
    "drawdown_ladder": True,
    "breaker": True,
    "vix_guard": True,
    "vix_spike": True,
}
SHORT_REGIME = {"sma": 40, "short": 21, "long": 63}
BOTH = ("wavelet", "pead")
SLOPE = {"feature": "slope", "energy_ratio": True, "noise_window": 21}
FADING = {"decay": "linear", "surprise": "price_scaled", "horizon": 60, "tilt": 0.03}
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "fixed_mix": [{"mix": {"SPY": 0.6, "TLT": 0.3, "BIL": 0.1}, "gross": 1.0}],
    "equal_weight": [
        {"overlay": {"engines": ("wavelet",)}},
        {"overlay": {"engines": ("pead",)}, "gross": 0.7},
        {"overlay": {"engines": BOTH, "lam": 3.0, "cap": 0.01}},
        {"overlay": {"engines": ("macd", "pead"), "pead": {"surprise": "legacy_seq"}, "when": "session"}},
        {"overlay": {"engines": ("pead", "buyback"), "weights": {"buyback": 0.5}}},
    ],
    "low_volatility": [
        {"top_quantile": 0.2, "vol_window": 21, "beta_window": 126},
        {"overlay": {"engines": ("pead",), "pead": FADING, "when": "session"}},
        {"overlay": {"engines": ("wavelet",), "wavelet": SLOPE}},
    ],
    "quality_momentum": [
        {"tilt": "budget"},
        {"skip": 21},
        {"quality_weight": 0.0, "momentum_weight": 1.0},
        {"regime": {"min_hold": 5}},
        {"tilt": "budget", "tilt_budget": 0.4, "top_frac": 0.1, "bottom_frac": 0.3},
        {"overlay": {"engines": BOTH, "when": "month"}},
        {"overlay": {"engines": ("momentum",)}, "regime": {"min_hold": 5}},
    ],
    "defensive": [{"mode": "switch"}, {"assets": ("TLT", "GLD"), "cash_symbol": None}],
    "regime_ensemble": [
        {"preset": "phase3"},
        {"regime": {"min_hold": 3}},
        {"regime": {"min_hold": 5}, "preset": "phase3"},
        {"cash_symbol": "BIL"},
        {"defensive": {"mode": "switch"}},
        {"mixes": {"NEUTRAL": {"low_volatility": 0.2, "defensive": 0.6}}, "cash_symbol": "BIL", "gross": 0.7},
        {"risk": {"vol_target": 0.12}},
        {"risk": {"vol_target": 0.10, "vol_window": 50, "step": 0.01}},
        {"risk": {"drawdown_ladder": True}},
        {"risk": {"breaker": True}},
        {"risk": {"vix_guard": True}},
        {"risk": {"vix_guard": True, "vix_spike": True}},
        {"risk": ALL_SCALERS},
        {"risk": ALL_SCALERS, "regime": {"min_hold": 3, **SHORT_REGIME}, "cash_symbol": "BIL"},
        {"overlay": {"engines": ("wavelet",)}},
        {"overlay": {"engines": ("pead",), "pead": {"surprise": "consensus"}}, "preset": "phase3"},
        {"overlay": {"engines": BOTH, "lam": 0.5}},
        {"overlay": {"engines": BOTH, "when": "month"}, "regime": {"min_hold": 3}, "cash_symbol": "BIL"},
        {"overlay": {"engines": BOTH, "when": "session", "pead": FADING}},
        {"overlay": {"engines": ("momentum", "macd")}, "defensive": {"mode": "switch"}},
        {"overlay": {"engines": BOTH}, "risk": {"vol_target": 0.12}},
        {"overlay": {"engines": BOTH}, "risk": ALL_SCALERS},
    ],
}


def names() -> list[str]:
    return [*registry.names(), "strategies.template:Template"]


def cases() -> dict[str, tuple[type[PortfolioStrategy], BookParams]]:
    """Every registered strategy with its defaults and the settings above."""
    out = {}
    for name in names():
        strategy = registry.resolve(name)
        for given in [{}, *SETTINGS.get(name, [])]:
            label = name.rpartition(":")[2] + "".join(f" {k}={v}" for k, v in given.items())
            out[label] = (strategy, registry.settings(strategy, given))
    return out


def differences(got: Targets, row: int, wanted: Targets, at: int) -> list[str]:
    """What differs, bit by bit, between two decisions about one session."""
    pairs: dict[str, tuple[Any, Any]] = {
        "weights": (got.weights[row], wanted.weights[at]),
        "decide": (got.decide[row], wanted.decide[at]),
        "on_switch": (got.on_switch[row], wanted.on_switch[at]),
    }
    if wanted.regime is not None and got.regime is not None:
        pairs["raw label"] = (got.regime.raw[row], wanted.regime.raw[at])
        pairs["held label"] = (got.regime.held[row], wanted.regime.held[at])
    if wanted.scale is not None and got.scale is not None:
        pairs["scale"] = (got.scale[row], wanted.scale[at])
    for name in wanted.sleeves:
        pairs[name] = (got.sleeves[name][row], wanted.sleeves[name][at])
    return [name for name, (a, b) in pairs.items() if not np.array_equal(a, b)]


def overlay_due(panel: Panel, params: BookParams) -> np.ndarray:
    """Overlay dates of a strategy: none where no overlay acts."""
    overlay = getattr(params, "overlay", None)
    if overlay is None or not overlay.acting:
        return np.zeros(len(panel.dates), dtype=bool)
    every = np.ones(len(panel.dates), dtype=bool)
    return {"session": every, "week": panel.week_end, "month": panel.month_end}[overlay.when]


def decisions(panel: Panel, targets: Targets, params: BookParams) -> np.ndarray:
    """The sessions on which rulings 2 allow a decision, session by session."""
    allowed = []
    tilts = overlay_due(panel, params)
    for t in range(len(panel.dates)):
        new_label = (
            t > 0 and targets.regime is not None and targets.regime.held[t] != targets.regime.held[t - 1]
        )
        new_scale = t > 0 and targets.scale is not None and targets.scale[t] != targets.scale[t - 1]
        due = bool(panel.month_end[t]) or bool(tilts[t]) or new_label or new_scale
        allowed.append(t == panel.start_row or (due and t > panel.start_row))
    return np.array(allowed)


DATA = os.environ.get("ARES7_DATA")
SAMPLE = (
    "AAPL MSFT JPM XOM JNJ WMT PG KO PFE CVX BA CAT MMM IBM INTC CSCO HD MCD DIS MRK T VZ C BAC GE "
    "UNH ABT LLY NKE ORCL HON LMT MO AIG F AMGN TXN USB V MA PM BRK-B AVGO META TSLA GM KMI PSX KHC "
    "PYPL AGN CELG DELL1 DTV EMC HNZ KRFT MON RTN S TWX"
)


@cache
def real_panel() -> Panel:
    """All real data, read once; buybacks, which it has none of, are made up."""
    from feeds.load import load_panel

    needs = frozenset({"etfs", "index", "vix", "fundamentals", "earnings"})
    panel = load_panel(DataConfig(path=Path(str(DATA)), cache=None), needs)
    made_up = np.abs(events(np.random.default_rng(0), panel.shape, panel.is_stock, 90))
    return with_fields(panel, buyback=made_up)


@cache
def real_sample(first: str = "2006-06-01", stop: str = "2013-10-01", start: str = "2007-09-12") -> Panel:
    """Sixty-odd names, seven years: 2008, the listing of BIL, dead companies, start in mid-month."""
    panel = real_panel()
    chosen = [i for i, s in enumerate(panel.symbols) if s in SAMPLE.split() or s in FUNDS]
    rows = np.searchsorted(panel.dates, np.array([first, stop], dtype="datetime64[D]"))
    return panel.columns(chosen).rows(int(rows[0]), int(rows[1])).starting(np.datetime64(start))


@cache
def real_announcements() -> Panel:
    """The same names in the seven years for which announcements say something; several are taken over."""
    return real_sample("2012-06-01", "2019-12-01", "2013-09-12")


def changed(panel, column, rows, value=np.nan, field="close"):
    values = panel.fields[field].copy()
    values[rows, column] = value
    return with_fields(panel, **{field: values})


def late_month_end(panel, back=3):
    return int(np.flatnonzero(panel.month_end)[-back])


def at(sleeve, t):
    return sleeve.weights[int(np.flatnonzero(sleeve.rows == t)[0])]


def scale_of(panel, weights, params):
    """Risk scale of unscaled target rows."""
    vix = panel.series.get("vix")
    return combined_scale(model_returns(panel, weights, params.cost_bps), vix, params)
