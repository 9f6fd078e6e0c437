"""Application of a blend, worked out by hand (rulings 21): cap .02, tilts are fractions of the stock block."""

from __future__ import annotations

import numpy as np
import pytest

from ares7.overlay.application import applied

CASES = {
    # The tilts sum to 0 and are below the cap: they act as they are, times the block's gross of .9:
    # .4 + .9 * .01 = .409, .3, .2 - .9 * .01 = .191.
    "lambda 1": ([0.4, 0.3, 0.2], [0.01, 0.0, -0.01], 1.0, [0.01, 0.0, -0.01], [0.409, 0.3, 0.191]),
    "lambda .5": ([0.4, 0.3, 0.2], [0.01, 0.0, -0.01], 0.5, [0.005, 0.0, -0.005], [0.4045, 0.3, 0.1955]),
    "lambda 0": ([0.4, 0.3, 0.2], [0.01, 0.0, -0.01], 0.0, [0.0, 0.0, 0.0], [0.4, 0.3, 0.2]),
    # -.03 -.01 -.02 -> capped -.02 -.01 -.02, mean -.05 / 3 -> -.01/3, +.02/3, -.01/3: only the order is left.
    # Times .9: -.003, +.006, -.003.
    "all tilts negative": (
        [0.4, 0.3, 0.2],
        [-0.03, -0.01, -0.02],
        1.0,
        [-0.01 / 3, 0.02 / 3, -0.01 / 3],
        [0.397, 0.306, 0.197],
    ),
    # .05 .04 -.01 -.01 -.01 -> capped .02 .02 -.01 -.01 -.01, mean .002 -> .018 .018 -.012 -.012 -.012: once is enough.
    "cap on two names": (
        [0.2] * 5,
        [0.05, 0.04, -0.01, -0.01, -0.01],
        1.0,
        [0.018, 0.018, -0.012, -0.012, -0.012],
        [0.218, 0.218, 0.188, 0.188, 0.188],
    ),
    # .05 -.05 -.05 0 -> capped .02 -.02 -.02 0, mean -.005 -> .025 -.015 -.015 .005: the first is above the cap again.
    # Again and again: it ends at .02, and its excess of .005 has gone to the other three in equal parts.
    "cap that binds after demeaning": (
        [0.25] * 4,
        [0.05, -0.05, -0.05, 0.0],
        1.0,
        [0.02, -0.015 + 0.005 / 3, -0.015 + 0.005 / 3, 0.005 + 0.005 / 3],
        [0.27, 0.235 + 0.005 / 3, 0.235 + 0.005 / 3, 0.255 + 0.005 / 3],
    ),
    # .005 - .9 * .02 = -.013 -> 0; .495 + .018 = .513; .4. These sum to .913; back to .9: times .9 / .913.
    "clip to zero": (
        [0.005, 0.495, 0.4],
        [-0.02, 0.02, 0.0],
        1.0,
        [-0.02, 0.02, 0.0],
        [0.0, 0.513 * 0.9 / 0.913, 0.4 * 0.9 / 0.913],
    ),
    # Only names with a base weight are tilted; the mean is theirs: .03 and -.01 -> capped .02 -.01, mean .005.
    # Gross .9: .5 + .9 * .015, .4 - .9 * .015.
    "a name without a base": (
        [0.5, 0.0, 0.4],
        [0.03, 0.5, -0.01],
        1.0,
        [0.015, 0.0, -0.015],
        [0.5135, 0.0, 0.3865],
    ),
    "one name only": ([0.5], [0.02], 1.0, [0.0], [0.5]),
    "nothing held": ([0.0, 0.0], [0.02, -0.01], 1.0, [0.0, 0.0], [0.0, 0.0]),
}


@pytest.mark.parametrize("case", CASES)
def test_the_blend_is_applied_as_worked_out_by_hand(case):
    base, tilt, lam, used, final = CASES[case]
    weights, applied_tilt = applied(np.array([base]), np.array([tilt]), lam=lam, cap=0.02)
    assert np.abs(applied_tilt[0] - used).max() <= 1e-11
    assert np.abs(weights[0] - final).max() <= 1e-11
    assert abs(weights.sum() - sum(base)) <= 1e-15
    assert np.abs(applied_tilt).max() <= 0.02 + 1e-12
    assert abs(applied_tilt.sum()) <= 1e-15


NORMALIZED = {
    # .409 .3 .191 sum to .9.
    "one": ([0.4, 0.3, 0.2], [0.01, 0.0, -0.01], [0.409 / 0.9, 0.3 / 0.9, 0.191 / 0.9]),
    # 0 .513 .4 stay as they are.
    "none": ([0.005, 0.495, 0.4], [-0.02, 0.02, 0.0], [0.0, 0.513, 0.4]),
    "base_gross": ([0.4, 0.3, 0.2], [0.01, 0.0, -0.01], [0.409, 0.3, 0.191]),
}


@pytest.mark.parametrize("normalize", NORMALIZED)
def test_what_the_block_is_rescaled_to_can_be_chosen(normalize):
    base, tilt, final = NORMALIZED[normalize]
    weights, _ = applied(np.array([base]), np.array([tilt]), lam=1.0, cap=0.02, normalize=normalize)
    assert np.abs(weights[0] - final).max() <= 1e-11


@pytest.mark.parametrize("normalize", ["base_gross", "one", "none"])
def test_an_empty_block_is_never_divided_by(normalize):
    weights, tilt = applied(
        np.zeros((1, 3)), np.array([[0.1, -0.2, 0.3]]), lam=1.0, cap=0.02, normalize=normalize
    )
    assert (weights == 0).all()
    assert (tilt == 0).all()
