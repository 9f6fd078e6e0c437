"""Values from which cases of reconciliation are made."""

import datetime as dt
from dataclasses import replace

from live.client.messages import PositionRow
from live.client.order_messages import Execution, OpenOrder

NOON = dt.datetime(2024, 3, 4, 17, 0, tzinfo=dt.UTC)
APPLE, BOND, GOLD = 265598, 15547841, 51529211
NAMES = {APPLE: "AAPL", BOND: "TLT", GOLD: "GLD"}


def our_ref(con_id=APPLE, side="B", n=1, rebalance="0a1b2c3d"):
    return f"A7-20240301-{rebalance}-{con_id}-{side}-{n}"


def position(con_id, shares, currency="USD", kind="STK"):
    return PositionRow("DU1", con_id, NAMES.get(con_id, str(con_id)), kind, currency, shares, 100.0)


def execution(con_id, shares, ref="", root="0001", revision=1, minutes=0, price=100.0):
    """Signed shares."""
    return Execution(
        exec_id=f"{root}.{revision:02d}",
        root=root,
        revision=revision,
        ref=ref,
        account="DU1",
        order_id=3,
        client_id=7,
        perm_id=11,
        con_id=con_id,
        symbol=NAMES.get(con_id, str(con_id)),
        side="BUY" if shares > 0 else "SELL",
        exchange="NYSE",
        shares=abs(shares),
        price=price,
        cumulative=abs(shares),
        avg_price=price,
        time_utc=NOON + dt.timedelta(minutes=minutes),
        replayed=True,
    )


def open_order(con_id, shares, ref="", perm_id=77):
    """Signed shares."""
    return OpenOrder(
        order_id=-1,
        client_id=0,
        perm_id=perm_id,
        parent_id=0,
        account="DU1",
        ref=ref,
        con_id=con_id,
        symbol=NAMES.get(con_id, str(con_id)),
        kind="STK",
        side="BUY" if shares > 0 else "SELL",
        quantity=abs(shares),
        order_type="LMT",
        tif="GTC",
        limit_price=90.0,
        stop_price=None,
        oca_group="",
        status="Submitted",
        commission=None,
    )


def changed(row, **changes):
    return replace(row, **changes)
