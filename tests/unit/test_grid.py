"""Grids: which points they have, what makes two of them one, and what is refused before any is run."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from ares7.config import build_config
from ares7.errors import ConfigError
from ares7.grid import MANY, Grid, require_usable, settings_at, with_values
from ares7.search_config import SearchConfig
from ares7.trials_records import params_hash
from feeds.points import PointTexts
from strategies import registry


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    share: float = Field(default=0.5, ge=0, le=1)
    other: float = Field(default=0.5, ge=0, le=1)


class Params(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    gross: float = Field(default=0.98, gt=0, le=2)
    count: int = Field(default=3, ge=1)
    inner: Inner = Inner()
    table: dict[str, Inner] = Field(default_factory=dict)


BASE = dict(Params())


def refused(grid: Grid, *, allowed: bool = False) -> str:
    with pytest.raises(ConfigError) as caught:
        require_usable(grid, Params, BASE, "mine", allowed=allowed)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_last_axis_changes_fastest_and_every_combination_comes_once():
    grid = Grid("g", {"gross": (0.1, 0.2), "count": (1, 2, 3)})
    points = [tuple(grid.values(i).values()) for i in range(len(grid))]
    assert points == [(g, c) for g in (0.1, 0.2) for c in (1, 2, 3)]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_any_grid_is_the_cartesian_product(sizes):
    grid = Grid("g", {f"x{i}": tuple(range(n)) for i, n in enumerate(sizes)})
    found = {tuple(grid.values(i).values()) for i in range(len(grid))}
    assert len(grid) == math.prod(sizes) == len(found)


def test_nested_fields_are_replaced_and_the_rest_is_shared_with_the_base():
    grid = Grid("g", {"inner.share": (0.1,), "table.x.share": (0.2,)})
    found: Any = settings_at(grid, 0, Params, BASE, "mine")
    assert (found.inner.share, found.inner.other, found.table["x"].share) == (0.1, 0.5, 0.2)
    other: Any = settings_at(Grid("g", {"gross": (0.5,)}), 0, Params, BASE, "mine")
    assert other.inner is BASE["inner"]
    assert dict(Params()) == BASE


def test_a_base_of_plain_mappings_gives_the_same_points():
    grid = Grid("g", {"inner.share": (0.1, 0.2), "gross": (0.5, 0.6)})
    for point in range(4):
        plain = settings_at(grid, point, Params, Params().model_dump(), "mine")
        assert plain == settings_at(grid, point, Params, BASE, "mine")


def test_normalised_axes_sum_to_one():
    grid = Grid("g", {"inner.share": (0.6, 0.8), "inner.other": (0.2, 0.4)}, ("inner",))
    for point in range(4):
        inner = grid.params(point, BASE)["inner"]
        assert inner["share"] + inner["other"] == pytest.approx(1, abs=1e-12)
    assert grid.values(0) == {"inner.share": 0.6, "inner.other": 0.2}


def test_the_same_mix_in_other_numbers_is_the_same_point():
    grid = Grid("g", {"inner.share": (0.3, 0.6), "inner.other": (0.1, 0.2)}, ("inner",))
    assert grid.params(0, BASE) == grid.params(3, BASE)


def test_all_zero_fractions_are_zero_and_no_division():
    grid = Grid("g", {"inner.share": (0.0,), "inner.other": (0.0,)}, ("inner",))
    assert grid.params(0, BASE)["inner"] == {"share": 0.0, "other": 0.0}


@pytest.mark.parametrize("value", [-0.2, "half", None, math.nan, math.inf])
def test_what_is_no_fraction_is_refused_and_not_normalised_away(value):
    grid = Grid("g", {"inner.share": (value,), "inner.other": (0.2,)}, ("inner",))
    assert "inner.share" in refused(grid)


def test_the_regime_weights_have_729_points_of_which_504_differ():
    strategy = registry.resolve("regime_ensemble")
    grid, own = strategy.grids["weights729"], strategy.Params()
    texts = PointTexts(own)
    found = [texts.text(settings_at(grid, i, type(own), dict(own), "r")) for i in range(len(grid))]
    assert (len(found), len(set(found))) == (729, 504)


def test_qm45_is_the_published_grid():
    grid = registry.resolve("regime_ensemble").grids["qm45"]
    assert len(grid) == 45
    assert grid.values(0) == {
        "quality_momentum.tilt_per_name": 0.01,
        "quality_momentum.top_frac": 0.1,
        "quality_momentum.bottom_frac": 0.1,
    }
    assert list(grid.values(44).values()) == [0.05, 0.2, 0.2]


@pytest.mark.parametrize("name", [n for n in registry.names() if registry.resolve(n).grids])
def test_the_shared_text_of_a_point_is_that_of_its_parameters(name):
    """Hashes from shared parts are those that the ledger makes of the whole parameters."""
    strategy = registry.resolve(name)
    own = registry.settings(strategy, {})
    texts = PointTexts(own)
    for grid in strategy.grids.values():
        for point in range(0, len(grid), 17):
            settings: Any = settings_at(grid, point, type(own), dict(own), name)
            whole = params_hash(name, settings.model_dump(mode="json"))
            assert params_hash(name, texts.text(settings)) == whole


CASES = {
    "no axis": ({}, ["no points", "no axis"]),
    "an axis without values": ({"gross": ()}, ["no points", "search.grid.gross has no values"]),
    "a value twice": ({"gross": (0.5, 0.6, 0.5)}, ["search.grid.gross", "0.5 twice"]),
    "a value twice in other digits": ({"gross": (0.5, 0.50)}, ["0.5 twice"]),
    "an unknown field": ({"gros": (0.5,)}, ["search.gros", "did you mean gross", "mine"]),
    "an unknown setting": ({"prest": ("qm45",)}, ["search.prest", "did you mean preset"]),
    "an unknown nested field": ({"inner.shar": (0.5,)}, ["inner.shar", "unknown key", "search.grid"]),
    "a field of a number": ({"gross.x": (0.5,)}, ["gross", "grid point 0 (gross.x=0.5)"]),
    "below the limit": ({"gross": (0.5, -1.0)}, ["grid point 1 (gross=-1.0)", "greater than 0"]),
    "above the limit": ({"inner.share": (0.5, 1.5)}, ["inner.share", "less than or equal to 1"]),
    "a wrong type": ({"count": (1, "many")}, ["count", "'many'"]),
    "a fraction of a count": ({"count": (1.5,)}, ["count", "1.5"]),
}


@pytest.mark.parametrize("case", CASES)
def test_an_unusable_grid_is_refused_in_one_line(case):
    axes, words = CASES[case]
    message = refused(Grid("own", axes))
    for word in words:
        assert word in message


def test_the_last_value_of_the_first_axis_is_found_without_trying_every_point():
    axes = {"gross": (0.5, 9.0), **{f"table.x{i}.share": (0.1, 0.2, 0.3) for i in range(12)}}
    grid = Grid("own", axes)
    assert len(grid) == 2 * 3**12
    assert "gross=9.0" in refused(grid)


def test_more_than_ten_million_points_are_asked_for_twice():
    grid = Grid("own", {"gross": tuple(0.1 + i * 1e-7 for i in range(5)), "count": range(1, 4_000_001)})
    assert len(grid) == 2 * MANY
    assert "20,000,000 points" in refused(grid)
    assert "--yes" in refused(grid)


def test_a_prefix_without_axes_is_refused():
    message = refused(Grid("own", {"inner.share": (0.1,)}, ("iner",)))
    assert "search.normalised" in message
    assert "'iner'" in message


def test_with_values_changes_nothing_of_its_base():
    base = {"a": {"b": 1, "c": 2}, "d": 3}
    assert with_values(base, {"a.b": 5, "e.f": 6}) == {"a": {"b": 5, "c": 2}, "d": 3, "e": {"f": 6}}
    assert base == {"a": {"b": 1, "c": 2}, "d": 3}


def axes(**search: Any) -> dict[str, tuple[Any, ...]]:
    return dict(SearchConfig.model_validate(search).grid)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"gross": "0.1,0.2"}, {"gross": (0.1, 0.2)}),
        ({"gross": [0.1, 0.2]}, {"gross": (0.1, 0.2)}),
        ({"gross": 0.1}, {"gross": (0.1,)}),
        ({"a": {"b": {"c": "1, 2"}}}, {"a.b.c": (1, 2)}),
        ({"grid": {"a.b": [1]}}, {"a.b": (1,)}),
        ({"grid": {"a": {"b": "1,2"}}, "c": 3}, {"a.b": (1, 2), "c": (3,)}),
        ({"tilt": "per_name,budget"}, {"tilt": ("per_name", "budget")}),
        ({"periods": [[126, 252], [252]]}, {"periods": ([126, 252], [252])}),
        ({"flag": "true,false"}, {"flag": (True, False)}),
        ({"x": ","}, {"x": ()}),
        ({"regime": {}}, {"regime": ()}),
        ({"target": "null,0.1"}, {"target": (None, 0.1)}),
    ],
)
def test_axes_of_the_search_section(given, wanted):
    assert axes(**given) == wanted


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ({"pbo_blocks": 7}, ["pbo_blocks", "even"]),
        ({"workers": 0}, ["search.workers", "greater than or equal to 1"]),
        ({"selection": {"objective": "luck"}}, ["objective", "train_sharpe", "'luck'"]),
        ({"selection": {"objectve": "train_sharpe"}}, ["objectve", "unknown key"]),
        ({"gross": "[1"}, ["not valid YAML"]),
        ({"grid": [1]}, ["search.grid", "dictionary"]),
    ],
)
def test_a_wrong_search_section_is_refused(tmp_path, search, words):
    given = {"costs": {"model": "bps", "bps": 10}, "search": search}
    with pytest.raises(ConfigError) as caught:
        build_config(given, tmp_path, "test")
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)
