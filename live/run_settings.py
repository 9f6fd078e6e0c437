"""What a runner is started with, and what it says at its end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from live.client.options import Options
from live.interlock import Mode
from live.store_options import StoreOptions


@dataclass(frozen=True, slots=True)
class Place:
    """Where the gateway is and where the files are.

    Attributes
    ----------
    host, port, client_id, account
        As `live.store.IBStore`.
    store, client
        Options of both.
    folder : Path
        Of journal, halt file and heartbeat.
    """

    host: str
    port: int
    client_id: int
    account: str
    store: StoreOptions
    client: Options
    folder: Path


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did."""

    mode: Mode
    account: str
    sessions: int
    orders: int
    filled: int
    differences: int
