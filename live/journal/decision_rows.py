"""Rows of runs and decisions."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from live.journal.row import Row


@dataclass(frozen=True, slots=True)
class Run(Row):
    """One start of the runner.

    Attributes
    ----------
    strategy, config_digest : str
    code : str
        Git commit, or digest of the source.
    pid, client_id : int
        Of the process, and of its connection.
    host : str
        Computer on which it runs.
    armed : bool
        Orders are sent.
    detail : dict
        Anything else worth keeping: versions, settings.
    """

    strategy: str
    config_digest: str
    code: str = ""
    pid: int = 0
    host: str = ""
    client_id: int = 0
    armed: bool = False
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Heartbeat(Row):
    """The runner lives: session, what it is doing, process id."""

    state: str
    pid: int
    session: dt.date | None = None


@dataclass(frozen=True, slots=True)
class Rebalance(Row):
    """A decision that is carried out at most once.

    Attributes
    ----------
    rebalance_id : str
        Eight hex digits (`live.journal.identity.rebalance_id`).
    session : date
        On whose close it is decided.
    strategy, config_digest : str
    reason : str
        Why this session decides: start, month_end, regime, overlay_or_scale; missed, when the runner was down at the
        close that should have decided.
    nav_usd, cash_usd, capital_usd : float or None
        Of the account, and what the strategy may use of it.
    detail : dict
        Regime, sleeve weights, scalers: what `explain` takes apart.
    outcome : str
        ``open`` until `finish_rebalance`; on reading only.
    """

    rebalance_id: str
    session: dt.date
    strategy: str
    config_digest: str
    reason: str = ""
    nav_usd: float | None = None
    cash_usd: float | None = None
    capital_usd: float | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    outcome: str = field(default="open", kw_only=True, metadata={"read_only": True})


@dataclass(frozen=True, slots=True)
class Decision(Row):
    """What was decided for one name in a rebalance, also when it is nothing.

    Attributes
    ----------
    rebalance_id, symbol : str
    con_id : int
    target_weight : float
        Fraction of the capital.
    target_shares, held_shares, working_shares, delta_shares : float
        ``delta = target - held - working``.
    price : float or None
        Decision price: the traded close it was sized with.
    outcome : str
        order, unchanged, below_minimum, limit, halt, frozen, ...
    reason : str
        Why, in words; for a refusal: value, limit, remedy.
    ref : str
        Reference of the order, empty without one.
    detail : dict
        Sleeve weights, tilts, scalers, rounding.
    """

    rebalance_id: str
    symbol: str
    con_id: int
    target_weight: float
    target_shares: float
    held_shares: float
    working_shares: float
    delta_shares: float
    price: float | None
    outcome: str
    reason: str = ""
    ref: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RegimeRow(Row):
    """Regime of a session: the raw label, the held one, and the inputs of the rule."""

    session: dt.date
    raw: str
    held: str
    inputs: dict[str, Any] = field(default_factory=dict)
