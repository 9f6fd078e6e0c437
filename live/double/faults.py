"""The fault script: what happens to which message, and what happens at which time.

A script is a list of mappings, from YAML or Python. Two kinds:

``{on: placeOrder, nth: 3, do: swallow}`` acts on messages. ``on`` is a name (``*`` any; requests as in
`live.double.layouts`, replies as in `live.double.recorder`); ``nth`` is the first match that is affected (default
1), ``times`` how many are (default 1, 0 for ever), ``every: n`` instead that one and every n-th after it; ``client``
and ``contains`` (a field's text) narrow it. ``do`` is

- ``swallow``: it is lost;
- ``duplicate``: it comes twice;
- ``delay``: it comes ``seconds`` of virtual time later;
- ``reorder``: it comes after the next message of the connection;
- ``error``: a request is answered by ``code`` and ``text``; with ``also: true`` it is carried out all the same;
- ``drop``, ``reset``: the connection is closed, or cut, instead;
- ``half_open``: the connection stays, and nothing goes either way any more.

``{at: "2024-01-03 10:00", do: connectivity, code: 1100}`` acts at a time: ``at`` once, ``after`` so many seconds
from the start, ``daily`` at a time of day (``"23:45"``). ``do`` is a method of `live.double.actions.Actions`, with
its other keys as arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ares7.errors import ConfigError

Deed = Literal["swallow", "duplicate", "delay", "reorder", "error", "drop", "reset", "half_open"]


class MessageFault(BaseModel):
    """What happens to some messages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    on: str
    do: Deed
    nth: int = Field(default=1, ge=1)
    times: int = Field(default=1, ge=0)
    every: int | None = Field(default=None, ge=1)
    client: int | None = None
    contains: str | None = None
    seconds: float = Field(default=1.0, ge=0)
    code: int = 201
    text: str = "Scripted error"
    also: bool = False


class TimedFault(BaseModel):
    """What happens at a time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: str | None = None
    after: float | None = Field(default=None, ge=0)
    daily: str | None = None
    do: str
    arguments: dict[str, Any] = Field(default_factory=dict)


@dataclass(slots=True)
class _Armed:
    fault: MessageFault
    seen: int = 0

    def takes(self, client: int, name: str, fields: list[str]) -> bool:
        """Whether this message is affected; counts it if it matches."""
        fault = self.fault
        if fault.on not in ("*", name) or (fault.client is not None and fault.client != client):
            return False
        if fault.contains is not None and fault.contains not in fields:
            return False
        self.seen += 1
        if fault.every is not None:
            return self.seen >= fault.nth and (self.seen - fault.nth) % fault.every == 0
        return self.seen >= fault.nth and (fault.times == 0 or self.seen < fault.nth + fault.times)


class FaultScript:
    """Faults on messages that are armed now."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []

    def arm(self, fault: MessageFault) -> None:
        """Add one; it counts messages from now on."""
        self._armed.append(_Armed(fault))

    def clear(self) -> None:
        """Disarm all."""
        self._armed.clear()

    def of(self, client: int, name: str, fields: list[str]) -> MessageFault | None:
        """The first armed fault that affects a message."""
        found = None
        for armed in self._armed:
            # Each counts, whichever acts.
            if armed.takes(client, name, fields) and found is None:
                found = armed.fault
        return found


def read_script(entries: Iterable[Mapping[str, Any]], where: str) -> list[MessageFault | TimedFault]:
    """Check a script.

    Parameters
    ----------
    where : str
        For messages.

    Raises
    ------
    ConfigError
        Names the entry and what is wrong with it.
    """
    script: list[MessageFault | TimedFault] = []
    for i, entry in enumerate(entries, 1):
        try:
            script.append(_read(dict(entry)))
        except ValidationError as error:
            first = error.errors()[0]
            at = ".".join(str(part) for part in first["loc"])
            raise ConfigError(f"{where}, entry {i} {dict(entry)}: {at}: {first['msg']}") from None
        except (TypeError, ValueError):
            raise ConfigError(
                f"{where}, entry {i}: a fault is a mapping with 'on' or a time, and 'do'"
            ) from None
    return script


def _read(entry: dict[Any, Any]) -> MessageFault | TimedFault:
    # YAML 1.1 reads the bare key on as the boolean.
    entry = {"on" if key is True else key: value for key, value in entry.items()}
    if "on" in entry:
        return MessageFault(**entry)
    times = {key: entry.pop(key) for key in ("at", "after", "daily") if key in entry}
    if len(times) != 1:
        raise ValueError("one time")
    return TimedFault(**times, do=entry.pop("do"), arguments=entry)
