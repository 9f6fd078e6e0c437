"""The way in: from ``data`` settings to a Panel, through the cache, stopping at what the run cannot use.

Importing this module and loading a cached panel touches neither pandas, pyarrow nor the exchange calendar.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ares7 import sessions
from ares7.config import DataConfig
from ares7.database_url import DatabasePath, masked
from ares7.errors import ConfigError, DataError, MissingData
from ares7.panel import Panel
from feeds import cache, entries
from feeds.findings import Finding, raise_errors

FUTURE = ("future-date", "filed-in-future")
"""Findings that time alone may resolve."""
WORK = ".fetch"
"""Folder inside a data folder in which ``data fetch`` works."""
PENDING = f"{WORK}/commit.json"
"""There while the files of a data folder are being replaced together."""


def load_panel(
    config: DataConfig,
    needs: frozenset[str] = frozenset(),
    first: np.datetime64 | None = None,
    last: np.datetime64 | None = None,
    *,
    today: np.datetime64 | None = None,
    allow_restated: bool = False,
) -> Panel:
    """Load every input of ``config`` as a panel, or say what is wrong with one that the run reads.

    The rows of a price table may come in any order of symbols; within one symbol its dates must increase. The
    panel does not depend on the order of symbols (rulings 9).

    Parameters
    ----------
    config : DataConfig
        ``path`` None means the synthetic market of ``config.synthetic``; it may name a database.
    needs : frozenset of str
        Inputs that the strategy reads, of ``etfs index vix fundamentals earnings``. Problems of other inputs do
        not stop the run. Prices and membership are always read.
    first, last : datetime64[D] or None
        Dates that the run reads, warm-up included; problems outside do not stop it. None means no bound.
    today : datetime64[D] or None
        Rows after it are from the future; None means today in UTC.
    allow_restated : bool
        Accept restated fundamentals (rulings 26).

    Returns
    -------
    Panel
        Stocks and funds on the exchange sessions from the first to the last stock price. Arrays are read-only.
        ``series`` has ``index`` and ``vix`` where the files have them: NaN where no recent close is known.
        ``provenance`` carries file hashes, ``panel_sha256``, ``synthetic`` and the warnings.

    Raises
    ------
    DataError
        Or a subclass: the first problem that the run would meet.
    ConfigError
        A setting that no data can satisfy, or a missing library.
    """
    panel, findings = load_with_findings(config, today=today, allow_restated=allow_restated)
    raise_errors(findings, needs, first, last)
    if panel is None:
        # No panel at all: whatever prevents it stops every run, wherever it reads.
        raise_errors(findings, needs)
        raise MissingData(f"{config.path} gives no prices; run 'python run.py data check DIR'")
    return panel


def load_with_findings(
    config: DataConfig, *, today: np.datetime64 | None = None, allow_restated: bool = False
) -> tuple[Panel | None, list[Finding]]:
    """Load a panel, or None, and everything that is wrong with the files, without stopping at it.

    Raises
    ------
    DataError
        ``data.path`` does not exist.
    ConfigError
        A setting that no data can satisfy, or a missing library.
    ServiceUnavailable
        The database does not answer.
    """
    if config.path is None:
        return _load_synthetic(config, today, allow_restated)
    if isinstance(config.path, DatabasePath):
        return _load_database(config, config.path, today, allow_restated)
    check_path(config, config.path)
    return _load_folder(config, config.path, today, allow_restated)


def local_config(config: DataConfig) -> DataConfig:
    """Return the settings with a folder in the place of a database (`feeds.database.snapshot`).

    Raises
    ------
    ServiceUnavailable, ConfigError, DataError
        The database does not give its data.
    """
    if not isinstance(config.path, DatabasePath):
        return config
    from feeds.database.snapshot import local

    return local(config)


def local_path(config: DataConfig) -> Path:
    """Return the folder to read, of a database too. Errors as `local_config`, or no ``data.path``."""
    path = local_config(config).path
    if path is None:
        raise ConfigError("data.path is not set; name a data folder")
    return path


def check_path(config: DataConfig, path: Path) -> None:
    """Refuse a ``data.path`` that is not there, a database, or a file where the layout is a folder.

    Raises
    ------
    MissingData, DataError, ConfigError
    """
    if isinstance(path, DatabasePath):
        raise ConfigError(
            f"{masked(str(path))} is a database, and this command reads folders; make one and name it: python run.py "
            "data dump --from URL DIR"
        )
    if not path.exists():
        raise MissingData(f"data folder {path} does not exist; correct data.path or --data")
    if path.is_dir() and not os.access(path, os.R_OK | os.X_OK):
        raise DataError(f"data folder {path} cannot be read; correct its permissions")
    if (path / PENDING).exists():
        raise DataError(
            f"data folder {path} is being written: a fetch is replacing its files, or was stopped while it did; "
            "wait, or run the same 'python run.py data fetch' again, which finishes it"
        )
    if config.layout == "canonical" and not path.is_dir():
        raise DataError(
            f"{path} is a file; the canonical layout is a folder that holds prices.parquet or prices.csv; "
            "name the folder, or set data.layout"
        )


def _load_synthetic(
    config: DataConfig, today: np.datetime64 | None, allow_restated: bool
) -> tuple[Panel | None, list[Finding]]:
    if config.layout != "canonical":
        raise ConfigError(f"data.layout is {config.layout} and data.path is not set; name the vendor's files")
    # The settings determine every number, so the files need not be there once the panel is stored.
    key = cache.cache_key(config, [], (allow_restated, today))
    if config.cache is not None and (stored := cache.load(config.cache / "panels", key)):
        return stored
    from feeds.synthetic import ensure

    with synthetic_home(config) as home:
        folder = ensure(config.synthetic, home, config.calendar)
        return _build(config, folder, today, allow_restated, _Keys(lambda: key))


@contextmanager
def synthetic_home(config: DataConfig) -> Iterator[Path]:
    """Yield the cache folder, or a temporary one without a writable cache."""
    if config.cache is not None and entries.is_writable(config.cache):
        yield config.cache
    else:
        with tempfile.TemporaryDirectory(prefix="ares7-") as temporary:
            yield Path(temporary)


@dataclass(frozen=True, slots=True)
class _Keys:
    """What identifies a panel now: on this machine, and on any."""

    local: Callable[[], str]
    shared: Callable[[], str] | None = None


def _known(config: DataConfig, keys: _Keys) -> tuple[Panel, list[Finding]] | None:
    """Return a panel that was built before, here or elsewhere."""
    key = keys.local()
    if config.cache is not None and (stored := cache.load(config.cache / "panels", key)):
        return stored
    if keys.shared is None or (brought := cache.bring(config, keys.shared)) is None:
        return None
    return _stored(config, key, *brought)


def _stored(
    config: DataConfig, key: str, panel: Panel, findings: list[Finding]
) -> tuple[Panel, list[Finding]]:
    if config.cache is not None:
        panels = config.cache / "panels"
        if cache.store(panels, key, panel, findings) and (stored := cache.load(panels, key)):
            return stored
    return cache.read_only(panel), findings


def _load_folder(
    config: DataConfig, folder: Path, today: np.datetime64 | None, allow_restated: bool
) -> tuple[Panel | None, list[Finding]]:
    extra = (allow_restated, today)
    keys = _Keys(
        lambda: cache.cache_key(config, cache.input_files(config, folder), extra),
        lambda: cache.shared_key(config, cache.input_files(config, folder), extra),
    )
    return _known(config, keys) or _build(config, folder, today, allow_restated, keys)


def _load_database(
    config: DataConfig, path: DatabasePath, today: np.datetime64 | None, allow_restated: bool
) -> tuple[Panel | None, list[Finding]]:
    from feeds.database import snapshot

    held = snapshot.content(path)
    keys = _Keys(
        lambda: cache.cache_key(config, cache.own_files(config), (allow_restated, today, held.name)),
        lambda: cache.shared_key(config, cache.own_files(config), (allow_restated, today, held.name)),
    )
    if (known := _known(config, keys)) is not None:
        return known
    # Somebody may load in between: the keys are those of what was read.
    folder, held = snapshot.folder_of(path, held, config.cache)
    return _build(config, folder, today, allow_restated, keys)


def _build(
    config: DataConfig, folder: Path, today: np.datetime64 | None, allow_restated: bool, keys: _Keys
) -> tuple[Panel | None, list[Finding]]:
    from feeds.assemble import assemble

    before = keys.local()
    built = assemble(config, folder, sessions.today() if today is None else today, allow_restated)
    panel, findings = built.panel, built.findings
    if isinstance(config.path, DatabasePath):
        from feeds.database.snapshot import told_of_database

        panel, findings = told_of_database(panel, findings, folder, config.path)
    if panel is None:
        return None, findings
    # What is in the future today may not be tomorrow; such a reading is not kept.
    if any(finding.code in FUTURE for finding in findings) or before != keys.local():
        return cache.read_only(panel), findings
    if keys.shared is not None:
        cache.share(config, keys.shared, panel, findings)
    return _stored(config, before, panel, findings)
