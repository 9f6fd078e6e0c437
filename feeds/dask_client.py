"""Dask workers as an executor: connected, checked, watched. The only module that imports ``distributed``."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from ares7.errors import ConfigError, ServiceUnavailable

CONNECT_SECONDS = 5
WORKERLESS_SECONDS = 30.0
"""How long a search waits for a scheduler that has lost all its workers."""


class Connection:
    """A client of a scheduler.

    Attributes
    ----------
    executor : concurrent.futures.Executor
    """

    def __init__(self, client: Any, address: str) -> None:
        self._client, self._address = client, address
        self._seen = time.monotonic()
        self.executor: Executor = client.get_executor(pure=False)

    def require_same_code(self, code: str) -> int:
        """Refuse workers that run other code than this process.

        Parameters
        ----------
        code : str
            `feeds.executors.LOADED` of this process.

        Returns
        -------
        int
            Threads of all workers.

        Raises
        ------
        ServiceUnavailable
            There is no worker.
        ConfigError
        """
        workers = self._client.run(loaded_code, on_error="return")
        if not workers:
            raise ServiceUnavailable(
                f"the Dask scheduler at {self._address} has no worker; start one (docs/guide.md)"
            )
        found = {"scheduler": self._scheduler_code()} | {f"worker {k}": v for k, v in workers.items()}
        other = {name: answer for name, answer in found.items() if answer != code}
        if other:
            name, answer = next(iter(other.items()))
            what = "cannot load this project" if isinstance(answer, Exception) else "runs other code"
            raise ConfigError(
                f"Dask {name} {what} ({answer}; here {code}); start it again with this checkout on its PYTHONPATH "
                f"({len(other)} of {len(found)} processes differ)"
            )
        return int(sum(self._client.nthreads().values()))

    def _scheduler_code(self) -> object:
        try:
            return self._client.run_on_scheduler(loaded_code)
        except ImportError as error:
            return error

    def alive(self) -> None:
        """Raise `ServiceUnavailable` where the scheduler, or for a while every worker, is gone."""
        if self._client.status != "running":
            raise _lost(self._address)
        now = time.monotonic()
        if self._client.nthreads():
            self._seen = now
        elif now - self._seen > WORKERLESS_SECONDS:
            raise ServiceUnavailable(
                f"the Dask scheduler at {self._address} has had no worker for {WORKERLESS_SECONDS:.0f} s; start "
                "one and run the same command again"
            )


def loaded_code() -> str:
    """Return the code that a process of the cluster has loaded; runs there."""
    from feeds.executors import LOADED

    return LOADED


@contextmanager
def connected(address: str) -> Iterator[Connection]:
    """Connect to a scheduler.

    Parameters
    ----------
    address : str
        For example ``tcp://127.0.0.1:8786``.

    Raises
    ------
    ServiceUnavailable
        No scheduler answers.
    ConfigError
        The library is missing, or this is no address.
    """
    try:
        from distributed import Client
    except ImportError:
        raise ConfigError(
            'a Dask scheduler needs the library distributed; run: pip install -e ".[cluster]"'
        ) from None
    # What it logs about a lost connection is said once, by the error.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        _knock(address)
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError) as error:
        raise ServiceUnavailable(
            f"no Dask scheduler answers at {address} within {CONNECT_SECONDS} s ({error}); start one "
            "(docs/guide.md) or leave out --scheduler"
        ) from None
    except ValueError as error:
        raise ConfigError(f"--scheduler {address!r} is no address ({error}); give tcp://HOST:8786") from None
    with client:
        yield Connection(client, address)


def _knock(address: str) -> None:
    """Raise at once where nothing listens, or something that is no scheduler: that one would be waited for."""
    place = urlsplit(address if "://" in address else f"tcp://{address}")
    if place.scheme != "tcp":
        return
    if not place.hostname or not place.port:
        raise ValueError("host and port are needed")
    with socket.create_connection((place.hostname, place.port), timeout=CONNECT_SECONDS) as connection:
        # A scheduler speaks first.
        if not connection.recv(1):
            raise OSError("what listens there is no Dask scheduler")


@contextmanager
def surviving(address: str) -> Iterator[None]:
    """Say in one line what became of a cluster that was lost in the middle of a search.

    Raises
    ------
    ServiceUnavailable
    """
    from distributed import KilledWorker

    try:
        yield
    except KilledWorker as error:
        raise ServiceUnavailable(
            f"Dask workers at {address} ended while they ran the same points ({error.task}), perhaps for want of "
            "memory; give them more, and run the same command again"
        ) from None
    except (CancelledError, OSError, TimeoutError):
        raise _lost(address) from None


def _lost(address: str) -> ServiceUnavailable:
    return ServiceUnavailable(
        f"the connection to the Dask scheduler at {address} was lost; start it again and run the same command again"
    )
