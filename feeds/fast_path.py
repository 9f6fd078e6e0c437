"""When our broker may do by itself what Backtrader's does: nothing is set that only Backtrader's code knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ares7.bars import EngineBars
from feeds.commission import CostCommission
from feeds.panel_feed import AlignedData


def share_clock(feeds: Sequence[Any], bars: EngineBars) -> bool:
    """Whether every feed shows a column of ``bars``, unfiltered, on one clock and one session time."""
    first = feeds[0].p
    return all(
        type(feed) is AlignedData
        and feed.engine_bars is bars
        and feed.p.clock is first.clock
        and feed._tz is None
        and feed._compensate is None
        and feed.p.sessionend == first.sessionend
        and not (feed._filters or feed._ffilters)
        for feed in feeds
    )


def settings_are_plain(broker: Any) -> bool:
    """Whether a broker has no slippage, filler, cheating or history, and `CostCommission` alone, without interest."""
    p = broker.p
    if p.filler or p.slip_perc or p.slip_fixed or p.coc or p.coo or not (p.shortcash and p.checksubmit):
        return False
    scheme = broker.comminfo.get(None)
    if (
        broker._userhist
        or broker._fundhist
        or len(broker.comminfo) != 1
        or type(scheme) is not CostCommission
    ):
        return False
    terms = scheme.p
    return bool(
        scheme._stocklike and terms.mult == terms.leverage == 1.0 and not (terms.interest or terms.margin)
    )
