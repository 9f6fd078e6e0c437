"""Cboe: the history of VIX as one file, without a key."""

from __future__ import annotations

import functools

from feeds.fetch.source import Piece
from feeds.fetch.vendors.closes import Closes, CloseSource
from feeds.fetch.web import Answer
from feeds.vendors import read_close_series


class Cboe(CloseSource):
    """``VIX_History.csv``: ``DATE,OPEN,HIGH,LOW,CLOSE``, dates MM/DD/YYYY, from 1990 on."""

    name = "cboe"

    def _ask(self, series: str, piece: Piece) -> Answer:
        return self._web.get(f"{self._url()}/api/global/us_indices/daily_prices/{series}_History.csv")

    def _reader(self, series: str) -> Closes:
        return functools.partial(read_close_series, layout="cboe", setting="fetch.cboe")
