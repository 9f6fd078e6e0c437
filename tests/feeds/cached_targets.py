"""A small market and whatever the tests of cached targets do with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ares7.book import Targets
from ares7.config import DataConfig, SyntheticConfig
from ares7.panel import Panel
from feeds import target_cache
from feeds.backtest import computed_targets
from feeds.load import load_panel
from feeds.target_cache import TargetEntry, target_entry
from strategies.equal_weight import EqualWeight
from tests.cli.conftest import Commands

ROOT = Path(__file__).resolve().parents[2]
SMALL = SyntheticConfig(symbols=25, start="2015-01-02", end="2017-12-29")
MARKET = [f"--set=data.synthetic.{name}={getattr(SMALL, name)}" for name in ("symbols", "start", "end")] + [
    "--set=runs.report=false"
]


def small_panel(home: Path) -> Panel:
    """The market by the panel cache of ``home``, with room for the warm-up."""
    loaded = load_panel(DataConfig(cache=home, synthetic=SMALL))
    return loaded.starting(loaded.dates[300])


def commands(folder: Path, home: Path) -> Commands:
    """Calls run.py on the market; the panel is shared, the targets are the folder's own."""
    cache = folder / "cache"
    cache.mkdir()
    (cache / "panels").symlink_to(home / "panels")
    return Commands(folder, cache)


def settle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever edits a source file while the tests run changes none of them."""
    stamp = ((str(ROOT / "strategies" / "__init__.py"), 1, 1),)
    monkeypatch.setattr(target_cache, "_LOADED", stamp)
    monkeypatch.setattr(target_cache, "_stamp", lambda: stamp)


def entries(cache: Path) -> list[Path]:
    folder = cache / "signals"
    return sorted(p for p in folder.iterdir() if not p.name.startswith(".")) if folder.exists() else []


def entry_of(cache: Path | None, panel: Panel, strategy: Any = EqualWeight, **params: Any) -> TargetEntry:
    found = target_entry(cache, panel, strategy, strategy.Params(**params))
    assert found is not None
    return found


def targets_of(panel: Panel, strategy: Any, cache: Path | None, **params: Any) -> Targets:
    return computed_targets(panel, strategy, strategy.Params(**params), "it", cache)


def replaced(monkeypatch: pytest.MonkeyPatch, strategy: Any, name: str, function: Any) -> None:
    """Put a function in the place of a strategy's own, as if the strategy's file defined it."""
    function.__module__ = strategy.__module__
    monkeypatch.setattr(strategy, name, staticmethod(function))


def forbidden(monkeypatch: pytest.MonkeyPatch, *strategies: Any) -> None:
    def called(panel: Panel, params: Any) -> None:
        raise AssertionError("computed again")

    for strategy in strategies:
        replaced(monkeypatch, strategy, "weights", called)
        replaced(monkeypatch, strategy, "diagnostics", called)


def form(values: Any) -> Any:
    if values is None:
        return None
    flags = values.flags
    return type(values), values.dtype.str, values.shape, flags.c_contiguous, flags.writeable, values.tobytes()


def same(a: Targets, b: Targets) -> None:
    for name in ("weights", "decide", "on_switch", "scale"):
        assert form(getattr(a, name)) == form(getattr(b, name)), name
    assert list(a.sleeves) == list(b.sleeves)
    for name, values in a.sleeves.items():
        assert form(values) == form(b.sleeves[name]), name
    assert (a.regime is None) == (b.regime is None)
    if a.regime is not None and b.regime is not None:
        assert form(a.regime.raw) == form(b.regime.raw)
        assert form(a.regime.held) == form(b.regime.held)
