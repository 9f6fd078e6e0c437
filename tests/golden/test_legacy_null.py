"""Out of nothing: on prices that nobody can foretell, the published engine shows a Sharpe ratio above 2."""

from __future__ import annotations

import numpy as np
import pytest

from ares7.legacy import Biases, LegacyParams, PublishedEngine
from ares7.metrics import sharpe
from ares7.panel import Panel
from tests.contracts.panels import ends, weekdays

SEEDS = range(8)
NAMES, ROWS = 100, 2510
PUBLISHED = Biases(same_day_weights=True, quality_unread=True, assumed_costs=True)
ALONE = LegacyParams(regime=False)


def one_factor_market(seed: int) -> Panel:
    """Returns of one market factor and noise: independent over time, the same expected alpha (none) for all."""
    rng = np.random.default_rng(seed)
    market = 0.0005 + 0.01 * rng.standard_normal(ROWS)
    own = rng.normal(0.0, 0.015, (ROWS, NAMES))
    close = 50.0 * np.cumprod(1.0 + market[:, None] * rng.uniform(0.6, 1.4, NAMES) + own, axis=0)
    days = weekdays(ROWS)
    return Panel(
        dates=days[:-1],
        symbols=tuple(f"S{i:03d}" for i in range(NAMES)),
        fields={"close": close},
        series={},
        is_stock=np.ones(NAMES, dtype=bool),
        member=np.ones(close.shape, dtype=bool),
        month_end=ends(days, "M"),
        week_end=ends(days, "W"),
        start=days[275],
    )


@pytest.fixture(scope="module")
def ratios() -> dict[str, np.ndarray]:
    """(8,) Sharpe ratios of each form."""
    out: dict[str, list[float]] = {"published": [], "honest": [], "equal weight": []}
    for seed in SEEDS:
        panel = one_factor_market(seed)
        engine = PublishedEngine(panel, ALONE)
        out["published"].append(sharpe(engine.returns(PUBLISHED, allow_lookahead=True)))
        out["honest"].append(sharpe(engine.returns(Biases())))
        plain = PublishedEngine(panel, LegacyParams(regime=False, tilt=0.0))
        out["equal weight"].append(sharpe(plain.returns(Biases())))
    return {name: np.array(values) for name, values in out.items()}


def test_the_published_engine_shows_more_than_two_on_every_market(ratios):
    assert (ratios["published"] > 2.0).all()


def test_it_owes_two_of_them_to_the_day_that_chose_the_book(ratios):
    gain = ratios["published"] - ratios["equal weight"]
    assert 1.8 < gain.min() < gain.max() < 2.5


def test_its_honest_form_is_equal_weight_within_noise(ratios):
    gap = ratios["honest"] - ratios["equal weight"]
    assert np.abs(gap).max() < 0.15
    assert abs(gap.mean()) < 0.05
