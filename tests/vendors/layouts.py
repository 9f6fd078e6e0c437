"""Layouts of Sharadar, Polygon and the SEC, filled with the made market."""

from __future__ import annotations

import datetime as dt
import json

import pandas as pd

from tests.vendors import made
from tests.vendors.server import Reply

SEP = ("ticker", "date", "open", "high", "low", "close", "volume", "closeadj", "closeunadj", "lastupdated")


def sep_rows(tickers, first, last, changes=None):
    rows = []
    for ticker in tickers:
        change = (changes or {}).get(ticker, {})
        for bar in made.bars(ticker.replace(".", "-"), first, last, **change).itertuples(index=False):
            day = f"{bar.date:%Y-%m-%d}"
            prices = [bar.open, bar.high, bar.low, bar.close, bar.volume, bar.adj_close, bar.close]
            rows.append([ticker, day, *prices, "2024-03-08"])
    # The order of a datatable is not promised.
    return rows[::-1]


def quarters(first="2021-03-31", last="2023-12-31"):
    return [day.date() for day in pd.date_range(first, last, freq="QE")]


SF1 = (
    "ticker",
    "dimension",
    "calendardate",
    "datekey",
    "reportperiod",
    "lastupdated",
    "revenue",
    "ebitda",
    "opinc",
)
SF1 = (*SF1, "netinc", "equity", "debt", "liabilities")


def sf1_rows(tickers):
    rows = []
    for number, ticker in enumerate(tickers, 2):
        for at, end in enumerate(quarters()):
            filed = end + dt.timedelta(days=40)
            money = [1000.0 + at, 300.0 + number, 250.0, 100.0 + 10 * number, 500.0, 200.0 + number, 700.0]
            rows.append([ticker, "ART", str(end), str(filed), str(end), "2024-03-01", *money])
    return rows


TICKERS = (
    "table",
    "ticker",
    "name",
    "sector",
    "industry",
    "exchange",
    "firstpricedate",
    "lastpricedate",
    "isdelisted",
)


def tickers_rows(tickers):
    return [
        ["SEP", t, f"{t} Inc", "Tech", "Things", "NYSE", "1998-01-02", "2024-03-08", "N"] for t in tickers
    ]


class Sharadar:
    """Datatables, in pages; ``stocks`` are in SEP, ``funds`` in SFP."""

    def __init__(self, stocks=("AAPL", "BRK.B", "JPM", "MSFT", "XOM"), funds=made.FUNDS, page=10_000):
        self.stocks, self.funds, self.page = stocks, funds, page
        self.changes = {}

    def __call__(self, path, query):
        name = path.rpartition("/")[2].removesuffix(".json")
        wanted = query["ticker"].split(",")
        known = self.funds if name == "SFP" else self.stocks
        tickers = [ticker for ticker in wanted if ticker in known]
        day = dt.date.fromisoformat
        if name in ("SEP", "SFP"):
            rows = sep_rows(tickers, day(query["date.gte"]), day(query["date.lte"]), self.changes)
            columns = SEP
        elif name == "SF1":
            rows = [r for r in sf1_rows(tickers) if query["datekey.gte"] <= r[3] <= query["datekey.lte"]]
            columns = SF1
        else:
            rows, columns = tickers_rows(tickers), TICKERS
        at = int(query.get("qopts.cursor_id", 0))
        following = at + self.page if at + self.page < len(rows) else None
        keep = [columns.index(column) for column in query["qopts.columns"].split(",")]
        told = {
            "datatable": {
                "data": [[row[i] for i in keep] for row in rows[at : at + self.page]],
                "columns": [{"name": columns[i], "type": "text"} for i in keep],
            },
            "meta": {"next_cursor_id": None if following is None else str(following)},
        }
        return Reply(json.dumps(told), kind="application/json", zipped=True)


class Polygon:
    """Aggregates, adjusted for splits."""

    def __init__(self, tickers=("AAPL", "BRK.B", "JPM", "MSFT", "XOM", *made.FUNDS)):
        self.tickers, self.changes = tickers, {}

    def rows(self, ticker, first, last):
        return made.bars(ticker.replace(".", "-"), first, last, **self.changes.get(ticker, {}))

    def grouped(self, path, query):
        day = dt.date.fromisoformat(path.rpartition("/")[2])
        found = [
            {**self.bar(bar), "T": ticker}
            for ticker in self.tickers
            for bar in self.rows(ticker, day, day).itertuples()
        ]
        return self.reply(found)

    def ranged(self, path, query):
        _, _, _, _, ticker, _, _, _, first, last = path.split("/")
        first, last = dt.date.fromisoformat(first), dt.date.fromisoformat(last)
        found = []
        for bar in self.rows(ticker, first, last).itertuples() if ticker in self.tickers else ():
            stamp = pd.Timestamp(bar.date).tz_localize("America/New_York")
            found.append({**self.bar(bar), "t": int(stamp.timestamp() * 1000)})
        return self.reply(found)

    @staticmethod
    def bar(bar):
        return {
            "o": bar.open,
            "h": bar.high,
            "l": bar.low,
            "c": bar.close,
            "v": bar.volume,
            "n": 7,
            "vw": bar.close,
        }

    @staticmethod
    def reply(found):
        told = {"status": "OK", "adjusted": True, "resultsCount": len(found)}
        return Reply(json.dumps(told | ({"results": found} if found else {})), kind="application/json")

    def routes(self):
        return {
            "/v2/aggs/grouped/locale/us/market/stocks/*": self.grouped,
            "/v2/aggs/ticker/*": self.ranged,
        }


def fact(end, value, filed, start=None, form="10-Q"):
    told = {"end": end, "val": value, "accn": "0000000000-00-000000", "fy": 2022, "fp": "Q1"}
    told |= {"form": form, "filed": filed}
    return told if start is None else {"start": start, **told}


def reports(symbol, years=(2019, 2020, 2021, 2022, 2023)):
    """Three 10-Q and a 10-K a year: the fourth quarter is in the year only, cash flow is from the start of the year."""
    income, revenue, operating, depreciation, equity, liabilities, debt = [], [], [], [], [], [], []
    size = 100.0 + 10 * sum(symbol.encode()) % 70
    for year in years:
        ends = [f"{year}-03-31", f"{year}-06-30", f"{year}-09-30", f"{year}-12-31"]
        starts = [f"{year}-01-01", f"{year}-04-01", f"{year}-07-01", f"{year}-10-01"]
        filed = [f"{year}-05-05", f"{year}-08-05", f"{year}-11-05", f"{year + 1}-02-15"]
        for q in range(4):
            form = "10-K" if q == 3 else "10-Q"
            for rows, part in ((income, 0.1), (revenue, 1.0), (operating, 0.2)):
                if q < 3:
                    rows.append(fact(ends[q], size * part * (q + 1), filed[q], starts[q], form))
                else:
                    rows.append(fact(ends[q], size * part * 10, filed[q], starts[0], form))
            depreciation.append(fact(ends[q], size * 0.05 * (q + 1), filed[q], starts[0], form))
            equity.append(fact(ends[q], size * 5, filed[q], form=form))
            liabilities.append(fact(ends[q], size * 7, filed[q], form=form))
            debt.append(fact(ends[q], size * 2, filed[q], form=form))
    named = {
        "NetIncomeLoss": income,
        "Revenues": revenue,
        "OperatingIncomeLoss": operating,
        "DepreciationDepletionAndAmortization": depreciation,
        "StockholdersEquity": equity,
        "Liabilities": liabilities,
        "LongTermDebt": debt,
    }
    return {tag: {"label": tag, "units": {"USD": facts}} for tag, facts in named.items()}


NUMBERS = {"AAPL": 320193, "BRK-B": 1067983, "JPM": 19617, "MSFT": 789019, "XOM": 34088}


class Edgar:
    def __init__(self):
        self.facts = {symbol: reports(symbol) for symbol in NUMBERS}

    def listed(self, path, query):
        rows = [{"cik_str": n, "ticker": symbol, "title": symbol} for symbol, n in NUMBERS.items()]
        return Reply(json.dumps(dict(enumerate(rows))), kind="application/json", zipped=True)

    def company(self, path, query):
        number = int(path.rpartition("CIK")[2].removesuffix(".json"))
        symbol = next((s for s, n in NUMBERS.items() if n == number), None)
        if symbol is None:
            return Reply("unknown", 404)
        told = {"cik": number, "entityName": symbol, "facts": {"us-gaap": self.facts[symbol], "dei": {}}}
        return Reply(json.dumps(told), kind="application/json", zipped=True)

    def routes(self):
        return {"/files/company_tickers.json": self.listed, "/api/xbrl/companyfacts/*": self.company}
