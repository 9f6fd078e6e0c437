"""Panels on disk: one folder of ``.npy`` files each, memory-mapped, so that processes share one copy.

Imports neither pandas nor pyarrow: a cached panel loads in milliseconds.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ares7 import errors
from ares7.arrays import AnyArray
from ares7.config import DataConfig
from ares7.panel import Panel
from ares7.signals import surprise
from feeds import entries, shared_cache
from feeds.findings import Finding

LAYOUT_VERSION = 1
"""Raise it whenever the files of an entry change in kind."""
KEEP = 8
"""Entries kept; the oldest go when another is stored."""
HERE = "<data.path>"
"""Stands for the place of the data in what is shared."""
CANONICAL = (
    "prices",
    "market",
    "fundamentals",
    "fundamentals_annual",
    "earnings",
    "buybacks",
    "buyback_events",
    "symbols",
)
"""Tables of the canonical layout, apart from ``membership*``."""

_log = logging.getLogger(__name__)


def input_files(config: DataConfig, folder: Path) -> list[Path]:
    """Return every file that a panel of ``folder`` depends on, sorted.

    Parameters
    ----------
    folder : Path
        Folder in the canonical layout, or a vendor's file or folder.
    """
    files = set(own_files(config))
    if folder.is_file():
        files.add(folder)
    elif config.layout != "canonical":
        files.update(folder.iterdir())
    else:
        files.update(folder / f"{stem}{suffix}" for stem in CANONICAL for suffix in (".csv", ".parquet"))
        files.update(folder.glob("membership*"))
        files.add(folder / "provenance.json")
    return sorted(path for path in files if path.is_file())


def own_files(config: DataConfig) -> list[Path]:
    """Return the files that the settings name beside the folder, sorted."""
    named = (config.index_file, config.vix_file, config.fundamentals_file)
    return sorted(path for path in named if path is not None and path.is_file())


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


def shared_key(config: DataConfig, files: Sequence[Path], extra: object = None) -> str:
    """Identify a panel on any machine: `cache_key` by content, without a path."""
    settings = config.model_dump(mode="json", exclude={"cache": True, "path": True})
    for name in ("index_file", "vix_file", "fundamentals_file"):
        settings[name] = settings[name] and Path(settings[name]).name
    return shared_cache.content_key([LAYOUT_VERSION, settings], files, extra)


@lru_cache(maxsize=1)
def _code() -> list[tuple[str, int, int]]:
    """Size and time of the modules that build panels, as they were when this process first asked."""
    code = sorted(Path(__file__).parent.glob("*.py"))
    # The core's share in what a panel holds.
    code.append(Path(surprise.__file__))
    return [(path.name, stat.st_size, stat.st_mtime_ns) for path in code if (stat := path.stat())]


def store(folder: Path, key: str, panel: Panel, findings: Sequence[Finding]) -> bool:
    """Write an entry; a half-written one is never seen.

    Returns
    -------
    bool
        False, with a warning in the log, when the disk is full or the folder cannot be written.
    """
    content = _content(panel, findings)
    return entries.store(
        folder, key, _arrays(panel), content, build=_build, version=LAYOUT_VERSION, keep=KEEP
    )


def _content(panel: Panel, findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "symbols": panel.symbols,
        "provenance": panel.provenance,
        "findings": [_plain(finding) for finding in findings],
    }


def load(folder: Path, key: str) -> tuple[Panel, list[Finding]] | None:
    """Return a stored panel with read-only memory-mapped arrays, or None.

    A damaged entry (a missing, short or wrong file) counts as absent, so that it is built again.
    """
    return entries.load(folder, key, build=_build, version=LAYOUT_VERSION)


def share(config: DataConfig, key: Callable[[], str], panel: Panel, findings: Sequence[Finding]) -> None:
    """Give a panel to other machines, if this process shares what it computes (`feeds.shared_cache`).

    Parameters
    ----------
    config : DataConfig
    key : callable
        `shared_key` of the panel.
    """
    shared = shared_cache.in_use()
    if shared is not None:
        name = key()
        content = _placed(_content(panel, findings), str(config.path), HERE)
        shared.put("panels", name, _arrays(panel), content | {"key": name})


def bring(config: DataConfig, key: Callable[[], str]) -> tuple[Panel, list[Finding]] | None:
    """Return a panel that another machine has shared, or None. Parameters are those of `share`."""
    shared = shared_cache.in_use()
    if shared is None:
        return None
    name = key()
    found = shared.fetch("panels", name)
    if found is None:
        return None
    try:
        if found[1]["key"] != name:
            raise ValueError("it was stored under another name")
        panel, findings = _build(found[0], _placed(found[1], HERE, str(config.path)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        _log.warning("shared panel %s cannot be used (%s); building it", name, error)
        return None
    return read_only(panel), findings


def _placed(content: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    """Name another place in the texts of an entry."""
    told = [item | {"message": item["message"].replace(old, new)} for item in content["findings"]]
    provenance = dict(content["provenance"])
    if "database" in provenance:
        provenance["database"] = provenance["database"].replace(old, new)
    return {**content, "findings": told, "provenance": provenance}


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


def _build(arrays: dict[str, AnyArray], meta: dict[str, Any]) -> tuple[Panel, list[Finding]]:
    def group(prefix: str) -> dict[str, AnyArray]:
        return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}

    try:
        panel = Panel(
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
    return panel, [_finding(item) for item in meta["findings"]]


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
