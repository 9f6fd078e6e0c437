"""Numbers that stand for names where no gateway gives contract ids: the same in every process."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from ares7.errors import ConfigError

LARGEST = 10**12


def contract_of(symbol: str) -> int:
    """Return the number of a symbol: the first digits of a SHA-256, never 0."""
    digest: int = int.from_bytes(hashlib.sha256(symbol.encode()).digest()[:8])
    return digest % (LARGEST - 1) + 1


def contracts_of(symbols: Iterable[str]) -> dict[str, int]:
    """Return the numbers of symbols.

    Raises
    ------
    ConfigError
        Two of them have the same: their positions could not be told apart.
    """
    found: dict[int, str] = {}
    for symbol in symbols:
        other = found.setdefault(contract_of(symbol), symbol)
        if other != symbol:
            raise ConfigError(
                f"{symbol} and {other} cannot be told apart in one simulated account; leave one of them out of "
                "data.universe"
            )
    return {symbol: number for number, symbol in found.items()}
