"""What every strategy's parameters have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from ares7.book import MONTH_SESSIONS


class BookParams(BaseModel):
    """Frozen parameters of a strategy. A subclass names its own fields and its ``lookback``."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    gross: float = Field(default=0.98, gt=0, le=2, allow_inf_nan=False)
    """Fraction of NAV that a full book holds; the rest stays cash. Above 1 needs account.margin."""

    @property
    def lookback(self) -> int:
        """Rows, month end included, that a sleeve's signals read."""
        return 1

    @property
    def warmup(self) -> int:
        """Rows after which row -1 is final (C3): what live trading loads.

        The latest month end may lie a month back, and its signals ``lookback`` rows behind it.
        """
        return self.lookback + MONTH_SESSIONS

    @property
    def requires(self) -> frozenset[str]:
        """Inputs beyond prices: a subset of ``etfs index vix fundamentals earnings``."""
        return frozenset()


class RegimeParams(BaseModel):
    """Thresholds of the regime (docs/strategies.md)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    sma: int = Field(default=200, ge=2, le=1000)
    short: int = Field(default=126, ge=1, le=1000)
    long: int = Field(default=252, ge=1, le=1000)
    vix_bull: float = Field(default=25.0, gt=0)
    vix_high: float = Field(default=30.0, gt=0)
    min_hold: int = Field(default=0, ge=0, le=60)
    """Equal raw labels in a row before a switch; 0 and 1 follow the raw label (rulings 13)."""

    @property
    def lookback(self) -> int:
        """Rows that the raw label reads."""
        return max(self.sma, self.short + 1, self.long + 1)

    @property
    def hold_memory(self) -> int:
        """Further rows that the minimum hold reads."""
        return 252 if self.min_hold > 1 else 0
