"""Panels on disk: one folder of ``.npy`` files each, memory-mapped, so that processes share one copy.

Imports neither pandas nor pyarrow: a cached panel loads in milliseconds.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ares7 import errors
from ares7.arrays import AnyArray
from ares7.config import DataConfig
from ares7.panel import Panel
from feeds.findings import Finding

LAYOUT_VERSION = 1
"""Raise it whenever the files of an entry change in kind."""
KEEP = 8
"""Entries kept; the oldest go when another is stored."""
META = "meta.json"
CANONICAL = ("prices", "market", "fundamentals", "fundamentals_annual", "earnings", "symbols")
"""Tables of the canonical layout, apart from ``membership*``."""

_log = logging.getLogger(__name__)


def input_files(config: DataConfig, folder: Path) -> list[Path]:
    """Return every file that a panel of ``folder`` depends on, sorted.

    Parameters
    ----------
    folder : Path
        Folder in the canonical layout, or a vendor's file or folder.
    """
    files = {path for path in (config.index_file, config.vix_file, config.fundamentals_file) if path}
    if folder.is_file():
        files.add(folder)
    elif config.layout != "canonical":
        files.update(folder.iterdir())
    else:
        files.update(folder / f"{stem}{suffix}" for stem in CANONICAL for suffix in (".csv", ".parquet"))
        files.update(folder.glob("membership*"))
        files.add(folder / "provenance.json")
    return sorted(path for path in files if path.is_file())


def cache_key(config: DataConfig, files: Sequence[Path], extra: object = None) -> str:
    """Identify a panel by its settings, its files (name, size, time, inode) and the code that builds it.

    Parameters
    ----------
    files : sequence of Path
        Every input file.
    extra : object
        Further settings that change the panel; must have a stable ``repr``.
    """
    settings = config.model_dump(mode="json", exclude={"cache": True})
    inputs = [
        (str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino) for path in files if (stat := path.stat())
    ]
    parts = json.dumps([LAYOUT_VERSION, settings, _code(), inputs, repr(extra)], sort_keys=True)
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


@lru_cache(maxsize=1)
def _code() -> list[tuple[str, int, int]]:
    """Size and time of the modules that build panels, as they were when this process first asked."""
    code = sorted(Path(__file__).parent.glob("*.py"))
    return [(path.name, stat.st_size, stat.st_mtime_ns) for path in code if (stat := path.stat())]


def store(folder: Path, key: str, panel: Panel, findings: Sequence[Finding]) -> bool:
    """Write an entry; a half-written one is never seen.

    Returns
    -------
    bool
        False, with a warning in the log, when the disk is full or the folder cannot be written.
    """
    entry = folder / key
    partial = folder / f".partial-{os.getpid()}-{secrets.token_hex(4)}"
    replaced = partial.with_name(f"{partial.name}-replaced")
    try:
        partial.mkdir(parents=True)
        _write(partial, panel, findings)
        if entry.exists() and load(folder, key) is None:
            entry.replace(replaced)
        _publish(partial, entry)
    except OSError as error:
        _log.warning("cache %s is not usable (%s); going on without it", folder, error.strerror or error)
        return False
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)
    _prune(folder)
    return True


def _publish(partial: Path, entry: Path) -> None:
    try:
        partial.replace(entry)
    except OSError:
        # A folder cannot replace one that is not empty: another process stored the same panel first.
        if not entry.is_dir():
            raise


def load(folder: Path, key: str) -> tuple[Panel, list[Finding]] | None:
    """Return a stored panel with read-only memory-mapped arrays, or None.

    A damaged entry (a missing, short or wrong file) counts as absent, so that it is built again.
    """
    entry = folder / key
    if not entry.is_dir():
        return None
    try:
        meta = json.loads((entry / META).read_text(encoding="utf-8"))
        return _read(entry, meta), [_finding(item) for item in meta["findings"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        _log.warning("cache entry %s is damaged (%s); building it again", entry, error)
        return None


def is_writable(folder: Path) -> bool:
    """Whether files can be made in a folder, which is made if need be; a warning in the log if not."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError as error:
        _log.warning("cache %s is not usable (%s); going on without it", folder, error.strerror or error)
        return False


def read_only(panel: Panel) -> Panel:
    """Lock the arrays of a fresh panel, so that it behaves as a stored one does."""
    for values in _arrays(panel).values():
        values.setflags(write=False)
    return panel


def _arrays(panel: Panel) -> dict[str, AnyArray]:
    arrays: dict[str, AnyArray] = {"dates": panel.dates}
    arrays |= {f"field-{name}": values for name, values in panel.fields.items()}
    arrays |= {f"series-{name}": values for name, values in panel.series.items()}
    arrays |= {"is_stock": panel.is_stock, "member": panel.member}
    return arrays | {"month_end": panel.month_end, "week_end": panel.week_end}


def _write(entry: Path, panel: Panel, findings: Sequence[Finding]) -> None:
    arrays = _arrays(panel)
    for name, values in arrays.items():
        np.save(entry / f"{name}.npy", np.ascontiguousarray(values), allow_pickle=False)
    meta = {
        "version": LAYOUT_VERSION,
        "symbols": panel.symbols,
        "arrays": {name: [list(values.shape), values.dtype.str] for name, values in arrays.items()},
        "provenance": panel.provenance,
        "findings": [_plain(finding) for finding in findings],
    }
    (entry / META).write_text(json.dumps(meta), encoding="utf-8")


def _read(entry: Path, meta: dict[str, Any]) -> Panel:
    if meta["version"] != LAYOUT_VERSION:
        raise ValueError(f"version {meta['version']}, not {LAYOUT_VERSION}")
    arrays = {name: _array(entry / f"{name}.npy", *form) for name, form in meta["arrays"].items()}

    def group(prefix: str) -> dict[str, AnyArray]:
        return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

    try:
        return Panel(
            dates=arrays["dates"],
            symbols=tuple(meta["symbols"]),
            fields=group("field-"),
            series=group("series-"),
            is_stock=arrays["is_stock"],
            member=arrays["member"],
            month_end=arrays["month_end"],
            week_end=arrays["week_end"],
            provenance=meta["provenance"],
        )
    except errors.ConfigError as error:
        raise ValueError(str(error)) from None


def _array(path: Path, shape: list[int], dtype: str) -> AnyArray:
    # Unlike np.load it takes nothing but a plain array file: no pickle, no archive.
    mapped = np.lib.format.open_memmap(path, mode="r")
    if list(mapped.shape) != shape or mapped.dtype.str != dtype:
        raise ValueError(f"{path.name} holds {mapped.dtype.str} {mapped.shape}, not {dtype} {shape}")
    # A plain view: slicing a memmap object costs several times what slicing an array does.
    return np.asarray(mapped)


def _plain(finding: Finding) -> dict[str, Any]:
    dates = {
        name: None if (day := getattr(finding, name)) is None else str(day) for name in ("first", "last")
    }
    return asdict(finding) | dates | {"kind": finding.kind.__name__}


def _finding(item: dict[str, Any]) -> Finding:
    dates = {
        name: None if item[name] is None else np.datetime64(item[name], "D") for name in ("first", "last")
    }
    return Finding(**(item | dates | {"kind": getattr(errors, item["kind"])}))


def _prune(folder: Path) -> None:
    """Remove the oldest entries; a process that has one mapped keeps its copy until it ends."""
    try:
        entries = sorted((p for p in folder.iterdir() if p.is_dir()), key=lambda p: p.stat().st_mtime)
    except OSError:
        return
    whole = [entry for entry in entries if not entry.name.startswith(".")]
    for entry in whole[:-KEEP]:
        shutil.rmtree(entry, ignore_errors=True)
