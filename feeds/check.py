"""``data check``: every problem of every file of a folder at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ares7 import sessions
from ares7.arrays import Dates
from ares7.config import DataConfig
from ares7.database_url import DatabasePath
from ares7.errors import ConfigError, DataError, MissingData
from feeds.assemble import assemble
from feeds.findings import Finding, Input
from feeds.load import check_path
from feeds.membership import find_membership, read_membership
from feeds.tables import find_table, place, read_table

OPTIONAL = ("no-fundamentals", "no-earnings")
"""Files that a folder may lack: the runs that need them say so."""
SPAN = (np.datetime64("2000-01-01", "D"), np.datetime64("2025-01-01", "D"))
"""Sessions against which fundamentals are checked when the prices give none."""


def check_folder(config: DataConfig, today: np.datetime64 | None = None) -> list[Finding]:
    """List what is wrong with each file that ``config`` names; nothing stops at the first problem.

    Parameters
    ----------
    config : DataConfig
        ``path`` names the folder, a vendor's file or folder, or a database.
    today : datetime64[D] or None
        Rows after it are from the future; None means today in UTC.

    Returns
    -------
    list of Finding
        Errors first, then warnings, each in the order of the files.

    Raises
    ------
    ConfigError
        ``data.path`` is not set, or a setting that no data can satisfy.
    DataError
        The folder does not exist or cannot be read.
    ServiceUnavailable
        The database does not answer.
    """
    if config.path is None:
        raise ConfigError("data.path is not set; name a folder: python run.py data check DIR")
    if isinstance(config.path, DatabasePath):
        from feeds.database.snapshot import local, told_of_database

        found = check_folder(own := local(config), today)
        return found if own.path is None else told_of_database(None, found, own.path, config.path)[1]
    folder = config.path
    check_path(config, folder)
    built = assemble(config, folder, sessions.today() if today is None else today)
    findings = list(built.findings)
    canonical = config.layout == "canonical"
    if built.panel is None:
        dates = sessions.sessions(*SPAN, config.calendar)
        findings += _guarded("fundamentals", lambda: _check_fundamentals(config, folder, dates))
        if canonical:
            findings += _guarded("earnings", lambda: _check_earnings(folder))
            findings += _guarded("buybacks", lambda: _check_buybacks(folder))
    if canonical:
        symbols = () if built.panel is None else built.panel.symbols
        findings += _guarded("symbols", lambda: _check_symbols(folder, symbols))
        if config.universe not in ("auto", "members"):
            findings += _guarded("membership", lambda: _check_membership(folder))
    # One unreadable market file is an error of three inputs; list it once.
    distinct = list({finding.message: finding for finding in reversed(findings)}.values())[::-1]
    distinct = [replace(f, severity="warning") if f.code in OPTIONAL else f for f in distinct]
    return sorted(distinct, key=lambda finding: finding.severity != "error")


def _guarded(name: Input, check: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return check()
    except DataError as error:
        return [Finding("error", name, "unreadable", str(error), kind=type(error))]


def _check_fundamentals(config: DataConfig, folder: Path, dates: Dates) -> list[Finding]:
    from feeds.fundamentals import point_in_time_fields

    return point_in_time_fields(folder if folder.is_dir() else None, config, dates, ())[1]


def _check_earnings(folder: Path) -> list[Finding]:
    from feeds.earnings import check

    path = find_table(folder, "earnings")
    return [] if path is None else check(path)


def _check_buybacks(folder: Path) -> list[Finding]:
    from feeds.buybacks import check, find_buybacks

    path = find_buybacks(folder)
    return [] if path is None else check(path)


def _check_membership(folder: Path) -> list[Finding]:
    path = find_membership(folder)
    return [] if path is None else read_membership(path)[1]


def _check_symbols(folder: Path, symbols: tuple[str, ...]) -> list[Finding]:
    path = find_table(folder, "symbols")
    if path is None:
        return []
    names = read_table(path, ["symbol"], text=["symbol"])["symbol"].tolist()
    findings = []
    seen: set[str] = set()
    for row, name in enumerate(names):
        if not name or name in seen:
            what = f"{name!r} a second time; keep one row" if name else "no symbol; add it or remove the row"
            text = f"{path}: {place(row)} has {what}"
            findings.append(Finding("error", "symbols", "bad-symbol", text))
        seen.add(name)
    silent = sorted(seen - set(symbols) - {""})
    if symbols and silent:
        text = (
            f"{path}: {len(silent)} names have no prices ({', '.join(silent[:5])}); add them or drop the rows"
        )
        findings.append(
            Finding("warning", "symbols", "symbol-without-prices", text, len(silent), kind=MissingData)
        )
    return findings
