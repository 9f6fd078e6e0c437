"""Commission models: what a fill costs, in USD.

One definition for the event-driven engine, the compiled one and live estimates. Each model is frozen settings
plus one elementwise function. Sources: bps of traded notional (C9); Interactive Brokers' published
US stock schedules, fixed and tiered.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ares7.arrays import Float1D


class BpsCosts(BaseModel):
    """Basis points of traded notional, one way: commission and slippage together."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: Literal["bps"] = "bps"
    bps: float = Field(ge=0, le=1000, allow_inf_nan=False)

    def fees(self, quantity: Float1D, price: Float1D) -> Float1D:
        """USD for each fill; ``quantity`` in signed shares, ``price`` in USD a share."""
        # The order of the products is Backtrader's own, so that both engines round alike.
        return abs(quantity) * (self.bps / 1e4) * price

    @property
    def is_zero(self) -> bool:
        """Trading is free: the report says so."""
        return self.bps == 0


class _PerShareCosts(BaseModel):
    """A rate a share, with a minimum an order and a cap in percent of the traded value."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    per_share_usd: float = Field(ge=0, allow_inf_nan=False)
    minimum_usd: float = Field(ge=0, allow_inf_nan=False)
    maximum_fraction: float = Field(default=0.01, gt=0, le=1)
    slippage_bps: float = Field(default=0.0, ge=0, le=1000, allow_inf_nan=False)

    def fees(self, quantity: Float1D, price: Float1D) -> Float1D:
        """USD for each fill; ``quantity`` in signed shares, ``price`` in USD a share."""
        shares = abs(quantity)
        notional = shares * price
        commission = np.maximum(shares * self.per_share_usd, self.minimum_usd)
        capped = np.minimum(commission, self.maximum_fraction * notional)
        return capped + self.slippage_bps / 1e4 * notional

    @property
    def is_zero(self) -> bool:
        """Trading is free: the report says so."""
        return self.per_share_usd == 0 and self.minimum_usd == 0 and self.slippage_bps == 0


class IbkrFixedCosts(_PerShareCosts):
    """Interactive Brokers fixed pricing, US stocks: USD .005 a share, at least 1.00, at most 1 %."""

    model: Literal["ibkr_fixed"] = "ibkr_fixed"
    per_share_usd: float = Field(default=0.005, ge=0, allow_inf_nan=False)
    minimum_usd: float = Field(default=1.0, ge=0, allow_inf_nan=False)


class IbkrTieredCosts(_PerShareCosts):
    """Interactive Brokers tiered pricing, first tier: USD .0035 a share, at least .35, at most 1 %.

    Exchange, clearing and regulatory fees are not included (see LIMITATIONS).
    """

    model: Literal["ibkr_tiered"] = "ibkr_tiered"
    per_share_usd: float = Field(default=0.0035, ge=0, allow_inf_nan=False)
    minimum_usd: float = Field(default=0.35, ge=0, allow_inf_nan=False)


CostModel = Annotated[BpsCosts | IbkrFixedCosts | IbkrTieredCosts, Field(discriminator="model")]
"""Any commission model; ``model`` names which."""
