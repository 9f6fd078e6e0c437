"""What a gateway is started with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ares7.costs import CostModel, IbkrFixedCosts
from live.double.arguments import PAPER_ACCOUNT
from live.double.clock import ZONE
from live.double.session import MAX_VERSION


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one gateway.

    Attributes
    ----------
    start : str or None
        Virtual time at which it starts, ``2024-01-03`` (09:00 New York) or with a time of day; None is 09:00 of the
        second session of the history.
    speed : float or None
        Virtual seconds in a real one; None means that only a test steps the clock.
    accounts : mapping of account id to USD
    port : int
        0 lets the system choose.
    version : int
        Highest server version spoken.
    leverage : float
        Gross position for each USD of equity.
    costs : CostModel
        What a fill costs.
    base_currency : str
        Of the accounts; another one than USD changes only what the figures are labelled with.
    time_zone : str
        In which the gateway writes times, as a user chose it in TWS; a client that expects another misreads them.
    spread_ticks : int
        From the last price to the bid and to the ask.
    nonce : int
        Part of execution and permanent ids.
    record : Path or None
        Also write every message there.
    keep_record : bool
        Keep every message in memory.
    calendar : str
    """

    start: str | None = None
    speed: float | None = None
    accounts: Mapping[str, float] = field(default_factory=lambda: {PAPER_ACCOUNT: 1_000_000.0})
    port: int = 0
    version: int = MAX_VERSION
    leverage: float = 2.0
    costs: CostModel = field(default_factory=IbkrFixedCosts)
    base_currency: str = "USD"
    time_zone: str = ZONE
    spread_ticks: int = 1
    nonce: int = 0xA7
    record: Path | None = None
    keep_record: bool = True
    calendar: str = "XNYS"
