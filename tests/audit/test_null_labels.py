"""D17: the weights of a book on other names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ares7.audit.finding import Severity
from ares7.audit.labels import LabelShuffle, advantage_t, shuffled
from ares7.book import tradable
from ares7.metrics import sharpe
from tests.audit.leaky_books import held, month_end_book, subject
from tests.contracts.panels import market

PANEL = market(1, 1150)
ELIGIBLE = tradable(PANEL) & PANEL.bar & PANEL.is_stock
RNG = np.random.default_rng(5)


def foresight(panel, sign):
    """Eight names a day by their next session's move from open to close."""
    move = panel.fields["close"] / panel.fields["open"]
    score = -sign * np.vstack([move[1:], move[-1:]])
    usable = panel.bar & panel.is_stock & panel.member
    place = np.argsort(np.argsort(np.where(usable & np.isfinite(score), score, np.inf), axis=1), axis=1)
    every = np.ones(len(panel.dates), dtype=bool)
    return held(panel, every, 0.1 * ((place < 8) & usable))


def random_book(panel, settings):
    """Twelve names by lot each month, and a tenth in bonds."""
    lot = np.random.default_rng(1).random(panel.shape)
    usable = tradable(panel) & panel.bar & panel.is_stock
    place = np.argsort(np.argsort(np.where(usable, lot, np.inf), axis=1), axis=1)
    weights = 0.07 * ((place < 12) & usable)
    weights[:, panel.symbols.index("TLT")] = 0.1
    return held(panel, panel.month_end, weights)


def judged(weights):
    (finding,) = LabelShuffle().run(subject(weights, panel=PANEL))
    return finding


def test_weights_are_exchanged_among_eligible_names_only():
    targets = random_book(PANEL, None)
    other = shuffled(targets, ELIGIBLE, np.random.default_rng(2))
    rows = np.flatnonzero(targets.decide)
    assert np.array_equal(other.decide, targets.decide)
    moved = 0
    for t in rows:
        may = ELIGIBLE[t]
        assert np.array_equal(other.weights[t, ~may], targets.weights[t, ~may])
        assert np.array_equal(np.sort(other.weights[t, may]), np.sort(targets.weights[t, may]))
        moved += not np.array_equal(other.weights[t], targets.weights[t])
    assert moved == len(rows)


def test_every_eligible_name_is_as_likely_as_any_other():
    targets = random_book(PANEL, None)
    t = int(np.flatnonzero(targets.decide)[-1])
    rng = np.random.default_rng(3)
    count = sum(shuffled(targets, ELIGIBLE, rng).weights[t] > 0 for _ in range(400))
    may = ELIGIBLE[t]
    share = count[may] / 400
    expected = (targets.weights[t, may] > 0).mean()
    assert np.abs(share - expected).max() < 5 * np.sqrt(expected * (1 - expected) / 400)


def test_a_book_that_sees_tomorrow_is_too_good():
    finding = judged(lambda panel, settings: foresight(panel, 1.0))
    assert finding.severity is Severity.WARNING
    assert finding.check == "D17"
    assert finding.evidence["percentile"] == 100.0
    assert finding.evidence["z"] > 8
    assert finding.evidence["advantage_t"] > 8
    assert finding.remedy


def test_a_book_by_lot_passes_with_its_number():
    finding = judged(random_book)
    assert finding.severity is Severity.PASS
    assert abs(finding.evidence["z"]) < 4
    assert 0 <= finding.evidence["percentile"] <= 100
    free = subject(random_book, panel=PANEL)
    nav = free.simulated(costs=free.costs.model_copy(update={"bps": 0.0})).nav
    assert finding.evidence["sharpe"] == sharpe(nav[1:] / nav[:-1] - 1.0)
    assert f"{finding.evidence['sharpe']:.2f} before costs" in finding.message


def test_a_book_worse_than_chance_is_an_honest_negative():
    finding = judged(lambda panel, settings: foresight(panel, -1.0))
    assert finding.severity is Severity.PASS
    assert finding.evidence["percentile"] == 0.0


def test_a_book_of_equal_weights_has_no_choice_to_shuffle():
    finding = judged(month_end_book)
    assert finding.severity is Severity.SKIPPED
    assert "no choice" in finding.message


def test_a_short_run_is_not_judged():
    (finding,) = LabelShuffle().run(subject(random_book, panel=PANEL.rows(0, 500)))
    assert finding.severity is Severity.SKIPPED


def test_the_same_seed_gives_the_same_finding():
    assert judged(random_book) == judged(random_book)
    other = replace(subject(random_book, panel=PANEL), seed=9)
    assert next(iter(LabelShuffle().run(other))).evidence != judged(random_book).evidence


def test_the_advantage_is_a_t_of_returns_at_equal_volatility():
    own, others = RNG.normal(0.001, 0.01, 900), RNG.normal(0.0, 0.02, (12, 900))
    gap = own / own.std() - others.mean(axis=0) / others.mean(axis=0).std()
    assert np.isclose(advantage_t(own, others), gap.mean() / gap.std(ddof=1) * 30)
    assert advantage_t(own, np.repeat(own[None], 3, axis=0)) == 0.0
    assert advantage_t(np.zeros(900), others) == 0.0
