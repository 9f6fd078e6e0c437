"""What one connection has subscribed to: accounts, quotes, and bars that go on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from live.double import wire
from live.double.account import Account
from live.double.clock import Timer, local
from live.double.market import Listing, Quote

if TYPE_CHECKING:
    from live.double.bars import BarRequest
    from live.double.server import Gateway
    from live.double.session import ClientSession

BAR_SECONDS = 5.0
SESSION_SECONDS = 6.5 * 3600
DELAYED = {1: 66, 2: 67, 4: 68, 6: 72, 7: 73, 9: 75, 14: 76}
"""Number of a tick when it is delayed."""


@dataclass(slots=True)
class QuoteFeed:
    """A subscription to quotes, and what was sent last."""

    listing: Listing
    delayed: bool
    sent: dict[int, tuple[float, int]]


class Subscriptions:
    """Subscriptions of one connection; all end with it."""

    def __init__(self, session: ClientSession) -> None:
        self.session = session
        self.account: Account | None = None
        self.positions = False
        self.multi: dict[int, Account] = {}
        self.summaries: dict[int, tuple[str, ...]] = {}
        self.quotes: dict[int, QuoteFeed] = {}
        self.timers: dict[int, Timer] = {}
        self.data_type = 1

    def clear(self) -> None:
        """End all."""
        self.account, self.positions = None, False
        self.multi.clear()
        self.summaries.clear()
        self.stop_data()

    def stop_data(self) -> None:
        """End quotes and bars; accounts and positions go on."""
        for timer in self.timers.values():
            timer.cancel()
        self.timers.clear()
        self.quotes.clear()

    def stop(self, request: int) -> bool:
        """End one of bars; whether there was one."""
        timer = self.timers.pop(request, None)
        if timer is not None:
            timer.cancel()
        return timer is not None

    def send_quotes(self, gateway: Gateway) -> None:
        """Send the ticks that changed since the last time."""
        for request, feed in self.quotes.items():
            self.send_quote(gateway, request, feed)

    def send_quote(self, gateway: Gateway, request: int, feed: QuoteFeed) -> None:
        """Send the ticks of one subscription that changed."""
        for kind, price, size in _ticks(gateway.market.quote(feed.listing)):
            if feed.sent.get(kind) == (price, size):
                continue
            feed.sent[kind] = price, size
            number = DELAYED[kind] if feed.delayed else kind
            self.session.send(wire.tick(request, number, price, size))

    def five_seconds(self, gateway: Gateway, request: int, listing: Listing, what: str) -> None:
        """Begin five-second bars; each comes at its end, while the name trades."""

        def due(start: float) -> None:
            self._real_time_bar(gateway, request, listing, what, start)
            self._next_five(gateway, request, due)

        self._next_five(gateway, request, due)

    def _next_five(self, gateway: Gateway, request: int, due: object) -> None:
        now = gateway.clock.now
        start = math.floor(now / BAR_SECONDS) * BAR_SECONDS
        session = gateway.calendar.coming(now)
        start = max(start, session.opens)
        self.timers[request] = gateway.clock.at(start + BAR_SECONDS, lambda: due(start))  # type: ignore[operator]

    def _real_time_bar(
        self, gateway: Gateway, request: int, listing: Listing, what: str, start: float
    ) -> None:
        from live.double.bars import real_time_bar

        session = gateway.calendar.current(start)
        if session is not None and gateway.market.has_bar(listing, session.date):
            self.session.send(real_time_bar(gateway.market, request, listing, what, session, start))

    def keep_up(self, gateway: Gateway, asked: BarRequest) -> None:
        """Begin to send the unfinished bar of a history, as it changes."""
        from live.double.bars import update

        step = max(BAR_SECONDS, min(asked.seconds, SESSION_SECONDS) / 12)

        def due() -> None:
            fields = update(gateway.market, asked)
            if fields is not None:
                self.session.send(fields)
            again()

        def again() -> None:
            when = _next_update(gateway, asked.listing, step)
            self.timers[asked.request] = gateway.clock.at(when, due)

        again()


def _next_update(gateway: Gateway, listing: Listing, step: float) -> float:
    """When the running bar of a name is sent next: within its session, and at its end."""
    now = gateway.clock.now
    session = gateway.calendar.on(local(now).date())
    if session is None or now >= gateway.market.closes_at(listing, session):
        session = gateway.calendar.coming(now)
    end = gateway.market.closes_at(listing, session)
    return min(max(now, session.opens) + step, end)


def _ticks(quote: Quote) -> list[tuple[int, float, int]]:
    """(tick type, price, size) of a quote."""
    values = (
        (1, quote.bid, 100),
        (2, quote.ask, 100),
        (4, quote.last, 100),
        (6, quote.high, 0),
        (7, quote.low, 0),
        (9, quote.close, 0),
        (14, quote.open, 0),
    )
    found = [(kind, price, size) for kind, price, size in values if price is not None]
    if quote.last is not None and (quote.bid is None or quote.ask is None):
        # The exchange is closed: the sides are withdrawn.
        found += [(1, -1.0, 0), (2, -1.0, 0)]
    return found
