"""The only importer of ib_insync or ib_async, and the place where they differ.

Either library is imported when it is asked for, in the thread whose event loop it will use: ib_insync's
event package asks for the current loop while it is imported, and Python 3.14 no longer makes one up.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import importlib.util
import logging
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ares7.errors import ConfigError

LIBRARIES = ("ib_insync", "ib_async")
EVENT_PACKAGES = ("eventkit", "aeventkit")
INSTALL = {
    "ib_insync": "pip install 'ib_insync==0.9.86'",
    "ib_async": "pip install 'ib_async==2.1.0' in an environment without ib_insync and eventkit",
}


@dataclass(frozen=True, slots=True)
class Library:
    """The names that are used of a client library; everything else of it stays unknown to us.

    ``IB`` wires a socket client, a decoder and a wrapper together; the others are plain values. ``version``
    and ``event_version`` are those of the library and of its event package.
    """

    name: str
    version: str
    event_version: str
    IB: Any
    Contract: Any
    Order: Any
    TagValue: Any
    ExecutionFilter: Any
    RequestError: type[Exception]
    unset_double: float
    unset_int: int
    min_server_version: int


def ensure_event_loop() -> None:
    """Give this thread an event loop if it has none; importing ib_insync without one fails on Python 3.14."""
    try:
        asyncio.get_running_loop()
        return
    except RuntimeError:
        pass
    try:
        with warnings.catch_warnings():
            # Python 3.12 and 3.13 still make one up in the main thread, and warn.
            warnings.simplefilter("error", DeprecationWarning)
            asyncio.get_event_loop_policy().get_event_loop()
    except (RuntimeError, DeprecationWarning):
        asyncio.set_event_loop(asyncio.new_event_loop())


def installed_version(distribution: str) -> str:
    """Version of an installed distribution; empty if it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def check_installed(name: str, is_installed: Callable[[str], bool] | None = None) -> None:
    """Refuse a library that is not there, and two whose event packages overwrite each other.

    Parameters
    ----------
    name : str
        The configured library.
    is_installed : callable, optional
        Tells whether a distribution is installed; for tests.

    Raises
    ------
    ConfigError
    """
    there = is_installed or (lambda distribution: bool(installed_version(distribution)))
    if name not in LIBRARIES:
        raise ConfigError(f"library {name} is unknown; choose one of {', '.join(LIBRARIES)}")
    for both in (LIBRARIES, EVENT_PACKAGES):
        if all(there(distribution) for distribution in both):
            raise ConfigError(
                f"{both[0]} and {both[1]} are both installed in this environment: eventkit and aeventkit write "
                f"the same module, so whichever came last breaks the other; make a new environment with one "
                f"of them: {INSTALL[name]}"
            )
    if not there(name):
        raise ConfigError(f"library {name} is configured and not installed; {INSTALL[name]}")


def _ib_insync() -> Any:
    import ib_insync
    import ib_insync.wrapper

    return ib_insync, ib_insync.wrapper.RequestError, "eventkit"


def _ib_async() -> Any:
    import ib_async
    import ib_async.wrapper

    return ib_async, ib_async.wrapper.RequestError, "aeventkit"


def load(name: str = "ib_insync") -> Library:
    """Import the configured library in this thread.

    Raises
    ------
    ConfigError
        It is not installed, or both are.
    """
    check_installed(name)
    ensure_event_loop()
    module, request_error, events = _ib_insync() if name == "ib_insync" else _ib_async()
    # Without a handler Python prints a library's warnings on stderr, account ids included.
    logger = logging.getLogger(name)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return Library(
        name=name,
        version=installed_version(name),
        event_version=installed_version(events),
        IB=module.IB,
        Contract=module.Contract,
        Order=module.Order,
        TagValue=module.TagValue,
        ExecutionFilter=module.ExecutionFilter,
        RequestError=request_error,
        unset_double=module.util.UNSET_DOUBLE,
        unset_int=module.util.UNSET_INTEGER,
        min_server_version=module.Client.MinClientVersion,
    )


class DecodeErrors(logging.Handler):
    """Hears the decode errors that the library only writes into its log.

    The logger is shared by all clients of a process, each of which decodes in its own thread: a record of
    another thread is not ours.
    """

    def __init__(self, library: str, report: Callable[[str], None]) -> None:
        super().__init__(level=logging.ERROR)
        self._thread = threading.get_ident()
        self._report = report
        # ib_insync logs under ib_insync.Decoder, ib_async under ib_async.Decoder.
        self._logger = logging.getLogger(f"{library}.Decoder")
        self._logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Report a record of this thread."""
        if record.thread == self._thread:
            self._report(record.getMessage())

    def close(self) -> None:
        """Stop listening."""
        self._logger.removeHandler(self)
        super().close()


class Handshake:
    """Reads the first frame, in which the gateway tells its version and its own time of day.

    The library keeps the version and drops the time. It is the only message that shows in which time zone
    the gateway writes times, for example ``20250415 19:38:30 British Summer Time``.

    Attributes
    ----------
    version : int
        0 until the frame is there.
    time_text : str
    """

    MAX_BYTES = 4096

    def __init__(self, connection: Any, oldest: int, refuse: Callable[[str], None]) -> None:
        self.version = 0
        self.time_text = ""
        self._buffer = b""
        self._oldest = oldest
        self._refuse = refuse
        self._connection = connection
        connection.hasData += self._read

    def _read(self, data: bytes) -> None:
        self._buffer += data
        end = 4 + int.from_bytes(self._buffer[:4], "big")
        if 4 < end <= len(self._buffer):
            self._parse(self._buffer[4:end].decode(errors="replace").split("\0"))
        elif end <= self.MAX_BYTES:
            return
        else:
            self._refuse("speaks another protocol: this is no TWS or IB Gateway; correct the port")
        self._connection.hasData -= self._read

    def _parse(self, fields: list[str]) -> None:
        if not fields[0].isdigit():
            self._refuse("speaks another protocol: this is no TWS or IB Gateway; correct the port")
            return
        self.version = int(fields[0])
        self.time_text = fields[1] if len(fields) > 1 else ""
        if self.version < self._oldest:
            self._refuse(
                f"offers protocol version {self.version}, and {self._oldest} is the oldest that works; "
                "install a current TWS or IB Gateway"
            )
