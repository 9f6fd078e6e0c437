"""FRED: closes of indices, without a key. Its SP500 begins ten years ago; its VIXCLS in 1990."""

from __future__ import annotations

import functools

from feeds.fetch.source import Piece
from feeds.fetch.vendors.closes import Closes, CloseSource
from feeds.fetch.web import Answer
from feeds.vendors import read_close_series


class Fred(CloseSource):
    """``/graph/fredgraph.csv?id=VIXCLS``: ``observation_date,VIXCLS``; ``.`` or nothing on a holiday."""

    name = "fred"

    def _ask(self, series: str, piece: Piece) -> Answer:
        params = {"id": series, "cosd": str(piece.first), "coed": str(piece.last)}
        return self._web.get(f"{self._url()}/graph/fredgraph.csv", params)

    def _reader(self, series: str) -> Closes:
        return functools.partial(read_close_series, layout="fred", series=series, setting="fetch.fred")
