"""Statistical acceptance of the whole path from panel to returns, over 30 seeds of the synthetic market.

**What is tested on ``null``.** There every name's expected return given the past is a known constant, so a
strategy that uses only the past earns, in expectation, the sum over its holdings of holding times that constant,
whatever it holds and however it times its exposure. The *exact alpha* of a seed is the mean, a year, of

    r(t) - sum_i h_i(t-1) E_i  - b_M (SPY(t) - E_SPY) - b_B (TLT(t) - E_TLT)

with the holdings h known at the close before. Each term is a sum of martingale differences, so its mean is zero
without further assumption. The last two terms have mean zero by themselves and only reduce the noise: b_M and b_B
are each strategy's *constant* average exposures over the other seeds. They must not be the day's exposures: a book that
peeks at tomorrow's market shows it in its exposure, and subtracting exposure times market would hide just that.
The acceptance is that the mean over seeds lies within 3 of its standard error.

**Why not the intercept of an ordinary regression on SPY, TLT, IEF and BIL.** Its slopes are averages of the
exposures weighted by the market's variance. With a constant premium and a volatility that moves, a strategy that
holds less stock when VIX is high has an average exposure E[x] above its slope E[x v] / E[v], and the intercept is
premium * (E[x] - E[x v] / E[v]) > 0 without any foresight: the gain of volatility timing (Moreira and Muir 2017).
A trend gate biases it too, since exposure then follows past returns. The regression is thus right only for steady
exposures (standard deviation over time below .06), and there its mean intercept is held to the same 3 standard
errors. For every strategy its value is printed beside the *conditional* alpha, whose slopes are not estimated but
are the exposures known the close before. That one is free of the bias but blind to foresight in timing; it has
little noise, so it is required too, as the sharper test of foresight in selection.

**What is tested on ``planted``.** The neutral base of a strategy holds its funds, and in place of its stocks the
equally weighted universe at the same beta. The expected active return is the mean of active weights times the known
expected returns; with the measured tracking error it gives each seed's probability of a positive active return.
The number of positive seeds must lie in the 99 % band of the binomial distribution with their mean.
"""

import math
from dataclasses import dataclass, replace
from datetime import date
from functools import cache

import numpy as np
import pytest

from ares7.config import AccountConfig, DataConfig, SyntheticConfig
from ares7.costs import BpsCosts
from ares7.ledger import OrderStatus
from feeds import synthetic
from feeds.backtest import run_backtest
from feeds.synthetic_prices import FUNDS
from strategies import registry
from tests.stat.accounting import hold, regression_alpha

pytestmark = pytest.mark.stat

SEEDS = range(1000, 1030)
START_ROW = 300
FACTORS = ("SPY", "TLT", "IEF", "BIL")
NAMES = registry.names()
STEADY = 0.06
"""Largest standard deviation over time of an exposure that counts as constant."""
PEEKING = "regime_ensemble, a day ahead"


@dataclass(frozen=True)
class Seed:
    """One strategy on one seed; daily arrays (D,).

    ``beta`` and ``bond`` are exposures to SPY's and TLT's moves, known at the close before; ``expected`` is what
    the holdings were to earn; ``factors`` (D, 4) are returns of `FACTORS` and ``surprise`` their unexpected part;
    ``base`` and ``base_expected`` belong to the neutral base.
    """

    returns: np.ndarray
    expected: np.ndarray
    beta: np.ndarray
    bond: np.ndarray
    factors: np.ndarray
    surprise: np.ndarray
    base: np.ndarray
    base_expected: np.ndarray

    @property
    def regression(self):
        """Intercept a year of the ordinary regression on `FACTORS`."""
        return regression_alpha(self.returns, self.factors)

    @property
    def conditional(self):
        """Alpha a year with slopes known the close before."""
        explained = self.beta * self.surprise[:, 0] + self.bond * self.surprise[:, 1]
        return 252.0 * (self.returns - self.expected - explained).mean()

    def exact(self, beta, bond):
        """Alpha a year, noise reduced by constant exposures."""
        explained = beta * self.surprise[:, 0] + bond * self.surprise[:, 1]
        return 252.0 * (self.returns - self.expected - explained).mean()


class Truth:
    """What is known about one market, row by row."""

    def __init__(self, market, panel):
        close = market.adj_close.copy()
        for t in range(1, len(close)):
            close[t] = np.where(np.isfinite(close[t]), close[t], close[t - 1])
        self.returns = np.zeros(close.shape)
        self.returns[1:] = np.nan_to_num(close[1:] / close[:-1] - 1.0)
        self.expected = np.nan_to_num(market.expected)
        self.stock = market.is_stock
        self.beta = market.beta
        self.bond = np.array([FUNDS[s].bond if s in FUNDS else 0.0 for s in market.symbols])
        self.columns = [market.symbols.index(s) for s in FACTORS]
        universe = np.isfinite(market.expected) & panel.member & market.is_stock
        self.equal = universe / universe.sum(axis=1, keepdims=True).clip(1)

    def judge(self, outcome):
        """Put one strategy's outcome beside what was to be expected."""
        rows, held = outcome.rows, outcome.held
        beta = held @ self.beta
        equal = self.equal[rows]
        in_stocks = (held[:, self.stock] @ self.beta[self.stock]) / (equal @ self.beta)
        neutral = np.where(self.stock, in_stocks[:, None] * equal, held)
        returns, expected = self.returns[rows], self.expected[rows]
        factors = returns[:, self.columns]
        return Seed(
            returns=outcome.returns,
            expected=(held * expected).sum(axis=1),
            beta=beta,
            bond=held @ self.bond,
            factors=factors,
            surprise=factors - expected[:, self.columns],
            base=(neutral * returns).sum(axis=1),
            base_expected=(neutral * expected).sum(axis=1),
        )


def market_and_panel(preset, seed):
    """80 names over 8 years; strategies decide from row 300 on, when every signal is warm and BIL is listed."""
    config = SyntheticConfig(
        preset=preset, seed=seed, symbols=80, start=date(2010, 1, 4), end=date(2017, 12, 29)
    )
    market = synthetic.generate(config)
    panel = synthetic.to_panel(market, DataConfig(synthetic=config))
    return market, panel.starting(panel.dates[START_ROW])


def targets_of(name, panel):
    strategy = registry.resolve(name)
    return strategy.weights(panel, registry.settings(strategy, {}))


@cache
def results(preset):
    """Every strategy's list of `Seed`, by name."""
    found = {name: [] for name in (*NAMES, PEEKING)}
    for seed in SEEDS:
        market, panel = market_and_panel(preset, seed)
        truth = Truth(market, panel)
        for name in NAMES:
            targets = targets_of(name, panel)
            found[name].append(truth.judge(hold(panel, targets)))
            if name == "regime_ensemble":
                ahead = replace(
                    targets,
                    weights=np.vstack([targets.weights[1:], targets.weights[-1:]]),
                    decide=np.append(targets.decide[1:], False),
                )
                found[PEEKING].append(truth.judge(hold(panel, ahead)))
    return found


def mean_and_error(values):
    """Mean over seeds and its standard error."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))


def exact_alphas(seeds):
    """Exact alpha of each seed; its constant exposures are averages over the other seeds, so they know nothing."""
    beta, bond = (np.array([getattr(s, name).mean() for s in seeds]) for name in ("beta", "bond"))
    others = len(seeds) - 1
    return [
        s.exact((beta.sum() - own_beta) / others, (bond.sum() - own_bond) / others)
        for s, own_beta, own_bond in zip(seeds, beta, bond, strict=True)
    ]


def show(capsys, line):
    """Print past pytest's capture: the numbers are the result."""
    with capsys.disabled():
        print(f"\n  {line}")  # noqa: T201


def in_percent(values):
    mean, error = mean_and_error(values)
    return f"{100 * mean:+6.2f} +- {100 * error:4.2f}"


@pytest.mark.parametrize("name", NAMES)
def test_the_account_of_this_test_is_the_engines(name):
    _, panel = market_and_panel("planted", SEEDS[0])
    ours = hold(panel, targets_of(name, panel)).returns
    strategy = registry.resolve(name)
    run = run_backtest(
        panel,
        strategy,
        registry.settings(strategy, {}),
        account=AccountConfig(shares="fractional", min_trade_nav=0.0),
        costs=BpsCosts(bps=0.0),
    )
    nav = run.cerebro.broker.history.nav
    refused = (run.cerebro.broker.ledger.orders.status == OrderStatus.REFUSED).sum()
    # A refused buy is bought a day later; everything else must agree.
    limit = 0.005 * refused + 1e-10
    assert np.abs(np.cumprod(1.0 + ours) / (nav[1:] / nav[0]) - 1.0).max() < limit


@pytest.mark.parametrize("name", NAMES)
def test_no_strategy_has_alpha_on_the_null_market(name, capsys):
    seeds = results("null")[name]
    found = {
        "exact": exact_alphas(seeds),
        "conditional": [s.conditional for s in seeds],
        "regression": [s.regression for s in seeds],
    }
    show(
        capsys, f"{name:20s} alpha, % a year: " + ", ".join(f"{k} {in_percent(v)}" for k, v in found.items())
    )
    required = ["exact", "conditional"]
    if all(max(s.beta.std(), s.bond.std()) < STEADY for s in seeds):
        required.append("regression")
    for kind in required:
        mean, error = mean_and_error(found[kind])
        # A fixed mix of a factor itself has no error at all.
        assert abs(mean) <= 3.0 * error + 1e-6, f"{name}: {kind} alpha {mean:.2%} +- {error:.2%} a year"


def test_a_strategy_that_sees_one_day_ahead_is_found_on_the_null_market(capsys):
    alphas = exact_alphas(results("null")[PEEKING])
    mean, error = mean_and_error(alphas)
    show(capsys, f"{PEEKING}: exact alpha {in_percent(alphas)} % a year")
    assert mean > 3.0 * error


def binomial_band(trials, probability, inside=0.99):
    """Return the smallest and largest count between the two tails of equal size."""
    mass = [
        math.comb(trials, k) * probability**k * (1.0 - probability) ** (trials - k) for k in range(trials + 1)
    ]
    cumulated = np.cumsum(mass)
    tail = (1.0 - inside) / 2.0
    low = int(np.searchsorted(cumulated, tail, side="right"))
    high = int(np.searchsorted(cumulated, 1.0 - tail))
    return low, min(high, trials)


@pytest.mark.parametrize("name", NAMES)
def test_planted_edges_show_as_often_as_their_size_says(name, capsys):
    seeds = results("planted")[name]
    days = len(seeds[0].returns)
    actives = np.array([(s.returns - s.base).mean() for s in seeds])
    planted = np.array([(s.expected - s.base_expected).mean() for s in seeds])
    tracking = np.array([(s.returns - s.base).std(ddof=1) for s in seeds])
    if np.abs(planted).max() * 252 < 1e-4:
        show(capsys, f"{name:20s} holds nothing that differs from its neutral base")
        assert np.abs(actives).max() * 252 < 0.01
        return
    odds = np.array([0.5 * math.erfc(-z / math.sqrt(2.0)) for z in planted / tracking * math.sqrt(days)])
    low, high = binomial_band(len(seeds), float(odds.mean()))
    right = int((actives > 0).sum())
    show(
        capsys,
        f"{name:20s} planted {100 * 252 * planted.mean():+5.2f} % a year, found {in_percent(252 * actives)},"
        f" tracking error {100 * tracking.mean() * 252**0.5:.1f} %, right sign {right} of {len(seeds)},"
        f" band {low} to {high} at power {odds.mean():.2f}",
    )
    assert low <= right <= high
    mean, error = mean_and_error(252 * (actives - planted))
    assert abs(mean) <= 3.0 * error


def test_some_strategy_has_a_planted_edge_to_find():
    powers = [
        np.mean([(s.expected - s.base_expected).mean() for s in x]) for x in results("planted").values()
    ]
    assert max(powers) * 252 > 0.01
