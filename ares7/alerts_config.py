"""Settings of the monitor and of its alerts (docs/monitoring.md)."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
DAY_MINUTES = 24 * 60


class QuietHours(BaseModel):
    """Hours in which warnings wait; errors never do."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    start: dt.time
    end: dt.time
    """May be earlier than ``start``: then the quiet hours last over midnight."""
    zone: str = "America/New_York"

    @field_validator("start", "end", mode="before")
    @classmethod
    def _sexagesimal(cls, value: Any) -> Any:
        """Unquoted, YAML reads 22:00 as 1320: minutes, written to the base of sixty."""
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < DAY_MINUTES:
            return dt.time(value // 60, value % 60)
        return value

    @field_validator("start", "end")
    @classmethod
    def _plain(cls, value: dt.time) -> dt.time:
        if value.tzinfo is not None:
            raise ValueError("write HH:MM; the zone has a field of its own")
        return value

    @field_validator("zone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"time zone {value!r} does not exist; write one like America/New_York") from None
        return value

    @model_validator(mode="after")
    def _some_hours(self) -> Self:
        if self.start == self.end:
            raise ValueError("start and end are the same time; leave quiet out if no hour is quiet")
        return self

    def holds(self, now: dt.datetime) -> bool:
        """Whether a moment with its time zone lies in the quiet hours; the first minute does, the last does not."""
        local = now.astimezone(zoneinfo.ZoneInfo(self.zone)).time()
        if self.start < self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end


class AlertsConfig(BaseModel):
    """When a person is told, how often, and where. ``null`` switches a condition off."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    daily_loss: float | None = Field(default=0.02, gt=0, lt=1)
    """Fraction that a session may lose, money in and out taken away."""
    drawdown: float | None = Field(default=0.15, gt=0, lt=1)
    """Fraction below the highest close of the time-weighted curve."""
    rolling_sharpe: float | None = Field(default=0.0, ge=-10, le=10)
    """Least Sharpe ratio of the latest 252 sessions."""
    session_patience_s: float = Field(default=10800.0, gt=0, allow_inf_nan=False)
    """From the close of a session until its value must be in the journal."""
    journal_patience_s: float = Field(default=30.0, ge=0, allow_inf_nan=False)
    """How long the journal may be out of reach before that is an alert."""
    group_s: float = Field(default=300.0, ge=0, allow_inf_nan=False)
    """Alerts of one code within this time are one."""
    repeat_s: float = Field(default=14400.0, gt=0, allow_inf_nan=False)
    """What lasts and is not acknowledged is told again after this time."""
    escalate_s: float = Field(default=900.0, gt=0, allow_inf_nan=False)
    """An error that nobody acknowledged goes to the next of ``targets`` after this time."""
    timeout_s: float = Field(default=10.0, gt=0, le=300)
    """How long a target may take to answer."""
    quiet: QuietHours | None = None
    targets: tuple[str, ...] = ("ARES7_ALERT_URLS",)
    """Environment variables that hold the URLs to tell, in the order in which they are told."""

    @model_validator(mode="before")
    @classmethod
    def _names_only(cls, given: Any) -> Any:
        # On the whole section: a message would quote a URL that was typed here, with its password.
        targets = given.get("targets", ()) if isinstance(given, dict) else ()
        names = targets if isinstance(targets, list | tuple) else [targets]
        if not all(isinstance(name, str) and VARIABLE.fullmatch(name) for name in names):
            raise ValueError(
                "targets names environment variables, like [ARES7_ALERT_URLS]; URLs hold passwords and belong into the "
                "environment only"
            )
        if len(set(names)) != len(names):
            raise ValueError("targets names an environment variable twice")
        return given
