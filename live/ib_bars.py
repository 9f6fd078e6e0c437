"""Daily bars of Interactive Brokers for ``data fetch``, through the client, read-only.

TRADES are adjusted for splits, ADJUSTED_LAST for dividends as well; IB adjusts as of today, so that both are asked for
together and up to now.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ares7.errors import DataError, ServiceUnavailable
from ares7.sessions import sessions
from feeds.fetch.source import BARS, Got, Kind, NoData, Note, OneByOne, Origin, Piece, Source, by_symbol
from live.client.failures import NoAnswer
from live.machine import utc_now

if TYPE_CHECKING:
    from ares7.config import Config
    from live.client.client import Client
    from live.client.history import DailyBars
    from live.client.options import Options

BATCH = 20
"""Symbols a piece: what a kill costs at most."""
CLIENT_OFFSET = 2000
"""A client id of its own, so that a fetch never meets the orders of the program that trades."""


class IBBars(OneByOne):
    """Bars of stocks, funds and the two indices of the configuration.

    Parameters
    ----------
    config : Config
        ``live`` names the gateway, ``data`` the indices.
    options : Options, optional
        Of the connection; for tests.
    """

    name = "ib"
    kinds: tuple[Kind, ...] = ("bars",)
    usual = 1
    adjustment: Mapping[str, str] = {
        "open high low close": "split",
        "adj_close": "total_return",
        "volume": "split",
    }

    def __init__(self, config: Config, options: Options | None = None) -> None:
        self._config, self._options = config, options
        self._indices = (config.data.index, config.data.vix)
        self._client: Client | None = None

    def has(self, symbol: str, role: str) -> bool:
        """Whatever IB knows."""
        return True

    def cut(
        self, kind: Kind, starts: Mapping[str, dt.date], last: dt.date, days: Sequence[dt.date], whole: bool
    ) -> list[Piece]:
        """Some symbols a piece; the client asks for them within IB's limits."""
        return by_symbol(kind, starts, last, whole, BATCH)

    def close(self) -> None:
        """End the connection."""
        if self._client is not None:
            self._client.stop()
            self._client = None

    def fetch(self, piece: Piece) -> Got:
        """Fetch bars of some symbols."""
        client = self._connected()
        names = self._config.fetch.ib.names
        asked = {names.get(symbol, symbol): symbol for symbol in piece.symbols}
        found = client.qualify(
            [(name, "IND" if ours in self._indices else "STK") for name, ours in asked.items()]
        )
        notes = [Note("no-data", asked[name], problem.text) for name, problem in found.problems.items()]
        stocks = [f for name, f in found.facts.items() if asked[name] not in self._indices]
        count = len(sessions(np.datetime64(piece.first, "D"), np.datetime64(utc_now().date(), "D"))) + 1
        traded = client.daily_bars_of(found.facts.values(), count)
        adjusted = client.daily_bars_of(stocks, count, what="ADJUSTED_LAST") if stocks else {}
        parts = []
        for name, facts in found.facts.items():
            try:
                bars = _answered(traded[facts.con_id])
                whole = bars if asked[name] in self._indices else _answered(adjusted[facts.con_id])
                parts.append(_rows(asked[name], bars, whole, piece))
            except DataError as error:
                notes.append(Note("no-data" if piece.whole else "no-new-bars", asked[name], str(error)))
        rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
        if rows.empty:
            raise NoData("; ".join(note.text for note in notes[:3]) or "IB has no bars of these days")
        live = self._config.live
        return Got(rows, (_origin(rows, f"ib://{live.host}:{live.port}/daily", piece),), tuple(notes))

    def _connected(self) -> Client:
        if self._client is None:
            from live.client.client import Client
            from live.client.options import Options

            live = self._config.live
            options = self._options or Options(library=live.library, time_zone=live.time_zone)
            if live.clock == "gateway":
                options = options.for_double()
            options = options.model_copy(update={"read_only": True})
            client = Client(
                live.host, live.port, live.client_id + CLIENT_OFFSET, live.account, options=options
            )
            try:
                client.start()
            except BaseException:
                client.stop()
                raise
            self._client = client
        return self._client


def _answered(answer: DailyBars | Exception) -> DailyBars:
    """Bars, or the reason why there are none; no answer at all ends the fetch."""
    if isinstance(answer, NoAnswer | ServiceUnavailable):
        raise answer
    if isinstance(answer, Exception):
        raise DataError(str(answer))
    return answer


def _rows(symbol: str, bars: DailyBars, adjusted: DailyBars, piece: Piece) -> pd.DataFrame:
    """Bars of the piece's days that both kinds have."""
    first, last = np.datetime64(piece.first, "D"), np.datetime64(piece.last, "D")
    days, here, there = np.intersect1d(bars.dates, adjusted.dates, return_indices=True)
    inside = (days >= first) & (days <= last)
    here, there = here[inside], there[inside]
    columns: dict[str, Any] = {
        "date": days[inside].astype("datetime64[s]"),
        "symbol": np.full(int(inside.sum()), symbol, dtype=object),
        **{name: getattr(bars, name)[here] for name in ("open", "high", "low", "close", "volume")},
        "adj_close": adjusted.close[there],
    }
    return pd.DataFrame(columns)[[*BARS]]


def _origin(rows: pd.DataFrame, where: str, piece: Piece) -> Origin:
    text = rows.to_csv(index=False).encode()
    stamp = utc_now().isoformat(timespec="seconds")
    return Origin(
        f"{where} {','.join(piece.symbols[:5])}", hashlib.sha256(text).hexdigest(), len(text), stamp
    )


def ib_source(config: Config) -> Source:
    """Make the source; it connects with the first request."""
    return IBBars(config)
