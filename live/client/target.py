"""Whom to connect to, and as whom."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to connect to, and as whom. ``account`` may be empty: the only one of the login."""

    host: str
    port: int
    client_id: int
    account: str = ""

    @property
    def where(self) -> str:
        """Host and port, for messages."""
        return f"{self.host}:{self.port}"
