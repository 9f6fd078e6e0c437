"""Names that are the same in every process: of a rebalance, and of its orders (rulings 27)."""

from __future__ import annotations

import datetime as dt
import hashlib


def rebalance_id(strategy: str, config_digest: str, account: str, session: dt.date) -> str:
    """Return the id of a rebalance: the first 8 hex digits of a SHA-256 over what decides it."""
    text = f"{strategy} {config_digest} {account} {session}"
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def order_ref(session: dt.date, rebalance: str, con_id: int, side: str, number: int) -> str:
    """Return an order reference, ``A7-<yyyymmdd>-<rebalance id>-<conId>-<B|S>-<n>``; ``number`` from 1."""
    return f"A7-{session:%Y%m%d}-{rebalance}-{con_id}-{side[0]}-{number}"
