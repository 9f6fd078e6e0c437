"""A Redis that may be away: short time-outs, and no further attempt for a while after a failure."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from ares7.errors import ConfigError

VARIABLE = "ARES7_REDIS_PASSWORD"
"""Of the environment; it holds the password, which no configuration does."""
TIMEOUT_S, RETRY_S = 0.25, 15.0

T = TypeVar("T")
_log = logging.getLogger(__name__)


def connect(address: str, setting: str, timeout_s: float = TIMEOUT_S) -> Any:
    """Make a client; nothing is sent yet.

    Parameters
    ----------
    address : str
        ``host:port`` or ``host:port/database``; a password is taken from the environment only.
    setting : str
        Names it in messages.
    timeout_s : float
        Of the connection, and of each answer.

    Raises
    ------
    ConfigError
        The address is not of this form, or the package is not installed.
    """
    place, _, database = address.partition("/")
    host, _, port = place.rpartition(":")
    if not host or not port.isdigit() or not (database or "0").isdigit():
        raise ConfigError(f"{setting} {address!r} is not of the form host:port or host:port/database")
    try:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError:
        raise ConfigError(
            f"{setting} is set and the package redis is not installed: pip install 'redis>=5'"
        ) from None
    return redis.Redis(
        host=host,
        port=int(port),
        db=int(database or "0"),
        password=os.environ.get(VARIABLE) or None,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
    )


class RedisLink:
    """Asks a Redis, or answers None at once while it is taken to be away.

    Parameters
    ----------
    client : redis.Redis
    monotonic : callable
        Seconds.
    """

    def __init__(self, client: Any, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._client, self._monotonic = client, monotonic
        self._again = -float("inf")
        self._mutex = threading.Lock()
        self.failures = 0

    @property
    def waits_s(self) -> float:
        """Seconds until the next attempt; 0 when one may be made."""
        return max(0.0, self._again - self._monotonic())

    def ask(self, what: Callable[[Any], T]) -> T | None:
        """Return what a call gives, None if it fails or the last failure was less than `RETRY_S` ago."""
        with self._mutex:
            if self.waits_s > 0:
                return None
            try:
                return what(self._client)
            # The client raises more kinds than it documents; nothing may depend on any of them.
            except Exception as error:
                self._again = self._monotonic() + RETRY_S
                self.failures += 1
                _log.warning("Redis does not answer (%s); going on without it", type(error).__name__)
                return None

    def close(self) -> None:
        """Disconnect."""
        self._client.close()
