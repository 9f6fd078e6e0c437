"""A run made of seeded random numbers that look like a real one; no market and no strategy is involved."""

from __future__ import annotations

import numpy as np

from ares7 import activity, folds, metrics
from ares7.config import Config
from ares7.ledger import Ledger, OrderStatus
from ares7.runs import RunResult
from ares7.signals.regime import Regime

DRIFT = {Regime.BULL: 0.0008, Regime.NEUTRAL: 0.0004, Regime.BEAR: 0.0001, Regime.HIGH_VOL: -0.0006}
SPREAD = {Regime.BULL: 0.007, Regime.NEUTRAL: 0.009, Regime.BEAR: 0.012, Regime.HIGH_VOL: 0.020}
STAY = {Regime.BULL: 0.985, Regime.NEUTRAL: 0.93, Regime.BEAR: 0.95, Regime.HIGH_VOL: 0.94}
MIX = {
    Regime.BULL: (0.686, 0.294, 0.0),
    Regime.BEAR: (0.0, 0.49, 0.49),
    Regime.HIGH_VOL: (0.0, 0.196, 0.784),
    Regime.NEUTRAL: (0.0, 0.49, 0.0),
}


def example_run(
    sessions: int = 4024, names: int = 40, seed: int = 7, strategy: str = "regime_ensemble"
) -> RunResult:
    """Return a complete `RunResult`; ``sessions`` counts from 2010-01-04."""
    rng = np.random.default_rng(seed)
    dates = np.busday_offset(np.datetime64("2010-01-04", "D"), np.arange(sessions), roll="forward")
    regime = _regimes(sessions, rng)
    market = np.array([DRIFT[Regime(r)] for r in regime]) + rng.standard_normal(sessions) * np.array(
        [SPREAD[Regime(r)] for r in regime]
    )
    sleeves = np.array([MIX[Regime(r)] for r in regime])
    beta = sleeves @ np.array([1.05, 0.65, -0.05])
    own = np.append(0.0, (beta[:-1] * market[1:] + rng.standard_normal(sessions - 1) * 0.002 + 0.0001))
    nav, baseline = 1e6 * np.cumprod(1 + own), 1e6 * np.cumprod(1 + np.append(0.0, market[1:]))
    symbols = tuple(f"S{i:03d}" for i in range(names))
    weights = np.repeat((sleeves.sum(axis=1) / names)[:, None], names, axis=1)
    ledger = _trades(dates, nav, weights, symbols, regime, rng)
    config = Config.model_validate({"costs": {"model": "bps", "bps": 10}, "strategy": {"name": strategy}})
    gross = sleeves.sum(axis=1)
    return RunResult(
        config_yaml=config.to_yaml(),
        digest=config.digest(),
        strategy=strategy,
        baseline="equal_weight",
        provenance={
            "git_commit": "01234567" * 5,
            "versions": {"python": "3.11.9", "numpy": "2.4.6", "backtrader": "1.9.78.123"},
            "data": {"synthetic": True, "preset": "planted", "seed": 7, "panel_sha256": "ab" * 32},
            "trials": 1,
            "duration_s": 3.21,
        },
        metrics=_figures(dates, nav, baseline, regime, ledger, gross, config),
        dates=dates,
        nav=nav,
        cash=nav * (1 - gross),
        gross=gross,
        baseline_nav=baseline,
        symbols=symbols,
        target_weights=weights,
        fills=ledger.fills,
        orders=ledger.orders,
        order_reference=ledger.reference,
        regime_raw=regime,
        regime_held=regime,
        sleeves={
            "quality_momentum": sleeves[:, 0],
            "low_volatility": sleeves[:, 1],
            "defensive": sleeves[:, 2],
            "cash": 1 - gross,
        },
    )


def _regimes(sessions, rng):
    labels, now = np.zeros(sessions, dtype=np.int8), Regime.NEUTRAL
    for t in range(sessions):
        if rng.random() > STAY[now]:
            now = Regime(int(rng.choice([0, 1, 1, 1, 2, 3])))
        labels[t] = now
    return labels


def _trades(dates, nav, weights, symbols, regime, rng):
    """Decisions at month ends and switches, filled in the next session; one in seven has a refusal."""
    ledger = Ledger(symbols)
    months = dates.astype("datetime64[M]")
    month_end = np.append(months[1:] != months[:-1], True)
    switch = np.append(False, regime[1:] != regime[:-1]) & ~month_end
    for t in np.flatnonzero(month_end | switch):
        chosen = np.flatnonzero(rng.random(len(symbols)) < 0.6)
        close = rng.uniform(20, 400, len(chosen))
        quantity = np.floor(rng.normal(0, 0.35, len(chosen)) * weights[t, chosen] * nav[t] / close)
        chosen, close, quantity = chosen[quantity != 0], close[quantity != 0], quantity[quantity != 0]
        numbers = ledger.add_orders(dates[t], chosen, quantity, close, on_switch=bool(switch[t]))
        if t + 1 < len(dates) and len(chosen):
            price = close * rng.normal(1, 0.004, len(close))
            if t % 7 == 0:
                ledger.resolve(numbers[-1:], dates[t + 1], OrderStatus.REFUSED)
                chosen, quantity, price, numbers = chosen[:-1], quantity[:-1], price[:-1], numbers[:-1]
            fee = np.abs(quantity) * 0.001 * price
            ledger.add_fills(dates[t + 1], chosen, quantity, price, fee, numbers)
    return ledger


def _figures(dates, nav, baseline, regime, ledger, gross, config):
    own, other = metrics.returns_from_nav(nav), metrics.returns_from_nav(baseline)
    windows = folds.oos_windows(dates[1:], own, other, config.oos, calendar=None)
    # The example's weekdays are no exchange calendar; only the last window ends before its end.
    for window in windows["windows"]:
        window["cut_short"] = window["end"] > str(dates[-1])
    return {
        "strategy": config.strategy.name,
        "baseline": config.baseline,
        "synthetic": True,
        "stamps": ["SYNTHETIC"],
        "start": str(dates[0]),
        "end": str(dates[-1]),
        "sessions": len(dates),
        "performance": metrics.performance(dates, nav),
        "baseline_performance": metrics.performance(dates, baseline),
        "costs": activity.trading_costs(dates, nav, ledger.fills, ledger.orders, config.costs),
        "exposure": {
            **activity.exposure(nav, nav * (1 - gross), gross, np.full(len(nav), 38.0)),
            "time_in_regime": activity.time_in_regime(regime),
            "switches_per_year": activity.switches_per_year(regime),
        },
        "attribution": activity.regime_attribution(nav, regime),
        "windows": windows["windows"],
        "oos": {name: value for name, value in windows.items() if name != "windows"},
        "orders": activity.order_figures(ledger.orders),
        "rounding": {"cash_left_mean": 0.0021},
        "coverage": {str(year): min(0.23 + 0.2 * i, 0.81) for i, year in enumerate(range(2010, 2026))},
        "warnings": [
            "S017: 3 sessions without a bar from 2013-05-06; marked at the last close",
            "fundamentals: 12 filings on days that are no session; visible from the next one",
            "quality leg is thin on 2010-01-29: coverage 23 %, below 50 %",
        ],
        "notes": ["Universe: 40 symbols, members as of each decision session."],
    }
