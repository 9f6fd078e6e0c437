"""A source by name: its client, its pace, its key."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ares7.errors import ConfigError
from ares7.fetch_config import FetchConfig, SourceSettings
from feeds.fetch.patience import Patience
from feeds.fetch.source import Source
from feeds.fetch.web import Web

FROM_FILES = ("sharadar", "polygon")
"""Sources whose files may be on this machine."""
_PLAN = "take a plan that includes what was asked for"


def patience(name: str, config: FetchConfig) -> Patience:
    """Pace and retries of a source."""
    own: SourceSettings = getattr(config, name)
    return Patience(
        name,
        per_minute=own.per_minute,
        retries=config.retries,
        backoff_s=config.backoff_s,
        longest_wait_s=config.longest_wait_s,
    )


def web(
    name: str,
    config: FetchConfig,
    headers: Mapping[str, str] | None = None,
    *,
    secret: str = "",
    remedy: str = "",
) -> Web:
    """HTTP client of a source."""
    return Web(
        name,
        patience(name, config),
        timeout_s=config.timeout_s,
        deadline_s=config.deadline_s,
        headers=headers,
        secret=secret,
        remedy=remedy,
    )


def key_of(variable: str, source: str) -> str:
    """A key, of the environment and nowhere else.

    Raises
    ------
    ConfigError
        It is not set, or is no key.
    """
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigError(
            f"{source} needs a key, and the environment variable {variable} is not set; export it"
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(
            f"the environment variable {variable} holds no key (spaces or odd characters); correct it"
        )
    return key


def make(name: str, config: FetchConfig, files: Path | None) -> Source:
    """Make a source.

    Raises
    ------
    ConfigError
        Its key or its library is missing.
    """
    return _MAKERS[name](config, files)


def _fred(config: FetchConfig, files: Path | None) -> Source:
    from feeds.fetch.vendors.fred import Fred

    return Fred(config.fred, web("fred", config))


def _cboe(config: FetchConfig, files: Path | None) -> Source:
    from feeds.fetch.vendors.cboe import Cboe

    return Cboe(config.cboe, web("cboe", config))


def _yfinance(config: FetchConfig, files: Path | None) -> Source:
    from feeds.fetch.vendors.yfinance import YFinance, library_download, library_earnings

    own = config.yfinance
    return YFinance(own, patience("yfinance", config), library_download(), library_earnings())


def _polygon(config: FetchConfig, files: Path | None) -> Source:
    from feeds.fetch.vendors.polygon import Polygon, PolygonFiles

    if files is not None:
        return PolygonFiles(files)
    key = key_of("ARES7_POLYGON_KEY", "polygon")
    remedy = f"correct the key in ARES7_POLYGON_KEY, or {_PLAN}"
    headers = {"Authorization": f"Bearer {key}"}
    return Polygon(config.polygon, web("polygon", config, headers, secret=key, remedy=remedy))


def _sharadar(config: FetchConfig, files: Path | None) -> Source:
    from feeds.fetch.vendors.sharadar import Api, Files, Sharadar

    if files is not None:
        return Sharadar(Files(files), sizes=(10**6, 10**6))
    key = key_of("ARES7_SHARADAR_KEY", "sharadar")
    remedy = f"correct the key in ARES7_SHARADAR_KEY, or {_PLAN}"
    client = web("sharadar", config, {"X-Api-Token": key}, secret=key, remedy=remedy)
    return Sharadar(Api(config.sharadar, client))


def _sec(config: FetchConfig, files: Path | None) -> Source:
    from feeds.fetch.vendors.sec import VARIABLE, Sec, agent

    remedy = (
        f"the SEC refuses who asks too often or does not say who asks: check {VARIABLE}, and wait ten minutes"
    )
    return Sec(config.sec, web("sec", config, {"User-Agent": agent()}, remedy=remedy))


_MAKERS = {
    "fred": _fred,
    "cboe": _cboe,
    "yfinance": _yfinance,
    "polygon": _polygon,
    "sharadar": _sharadar,
    "sec": _sec,
}
