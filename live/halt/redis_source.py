"""Halting by a Redis key. It can halt, and nothing that happens to Redis can halt or lift a halt."""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from ares7.errors import ConfigError, DataError
from feeds import redis_link
from live.halt.level import HaltLevel, HaltRecord
from live.halt.switch import Alarm

MEMORY = "halt-redis.json"
POLL_S, RETRY_S, TIMEOUT_S = 1.0, redis_link.RETRY_S, redis_link.TIMEOUT_S


class Keys(Protocol):
    """The part of a Redis client that is used."""

    def get(self, name: str, /) -> Any:
        """Return the value of a key as bytes, None if there is no such key."""

    def close(self) -> None:
        """Disconnect."""


def connect(address: str) -> Keys:
    """Make a client; nothing is sent yet.

    Parameters
    ----------
    address : str
        ``host:port`` or ``host:port/database``; a password is taken from the environment only.

    Raises
    ------
    ConfigError
        The address is not of this form, or the package is not installed.
    """
    client: Keys = redis_link.connect(address, "halt.redis", TIMEOUT_S)
    return client


def remembered(folder: Path) -> HaltRecord | None:
    """Return the last level that a key named, None if none ever did.

    Raises
    ------
    DataError
        The file that keeps it cannot be read.
    """
    path = folder / MEMORY
    try:
        return HaltRecord.from_dict(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, DataError) as error:
        raise DataError(f"{path}: {error}; set the key to a level while the runner runs") from None


class RememberedRedis:
    """The last level that the runner has read from Redis, without a connection.

    Parameters
    ----------
    folder : Path
        Of the halt file.
    """

    name = "redis"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> HaltRecord | None:
        """Return what is remembered."""
        return remembered(self._folder)


class RedisSource:
    """The level that a key names, for example ``SET ares7:halt BLOCK_NEW``.

    Only a value lowers the level: without the key, without an answer, and after a restart without either, the last
    one that was read holds (it is kept in ``halt-redis.json``). A value that names no level counts as HALT.

    Parameters
    ----------
    keys : Keys
    key : str
    folder : Path
        Of the halt file.
    now : callable
        UTC.
    alarm : callable
        Told once of a loss.
    monotonic : callable
        Seconds; asked at most every `POLL_S`, after a failure every `RETRY_S`.
    """

    name = "redis"

    def __init__(
        self,
        keys: Keys,
        key: str,
        folder: Path,
        now: Callable[[], dt.datetime],
        alarm: Alarm,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys, self._key, self._now, self._alarm = keys, key, now, alarm
        self._memory = folder / MEMORY
        self._monotonic, self._next = monotonic, -float("inf")
        self._lost = False
        self._last: HaltRecord | DataError | None
        try:
            self._last = remembered(folder)
        except DataError as error:
            self._last = error

    def read(self) -> HaltRecord | None:
        """Return what the key says, or what it said last; None if it never said anything.

        Raises
        ------
        DataError
            What the last level was cannot be read any more.
        """
        if self._monotonic() >= self._next:
            self._ask()
        if isinstance(self._last, DataError):
            raise self._last
        return self._last

    def close(self) -> None:
        """Disconnect; what was read last still holds."""
        self._keys.close()

    def _ask(self) -> None:
        try:
            value = self._keys.get(self._key)
        except (
            Exception
        ) as error:  # the client raises more kinds than it documents; none of them may stop trading
            self._next = self._monotonic() + RETRY_S
            if not self._lost:
                self._alarm("halt-redis", f"Redis does not answer ({error}); the last level holds")
            self._lost = True
            return
        self._next, self._lost = self._monotonic() + POLL_S, False
        if value is None:
            return
        record = self._meaning(value)
        known = self._last
        if not isinstance(known, HaltRecord) or (known.level, known.why) != (record.level, record.why):
            self._last = record
            self._remember(record)

    def _meaning(self, value: Any) -> HaltRecord:
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
        why = f"key {self._key} says {text[:80]!r}"
        try:
            return HaltRecord(HaltLevel.parse(text), "redis", self._now(), why)
        except ConfigError:
            return HaltRecord(HaltLevel.HALT, "redis", self._now(), f"{why}, which names no level")

    def _remember(self, record: HaltRecord) -> None:
        temporary = self._memory.with_name(f".{MEMORY}-{os.getpid()}-{secrets.token_hex(4)}")
        try:
            with temporary.open("w", encoding="utf-8") as file:
                json.dump(record.to_dict(), file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._memory)
        except OSError as error:
            self._alarm(
                "halt-redis",
                f"{self._memory} cannot be written ({error.strerror}); a restart forgets the level",
            )
