"""Loaded once into the process from which every runner is forked, so that a start costs a tenth of a second.

A calendar costs a quarter of a second, and every runner would make three of them, of other years; here one serves
all. What it answers is the same.
"""

from __future__ import annotations

import numpy as np

from ares7 import sessions
from live.journal import schema, writer
from tests.campaign import child, operator_deeds

YEARS = "2020-01-01", "2028-12-31"


def one_calendar(first, last, calendar):
    """In place of one for each span of years."""
    return sessions._calendar(calendar, *YEARS)


sessions._spanning = one_calendar
sessions.hours(np.datetime64("2024-01-01"), np.datetime64("2024-12-31"))
LOADED = (schema, writer, child, operator_deeds)
