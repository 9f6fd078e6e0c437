"""Negative controls of the causality checks: our own strategies and honest variants pass."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from ares7.audit.finding import Severity
from ares7.book import Plan, Sleeve, assemble, decision_mask
from ares7.signals.cross_section import best_first, normalised
from ares7.signals.windows import trailing_mean
from tests.audit.planting import IDS, SMALL, Windows, failures, findings_of, move, panel_of_leaks, subject_of
from tests.contracts.panels import DATA, cases, market, names, real_sample

CASES = cases()
OPTIONS = ("{'mode': 'switch'}", "min_hold': 3}", "cash_symbol=BIL", "skip=21", "vix_guard': True}")
CHOSEN = [case for case in CASES if " " not in case or (case.endswith(OPTIONS) and "step" not in case)]
"""Every strategy with its defaults and some of its options; the contract tests have all of them."""
REAL = pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder")


@pytest.mark.parametrize("case", CHOSEN)
def test_every_shipped_strategy_passes_on_the_random_market(case):
    strategy, params = CASES[case]
    findings = findings_of(
        subject_of(strategy.weights, params, market(1, min(max(params.warmup + 230, 420), 1150)))
    )
    assert [f.check for f in findings] == list(IDS)
    assert [f.message for f in findings if f.severity is not Severity.PASS] == []
    assert all("to the last bit" in f.message for f in findings if f.check in ("D1", "D5", "D19"))


@REAL
@pytest.mark.real_data
@pytest.mark.parametrize("name", names())
def test_every_shipped_strategy_passes_on_real_data(name):
    strategy, params = CASES[name.rpartition(":")[2]]
    findings = findings_of(subject_of(strategy.weights, params, real_sample()))
    assert [f.message for f in findings if f.severity is not Severity.PASS] == []
    assert [f.check for f in findings] == list(IDS)


def test_every_strategy_is_among_those_that_pass():
    assert {name.rpartition(":")[2] for name in names()} <= set(CHOSEN)
    assert len(CHOSEN) >= 11


def windows(x, width):
    """(T - width + 1, N, width) views: every value from its own rows."""
    return np.lib.stride_tricks.sliding_window_view(x, width, axis=0)


def over(x, width, measure):
    out = np.full(x.shape, np.nan)
    out[width - 1 :] = measure(windows(x, width), axis=2)
    return out


def log_moves(panel):
    return np.log(1.0 + move(panel.fields["close"], 1))


def recent_surprise(panel):
    surprise = np.nan_to_num(panel.fields["surprise"])
    return np.where(panel.bar, over(surprise, 21, np.sum), np.nan)


SIGNALS = {
    "momentum": lambda p: move(p.fields["close"], 120),
    "month": lambda p: move(p.fields["close"], 21),
    "reversal": lambda p: -move(p.fields["close"], 5),
    "calm": lambda p: -over(log_moves(p), 60, np.std),
    "trend": lambda p: p.fields["close"] / over(p.fields["close"], 100, np.mean),
    "range": lambda p: -over(p.fields["high"] / p.fields["low"], 20, np.mean),
    "turnover": lambda p: over(p.fields["price"] * p.fields["volume"], 20, np.mean),
    "up days": lambda p: over((move(p.fields["close"], 1) > 0).astype(float), 40, np.sum),
    "quality": lambda p: p.fields["roe"],
    "surprise": recent_surprise,
    "gap": lambda p: p.fields["open"] / p.fields["close"],
}
WEIGHTINGS = ("equal", "inverse volatility", "score")
SCHEDULES = ("monthly", "weekly", "daily")


def honest(signal, weighting, schedule, gate):
    """A strategy from blocks that read nothing later than their own row."""

    def weights(panel, settings):
        score = SIGNALS[signal](panel)
        decide = decision_mask(panel)
        if schedule != "monthly":
            due = panel.week_end if schedule == "weekly" else np.ones(len(panel.dates), dtype=bool)
            decide |= due & (np.arange(len(panel.dates)) >= panel.start_row)
        rows = np.flatnonzero(decide | panel.month_end)
        usable = np.isfinite(score) & panel.bar & panel.member & panel.is_stock
        inverse = 1.0 / over(move(panel.fields["close"], 1), 40, np.std)
        book = np.zeros((len(rows), panel.shape[1]))
        for i, t in enumerate(rows):
            chosen = best_first(score[t], usable[t], panel.symbol_rank)[:10]
            if weighting == "equal":
                book[i, chosen] = 1.0
            elif weighting == "score":
                book[i, chosen] = np.arange(len(chosen), 0, -1)
            else:
                book[i, chosen] = np.nan_to_num(inverse[t, chosen])
        mix = np.ones(len(panel.dates))
        if gate == "vix":
            mix = np.where(panel.series["vix"] < 20, 1.0, 0.5)
        elif gate == "trend":
            index = panel.series["index"]
            mix = np.where(index > trailing_mean(index, 50), 1.0, 0.0)
        sleeve = Sleeve(rows.astype(np.int64), normalised(book))
        return assemble(panel, Plan({"top": sleeve}, {"top": mix[decide]}, settings.gross, decide))

    return weights


def variants():
    combined = list(product(SIGNALS, WEIGHTINGS, SCHEDULES, (None, "vix", "trend")))
    order = np.random.default_rng(20).permutation(len(combined))
    return [combined[i] for i in order[:44]]


def few_names(rows=360, start=200):
    return panel_of_leaks(rows, start).columns(np.arange(0, 46, 2))


@pytest.mark.parametrize("variant", variants(), ids=lambda v: "-".join(map(str, v)))
def test_an_honest_variant_passes(variant):
    findings = findings_of(subject_of(honest(*variant), SMALL, few_names()))
    assert [f.message for f in failures(findings)] == []
    assert [f.message for f in findings if f.severity is Severity.WARNING] == []


def test_an_honest_recursive_average_passes_with_a_warmup_that_is_long_enough():
    def recursive(panel, settings):
        close = panel.fields["close"]
        out = close.copy()
        for t in range(1, len(out)):
            out[t] = np.where(np.isfinite(out[t - 1]), 0.8 * out[t - 1] + 0.2 * close[t], close[t])
            out[t] = np.where(np.isfinite(close[t]), out[t], out[t - 1])
        rows = np.flatnonzero(panel.month_end)
        usable = (panel.bar & panel.is_stock)[rows]
        book = np.zeros((len(rows), panel.shape[1]))
        ratio = np.where(usable, close[rows] / out[rows], -np.inf)
        for i in range(len(rows)):
            book[i, best_first(ratio[i], usable[i], panel.symbol_rank)[:5]] = 0.2
        decide = decision_mask(panel)
        plan = Plan({"top": Sleeve(rows, book)}, {"top": np.ones(decide.sum())}, 0.98, decide)
        return assemble(panel, plan)

    findings = findings_of(subject_of(recursive, Windows(rows=200), few_names(420, 230)))
    assert [f.message for f in failures(findings)] == []
