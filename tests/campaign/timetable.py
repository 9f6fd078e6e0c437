"""The clock of a double, moved by the times of an exchange day."""

from __future__ import annotations

import datetime as dt

from live.double.clock import local
from tests.campaign.faults import CLOSE, EVENING, NIGHT, NOON, OPEN, PREOPEN


def coming(control):
    """The session that is open, or the next one."""
    return control.call(lambda gateway: gateway.calendar.coming(gateway.clock.now))


def closed(control):
    """Date of the latest session that is over."""

    def find(gateway):
        return [s for s in gateway.calendar.sessions if s.closes <= gateway.clock.now][-1].date

    return control.call(find)


def reach(control, phase):
    """Move the clock to a phase of the day that ends with the next close."""

    def go(gateway):
        now = gateway.clock.now
        session = gateway.calendar.coming(now)
        midnight = local(now).replace(hour=0, minute=30, second=0, microsecond=0) + dt.timedelta(days=1)
        when = {
            EVENING: now,
            NIGHT: midnight.timestamp(),
            PREOPEN: session.opens - 1800.0,
            OPEN: session.opens + 90.0,
            NOON: session.opens + 7200.0,
            CLOSE: session.closes + 300.0,
        }[phase]
        gateway.advance(max(now, when))

    control.call(go)


def reach_close(control, date, minutes):
    """Move the clock to so many minutes after the close of a session."""

    def go(gateway):
        when = gateway.calendar.on(date).closes + 60.0 * minutes
        gateway.advance(max(when, gateway.clock.now))

    control.call(go)
