"""Strategies by name: a file of this folder, ``package.module:Class`` or ``path/to/file.py:Class``."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from ares7.config import explain
from ares7.costs import BpsCosts, CostModel
from ares7.errors import Ares7Error, ConfigError
from ares7.params import BookParams
from strategies.base import PortfolioStrategy

NOT_STRATEGIES = ("base", "registry", "scaffold", "template")


def names() -> list[str]:
    """Registered names: every strategy file of this folder. Adding a file registers it."""
    found = pkgutil.iter_modules([str(Path(__file__).parent)])
    return sorted(m.name for m in found if m.name not in NOT_STRATEGIES and not m.name.startswith("_"))


def resolve(name: str, folder: Path | None = None) -> type[PortfolioStrategy]:
    """Find a strategy class.

    Parameters
    ----------
    name : str
        Registry name, ``package.module:Class`` or ``path/to/file.py:Class``.
    folder : Path, optional
        Folder of the config file, against which a relative path resolves (rulings 24).

    Raises
    ------
    ConfigError
        Nothing of that name, or its code cannot be imported.
    """
    place, _, wanted = name.rpartition(":")
    if not place:
        if name not in names():
            near = difflib.get_close_matches(name, names(), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"strategy {name!r} does not exist{hint} Known: {', '.join(names())}")
        return _only_strategy(_import(f"strategies.{name}", name), name)
    module = _from_file(Path(place), folder, name) if place.endswith(".py") else _import(place, name)
    found = getattr(module, wanted, None)
    if not (inspect.isclass(found) and issubclass(found, PortfolioStrategy)):
        raise ConfigError(
            f"strategy {name!r}: {place} has no PortfolioStrategy subclass named {wanted!r}; "
            f"it has {sorted(c.__name__ for c in _strategies(module))}"
        )
    return found


@contextmanager
def _importing(name: str) -> Iterator[None]:
    """Turn whatever a strategy's module raises while it is imported into one error."""
    try:
        yield
    except Ares7Error:
        raise
    except Exception as error:  # the user's own code may fail in any way
        raise ConfigError(f"strategy {name!r} cannot be imported: {type(error).__name__}: {error}") from error


def _import(module: str, name: str) -> ModuleType:
    with _importing(name):
        return importlib.import_module(module)


def _from_file(path: Path, folder: Path | None, name: str) -> ModuleType:
    candidates = [path.expanduser(), *([folder / path] if folder else [])]
    existing = [p for p in candidates if p.is_file()]
    if not existing:
        raise ConfigError(
            f"strategy {name!r}: file {path} does not exist; looked at {[str(p) for p in candidates]}"
        )
    spec = importlib.util.spec_from_file_location(path.stem, existing[0])
    if spec is None or spec.loader is None:
        raise ConfigError(f"strategy {name!r}: {existing[0]} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    # Backtrader's metaclass looks a class's module up here.
    sys.modules[spec.name] = module
    with _importing(name):
        spec.loader.exec_module(module)
    return module


def _strategies(module: ModuleType) -> list[type[PortfolioStrategy]]:
    return [
        c
        for _, c in inspect.getmembers(module, inspect.isclass)
        if issubclass(c, PortfolioStrategy) and c.__module__ == module.__name__
    ]


def _only_strategy(module: ModuleType, name: str) -> type[PortfolioStrategy]:
    found = _strategies(module)
    if len(found) != 1:
        raise ConfigError(
            f"strategies/{name}.py must define exactly one PortfolioStrategy; it has {len(found)}"
        )
    return found[0]


def settings(
    strategy: type[PortfolioStrategy], params: dict[str, Any], costs: CostModel | None = None
) -> BookParams:
    """Validate a strategy's parameters.

    The model curve of the risk scalers is charged the configured costs unless ``risk.cost_bps`` is given.

    Raises
    ------
    ConfigError
        Naming every wrong parameter.
    """
    chosen = dict(params)
    if "overlay" in chosen and "overlay" not in strategy.Params.model_fields:
        raise ConfigError(
            f"{strategy.__name__} takes no overlays; set strategy.overlays: [], or name a strategy that does: "
            f"{', '.join(n for n in names() if 'overlay' in resolve(n).Params.model_fields)}"
        )
    if "risk" in strategy.Params.model_fields and isinstance(costs, BpsCosts):
        risk = chosen.get("risk", {})
        if isinstance(risk, dict):
            chosen["risk"] = {"cost_bps": costs.bps, **risk}
    try:
        return strategy.Params.model_validate(chosen)
    except ValidationError as error:
        raise ConfigError(explain(error, "strategy.params")) from None


def describe(strategy: type[PortfolioStrategy]) -> str:
    """First line of the strategy's module docstring."""
    module = sys.modules.get(strategy.__module__)
    return (inspect.getdoc(module) or inspect.getdoc(strategy) or "").splitlines()[0]
