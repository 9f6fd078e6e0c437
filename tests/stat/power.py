"""How often a deflated Sharpe ratio ought to exceed .95, from the population that the returns were drawn from.

A family of P trials on each of several markets, R sessions each. Of one *known* trial the expected active return
of every market is known (`tests.stat.searches.expected_active`). Two computations:

*Closed form*, for the known trial. Its estimated ratio is normal around the true one with the variance
V / (R - 1), V = 1 - g3 SR + (g4 - 1) / 4 SR^2, of Bailey and Lopez de Prado (2012), and DSR > .95 means that it lies
1.645 of its standard errors above the threshold: power = Phi((SR - SR0) sqrt((R - 1) / V) - 1.645). The threshold
SR0 is the expected maximum of P trials for the population's dispersion of estimated ratios: the variance of the
true ratios over trials, and (1 - mean correlation) / R of sampling error.

*Monte Carlo*, for the known trial and for the one that the same rows choose: sessions of a market are drawn with
replacement, all trials together, after each trial's mean was set to its expected one; then choice, dispersion and
`ares7.overfit.deflated_sharpe` as in a search. What the other trials expect beyond the known one is their mean
difference over all markets: differences of books that are much alike have little noise.
"""

import math
from dataclasses import dataclass

import numpy as np

from ares7.overfit import Moments, deflated_sharpe, expected_max_sharpe, moments

CONFIDENCE = 0.95
NORMAL_QUANTILE = 1.6448536269514722


@dataclass(frozen=True)
class Market:
    """(P, R) active returns of a family, and the expected one of its known trial, a session."""

    active: np.ndarray
    expected: float


def deflated(active, trial):
    """Deflated Sharpe ratio of one trial of a family, as a search gives it."""
    sample = moments(active)
    spread = float(np.std(sample.sharpe, ddof=1))
    return deflated_sharpe(sample.of(trial), len(active), spread).dsr


def best(returns):
    return int(np.argmax(moments(returns).sharpe))


def true_ratios(markets, known):
    """(S,) expected active return of the known trial over its standard deviation, a session."""
    return np.array([m.expected / m.active[known].std(ddof=1) for m in markets])


def dispersion(markets):
    """Population's standard deviation over trials of estimated ratios, a session."""
    ratios = np.mean([moments(m.active).sharpe for m in markets], axis=0)
    trials, sessions = markets[0].active.shape
    alike = np.mean([np.corrcoef(m.active).mean() for m in markets])
    between = (trials * alike - 1.0) / (trials - 1)
    return math.sqrt(np.var(ratios, ddof=1) + (1.0 - between) / sessions)


def closed_form(markets, known):
    """(S,) power of the known trial in each market."""
    threshold = expected_max_sharpe(len(markets[0].active), dispersion(markets))
    return np.array([_power(m, known, threshold) for m in markets])


def _power(market, known, threshold):
    sample = moments(market.active[known])
    ratio = market.expected / sample.sd
    variance = 1.0 - sample.skew * ratio + (sample.kurtosis - 1.0) / 4.0 * ratio**2
    score = (ratio - threshold) * math.sqrt((sample.sessions - 1) / variance) - NORMAL_QUANTILE
    return 0.5 * math.erfc(-score / math.sqrt(2.0))


def simulated(markets, known, draws, seed):
    """(S, 2) shares of draws with DSR above .95: of the known trial, and of the chosen one."""
    rng = np.random.default_rng(seed)
    beyond = np.mean([m.active.mean(axis=1) - m.active[known].mean() for m in markets], axis=0)
    return np.array([_drawn(m, m.expected + beyond, known, draws, rng) for m in markets])


def _drawn(market, expected, known, draws, rng):
    trials, sessions = market.active.shape
    sample = moments(market.active)
    centred = market.active - sample.mean[:, None]
    share = rng.multinomial(sessions, np.full(sessions, 1.0 / sessions), size=draws) / sessions
    first, second = share @ centred.T, share @ (centred * centred).T
    mean = first + expected
    sd = np.sqrt((second - first * first) * sessions / (sessions - 1))
    ratio = mean / sd
    spread = ratio.std(axis=1, ddof=1)
    found = np.zeros(2)
    for draw in range(draws):
        for place, trial in enumerate((known, int(np.argmax(ratio[draw])))):
            own = Moments(
                sessions, mean[draw, trial], sd[draw, trial], sample.skew[trial], sample.kurtosis[trial]
            )
            found[place] += deflated_sharpe(own, trials, float(spread[draw])).dsr > CONFIDENCE
    return found / draws
