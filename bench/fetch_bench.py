"""What ``data fetch`` itself costs: a server on this machine, so that no network is measured.

``python -m bench.fetch_bench [--symbols 500] [--sessions 2520]``: a folder of so many histories gets one more day, by
Polygon's layout (one request a day) and by Sharadar's (a hundred symbols a request); then a fetch that finds nothing
new.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import http.server
import io
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pandas as pd

import run
from ares7.sessions import sessions

SECONDS = 5.0
"""A day of 500 symbols should not take longer."""
LAST = dt.date(2024, 3, 8)


class Market:
    """Random walks, served in two layouts."""

    def __init__(self, symbols: int, count: int) -> None:
        self.days = sessions(np.datetime64("2000-01-03", "D"), np.datetime64(LAST, "D"))[-count:]
        self.symbols = [f"S{i:04d}" for i in range(symbols)]
        rng = np.random.default_rng(1)
        self.close = np.round(50 * np.exp(np.cumsum(rng.normal(0, 0.01, (count, symbols)), axis=0)), 4)
        self.row = {str(day): i for i, day in enumerate(self.days)}
        self.requests = 0

    def answer(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        """JSON of one request."""
        self.requests += 1
        words = path.split("/")
        if "grouped" in words:
            closes = self.close[self.row[words[-1]]].tolist()
            return _polygon([{"T": s, **_bar(c)} for s, c in zip(self.symbols, closes, strict=True)])
        if "range" in words:
            column = self.symbols.index(words[4])
            rows = self._between(words[-2], words[-1])
            days = (
                pd.DatetimeIndex(self.days[rows]).tz_localize("America/New_York").as_unit("ms").asi8.tolist()
            )
            closes = self.close[rows, column].tolist()
            return _polygon([{"t": d, **_bar(c)} for d, c in zip(days, closes, strict=True)])
        return self._datatable(path, query)

    def _between(self, first: str, last: str) -> slice:
        begin = int(np.searchsorted(self.days, np.datetime64(first, "D")))
        return slice(begin, int(np.searchsorted(self.days, np.datetime64(last, "D"), side="right")))

    def _datatable(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        names = query["qopts.columns"].split(",")
        data = []
        if path.endswith("SEP.json"):
            rows = self._between(query["date.gte"], query["date.lte"])
            days = self.days[rows].astype(str).tolist()
            for ticker in query["ticker"].split(","):
                for day, close in zip(
                    days, self.close[rows, self.symbols.index(ticker)].tolist(), strict=True
                ):
                    data.append([ticker, day, *[close] * 5, 1000.0])
        told = {"data": data, "columns": [{"name": name} for name in names]}
        return {"datatable": told, "meta": {"next_cursor_id": None}}


def _bar(close: float) -> dict[str, float]:
    return {"o": close, "h": close, "l": close, "c": close, "v": 1000.0}


def _polygon(results: list[dict[str, Any]]) -> dict[str, Any]:
    return {"status": "OK", "adjusted": True, "results": results}


@contextlib.contextmanager
def serving(market: Market) -> Any:
    """Address of a server."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            body = json.dumps(market.answer(parts.path, dict(parse_qsl(parts.query)))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def fetch(source: str, url: str, folder: Path, last: object, *words: str) -> tuple[float, float]:
    """Seconds of one call of the command, by the clock and of this process (the server included)."""
    settings = [f"fetch.{source}.url={url}", f"fetch.{source}.per_minute=6000000", "data.etfs=[]"]
    options = [word for setting in settings for word in ("--set", setting)]
    given = ["data", "fetch", "--source", source, "--to", str(folder), "--end", str(last), "--kinds", "bars"]
    began, used = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        code = run.main([*given, *options, *words])
    if code:
        raise SystemExit(code)
    return time.perf_counter() - began, time.process_time() - used


def main() -> int:
    """Print a table; exit code 1 when an added day takes longer than `SECONDS`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=2520)
    args = parser.parse_args()
    os.environ |= {"ARES7_POLYGON_KEY": "bench", "ARES7_SHARADAR_KEY": "bench"}
    market = Market(args.symbols, args.sessions)
    slow = False
    with serving(market) as url, tempfile.TemporaryDirectory() as place:
        for source in ("polygon", "sharadar"):
            folder = Path(place) / source
            names = ("--universe", ",".join(market.symbols), "--start", str(market.days[0]))
            rows = [("all", fetch(source, url, folder, market.days[-2], *names), market.requests)]
            market.requests = 0
            rows.append(("one day", fetch(source, url, folder, market.days[-1]), market.requests))
            market.requests = 0
            rows.append(("nothing new", fetch(source, url, folder, market.days[-1]), market.requests))
            slow |= rows[1][1][0] > SECONDS
            for what, seconds, requests in rows:
                wall, used = seconds
                sys.stdout.write(
                    f"{source:9} {what:12} {wall:7.2f} s, {used:6.2f} s of processors, {requests} requests\n"
                )
            market.requests = 0
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
