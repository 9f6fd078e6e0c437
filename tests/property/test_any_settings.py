"""C2, C3 and C4 for settings that nobody chose, while membership flickers."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ares7.panel import Panel
from strategies import registry
from tests.contracts.panels import decisions, differences, market


def among(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


@cache
def flickering() -> Panel:
    panel = market(2)
    flips = np.cumsum(np.random.default_rng(2).random(panel.shape) < 0.02, axis=0) % 2 == 1
    return replace(panel, member=panel.member & ~flips)


regime = st.fixed_dictionaries(
    {
        "sma": among(5, 50, 200, 300),
        "short": among(1, 20, 126, 280),
        "long": among(2, 60, 252),
        "min_hold": among(0, 2, 7),
        "vix_bull": among(20, 25),
        "vix_high": among(24, 30),
    }
)
tilt = st.fixed_dictionaries(
    {
        "periods": among((126, 252), (21, 63), (10,), (252, 30)),
        "skip": among(0, 5),
        "tilt": among("per_name", "budget"),
        "min_names": among(1, 20),
        "quality_weight": among(0.0, 0.6),
        "top_frac": among(0.1, 0.5),
    }
)
low = st.fixed_dictionaries(
    {
        "vol_window": among(5, 63, 200),
        "beta_window": among(20, 100, 252),
        "top_quantile": among(0.1, 1.0),
    }
)
defensive = st.fixed_dictionaries(
    {
        "mode": among("basket", "switch"),
        "vol_window": among(5, 63, 252),
        "trend_window": among(2, 200, 300),
        "fall_window": among(1, 60, 252),
    }
)
risk = st.fixed_dictionaries(
    {
        "vol_target": among(None, 0.05, 0.12),
        "vol_window": among(2, 20, 50, 60),
        "drawdown_ladder": st.booleans(),
        "breaker": st.booleans(),
        "breaker_cooldown": among(0, 20, 252),
        "vix_guard": st.booleans(),
        "vix_spike": st.booleans(),
        "step": among(0.05, 0.1, 0.5),
    }
)
event = st.fixed_dictionaries(
    {
        "window": among(5, 63),
        "min_events": among(1, 20),
        "horizon": among(1, 21, 60),
        "decay": among("flat", "linear"),
        "top": among(0.5, 0.8),
        "bottom": among(None, 0.2, 0.5),
        "tilt": among(0.015, 0.1),
        "cap": among(None, 0.005),
    }
)
overlay = st.fixed_dictionaries(
    {
        "engines": st.permutations(("wavelet", "pead", "momentum", "macd", "buyback")).map(lambda x: x[:2]),
        "lam": among(0.0, 0.5, 3.0),
        "when": among("session", "week", "month"),
        "cap": among(0.002, 0.02, 1.0),
        "pead": event,
        "wavelet": st.fixed_dictionaries(
            {
                "levels": among(3, 6, 7),
                "band": among((1,), (2, 3), (3, 1)),
                "noise": among((1, 2), (3,)),
                "noise_window": among(2, 63),
                "feature": among("trend", "slope"),
                "energy_ratio": st.booleans(),
                "winsor": among(0.5, 3.0),
            }
        ),
        "macd": st.fixed_dictionaries({"fast": among(3, 12), "width": among(30, 126)}),
        "momentum": st.fixed_dictionaries({"periods": among((21,), (126, 252))}),
        "weights": st.just({"buyback": 0.3}),
    }
)
ensemble = st.fixed_dictionaries(
    {
        "preset": among("phase3", "phase4"),
        "cash_symbol": among(None, "BIL"),
        "regime": regime,
        "quality_momentum": tilt,
        "low_volatility": low,
        "defensive": defensive,
        "risk": risk,
    },
    optional={"overlay": overlay},
)
chosen = st.one_of(
    st.tuples(st.just("regime_ensemble"), ensemble),
    st.tuples(st.just("low_volatility"), low),
    st.tuples(st.just("defensive"), defensive),
    st.tuples(st.just("quality_momentum"), st.builds(lambda t, r: t | {"regime": r}, tilt, regime)),
    st.tuples(
        st.sampled_from(("equal_weight", "low_volatility", "quality_momentum")),
        st.builds(lambda o: {"overlay": o}, overlay),
    ),
)


@settings(deadline=None, max_examples=50, derandomize=True)
@given(chosen, st.data())
def test_the_past_and_the_warmup_alone_decide(choice, data):
    name, given_settings = choice
    strategy = registry.resolve(name)
    params = registry.settings(strategy, given_settings)
    panel = flickering()
    rows = panel.shape[0]
    panel = panel.starting(panel.dates[data.draw(among(min(params.warmup, 600), 300, 700))])
    full = strategy.weights(panel, params)
    assert np.isfinite(full.weights).all()
    assert full.weights.min() >= 0
    assert full.weights.sum(axis=1).max() <= params.gross + 1e-12
    assert np.array_equal(full.decide, decisions(panel, full, params))
    if params.warmup > rows:
        return
    for t in data.draw(st.lists(st.integers(params.warmup - 1, rows - 1), min_size=3, max_size=3)):
        assert differences(strategy.weights(panel.upto(t), params), -1, full, t) == []
        tail = panel.upto(t).last(params.warmup)
        assert differences(strategy.weights(tail, params), -1, full, t) == []
