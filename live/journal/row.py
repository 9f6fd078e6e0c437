"""What every row of the journal is, and the words that rows use."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from dataclasses import dataclass, field

from live.journal.failures import RowRefused

MODES = ("shadow", "paper", "real", "simulated")
SIDES = ("BUY", "SELL")
PURPOSES = ("rebalance", "retry", "remainder", "flatten", "operator")
STAGES = ("intent", "sent", "working", "filled", "cancelled", "rejected", "expired", "unknown", "shown")
"""How far an order has come: journalled, written to the socket, acknowledged by the wire, and its ends.

``shown`` is an order of a shadow run; ``unknown`` is one whose fate the gateway was asked about without an answer.
"""
DONE = ("filled", "cancelled", "rejected", "expired", "shown")
"""Stages in which nothing more is expected, though a late fill is still booked."""
HALT_LEVELS = ("NONE", "BLOCK_NEW", "CANCEL_WORKING", "FLATTEN", "HALT")
FLOW_KINDS = ("deposit", "withdrawal", "dividend", "interest", "fee", "tax", "corporate_action", "unknown")
SEVERITIES = ("info", "warning", "error")
NAV_KINDS = ("start", "intraday", "close")
ADOPT, IGNORE = "adopt", "ignore"
SHARE_DIGITS = 9
"""Shares are rounded to this many decimals where they are added up: 0.1 + 0.2 - 0.3 shares are none."""


_columns: dict[type, tuple[str, ...]] = {}


def columns_of(kind: type[Row]) -> tuple[str, ...]:
    """Names of the fields of a kind of row; found once, because a journal of years has many rows."""
    known = _columns.get(kind)
    if known is None:
        known = _columns[kind] = tuple(column.name for column in dataclasses.fields(kind))
    return known


@dataclass(frozen=True, slots=True)
class Row:
    """What every row has.

    Attributes
    ----------
    at : datetime or None
        When; the journal's clock at writing, if None.
    id : int or None
        Number that the database gave; ``None`` before, and for rows with a key of their own.

    Raises
    ------
    RowRefused
        A float that is not finite, or a time without a zone.
    """

    at: dt.datetime | None = field(default=None, kw_only=True)
    id: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for column in columns_of(type(self)):
            value = getattr(self, column)
            if isinstance(value, float) and not math.isfinite(value):
                raise RowRefused(f"{self._called(column)} is {value}; what is not known must be None")
            if isinstance(value, dt.datetime) and value.utcoffset() is None:
                raise RowRefused(f"{self._called(column)} is a time without a zone; give it in UTC")
        self._check()

    def _check(self) -> None:
        """Check what this kind of row promises."""

    def _called(self, column: str) -> str:
        return f"journal row {type(self).__name__}: {column}"

    def _one_of(self, column: str, allowed: tuple[str, ...]) -> None:
        value = getattr(self, column)
        if value not in allowed:
            raise RowRefused(f"{self._called(column)} is {value!r}; allowed: {', '.join(allowed)}")
