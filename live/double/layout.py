"""Text tables of messages: the order of the fields, their default values, and the versions that have them.

A table is lines of tokens::

    name            a value that the caller must give
    name=default    a value with a default (may be empty)
    =constant       the same in every message
    name[2]         a count, then so many groups of 2 fields

A line may begin with conditions: ``@ge170``, ``@lt164``, ``@eq163`` (server version), or ``?name`` (only if the
field of that name, which comes earlier, is neither empty nor 0).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ares7.errors import DataError
from live.double.codec import text

_COMPARE: dict[str, Callable[[int, int], bool]] = {"ge": operator.ge, "lt": operator.lt, "eq": operator.eq}
_TOKEN = re.compile(r"(?P<name>\w*)(\[(?P<group>\d)\])?(?P<equals>=(?P<default>\S*))?")


class Field(NamedTuple):
    """One token of a table."""

    name: str
    default: str | None
    group: int
    only_if: str


class Layout:
    """A message's table, compiled once for each server version.

    Parameters
    ----------
    table : str
        See the module.
    """

    def __init__(self, table: str) -> None:
        self._lines = [line.split() for line in table.strip().splitlines() if line.strip()]
        self._defaults = {
            field.name: field.default
            for line in self._lines
            for field in (_field(token, "") for token in line if token[0] not in "@?")
        }
        self._compiled: dict[int, tuple[Field, ...]] = {}

    def fields(self, version: int) -> tuple[Field, ...]:
        """Fields that this server version has, in order."""
        if version not in self._compiled:
            self._compiled[version] = tuple(self._compile(version))
        return self._compiled[version]

    def _compile(self, version: int) -> list[Field]:
        found = []
        for line in self._lines:
            only_if, here, tokens = "", True, list(line)
            while tokens[0][0] in "@?":
                mark = tokens.pop(0)
                if mark[0] == "?":
                    only_if = mark[1:]
                else:
                    here = here and _COMPARE[mark[1:3]](version, int(mark[3:]))
            if here:
                found += [_field(token, only_if) for token in tokens]
        return found

    def encode(self, version: int, values: Mapping[str, Any]) -> list[str]:
        """Fields of a message.

        Raises
        ------
        KeyError
            A value without a default is not given.
        """
        out: list[str] = []
        for name, default, group, only_if in self.fields(version):
            if only_if and text(values.get(only_if, self._defaults[only_if])) in ("", "0"):
                continue
            if group:
                items = values.get(name, ())
                out.append(str(len(items) // group))
                out += [text(item) for item in items]
            elif default is None:
                out.append(text(values[name]))
            else:
                out.append(text(values[name]) if name in values else default)
        return out

    def decode(self, version: int, fields: Sequence[str]) -> dict[str, Any]:
        """Values of a message that a client sent, all as text; groups as flat lists.

        Raises
        ------
        DataError
            The message is shorter than its table.
        """
        values: dict[str, Any] = {}
        at = 0
        try:
            for name, _, group, only_if in self.fields(version):
                if only_if and values.get(only_if, "") in ("", "0"):
                    continue
                value: Any = fields[at]
                at += 1
                if group:
                    count = int(value or 0) * group
                    value = list(fields[at : at + count])
                    at += count
                values[name] = value
        except (IndexError, ValueError):
            raise DataError(
                f"message {list(fields[:3])}... has {len(fields)} fields; it ends too early"
            ) from None
        return values


def _field(token: str, only_if: str) -> Field:
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise ValueError(f"message table: cannot read {token!r}")
    default = match["default"] if match["equals"] else None
    return Field(match["name"], default, int(match["group"] or 0), only_if)
