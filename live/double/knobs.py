"""What can be made to go wrong, as settings. A scenario sets them, a test changes them while it runs."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Knobs(BaseModel):
    """Settings of the gateway's behaviour; the defaults are a calm paper account.

    Times are virtual seconds unless they say otherwise.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    read_only: bool = False
    """Orders and open orders are refused with 321."""
    clients_in_use: tuple[int, ...] = ()
    """Client ids that another program holds: 326."""
    silent_handshake: bool = False
    """Connections are accepted and never answered."""
    hang_up: bool = False
    """Connections are accepted and closed at once, as TWS does when the API is not enabled."""
    unanswered: tuple[str, ...] = ()
    """Requests, by name, that are never answered."""

    partial_slices: int = Field(default=1, ge=1, le=1000)
    """Each order fills in so many executions."""
    slice_seconds: float = Field(default=0.0, ge=0)
    fill_delay: float = Field(default=0.0, ge=0)
    """From the time at which an order can fill until it does."""
    cancel_delay: float = Field(default=0.0, ge=0)
    """From a cancellation, which is PendingCancel, until it is done; the order can fill until then."""
    hold_orders: bool = False
    """Orders are kept and nothing is said about them, as behind an unanswered dialog of TWS."""
    mute_orders: bool = False
    """Nothing is said of orders and fills when they happen, as during a 1100; they show when they are asked for."""
    skip_status: bool = False
    """No orderStatus for orders that fill at once."""
    commission: Literal["normal", "late", "never", "before"] = "normal"
    """When the commission report is sent; before means before its execution."""
    commission_delay: float = Field(default=60.0, ge=0)
    tif_preset: bool = True
    """An order without a time in force becomes a DAY order, with 10349."""
    short_sales: bool = True
    """False refuses orders that would sell more than is held."""
    moc_cutoff: float = Field(default=600.0, ge=0)
    """Before the close; later orders for the closing auction are refused with 201."""
    opg_cutoff: float = Field(default=120.0, ge=0)
    """Before the open; later orders for the opening auction are refused with 201."""

    market_data: Literal["live", "delayed", "none", "competing"] = "live"
    """delayed: 10167 and delayed ticks; none: 354; competing: 10197."""
    pacing: bool = False
    """Historical requests beyond the limits get 162; more than 50 messages a real second get 100, then a disconnect."""
    adjusted: Literal["as_of", "file"] = "as_of"
    """Basis of ADJUSTED_LAST: as_of ends at the traded price of now, as the gateway does; file is the data's own."""
    dividends: bool = False
    """Pay in cash, on the ex-date, what the adjusted prices of the data imply."""
    clock_skew: float = 0.0
    """Seconds that the answer to currentTime is ahead."""
