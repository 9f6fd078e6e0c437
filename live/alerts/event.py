"""What alerts are made of: facts that happened once, and states that last."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

URGENT = ("error", "critical")
"""Severities that pass quiet hours and go to the next target when nobody acknowledges them."""


@dataclass(frozen=True, slots=True)
class Event:
    """One fact.

    Attributes
    ----------
    key : str
        What tells it from any other: a second event of the same key is nothing new.
    code : str
        The runbook's word.
    severity : str
        info, warning, error, critical.
    message : str
    at : datetime
        When it happened, or was written, UTC.
    session : date or None
    mode : str
        Of the journal; empty where there is none.
    lasting : bool
        A state that lasts until it is found no more.
    fires : bool
        False for a lasting state that is not bad enough to open an alert, and not good enough to end one.
    journal_id : int or None
        Row of the journal's table ``alerts``.
    """

    key: str
    code: str
    severity: str
    message: str
    at: dt.datetime
    session: dt.date | None = None
    mode: str = ""
    lasting: bool = False
    fires: bool = True
    journal_id: int | None = None


def single_alert(
    code: str, severity: str, message: str, at: dt.datetime, *, session: dt.date, mode: str
) -> Event:
    """Make an event that happens once in a session."""
    return Event(f"{code} {mode} {session}", code, severity, message, at, session, mode)


def lasting_alert(
    code: str,
    severity: str,
    message: str,
    at: dt.datetime,
    *,
    mode: str,
    session: dt.date | None = None,
    fires: bool = True,
    what: str = "",
) -> Event:
    """Make an event that lasts; ``what`` tells two states of one code apart."""
    key = " ".join(word for word in (code, mode, what) if word)
    return Event(key, code, severity, message, at, session, mode, lasting=True, fires=fires)
