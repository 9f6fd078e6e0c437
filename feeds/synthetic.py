"""The synthetic market: seeded, complete, under its own name. Two presets.

``null``: the expected return of a stock given the past is its beta times a constant premium. States change
volatility and correlation, never drift; quality, momentum, volatility and earnings say nothing.

``planted``: the same, plus, known at the close before: a monthly rank correlation of about .03 with quality (the
figures public with the default 90 days of delay) and .04 with 12-month momentum, a premium on low volatility,
and 1 % over the 60 sessions after an earnings surprise, by its sign.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from ares7.arrays import Bool1D, Dates, Float1D, Float2D, Label1D
from ares7.config import DataConfig, SyntheticConfig
from ares7.errors import ConfigError
from ares7.panel import Panel
from ares7.sessions import period_ends, sessions
from feeds import synthetic_accounts, synthetic_prices, synthetic_tables
from feeds.asof import latest_visible
from feeds.filings import without_meaningless_ratios
from feeds.membership import member_mask
from feeds.surprises import placed_surprises
from feeds.synthetic_prices import FUNDS, Bars, Factors, Growth, Paths
from feeds.synthetic_universe import Universe, draw_universe, stream

GENERATOR = 1
"""Part of the digest and of provenance: raise it whenever the same settings give other numbers."""
MIN_SESSIONS = 300
PROVENANCE = "provenance.json"


@dataclass(frozen=True, slots=True)
class SyntheticMarket:
    """Everything that was generated, and the truth behind it.

    Attributes
    ----------
    config : SyntheticConfig
    calendar : str
    dates : (T,) datetime64[D]
    symbols : tuple of N str
        Stocks and funds, sorted.
    is_stock : (N,) bool
    open, high, low, close, adj_close : (T, N) USD
        As in the canonical files: adjusted for splits, ``adj_close`` for dividends too; NaN without a bar.
    volume : (T, N) shares
    index, vix : (T,)
        Closes.
    state : (T,) int8
        Index into `feeds.synthetic_prices.STATES`.
    beta : (N,)
        Sensitivity to the market; 0 for bond funds.
    expected : (T, N)
        Expected close-to-close simple total return of session t given everything up to close t-1; NaN where the
        name had no close before or is gone. In a halt it is the latent return's, which shows at the reopening.
    scores : mapping of str to (T, N)
        ``quality``, ``momentum``, ``low_vol``: standardised, known at close t, 0 where there is none.
    tables : mapping of str to DataFrame
        ``fundamentals``, ``fundamentals_annual``, ``earnings``, ``symbols``, ``membership``, ``splits``.
    """

    config: SyntheticConfig
    calendar: str
    dates: Dates
    symbols: tuple[str, ...]
    is_stock: Bool1D
    open: Float2D
    high: Float2D
    low: Float2D
    close: Float2D
    adj_close: Float2D
    volume: Float2D
    index: Float1D
    vix: Float1D
    state: Label1D
    beta: Float1D
    expected: Float2D
    scores: Mapping[str, Float2D]
    tables: Mapping[str, pd.DataFrame]


def generate(config: SyntheticConfig, calendar: str = "XNYS") -> SyntheticMarket:
    """Generate a market; the same settings give the same bits.

    Raises
    ------
    ConfigError
        Fewer than 300 sessions between ``start`` and ``end``.
    """
    dates, known = _sessions(config, calendar)
    count = len(dates)
    universe = draw_universe(config.seed, config.symbols, count)
    accounts = synthetic_accounts.draw_accounts(config.seed, universe, dates, known)
    month_end, _ = period_ends(dates, calendar)
    quality = synthetic_accounts.visible_quality(accounts, universe, dates, month_end)
    low_vol = synthetic_prices.low_vol_score(universe)
    factors = synthetic_prices.draw_factors(config.seed, count)
    jumps = synthetic_prices.draw_jumps(config.seed, accounts.events, universe.listed.shape)
    shocks = synthetic_prices.draw_shocks(config.seed, universe, factors, jumps)
    planted = None
    if config.preset == "planted":
        planted = synthetic_prices.plant(quality, low_vol, accounts.events)
    paths = synthetic_prices.run_returns(universe, shocks, planted)
    growth, bars, splits, shares = _stock_bars(config.seed, universe, paths, jumps, dates)
    fund_growth, fund_bars, fund_expected = _fund_bars(config.seed, factors)
    names = (*universe.names, *FUNDS)
    order = np.argsort(np.array(names))
    moved = np.hstack([growth.moved, fund_growth.moved])
    expected = np.where(moved, np.hstack([paths.expected, fund_expected]), np.nan)
    scores = {
        "quality": quality,
        "momentum": paths.momentum,
        "low_vol": np.where(universe.listed, low_vol, 0.0),
    }
    index_return = (1.0 + factors.market) * (1.0 - synthetic_prices.INDEX_YIELD / synthetic_prices.YEAR) - 1.0
    return SyntheticMarket(
        config=config,
        calendar=calendar,
        dates=dates,
        symbols=tuple(names[i] for i in order),
        is_stock=np.arange(len(names))[order] < config.symbols,
        **{name: _columns(getattr(bars, name), getattr(fund_bars, name), order) for name in Bars.__slots__},
        index=np.round(1100.0 * np.cumprod(1.0 + index_return), 2),
        vix=factors.vix,
        state=factors.state,
        beta=np.concatenate([universe.beta, [fund.market for fund in FUNDS.values()]])[order],
        expected=np.ascontiguousarray(expected[:, order]),
        scores={name: _columns(x, np.zeros((count, len(FUNDS))), order) for name, x in scores.items()},
        tables=synthetic_tables.tables(universe, accounts, dates, splits, shares),
    )


def _columns(stocks: Float2D, funds: Float2D, order: np.ndarray) -> Float2D:
    return np.ascontiguousarray(np.hstack([stocks, funds])[:, order])


def _sessions(config: SyntheticConfig, calendar: str) -> tuple[Dates, Dates]:
    """Sessions of the market, and those sessions with the years of accounts before."""
    start, end = np.datetime64(config.start, "D"), np.datetime64(config.end, "D")
    before = np.timedelta64(366 * (synthetic_accounts.HISTORY_YEARS + 2), "D")
    known = sessions(start - before, end, calendar) if start < end else sessions(end, end, calendar)
    dates = known[known >= start]
    if len(dates) < MIN_SESSIONS:
        raise ConfigError(
            f"data.synthetic: start {config.start} to end {config.end} holds {len(dates)} sessions of {calendar}; "
            f"at least {MIN_SESSIONS} are needed; widen the dates"
        )
    return dates, known


def _stock_bars(
    seed: int, universe: Universe, paths: Paths, jumps: Float2D, dates: Dates
) -> tuple[Growth, Bars, pd.DataFrame, Float1D]:
    """Bars of the stocks, their splits, and the shares each would have at first in today's units, (N,)."""
    rng = stream(seed, "bars")
    names = len(universe.names)
    payout = synthetic_prices.payouts(
        len(dates), universe.dividend_yield, np.full(names, 63), rng.integers(0, 63, names)
    )
    growth = synthetic_prices.accumulate(paths.returns, payout, universe.bar)
    price = rng.uniform(30.0, 150.0, names)
    splits = synthetic_prices.draw_splits(rng, growth, price, dates)
    ratio = np.ones(names)
    np.multiply.at(ratio, splits["name"].to_numpy(dtype=np.int64), splits["ratio"].to_numpy(dtype=np.float64))
    daily_vol = universe.idio_vol / synthetic_prices.YEAR**0.5
    bars = synthetic_prices.draw_bars(rng, growth, paths.returns, jumps, price / ratio, daily_vol)
    shares = 1e10 * np.exp(0.8 * rng.standard_normal(names)) / price * ratio
    return growth, bars, splits, shares


def _fund_bars(seed: int, factors: Factors) -> tuple[Growth, Bars, Float2D]:
    """Bars and expected returns of the funds, in the order of `FUNDS`; BIL is listed later than the start."""
    rng = stream(seed, "fund bars")
    funds = FUNDS.values()
    returns, expected = synthetic_prices.fund_returns(seed, factors)
    count = len(returns)
    every = np.array([fund.dividend_rows for fund in funds])
    payout = synthetic_prices.payouts(count, np.array([fund.dividend for fund in funds]), every, every - 1)
    listed = np.arange(count)[:, None] >= np.array([int(fund.first_share * count) for fund in funds])
    growth = synthetic_prices.accumulate(returns, payout, listed)
    price = np.array([fund.price for fund in funds])
    bars = synthetic_prices.draw_bars(
        rng, growth, returns, np.zeros_like(returns), price, returns.std(axis=0)
    )
    return growth, bars, np.tile(expected, (count, 1))


def to_panel(market: SyntheticMarket, config: DataConfig) -> Panel:
    """Return the panel that loading the written files gives, without the files; for statistical tests.

    ``universe``, ``etfs``, ``pit_delay_days`` and ``max_age_days`` of ``config`` are obeyed. ``provenance`` holds
    what ``provenance.json`` says, without file hashes.
    """
    listed = config.universe if isinstance(config.universe, tuple) else market.symbols
    names = np.array(market.symbols)
    keep = (market.is_stock & np.isin(names, listed)) | np.isin(names, config.etfs)
    days = np.flatnonzero(np.isfinite(market.close[:, keep & market.is_stock]).any(axis=1))
    rows = slice(days[0], days[-1] + 1)
    dates, symbols = market.dates[rows], tuple(names[keep].tolist())

    def part(values: Float2D) -> Float2D:
        return np.ascontiguousarray(values[rows][:, keep])

    total, traded = part(market.adj_close), part(market.close)
    fields = {name: part(getattr(market, name)) * total / traded for name in ("open", "high", "low")}
    fields |= {"close": total, "price": traded, "volume": part(market.volume)}
    fields |= latest_visible(
        without_meaningless_ratios(synthetic_tables.filings(market.tables, symbols)),
        dates,
        symbols,
        config.pit_delay_days,
        config.max_age_days,
    )
    is_stock = np.isin(names[keep], config.etfs, invert=True)
    member = np.ones(total.shape, dtype=bool)
    if config.universe in ("auto", "members"):
        intervals = synthetic_tables.membership(market.tables)
        member = member_mask(intervals, dates, symbols) | ~is_stock
    month_end, week_end = period_ends(dates, config.calendar)
    panel = Panel(
        dates=dates,
        symbols=symbols,
        fields=fields,
        series={"index": market.index[rows], "vix": market.vix[rows]},
        is_stock=is_stock,
        member=member,
        month_end=month_end,
        week_end=week_end,
        provenance={"synthetic": True, "source": provenance(market)},
    )
    events = market.tables["earnings"]
    events = events[events["symbol"].isin(names[keep & market.is_stock])]
    return replace(panel, fields={**panel.fields, **placed_surprises(events, panel)})


def settings_digest(config: SyntheticConfig, calendar: str = "XNYS") -> str:
    """Eight hex digits that identify a market's content."""
    settings = config.model_dump(mode="json") | {"generator": GENERATOR, "calendar": calendar}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]


def provenance(market: SyntheticMarket) -> dict[str, Any]:
    """What ``provenance.json`` says: that the data is synthetic, and the settings that give it again."""
    return {
        "synthetic": True,
        "generator": GENERATOR,
        "calendar": market.calendar,
        **market.config.model_dump(mode="json"),
        "digest": settings_digest(market.config, market.calendar),
    }


def write(market: SyntheticMarket, folder: Path, fmt: Literal["parquet", "csv"] = "parquet") -> None:
    """Write the canonical files and ``provenance.json`` into a folder, all of them or none.

    Raises
    ------
    ConfigError
        The folder holds something that is not a synthetic market, or cannot be written; nothing is changed.
    """
    _refuse_foreign(folder)
    try:
        with _staging(folder) as temporary:
            fresh = _write_files(market, temporary / "fresh", fmt)
            if folder.exists():
                folder.replace(temporary / "old")
            fresh.replace(folder)
    except OSError as error:
        raise _unwritable(folder, error) from None


def ensure(config: SyntheticConfig, folder: Path, calendar: str = "XNYS") -> Path:
    """Return ``folder/synthetic-<digest>``; generated the first time, reused afterwards.

    Safe when several processes ask for one market at once: each generates it, the first to finish wins.

    Raises
    ------
    ConfigError
        Too short a period, or the folder cannot be written.
    """
    target = folder / f"synthetic-{settings_digest(config, calendar)}"
    if (target / PROVENANCE).is_file():
        return target
    market = generate(config, calendar)
    _refuse_foreign(target)
    try:
        with _staging(target) as temporary:
            _write_files(market, temporary / "fresh", "parquet").replace(target)
    except OSError as error:
        # A folder that is not empty is never replaced: another process was first.
        if not (target / PROVENANCE).is_file():
            raise _unwritable(target, error) from None
    return target


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """A temporary folder beside ``folder``, on the same file system, removed afterwards."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_files(market: SyntheticMarket, folder: Path, fmt: str) -> Path:
    folder.mkdir()
    for name, columns in synthetic_tables.canonical(market).items():
        synthetic_tables.write_table(columns, folder / f"{name}.{fmt}")
    text = json.dumps(provenance(market), indent=2) + "\n"
    (folder / PROVENANCE).write_text(text, encoding="utf-8")
    return folder


def _unwritable(folder: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"synthetic market: {folder} cannot be written ({error.strerror}); name another folder"
    )


def _refuse_foreign(folder: Path) -> None:
    if folder.is_file():
        raise ConfigError(f"{folder} is a file; name a new folder for the synthetic market")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    try:
        found = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or found.get("synthetic") is not True:
        raise ConfigError(
            f"{folder} is not empty and holds no synthetic market; name a new or an empty folder, "
            "so that no other data is overwritten"
        )
