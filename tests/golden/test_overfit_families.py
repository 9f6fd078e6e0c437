"""Deflated Sharpe ratio, PBO and effective trials of the two published grids, recomputed by plain loops.

The loops below share nothing with the product: scipy's moments and normal, every split cut out of the returns,
scipy's average linkage. PBO over all 12,870 splits by the same loops gave the values here; the test recomputes
every 60th split and, with 8 blocks, all of them.
"""

import math
from functools import cache
from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from ares7 import overfit
from ares7.pbo import pbo
from ares7.trial_clusters import effective_trials
from tests.contracts.panels import DATA

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder"),
]
TIE = 1e-12
FAMILIES = ("c1_v6_opt", "factor_v2_opt")


@cache
def family(name):
    """(P, R) daily returns of a published grid."""
    import pandas as pd

    rows = pd.read_parquet(f"{DATA}/legacy/grid_returns.parquet")
    wide = rows[rows["series"].str.startswith(name)].pivot(index="date", columns="series", values="ret")
    return np.ascontiguousarray(wide.to_numpy(np.float64).T)


def sharpe(rows):
    return rows.mean(axis=1) / rows.std(axis=1, ddof=1)


def plain_deflated_sharpe(rows):
    ratios = sharpe(rows)
    best = rows[np.argmax(ratios)]
    ratio, count = ratios.max(), len(rows)
    first, second = stats.norm.ppf(1 - 1 / count), stats.norm.ppf(1 - 1 / (count * math.e))
    threshold = ratios.std(ddof=1) * ((1 - np.euler_gamma) * first + np.euler_gamma * second)
    spread = 1 - stats.skew(best) * ratio + (stats.kurtosis(best, fisher=False) - 1) / 4 * ratio**2
    z = (ratio - threshold) * math.sqrt(len(best) - 1) / math.sqrt(spread)
    return threshold, stats.norm.cdf(z)


def plain_logits(rows, blocks, every=1):
    """Logits of every so many splits, each half cut out and measured by itself."""
    length = rows.shape[1] // blocks
    cut = rows[:, rows.shape[1] - blocks * length :].reshape(len(rows), blocks, length)
    found = []
    for inside in list(combinations(range(blocks), blocks // 2))[::every]:
        outside = [block for block in range(blocks) if block not in inside]
        train, test = (sharpe(cut[:, list(half)].reshape(len(rows), -1)) for half in (inside, outside))
        ranks = [
            (test < ratio - TIE).sum() + ((np.abs(test - ratio) <= TIE).sum() + 1) / 2
            for ratio in test[train >= train.max() - TIE]
        ]
        order = np.mean(ranks) / (len(rows) + 1)
        found.append(math.log(order / (1 - order)))
    return np.array(found)


@pytest.mark.parametrize(
    ("name", "trials", "annual", "threshold", "dsr"),
    [("c1_v6_opt", 216, 3.5564, 3.8254, 0.1952), ("factor_v2_opt", 72, 1.4296, 1.0193, 0.9003)],
)
def test_deflated_sharpe_of_the_published_grids(name, trials, annual, threshold, dsr):
    rows = family(name)
    sample = overfit.moments(rows)
    best = int(np.argmax(sample.sharpe))
    found = overfit.deflated_sharpe(sample.of(best), len(rows), float(np.std(sample.sharpe, ddof=1)))
    plain = plain_deflated_sharpe(rows)
    assert rows.shape == (trials, 2512)
    assert found.threshold == pytest.approx(plain[0], rel=1e-10)
    assert found.dsr == pytest.approx(plain[1], rel=1e-10)
    root = math.sqrt(252)
    assert (sample.sharpe[best] * root, found.threshold * root, found.dsr) == pytest.approx(
        (annual, threshold, dsr), abs=5e-5
    )


@pytest.mark.parametrize(("name", "below"), [("c1_v6_opt", 3), ("factor_v2_opt", 2)])
def test_pbo_of_the_published_grids(name, below):
    found = pbo(family(name))
    assert found.n_splits == 12870
    assert found.value * 12870 == pytest.approx(below, abs=1e-9)
    np.testing.assert_allclose(found.logits[::60], plain_logits(family(name), 16, every=60), atol=1e-9)


@pytest.mark.parametrize("name", FAMILIES)
def test_all_splits_of_eight_blocks(name):
    found = pbo(family(name), blocks=8)
    plain = plain_logits(family(name), 8)
    np.testing.assert_allclose(found.logits, plain, atol=1e-9)
    assert found.value == np.mean(plain < -1e-9) + np.mean(np.abs(plain) <= 1e-9) / 2


@pytest.mark.parametrize(
    ("name", "same", "count"),
    [("c1_v6_opt", 0.9, 6), ("factor_v2_opt", 0.9, 12), ("c1_v6_opt", 0.5, 3), ("factor_v2_opt", 0.5, 1)],
)
def test_effective_trials_of_the_published_grids(name, same, count):
    found = effective_trials(family(name), same)
    distance = 1.0 - np.corrcoef(family(name))
    np.fill_diagonal(distance, 0.0)
    tree = linkage(squareform(distance, checks=False), "average")
    plain = fcluster(tree, 1.0 - same, "distance")
    assert found.count == plain.max() == count
    assert len(set(zip(found.labels, plain, strict=True))) == count
