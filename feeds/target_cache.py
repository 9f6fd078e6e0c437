"""Targets on disk: what a strategy computed on a panel, so that a second run of the same computes no signal.

An entry is found by everything that its numbers depend on: the panel's content, the strategy, its parameters, every
source file of ``ares7`` and ``strategies``, Python and the libraries. Only what can be known to depend on nothing
else is kept: panels exactly as loaded, and strategies of the ``strategies`` folder that import nothing beyond these.
A user's own file outside that folder may import anything, whose changes nobody here could see: it is never kept.
"""

from __future__ import annotations

import ast
import hashlib
import json
import logging
import os
import platform
import sys
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ares7.arrays import AnyArray, Bool1D, Float2D
from ares7.book import RegimeLabels, Targets
from ares7.panel import Panel
from ares7.params import BookParams
from feeds import entries, shared_cache

LAYOUT_VERSION = 1
"""Raise it whenever the files of an entry change in kind."""
KEEP = 64
"""Entries kept; the oldest go when another is stored."""
DIAGNOSTICS = "diagnostics.json"
PACKAGES = ("ares7", "strategies")
"""Whose source files belong to every key."""
LIBRARIES = ("backtrader", "numba", "numpy", "pandas", "pydantic", "scipy")
"""What a strategy may import beside the standard library and still be kept: their versions belong to every key."""
ROOT = Path(__file__).resolve().parent.parent

_log = logging.getLogger(__name__)
Stamp = tuple[tuple[str, int, int], ...]


def _stamp() -> Stamp | None:
    """Name, size and time of every source file that targets depend on; None while one is being replaced."""
    try:
        files = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
        return tuple((str(path), stat.st_size, stat.st_mtime_ns) for path in files if (stat := path.stat()))
    except OSError:
        return None


_LOADED = _stamp()
"""The source files as they were when this module was imported, before any strategy was."""


def _environment() -> tuple[str, ...] | None:
    """What computes targets, or None where that is not known: source files changed after they were imported."""
    stamp = _stamp()
    if stamp is None or stamp != _LOADED:
        return None
    try:
        return _code_and_versions(stamp)
    except OSError:
        return None


@lru_cache(maxsize=1)
def _code_and_versions(stamp: Stamp) -> tuple[str, ...]:
    """Hash of the source files by content, for images give all files one time; then versions."""
    digest = hashlib.sha256()
    for name, *_ in stamp:
        digest.update(Path(name).relative_to(ROOT).as_posix().encode() + b"\0")
        digest.update(Path(name).read_bytes() + b"\0")
    # Kernels as plain Python may round otherwise than compiled ones.
    compiled = os.environ.get("NUMBA_DISABLE_JIT", "")
    found = [digest.hexdigest(), platform.python_version(), platform.machine(), compiled]
    for name in LIBRARIES:
        try:
            found.append(metadata.version(name))
        except metadata.PackageNotFoundError:
            found.append("")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class TargetEntry:
    """Where the targets and the diagnostics of one strategy on one panel lie, or will lie.

    Attributes
    ----------
    folder : Path
        Of all entries.
    key : str
        Of this one.
    module : str
        That defines the strategy.
    """

    folder: Path
    key: str
    module: str

    def targets(self) -> Targets | None:
        """Return the stored targets, equal to the computed ones to the last bit, or None."""
        build = partial(_build, self.key)
        found = entries.load(self.folder, self.key, build=build, version=LAYOUT_VERSION)
        return self._shared() if found is None else found

    def _shared(self) -> Targets | None:
        """Take the targets from another machine (`feeds.shared_cache`); kept here if they can be."""
        shared = shared_cache.in_use()
        found = None if shared is None else shared.fetch("signals", self.key)
        if found is None:
            return None
        try:
            targets = _build(self.key, *found)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            _log.warning("shared targets %s cannot be used (%s); computing them", self.key, error)
            return None
        self._store(found[0], {name: found[1][name] for name in ("key", "sha256", "sleeves")})
        return targets

    def _store(self, arrays: dict[str, AnyArray], content: dict[str, Any]) -> bool:
        build = partial(_build, self.key)
        return entries.store(
            self.folder, self.key, arrays, content, build=build, version=LAYOUT_VERSION, keep=KEEP
        )

    def keep_targets(self, targets: Targets) -> bool:
        """Store valid targets; a warning in the log where the disk does not allow it.

        Returns
        -------
        bool
            Whether they are stored. Never, if the strategy imports what no key knows, or the targets hold
            anything but plain arrays in C order.
        """
        form = _plain_arrays(targets)
        if form is None or not imports_known_code(self.module):
            return False
        content = {"key": self.key, "sha256": _digest(form), "sleeves": list(targets.sleeves)}
        shared = shared_cache.in_use()
        if shared is not None:
            shared.put("signals", self.key, form, content)
        return self._store(form, content)

    def diagnostics(self) -> dict[str, Any] | None:
        """Return the stored diagnostics, or None."""
        path = self.folder / self.key / DIAGNOSTICS
        if not path.is_file():
            return None
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(found, dict):
                raise ValueError("no JSON object")
        except (OSError, ValueError) as error:
            _log.warning("cache file %s is damaged (%s); making it again", path, error)
            return None
        return found

    def keep_diagnostics(self, found: dict[str, Any]) -> bool:
        """Store diagnostics beside their targets, if JSON gives back exactly what it was given.

        Returns
        -------
        bool
            Whether they are stored.
        """
        try:
            exact = json.loads(json.dumps(found)) == found
        except (TypeError, ValueError):
            return False
        if not exact or not (self.folder / self.key).is_dir():
            return False
        return entries.add_json(self.folder, self.key, DIAGNOSTICS, found)


def target_entry(
    cache: Path | None, panel: Panel, strategy: type[Any], settings: BookParams
) -> TargetEntry | None:
    """Find the place of a strategy's targets on a panel.

    Parameters
    ----------
    cache : Path or None
        ``data.cache``; None means no cache.
    panel : Panel
    strategy : class
        With ``weights(panel, settings)``.
    settings : BookParams

    Returns
    -------
    TargetEntry or None
        None where a stored answer could be another one's: without a cache; for a panel that is not as it was
        loaded (no ``panel_sha256``, or arrays that may have been written to); for a strategy that is not defined
        in the ``strategies`` folder; when a source file has changed since this process began.
    """
    content = panel.provenance.get("panel_sha256")
    if cache is None or not content or not _as_loaded(panel) or not _is_ours(strategy):
        return None
    code = _environment()
    if code is None:
        return None
    rows = [str(panel.dates[0]), str(panel.dates[-1]), *panel.shape, str(panel.start)]
    held = [panel.symbols, sorted(panel.fields), sorted(panel.series)]
    identity = [f"{c.__module__}:{c.__qualname__}" for c in (strategy, type(settings))]
    parts = [LAYOUT_VERSION, content, rows, held, identity, _parameters(settings), code]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
    return TargetEntry(cache / "signals", key, strategy.__module__)


def _parameters(settings: BookParams) -> str:
    """Parameters as JSON, unsorted: the order of a mapping's keys may be the order of a sum."""
    return json.dumps(settings.model_dump(mode="json"))


def _as_loaded(panel: Panel) -> bool:
    """Loaded panels are locked; one that was changed in memory carries a copy that is not."""
    arrays: list[AnyArray] = [panel.dates, panel.is_stock, panel.member, panel.month_end, panel.week_end]
    arrays.extend([*panel.fields.values(), *panel.series.values()])
    return len(panel.dates) > 0 and not any(values.flags.writeable for values in arrays)


def _is_ours(strategy: type[Any]) -> bool:
    """Whether the class and both functions are those of a module of the ``strategies`` folder."""
    parts = (strategy, strategy.weights, strategy.diagnostics)
    for name in {str(getattr(part, "__module__", None)) for part in parts}:
        file = getattr(sys.modules.get(name), "__file__", None)
        if not name.startswith("strategies.") or file is None:
            return False
        if not Path(file).resolve().is_relative_to(ROOT / "strategies"):
            return False
    # A class made inside a function may hold anything.
    return "<locals>" not in strategy.__qualname__


def imports_known_code(module: str) -> bool:
    """Whether a module of ``strategies``, and those of them that it imports, import only what keys cover.

    Parameters
    ----------
    module : str
        Dotted name.
    """
    known = {*PACKAGES, *LIBRARIES, *sys.stdlib_module_names}
    waiting, seen = [module], set()
    while waiting:
        name = waiting.pop()
        if name in seen or not name.startswith("strategies"):
            continue
        seen.add(name)
        # Importing a module runs the packages that it lies in.
        waiting.append(name.rpartition(".")[0])
        try:
            imported = _imported(name)
        except (OSError, SyntaxError, ValueError):
            return False
        if any(other.split(".")[0] not in known for other in imported):
            return False
        waiting.extend(imported)
    return bool(_source(module))


def _source(module: str) -> Path | None:
    """File of a module or package; None for another name, for example a function's."""
    place = ROOT.joinpath(*module.split("."))
    return next((p for p in (place.with_suffix(".py"), place / "__init__.py") if p.is_file()), None)


def _imported(module: str) -> list[str]:
    """Dotted names of whatever a module imports, members too; ``?`` for a relative import."""
    path = _source(module)
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8") if path else "")):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = "?" if node.level else str(node.module)
            names += [origin, *(f"{origin}.{alias.name}" for alias in node.names)]
    return names


def _plain_arrays(targets: Targets) -> dict[str, AnyArray] | None:
    """What an entry stores: rows of decisions alone, if the others follow from them to the last bit."""
    arrays: dict[str, AnyArray] = {"decide": targets.decide, "on_switch": targets.on_switch}
    if targets.regime is not None:
        arrays |= {"raw": targets.regime.raw, "held": targets.regime.held}
    if targets.scale is not None:
        arrays["scale"] = targets.scale
    arrays |= {f"sleeve-{i}": values for i, values in enumerate(targets.sleeves.values())}
    for values in (targets.weights, *arrays.values()):
        if type(values) is not np.ndarray or values.dtype.hasobject or not values.flags.c_contiguous:
            return None
    if targets.decide.dtype != bool or not all(isinstance(name, str) for name in targets.sleeves):
        return None
    decided = targets.weights[targets.decide]
    if _spread(decided, targets.decide).tobytes() == targets.weights.tobytes():
        return arrays | {"decided": decided}
    return arrays | {"weights": targets.weights}


def _spread(decided: Float2D, decide: Bool1D) -> Float2D:
    """Rows of every session from those of decisions: the latest one's, zero before the first (rulings 2)."""
    latest = np.cumsum(decide)
    rows = np.concatenate([np.zeros((1, decided.shape[1]), dtype=decided.dtype), decided])
    return rows[latest]


def _digest(arrays: dict[str, AnyArray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].shape} {arrays[name].dtype.str}".encode())
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()


def _build(key: str, arrays: dict[str, AnyArray], meta: dict[str, Any]) -> Targets:
    if meta["key"] != key or _digest(arrays) != meta["sha256"]:
        raise ValueError("it does not hold what was stored under this name")
    # Copies, which may be written to as fresh ones may: the second run must not meet other rules than the first.
    own = {name: np.array(values) for name, values in arrays.items() if name != "decided"}
    return Targets(
        weights=own["weights"] if "weights" in own else _spread(arrays["decided"], own["decide"]),
        decide=own["decide"],
        on_switch=own["on_switch"],
        regime=RegimeLabels(own["raw"], own["held"]) if "raw" in own else None,
        sleeves={name: own[f"sleeve-{i}"] for i, name in enumerate(meta["sleeves"])},
        scale=own.get("scale"),
    )
