"""Framing of the TWS protocol: 4-byte big-endian length, then fields that each end with NUL."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from ares7.errors import DataError

UNSET_DOUBLE = "1.7976931348623157E308"
"""How the gateway writes a number that is not there."""
UNSET_INTEGER = "2147483647"
MAX_FRAME = 1 << 24
"""Bytes; a longer frame is no message of this protocol."""

_LENGTH = struct.Struct(">I")
_GREETING = b"API\0"


def text(value: object) -> str:
    """One field: ``True`` is 1, None is empty, a float without fraction has no decimals.

    Floats are written so that they read back to the same bits.
    """
    if type(value) is str:
        return value
    if value is None:
        return ""
    if value is True or value is False:
        return "1" if value else "0"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(float(value))
    return str(value)


def frame(fields: Iterable[str]) -> bytes:
    """Bytes of one message."""
    body = ("\0".join(fields) + "\0").encode("utf-8")
    return _LENGTH.pack(len(body)) + body


class Framer:
    """Cut a byte stream into messages; the stream may be split anywhere.

    The first four bytes of a client's stream are its greeting, which has no length of its own.
    """

    def __init__(self, *, greeting: bool = True) -> None:
        self._data = bytearray()
        self._greeting = greeting

    def feed(self, data: bytes) -> Iterator[list[str]]:
        """Yield the fields of every message that is complete.

        Raises
        ------
        DataError
            The stream is not of this protocol: no greeting, a frame without its last NUL, or one too long.
        """
        self._data += data
        if self._greeting:
            if len(self._data) < len(_GREETING):
                return
            if bytes(self._data[:4]) != _GREETING:
                raise DataError(f"a client must greet with {_GREETING!r}, not {bytes(self._data[:4])!r}")
            del self._data[:4]
            self._greeting = False
        while (body := self._take()) is not None:
            yield self._fields(body)

    def _take(self) -> bytes | None:
        if len(self._data) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._data)
        if length > MAX_FRAME:
            raise DataError(f"a frame of {length} bytes is longer than {MAX_FRAME}; this is no TWS stream")
        end = _LENGTH.size + length
        if len(self._data) < end:
            return None
        body = bytes(self._data[_LENGTH.size : end])
        del self._data[:end]
        return body

    @staticmethod
    def _fields(body: bytes) -> list[str]:
        parts = body.decode("utf-8", errors="backslashreplace").split("\0")
        # The handshake's version range is the one frame without a NUL at its end.
        return parts[:-1] if parts[-1] == "" and len(parts) > 1 else parts
