"""Settings of a Redis that shows what the runner does and keeps computed panels and signals (docs/database.md)."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class RedisConfig(BaseModel):
    """A server that nothing depends on. The one that may halt trading is named apart (``halt.redis``)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    address: str | None = Field(default=None, pattern=r"^[^\s/@]+:\d{1,5}(/\d{1,3})?$")
    """``host:port`` or ``host:port/database``; its password comes from the environment (ARES7_REDIS_PASSWORD)."""
    prefix: str = Field(default="ares7", pattern=r"^[A-Za-z0-9_.-]+$")
    """Of every key."""
    share: bool = False
    """Whether backtests and searches look there for panels and signals that another one has computed."""
    entry_mb: float = Field(default=128.0, gt=0, le=500)
    """A larger panel or signal is not put there."""
    total_mb: float = Field(default=1024.0, gt=0)
    """When they are more together, the oldest go."""

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.share and self.address is None:
            raise ValueError("share: true needs an address, for example 127.0.0.1:6379")
        return self
