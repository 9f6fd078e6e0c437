"""Run folders: what a run leaves behind, written atomically, listed and read back.

``runs/<UTC stamp>-<strategy>-<config hash>/`` holds the files of docs/guide.md. Only the stamp and the
duration in ``provenance.json``, and the report, which quotes them, depend on when a run was made: two runs of
one configuration on the same data give the same bytes everywhere else.
"""

from __future__ import annotations

import datetime as dt
import difflib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ares7.errors import Ares7Error, ConfigError, DataError
from ares7.run_files import RunResult as RunResult
from ares7.run_files import write_files
from ares7.search_files import SearchResult, write_search_files

PARTIAL = ".partial-"
"""Prefix of a run folder that is still being written."""


def write_run(
    folder: Path, result: RunResult | SearchResult, *, stamp: dt.datetime, report: bool = False
) -> Path:
    """Write a run folder and return its path.

    Parameters
    ----------
    folder : Path
        The folder of all runs; created when it is not there.
    stamp : datetime
        When the run was made, with a time zone; named in UTC.
    report : bool
        Also write ``report.html``.

    Raises
    ------
    Ares7Error
        The disk is full or the folder cannot be written; nothing is left behind.
    """
    stamp = stamp.astimezone(dt.UTC)
    name = f"{stamp:%Y%m%dT%H%M%SZ}-{_slug(result.label)}-{result.digest}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _partial_folder(folder, name) as partial:
            if isinstance(result, RunResult):
                write_files(partial, result, stamp)
            else:
                write_search_files(partial, result, stamp)
            if report:
                # Imported here: most callers of this module never draw.
                from ares7.tearsheet import write_report

                write_report(partial)
            _flush(partial)
            return _publish(partial, folder, name)
    except OSError as error:
        reason = error.strerror or str(error)
        raise Ares7Error(
            f"run folder {folder / name} cannot be written: {reason}; nothing was kept; free space or allow "
            "writing there, or name another folder with --set runs.folder=DIR"
        ) from None


def _slug(strategy: str) -> str:
    """Make a file name of a registry name, ``package.module:Class`` or ``path/file.py:Class``."""
    return re.sub(r"[^A-Za-z0-9_.]+", "_", Path(strategy).name).strip("._") or "strategy"


@contextmanager
def _partial_folder(folder: Path, name: str) -> Iterator[Path]:
    """Yield a new folder; what is left of it at the end, for whatever reason, is removed."""
    partial = folder / f"{PARTIAL}{name}-{secrets.token_hex(4)}"
    partial.mkdir()
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _publish(partial: Path, folder: Path, name: str) -> Path:
    """Rename to ``name``, or to the first free ``name-2``, ``name-3``, ..."""
    for number in range(1, 10_000):
        path = folder / (name if number == 1 else f"{name}-{number}")
        if path.exists():
            continue
        try:
            partial.rename(path)
        except OSError:
            if path.exists():  # another process took the name between the two calls
                continue
            raise
        _sync(folder)
        return path
    raise Ares7Error(f"runs folder {folder} already holds 9,999 runs named {name}; delete some")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush(folder: Path) -> None:
    for path in folder.iterdir():
        _sync(path)
    _sync(folder)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One line of ``run.py runs``.

    ``damage`` says why a folder cannot be read; then the other values are empty or None.
    """

    name: str
    stamp: str = ""
    strategy: str = ""
    period: str = ""
    sharpe: float | None = None
    cagr: float | None = None
    mdd: float | None = None
    synthetic: bool | None = None
    damage: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder that was read: its settings and figures; the series stay in its files."""

    folder: Path
    config: Mapping[str, Any]
    provenance: Mapping[str, Any]
    metrics: Mapping[str, Any]


def read_run(folder: Path) -> Run:
    """Read the settings and figures of one run folder.

    Raises
    ------
    DataError
        Naming the file that is missing or not readable.
    """
    return Run(
        folder=folder,
        config=_read_mapping(folder / "config.yaml", _load_yaml),
        provenance=_read_mapping(folder / "provenance.json", json.loads),
        metrics=_read_mapping(folder / "metrics.json", json.loads),
    )


def _load_yaml(text: str) -> Any:
    # The compiled loader reads a configuration in a tenth of the time; a list of runs reads many.
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe


def _read_mapping(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    try:
        value = parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problem = "is missing"
    except (OSError, ValueError, yaml.YAMLError) as error:
        problem = f"cannot be read ({' '.join(str(error).split())[:120]})"
    else:
        if isinstance(value, dict):
            return value
        problem = f"must hold a mapping; it holds {type(value).__name__}"
    raise DataError(f"run folder {path.parent}: {path.name} {problem}; run the backtest again")


def list_runs(folder: Path) -> list[RunSummary]:
    """Every run in ``folder``, oldest first; damaged and unfinished folders are listed as such."""
    if not folder.is_dir():
        return []
    # Other hidden folders are curves of searches without a cache.
    found = [p for p in folder.iterdir() if p.is_dir() and not p.name.removeprefix(PARTIAL).startswith(".")]
    return [_summary(path) for path in sorted(found, key=_age)]


def _age(path: Path) -> tuple[str, int]:
    """Sort ``name-10`` after ``name-9``."""
    stem = path.name.removeprefix(PARTIAL)
    match = re.fullmatch(r"(.*-[0-9a-f]{8})-(\d+)", stem)
    return (match[1], int(match[2])) if match else (stem, 1)


def _summary(path: Path) -> RunSummary:
    if path.name.startswith(PARTIAL):
        return RunSummary(path.name, damage="unfinished: still being written, or its process was stopped")
    try:
        run = read_run(path)
    except DataError as error:
        return RunSummary(path.name, damage=str(error))
    metrics = run.metrics
    performance = metrics.get("performance") or {}
    return RunSummary(
        name=path.name,
        stamp=str(run.provenance.get("stamp", "")),
        strategy=str(metrics.get("strategy", "")),
        period=f"{metrics.get('start', '?')} to {metrics.get('end', '?')}",
        sharpe=performance.get("sharpe"),
        cagr=performance.get("cagr"),
        mdd=performance.get("max_drawdown"),
        synthetic=metrics.get("synthetic"),
    )


def load_run(path_or_name: str | Path, folder: Path) -> Run:
    """Read a run by its path, or by its name inside ``folder``.

    Raises
    ------
    ConfigError
        There is no such run; the message lists the nearest names.
    DataError
        The folder is there and damaged.
    """
    name = str(path_or_name)
    for path in (folder / name, Path(name)):
        if name and path.is_dir():
            return read_run(path)
    known = [run.name for run in list_runs(folder) if not run.name.startswith(PARTIAL)]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.3) or known[-3:]
    remedy = f"nearest: {', '.join(near)}" if near else "the folder holds no run yet; run a backtest first"
    raise ConfigError(f"run {name!r} does not exist in {folder}; {remedy}")


FIGURES = ("performance", "baseline_performance", "costs", "exposure", "oos", "orders")
"""Sections of ``metrics.json`` whose figures `compare` puts side by side."""


def compare(run1: Run, run2: Run) -> dict[str, Any]:
    """Two runs side by side.

    Returns
    -------
    dict
        ``runs`` (their names), ``figures`` and ``config``: mappings of dotted name to the pair of values.
        ``figures`` holds all numbers of either run, ``config`` only the settings that differ.
    """
    figures = [_flat({s: run.metrics.get(s) or {} for s in FIGURES}) for run in (run1, run2)]
    settings = [_flat({k: v for k, v in run.config.items() if k != "runs"}) for run in (run1, run2)]
    return {
        "runs": [run1.folder.name, run2.folder.name],
        "figures": {
            name: pair
            for name, pair in _pairs(*figures).items()
            if any(isinstance(value, int | float) for value in pair)
        },
        "config": {name: pair for name, pair in _pairs(*settings).items() if pair[0] != pair[1]},
    }


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _pairs(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {name: [first.get(name), second.get(name)] for name in dict.fromkeys([*first, *second])}
