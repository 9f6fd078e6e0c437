"""One client's connection: handshake, framing, faults, and the way to the handlers."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any, cast

from ares7.errors import DataError
from live.double import wire
from live.double.clock import stamp
from live.double.codec import Framer, frame
from live.double.faults import MessageFault
from live.double.handlers import HANDLERS
from live.double.layouts import REQUESTS
from live.double.order_layouts import PLACE_ORDER
from live.double.orders import Refused
from live.double.recorder import REPLIES
from live.double.subscriptions import Subscriptions

if TYPE_CHECKING:
    from live.double.server import Gateway

MIN_VERSION, MAX_VERSION = 157, 178
MESSAGES_A_SECOND = 50
BUFFER = 4096
"""Bytes that the official client reads at a time; a burst that is a multiple of it is lost there."""
TAIL_SECONDS = 0.02
NOTICES = (
    (2104, "Market data farm connection is OK:usfarm"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2158, "Sec-def data farm connection is OK:secdefil"),
)


class ClientSession(asyncio.Protocol):
    """The gateway's end of one connection.

    Attributes
    ----------
    version : int
        Server version that both ends speak; 0 before the handshake.
    client : int
        Client id; -1 before it is known.
    subscriptions : Subscriptions
    """

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.version, self.client = 0, -1
        self.ready = False
        self.closed = False
        self.silent = False
        self.subscriptions = Subscriptions(self)
        self._framer = Framer()
        self._out = bytearray()
        self._flush_due = self._tail_due = False
        self._held: list[list[str]] = []
        self._late: list[list[str]] = []
        self._splits = False
        self._arrivals: deque[float] = deque()
        self._transport: asyncio.Transport | None = None

    # Connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet nobody: the client speaks first."""
        self._transport = cast("asyncio.Transport", transport)
        self.gateway.sessions.append(self)
        if self.gateway.knobs.hang_up:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection; its orders stay."""
        self.closed = True
        self.subscriptions.clear()
        if self in self.gateway.sessions:
            self.gateway.sessions.remove(self)

    def close(self, *, reset: bool = False) -> None:
        """Close after what was written, or cut the connection."""
        self.closed = True
        self.subscriptions.clear()
        if self._transport is None:
            return
        if reset:
            self._transport.abort()
        else:
            self._write()
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        if self.silent or self.gateway.knobs.silent_handshake:
            return
        try:
            for fields in self._framer.feed(data):
                if self.closed or self.silent:
                    return
                self._arrived(fields)
        except DataError:
            # No client of this protocol; the real gateway hangs up too.
            self.close()

    # Out.

    def send(self, fields: list[str]) -> None:
        """Send a message, unless a fault has other plans for it."""
        if self.closed or self.silent:
            return
        name = REPLIES.get(int(fields[0]), fields[0]) if self.version else "handshake"
        fault = self.gateway.faults.of(self.client, name, fields)
        if fault is None:
            self._put(name, fields)
        else:
            self._send_faulty(fault, name, fields)
        if fault is None or fault.do != "reorder":
            held, self._held = self._held, []
            for late in held:
                self._put(REPLIES.get(int(late[0]), late[0]), late)

    def _send_faulty(self, fault: MessageFault, name: str, fields: list[str]) -> None:
        if fault.do == "duplicate":
            self._put(name, fields)
            self._put(name, fields)
        elif fault.do == "delay":
            clock = self.gateway.clock
            clock.at(clock.now + fault.seconds, lambda: self._put(name, fields))
        elif fault.do == "reorder":
            self._held.append(fields)
        else:
            self._record("lost", name, fields)
            self.broken_by(fault)

    def broken_by(self, fault: MessageFault) -> None:
        """Close, cut or silence the connection if the fault says so."""
        if fault.do in ("drop", "reset"):
            self.close(reset=fault.do == "reset")
        elif fault.do == "half_open":
            self.silent = True

    def _put(self, name: str, fields: list[str]) -> None:
        if self.closed or self.silent:
            return
        self._record("out", name, fields)
        self._out += frame(fields)
        if not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Write what waits for the end of the burst."""
        self._flush_due = False
        if not self._tail_due:
            self._write()

    def _write(self) -> None:
        if self._transport is None or not self._out or self._transport.is_closing():
            return
        data = bytes(self._out)
        self._out.clear()
        if self._splits and len(data) % BUFFER == 0:
            self._out += data[-1:]
            data, self._tail_due = data[:-1], True
            asyncio.get_running_loop().call_later(TAIL_SECONDS, self._write_tail)
        self._transport.write(data)

    def _write_tail(self) -> None:
        self._tail_due = False
        self._write()

    def error(self, request: int, code: int, message: str) -> None:
        """Send an error or a notice."""
        self.send(wire.error(self.version, request, code, message))

    def _record(self, way: str, name: str, fields: list[str]) -> None:
        self.gateway.recorder.add(self.gateway.clock.now, self.client, way, name, fields)

    # In.

    def _arrived(self, fields: list[str]) -> None:
        if not self.version:
            self._shake_hands(fields)
            return
        if self.gateway.knobs.pacing and not self._within_rate():
            return
        number = int(fields[0]) if fields[0].isdigit() else -1
        name = "placeOrder" if number == 3 else REQUESTS[number][0] if number in REQUESTS else str(number)
        fault = self.gateway.faults.of(self.client, name, fields)
        self._record("in" if fault is None or fault.do != "swallow" else "lost", name, fields)
        if fault is None:
            self.handle(number, name, fields)
        else:
            self._handle_faulty(fault, number, name, fields)
        if self._late and (fault is None or fault.do != "reorder"):
            late, self._late = self._late, []
            for waiting in late:
                self._handle_again(waiting)

    def _handle_faulty(self, fault: MessageFault, number: int, name: str, fields: list[str]) -> None:
        if fault.do == "duplicate":
            self.handle(number, name, fields)
            self.handle(number, name, fields)
        elif fault.do == "delay":
            clock = self.gateway.clock
            clock.at(clock.now + fault.seconds, lambda: self.handle(number, name, fields))
        elif fault.do == "reorder":
            self._late.append(fields)
        elif fault.do == "error":
            if fault.also:
                self.handle(number, name, fields)
            self.error(_subject(number, fields), fault.code, fault.text)
        else:
            self.broken_by(fault)

    def _handle_again(self, fields: list[str]) -> None:
        number = int(fields[0])
        self.handle(number, "placeOrder" if number == 3 else REQUESTS[number][0], fields)

    def _within_rate(self) -> bool:
        now = time.monotonic()
        self._arrivals.append(now)
        while now - self._arrivals[0] > 1.0:
            self._arrivals.popleft()
        if len(self._arrivals) <= MESSAGES_A_SECOND:
            return True
        self.error(-1, 100, "Max rate of messages per second has been exceeded:max=50 rec=51 (1)")
        if len(self._arrivals) > 2 * MESSAGES_A_SECOND:
            self.close()
        return False

    def _shake_hands(self, fields: list[str]) -> None:
        text = fields[0].split(" ")[0].removeprefix("v")
        try:
            low, high = (int(part) for part in text.split(".."))
        except ValueError:
            raise DataError(f"a version range like v157..178 is expected, not {fields[0]!r}") from None
        version = min(self.gateway.settings.version, high)
        self._splits = high <= MIN_VERSION
        self._record("in", "version", fields)
        if version < max(low, MIN_VERSION):
            self.close()
            return
        self.send(
            [str(version), stamp(self.gateway.clock.now, named=True, zone=self.gateway.settings.time_zone)]
        )
        self.version = version

    def handle(self, number: int, name: str, fields: list[str]) -> None:
        """Answer a request; what is wrong with it becomes an error message."""
        if self.closed or name in self.gateway.knobs.unanswered:
            return
        if number != 3 and number not in REQUESTS:
            self.error(-1, 320, f"Error reading request. Unknown message id {number}")
            return
        subject = _subject(number, fields)
        if "BAG" in fields[:8]:
            self.error(
                subject, 321, "Error validating request.-'bN' : cause - Combinations are not supported here"
            )
            return
        table = PLACE_ORDER if number == 3 else REQUESTS[number][1]
        try:
            values: dict[str, Any] = table.decode(self.version, fields)
            if not self.ready and name != "startApi":
                raise Refused(320, "Error reading request. The API was not started")
            HANDLERS[name](self.gateway, self, values)
        except Refused as refusal:
            if not refusal.inactive:
                self.error(subject, refusal.code, refusal.text)
        except (DataError, ValueError, OverflowError) as problem:
            self.error(subject, 320, f"Error reading request. {problem}")

    def welcome(self) -> None:
        """Tell a client that has started its accounts, its next order id, and the farms."""
        self.ready = True
        self.send(["15", "1", ",".join(self.gateway.engine.accounts)])
        self.send(["9", "1", str(self.gateway.next_id(self.client))])
        for code, message in NOTICES:
            self.error(-1, code, message)


_SUBJECT = {3: 1, 4: 2, 20: 1, 87: 1, 90: 1}
"""Where the id of the request or order stands."""


def _subject(number: int, fields: list[str]) -> int:
    """Id that an error about this request carries."""
    at = _SUBJECT.get(number)
    if at is None:
        entry = REQUESTS.get(number)
        at = (
            2
            if entry is not None and "reqId" in {field.name for field in entry[1].fields(MAX_VERSION)}
            else 0
        )
    try:
        return int(fields[at]) if at else -1
    except (IndexError, ValueError):
        return -1
