"""The bias ladder: an honest result, then each published mistake on its own, then one on top of the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ares7.arrays import Dates, Float1D
from ares7.config import Config, DataConfig
from ares7.legacy import Biases, LegacyParams, PublishedEngine
from ares7.legacy_books import Announcements
from ares7.metrics import cagr, max_drawdown, sharpe, sharpe_standard_error, volatility
from ares7.panel import Panel
from ares7.period import choose_period
from ares7.progress import progress, stage
from ares7.provenance import code_version, versions
from ares7.search_files import SearchResult

NEEDS = frozenset({"index", "vix", "fundamentals"})
WARMUP = 300
"""Sessions before the first result: a year of momentum, and a month."""
ORDER = (
    "same_day_weights",
    "quality_unread",
    "same_day_vix",
    "assumed_costs",
    "free_switches",
    "own_equity_regime",
    "latest_fundamentals",
    "restated_fundamentals",
    "within_day_pead",
    "windows_rerun",
    "ex_post_volatility",
)
"""From the step that adds most to those that add little."""


def ladder_study(config: Config, root: Path) -> SearchResult:
    """Climb the ladder on synthetic data without any effect in them, and on the configured data.

    Raises
    ------
    DataError, ConfigError
        The data cannot serve.
    """
    markets = dict(_markets(config))
    found, curves = {}, {}
    with progress("biases", len(markets) * (2 * len(ORDER) + 1)) as step:
        for name, (panel, announcements) in markets.items():
            found[name], curves[name] = _climb(config, panel, announcements, step)
    params = LegacyParams(cost_bps=getattr(config.costs, "bps", 10.0))
    rows = [{"market": market, **row} for market, part in found.items() for row in part["rows"]]
    tables: dict[str, Any] = {"ladder": {name: [row[name] for row in rows] for name in rows[0]}}
    for market, (dates, series) in curves.items():
        tables[f"curves_{market}"] = {
            "date": dates.astype(str).tolist(),
            **{k: v.tolist() for k, v in series.items()},
        }
    last = next(reversed(found))
    return SearchResult(
        kind="ladder",
        config_yaml=config.to_yaml(),
        digest=config.digest(),
        strategy="published",
        provenance={
            "code": code_version(root),
            "versions": versions(),
            "legacy": params.model_dump(mode="json"),
        },
        metrics={
            "kind": "ladder",
            "strategy": "published engine",
            "stamps": ["LOOKAHEAD"],
            "synthetic": config.data.path is None,
            "start": found[last]["start"],
            "end": found[last]["end"],
            "markets": found,
            "explained": {name: EXPLAINED[name] for name in ORDER},
            "performance": {"sharpe": None, "cagr": None, "max_drawdown": None},
        },
        tables=tables,
    )


EXPLAINED = {
    "same_day_weights": "weights made from a day's returns earn that day's returns, daily",
    "quality_unread": "fundamentals are handed over and never read: shorter momentum stands in",
    "same_day_vix": "the regime of a close, VIX included, decides which book earned that day",
    "assumed_costs": "0.3 % a year is assumed instead of paying for what is traded",
    "free_switches": "a change of regime exchanges the whole book at no cost",
    "own_equity_regime": "the trend legs of the regime look at the strategy's own base portfolio",
    "latest_fundamentals": "each company's latest figures serve for all years",
    "restated_fundamentals": "figures are dated by the end of their period, as most recent (MR*) rows are",
    "within_day_pead": "announcements are ranked among those of the same day and tilt the book on that day",
    "windows_rerun": "the engine starts anew in each window, equal weight in its first year",
    "ex_post_volatility": "returns are scaled to 12 % by the volatility of the whole sample",
}


def _markets(config: Config) -> Iterator[tuple[str, tuple[Panel, Announcements | None]]]:
    """Yield the null market, and the configured one where it is another."""
    from feeds.load import load_panel

    synthetic = config.data.synthetic
    null = config.data.model_copy(
        update={
            "path": None,
            "synthetic": synthetic.model_copy(update={"preset": "null"}),
            "layout": "canonical",
        }
    )
    places = {"null": null}
    if config.data.path is not None:
        places["data"] = config.data
    elif synthetic.preset != "null":
        places[synthetic.preset] = config.data
    for name, data in places.items():
        stage(f"loading {name}")
        panel = load_panel(data, NEEDS)
        panel = choose_period(
            panel, config.period if name != "null" else type(config.period)(), WARMUP, "the ladder"
        )
        yield name, (panel, _announcements(data, panel))


def _announcements(data: DataConfig, panel: Panel) -> Announcements | None:
    """Earnings of the panel's stocks that have an estimate; None without the file."""
    from feeds.load import local_path, synthetic_home
    from feeds.synthetic import ensure

    if data.path is not None:
        return _read_announcements(local_path(data), panel)
    with synthetic_home(data) as home:
        return _read_announcements(ensure(data.synthetic, home, data.calendar), panel)


def _read_announcements(folder: Path, panel: Panel) -> Announcements | None:
    from feeds.earnings import read_earnings
    from feeds.tables import find_table

    path = find_table(folder, "earnings")
    if path is None:
        return None
    table = read_earnings(path)
    columns = {name: i for i, name in enumerate(panel.symbols) if panel.is_stock[i]}
    table = table[table["symbol"].isin(list(columns))]
    days = table["announce_date"].to_numpy().astype("datetime64[D]")
    row = np.searchsorted(panel.dates, days).astype(np.int64)
    column = table["symbol"].map(columns).to_numpy(dtype=np.int64)
    gap = table["eps_actual"].to_numpy(dtype=np.float64) - table["eps_estimate"].to_numpy(dtype=np.float64)
    inside = (row < len(panel.dates)) & np.isfinite(gap) & (days >= panel.dates[0])
    row, column, gap = row[inside], column[inside], gap[inside]
    price = panel.fields["price"][row, column]
    known = np.isfinite(price) & (price > 0)
    return Announcements(row[known], column[known], gap[known] / price[known])


def _climb(
    config: Config, panel: Panel, announcements: Announcements | None, step: Any
) -> tuple[dict[str, Any], tuple[Dates, dict[str, Float1D]]]:
    params = LegacyParams(cost_bps=getattr(config.costs, "bps", 10.0))
    windows = tuple((np.datetime64(w.start, "D"), np.datetime64(w.end, "D")) for w in config.oos)

    engine = PublishedEngine(panel, params, windows=windows, announcements=announcements)

    def run(*on: str) -> Float1D:
        out = engine.returns(Biases(**dict.fromkeys(on, True)), allow_lookahead=True)
        step(1)
        return out

    honest = run()
    rows = [{"step": 0, "bias": "honest", "mode": "honest", **_figures(honest)}]
    curves = {"honest": honest}
    for number, name in enumerate(ORDER, start=1):
        rows.append({"step": number, "bias": name, "mode": "alone", **_figures(run(name))})
    for number in range(1, len(ORDER) + 1):
        together = run(*ORDER[:number])
        rows.append({"step": number, "bias": ORDER[number - 1], "mode": "cumulative", **_figures(together)})
        curves[ORDER[number - 1]] = together
    dates = panel.dates[panel.start_row :]
    grown = {name: np.append(1.0, np.cumprod(1.0 + series)) for name, series in curves.items()}
    equal = _figures(
        PublishedEngine(panel, params.model_copy(update={"tilt": 0.0, "regime": False})).returns(Biases())
    )
    return (
        {
            "rows": rows,
            "equal_weight": equal,
            "start": str(dates[0]),
            "end": str(dates[-1]),
            "sessions": len(dates),
            "announcements": 0 if announcements is None else len(announcements.row),
        },
        (dates, grown),
    )


def _figures(returns: Float1D) -> dict[str, float]:
    nav = np.append(1.0, np.cumprod(1.0 + returns))
    return {
        "sharpe": sharpe(returns),
        "sharpe_se": sharpe_standard_error(returns),
        "cagr": cagr(nav),
        "volatility": volatility(returns),
        "max_drawdown": max_drawdown(nav),
    }
