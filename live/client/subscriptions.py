"""Live bars that are opened again after every reconnection, under the same number."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from ares7.errors import Ares7Error
from live.client import convert
from live.client.failures import NoAnswer, Refused
from live.client.link import Link
from live.client.messages import ContractFacts, ErrorMessage, Message, SubscriptionFailed

FIVE_SECONDS = ""
"""Bar size that stands for IB's 5-second bars, which are a request of their own."""


@dataclass(slots=True)
class Subscription:
    """What is subscribed; ``request`` is its number in the present connection, or -1."""

    number: int
    facts: ContractFacts
    what: str
    regular_hours: bool
    bar_size: str
    duration: str
    request: int = -1
    opened_on: Link | None = None


class Subscriptions:
    """Bars that should be flowing. Lives in the loop's thread.

    Parameters
    ----------
    emit : callable
        Takes the message when one fails.
    """

    def __init__(self, emit: Callable[[Message], None]) -> None:
        self._emit = emit
        self._all: dict[int, Subscription] = {}
        self._count = 0

    async def add(
        self,
        link: Link,
        facts: ContractFacts,
        *,
        what: str,
        regular_hours: bool,
        bar_size: str,
        duration: str,
    ) -> int:
        """Open a subscription and return its number.

        Raises
        ------
        Refused
            The gateway refused it within a moment.
        """
        self._count += 1
        found = Subscription(self._count, facts, what, regular_hours, bar_size, duration)
        found.opened_on = link
        await self._open(link, found)
        self._all[found.number] = found
        return found.number

    async def _open(self, link: Link, wanted: Subscription) -> None:
        small = wanted.bar_size == FIVE_SECONDS or wanted.bar_size.endswith(("sec", "secs"))
        key = (wanted.facts.con_id, wanted.what, wanted.bar_size, wanted.duration)
        await link.history_turn(wanted.facts.con_id, key, small=small)
        try:
            if wanted.bar_size == FIVE_SECONDS:
                await self._open_five_seconds(link, wanted)
            else:
                await self._open_history(link, wanted)
        finally:
            link.history.done()

    @staticmethod
    async def _open_five_seconds(link: Link, wanted: Subscription) -> None:
        await link.pace()
        link.check_open(f"5-second bars of {wanted.facts.symbol}")
        contract, client = convert.contract(link.library, wanted.facts), link.ib.client
        wanted.request = int(client.getReqId())
        link.tap.bars[wanted.request] = (wanted.number, wanted.facts.con_id)
        client.reqRealTimeBars(wanted.request, contract, 5, wanted.what, wanted.regular_hours, [])

    @staticmethod
    async def _open_history(link: Link, wanted: Subscription) -> None:
        contract, client = convert.contract(link.library, wanted.facts), link.ib.client
        hours = int(wanted.regular_hours)

        def start() -> asyncio.Future[object]:
            wanted.request, answer = link.new_request(contract)
            # The bars up to now are collected and dropped: whoever wants them asks for history.
            link.tap.history[wanted.request] = []
            link.tap.bars[wanted.request] = (wanted.number, wanted.facts.con_id)
            length, size, what = wanted.duration, wanted.bar_size, wanted.what
            client.reqHistoricalData(wanted.request, contract, "", length, size, what, hours, 2, True, [])
            return answer

        try:
            await link.ask(f"live bars of {wanted.facts.symbol}", start, link.options.history_timeout_s)
        except Ares7Error:
            link.tap.bars.pop(wanted.request, None)
            raise
        finally:
            link.tap.history.pop(wanted.request, None)

    async def reopen(self, link: Link) -> None:
        """Open all again, in a new connection or after the servers lost them; side by side."""
        await asyncio.gather(*(self._reopen(link, wanted) for wanted in list(self._all.values())))

    async def _reopen(self, link: Link, wanted: Subscription) -> None:
        # Request numbers begin anew with a connection: an old one may be another subscription's by now.
        if wanted.opened_on is link and wanted.request in link.tap.bars:
            self._cancel(link, wanted)
        wanted.opened_on = link
        try:
            await self._open(link, wanted)
        except (Refused, NoAnswer) as error:
            # An error on its request was reported already, when it was heard.
            if wanted.request != -1:
                self._fail(wanted, getattr(error, "code", 0), str(error))

    def heard(self, error: ErrorMessage) -> None:
        """Report the subscription that an error ends."""
        for wanted in self._all.values():
            if wanted.request == error.request != -1:
                self._fail(wanted, error.code, error.text)

    def _fail(self, wanted: Subscription, code: int, text: str) -> None:
        wanted.request = -1
        self._emit(SubscriptionFailed(wanted.number, wanted.facts.con_id, code, text))

    def remove(self, link: Link | None, number: int) -> None:
        """End a subscription; nothing happens if there is none of this number."""
        wanted = self._all.pop(number, None)
        if wanted is not None and link is not None and link.is_open:
            self._cancel(link, wanted)

    @staticmethod
    def _cancel(link: Link, wanted: Subscription) -> None:
        if link.tap.bars.pop(wanted.request, None) is None:
            return
        if wanted.bar_size == FIVE_SECONDS:
            link.ib.client.cancelRealTimeBars(wanted.request)
        else:
            link.ib.client.cancelHistoricalData(wanted.request)
