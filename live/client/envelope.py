"""What every message is, and the envelope that gives it a place in the queue."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """Anything the gateway, or the connection to it, reports."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message with its place in the queue.

    Attributes
    ----------
    seq : int
        Grows by one with every message of a client, reconnections included; a gap cannot occur.
    received : datetime
        When it arrived, by the client's clock (UTC).
    message : Message
    """

    seq: int
    received: dt.datetime
    message: Message
