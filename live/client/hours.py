"""Trading hours as IB writes them, compared with our calendar. No reading, no clock."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import dataclass

import numpy as np

from ares7.errors import DataError
from ares7.sessions import hours as calendar_hours
from live.client.messages import ContractFacts


@dataclass(frozen=True, slots=True)
class Span:
    """Regular hours of one exchange date, UTC. ``opens`` is None when the exchange is closed that day."""

    date: dt.date
    opens: dt.datetime | None
    closes: dt.datetime | None


def parse_hours(text: str, zone: str) -> tuple[Span, ...]:
    """Hours of a contract.

    Parameters
    ----------
    text : str
        ``20240703:0930-20240703:1300;20240704:CLOSED``, the format of ``liquidHours`` (TWS API, Contract
        Details); days are separated by semicolons, several spans of a day by commas or semicolons.
    zone : str
        Time zone of the text, ``timeZoneId``.

    Raises
    ------
    DataError
        The text or the zone cannot be read.
    """
    try:
        local = zoneinfo.ZoneInfo(zone)
        days: dict[dt.date, list[tuple[dt.datetime, dt.datetime]]] = {}
        for part in text.replace(",", ";").split(";"):
            if not part.strip():
                continue
            start, _, end = part.strip().partition("-")
            day = dt.datetime.strptime(start.partition(":")[0], "%Y%m%d").replace(tzinfo=local).date()
            spans = days.setdefault(day, [])
            if not start.endswith("CLOSED"):
                spans.append((_moment(start, local), _moment(end, local)))
    except (ValueError, zoneinfo.ZoneInfoNotFoundError) as error:
        raise DataError(f"IB's hours {text[:80]!r} in zone {zone!r} cannot be read: {error}") from None
    return tuple(
        Span(day, min(s[0] for s in spans), max(s[1] for s in spans)) if spans else Span(day, None, None)
        for day, spans in sorted(days.items())
    )


def _moment(text: str, local: zoneinfo.ZoneInfo) -> dt.datetime:
    return dt.datetime.strptime(text, "%Y%m%d:%H%M").replace(tzinfo=local).astimezone(dt.UTC)


def disagreements(facts: ContractFacts, calendar: str = "XNYS") -> tuple[str, ...]:
    """Sentences on each day on which IB's hours and our calendar differ: holidays, half days, hours.

    Parameters
    ----------
    facts : ContractFacts
    calendar : str
        A calendar of exchange_calendars.
    """
    spans = parse_hours(facts.liquid_hours, facts.time_zone)
    if not spans:
        return (f"IB sent no hours of {facts.symbol}",)
    first, last = (np.datetime64(span.date, "D") for span in (spans[0], spans[-1]))
    dates, opens, closes = calendar_hours(first, last, calendar)
    ours = {
        date: (_utc(start), _utc(end)) for date, start, end in zip(dates.tolist(), opens, closes, strict=True)
    }
    found = []
    for span in spans:
        theirs = (span.opens, span.closes) if span.opens and span.closes else None
        mine = ours.get(span.date)
        if theirs != mine:
            found.append(f"{span.date}: IB says {_shown(theirs)}, calendar {calendar} says {_shown(mine)}")
    return tuple(found)


def _utc(moment: np.datetime64) -> dt.datetime:
    return dt.datetime.fromtimestamp(int(moment.astype("datetime64[s]").astype(np.int64)), dt.UTC)


def _shown(times: tuple[dt.datetime, dt.datetime] | None) -> str:
    return f"{times[0]:%H:%M} to {times[1]:%H:%M} UTC" if times else "closed"
