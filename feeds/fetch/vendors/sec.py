"""The SEC's company facts: fundamentals, point in time by the day of filing, without a key.

The SEC wants to know who asks: a User-Agent with an e-mail address, of the environment variable ARES7_SEC_AGENT.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from ares7.errors import ConfigError, DataError
from ares7.fetch_config import SecSettings
from feeds.fetch.answers import CHANGED, json_of
from feeds.fetch.source import FILINGS, Got, Kind, NoData, Note, OneByOne, Piece
from feeds.fetch.vendors.sec_facts import facts_of, rows_of
from feeds.fetch.web import Web

VARIABLE = "ARES7_SEC_AGENT"
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def agent() -> str:
    """User-Agent of the environment.

    Raises
    ------
    ConfigError
        It is not set, or carries no e-mail address.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if not _MAIL.search(text) or not text.isascii() or not text.isprintable():
        raise ConfigError(
            f"the SEC wants a name and an e-mail address with each request, and the environment variable {VARIABLE} "
            "holds none; export it, for example as 'Jane Doe jane@example.com'"
        )
    return text


class Sec(OneByOne):
    """All filings of one company a piece."""

    name = "sec"
    kinds: tuple[Kind, ...] = ("filings",)
    usual = 1
    adjustment: Mapping[str, str] = {}

    def __init__(self, settings: SecSettings, web: Web) -> None:
        self._settings, self._web = settings, web
        self._numbers: dict[str, int] = {}

    def has(self, symbol: str, role: str) -> bool:
        """No bars at all."""
        return False

    def fetch(self, piece: Piece) -> Got:
        """Fetch the facts of one company."""
        (symbol,) = piece.symbols
        number = self._number(symbol)
        address = f"{self._settings.url}/api/xbrl/companyfacts/CIK{number:010d}.json"
        answer = self._web.get(address)
        told = json_of(answer)
        if told.get("cik") not in (number, str(number), f"{number:010d}"):
            raise DataError(f"sec: {answer.origin.url} is about company {told.get('cik')!r}; {CHANGED}")
        facts, others = facts_of(told, f"sec: {answer.origin.url}")
        facts = [fact for fact in facts if fact.filed <= piece.last]
        rows, notes = rows_of(symbol, facts)
        if others:
            notes.append(Note("unit", symbol, f"not in USD, so not used: {'; '.join(others[:5])}"))
        if not rows:
            raise NoData(f"sec: {answer.origin.url} gives no ratio in USD")
        return Got(_frame(rows), (answer.origin,), tuple(notes))

    def _number(self, symbol: str) -> int:
        """The company's number of a ticker; the list is asked for once."""
        if not self._numbers:
            answer = self._web.get(f"{self._settings.list_url}/files/company_tickers.json")
            try:
                self._numbers = {
                    str(row["ticker"]).upper(): int(row["cik_str"]) for row in json_of(answer).values()
                }
            except (KeyError, TypeError, ValueError) as error:
                raise DataError(
                    f"sec: {answer.origin.url} is no list of tickers ({error!r}); {CHANGED}"
                ) from None
        number = self._settings.names.get(symbol, "")
        if number.isdigit():
            return int(number)
        found = self._numbers.get(symbol.replace(".", "-"))
        if found is None:
            raise NoData(
                f"sec: no company has the ticker {symbol} today; a former ticker's number goes into fetch.sec.names"
            )
        return found


def _frame(rows: list[dict[str, object]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    for name in ("report_period", "filing_date"):
        days = np.array([str(day) for day in frame[name]], dtype="datetime64[D]")
        frame[name] = days.astype("datetime64[s]")
    frame["symbol"] = frame["symbol"].astype(object)
    frame["late_filing"] = frame["late_filing"].astype(bool)
    return frame[[*FILINGS]]
