"""Every message both ways, with virtual and real time, and what tests ask of them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import IO, NamedTuple

from ares7.errors import ConfigError

REPLIES = {
    1: "tickPrice", 2: "tickSize", 3: "orderStatus", 4: "error", 5: "openOrder", 6: "accountValue",
    7: "portfolioValue", 8: "accountTime", 9: "nextValidId", 10: "contractDetails", 11: "execDetails",
    15: "managedAccounts", 17: "historicalData", 45: "tickGeneric", 46: "tickString", 49: "currentTime",
    50: "realTimeBar", 52: "contractDetailsEnd", 53: "openOrderEnd", 54: "accountDownloadEnd", 55: "execDetailsEnd",
    57: "tickSnapshotEnd", 58: "marketDataType", 59: "commissionReport", 61: "position", 62: "positionEnd",
    63: "accountSummary", 64: "accountSummaryEnd", 73: "accountUpdateMulti", 74: "accountUpdateMultiEnd",
    81: "tickReqParams", 88: "headTimestamp", 90: "historicalDataUpdate", 93: "marketRule",
    101: "completedOrder", 102: "completedOrdersEnd",
}  # fmt: skip
"""Names of the gateway's messages by id."""


ORDER_REF = 26
"""Place of the order reference among the fields of placeOrder."""


class Entry(NamedTuple):
    """One message.

    Attributes
    ----------
    virtual, real : float
        Seconds since 1970; virtual is the gateway's clock.
    client : int
        Client id, -1 before it is known.
    way : str
        ``in`` from the client, ``out`` to it, ``lost`` when a fault swallowed it.
    name : str
    fields : tuple of str
    """

    virtual: float
    real: float
    client: int
    way: str
    name: str
    fields: tuple[str, ...]


class Recorder:
    """Messages in the order in which the gateway saw or sent them.

    Parameters
    ----------
    path : Path, optional
        Also write them there, one JSON object a line.
    keep : bool
        Keep them in memory; false for long runs.

    Raises
    ------
    ConfigError
        The file cannot be written.
    """

    def __init__(self, path: Path | None = None, *, keep: bool = True) -> None:
        self.entries: list[Entry] = []
        self._keep = keep
        self._counts: dict[tuple[str, str], int] = {}
        self._file: IO[str] | None = None
        if path is not None:
            try:
                self._file = path.open("w", encoding="utf-8")
            except OSError as error:
                raise ConfigError(f"{path} cannot be written ({error.strerror}); name another file") from None

    def add(self, virtual: float, client: int, way: str, name: str, fields: list[str]) -> None:
        """Record a message."""
        entry = Entry(virtual, time.time(), client, way, name, tuple(fields))
        self._counts[name, way] = self._counts.get((name, way), 0) + 1
        if self._keep:
            self.entries.append(entry)
        if self._file is not None:
            self._file.write(json.dumps(entry._asdict()) + "\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def named(self, name: str, way: str | None = None, client: int | None = None) -> list[Entry]:
        """Messages of one name, in order."""
        return [
            entry
            for entry in list(self.entries)
            if entry.name == name
            and (way is None or entry.way == way)
            and (client is None or entry.client == client)
        ]

    def count(self, name: str, way: str | None = None) -> int:
        """How many messages of one name, also of those that are not kept."""
        return sum(
            n
            for (known, direction), n in list(self._counts.items())
            if known == name and way in (None, direction)
        )

    def errors(self) -> list[tuple[int, int]]:
        """(request or order id, code) of the errors and notices that were sent."""
        return [(int(entry.fields[2]), int(entry.fields[3])) for entry in self.named("error", "out")]

    def order_refs(self) -> list[str]:
        """Order references of the orders that reached the gateway, in order."""
        return [entry.fields[ORDER_REF] for entry in self.named("placeOrder", "in")]

    def names(self, way: str = "out", client: int | None = None) -> list[str]:
        """Names of the messages of one way, in order."""
        every = list(self.entries)
        return [e.name for e in every if e.way == way and (client is None or e.client == client)]
