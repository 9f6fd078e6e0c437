"""Every check, in the order in which an audit makes and shows them."""

from __future__ import annotations

from ares7.audit.causality import causality_checks
from ares7.audit.concentration import RebalanceDay
from ares7.audit.execution import execution_checks
from ares7.audit.finding import Check
from ares7.audit.identity import OneSeries
from ares7.audit.inputs import input_checks
from ares7.audit.labels import LabelShuffle
from ares7.audit.lags import LagLadder
from ares7.audit.ledger_checks import TrialCount
from ares7.audit.null_market import NullMarkets
from ares7.audit.universe import universe_checks


def all_checks() -> tuple[Check, ...]:
    """Return every check; what can be proved comes before what can only be likely."""
    return (
        *causality_checks(),
        *execution_checks(),
        LagLadder(),
        RebalanceDay(),
        *input_checks(),
        *universe_checks(),
        NullMarkets(),
        LabelShuffle(),
        TrialCount(),
        OneSeries(),
    )
