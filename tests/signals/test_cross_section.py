"""Cross-sectional transforms: a session's row does not depend on the others, quantiles are numpy's."""

from __future__ import annotations

import numpy as np
import pytest

from ares7.signals.cross_section import leg, merge, standard_score, winsorise, zscore


def columns(seed: int, rows: int = 40, names: int = 70) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two columns of values with gaps, outliers, ties, flat and empty rows, and who is eligible."""
    rng = np.random.default_rng(seed)
    first = rng.standard_t(1.5, (rows, names)) * 10.0 ** rng.integers(-3, 7, (rows, 1))
    first[3] = 0.1
    first[4] = rng.integers(0, 3, names)
    second = rng.normal(0, 1, (rows, names))
    for x in (first, second):
        x[rng.random(x.shape) < rng.choice([0.0, 0.2, 0.8], (rows, 1))] = np.nan
    first[5] = np.nan
    return first, second, rng.random((rows, names)) < 0.8


@pytest.mark.parametrize("seed", range(3))
def test_rulings_9_a_session_is_scored_by_itself_to_the_last_bit(seed):
    first, second, among = columns(seed)

    def scored(rows):
        a, b, here = first[rows], second[rows], among[rows]
        one, other = standard_score(a, here), standard_score(b, here)
        slot = merge(one, other)
        return [zscore(a), winsorise(b, 0.1), one, slot, leg([slot, other], here)]

    together = scored(slice(None))
    for row in range(len(first)):
        for full, alone in zip(together, scored(row), strict=True):
            assert np.array_equal(full[row], alone, equal_nan=True)


@pytest.mark.parametrize("tail", [0.0, 0.01, 0.25, 0.49])
def test_rulings_16_quantiles_are_numpys_to_the_last_bit(tail):
    first, _, _ = columns(7)
    got = winsorise(first, tail)
    for row, clipped in zip(first, got, strict=True):
        there = row[np.isfinite(row)]
        if len(there) == 0:
            assert np.isnan(clipped).all()
            continue
        limits = np.quantile(there, [tail, 1 - tail], method="linear")
        assert np.array_equal(clipped, np.clip(row, *limits), equal_nan=True)


@pytest.mark.parametrize("least", [1, 20, 60])
def test_rulings_16_a_source_column_is_the_zscore_of_its_clipped_eligible_values(least):
    first, _, among = columns(8)
    got = standard_score(first, among, 0.05, least)
    for row, here, z in zip(first, among, got, strict=True):
        there = here & np.isfinite(row)
        assert np.array_equal(np.isfinite(z), there if there.sum() >= least else np.zeros_like(there))
        if not np.isfinite(z).any():
            continue
        clipped = np.clip(row[there], *np.quantile(row[there], [0.05, 0.95]))
        spread = clipped.std()
        expected = (clipped - clipped.mean()) / spread if np.ptp(clipped) > 0 else np.zeros(len(clipped))
        np.testing.assert_allclose(z[there], expected, rtol=1e-9, atol=1e-9)


def test_infinite_values_count_as_missing():
    first, _, among = columns(9)
    first[8, :5] = [np.inf, -np.inf, np.inf, 1.0, 2.0]
    blank = np.where(np.isfinite(first), first, np.nan)
    assert np.array_equal(standard_score(first, among), standard_score(blank, among), equal_nan=True)
    assert np.array_equal(zscore(first), zscore(blank), equal_nan=True)
    assert np.array_equal(winsorise(first), winsorise(blank), equal_nan=True)


def test_inputs_are_left_as_they_are():
    first, second, among = columns(10)
    kept = first.copy(), second.copy(), among.copy()
    for values in (zscore(first), winsorise(first), standard_score(first, among), leg([first], among)):
        assert values is not first
    merge(first, second)
    for now, before in zip((first, second, among), kept, strict=True):
        assert np.array_equal(now, before, equal_nan=True)
