"""Entries of the disk caches: one folder of ``.npy`` files and a ``meta.json`` each, whole or absent."""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ares7.arrays import AnyArray

META = "meta.json"
T = TypeVar("T")
Build = Callable[[dict[str, AnyArray], dict[str, Any]], T]
"""Makes what an entry stands for from its arrays and its ``meta.json``; `ValueError` or `KeyError` if it cannot."""

_log = logging.getLogger(__name__)


def store(
    folder: Path,
    key: str,
    arrays: Mapping[str, AnyArray],
    content: Mapping[str, Any],
    *,
    build: Build[Any],
    version: int,
    keep: int,
) -> bool:
    """Write an entry; a half-written one is never seen.

    Parameters
    ----------
    folder : Path
        Made if need be.
    key : str
        Name of the entry.
    arrays : mapping of file stem to array
        Plain arrays, no objects.
    content : mapping
        What ``meta.json`` holds beside ``version`` and the form of each array.
    build : callable
        As for `load`: an entry that is there is replaced only if it is damaged.
    version : int
        Of the layout.
    keep : int
        Entries kept; the oldest go.

    Returns
    -------
    bool
        False, with a warning in the log, when the disk is full or the folder cannot be written.
    """
    entry = folder / key
    partial = _partial(folder)
    replaced = partial.with_name(f"{partial.name}-replaced")
    try:
        partial.mkdir(parents=True)
        _write(partial, arrays, {"version": version, **content})
        if entry.exists() and load(folder, key, build=build, version=version) is None:
            entry.replace(replaced)
        _publish(partial, entry)
    except OSError as error:
        _unusable(folder, error)
        return False
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)
    _prune(folder, keep)
    return True


def load(folder: Path, key: str, *, build: Build[T], version: int) -> T | None:
    """Return what ``build`` makes of an entry's read-only memory-mapped arrays, or None.

    A damaged entry (a missing, short or wrong file, another version) counts as absent, so that it is made again.
    """
    entry = folder / key
    if not entry.is_dir():
        return None
    try:
        meta = json.loads((entry / META).read_text(encoding="utf-8"))
        if meta["version"] != version:
            raise ValueError(f"version {meta['version']}, not {version}")
        arrays = {name: _mapped(entry / f"{name}.npy", *form) for name, form in meta["arrays"].items()}
        return build(arrays, meta)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        _log.warning("cache entry %s is damaged (%s); building it again", entry, error)
        return None


def add_json(folder: Path, key: str, name: str, content: Any) -> bool:
    """Put a further JSON file into an entry, in place of one of that name.

    Returns
    -------
    bool
        False, with a warning in the log, when the disk is full, or the entry is gone or cannot be written.
    """
    partial = _partial(folder)
    try:
        partial.write_text(json.dumps(content), encoding="utf-8")
        partial.replace(folder / key / name)
    except OSError as error:
        _unusable(folder, error)
        return False
    finally:
        partial.unlink(missing_ok=True)
    return True


def is_writable(folder: Path) -> bool:
    """Whether files can be made in a folder, which is made if need be; a warning in the log if not."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError as error:
        _unusable(folder, error)
        return False


def _unusable(folder: Path, error: OSError) -> None:
    _log.warning("cache %s is not usable (%s); going on without it", folder, error.strerror or error)


def _partial(folder: Path) -> Path:
    return folder / f".partial-{os.getpid()}-{secrets.token_hex(4)}"


def _publish(partial: Path, entry: Path) -> None:
    try:
        partial.replace(entry)
    except OSError:
        # A folder cannot replace one that is not empty: another process stored the same entry first.
        if not entry.is_dir():
            raise


def _write(entry: Path, arrays: Mapping[str, AnyArray], content: dict[str, Any]) -> None:
    for name, values in arrays.items():
        np.save(entry / f"{name}.npy", np.ascontiguousarray(values), allow_pickle=False)
    forms = {name: [list(values.shape), values.dtype.str] for name, values in arrays.items()}
    (entry / META).write_text(json.dumps(content | {"arrays": forms}), encoding="utf-8")


def _mapped(path: Path, shape: list[int], dtype: str) -> AnyArray:
    # Unlike np.load it takes nothing but a plain array file: no pickle, no archive.
    mapped = np.lib.format.open_memmap(path, mode="r")
    if list(mapped.shape) != shape or mapped.dtype.str != dtype:
        raise ValueError(f"{path.name} holds {mapped.dtype.str} {mapped.shape}, not {dtype} {shape}")
    # A plain view: slicing a memmap object costs several times what slicing an array does.
    return np.asarray(mapped)


def _prune(folder: Path, keep: int) -> None:
    """Remove the oldest entries; a process that has one mapped keeps its copy until it ends."""
    try:
        entries = sorted((p for p in folder.iterdir() if p.is_dir()), key=lambda p: p.stat().st_mtime)
    except OSError:
        return
    whole = [entry for entry in entries if not entry.name.startswith(".")]
    for entry in whole[:-keep]:
        shutil.rmtree(entry, ignore_errors=True)
