"""Configuration: one YAML file, ``--set`` overrides, frozen and complete models.

Every section is a pydantic model with ``extra="forbid"``: a misspelt key is an error, not a default.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from ares7.alerts_config import AlertsConfig
from ares7.config_file import apply_override, read_yaml
from ares7.costs import CostModel
from ares7.database_url import DatabasePath, database_path, is_url, masked
from ares7.errors import ConfigError, LookaheadError
from ares7.fetch_config import FetchConfig
from ares7.goals import Goals
from ares7.halt_config import HaltConfig
from ares7.limits.params import LimitParams
from ares7.live_config import LiveConfig as LiveConfig
from ares7.overlay.params import Engine, OverlaySettings
from ares7.redis_config import RedisConfig
from ares7.search_config import SearchConfig

_ELSEWHERE: dict[str, Any] = {
    "runs": True,
    "engine": True,
    "data": {"cache"},
    "search": True,
    "targets": True,
    "daily": True,
    "live": True,
    "limits": True,
    "halt": True,
    "redis": True,
    "alerts": True,
    "fetch": True,
}
"""Settings that do not change what a backtest gives."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SyntheticConfig(_Section):
    """The seeded synthetic market that is used when ``data.path`` is null."""

    preset: Literal["null", "planted"] = "planted"
    seed: int = Field(default=7, ge=0)
    symbols: int = Field(default=200, ge=5, le=5000)
    start: dt.date = dt.date(2010, 1, 4)
    end: dt.date = dt.date(2025, 12, 31)

    @field_validator("preset", mode="before")
    @classmethod
    def _yaml_null(cls, value: Any) -> Any:
        """Unquoted, YAML reads the preset's name as no value."""
        return "null" if value is None else value


class DataConfig(_Section):
    """Where the data comes from and how it is read. Nothing is guessed."""

    path: Path | None = None
    """A folder, or the URL of a PostgreSQL database without a password (`ares7.database_url.DatabasePath`)."""
    layout: Literal[
        "canonical", "yfinance_single", "yfinance_multi", "polygon_day_aggs", "ares7_price_full"
    ] = "canonical"
    adjustment: Literal["split", "total_return"] | None = None
    """What the vendor's prices are adjusted for, where the layout does not carry ``adj_close``."""
    universe: Literal["auto", "all", "members"] | tuple[str, ...] = "auto"
    index: str = "SPX"
    vix: str = "VIX"
    index_file: Path | None = None
    vix_file: Path | None = None
    vix_layout: Literal["fred", "cboe"] | None = None
    fundamentals_file: Path | None = None
    fundamentals_layout: Literal["sharadar_sf1"] | None = None
    etfs: tuple[str, ...] = ("SPY", "TLT", "IEF", "SHY", "BIL", "GLD")
    calendar: str = "XNYS"
    pit_delay_days: int = Field(default=90, ge=0, le=400)
    max_age_days: int = Field(default=500, ge=1)
    max_vix_gap_sessions: int = Field(default=3, ge=0, le=20)
    max_fundamentals_age_days: int = Field(default=200, ge=1)
    """The newest filing over all fundamentals files may be this much older than the period's end."""
    max_earnings_age_sessions: int = Field(default=45, ge=1)
    """The newest announcement with an EPS, of any name, may be this many sessions older than the period's end.
    Around 150 large US companies never paused for more than 18 sessions from 2013 to 2024, at the turn of a year;
    20 names may pause for 41, a single one for more than a quarter (63 sessions): then raise it."""
    cache: Path | None = Path(".cache")
    synthetic: SyntheticConfig = SyntheticConfig()

    @field_validator("path", mode="wrap")
    @classmethod
    def _database(cls, value: Any, folder: ValidatorFunctionWrapHandler) -> Any:
        if isinstance(value, DatabasePath):
            return value
        return database_path(value) if isinstance(value, str) and is_url(value) else folder(value)

    @model_validator(mode="after")
    def _canonical_database(self) -> DataConfig:
        if isinstance(self.path, DatabasePath) and self.layout != "canonical":
            raise ValueError(
                f"layout {self.layout} is that of files; a database is read with layout: canonical"
            )
        return self


class PeriodConfig(_Section):
    """First and last session of the run; null means what the data and the warm-up allow."""

    start: dt.date | None = None
    end: dt.date | None = None

    @model_validator(mode="after")
    def _ordered(self) -> PeriodConfig:
        if self.start and self.end and self.start >= self.end:
            raise ValueError(f"period.start {self.start} is not before period.end {self.end}")
        return self


class StrategyConfig(_Section):
    """Which strategy, and its parameters (validated by the strategy's own Params)."""

    name: str = "regime_ensemble"
    params: dict[str, Any] = Field(default_factory=dict)
    overlays: tuple[Engine, ...] = ()
    """Overlays that tilt its stocks, for example [wavelet, pead]."""
    overlay_lambda: float = Field(default=1.0, ge=0, le=10)
    """1 applies their blend in full, 0 is off."""


class AccountConfig(_Section):
    """The account that the backtest trades."""

    cash: float = Field(default=1_000_000.0, gt=0, allow_inf_nan=False)
    cash_rate: float = Field(default=0.0, ge=0, le=0.5)
    """Interest on cash, a year; credited each session as rate / 252."""
    shares: Literal["whole", "fractional"] = "whole"
    min_trade_nav: float = Field(default=0.0005, ge=0, lt=1)
    """Orders smaller than this fraction of NAV are skipped unless they close the position."""
    exec_lag: int = Field(default=1, ge=0, le=20)
    """Sessions from the close that decides to the open that fills. 1 is the next open; more delays every
    decision; 0 trades on what is only known after that session and needs allow_lookahead (C1)."""
    margin: bool = False
    financing_bps: float | None = Field(default=None, ge=0)
    """Yearly rate on negative cash, in basis points; required with margin."""

    @model_validator(mode="after")
    def _margin_costs(self) -> AccountConfig:
        if self.margin and self.financing_bps is None:
            raise ValueError("margin: true needs financing_bps: borrowed money is never free by accident")
        return self


class OosWindow(_Section):
    """A named out-of-sample window, both dates inclusive."""

    name: str = Field(min_length=1)
    start: dt.date
    end: dt.date

    @model_validator(mode="after")
    def _ordered(self) -> OosWindow:
        if self.start > self.end:
            raise ValueError(f"window {self.name}: start {self.start} is after end {self.end}")
        return self


DEFAULT_WINDOWS = (
    OosWindow(name="OOS1", start=dt.date(2020, 1, 1), end=dt.date(2021, 12, 31)),
    OosWindow(name="OOS2", start=dt.date(2022, 1, 1), end=dt.date(2024, 12, 31)),
    OosWindow(name="OOS3", start=dt.date(2025, 1, 1), end=dt.date(2025, 12, 31)),
)


class MetricsConfig(_Section):
    """Conventions of the figures."""

    risk_free: float = Field(default=0.0, ge=-0.1, le=0.5)
    """Annual risk-free rate subtracted in Sharpe ratios."""
    rolling_sessions: int = Field(default=252, ge=20)


class RunsConfig(_Section):
    """Where results are written."""

    folder: Path = Path("runs")
    report: bool = True


class DailyConfig(_Section):
    """The daily production job (docs/daily.md)."""

    base: Literal["strategy"] | Path = "strategy"
    """Base weights: those of the configured strategy, or a file ``symbol,weight`` or ``date,symbol,weight``."""
    engines: tuple[Literal["wavelet", "pead", "buyback"], ...] = Field(
        default=("wavelet", "pead"), min_length=1
    )
    """Overlays that the job computes; one of weight 0 is left out."""
    outputs: Path = Path("ensemble_outputs")
    logs: Path = Path("logs")
    on_stale: Literal["refuse", "last_good", "base_only"] = "refuse"
    """When an input of the overlays is missing or stale: stop, apply the last good blend, or no tilt at all."""
    last_good_sessions: int = Field(default=5, ge=1, le=30)
    """How old the last good blend may be."""
    accept_undated: bool = False
    """Whether a base file that does not say its date is taken for that of the session."""

    @field_validator("engines")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError(f"an engine is named twice in {list(value)}")
        return value


class Config(_Section):
    """The whole configuration. ``costs`` has no default: trading is never free by accident."""

    data: DataConfig = DataConfig()
    period: PeriodConfig = PeriodConfig()
    strategy: StrategyConfig = StrategyConfig()
    overlay: OverlaySettings = OverlaySettings()
    baseline: str = "equal_weight"
    engine: Literal["event", "compiled"] = "event"
    """Backtrader, or its compiled twin: the same numbers."""
    account: AccountConfig = AccountConfig()
    costs: CostModel
    oos: tuple[OosWindow, ...] = DEFAULT_WINDOWS
    metrics: MetricsConfig = MetricsConfig()
    search: SearchConfig = SearchConfig()
    targets: Goals = Goals()
    runs: RunsConfig = RunsConfig()
    daily: DailyConfig = DailyConfig()
    live: LiveConfig = LiveConfig()
    limits: LimitParams = LimitParams()
    halt: HaltConfig = HaltConfig()
    redis: RedisConfig = RedisConfig()
    fetch: FetchConfig = FetchConfig()
    alerts: AlertsConfig = AlertsConfig()
    allow_lookahead: bool = False

    @field_validator("oos")
    @classmethod
    def _unique_windows(cls, value: tuple[OosWindow, ...]) -> tuple[OosWindow, ...]:
        names = [w.name for w in value]
        if len(set(names)) != len(names):
            raise ValueError(f"window names must differ; got {names}")
        return value

    @property
    def strategy_params(self) -> dict[str, Any]:
        """Parameters of the strategy, with the overlays that ``strategy.overlays`` names."""
        params, chosen = self.strategy.params, self.strategy
        if not chosen.overlays:
            return params
        overlay = self.overlay.model_dump() | {"engines": chosen.overlays, "lam": chosen.overlay_lambda}
        own = params.get("overlay", {})
        return {**params, "overlay": {**overlay, **own} if isinstance(own, dict) else own}

    def digest(self) -> str:
        """Eight hex digits that identify the settings that change results (not where they are written)."""
        settings = self.model_dump(mode="json", exclude=_ELSEWHERE)
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]

    def to_yaml(self) -> str:
        """Return the resolved configuration as YAML."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def explain(error: ValidationError, where: str) -> str:
    """One line from pydantic's findings: place, what was given, what is allowed."""
    parts = []
    for item in error.errors():
        place = ".".join(str(part) for part in item["loc"]) or "(top)"
        given = item.get("input")
        shown = "" if isinstance(given, dict) else f" (given {masked(repr(given))})"
        if item["type"] == "missing" and place == "costs":
            shown = ""
            message = "costs are required, for example {model: bps, bps: 10}; zero must be written as bps: 0"
        elif item["type"] == "extra_forbidden":
            message = "unknown key; run 'python run.py show-config' to see every key"
        else:
            message = item["msg"]
        parts.append(f"{place}: {message}{shown}")
    return f"{where}: " + "; ".join(parts)


def load_config(path: Path, overrides: tuple[str, ...] = ()) -> Config:
    """Read, override, resolve and validate a configuration.

    Relative paths inside resolve against the config file's folder (rulings 24).

    Raises
    ------
    ConfigError
        Naming every wrong key at once.
    """
    settings = read_yaml(path)
    for override in overrides:
        apply_override(settings, override)
    return build_config(settings, path.resolve().parent, str(path))


def build_config(settings: dict[str, Any], folder: Path, where: str) -> Config:
    """Validate settings that are already a mapping; relative paths resolve against ``folder``."""
    try:
        config = Config.model_validate(settings)
    except ValidationError as error:
        raise ConfigError(explain(error, where)) from None

    def absolute(value: Path | None) -> Path | None:
        if value is None or isinstance(value, DatabasePath):
            return value
        return (folder / value.expanduser()).resolve()

    data = config.data
    paths = ("path", "index_file", "vix_file", "fundamentals_file", "cache")
    data = data.model_copy(update={name: absolute(getattr(data, name)) for name in paths})
    runs = config.runs.model_copy(update={"folder": absolute(config.runs.folder)})
    search = config.search.model_copy(update={"ledger": absolute(config.search.ledger)})
    own = config.daily
    places = {"outputs": absolute(own.outputs), "logs": absolute(own.logs)}
    daily = own.model_copy(
        update=places | ({"base": absolute(own.base)} if isinstance(own.base, Path) else {})
    )
    halt = config.halt.model_copy(update={"folder": absolute(config.halt.folder)})
    fetch = config.fetch.model_copy(update={"folder": absolute(config.fetch.folder)})
    config = config.model_copy(
        update={"data": data, "runs": runs, "search": search, "daily": daily, "halt": halt, "fetch": fetch}
    )
    if config.account.exec_lag == 0 and not config.allow_lookahead:
        raise LookaheadError(
            f"{where}: account.exec_lag 0 fills on the session whose close decides; use 1 or more, "
            "or allow_lookahead: true, which watermarks the report"
        )
    return config
