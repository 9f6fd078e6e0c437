"""Settings of the store: how long it waits, and what it does about bars that do not come."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


def _seconds(value: float) -> dt.timedelta:
    return dt.timedelta(seconds=value)


class StoreOptions(BaseModel):
    """Durations are seconds by the store's clock.

    Attributes
    ----------
    calendar : str
        A calendar of exchange_calendars.
    clock : str
        ``gateway`` takes the time from the gateway: only for a double on this machine (rulings 31).
    bar_delay_s : float
        From the close to the first request for the session's bars: VIX settles a quarter of an hour later.
    bar_retry_s, bar_patience_s : float
        Between requests for missing bars, and from the close until they are given up.
    on_missing : str
        ``skip`` publishes the session without the missing names, which are marked stale; ``abort`` stops the run.
    commission_wait_s : float
        A fill is notified with a fee of 0 when its commission takes longer; the fee is booked when it comes.
    cancel_settle_s : float
        From the gateway's Cancelled to the strategy's: a fill may have crossed it.
    acknowledge_s, doubt_s, recheck_s : float
        Silence after which an order is looked for (R6), the pause before a doubtful one is, and until it is again.
    opening_cutoff_s : float
        Before the open; from then on a market order no longer asks for the opening auction.
    closing_cutoff_s : float
        Before the close; from then on an order for the closing auction is refused here: the exchange would.
    cash_settle_s, fee_patience_s : float
        Cash that differs from the gateway's is corrected when nothing was traded for so long, and when no fee has
        been outstanding for less than that: a dividend, a deposit, a fee that was never reported.
    poll_s : float
        Real seconds between two questions for the gateway's time, with ``clock: gateway``.
    shadow : bool
        Nothing is sent; orders are shown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    calendar: str = "XNYS"
    clock: Literal["system", "gateway"] = "system"
    bar_delay_s: float = Field(default=1200.0, ge=0)
    bar_retry_s: float = Field(default=60.0, gt=0)
    bar_patience_s: float = Field(default=5400.0, gt=0)
    on_missing: Literal["skip", "abort"] = "skip"
    commission_wait_s: float = Field(default=5.0, ge=0)
    cancel_settle_s: float = Field(default=2.0, ge=0)
    acknowledge_s: float = Field(default=10.0, gt=0)
    doubt_s: float = Field(default=2.0, ge=0)
    recheck_s: float = Field(default=5.0, ge=0)
    opening_cutoff_s: float = Field(default=300.0, ge=0)
    closing_cutoff_s: float = Field(default=900.0, ge=0)
    cash_settle_s: float = Field(default=240.0, ge=0)
    fee_patience_s: float = Field(default=900.0, ge=0)
    poll_s: float = Field(default=0.02, gt=0)
    shadow: bool = False

    @property
    def bar_delay(self) -> dt.timedelta:
        """See ``bar_delay_s``."""
        return _seconds(self.bar_delay_s)

    @property
    def bar_retry(self) -> dt.timedelta:
        """See ``bar_retry_s``."""
        return _seconds(self.bar_retry_s)

    @property
    def bar_patience(self) -> dt.timedelta:
        """See ``bar_patience_s``."""
        return _seconds(self.bar_patience_s)

    @property
    def commission_wait(self) -> dt.timedelta:
        """See ``commission_wait_s``."""
        return _seconds(self.commission_wait_s)

    @property
    def cancel_settle(self) -> dt.timedelta:
        """See ``cancel_settle_s``."""
        return _seconds(self.cancel_settle_s)

    @property
    def acknowledge(self) -> dt.timedelta:
        """See ``acknowledge_s``."""
        return _seconds(self.acknowledge_s)

    @property
    def doubt(self) -> dt.timedelta:
        """See ``doubt_s``."""
        return _seconds(self.doubt_s)

    @property
    def recheck(self) -> dt.timedelta:
        """See ``recheck_s``."""
        return _seconds(self.recheck_s)

    @property
    def opening_cutoff(self) -> dt.timedelta:
        """See ``opening_cutoff_s``."""
        return _seconds(self.opening_cutoff_s)

    @property
    def closing_cutoff(self) -> dt.timedelta:
        """See ``closing_cutoff_s``."""
        return _seconds(self.closing_cutoff_s)

    @property
    def cash_settle(self) -> dt.timedelta:
        """See ``cash_settle_s``."""
        return _seconds(self.cash_settle_s)

    @property
    def fee_patience(self) -> dt.timedelta:
        """See ``fee_patience_s``."""
        return _seconds(self.fee_patience_s)
