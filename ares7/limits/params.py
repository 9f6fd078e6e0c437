"""Settings of the pre-trade limits; docs/limits.md says how each default was chosen."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class LimitParams(BaseModel):
    """Limits on single orders, on the book after them, and on the account. Null switches a limit off.

    Orders that reduce exposure pass whatever these say. Live trading always asks them; a backtest counts what they
    would have refused if ``report_in_backtests`` is set.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    max_order_usd: float | None = Field(default=100_000.0, gt=0, allow_inf_nan=False)
    """Notional of one order in a stock."""
    max_fund_order_usd: float | None = Field(default=2_000_000.0, gt=0, allow_inf_nan=False)
    """Notional of one order in a fund: a defensive book moves most of the account into one of short bonds."""
    max_volume_share: float | None = Field(default=0.05, gt=0, le=1, allow_inf_nan=False)
    """Shares of an order over the mean daily volume of the last ``volume_sessions`` sessions."""
    volume_sessions: int = Field(default=20, ge=1, le=252)
    max_weight: float | None = Field(default=0.10, gt=0, allow_inf_nan=False)
    """Of NAV, in one stock after the order and every working one on its side."""
    max_fund_weight: float | None = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Of NAV, in one fund."""
    max_sector_weight: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Of NAV, in the stocks of one sector; needs a symbols table with sectors, and a stock without one is refused."""
    max_gross: float | None = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Sum of absolute positions over NAV, once every working order is filled."""
    max_net: float | None = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Absolute sum of signed positions over NAV, once every working order is filled."""
    max_turnover: float | None = Field(default=1.0, gt=0, allow_inf_nan=False)
    """One-way, a rebalance: half of its traded notional over NAV. 1 exchanges the whole book once."""
    max_orders_a_day: int | None = Field(default=500, ge=1)
    """Orders that may have been sent in a session, this one included."""
    price_collar: float | None = Field(default=0.10, gt=0, lt=1, allow_inf_nan=False)
    """How far a limit price or a quote may be from the last close, a fraction of it."""
    max_price_age_sessions: int | None = Field(default=0, ge=0)
    """Sessions since the last close of the name; 0 is that of the latest session."""
    allow_short: bool = False
    """Whether a sale may leave a short position."""
    max_cash_use: float | None = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Working buys and this one over cash and the proceeds of working sales; above 1 borrows."""
    max_daily_loss: float | None = Field(default=0.05, gt=0, lt=1, allow_inf_nan=False)
    """Loss since the previous close, of its NAV, deposits and withdrawals left out; beyond it nothing is added."""
    max_drawdown: float | None = Field(default=0.25, gt=0, lt=1, allow_inf_nan=False)
    """Loss since the highest close, of its NAV, deposits and withdrawals left out; beyond it nothing is added."""
    report_in_backtests: bool = False
    """Whether a backtest counts what the limits would have refused; its orders and figures stay the same."""
