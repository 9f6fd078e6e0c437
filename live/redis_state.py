"""What the runner does, in a Redis for dashboards: the last session and the last sign of life, nothing else.

Nothing that happens to Redis reaches trading: a call puts a few bytes aside and returns, and a thread sends the
latest. What could not be sent is not kept for later, but for the newest of each.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ares7.redis_config import RedisConfig
from feeds.redis_link import RedisLink, connect
from live.journal import rows
from live.machine import utc_now

STATE_S, BEAT_S = 7 * 86_400.0, 60.0
"""How long Redis keeps each: a session's state over a long weekend; a sign of life only as long as it is one."""
LIMIT = 64 * 1024
"""Bytes of JSON; more is not sent."""
CLOSE_S = 0.5


@dataclass(slots=True)
class _Message:
    key: str
    text: str
    ends: float


class RedisState:
    """Publishes ``<prefix>:<mode>:state`` and ``<prefix>:<mode>:heartbeat``; without an address it does nothing.

    Parameters
    ----------
    config : RedisConfig
    mode : str
        shadow, paper, real or simulated.
    now : callable
        UTC, the clock of the machine.
    link : RedisLink, optional

    Raises
    ------
    ConfigError
        The package redis is not installed.
    """

    def __init__(
        self,
        config: RedisConfig,
        mode: str,
        now: Callable[[], dt.datetime] = utc_now,
        link: RedisLink | None = None,
    ) -> None:
        self._keys = {what: f"{config.prefix}:{mode}:{what}" for what in ("state", "heartbeat")}
        self._mode, self._now = mode, now
        if link is None and config.address is not None:
            link = RedisLink(connect(config.address, "redis.address"))
        self._link = link
        self._latest: dict[str, _Message] = {}
        self._unsent: set[str] = set()
        self._wake = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None

    def publish(self, state: Mapping[str, Any]) -> None:
        """Show a session's state, for example `session_state`. Returns at once and raises nothing."""
        self._put("state", state, STATE_S)

    def beat(self, state: str, session: dt.date | None = None) -> None:
        """Show a sign of life. Returns at once and raises nothing."""
        self._put("heartbeat", {"state": state, "session": session}, BEAT_S)

    def close(self) -> None:
        """Send what is waiting, for half a second at most, and stop."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def _put(self, what: str, content: Mapping[str, Any], keep_s: float) -> None:
        if self._link is None:
            return
        told = {
            "at": self._now().isoformat(timespec="milliseconds"),
            "mode": self._mode,
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }
        try:
            text = json.dumps(_plain({**content, **told}), allow_nan=False)
        except (TypeError, ValueError):
            return
        if len(text) > LIMIT:
            return
        message = _Message(self._keys[what], text, time.monotonic() + keep_s)
        with self._wake:
            if self._closing:
                return
            self._latest[what] = message
            self._unsent.add(what)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._send_all, args=(self._link,), name="redis-state", daemon=True
                )
                self._thread.start()
            self._wake.notify()

    def _send_all(self, link: RedisLink) -> None:
        while True:
            with self._wake:
                wait = link.waits_s
                while not self._closing and (not self._unsent or wait > 0):
                    self._wake.wait(wait if self._unsent else None)
                    wait = link.waits_s
                if self._closing and (not self._unsent or wait > 0):
                    break
                sending = [self._latest[what] for what in sorted(self._unsent)]
                self._unsent.clear()
            if not _send(link, sending):
                with self._wake:
                    # Whatever a Redis that comes back has forgotten is shown again.
                    self._unsent.update(self._latest)
        link.close()


def _send(link: RedisLink, messages: list[_Message]) -> bool:
    def send(client: Any) -> bool:
        pipe = client.pipeline(transaction=False)
        for message in messages:
            left = message.ends - time.monotonic()
            if left > 0:
                pipe.set(message.key, message.text, px=max(1, int(left * 1000)))
        pipe.execute()
        return True

    return bool(link.ask(send))


def session_state(
    nav: rows.Nav, *, strategy: str, halt: str, positions: Mapping[str, float], alerts: int = 0
) -> dict[str, Any]:
    """Return what a dashboard shows of a session; no account id.

    Parameters
    ----------
    nav : Nav
    strategy, halt : str
        Name of the strategy; name of the level.
    positions : mapping of symbol to shares
    alerts : int
        That nobody has acknowledged.
    """
    return {
        "session": nav.session,
        "strategy": strategy,
        "nav_usd": nav.nav_usd,
        "cash_usd": nav.cash_usd,
        "halt": halt,
        "positions": dict(positions),
        "alerts": alerts,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, dt.date | dt.datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
