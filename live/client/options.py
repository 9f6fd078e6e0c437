"""Settings of the connection, frozen, beside what they configure."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class HistoryPacing(BaseModel):
    """IB's limits on historical requests; `live.client.pacing.HistoryPacer` keeps them.

    The figures are those of the TWS API documentation, "Pacing Violations for Small Bars (30 secs or
    less)" and "Historical Data Limitations"; daily bars are exempt from ``per_ten_minutes``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    identical_s: Annotated[float, Field(ge=0)] = 15.0
    per_contract: Annotated[int, Field(ge=1)] = 5
    contract_window_s: Seconds = 2.0
    open_requests: Annotated[int, Field(ge=1, le=50)] = 45
    per_ten_minutes: Annotated[int, Field(ge=1)] = 58
    retries: Annotated[int, Field(ge=0)] = 3


class Reconnect(BaseModel):
    """Pauses between attempts: ``first_s`` times ``factor`` to the n, at most ``cap_s``, plus jitter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first_s: Seconds = 1.0
    factor: Annotated[float, Field(ge=1)] = 2.0
    cap_s: Seconds = 60.0
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.25


class Options(BaseModel):
    """How the client behaves. Durations are seconds.

    Attributes
    ----------
    library : {"ib_insync", "ib_async"}
        Which installed library speaks the protocol.
    time_zone : str
        Zone that TWS or IB Gateway was told to use at login. Gateways before server version 174 send
        execution times without a zone.
    messages_per_s : int
        Own limit on requests a second (IB disconnects above 50); 0 switches it off, for tests.
    heartbeat_s : float
        After so long without a message the gateway is asked for its time; no answer within
        ``request_timeout_s`` means that the connection is half open, and it is dropped.
    max_skew_s : float or None
        Refuse to start if the gateway's clock and ours differ by more; ``None`` does not look.
    outage_s : float
        Report an outage once it has lasted so long.
    quiet : (str, str) or None
        Daily window, ``HH:MM`` in New York, in which no order is accepted: IB's nightly reset.
    read_only : bool
        Place and cancel nothing, whatever is asked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    library: Literal["ib_insync", "ib_async"] = "ib_insync"
    time_zone: str = "America/New_York"
    connect_timeout_s: Seconds = 10.0
    request_timeout_s: Seconds = 15.0
    history_timeout_s: Seconds = 60.0
    stop_timeout_s: Seconds = 5.0
    messages_per_s: Annotated[int, Field(ge=0, le=50)] = 45
    heartbeat_s: Seconds = 30.0
    max_skew_s: Seconds | None = 5.0
    outage_s: Seconds = 900.0
    quiet: tuple[str, str] | None = ("23:45", "00:45")
    read_only: bool = False
    reconnect: Reconnect = Reconnect()
    history: HistoryPacing = HistoryPacing()

    def for_double(self) -> Options:
        """Return what a double on this machine needs, whose days last seconds.

        Its clock is right by definition, and neither IB's nightly reset nor its limits on history, which are in real
        seconds, mean anything to it.
        """
        unpaced = HistoryPacing(identical_s=0, per_contract=10**6, per_ten_minutes=10**6)
        return self.model_copy(update={"max_skew_s": None, "quiet": None, "history": unpaced})

    @field_validator("quiet")
    @classmethod
    def _minutes(cls, value: tuple[str, str] | None) -> tuple[str, str] | None:
        for text in value or ():
            try:
                dt.time.fromisoformat(text)
            except ValueError:
                raise ValueError(f"{text} is not a time of day HH:MM") from None
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            raise ValueError(
                f"{value} is no time zone; write it as Europe/London or America/New_York"
            ) from None
        return value
