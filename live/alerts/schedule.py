"""Who is to be told what, and when: a pure function of an alert, the rules and the time."""

from __future__ import annotations

import datetime as dt

from ares7.alerts_config import AlertsConfig
from live.alerts.event import URGENT
from live.alerts.record import AlertRecord, elapsed, to_text

FIRST, MORE, REPEAT, ESCALATION = "first", "more", "repeat", "escalation"


def due(alert: AlertRecord, rules: AlertsConfig, stages: int, now: dt.datetime) -> tuple[str, int] | None:
    """Return what is to be told of an alert now, and to which of ``stages`` groups of targets; None for nothing.

    In this order: an alert is told at once; more events of it after ``group_s``; a state that lasts after ``repeat_s``;
    an urgent one that nobody acknowledged goes to the next group after ``escalate_s``. In quiet hours only what is
    urgent is told.
    """
    if alert.acked_at is not None:
        return None
    urgent = alert.severity in URGENT
    if not urgent and rules.quiet is not None and rules.quiet.holds(now):
        return None
    if alert.told_at is None or alert.first_told_at is None:
        return FIRST, 0
    if alert.ended_at is not None:
        return None
    if alert.count > alert.told_count and elapsed(alert.told_at, now) >= rules.group_s:
        return MORE, alert.stage
    following = alert.stage + 1
    if urgent and following < stages and elapsed(alert.first_told_at, now) >= rules.escalate_s * following:
        return ESCALATION, following
    if alert.lasting and elapsed(alert.told_at, now) >= rules.repeat_s:
        return REPEAT, alert.stage
    return None


def words(alert: AlertRecord, kind: str) -> tuple[str, str]:
    """Return title and text of a message."""
    where = f" {alert.mode}" if alert.mode else ""
    title = f"ARES7{where} {alert.severity.upper()}: {alert.code}"
    new = alert.count - alert.told_count
    lines = [alert.message]
    if kind == FIRST and alert.count > 1:
        lines = [f"{alert.count} of these; the latest: {alert.message}"]
    elif kind == MORE:
        lines = [f"{new} more, {alert.count} in all; the latest: {alert.message}"]
    elif kind == REPEAT:
        lines = [f"still so since {to_text(alert.opened_at)[:16]} UTC: {alert.message}"]
    elif kind == ESCALATION:
        lines = [f"nobody acknowledged this: {alert.message}"]
    if alert.ended_at is not None:
        lines.append(f"It was over at {to_text(alert.ended_at)[:16]} UTC.")
    session = "" if alert.session is None else f"session {alert.session}, "
    lines.append(
        f"{session}alert {alert.id} of {to_text(alert.opened_at)[:19]} UTC; seen? python run.py alerts ack {alert.id}"
    )
    return title, "\n".join(lines)
