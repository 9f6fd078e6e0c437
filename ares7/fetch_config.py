"""Settings of ``data fetch`` (docs/data.md)."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def require_https(url: str) -> str:
    """Return an address if it is encrypted, or of this machine.

    Raises
    ------
    ValueError
    """
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query:
        raise ValueError("write the address without user, password and query; keys come from the environment")
    if parts.scheme == "https" and parts.hostname:
        return url.rstrip("/")
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        return url.rstrip("/")
    raise ValueError("the address must begin with https:// (http:// is for this machine only)")


class SourceSettings(_Section):
    """One source: where it is, how often it may be asked, what it calls our symbols."""

    url: str = ""
    per_minute: float = Field(default=60.0, gt=0, allow_inf_nan=False)
    """Requests a minute, at most."""
    names: dict[str, str] = Field(default_factory=dict)
    """The source's name of a symbol of ours, where no rule gives it."""

    @field_validator("url")
    @classmethod
    def _encrypted(cls, value: str) -> str:
        return require_https(value) if value else value


class YFinanceSettings(SourceSettings):
    """Yahoo Finance, whose addresses the library knows."""

    names: dict[str, str] = {"SPX": "^GSPC", "VIX": "^VIX"}


class SharadarSettings(SourceSettings):
    """Sharadar, at Nasdaq Data Link."""

    url: str = "https://data.nasdaq.com"


class PolygonSettings(SourceSettings):
    """Polygon; five requests a minute is its free plan."""

    url: str = "https://api.polygon.io"
    per_minute: float = Field(default=5.0, gt=0, allow_inf_nan=False)


class FredSettings(SourceSettings):
    """FRED, and its names of the series."""

    url: str = "https://fred.stlouisfed.org"
    names: dict[str, str] = {"VIX": "VIXCLS", "SPX": "SP500"}


class CboeSettings(SourceSettings):
    """Cboe's files of its indices."""

    url: str = "https://cdn.cboe.com"
    names: dict[str, str] = {"VIX": "VIX"}


class SecSettings(SourceSettings):
    """The SEC: company facts, and the list that says which number a ticker has."""

    url: str = "https://data.sec.gov"
    list_url: str = "https://www.sec.gov"
    per_minute: float = Field(default=300.0, gt=0, allow_inf_nan=False)

    @field_validator("list_url")
    @classmethod
    def _encrypted_list(cls, value: str) -> str:
        return require_https(value)


class FetchConfig(_Section):
    """What ``run.py data fetch`` asks for, how patiently, and what counts as a changed bar."""

    folder: Path = Path("market_data")
    """Written to unless ``--to`` names another."""
    start: dt.date = dt.date(2005, 1, 1)
    overlap_sessions: int = Field(default=5, ge=1, le=60)
    """Bars that are there and asked for again, to see whether the past has changed."""
    tolerance: float = Field(default=1e-4, gt=0, lt=0.01)
    """A price that differs by less, relatively, is the same; vendors round."""
    volume_tolerance: float = Field(default=0.02, gt=0, lt=1)
    timeout_s: float = Field(default=30.0, gt=0, le=600)
    """Silence of a server after which a request is given up."""
    deadline_s: float = Field(default=600.0, gt=0)
    """Longest time that one answer may take."""
    retries: int = Field(default=5, ge=0, le=20)
    backoff_s: float = Field(default=1.0, ge=0, le=60)
    """Pause before the second attempt; it doubles each time, up to a minute."""
    longest_wait_s: float = Field(default=300.0, ge=0)
    """A server that asks for more patience than this ends the fetch; what was fetched is kept."""
    yfinance: YFinanceSettings = YFinanceSettings()
    ib: SourceSettings = SourceSettings()
    sharadar: SharadarSettings = SharadarSettings()
    polygon: PolygonSettings = PolygonSettings()
    fred: FredSettings = FredSettings()
    cboe: CboeSettings = CboeSettings()
    sec: SecSettings = SecSettings()
