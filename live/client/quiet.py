"""The daily window in which no order is accepted, because IB resets its servers."""

from __future__ import annotations

import datetime as dt

from live.client.convert import NEW_YORK


def is_quiet(now: dt.datetime, window: tuple[str, str] | None) -> bool:
    """Whether a moment lies in a daily window of New York time, which may span midnight.

    Parameters
    ----------
    now : datetime
        Aware.
    window : (str, str) or None
        ``HH:MM`` of its start (inside) and its end (outside).
    """
    if window is None:
        return False
    start, end = (dt.time.fromisoformat(text) for text in window)
    local = now.astimezone(NEW_YORK).time()
    if start <= end:
        return start <= local < end
    return local >= start or local < end
