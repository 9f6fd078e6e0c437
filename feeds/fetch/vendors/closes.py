"""Sources of index closes as plain CSV: what FRED and Cboe have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ares7.arrays import Dates, Float1D
from ares7.errors import ConfigError
from ares7.fetch_config import SourceSettings
from feeds.fetch.answers import read_body
from feeds.fetch.source import BARS, Got, Kind, NoData, OneByOne, Piece
from feeds.fetch.web import Answer, Web

Closes = Callable[[Path], tuple[Dates, Float1D]]


class CloseSource(OneByOne):
    """Closes of indices; the other columns of a bar do not exist and stay empty."""

    name = ""
    kinds: tuple[Kind, ...] = ("bars",)
    usual = 1
    adjustment: Mapping[str, str] = {"close": "none"}

    def __init__(self, settings: SourceSettings, web: Web) -> None:
        self._settings, self._web = settings, web

    def has(self, symbol: str, role: str) -> bool:
        """Whether the settings give the source's name of an index."""
        return role == "index" and symbol in self._settings.names

    def fetch(self, piece: Piece) -> Got:
        """Fetch one series."""
        (symbol,) = piece.symbols
        answer = self._ask(self._settings.names[symbol], piece)
        days, closes = read_body(answer.body, answer.origin.url, self._reader(self._settings.names[symbol]))
        first, last = np.datetime64(piece.first, "D"), np.datetime64(piece.last, "D")
        inside = (days >= first) & (days <= last)
        if not inside.any():
            raise NoData(f"{self.name}: {answer.origin.url} has no close of {symbol} from {first} to {last}")
        nothing = np.full(int(inside.sum()), np.nan)
        columns: dict[str, object] = dict.fromkeys(BARS, nothing)
        columns |= {"date": days[inside].astype("datetime64[s]"), "close": closes[inside]}
        columns["symbol"] = np.full(len(nothing), symbol, dtype=object)
        return Got(pd.DataFrame(columns), (answer.origin,))

    def _ask(self, series: str, piece: Piece) -> Answer:
        raise NotImplementedError

    def _reader(self, series: str) -> Closes:
        raise NotImplementedError

    def _url(self) -> str:
        if not self._settings.url:
            raise ConfigError(f"fetch.{self.name}.url is empty; name the address of the source")
        return self._settings.url
