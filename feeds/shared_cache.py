"""Computed panels and signals in a Redis, for whoever computes the same on another machine.

An entry is the bytes of an ``.npz`` behind their SHA-256: arrays without objects, and JSON. One that is damaged, of
another form or not there is computed. Who may write to that Redis may change what a backtest reads; live trading and
the daily job never read it.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import platform
import re
import time
import zipfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ares7.arrays import AnyArray
from ares7.redis_config import RedisConfig
from feeds.redis_link import RedisLink, connect

MAGIC = b"ares7 1\n"
META = "__meta__"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
"""Of an array: it becomes the name of a file."""
TIMEOUT_S = 2.0
"""An entry may be large, and nothing but a search waits for it."""
KEEP_S = 14 * 86_400
LIBRARIES = ("numpy", "pandas", "pyarrow", "exchange_calendars")
ROOT = Path(__file__).resolve().parent.parent

_log = logging.getLogger(__name__)
Entry = tuple[dict[str, AnyArray], dict[str, Any]]


class SharedCache:
    """Entries of one Redis.

    Parameters
    ----------
    link : RedisLink
    config : RedisConfig
        ``prefix``, ``entry_mb``, ``total_mb``.
    """

    def __init__(self, link: RedisLink, config: RedisConfig) -> None:
        self._link = link
        self._prefix = f"{config.prefix}:cache"
        self._entry, self._total = int(config.entry_mb * 2**20), int(config.total_mb * 2**20)

    def fetch(self, kind: str, key: str) -> Entry | None:
        """Return arrays and JSON of an entry, or None."""
        name = f"{self._prefix}:{kind}:{key}"
        value = self._link.ask(lambda client: client.get(name))
        if value is None:
            return None
        try:
            return unpacked(value)
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            _log.warning("Redis key %s is no entry (%s); computing it", name, error)
            return None

    def put(self, kind: str, key: str, arrays: Mapping[str, AnyArray], content: Mapping[str, Any]) -> bool:
        """Store an entry, unless it is too large or Redis is away; the oldest go when there are too many."""
        if sum(values.nbytes for values in arrays.values()) > self._entry:
            return False
        name, value = f"{kind}:{key}", packed(arrays, content)
        if len(value) > self._entry:
            return False

        def store(client: Any) -> bool:
            client.set(f"{self._prefix}:{name}", value, ex=KEEP_S)
            client.zadd(f"{self._prefix}:ages", {name: time.time()})
            client.hset(f"{self._prefix}:sizes", name, len(value))
            self._prune(client)
            return True

        return bool(self._link.ask(store))

    def _prune(self, client: Any) -> None:
        sizes = {key: int(size) for key, size in client.hgetall(f"{self._prefix}:sizes").items()}
        total = sum(sizes.values())
        for name in client.zrange(f"{self._prefix}:ages", 0, -1):
            if total <= self._total:
                return
            client.delete(f"{self._prefix}:{name.decode()}")
            client.zrem(f"{self._prefix}:ages", name)
            client.hdel(f"{self._prefix}:sizes", name)
            total -= sizes.get(name, 0)


def packed(arrays: Mapping[str, AnyArray], content: Mapping[str, Any]) -> bytes:
    """Return an entry as bytes; arrays of objects are refused.

    Raises
    ------
    ValueError
    """
    if any(values.dtype.hasobject for values in arrays.values()):
        raise ValueError("Object arrays are not shared")
    told = np.frombuffer(json.dumps(content).encode(), dtype=np.uint8)
    plain: dict[str, Any] = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
    plain[META] = told
    buffer = io.BytesIO()
    # Older versions of numpy cannot be told here that nothing is to be pickled.
    np.savez(buffer, **plain)
    body = buffer.getvalue()
    return MAGIC + hashlib.sha256(body).digest() + body


def unpacked(value: bytes) -> Entry:
    """Return arrays and JSON of an entry.

    Raises
    ------
    ValueError, KeyError, OSError, EOFError, BadZipFile
        It is damaged, or none.
    """
    start = len(MAGIC) + 32
    if not value.startswith(MAGIC) or hashlib.sha256(value[start:]).digest() != value[len(MAGIC) : start]:
        raise ValueError("wrong form or checksum")
    with np.load(io.BytesIO(value[start:]), allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files}
    content = json.loads(arrays.pop(META).tobytes())
    if not isinstance(content, dict) or not all(map(_NAME.fullmatch, arrays)):
        raise ValueError("no JSON object, or a strange name")
    return arrays, content


_in_use: tuple[RedisConfig, SharedCache] | None = None


def use(config: RedisConfig) -> None:
    """Say which Redis this process shares its panels and signals with; none without ``redis.share``.

    Raises
    ------
    ConfigError
        The package redis is not installed.
    """
    global _in_use
    if not config.share or config.address is None:
        _in_use = None
    elif _in_use is None or _in_use[0] != config:
        link = RedisLink(connect(config.address, "redis.address", TIMEOUT_S))
        _in_use = (config, SharedCache(link, config))


def in_use() -> SharedCache | None:
    """Return the shared cache of this process, if it has one."""
    return None if _in_use is None else _in_use[1]


def content_key(settings: object, files: Sequence[Path], extra: object) -> str:
    """Identify a panel wherever it is built: by settings, content of files, code and versions.

    Parameters
    ----------
    settings : object
        As JSON; no path of this machine.
    files : sequence of Path
    extra : object
        Must have a stable ``repr``.
    """
    digests = [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]
    parts = json.dumps([settings, digests, list(_code()), repr(extra)], sort_keys=True)
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


@lru_cache(maxsize=1)
def _code() -> tuple[str, ...]:
    digest = hashlib.sha256()
    for path in sorted(path for package in ("ares7", "feeds") for path in (ROOT / package).rglob("*.py")):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return (
        digest.hexdigest(),
        platform.python_version(),
        platform.machine(),
        *(metadata.version(name) for name in LIBRARIES),
    )
