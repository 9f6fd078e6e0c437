"""Feeds copied from one that Backtrader made: the same attributes, name by name, and nothing shared that changes."""

import datetime as dt
import inspect

import backtrader as bt
import numpy as np
import pytest

from ares7.bars import EngineBars, engine_bars
from feeds.panel_feed import AlignedData, Clock, aligned_feeds
from tests.engine.panels import market


@pytest.fixture(scope="module")
def bars():
    return engine_bars(market(sessions=60, stocks=4, start=10))


PLAIN = (str, int, float, tuple, type, type(None), dt.time, EngineBars)


def graph(item, known):
    """What an object holds, objects that are met again by their number."""
    if id(item) in known:
        return known[id(item)]
    if isinstance(item, PLAIN) or inspect.isroutine(item):
        return item
    known[id(item)] = f"object {len(known)}"
    if isinstance(item, dict):
        return {name: graph(value, known) for name, value in item.items()}
    if hasattr(item, "__dict__"):
        return type(item), {name: graph(value, known) for name, value in sorted(vars(item).items())}
    if isinstance(item, Clock):
        return type(item)
    return type(item), [graph(value, known) for value in item]


def made_by_backtrader(bars, feed, clock):
    p = feed.p
    return AlignedData(engine_bars=bars, column=p.column, listed=p.listed, clock=clock, name=p.name)


@pytest.mark.parametrize("shared", [True, False])
def test_a_copied_feed_has_the_attributes_of_one_that_backtrader_makes(bars, shared):
    clock = Clock() if shared else None
    feeds = aligned_feeds(bars, clock)
    assert len(feeds) > 3
    assert len({feed.p.listed for feed in feeds}) > 1
    for feed in feeds:
        other = made_by_backtrader(bars, feed, clock)
        assert graph(feed, {}) == graph(other, {})
        assert feed._name == feed.p.name == bars.panel.symbols[feed.column]


def test_what_one_feed_is_given_the_others_do_not_have(bars):
    first, second, third = aligned_feeds(bars)[:3]
    before = graph(third, {})
    second.addfilter(lambda data: False)
    second.plotinfo.plot = False
    second.plotlines.close.color = "red"
    second.p.sessionend = None
    second.lines.close.addbinding(bt.LineBuffer())
    second.notifs.append("told")
    second.lines.close.array.append(1.0)
    second._barstash.append([])
    assert graph(third, {}) == before
    for feed in (first, third):
        own = (feed._filters, feed.notifs, feed._barstash, feed.lines.close.bindings)
        assert [len(part) for part in own] == [0, 0, 0, 0]
        assert feed.plotinfo.plot
        assert feed.p.sessionend is not None
        assert len(feed.lines.close.array) == 0
        assert not hasattr(feed.plotlines.close, "color")
        assert all(line._owner is feed and line.lines == [line] for line in feed.lines.lines)


def test_every_line_shows_its_own_column(bars):
    cerebro = bt.Cerebro(stdstats=False)
    for feed in aligned_feeds(bars):
        cerebro.adddata(feed)
    cerebro.addstrategy(bt.Strategy)
    cerebro.run()
    for feed in cerebro.datas:
        for name in ("open", "high", "low", "close", "volume"):
            shown = np.array(getattr(feed.lines, name).array)
            assert np.array_equal(shown, bars.prices[name][feed.p.listed :, feed.column])
        assert np.array_equal(np.array(feed.lines.datetime.array), bars.ordinals[feed.p.listed :])
        assert np.array_equal(np.array(feed.lines.bar.array), bars.bar[feed.p.listed :, feed.column])
        assert not np.array(feed.lines.openinterest.array).any()
        assert [feed._getlinealias(i) for i in range(9)] == [*feed.getlinealiases(), ""]
