"""Stages of a strategy: parts that a search computes once per distinct value of what they read (rulings 11)."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, Generic, Protocol, TypeVar, cast

from pydantic import BaseModel

from ares7.panel import Panel

Value = TypeVar("Value")


class Memo(Protocol):
    """How the value of a stage is come by: computed, or remembered."""

    def __call__(self, stage: Stage[Value], panel: Panel, params: BaseModel) -> Value:
        """Return the stage's value for these parameters."""


class Stage(Generic[Value]):
    """A pure part of a strategy that reads some of its parameters and nothing else of them.

    Made by `stage`. Call it as the function that it was: ``scores(panel, params)``.

    Parameters
    ----------
    function : callable
        ``(panel, params)`` or, where it uses other stages, ``(panel, params, memo)``.
    reads : tuple of str
        Fields and properties of ``params`` that the value depends on.
    """

    def __init__(self, function: Callable[..., Value], reads: tuple[str, ...], *, nested: bool) -> None:
        self.function, self.reads, self.nested = function, reads, nested
        self.name = f"{function.__module__}.{function.__qualname__}"
        self.__doc__ = function.__doc__

    def __call__(self, panel: Panel, params: BaseModel, memo: Memo | None = None) -> Value:
        """Compute; a stage that uses others takes them from ``memo``."""
        if not self.nested:
            return self.function(panel, params)
        return self.function(panel, params, compute if memo is None else memo)

    def key(self, params: BaseModel) -> tuple[Any, ...]:
        """Return what distinguishes one value from another on the same panel."""
        return (self.name, *(_hashable(getattr(params, name)) for name in self.reads))


def _hashable(value: Any) -> Any:
    return tuple(sorted(value.items())) if isinstance(value, dict) else value


def stage(
    *reads: str, uses: tuple[Stage[Any], ...] | None = None
) -> Callable[[Callable[..., Value]], Stage[Value]]:
    """Declare a function of a panel and parameters to be a stage.

    Parameters
    ----------
    *reads : str
        Fields and properties of the parameters that it reads itself.
    uses : tuple of Stage, optional
        Stages that it takes from its third argument, ``memo``, with the same parameters; an empty tuple where it
        hands them other parameters, which are then among ``reads``. None: it takes no memo.
    """
    every = dict.fromkeys([*reads, *(name for other in uses or () for name in other.reads)])

    def declare(function: Callable[..., Value]) -> Stage[Value]:
        return Stage(function, tuple(every), nested=uses is not None)

    return declare


def compute(stage: Stage[Value], panel: Panel, params: BaseModel) -> Value:
    """Compute the value anew: how a single run gets it."""
    return stage(panel, params)


_NOTHING = object()


class Remembered:
    """Memo of one panel: each stage is computed once per distinct value of what it reads.

    Threads may share it; a value is computed by the one that asks first.
    """

    def __init__(self) -> None:
        self._values: dict[tuple[Any, ...], Any] = {}
        self._locks: dict[tuple[Any, ...], Lock] = {}
        self._guard = Lock()

    def __call__(self, stage: Stage[Value], panel: Panel, params: BaseModel) -> Value:
        """Return the remembered value, or compute it."""
        key = stage.key(params)
        found = self._values.get(key, _NOTHING)
        if found is not _NOTHING:
            return cast(Value, found)
        with self._guard:
            lock = self._locks.setdefault(key, Lock())
        with lock:
            # Looked up once, not asked for and then taken: another thread may trim it away in between.
            found = self._values.get(key, _NOTHING)
            if found is _NOTHING:
                found = self._values[key] = stage(panel, params, self)
        return cast(Value, found)

    def trim(self, keep: int) -> None:
        """Drop all but the ``keep`` latest values of each stage: what bounds the memory of a long search."""
        with self._guard:
            held: dict[str, int] = {}
            for key in reversed(list(self._values)):
                held[key[0]] = held.get(key[0], 0) + 1
                if held[key[0]] > keep:
                    self._values.pop(key, None)
                    self._locks.pop(key, None)

    @property
    def computed(self) -> dict[str, int]:
        """How many distinct values of each stage are held."""
        count: dict[str, int] = {}
        for key in list(self._values):
            count[key[0]] = count.get(key[0], 0) + 1
        return count
