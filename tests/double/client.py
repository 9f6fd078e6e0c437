"""ib_insync as the tests use it."""

from __future__ import annotations

from contextlib import contextmanager, suppress

from ib_insync import IB, Contract, Order, Stock

ACCOUNT = "DU1234567"


@contextmanager
def connected(control, client_id=7, *, timeout=4.0, throttled=False, **options):
    """Connect a client without its own rate limit; disconnects at the end."""
    ib = IB()
    ib.TimezoneTWS = "US/Eastern"
    ib.RequestTimeout = 5
    if not throttled:
        ib.client.MaxRequests = 0
    ib.connect(control.host, control.port, clientId=client_id, timeout=timeout, **options)
    ib.errors = []
    ib.errorEvent += lambda request, code, text, contract: ib.errors.append((request, code))
    try:
        yield ib
    finally:
        ib.disconnect()


def until(ib, holds, seconds=15.0):
    """Let the client run until something holds; fails after so many real seconds."""
    for _ in range(int(seconds / 0.01)):
        if holds():
            return
        settle(ib, 0.01)
    assert holds(), "did not happen in time"


def settle(ib, seconds=0.03):
    """Let the client take what is on its way; the library raises here when its connection is lost."""
    with suppress(ConnectionError):
        ib.sleep(seconds)


def stock(symbol="AAPL"):
    """A contract that is not qualified."""
    return Stock(symbol, "SMART", "USD")


def index(symbol):
    """An index at its exchange."""
    return Contract(secType="IND", symbol=symbol, exchange="CBOE", currency="USD")


def order(action="BUY", quantity=10, kind="MKT", tif="DAY", **fields):
    """An order with everything explicit."""
    return Order(
        action=action, totalQuantity=quantity, orderType=kind, tif=tif, **{"account": ACCOUNT, **fields}
    )


class Wire:
    """Order states as they come from the gateway, before the library changes them.

    Parameters
    ----------
    ib : IB
        Connected.
    """

    def __init__(self, ib):
        self.seen = []
        for name in ("openOrder", "orderStatus", "execDetails", "commissionReport"):
            self._listen(ib.wrapper, name)

    def _listen(self, wrapper, name):
        original = getattr(wrapper, name)

        def heard(*args):
            self.seen.append((name, args))
            original(*args)

        setattr(wrapper, name, heard)

    @property
    def names(self):
        """What came, in order: ``openOrder Submitted``, ``execDetails 10``, ..."""
        out = []
        for name, args in self.seen:
            if name == "openOrder":
                out.append(f"openOrder {args[3].status}")
            elif name == "orderStatus":
                out.append(f"orderStatus {args[1]} {args[2]:g}")
            elif name == "execDetails":
                out.append(f"execDetails {args[2].shares:g}")
            else:
                out.append("commissionReport")
        return out
