"""Contracts C2, C3, C4 and the decision rules, of every registered strategy in every setting."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ares7.book import Targets
from ares7.panel import Panel
from ares7.signals.regime import Regime
from strategies import quality_momentum
from tests.contracts.panels import (
    DATA,
    FUNDS,
    cases,
    decisions,
    differences,
    market,
    names,
    overlay_due,
    real_announcements,
    real_sample,
    with_fields,
)

CASES = cases()
REAL = pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder")
SOURCES = [
    pytest.param(market, id="random"),
    pytest.param(real_sample, id="real", marks=[REAL, pytest.mark.real_data]),
    pytest.param(real_announcements, id="announcements", marks=[REAL, pytest.mark.real_data]),
]
COMPUTED: dict[tuple[str, str], Targets] = {}
every_case = pytest.mark.parametrize("case", CASES)
every_source = pytest.mark.parametrize("source", SOURCES)


def computed(source, case: str) -> tuple[Panel, Targets]:
    panel = source()
    key = (source.__name__, case)
    if key not in COMPUTED:
        strategy, params = CASES[case]
        COMPUTED[key] = strategy.weights(panel, params)
    return panel, COMPUTED[key]


def moments(panel: Panel, full: Targets, warmup: int, count: int) -> list[int]:
    """Sessions worth looking at: month ends, their neighbours, switches of label and scale, the last row."""
    first = max(warmup - 1, panel.start_row)
    rows = np.arange(first, len(panel.dates))
    month = rows[panel.month_end[rows]]
    switches = rows[full.on_switch[rows]]
    decided = rows[full.decide[rows]]
    rescaled = rows[np.diff(full.scale, prepend=1.0)[rows] != 0] if full.scale is not None else rows[:0]
    rng = np.random.default_rng(len(rows))
    picked = [len(panel.dates) - 1]
    for group in (month, month[:-1] + 1, month - 1, switches, decided, rescaled, rescaled - 1, rows):
        group = group[group >= first]
        picked += rng.choice(group, min(len(group), count), replace=False).tolist()
    return sorted(set(picked))


def test_every_registered_strategy_is_covered():
    assert {name.rpartition(":")[2] for name in names()} <= {case.split(" ")[0] for case in CASES}


def test_the_random_market_shows_every_regime_and_the_scalers_act():
    _, targets = computed(market, "regime_ensemble")
    assert targets.regime is not None
    labels = targets.regime.held[market().start_row :]
    assert set(labels.tolist()) == {int(r) for r in Regime}
    assert targets.on_switch.sum() > 20
    for case, (_, params) in CASES.items():
        if getattr(params, "risk", None) is not None and params.risk.enabled:
            scale = computed(market, case)[1].scale
            assert scale is not None
            assert len(np.unique(scale)) > 1, case


def test_the_random_market_fills_the_quality_slots_and_their_fallbacks():
    panel = market()
    scored = quality_momentum.scores(panel, quality_momentum.TiltParams())
    assert scored.coverage.max() > 0.8
    assert scored.coverage.min() < 0.5
    late = scored.rows[len(scored.rows) // 2]
    known = np.isfinite(panel.fields["ebitda_margin"][late])
    assert (~known & np.isfinite(panel.fields["operating_margin"][late])).any()


@every_source
@every_case
def test_c2_what_is_decided_from_a_prefix_is_what_is_decided_from_everything(source, case):
    panel, full = computed(source, case)
    strategy, params = CASES[case]
    for t in moments(panel, full, params.warmup, 1)[::2]:
        prefix = strategy.weights(panel.upto(t), params)
        assert np.array_equal(prefix.weights, full.weights[: t + 1]), (case, t)
        assert np.array_equal(prefix.decide, full.decide[: t + 1]), (case, t)
        assert differences(prefix, -1, full, t) == []


@every_case
@pytest.mark.parametrize("rows", [1, 2, 30, 64, 130, 201, 252, 253])
def test_c2_holds_from_the_first_row_on(case, rows):
    panel = market(start=None)
    strategy, params = CASES[case]
    short = strategy.weights(panel.upto(rows - 1), params)
    longer = strategy.weights(panel.upto(300), params)
    assert np.array_equal(short.weights, longer.weights[:rows])
    assert np.array_equal(short.decide, longer.decide[:rows])


@every_source
@every_case
def test_c3_the_last_warmup_rows_decide_what_the_whole_history_decides(source, case):
    panel, full = computed(source, case)
    strategy, params = CASES[case]
    for t in moments(panel, full, params.warmup, 1):
        tail = panel.upto(t).last(params.warmup)
        assert tail.shape[0] == params.warmup
        assert differences(strategy.weights(tail, params), -1, full, t) == [], (case, t)


def test_c3_holds_while_membership_changes_between_the_decisions():
    # A scale that is wrong early in the warm-up must not cause a decision of its own.
    panel = market(2)
    flips = np.cumsum(np.random.default_rng(2).random(panel.shape) < 0.03, axis=0) % 2 == 1
    panel = replace(panel, member=panel.member & ~flips)
    calm = {name: {"low_volatility": 1.0} for name in ("BULL", "BEAR", "HIGH_VOL", "NEUTRAL")}
    strategy, default = CASES["regime_ensemble"]
    for window in (50, 60):
        params = type(default).model_validate(
            {
                "mixes": calm,
                "regime": {"vix_bull": 1, "vix_high": 999},
                "risk": {"vol_target": 0.06, "vol_window": window},
            }
        )
        full = strategy.weights(panel, params)
        for t in (
            *range(params.warmup - 1, params.warmup + 24),
            *range(426, 436),
            *range(495, 499),
            *range(538, 542),
        ):
            tail = panel.upto(t).last(params.warmup)
            assert differences(strategy.weights(tail, params), -1, full, t) == [], (window, t)


@every_case
def test_c3_the_warmup_is_not_absurdly_long(case):
    panel, full = computed(market, case)
    strategy, params = CASES[case]
    risk = getattr(params, "risk", None)
    remembers = (risk is not None and risk.enabled) or getattr(params, "regime", None) is not None
    tails = range(panel.shape[0] - 1, max(params.warmup, 300), -5)
    half = params.warmup // 2
    differs = any(differences(strategy.weights(panel.upto(t).last(half), params), -1, full, t) for t in tails)
    # A label or a scale can agree by luck with half of its memory; the book of a sleeve cannot.
    assert differs or (remembers and params.warmup > 500)


@every_source
@every_case
def test_c2_nothing_after_t_matters_to_t(source, case):
    panel, full = computed(source, case)
    strategy, params = CASES[case]
    rng = np.random.default_rng(5)
    for t in moments(panel, full, params.warmup, 1)[::4]:
        after = len(panel.dates) - t - 1
        fields = {name: values.copy() for name, values in panel.fields.items()}
        for values in fields.values():
            values[t + 1 :] = rng.permuted(values[t + 1 :], axis=0) * rng.uniform(
                0.5, 2.0, (after, panel.shape[1])
            )
            values[t + 1 :][rng.random((after, panel.shape[1])) < 0.1] = np.nan
        series = {name: values.copy() for name, values in panel.series.items()}
        for values in series.values():
            values[t + 1 :] *= rng.uniform(0.3, 3.0, after)
        member = panel.member.copy()
        member[t + 1 :] ^= rng.random((after, panel.shape[1])) < 0.2
        other = strategy.weights(replace(panel, fields=fields, series=series, member=member), params)
        assert np.array_equal(other.weights[: t + 1], full.weights[: t + 1]), (case, t)
        assert np.array_equal(other.decide[: t + 1], full.decide[: t + 1]), (case, t)
        assert differences(other, t, full, t) == []


@every_source
@every_case
def test_c4_the_order_of_the_symbols_does_not_matter(source, case):
    panel, full = computed(source, case)
    strategy, params = CASES[case]
    order = np.random.default_rng(9).permutation(panel.shape[1])
    shuffled = strategy.weights(panel.columns(order), params)
    assert np.array_equal(shuffled.decide, full.decide)
    np.testing.assert_allclose(shuffled.weights, full.weights[:, order], rtol=0, atol=1e-12)


@every_source
@every_case
@pytest.mark.parametrize("exact", [True, False])
def test_c4_a_change_of_price_units_changes_nothing(source, case, exact):
    panel, full = computed(source, case)
    strategy, params = CASES[case]
    rng = np.random.default_rng(3)
    shape = panel.shape[1]
    factor = 2.0 ** rng.integers(-6, 7, shape) if exact else rng.uniform(0.01, 90.0, shape)
    prices = {k: panel.fields[k] * factor for k in ("open", "high", "low", "close", "price")}
    series = {**panel.series, "index": panel.series["index"] * (0.25 if exact else 3.3)}
    scaled = strategy.weights(replace(with_fields(panel, **prices), series=series), params)
    assert np.array_equal(scaled.decide, full.decide)
    if exact:
        assert np.array_equal(scaled.weights, full.weights)
    else:
        np.testing.assert_allclose(scaled.weights, full.weights, rtol=0, atol=1e-9)


@every_source
@every_case
def test_c4_rows_are_long_only_finite_and_at_most_gross(source, case):
    _, full = computed(source, case)
    assert np.isfinite(full.weights).all()
    assert (full.weights >= 0).all()
    assert full.weights.sum(axis=1).max() <= CASES[case][1].gross + 1e-12
    assert full.weights.flags.c_contiguous
    np.testing.assert_allclose(
        np.sum(list(full.sleeves.values()), axis=0), full.weights.sum(axis=1), atol=1e-12
    )


@every_source
@every_case
def test_c4_a_name_without_a_bar_at_the_month_end_has_no_weight(source, case):
    panel, full = computed(source, case)
    rows = np.flatnonzero(full.decide & panel.month_end)
    assert len(rows) > 20
    assert not full.weights[rows][~panel.bar[rows]].any()
    assert not full.weights[rows][~panel.member[rows]].any()


@every_case
def test_c4_missing_values_give_no_weight_and_never_nan(case):
    panel = market()
    strategy, params = CASES[case]
    t = int(np.flatnonzero(panel.month_end)[-2])
    fields = {name: values.copy() for name, values in panel.fields.items()}
    fields["close"][t, ::2] = fields["roe"][t, ::3] = fields["debt_to_equity"][t] = np.nan
    # VIX that is unknown before the start is warm-up, and NEUTRAL.
    vix = panel.series["vix"].copy()
    vix[: panel.start_row] = np.nan
    gappy = replace(panel, fields=fields, series={**panel.series, "vix": vix})
    got = strategy.weights(gappy, params)
    assert np.isfinite(got.weights).all()
    assert not got.weights[t, ::2].any()


@every_source
@every_case
def test_rulings_2_decisions_are_due_and_only_where_they_are_due(source, case):
    panel, full = computed(source, case)
    assert np.array_equal(full.decide, decisions(panel, full, CASES[case][1]))
    changes = np.zeros(len(panel.dates), dtype=bool)
    if full.regime is not None:
        changes[1:] = full.regime.held[1:] != full.regime.held[:-1]
    switches = full.decide & changes & ~panel.month_end
    switches[panel.start_row] = False  # the first purchase is no switch
    assert np.array_equal(full.on_switch, switches)


@every_source
@every_case
def test_rulings_2_between_decisions_a_row_repeats_the_last_one(source, case):
    _, full = computed(source, case)
    idle = np.flatnonzero(~full.decide[1:]) + 1
    assert np.array_equal(full.weights[idle], full.weights[idle - 1])


@every_source
@every_case
def test_rulings_2_nothing_is_wanted_before_the_start_session_which_decides(source, case):
    panel, full = computed(source, case)
    first = panel.start_row
    assert first > 0
    assert not panel.month_end[first]
    assert not full.weights[:first].any()
    assert not full.decide[:first].any()
    assert full.decide[first]


def reads_curve(case: str) -> bool:
    risk = getattr(CASES[case][1], "risk", None)
    return risk is not None and bool(risk.reads_curve)


@every_source
@pytest.mark.parametrize("case", [case for case in CASES if not reads_curve(case)])
def test_rulings_2_the_start_session_decides_on_the_sleeves_of_the_last_month_end(source, case):
    """Sleeves of a month are what they were at its month end, whenever the run starts.

    Not so for a scale that reads the model curve: the curve begins at the start session.
    """
    panel, full = computed(source, case)
    strategy, params = CASES[case]
    tilted = overlay_due(panel, params).any()
    for month in np.flatnonzero(panel.month_end)[-4::-1]:
        later = int(month) + 7
        rows = np.flatnonzero(full.decide[: later + 1])
        unchanged = panel.member[rows[-1]] & panel.member[later]
        fresh = np.array([panel.bar[later - 4 : later + 1, i].any() for i in range(panel.shape[1])])
        expected = np.where(unchanged & fresh, full.weights[later], 0.0)
        # A name that is gone since the last decision moves the tilts of all others: they sum to 0.
        if not tilted or np.array_equal(expected, full.weights[later]):
            break
    assert expected.any() or not tilted
    started = strategy.weights(panel.starting(panel.dates[later]), params)
    np.testing.assert_allclose(started.weights[later], expected, rtol=0, atol=1e-15)


@every_source
@every_case
def test_rulings_2_a_decided_row_forgets_names_without_a_bar_for_five_sessions(source, case):
    panel, full = computed(source, case)
    for t in np.flatnonzero(full.decide):
        silent = ~panel.bar[t - 4 : t + 1].any(axis=0)
        assert not full.weights[t, silent].any()
        assert not full.weights[t, ~panel.member[t]].any()


def test_rulings_2_four_sessions_without_a_bar_keep_the_weight_and_the_fifth_loses_it():
    panel = market()
    strategy, params = CASES["regime_ensemble"]
    full = strategy.weights(panel, params)
    switches = np.flatnonzero(full.on_switch)
    checked = 0
    for t in switches:
        start = int(np.flatnonzero(panel.month_end[:t])[-1])
        if t - start < 6:
            continue
        held = np.flatnonzero((full.weights[t] > 0) & panel.bar[t - 6 : t + 1].all(axis=0))
        column = held[0]
        for missing in (4, 5):
            close = panel.fields["close"].copy()
            close[t - missing + 1 : t + 1, column] = np.nan
            got = strategy.weights(with_fields(panel, close=close), params)
            expected = full.weights[t].copy()
            if missing == 5:
                expected[column] = 0.0
            assert np.array_equal(got.weights[t], expected)
            checked += 1
        if checked == 6:
            return
    pytest.fail("too few switches late enough in a month")


def test_rulings_2_what_a_leaver_frees_is_cash_until_the_month_end():
    panel = market()
    strategy, params = CASES["regime_ensemble"]
    full = strategy.weights(panel, params)
    t = next(int(t) for t in np.flatnonzero(full.on_switch) if full.weights[t].any())
    column = int(np.flatnonzero(full.weights[t])[0])
    member = panel.member.copy()
    member[t:, column] = False
    got = strategy.weights(replace(panel, member=member), params).weights[t]
    expected = full.weights[t].copy()
    expected[column] = 0.0
    assert np.array_equal(got, expected)


@every_source
def test_equal_weight_never_holds_a_fund_and_weights_every_stock_the_same(source):
    panel, full = computed(source, "equal_weight")
    assert not full.weights[:, ~panel.is_stock].any()
    for t in np.flatnonzero(panel.month_end & full.decide):
        held = [
            i for i in range(panel.shape[1]) if panel.is_stock[i] and panel.member[t, i] and panel.bar[t, i]
        ]
        expected = np.zeros(panel.shape[1])
        expected[held] = 0.98 / len(held)
        np.testing.assert_allclose(full.weights[t], expected, rtol=0, atol=1e-15)


def test_funds_are_never_scaled_by_the_risk_scale():
    """Rulings 15: the scale acts on the stock block, and what it frees is cash."""
    panel, plain = computed(market, "regime_ensemble")
    strategy, params = CASES["regime_ensemble risk={'vix_guard': True}"]
    scaled = strategy.weights(panel, params)
    assert scaled.scale is not None
    both = np.flatnonzero(plain.decide & scaled.decide)
    funds = [panel.symbols.index(s) for s in FUNDS]
    assert np.array_equal(scaled.weights[both][:, funds], plain.weights[both][:, funds])
    expected = plain.weights[both][:, panel.is_stock] * scaled.scale[both][:, None]
    np.testing.assert_allclose(scaled.weights[both][:, panel.is_stock], expected, rtol=0, atol=1e-15)
    assert (scaled.scale[both] < 1).any()
