"""Which contract a symbol means: asked of the gateway one by one, with one clear reason for each that fails."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

from ares7.errors import ConfigError
from live.client import convert
from live.client.failures import NoAnswer, Refused
from live.client.link import Link
from live.client.messages import ContractFacts
from live.client.notices import NO_SECURITY

KINDS = {"STK": "SMART", "IND": "CBOE"}
"""Kinds of contracts, with the exchange that is asked when none is named."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A contract to find.

    Attributes
    ----------
    symbol : str
        As we write it: ``AAPL``, ``BRK-B``.
    kind : str
        ``STK`` (shares and ETFs) or ``IND`` (an index).
    currency : str
    exchange, primary_exchange : str
        Empty: SMART for a stock, CBOE for an index; any listing.
    """

    symbol: str
    kind: str = "STK"
    currency: str = "USD"
    exchange: str = ""
    primary_exchange: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a contract was not found.

    Attributes
    ----------
    symbol : str
    reason : str
        ``unknown``, ``ambiguous``, ``currency``, ``refused`` or ``no answer``.
    text : str
        Sentence with the remedy.
    """

    symbol: str
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Qualified:
    """What was found, by symbol, and what was not."""

    facts: dict[str, ContractFacts]
    problems: dict[str, Problem]


def as_wanted(query: Wanted | tuple[str, str] | str) -> Wanted:
    """A query in full: a symbol, or (symbol, kind), or a `Wanted`.

    Raises
    ------
    ConfigError
        The kind is not known, or the symbol is empty.
    """
    found = (
        query if isinstance(query, Wanted) else Wanted(query) if isinstance(query, str) else Wanted(*query)
    )
    if found.kind not in KINDS:
        raise ConfigError(f"{found.symbol}: kind {found.kind} is not known; use STK or IND")
    if not found.symbol or not found.symbol.isascii():
        raise ConfigError(f"symbol {found.symbol!r} is empty or not ASCII; correct it")
    return found


async def qualify(link: Link, queries: list[Wanted]) -> Qualified:
    """Ask for all contracts at once; an unknown name costs only itself.

    Raises
    ------
    ServiceUnavailable
        The connection was lost.
    """
    answers = await asyncio.gather(*(_one(link, wanted) for wanted in queries))
    facts, problems = {}, {}
    for wanted, answer in zip(queries, answers, strict=True):
        if isinstance(answer, Problem):
            problems[wanted.symbol] = answer
        else:
            facts[wanted.symbol] = answer
    return Qualified(facts, problems)


async def _one(link: Link, wanted: Wanted) -> ContractFacts | Problem:
    contract = link.library.Contract(
        symbol=convert.ib_symbol(wanted.symbol),
        secType=wanted.kind,
        exchange=wanted.exchange or KINDS[wanted.kind],
        primaryExchange=wanted.primary_exchange,
        currency=wanted.currency,
    )

    def start() -> asyncio.Future[Any]:
        request, answer = link.new_request(contract)
        link.ib.client.reqContractDetails(request, contract)
        return answer

    try:
        found = await link.ask(f"contract {wanted.symbol}", start)
    except Refused as error:
        reason = "unknown" if error.code == NO_SECURITY else "refused"
        return Problem(wanted.symbol, reason, f"{wanted.symbol}: {error}")
    except NoAnswer as error:
        return Problem(wanted.symbol, "no answer", str(error))
    return choose(wanted, [convert.contract_facts(details) for details in found])


def choose(wanted: Wanted, found: list[ContractFacts]) -> ContractFacts | Problem:
    """Pick the one contract that is meant, or say why there is none.

    The gateway answers with one row for each exchange that it distinguishes; rows of one contract id are one.
    """
    symbol = wanted.symbol
    if not found:
        return Problem(
            symbol, "unknown", f"{symbol}: IB knows no {wanted.kind} of this name; correct the symbol"
        )
    rows = {facts.con_id: facts for facts in found if facts.currency == wanted.currency}
    if not rows:
        offered = ", ".join(sorted({facts.currency for facts in found}))
        return Problem(
            symbol, "currency", f"{symbol} trades in {offered}, not in {wanted.currency}; only USD is traded"
        )
    if len(rows) > 1:
        offered = ", ".join(
            sorted(f"{facts.primary_exchange} (contract {facts.con_id})" for facts in rows.values())
        )
        return Problem(
            symbol, "ambiguous", f"{symbol} means {len(rows)} contracts: {offered}; name its primary exchange"
        )
    facts = next(iter(rows.values()))
    # Named as it was asked for, so that BRK.B and BRK-B each find their answer.
    return replace(facts, symbol=convert.our_symbol(convert.ib_symbol(symbol)))
