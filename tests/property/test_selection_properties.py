"""Whatever the figures: the choice does not depend on the order of the points, and the counts add up."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ares7.folds import degradation
from ares7.selection import Constraints, select
from tests.unit.selection_cases import points

ratio = st.one_of(st.floats(-3, 5), st.sampled_from([np.nan, 0.0, 1.0, 1.0, 2.0]))
row = st.tuples(ratio, ratio, ratio, st.floats(0, 1), st.floats(0, 20))
grids = st.lists(row, min_size=1, max_size=12)
objectives = st.sampled_from(["train_sharpe", "oos_min_sharpe"])
rules = st.builds(
    Constraints,
    max_degradation=st.one_of(st.none(), st.floats(-1, 1)),
    oos_above_baseline=st.booleans(),
    max_drawdown=st.one_of(st.none(), st.floats(0.01, 1)),
    max_turnover=st.one_of(st.none(), st.floats(0, 20)),
)


def figures_of(grid):
    columns = np.array(grid, dtype=float)
    return points(
        columns[:, 0], columns[:, 1:3], baseline=[0.3, 0.9], depths=columns[:, 3], turnover=columns[:, 4]
    )


@given(grid=grids, objective=objectives, rule=rules)
def test_counts_add_up(grid, objective, rule):
    found = select(figures_of(grid), objective, rule)
    assert tuple(found.rejections) == ("score", *rule.on)
    alone = [r.alone for r in found.rejections.values()]
    together = [r.cumulative for r in found.rejections.values()]
    assert together == sorted(together)
    assert all(
        one <= both <= sum(alone[: k + 1]) for k, (one, both) in enumerate(zip(alone, together, strict=True))
    )
    allowed = np.logical_and.reduce(list(found.satisfied.values()))
    assert together[-1] + allowed.sum() == len(grid)
    assert sorted(found.rank[allowed]) == list(range(1, allowed.sum() + 1))
    assert not found.rank[~allowed].any()
    assert (found.best is None) == (found.reason is not None) == (not allowed.any())


@given(grid=grids, objective=objectives, rule=rules)
def test_the_best_is_allowed_and_no_allowed_point_is_better(grid, objective, rule):
    found = select(figures_of(grid), objective, rule)
    if found.best is not None:
        allowed = np.logical_and.reduce(list(found.satisfied.values()))
        assert allowed[found.best]
        assert np.isfinite(found.score[found.best])
        assert found.best == np.flatnonzero(allowed & (found.score == found.score[allowed].max()))[0]
        assert found.score[found.leader] >= found.score[found.best]


@given(grid=grids, objective=objectives, rule=rules, data=st.data())
def test_reordering_the_points_reorders_the_answer(grid, objective, rule, data):
    order = data.draw(st.permutations(range(len(grid))))
    one = select(figures_of(grid), objective, rule)
    other = select(figures_of([grid[k] for k in order]), objective, rule)
    assert other.rejections == one.rejections
    assert other.contaminated == one.contaminated
    np.testing.assert_array_equal(other.score, one.score[list(order)])
    assert (other.best is None) == (one.best is None)
    if one.best is not None:
        assert other.score[other.best] == one.score[one.best]
        ties = np.flatnonzero((one.rank > 0) & (one.score == one.score[one.best]))
        assert order[other.best] in ties
        assert one.best == ties[0]


@given(grid=grids, rule=rules, limit=st.floats(-1, 1))
def test_a_tighter_limit_never_allows_more(grid, rule, limit):
    loose = rule.model_copy(update={"max_degradation": limit})
    tight = rule.model_copy(update={"max_degradation": limit - 0.1})
    allowed = [(select(figures_of(grid), "train_sharpe", r).rank > 0) for r in (loose, tight)]
    assert not (allowed[1] & ~allowed[0]).any()


@given(grid=grids)
def test_degradation_is_that_of_one_run(grid):
    figures = figures_of(grid)
    for k, (train, *oos) in enumerate(line[:3] for line in grid):
        expected = degradation(train, [value for value in oos if np.isfinite(value)])
        np.testing.assert_allclose(figures.degradation[k], expected, rtol=1e-12, atol=1e-12)
