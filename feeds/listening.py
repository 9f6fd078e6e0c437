"""Whether anything attached to a run would see an order or trade notification."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import backtrader as bt

_STRATEGY = ("notify_order", "notify_trade", "_addnotification", "_notify", "clear")
_ANALYZER = ("notify_order", "notify_trade", "_notify_order", "_notify_trade")


def _with_children(analyzers: Iterable[Any]) -> Iterator[Any]:
    for analyzer in analyzers:
        yield analyzer
        yield from _with_children(analyzer._children)


def _overrides(item: Any, base: type, names: Iterable[str]) -> bool:
    return any(getattr(getattr(item, name), "__func__", None) is not getattr(base, name) for name in names)


def someone_listens(strategies: Iterable[Any]) -> bool:
    """Whether a strategy, one of its analyzers or an observer would see an order or trade notification."""
    for strategy in strategies:
        if (
            _overrides(strategy, bt.Strategy, _STRATEGY)
            or strategy.getobservers()
            or strategy._tradehistoryon
        ):
            return True
        analyzers = _with_children([*strategy.analyzers, *strategy._slave_analyzers])
        if any(_overrides(analyzer, bt.Analyzer, _ANALYZER) for analyzer in analyzers):
            return True
    return False
