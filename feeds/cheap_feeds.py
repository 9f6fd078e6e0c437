"""More feeds like one that Backtrader has made, without its metaclass.

The metaclass builds a feed's parameters, its plotting information and its eight lines one attribute at a time, and
looks for an owner of each line by walking the stack. What comes out here has, name by name, the same attributes.
"""

from __future__ import annotations

import array
from collections import deque
from typing import Any


def _copy(item: Any, **changes: Any) -> Any:
    out = object.__new__(type(item))
    out.__dict__ = vars(item) | changes
    return out


def twin(feed: Any, name: str, **params: Any) -> Any:
    """Return what ``type(feed)(name=name, **params)`` would be.

    Parameters
    ----------
    feed : DataBase
        Fresh from its class: in no Cerebro, and not run yet. Its own parameters hold where ``params`` has none.
    name : str
    **params
        Parameters that nothing is derived from when a feed is made.
    """
    out = _copy(feed, _name=name, params=_copy(feed.params, name=name, **params))
    attributes = out.__dict__
    attributes["p"] = out.params
    attributes["plotinfo"] = _copy(feed.plotinfo)
    attributes["plotlines"] = _copy(feed.plotlines, **{k: _copy(v) for k, v in vars(feed.plotlines).items()})
    for queue in ("notifs", "_barstack", "_barstash"):
        attributes[queue] = deque()
    for filters in ("_filters", "_ffilters"):
        attributes[filters] = []
    lines = [_copy(line, _owner=out, bindings=[], array=array.array("d")) for line in feed.lines.lines]
    attributes["lines"] = attributes["l"] = _copy(feed.lines, lines=lines)
    attributes["line"] = lines[0]
    for number, line in enumerate(lines):
        line.lines = [line]
        attributes[f"line_{number}"] = attributes[f"line{number}"] = line
    return out
