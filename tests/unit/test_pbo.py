"""PBO by CSCV: a plain loop over every split as oracle, ties, invariances, what is refused."""

import math
import time
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ares7 import pbo as module
from ares7.errors import ConfigError, DataError
from ares7.pbo import pbo


def trials(count, sessions=100, seed=1):
    return np.random.default_rng(seed).normal(0.0005, 0.01, (count, sessions))


def ratio(rows):
    sd = rows.std(axis=1, ddof=1)
    return np.divide(rows.mean(axis=1), sd, out=np.zeros(len(rows)), where=sd > 1e-14)


def by_loop(rows, blocks):
    """(train, test, relative rank) of every split, each half cut out and measured by itself."""
    length = rows.shape[1] // blocks
    cut = rows[:, rows.shape[1] - blocks * length :].reshape(len(rows), blocks, length)
    found = []
    for inside in combinations(range(blocks), blocks // 2):
        outside = [block for block in range(blocks) if block not in inside]
        train, test = (ratio(cut[:, list(half)].reshape(len(rows), -1)) for half in (inside, outside))
        best = train >= train.max() - 1e-12
        rank = stats.rankdata(np.round(test, 12))[best].mean() / (len(rows) + 1)
        found.append((train.max(), test[best].mean(), rank))
    return np.array(found).T


def agree(found, rows, blocks):
    train, test, rank = by_loop(rows, blocks)
    assert found.n_splits == len(rank) == math.comb(blocks, blocks // 2)
    np.testing.assert_allclose(found.logits, np.log(rank / (1 - rank)), atol=1e-9)
    assert found.value == pytest.approx(np.mean(rank < 0.5 - 1e-9) + np.mean(np.abs(rank - 0.5) < 1e-9) / 2)
    line = stats.linregress(train, test)
    assert (found.slope, found.intercept) == pytest.approx((line.slope, line.intercept), rel=1e-9, abs=1e-12)
    assert found.loss_probability == np.mean(test < 0)


@pytest.mark.parametrize(
    ("count", "sessions", "blocks"), [(7, 64, 8), (10, 101, 8), (2, 60, 6), (33, 40, 10)]
)
def test_every_split_is_that_of_a_plain_loop(count, sessions, blocks):
    rows = trials(count, sessions)
    agree(pbo(rows, blocks), rows, blocks)


def test_sixteen_blocks_have_12870_splits():
    assert pbo(trials(5, 64)).n_splits == 12870


def test_parts_of_splits_and_trials_join(monkeypatch):
    rows = trials(9, 80)
    whole = pbo(rows, 8)
    monkeypatch.setattr(module, "_CELLS", 100)
    parts = pbo(rows, 8)
    np.testing.assert_array_equal(parts.logits, whole.logits)
    assert parts.slope == pytest.approx(whole.slope, rel=1e-12)


def test_the_oldest_sessions_that_fill_no_block_are_left_out():
    rows = trials(6, 87)
    found = pbo(rows, 8)
    assert found.sessions == 80
    np.testing.assert_array_equal(found.logits, pbo(rows[:, 7:], 8).logits)


def test_copies_are_neither_overfit_nor_not():
    rows = np.repeat(trials(1, 96), 5, axis=0)
    assert pbo(rows, 8).value == 0.5
    assert (pbo(rows, 8).logits == 0.0).all()
    leveraged = rows * np.array([[1.0], [0.7], [3.1], [1.3], [0.1]])
    assert pbo(leveraged, 8).value == 0.5


def test_copies_share_ranks_with_the_rest():
    rows = np.vstack([trials(4, 80), trials(2, 80), trials(1, 80) * 1.7])
    agree(pbo(rows, 8), rows, 8)


def test_trials_that_tie_in_sample_are_averaged():
    rows = trials(5, 80)
    # In the first half two trials hold nothing and the others lose: a tie at 0, then different ranks.
    rows[:2, :40] = 0.0
    rows[2:, :40] -= 0.03
    agree(pbo(rows, 8), rows, 8)


def test_a_trial_that_is_always_best_is_not_overfit():
    rows = trials(20, 96)
    rows[3] += 0.05
    found = pbo(rows, 8)
    assert found.value == 0.0
    assert found.loss_probability == 0.0
    assert found.logits == pytest.approx(np.log(20.0), rel=1e-12)


def test_trials_of_equal_ratio_over_all_sessions_look_overfit():
    series = trials(1, 160)[0]
    shifts = np.array([np.roll(series, 16 * k + 3 * k) for k in range(8)])
    assert pbo(shifts, 16).value > 0.95


def test_a_trial_that_holds_nothing_has_a_ratio_of_zero():
    rows = np.vstack([trials(4, 80, seed=2) - 0.02, np.zeros((1, 80))])
    found = pbo(rows, 8)
    assert found.value == found.loss_probability == 0.0
    assert found.logits == pytest.approx(np.log(5.0))
    # The in-sample ratio is 0 in every split: no line can be drawn.
    assert math.isnan(found.slope)
    late = trials(5, 80)
    late[2, :50] = 0.0
    agree(pbo(late, 8), late, 8)
    assert pbo(np.zeros((3, 80)), 8).value == 0.5


@given(st.integers(0, 2**31), st.permutations(range(6)))
@settings(max_examples=30)
def test_the_order_of_trials_does_not_matter(seed, order):
    rows = trials(6, 64, seed)
    one, other = pbo(rows, 8), pbo(rows[list(order)], 8)
    assert other.value == one.value
    np.testing.assert_array_equal(other.logits, one.logits)


@given(st.integers(0, 2**31), st.lists(st.floats(1e-3, 1e3), min_size=6, max_size=6))
@settings(max_examples=30)
def test_leverage_does_not_matter(seed, scales):
    rows = trials(6, 64, seed)
    rows[5] = rows[4]
    one, other = pbo(rows, 8), pbo(rows * np.array(scales)[:, None], 8)
    assert other.value == one.value
    np.testing.assert_allclose(other.logits, one.logits, atol=1e-12)
    assert other.slope == pytest.approx(one.slope, rel=1e-8)


def test_a_grid_of_729_takes_seconds_at_most():
    rows = trials(729, 4000)
    began = time.thread_time()
    pbo(rows)
    assert time.thread_time() - began < 6.0


@pytest.mark.parametrize("blocks", [0, 7, 22, -2])
def test_a_wrong_number_of_blocks_is_refused(blocks):
    with pytest.raises(ConfigError, match=rf"{blocks} blocks; give an even number from 2 to 20"):
        pbo(trials(5), blocks)


@pytest.mark.parametrize("shape", [(1, 100), (5, 31)])
def test_too_small_a_family_is_refused(shape):
    with pytest.raises(DataError, match="at least 2 trials and 32 sessions are needed; widen"):
        pbo(np.ones(shape), 16)


def test_a_missing_return_is_named():
    rows = trials(5)
    rows[3, 40] = np.nan
    with pytest.raises(DataError, match="trial 3 in session 40 is nan"):
        pbo(rows)


def test_a_constant_return_is_refused():
    rows = trials(5)
    rows[1] = 0.0001
    with pytest.raises(DataError, match=r"trial 1 are 0.0001 in every session.*leave the trial out"):
        pbo(rows)
