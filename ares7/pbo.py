"""Probability of backtest overfitting, by combinatorially symmetric cross-validation (CSCV).

Source: Bailey, Borwein, Lopez de Prado and Zhu, "The Probability of Backtest Overfitting", Journal of
Computational Finance 20(4), 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ares7.arrays import Float1D, Float2D
from ares7.errors import ConfigError, DataError
from ares7.metrics import ZERO_SD
from ares7.overfit import checked_family

MAX_BLOCKS = 20
"""20 blocks have 184,756 splits, 24 have 2.7 million."""
TIE = 1e-12
"""Sharpe ratios per session that are this close are equal: they differ by rounding only."""
_CELLS = 1 << 20


@dataclass(frozen=True, slots=True)
class Pbo:
    """What in-sample optimality was worth out of sample, over all splits. Sharpe ratios are per session.

    Attributes
    ----------
    value : float
        Share of splits whose in-sample best lies below the median out of sample.
    logits : (n_splits,) float64
        log(w / (1 - w)), w the relative rank out of sample of the in-sample best; in the order of
        `itertools.combinations` of the in-sample blocks.
    n_splits : int
    slope, intercept : float
        Least squares over splits of the out-of-sample ratio of the in-sample best on its in-sample ratio:
        performance degradation. NaN where the in-sample ratio is the same in every split.
    loss_probability : float
        Share of splits in which the in-sample best has a negative ratio out of sample.
    sessions : int
        Sessions used: the oldest ones that do not fill a block are left out.
    """

    value: float
    logits: Float1D
    n_splits: int
    slope: float
    intercept: float
    loss_probability: float
    sessions: int


def _block_sums(family: Float2D, blocks: int) -> tuple[Float2D, Float2D, Float1D]:
    """(blocks, P) sums and sums of squares of standardised returns without their mean, and (P,) means.

    Standardising by the whole sample changes no Sharpe ratio and keeps squares from cancelling.
    """
    length = family.shape[1] // blocks
    used = family[:, family.shape[1] - length * blocks :]
    sums, squares = (np.empty((blocks, len(family))) for _ in range(2))
    means = np.empty(len(family))
    step = max(1, _CELLS // used.shape[1])
    for i in range(0, len(family), step):
        rows = used[i : i + step]
        mean, sd = rows.mean(axis=1), rows.std(axis=1)
        flat = sd <= ZERO_SD
        wrong = np.flatnonzero(flat & (np.abs(mean) > ZERO_SD))
        if len(wrong):
            raise DataError(
                f"returns of trial {i + wrong[0]} are {mean[wrong[0]]:g} in every session; a Sharpe ratio needs "
                "returns that vary; leave the trial out"
            )
        sd[flat] = 1.0
        cut = ((rows - mean[:, None]) / sd[:, None]).reshape(len(rows), blocks, length)
        cut[flat] = 0.0
        sums[:, i : i + step] = cut.sum(axis=2).T
        squares[:, i : i + step] = np.einsum("pbl,pbl->bp", cut, cut)
        means[i : i + step] = np.where(flat, 0.0, mean / sd)
    return sums, squares, means


def _ratios(inside: Float2D, sums: Float2D, squares: Float2D, means: Float1D, length: int) -> Float2D:
    """(splits, P) Sharpe ratios over the blocks that ``inside`` (splits, blocks) marks; 0 where nothing varies."""
    total = inside @ sums
    square = inside @ squares
    total /= length
    square /= length
    variance = square - total * total
    varies = variance > 1e-12 * square
    np.maximum(variance, 0.0, out=variance)
    np.sqrt(variance * (length / (length - 1)), out=variance)
    total += means
    return np.divide(total, variance, out=np.zeros_like(total), where=varies)


def _chosen(train: Float2D, test: Float2D, copies: Float1D, trials: int) -> tuple[Float1D, Float1D, Float1D]:
    """In-sample ratio, out-of-sample ratio and relative rank of the in-sample best of each split.

    Ties share the average rank, and in-sample bests that tie are averaged.
    """
    rows = np.arange(len(train))
    best = np.argmax(train, axis=1)
    top = train[rows, best]
    result = test[rows, best]
    below = (test < (result - TIE)[:, None]) @ copies
    equal = (np.abs(test - result[:, None]) <= TIE) @ copies
    rank = below + (equal + 1.0) / 2.0
    tied = train >= (top - TIE)[:, None]
    for row in np.flatnonzero(tied.sum(axis=1) > 1):
        order = np.argsort(test[row])
        ranked, weight = test[row][order], np.append(0.0, np.cumsum(copies[order]))
        bests = test[row][tied[row]]
        below_each = weight[np.searchsorted(ranked, bests - TIE, side="left")]
        upto_each = weight[np.searchsorted(ranked, bests + TIE, side="right")]
        share = copies[tied[row]] / copies[tied[row]].sum()
        rank[row] = share @ ((below_each + upto_each + 1.0) / 2.0)
        result[row] = share @ bests
    return top, result, rank / (trials + 1.0)


def pbo(returns: Float2D, blocks: int = 16) -> Pbo:
    """Probability of backtest overfitting of a family of trials, with the Sharpe ratio as the figure of merit.

    Sessions are cut into ``blocks`` of equal length. Every choice of half of them is a train set, the other half
    its test set; the trial with the highest train ratio is ranked by its test ratio among all P: relative rank
    w = rank / (P + 1), 1 the lowest. The value is the share of splits with w < 1/2; w = 1/2 counts one half.
    (The paper counts it whole, which makes a family of copies look overfit; without ties and for an even P there
    is no such split.) Equal ratios share their average rank, and train bests that tie are averaged, copies
    included. A ratio over returns that do not vary is 0: nothing was held.

    Train and test share the whole sample. Where all trials have the same Sharpe ratio over it, the best of one
    half is the worst of the other, and the value is near 1: it measures selection, not skill.

    Parameters
    ----------
    returns : (P, R) fractions, one a session
        At least two trials, and two sessions a block.
    blocks : int
        Even, 2 to `MAX_BLOCKS`. 16 give 12,870 splits.

    Raises
    ------
    ConfigError
        ``blocks`` is odd or out of range.
    DataError
        Too few trials or sessions, a return that is not finite, or a trial whose return is the same non-zero
        number in every session.
    """
    if blocks % 2 or not 2 <= blocks <= MAX_BLOCKS:
        raise ConfigError(f"{blocks} blocks; give an even number from 2 to {MAX_BLOCKS}; 16 is usual")
    family = checked_family(returns, trials=2, sessions=2 * blocks)
    trials, length = len(family), family.shape[1] // blocks
    sums, squares, means = _block_sums(family, blocks)
    columns, copies = np.unique(np.vstack([sums, squares, means]), axis=1, return_counts=True)
    sums, squares, means = columns[:blocks], columns[blocks:-1], columns[-1]
    weight = copies.astype(np.float64)
    splits = np.array(list(combinations(range(blocks), blocks // 2)))
    count = len(splits)
    train, test, rank = (np.empty(count) for _ in range(3))
    step = max(1, _CELLS // len(weight))
    for i in range(0, count // 2, step):
        half = splits[i : min(i + step, count // 2)]
        inside = np.zeros((len(half), blocks))
        np.put_along_axis(inside, half, 1.0, axis=1)
        sessions = length * blocks // 2
        one = _ratios(inside, sums, squares, means, sessions)
        # The complement of split k is split count - 1 - k.
        other = _ratios(1.0 - inside, sums, squares, means, sessions)
        here = slice(i, i + len(half))
        there = slice(count - i - len(half), count - i)
        train[here], test[here], rank[here] = _chosen(one, other, weight, trials)
        train[there], test[there], rank[there] = (x[::-1] for x in _chosen(other, one, weight, trials))
    spread = train - train.mean()
    variance = float(spread @ spread)
    slope = float(spread @ test) / variance if variance > count * TIE**2 else np.nan
    return Pbo(
        value=float(np.mean(rank < 0.5 - TIE) + np.mean(np.abs(rank - 0.5) <= TIE) / 2.0),
        logits=np.log(rank / (1.0 - rank)),
        n_splits=count,
        slope=slope,
        intercept=float(test.mean() - slope * train.mean()),
        loss_probability=float(np.mean(test < 0)),
        sessions=length * blocks,
    )
