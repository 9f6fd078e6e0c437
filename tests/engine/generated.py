"""Generated target tables: dense, sparse, flipping, cash-starved, on random or round prices, with and without holes."""

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.engine.panels import panel_of, targets_of, without_bars
from tests.engine.running import COSTS


def examples(count):
    return settings(
        max_examples=count, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
    )


def _weights(names):
    dense = st.lists(st.floats(0.01, 1), min_size=names, max_size=names).map(lambda w: np.array(w) / sum(w))
    sparse = st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.25, 0.5]), min_size=names, max_size=names).map(
        lambda w: np.array(w) / max(sum(w), 1.0)
    )
    single = st.integers(0, names - 1).map(lambda i: np.eye(names)[i])
    return st.one_of(dense, sparse, single, st.just(np.zeros(names)))


@st.composite
def tables(draw, holes=True):
    """A panel of random or round prices, and a table of targets on random decision days."""
    sessions, names = draw(st.integers(8, 24)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):
        close = rng.choice([1.0, 2.0, 4.0, 8.0, 10.0, 12.5, 20.0, 100.0], (sessions, names))
        opening = close * rng.choice([0.5, 1.0, 1.0, 1.25], (sessions, names))
    else:
        close = rng.uniform(2, 90, names) * np.exp(np.cumsum(rng.normal(0, 0.04, (sessions, names)), axis=0))
        opening = close * np.exp(rng.normal(0, 0.03, (sessions, names)))
    panel = panel_of(opening, close, start=draw(st.integers(0, 3)))
    if holes:
        for column in range(names):
            for _ in range(draw(st.integers(0, 2))):
                first = int(rng.integers(0, sessions))
                panel = without_bars(panel, slice(first, first + int(rng.integers(1, 9))), column)
    step = draw(st.sampled_from([1, 2, 5]))
    rows = range(panel.start_row, sessions, step)
    if draw(st.booleans()):
        one, other = draw(_weights(names)), draw(_weights(names))
        chosen = {row: (one, other)[i % 2] for i, row in enumerate(rows)}
    else:
        chosen = {row: draw(_weights(names)) for row in rows}
    gross = draw(st.sampled_from([0.5, 0.98, 1.0]))
    return panel, targets_of(panel, {row: gross * weights for row, weights in chosen.items()})


accounts = st.fixed_dictionaries(
    {
        "cash": st.sampled_from([150.0, 1000.0, 4096.0, 1e6]),
        "costs": st.sampled_from(sorted(COSTS)),
        "shares": st.sampled_from(["whole", "fractional"]),
        "min_trade_nav": st.sampled_from([0.0, 0.0005, 0.05]),
    }
)
