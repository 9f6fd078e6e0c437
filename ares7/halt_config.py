"""Settings of the halt and of the watchdog (docs/limits.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class HaltConfig(BaseModel):
    """Where trading is halted, and who notices that the runner is silent."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    folder: Path = Path("journal")
    """Holds the halt file and the heartbeat, beside the journal."""
    redis: str | None = None
    """``host:port`` or ``host:port/database`` of a Redis that may halt too; its password comes from the environment
    variable ARES7_REDIS_PASSWORD."""
    redis_key: str = Field(default="ares7:halt", min_length=1)
    silence_s: float = Field(default=300.0, gt=0, allow_inf_nan=False)
    """A heartbeat older than this is an alert of the watchdog."""
    repeat_s: float = Field(default=3600.0, gt=0, allow_inf_nan=False)
    """The watchdog tells a trouble again after this time."""
    on_silence: Literal["alert", "BLOCK_NEW", "CANCEL_WORKING", "FLATTEN", "HALT"] = "alert"
    """What the watchdog does when the runner is silent: only tell, or also set this level."""
