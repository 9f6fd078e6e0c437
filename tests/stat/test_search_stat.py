"""Statistical acceptance of searches: where there is nothing to find, little is found; what is there shows.

**Null.** The best of the 729 regime weights (504 distinct points) is seldom called skill, also where it was chosen
by the very returns that it is judged on. On the null market that family is an easy case: it holds less stock than
equal weight and earns less. The grid of 45 overlays, whose books differ from equal weight by tilts alone, is the
case without that help; it runs on the null market too.

**Exchangeable trials.** One strategy's target rows, shifted in time in a circle, on a market that had no part in
them. Neither of two simpler constructions gives exchangeable trials. Shifting one return series leaves its Sharpe
ratio over all sessions as it is, so that the best half is followed by the worst: PBO near 1 by construction
(`test_overfit_stat`). Shifting the rows that a strategy found on the market itself brings rows before the returns
that they were made of, so that some trials see the future, over the whole period: PBO near 0. Hence the rows come
from another seed; shifts are drawn without replacement, and all names have bars throughout, since a row that is
shifted onto names that are not listed yet holds cash.

**Planted.** The effects of the market are scaled until a known point has an expected active Sharpe ratio of 1.0. The
markets in which its DSR, and that of the point which the same rows choose, exceeds .95 are counted and held against
the power (`tests.stat.power`).
"""

from datetime import date

import numpy as np
import pytest

from ares7.pbo import pbo
from tests.stat import power
from tests.stat.searches import (
    expected_active,
    generated,
    lasting_names,
    panel_of,
    points_of,
    run_grid,
    shifted,
    simulated,
    targets_of,
)
from tests.stat.test_null_and_planted import binomial_band, mean_and_error, show

pytestmark = pytest.mark.stat

NULL_SEEDS = range(4000, 4020)
NULL_LAST, TRAIN_LAST = date(2021, 12, 31), np.datetime64("2019-12-31")
FEWEST = 18
"""Of 20 null markets, in which the best point must not pass for skill."""

SHIFT_SEEDS = range(3000, 3040)
SHIFT_LAST = date(2017, 12, 29)
TRIALS, NAMES = 40, 45

PLANTED_SEEDS = range(6000, 6060)
PLANTED_LAST = date(2015, 12, 31)
"""Some five years, after which the power is far from 0 and from 1: the count can err to both sides."""
DRAWS = 200
ROOT_YEAR = 252**0.5

OVERLAY = {"tilt_per_name": 0.03, "top_frac": 0.15, "bottom_frac": 0.2}
MIXES = {
    "BULL": {"quality_momentum": 0.8, "low_volatility": 0.2},
    "BEAR": {"low_volatility": 0.6, "defensive": 0.4},
    "HIGH_VOL": {"low_volatility": 0.3, "defensive": 0.7},
}


def place_of(points, values):
    """Number of the point with these values; of a mix, with these sleeves."""

    def holds(given, wanted):
        if isinstance(wanted, dict):
            return all(holds(given[key], value) for key, value in wanted.items())
        return given == wanted

    (found,) = (i for i, point in enumerate(points) if holds(point.model_dump(), values))
    return found


def test_the_best_regime_weights_of_a_null_market_seldom_pass_for_skill(capsys):
    points = points_of("regime_ensemble")
    found = {"train Sharpe": [], "Sharpe": [], "active Sharpe": []}
    of_total = []
    for seed in NULL_SEEDS:
        panel = panel_of(generated("null", seed, NULL_LAST))
        trials = run_grid(panel, "regime_ensemble", points)
        train = int((panel.dates[panel.start_row + 1 :] <= TRAIN_LAST).sum())
        rankings = trials.total[:, :train], trials.total, trials.active
        for values, ranking in zip(found.values(), rankings, strict=True):
            values.append(power.deflated(trials.active, power.best(ranking)))
        of_total.append(power.deflated(trials.total, power.best(trials.total)))
    assert len(points) == 504
    for chosen, values in found.items():
        honest = int((np.array(values) < power.CONFIDENCE).sum())
        show(
            capsys,
            f"null, best of 729 by {chosen}: DSR of active returns under .95 in {honest} of {len(values)}, "
            f"highest {max(values):.2f}",
        )
        assert honest >= FEWEST
    rising = int((np.array(of_total) > power.CONFIDENCE).sum())
    show(capsys, f"the same, DSR of total returns over .95 in {rising} of {len(of_total)}: the market's rise")
    assert rising > len(of_total) - FEWEST


def exchangeable(name):
    """Trials of each of 40 markets."""
    panels = []
    for seed in (*SHIFT_SEEDS, SHIFT_SEEDS.stop):
        market = generated("null", seed, SHIFT_LAST)
        panels.append(panel_of(market, lasting_names(market, NAMES)))
    for seed, panel, other in zip(SHIFT_SEEDS, panels, panels[1:], strict=False):
        assert np.array_equal(panel.is_stock, other.is_stock)
        targets = targets_of(name, other)
        shifts = np.random.default_rng(seed).choice(int(targets.decide.sum()), TRIALS, replace=False)
        yield simulated(panel, shifted(panel, targets, shifts))


@pytest.mark.parametrize("name", ["low_volatility", "quality_momentum", "regime_ensemble"])
def test_the_pbo_of_exchangeable_trials_is_one_half(name, capsys):
    values, called_skill = [], 0
    for trials in exchangeable(name):
        values.append(pbo(trials.active).value)
        called_skill += power.deflated(trials.active, power.best(trials.active)) > power.CONFIDENCE
    mean, error = mean_and_error(values)
    show(
        capsys,
        f"{name:18s} PBO of {TRIALS} exchangeable trials: {mean:.3f} +- {error:.3f} over {len(values)} markets; "
        f"best called skill in {called_skill}",
    )
    assert abs(mean - 0.5) <= 3.0 * error
    assert called_skill <= binomial_band(len(values), 1.0 - power.CONFIDENCE)[1]


def test_shifted_positions_of_the_market_itself_see_its_future():
    for seed in SHIFT_SEEDS[:4]:
        market = generated("null", seed, SHIFT_LAST)
        panel = panel_of(market, lasting_names(market, NAMES))
        targets = targets_of("quality_momentum", panel)
        shifts = np.random.default_rng(seed).choice(int(targets.decide.sum()), TRIALS, replace=False)
        assert pbo(simulated(panel, shifted(panel, targets, shifts)).active).value < 0.1


@pytest.mark.parametrize(
    ("preset", "name", "values", "strength", "true"),
    [
        ("planted", "regime_ensemble", {"mixes": MIXES}, 3.4, 1.0),
        ("planted", "quality_momentum", OVERLAY, 1.37, 1.0),
        ("null", "quality_momentum", OVERLAY, 1.0, 0.0),
    ],
)
def test_skill_is_found_as_often_as_the_power_says(preset, name, values, strength, true, capsys):
    points = points_of(name)
    known = place_of(points, values)
    markets = []
    for seed in PLANTED_SEEDS:
        market = generated(preset, seed, PLANTED_LAST, strength=strength)
        panel = panel_of(market)
        expected = expected_active(market, panel, name, points[known])
        markets.append(power.Market(run_grid(panel, name, points).active, expected))

    ratio = power.true_ratios(markets, known).mean() * ROOT_YEAR
    closed = power.closed_form(markets, known).mean()
    of_known, of_chosen = power.simulated(markets, known, DRAWS, 8).mean(axis=0)
    counts = [
        sum(power.deflated(m.active, choose(m.active)) > power.CONFIDENCE for m in markets)
        for choose in (lambda _: known, power.best)
    ]
    bands = [binomial_band(len(markets), p) for p in (closed, of_chosen)]
    show(
        capsys,
        f"{preset}, {name} of {len(points)} points, active Sharpe {ratio:.2f} expected, "
        f"{markets[0].active.shape[1]} sessions, {len(markets)} markets\n"
        f"    known point: power {closed:.2f} (drawn {of_known:.2f}), DSR > .95 in {counts[0]}, "
        f"band {bands[0][0]} to {bands[0][1]}\n"
        f"    chosen point: power {of_chosen:.2f}, DSR > .95 in {counts[1]}, "
        f"band {bands[1][0]} to {bands[1][1]}",
    )
    assert ratio == pytest.approx(true, abs=0.05)
    # The closed form holds the threshold at its expected value.
    assert closed == pytest.approx(of_known, abs=0.05)
    for count, (low, high) in zip(counts, bands, strict=True):
        assert low <= count <= high
