"""Settings of live trading (docs/live.md)."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ares7.database_url import masked


class LiveConfig(BaseModel):
    """The gateway and how to trade through it (docs/live.md)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=4002, ge=1, le=65535)
    """4002 is IB Gateway's port for paper accounts, 4001 for real ones; paper or real is decided by the account."""
    client_id: int = Field(default=7, ge=0, lt=2**31 - 1)
    """Orders belong to it: one for each program, and always the same."""
    account: str = ""
    """Empty: the only account of the login. Real orders need it typed here."""
    mode: Literal["shadow", "paper", "live"] = "shadow"
    """What ``run.py live --arm`` may trade; real money only with ``live``."""
    start: Literal["next_rebalance", "now"] = "next_rebalance"
    """Whether a first start waits for the next decision that is due, or decides on the first session."""
    capital_usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """The most that the book is sized for; the rest of the account stays cash. Profits beyond it are not invested."""
    capital_fraction: float = Field(default=1.0, gt=0, le=1)
    """Part of the account that the book is sized for."""
    remainder_sessions: int = Field(default=1, ge=0, le=5)
    """After how many closes a shortfall of the latest rebalance is ordered again; 0 leaves it to the next one."""
    journal: str = ""
    """URL of a PostgreSQL database, without a password (PGPASSWORD and ~/.pgpass have it); empty: a file of SQLite
    in ``halt.folder``."""
    library: Literal["ib_insync", "ib_async"] = "ib_insync"
    time_zone: str = "America/New_York"
    """Zone that TWS or IB Gateway was told to use at login."""
    clock: Literal["system", "gateway"] = "system"
    """``gateway`` is for a double on this machine, whose days last seconds."""
    on_missing: Literal["skip", "abort"] = "skip"
    """When a name has no bar of the session in time: decide without it, or stop."""
    bar_delay_s: float = Field(default=1200.0, ge=0)
    """From the close to the first request for its bars; VIX settles a quarter of an hour later."""
    bar_patience_s: float = Field(default=5400.0, gt=0)
    """From the close until a missing bar is given up."""

    @model_validator(mode="after")
    def _one_capital(self) -> Self:
        if self.capital_usd is not None and self.capital_fraction != 1.0:
            raise ValueError("capital_usd and capital_fraction contradict each other; leave one of them out")
        return self

    @model_validator(mode="after")
    def _no_password(self) -> Self:
        # Checked here, because a configuration is copied into every run folder.
        if masked(self.journal) != self.journal:
            raise ValueError(
                "journal holds a password; take it out of the URL and put it into the environment (PGPASSWORD) or "
                "into ~/.pgpass"
            )
        return self
