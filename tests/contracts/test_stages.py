"""Rulings 11: stages that a search shares give exactly `weights`, and read only what they declare."""

from __future__ import annotations

import inspect
import sys
from functools import cache
from types import FunctionType, MethodType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from ares7.book import Targets, assemble
from ares7.grid import settings_at
from ares7.params import BookParams
from ares7.stages import Remembered, Stage, compute
from strategies import registry
from tests.contracts import panels

PLANNED = [name for name in registry.names() if registry.resolve(name).plan is not None]
VARIED: dict[str, list[dict[str, Any]]] = {
    "quality_momentum": [
        {"tilt_per_name": 0.01},
        {"top_frac": 0.1},
        {"bottom_frac": 0.1},
        {"momentum_weight": 0.1},
        {"periods": (63,)},
        {"tail": 0.05},
        {"min_names": 5},
        {"gross": 0.5},
        {"regime": {"sma": 100}},
        {"regime": {"vix_bull": 18.0, "vix_high": 20.0}},
    ],
    "regime_ensemble": [
        {"gross": 0.7},
        {"gross": 0.7, "defensive": {"mode": "switch"}},
        {"low_volatility": {"top_quantile": 0.1}, "risk": {"vol_target": 0.1}},
        {"low_volatility": {"vol_window": 30}, "risk": {"vol_target": 0.1}},
        {"defensive": {"assets": ("TLT", "GLD")}, "risk": {"vol_target": 0.1}},
        {"quality_momentum": {"top_frac": 0.1}, "risk": {"vol_target": 0.1}},
        {"quality_momentum": {"tilt": "budget"}},
        {"preset": "phase3", "risk": {"vol_target": 0.1, "cost_bps": 0.0}},
        {"risk": {"vol_target": 0.1, "cost_bps": 50.0}},
        {"regime": {"sma": 40, "short": 21, "long": 63}, "risk": {"vol_target": 0.1}},
        {"mixes": {"BULL": {"low_volatility": 1.0}}, "cash_symbol": "BIL"},
        {"mixes": {"BULL": {"low_volatility": 1.0}}, "cash_symbol": "SHY", "risk": {"vol_target": 0.1}},
    ],
}
"""Settings that differ from the defaults, or from each other, in what one stage reads."""
GRID_POINTS = 6


def points(name: str) -> list[BookParams]:
    """Defaults, every setting that a strategy is tested with elsewhere, more of them, some of each grid."""
    strategy = registry.resolve(name)
    given = [{}, *panels.SETTINGS.get(name, []), *VARIED.get(name, [])]
    found = [registry.settings(strategy, settings) for settings in given]
    for grid in strategy.grids.values():
        some = np.linspace(0, len(grid) - 1, GRID_POINTS).astype(int).tolist()
        own = strategy.Params()
        found += [settings_at(grid, point, type(own), dict(own), name) for point in some]
    return found


@cache
def alone(name: str) -> list[Targets]:
    """Each point by itself, nothing shared."""
    panel = panels.market()
    return [registry.resolve(name).weights(panel, params) for params in points(name)]


def assert_identical(got: Targets, wanted: Targets, label: str) -> None:
    assert np.array_equal(got.weights, wanted.weights), label
    assert np.array_equal(got.decide, wanted.decide), label
    assert np.array_equal(got.on_switch, wanted.on_switch), label
    assert (got.scale is None) == (wanted.scale is None), label
    if got.scale is not None and wanted.scale is not None:
        assert np.array_equal(got.scale, wanted.scale), label
    assert {k: v.tolist() for k, v in got.sleeves.items()} == {
        k: v.tolist() for k, v in wanted.sleeves.items()
    }


def orders(count: int) -> dict[str, list[int]]:
    shuffled = np.random.default_rng(7).permutation(count).tolist()
    return {"as given": list(range(count)), "backwards": list(range(count))[::-1], "shuffled": shuffled}


def test_some_strategies_have_plans():
    assert {"quality_momentum", "regime_ensemble"} <= set(PLANNED)


@pytest.mark.parametrize("order", ["as given", "backwards", "shuffled"])
@pytest.mark.parametrize("name", PLANNED)
def test_points_that_share_a_memo_give_exactly_weights(name, order):
    panel, strategy, memo = panels.market(), registry.resolve(name), Remembered()
    params = points(name)
    for i in orders(len(params))[order]:
        got = assemble(panel, strategy.plan(panel, params[i], memo))
        assert_identical(got, alone(name)[i], f"{name} {params[i]!r}")


@pytest.mark.parametrize("name", PLANNED)
def test_a_memo_that_forgets_gives_the_same(name):
    panel, strategy, memo = panels.market(), registry.resolve(name), Remembered()
    for params, wanted in zip(points(name), alone(name), strict=True):
        assert_identical(assemble(panel, strategy.plan(panel, params, memo)), wanted, repr(params))
        memo.trim(1)


def test_a_memo_shared_by_two_strategies_gives_exactly_weights():
    """The ensemble and stand-alone quality-momentum share stages; their parameters are other classes."""
    panel, memo = panels.market(), Remembered()
    for name in PLANNED:
        for params, wanted in zip(points(name), alone(name), strict=True):
            got = assemble(panel, registry.resolve(name).plan(panel, params, memo))
            assert_identical(got, wanted, f"{name} {params!r}")


class Watched:
    """Parameters that refuse to be asked for anything but the fields and properties named.

    What a method or property of the parameters reads is watched too.
    """

    def __init__(self, params: BaseModel, allowed: tuple[str, ...], stage: str) -> None:
        self.__dict__.update(_params=params, _allowed=allowed, _stage=stage)

    def __getattr__(self, name: str) -> Any:
        params, allowed = self._params, self._allowed
        if name in allowed:
            return getattr(params, name)
        found = inspect.getattr_static(type(params), name, None)
        if isinstance(found, property) and found.fget is not None:
            return found.fget(self)
        if isinstance(found, FunctionType) and name not in vars(BaseModel):
            return MethodType(found, self)
        if name == "model_dump" and set(type(params).model_fields) <= set(allowed):
            return params.model_dump
        raise AssertionError(f"{self._stage} reads {name!r} without declaring it; it declares {allowed}")


class Watching:
    """A memo that hands every stage watched parameters, and remembers nothing."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def __call__(self, stage: Stage[Any], panel: Any, params: Any) -> Any:
        self.seen.add(stage.name)
        plain = params._params if isinstance(params, Watched) else params
        return stage(panel, Watched(plain, stage.reads, stage.name), self)


def stages() -> dict[str, Stage[Any]]:
    """Every stage that some strategy file or the overlays declare."""
    homes = ("strategies.", "ares7.overlay.")
    modules = [module for name, module in sys.modules.items() if name.startswith(homes)]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Stage)]
    return {stage.name: stage for stage in found}


def test_every_stage_reads_only_what_it_declares():
    panel, memo = panels.market(), Watching()
    for name in PLANNED:
        for params in points(name):
            registry.resolve(name).plan(panel, params, memo)
    assert memo.seen == set(stages())
    assert len(memo.seen) >= 8


def test_an_undeclared_read_is_noticed():
    """The watch itself can fail."""
    params = registry.resolve("quality_momentum").Params()

    def greedy(panel: Any, params: Any) -> float:
        return float(params.top_frac + params.bottom_frac)

    with pytest.raises(AssertionError, match="bottom_frac"):
        Watching()(Stage(greedy, ("top_frac",), nested=False), None, params)
    with pytest.raises(AssertionError, match=r"lookback|periods"):
        Watching()(Stage(lambda panel, p: p.warmup, ("gross",), nested=False), None, params)


@pytest.mark.parametrize("name", sorted(stages()))
def test_the_key_of_a_stage_changes_with_every_declared_field(name):
    stage = stages()[name]
    plain = dict.fromkeys(stage.reads, 0)
    key = stage.key(SimpleNamespace(**plain, undeclared=1))
    assert key == stage.key(SimpleNamespace(**plain, undeclared=2))
    for field in stage.reads:
        assert stage.key(SimpleNamespace(**{**plain, field: 1})) != key, field


def test_no_two_stages_share_a_key():
    found = stages()
    assert len(
        {stage.key(SimpleNamespace(**dict.fromkeys(stage.reads, 0))) for stage in found.values()}
    ) == len(found)


@pytest.mark.parametrize("name", PLANNED)
def test_what_no_axis_changes_is_computed_once_for_a_whole_grid(name):
    strategy, panel = registry.resolve(name), panels.market()
    own = strategy.Params()
    for grid in strategy.grids.values():
        memo = Remembered()
        for point in np.linspace(0, len(grid) - 1, 30).astype(int).tolist():
            strategy.plan(panel, settings_at(grid, point, type(own), dict(own), name), memo)
        held = {stage: count for stage, count in memo.computed.items() if not stage.endswith(".tilted")}
        assert set(held.values()) == {1}, held


def test_a_single_run_remembers_nothing():
    """`compute` is the default memo: parameters changed in between are seen."""
    panel, strategy = panels.market(), registry.resolve("quality_momentum")
    first = strategy.plan(panel, strategy.Params())
    again = strategy.plan(panel, strategy.Params(), compute)
    assert first.sleeves["quality_momentum"] is not again.sleeves["quality_momentum"]
