"""How many different trials a family holds: clusters of their correlations.

Source: [LL18] Lopez de Prado and Lewis, "Detection of False Investment Strategies Using Unsupervised Learning
Methods", Quantitative Finance 19(9), 2019.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ares7.arrays import Float2D, Int1D
from ares7.errors import ConfigError
from ares7.metrics import ZERO_SD
from ares7.overfit import checked_family

if TYPE_CHECKING:
    from ares7.trials import Family

SAME_TRIAL = 0.9
"""Clusters of trials whose members correlate by this much on average count as one trial. High, since a small count
flatters: the best of 100 trials without skill, all alike by .6 and counted as one, has a deflated Sharpe ratio
above .95 in 47 % of cases; all alike by .9 and counted as one, in 18 %; counted as 100, in at most 5 %."""
CLUSTERED_AT_ONCE = 3000
"""The correlation matrix of this many trials takes 72 MB."""


@dataclass(frozen=True, slots=True)
class EffectiveTrials:
    """Clusters of trials that are alike.

    Attributes
    ----------
    count : int
        Clusters.
    labels : (P,) int64
        Cluster of each trial, 0 .. count - 1.
    """

    count: int
    labels: Int1D


def _standardised(family: Float2D) -> Float2D:
    """(P, R + 1) rows whose products are correlations; the last column makes trials that do not vary alike."""
    out = np.empty((len(family), family.shape[1] + 1))
    out[:, :-1] = family - family.mean(axis=1, keepdims=True)
    length = np.sqrt(np.einsum("pr,pr->p", out[:, :-1], out[:, :-1]))
    flat = length <= ZERO_SD * math.sqrt(family.shape[1])
    out[:, :-1] /= np.where(flat, 1.0, length)[:, None]
    out[flat, :-1] = 0.0
    out[:, -1] = flat
    return out


def _merge(similar: Float2D, limit: float) -> Int1D:
    """Average linkage of (P, P) correlations, which are overwritten, down to an average of ``limit``.

    Nearest-neighbour chains: two clusters that are nearest to each other are merged at once, in O(P^2) for all.
    Returns (P,) labels 0 .. K - 1.
    """
    count = len(similar)
    labels, size = np.arange(count), np.ones(count)
    np.fill_diagonal(similar, -np.inf)
    chain: list[int] = []
    start = 0
    open_cluster = np.ones(count, dtype=bool)
    while chain or start < count:
        if not chain:
            if open_cluster[start]:
                chain = [start]
            else:
                start += 1
            continue
        last = chain[-1]
        near = int(np.argmax(similar[last]))
        if len(chain) > 1 and similar[last, chain[-2]] >= similar[last, near]:
            near = chain[-2]
        if similar[last, near] < limit:
            # Averages only fall as others merge, so nothing will ever be near enough.
            chain.pop()
        elif len(chain) > 1 and near == chain[-2]:
            row = (size[last] * similar[last] + size[near] * similar[near]) / (size[last] + size[near])
            similar[near], similar[:, near] = row, row
            similar[near, near] = -np.inf
            size[near] += size[last]
            labels[labels == last] = near
            chain = chain[:-2]
        else:
            chain.append(near)
            continue
        similar[last], similar[:, last] = -np.inf, -np.inf
        open_cluster[last] = False
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def effective_trials(returns: Float2D, same: float = SAME_TRIAL) -> EffectiveTrials:
    """Number of trials that are different, by clustering their correlations.

    Average linkage: clusters merge while the average correlation between their members is at least ``same``.
    Copies give 1 and independent trials P. [LL18] cluster correlations too, but choose the number by silhouettes,
    which are not defined for one cluster nor for singletons and so can give neither.

    More than `CLUSTERED_AT_ONCE` trials are clustered in rounds: that many, evenly spaced; the others join the
    cluster with which they correlate most, if by ``same`` on average, else they wait for the next round.

    Parameters
    ----------
    returns : (P, R) fractions, of sessions or weeks
        Weeks are five times cheaper.
    same : float
        In (0, 1).

    Raises
    ------
    ConfigError
        ``same`` outside (0, 1).
    DataError
        Fewer than three columns, or a value that is not finite.
    """
    if not 0 < same < 1:
        raise ConfigError(f"same {same:g} lies outside (0, 1); {SAME_TRIAL:g} is the default")
    rows = _standardised(checked_family(returns, sessions=3))
    labels = np.full(len(rows), -1, dtype=np.int64)
    waiting = np.arange(len(rows))
    count = 0
    while len(waiting):
        spaced = np.linspace(0, len(waiting) - 1, min(len(waiting), CLUSTERED_AT_ONCE)).astype(np.int64)
        chosen = waiting[spaced]
        others = np.delete(waiting, spaced)
        members = rows[chosen]
        part = _merge(members @ members.T, same)
        labels[chosen] = count + part
        clusters = int(part.max()) + 1
        if len(others):
            centre = np.zeros((clusters, rows.shape[1]))
            np.add.at(centre, part, members)
            centre /= np.bincount(part)[:, None]
            average = rows[others] @ centre.T
            joins = average.max(axis=1) >= same
            labels[others[joins]] = count + np.argmax(average[joins], axis=1)
            others = others[~joins]
        count += clusters
        waiting = others
    return EffectiveTrials(count, labels)


def trial_counts(family: Family) -> dict[str, int]:
    """Return ``count``, ``distinct`` and ``effective`` trials of a market, the last by their weekly active returns."""
    weekly = family.weekly.astype(np.float64)
    effective = effective_trials(weekly).count if len(weekly) else family.distinct
    return {"count": family.count, "distinct": family.distinct, "effective": effective}
