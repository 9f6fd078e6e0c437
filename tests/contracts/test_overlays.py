"""C2, C3 and C4 of every overlay engine and of their blend, at every date; what overlays do to a book."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from ares7.book import assemble
from ares7.overlay.application import SLACK
from ares7.overlay.engines import ENGINES, Tilts, blended, latest
from ares7.overlay.params import Engine, OverlayParams
from ares7.panel import Panel
from ares7.stages import compute
from tests.contracts.panels import DATA, cases, market, overlay_due, real_announcements, with_fields

REAL = pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder")
TOLERANCE = 1e-12
VARIANTS: dict[str, dict[str, Any]] = {
    "wavelet": {"engines": ("wavelet",)},
    "wavelet slope": {
        "engines": ("wavelet",),
        "wavelet": {"feature": "slope", "noise": (1, 2, 3), "noise_window": 40},
    },
    "wavelet energy": {
        "engines": ("wavelet",),
        "wavelet": {"levels": 5, "band": (2, 5), "energy_ratio": True},
    },
    "wavelet capped": {"engines": ("wavelet",), "wavelet": {"cap": 0.01, "winsor": 1.0}},
    "pead": {"engines": ("pead",)},
    "pead fading": {
        "engines": ("pead",),
        "pead": {"decay": "linear", "horizon": 60, "surprise": "price_scaled", "min_events": 1, "tilt": 0.03},
    },
    "pead rising only": {
        "engines": ("pead",),
        "pead": {"bottom": None, "surprise": "consensus", "window": 130, "budget": 0.05},
    },
    "pead sequential": {
        "engines": ("pead",),
        "pead": {"surprise": "legacy_seq", "cap": 0.01, "top": 0.5, "bottom": 0.5},
    },
    "buyback": {"engines": ("buyback",), "weights": {"buyback": 1.0}, "buyback": {"window": 90}},
    "momentum": {"engines": ("momentum",)},
    "macd": {"engines": ("macd",), "macd": {"width": 60}},
    "wavelet and pead": {"engines": ("wavelet", "pead")},
    "all": {"engines": tuple(ENGINES), "weights": {"buyback": 0.2}},
}
SCORES = ("wavelet", "momentum", "macd")
every_variant = pytest.mark.parametrize("variant", VARIANTS)


def overlay_of(variant: str, when: str = "session") -> OverlayParams:
    return OverlayParams.model_validate({**VARIANTS[variant], "when": when})


def tilts_of(panel: Panel, overlay: OverlayParams) -> Tilts:
    """Of the one engine, or of the blend of several."""
    if len(overlay.engines) > 1:
        return compute(blended, panel, overlay)
    return ENGINES[overlay.engines[0]](panel, overlay)


@cache
def small() -> Panel:
    """Late listings, holes, leavers and dead names."""
    panel = market().rows(330, 760)
    flips = np.cumsum(np.random.default_rng(4).random(panel.shape) < 0.01, axis=0) % 2 == 1
    return replace(panel, member=panel.member & ~(flips & panel.is_stock))


@cache
def full(variant: str, source: Any = small) -> Tilts:
    return tilts_of(source(), overlay_of(variant))


@every_variant
def test_an_engine_speaks_most_of_the_time(variant):
    values = full(variant).values
    assert values.any(axis=1).mean() > 0.4
    assert (values > 0).any()
    assert (values < 0).any()


@every_variant
def test_c2_tilts_of_a_prefix_are_those_of_everything_at_every_date(variant):
    panel, overlay, known = small(), overlay_of(variant), full(variant)
    assert np.array_equal(known.rows, np.arange(len(panel.dates)))
    for t in range(len(panel.dates)):
        prefix = tilts_of(panel.upto(t), overlay)
        assert np.array_equal(prefix.values, known.values[: t + 1]), t


@every_variant
def test_c3_the_last_lookback_rows_give_the_same_bits_at_every_date(variant):
    panel, overlay, known = small(), overlay_of(variant), full(variant)
    for t in range(overlay.lookback - 1, len(panel.dates)):
        tail = panel.upto(t).last(overlay.lookback)
        assert tail.shape[0] == overlay.lookback
        assert np.array_equal(tilts_of(tail, overlay).values[-1], known.values[t]), t


@every_variant
def test_c3_the_lookback_is_not_longer_than_what_is_read(variant):
    """One row less is too few for a score; a quarter less is for events, where it changes a rank."""
    panel, overlay, known = small(), overlay_of(variant), full(variant)
    missing = overlay.lookback // 4 if set(overlay.engines) <= {"pead", "buyback"} else 1
    rows = range(overlay.lookback - 1, len(panel.dates))
    tails = (panel.upto(t).last(overlay.lookback - missing) for t in rows)
    assert any(
        not np.array_equal(tilts_of(tail, overlay).values[-1], known.values[t])
        for t, tail in zip(rows, tails, strict=True)
    )


@every_variant
@pytest.mark.parametrize("when", ["week", "month"])
def test_overlay_dates_choose_rows_and_change_no_tilt(variant, when):
    panel = small()
    some = tilts_of(panel, overlay_of(variant, when))
    assert np.array_equal(some.rows, np.flatnonzero({"week": panel.week_end, "month": panel.month_end}[when]))
    assert np.array_equal(some.values, full(variant).values[some.rows])


@every_variant
def test_c4_the_order_of_the_symbols_does_not_matter(variant):
    panel, overlay = small(), overlay_of(variant)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(panel.shape[1])
        shuffled = tilts_of(panel.columns(order), overlay).values
        np.testing.assert_allclose(shuffled, full(variant).values[:, order], rtol=0, atol=TOLERANCE)


@every_variant
@pytest.mark.parametrize("exact", [True, False])
def test_c4_a_change_of_price_units_changes_nothing(variant, exact):
    panel, overlay, rng = small(), overlay_of(variant), np.random.default_rng(3)
    shape = panel.shape[1]
    factor = 2.0 ** rng.integers(-9, 10, shape) if exact else rng.uniform(0.01, 90.0, shape)
    prices = {k: panel.fields[k] * factor for k in ("open", "high", "low", "close", "price")}
    scaled = tilts_of(with_fields(panel, **prices), overlay).values
    if exact:
        assert np.array_equal(scaled, full(variant).values)
    else:
        np.testing.assert_allclose(scaled, full(variant).values, rtol=0, atol=1e-9)


@every_variant
@pytest.mark.parametrize(
    "source", [small, pytest.param(real_announcements, marks=[REAL, pytest.mark.real_data])]
)
def test_tilts_are_finite_neutral_within_budget_and_of_stocks_that_trade(variant, source):
    panel, overlay, values = source(), overlay_of(variant), full(variant, source).values
    assert np.isfinite(values).all()
    assert values.flags.c_contiguous
    np.testing.assert_allclose(values.sum(axis=1), 0.0, atol=TOLERANCE)
    assert not values[~(panel.bar & panel.member & panel.is_stock)].any()
    budget = sum(
        getattr(overlay, name).budget * (getattr(overlay.weights, name) if len(overlay.engines) > 1 else 1.0)
        for name in overlay.engines
    )
    assert np.abs(values).sum(axis=1).max() <= budget + TOLERANCE
    if len(overlay.engines) == 1:
        params = getattr(overlay, overlay.engines[0])
        assert params.cap is None or np.abs(values).max() <= params.cap + SLACK
        if overlay.engines[0] in SCORES and params.cap is None:
            total = np.abs(values).sum(axis=1)
            np.testing.assert_allclose(total[total > 0], params.budget, rtol=1e-12)


@pytest.mark.parametrize("name", SCORES)
def test_a_score_without_a_full_window_has_no_tilt(name):
    """A hole at the row, before the listing and inside the window; the others keep theirs."""
    panel, overlay = small(), overlay_of(name)
    lookback = overlay.lookback
    close = panel.fields["close"]
    late = np.array([int(np.argmax(np.isfinite(column))) for column in close.T])
    values = full(name).values
    for column in np.flatnonzero(panel.is_stock & (late > 0)):
        assert not values[: late[column] + lookback - 1, column].any()
    everywhere = np.isfinite(close).all(axis=0) & panel.is_stock
    assert values[lookback:][panel.member[lookback:] & everywhere].all()


def plain_tilt(panel: Panel, t: int, horizon: int, tilt: float, budget: float) -> np.ndarray:
    """Rulings 21 and 22 for one session, name by name, from the definitions."""
    surprise = panel.fields["surprise_sue"]
    among = panel.bar[t] & panel.member[t] & panel.is_stock
    counts = np.isfinite(surprise) & panel.member & panel.is_stock
    wanted = np.zeros(panel.shape[1])
    for j in np.flatnonzero(among):
        rows = [s for s in range(max(t - horizon + 1, 0), t + 1) if counts[s, j]]
        if not rows:
            continue
        s = rows[-1]
        pool = [surprise[r, i] for r in range(max(s - 63, 0), s) for i in np.flatnonzero(counts[r])]
        if len(pool) < 20:
            continue
        below = sum(value < surprise[s, j] for value in pool)
        equal = sum(value == surprise[s, j] for value in pool)
        rank = (below + equal / 2) / len(pool)
        wanted[j] = tilt if rank >= 0.8 else -tilt if rank <= 0.2 else 0.0
    wanted[among] -= wanted[among].mean()
    total = np.abs(wanted).sum()
    return wanted * (budget / total) if total > budget else wanted


def test_the_drift_tilts_are_those_of_the_rulings_name_by_name():
    panel, known = small(), full("pead")
    for t in range(0, len(panel.dates), 17):
        np.testing.assert_allclose(known.values[t], plain_tilt(panel, t, 21, 0.015, 0.20), atol=TOLERANCE)


def test_a_blend_is_the_weighted_sum_of_its_engines():
    panel, overlay = small(), overlay_of("all")
    expected = sum(
        getattr(overlay.weights, name) * ENGINES[name](panel, overlay).values for name in overlay.engines
    )
    np.testing.assert_allclose(full("all").values, expected, rtol=0, atol=1e-15)
    twice = overlay_of("wavelet and pead")
    other = OverlayParams.model_validate({**VARIANTS["wavelet and pead"], "engines": ("pead", "wavelet")})
    swapped = compute(blended, panel, other.model_copy(update={"when": "session"})).values
    np.testing.assert_allclose(swapped, compute(blended, panel, twice).values, rtol=0, atol=1e-15)


def test_between_overlay_dates_the_last_ones_tilts_stand():
    panel = small()
    tilts = tilts_of(panel, overlay_of("wavelet", "week"))
    rows = np.arange(len(panel.dates))
    got = latest(tilts, rows)
    for t in rows:
        before = tilts.rows[tilts.rows <= t]
        expected = tilts.values[len(before) - 1] if len(before) else np.zeros(panel.shape[1])
        assert np.array_equal(got[t], expected)


# --- inside a strategy ----------------------------------------------------------------------------------------

CASES = {name: case for name, case in cases().items() if " overlay=" in name}
every_case = pytest.mark.parametrize("case", CASES)


def test_every_strategy_that_takes_overlays_and_every_engine_is_covered():
    covered = {case.split(" ")[0] for case in CASES}
    assert covered == {"equal_weight", "low_volatility", "quality_momentum", "regime_ensemble"}
    assert {name for _, params in CASES.values() for name in params.overlay.acting} == set(ENGINES)
    assert {params.overlay.when for _, params in CASES.values()} == {"session", "week", "month"}


def untilted(case: str, panel: Panel):
    """The same decisions without tilts."""
    strategy, params = CASES[case]
    return assemble(panel, replace(strategy.plan(panel, params), tilt=None))


@pytest.mark.parametrize(
    "source", [market, pytest.param(real_announcements, marks=[REAL, pytest.mark.real_data])]
)
@every_case
def test_an_overlay_moves_stocks_and_neither_funds_nor_cash(source, case):
    panel = source()
    strategy, params = CASES[case]
    tilted, base = strategy.weights(panel, params), untilted(case, panel)
    funds = ~panel.is_stock
    assert np.array_equal(tilted.weights[:, funds], base.weights[:, funds])
    np.testing.assert_allclose(tilted.weights.sum(axis=1), base.weights.sum(axis=1), rtol=0, atol=TOLERANCE)
    assert not tilted.weights[base.weights == 0].any()
    moved = np.abs(tilted.weights - base.weights).sum(axis=1)
    acts = np.flatnonzero(tilted.decide & overlay_due(panel, params))
    assert (moved[acts] > 1e-6).mean() > 0.5, "the overlay does next to nothing"


@every_case
def test_lambda_0_and_weights_of_0_are_the_base_with_its_own_decisions(case):
    panel = market()
    strategy, params = CASES[case]
    base = strategy.weights(panel, params.model_copy(update={"overlay": OverlayParams()}))
    silent = {"lam": 0.0}, {"weights": dict.fromkeys(("wavelet", "pead", "buyback", "momentum", "macd"), 0.0)}
    for change in silent:
        overlay = OverlayParams.model_validate(params.overlay.model_dump() | change)
        off = params.model_copy(update={"overlay": overlay})
        got = strategy.weights(panel, off)
        assert np.array_equal(got.weights, base.weights)
        assert np.array_equal(got.decide, base.decide)
        assert off.warmup == params.model_copy(update={"overlay": OverlayParams()}).warmup
        assert off.requires == params.model_copy(update={"overlay": OverlayParams()}).requires


def needs(*engines: Engine) -> frozenset[str]:
    return OverlayParams(engines=engines, weights={"buyback": 1.0}).requires


def test_only_the_engines_that_act_ask_for_their_files():
    assert needs("wavelet", "momentum", "macd") == frozenset()
    assert needs("pead") == {"earnings"}
    assert needs("wavelet", "buyback") == {"buybacks"}
    assert OverlayParams(engines=("pead", "buyback")).requires == {"earnings"}
    assert OverlayParams(engines=("pead",), lam=0).requires == frozenset()
