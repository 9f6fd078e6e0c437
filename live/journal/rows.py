"""What the journal stores: frozen rows, each the row of a table of the same columns (`live.journal.schema`).

Times are aware datetimes in UTC, dates are exchange sessions, money is USD where the name says so, quantities are
shares, prices are traded prices in USD a share. What is not known is ``None``, never 0 and never NaN.
"""

from __future__ import annotations

from live.journal.account_rows import (
    Adjustment,
    Alert,
    CashFlow,
    DifferenceRow,
    Halt,
    Nav,
    Reconciliation,
)
from live.journal.decision_rows import (
    Decision,
    Heartbeat,
    Rebalance,
    RegimeRow,
    Run,
)
from live.journal.row import (
    ADOPT,
    DONE,
    FLOW_KINDS,
    HALT_LEVELS,
    IGNORE,
    MODES,
    NAV_KINDS,
    PURPOSES,
    SEVERITIES,
    SHARE_DIGITS,
    SIDES,
    STAGES,
    Row,
)
from live.journal.trade_rows import (
    Fee,
    Fill,
    Intent,
    JournalOrder,
    JournalPosition,
    StageRow,
    WireEvent,
)

__all__ = [
    "ADOPT",
    "DONE",
    "FLOW_KINDS",
    "HALT_LEVELS",
    "IGNORE",
    "MODES",
    "NAV_KINDS",
    "PURPOSES",
    "SEVERITIES",
    "SHARE_DIGITS",
    "SIDES",
    "STAGES",
    "Adjustment",
    "Alert",
    "CashFlow",
    "Decision",
    "DifferenceRow",
    "Fee",
    "Fill",
    "Halt",
    "Heartbeat",
    "Intent",
    "JournalOrder",
    "JournalPosition",
    "Nav",
    "Rebalance",
    "Reconciliation",
    "RegimeRow",
    "Row",
    "Run",
    "StageRow",
    "WireEvent",
]
