"""Application of tilts to a book, on whatever hypothesis thinks of (rulings 21)."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ares7.overlay.application import SLACK, applied, demeaned, neutral_capped, scaled_to
from ares7.overlay.engines import Tilts, latest, tilts_of_scores
from ares7.overlay.params import ScoreParams

quick = settings(deadline=None, max_examples=150, derandomize=True)
CLOSE = 1e-12

caps = st.sampled_from([0.001, 0.01, 0.02, 0.1, 1.0])
lambdas = st.sampled_from([0.25, 0.5, 1.0, 3.0, 10.0])
tilt_values = st.floats(-0.3, 0.3, allow_nan=False).map(lambda x: round(x, 5))
weight_values = st.one_of(st.just(0.0), st.floats(1e-6, 1.0))


@st.composite
def books(draw, rows=3):
    """Base weights of a stock block that sum to at most 1, some rows and names empty, and a blend of tilts."""
    shape = (draw(st.integers(1, rows)), draw(st.integers(1, 12)))
    base = draw(hnp.arrays(np.float64, shape, elements=weight_values))
    # A subnormal gross has no reciprocal.
    part = st.floats(0.0, 1.0, allow_subnormal=False)
    gross = np.array(draw(st.lists(part, min_size=shape[0], max_size=shape[0])))[:, None]
    total = base.sum(axis=1, keepdims=True)
    base = base * np.divide(gross, total, out=np.zeros(total.shape), where=total > 0)
    return base, draw(hnp.arrays(np.float64, shape, elements=tilt_values))


def naive(base, tilt, lam, cap, normalize):
    """One row by the wording of rulings 21, a name at a time."""
    held = [i for i in range(len(base)) if base[i] > 0]
    wanted = {i: lam * tilt[i] for i in held}
    rounds = 0
    while held:
        wanted = {i: min(max(x, -cap), cap) for i, x in wanted.items()}
        mean = math.fsum(wanted.values()) / len(held)
        wanted = {i: x - mean for i, x in wanted.items()}
        rounds += 1
        if max(abs(x) for x in wanted.values()) <= cap + 1e-12 or rounds == 20_000:
            break
    gross = math.fsum(base)
    moved = [max(base[i] + wanted.get(i, 0.0) * gross, 0.0) for i in range(len(base))]
    total = math.fsum(moved)
    if normalize == "none" or total == 0:
        return np.array(moved)
    return np.array(moved) * ((gross if normalize == "base_gross" else 1.0) / total)


@quick
@given(books(), lambdas, caps, st.sampled_from(["base_gross", "one", "none"]))
def test_application_is_what_rulings_21_say_name_by_name(book, lam, cap, normalize):
    base, tilt = book
    got, _ = applied(base, tilt, lam=lam, cap=cap, normalize=normalize)
    expected = [naive(row, wish, lam, cap, normalize) for row, wish in zip(base, tilt, strict=True)]
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-9)


@quick
@given(books(), lambdas, caps)
def test_the_block_keeps_its_gross_and_stays_long_only_and_among_the_names_it_held(book, lam, cap):
    base, tilt = book
    weights, final = applied(base, tilt, lam=lam, cap=cap)
    assert np.isfinite(weights).all()
    assert np.isfinite(final).all()
    assert (weights >= 0).all()
    assert not weights[base == 0].any()
    assert not final[base == 0].any()
    # Tilts sum to 0, so that some name is left above 0.
    np.testing.assert_allclose(weights.sum(axis=1), base.sum(axis=1), rtol=1e-12, atol=1e-300)


@quick
@given(books(), lambdas, caps)
def test_what_is_applied_is_neutral_and_within_the_cap(book, lam, cap):
    base, tilt = book
    _, final = applied(base, tilt, lam=lam, cap=cap)
    assert np.abs(final).max() <= cap + SLACK
    np.testing.assert_allclose(final.sum(axis=1), 0.0, atol=CLOSE)


@quick
@given(books(), lambdas, caps)
def test_before_normalising_a_name_moves_by_its_tilt_or_to_zero(book, lam, cap):
    base, tilt = book
    weights, final = applied(base, tilt, lam=lam, cap=cap, normalize="none")
    wanted = base + final * base.sum(axis=1, keepdims=True)
    assert np.array_equal(weights, np.where(wanted > 0, wanted, 0.0))


@quick
@given(books(), caps)
def test_lambda_0_and_no_tilt_give_the_base(book, cap):
    base, tilt = book
    for weights, final in (
        applied(base, tilt, lam=0.0, cap=cap),
        applied(base, np.zeros(tilt.shape), lam=1.0, cap=cap),
    ):
        assert not final.any()
        np.testing.assert_allclose(weights, base, rtol=1e-14)


@quick
@given(books(), lambdas, caps, st.floats(-0.1, 0.1))
def test_a_tilt_of_all_names_alike_is_no_tilt(book, lam, cap, amount):
    base, _ = book
    weights, final = applied(base, np.full(base.shape, amount), lam=lam, cap=cap)
    np.testing.assert_allclose(final, 0.0, atol=CLOSE)
    np.testing.assert_allclose(weights, base, atol=CLOSE)


@quick
@given(books(), lambdas, caps)
def test_a_higher_wish_never_gets_a_lower_tilt(book, lam, cap):
    base, tilt = book
    _, final = applied(base, tilt, lam=lam, cap=cap)
    for row, wish, held in zip(final, tilt, base > 0, strict=True):
        order = np.argsort(wish[held], kind="stable")
        assert (np.diff(row[held][order]) >= -CLOSE).all()


@quick
@given(books(rows=5), lambdas, caps)
def test_a_row_does_not_depend_on_the_other_rows(book, lam, cap):
    base, tilt = book
    together = applied(base, tilt, lam=lam, cap=cap)
    for i in range(len(base)):
        alone = applied(base[i : i + 1], tilt[i : i + 1], lam=lam, cap=cap)
        for one, many in zip(alone, together, strict=True):
            assert np.array_equal(one[0], many[i])


@quick
@given(books(), lambdas, caps, st.randoms(use_true_random=False))
def test_the_order_of_the_names_does_not_matter(book, lam, cap, random):
    base, tilt = book
    order = list(range(base.shape[1]))
    random.shuffle(order)
    shuffled = applied(base[:, order], tilt[:, order], lam=lam, cap=cap)
    for one, other in zip(shuffled, applied(base, tilt, lam=lam, cap=cap), strict=True):
        np.testing.assert_allclose(one, other[:, order], rtol=0, atol=1e-11)


@quick
@given(books(), lambdas, caps, st.sampled_from([0.25, 0.5, 2.0]))
def test_half_the_block_gets_half_the_moves(book, lam, cap, part):
    """A tilt is a fraction of the block: a smaller block is the same book, smaller, to the last bit."""
    base, tilt = book
    assume(base[base > 0].min(initial=1.0) > 1e-200)
    weights, final = applied(base, tilt, lam=lam, cap=cap)
    smaller, same = applied(part * base, tilt, lam=lam, cap=cap)
    assert np.array_equal(same, final)
    assert np.array_equal(smaller, part * weights)


@quick
@given(books(), st.sampled_from([0.001, 0.01, 0.02]))
def test_a_tilt_that_is_neutral_and_within_the_cap_is_applied_as_it_is(book, cap):
    base, tilt = book
    among = base > 0
    neutral = neutral_capped(tilt, among, cap)
    np.testing.assert_allclose(neutral_capped(neutral, among, cap), neutral, rtol=0, atol=CLOSE)


@quick
@given(books(), st.floats(0.0, 1.0), st.booleans())
def test_a_budget_scales_rows_and_leaves_their_directions(book, budget, at_most):
    _, tilt = book
    scaled = scaled_to(tilt, budget, at_most=at_most)
    total, before = np.abs(scaled).sum(axis=1), np.abs(tilt).sum(axis=1)
    expected = np.minimum(before, budget) if at_most else np.where(before > 0, budget, 0.0)
    np.testing.assert_allclose(total, expected, rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(scaled * before[:, None], tilt * total[:, None], rtol=1e-9, atol=1e-15)


@quick
@given(books())
def test_demeaning_is_over_the_names_that_take_part(book):
    base, tilt = book
    among = base > 0
    got = demeaned(tilt, among)
    assert not got[~among].any()
    np.testing.assert_allclose(got.sum(axis=1), 0.0, atol=CLOSE)
    for row, wish, inside in zip(got, tilt, among, strict=True):
        if inside.any():
            np.testing.assert_allclose(row[inside], wish[inside] - wish[inside].mean(), atol=CLOSE)


scores = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 3), st.integers(1, 15)),
    elements=st.one_of(st.just(math.nan), st.floats(-50, 50).map(lambda x: round(x, 2))),
)


@quick
@given(scores, st.sampled_from([None, 0.02, 0.2]), st.sampled_from([0.5, 3.0]))
def test_missing_scores_have_no_tilt_and_the_rest_is_neutral_and_never_nan(score, cap, winsor):
    params = ScoreParams(cap=cap, winsor=winsor)
    among = np.ones(score.shape, dtype=bool)
    among[:, ::4] = False
    tilt = tilts_of_scores([score, score * score], among, params)
    has = among & np.isfinite(score)
    assert np.isfinite(tilt).all()
    assert not tilt[~has].any()
    np.testing.assert_allclose(tilt.sum(axis=1), 0.0, atol=CLOSE)
    assert np.abs(tilt).max() <= (1.0 if cap is None else cap) + SLACK
    assert np.abs(tilt).sum(axis=1).max() <= params.budget + CLOSE


@quick
@given(scores)
def test_a_score_tilts_by_its_order_and_equal_scores_alike(score):
    among = np.ones(score.shape, dtype=bool)
    tilt = tilts_of_scores([score], among, ScoreParams())
    for row, values in zip(tilt, score, strict=True):
        has = np.isfinite(values)
        order = np.argsort(values[has], kind="stable")
        assert (np.diff(row[has][order]) >= -CLOSE).all()
        same = np.diff(values[has][order]) == 0
        assert (np.abs(np.diff(row[has][order])[same]) <= CLOSE).all()
        if has.any() and np.ptp(values[has]) == 0:
            assert not row.any()


@quick
@given(st.sets(st.integers(0, 30), max_size=8), st.lists(st.integers(0, 30), max_size=8))
def test_a_decision_takes_the_latest_overlay_date_not_after_it(dates, decisions):
    rows = np.array(sorted(dates), dtype=np.int64)
    tilts = Tilts(rows, np.arange(1.0, len(rows) + 1)[:, None] * np.ones((1, 2)))
    got = latest(tilts, np.array(decisions, dtype=np.int64))
    expected = [float(sum(d <= t for d in dates)) for t in decisions]
    assert np.array_equal(got, np.reshape(np.repeat(expected, 2), (-1, 2)))
