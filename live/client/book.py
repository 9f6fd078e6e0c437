"""What is known of the account, and the queue of messages: written by the loop's thread, read by any."""

from __future__ import annotations

import datetime as dt
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from live.client.messages import AccountValue, Envelope, Message, OpenOrder, OrderStatus, PositionRow, State

DONE = frozenset({"Filled", "Cancelled", "ApiCancelled"})
"""Statuses after which an order no longer works. Inactive is none of them: it can revive."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of the account at one moment.

    Attributes
    ----------
    seq : int
        All messages up to this number are included.
    state : State
    account : str
    values : mapping of (tag, currency) to str
    positions : mapping of contract id to PositionRow
    open_orders : mapping of permanent id to OpenOrder
        Working orders of every client of this account; an order without a permanent id yet is not here.
    """

    seq: int
    state: State
    account: str
    values: Mapping[tuple[str, str], str]
    positions: Mapping[int, PositionRow]
    open_orders: Mapping[int, OpenOrder]


class Book:
    """Account values, positions and working orders, as the wire tells them, with a queue of all messages.

    A message is applied and queued under one lock, so that a snapshot says exactly which messages it holds.

    Parameters
    ----------
    clock : callable
        Current time, aware.
    """

    def __init__(self, clock: Callable[[], dt.datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[Envelope] = queue.SimpleQueue()
        self._seq = 0
        self._state = State.STOPPED
        self._account = ""
        self._values: dict[tuple[str, str], str] = {}
        self._positions: dict[int, PositionRow] = {}
        self._orders: dict[int, OpenOrder] = {}
        self._perm_ids: dict[tuple[int, int], int] = {}
        self._foreign: set[tuple[int, int]] = set()
        self._seen_positions: set[int] = set()
        self._seen_orders: set[int] = set()

    @property
    def state(self) -> State:
        """Where the connection stands."""
        return self._state

    def begin_connection(self) -> None:
        """Forget what only meant something in the connection before: order ids."""
        with self._lock:
            self._perm_ids.clear()
            self._foreign.clear()

    def begin_sweep(self, account: str) -> None:
        """Note from now on which positions and orders are still reported."""
        with self._lock:
            if account != self._account:
                self._values, self._positions, self._orders = {}, {}, {}
            self._account = account
            self._seen_positions.clear()
            self._seen_orders.clear()

    def end_sweep(self) -> None:
        """Drop the positions and orders that were not reported since the sweep began."""
        with self._lock:
            self._positions = {k: v for k, v in self._positions.items() if k in self._seen_positions}
            self._orders = {k: v for k, v in self._orders.items() if k in self._seen_orders}

    def put(self, message: Message, state: State | None = None) -> None:
        """Apply a message and queue it, unless it is about another account.

        Parameters
        ----------
        message : Message
        state : State, optional
            The new state that comes with it.
        """
        with self._lock:
            if state is not None:
                self._state = state
            if not self._apply(message):
                return
            self._seq += 1
            self._queue.put(Envelope(self._seq, self._clock(), message))

    def _apply(self, message: Message) -> bool:
        """Apply a message; False if it is not for us."""
        if isinstance(message, OrderStatus):
            return self._apply_status(message)
        account = getattr(message, "account", self._account)
        ours = not self._account or account in ("", self._account)
        if isinstance(message, OpenOrder):
            self._apply_order(message, ours)
        elif ours and isinstance(message, PositionRow):
            self._seen_positions.add(message.con_id)
            if message.shares:
                self._positions[message.con_id] = message
            else:
                self._positions.pop(message.con_id, None)
        elif ours and isinstance(message, AccountValue):
            self._values[message.tag, message.currency] = message.value
        return ours

    def _apply_order(self, order: OpenOrder, ours: bool) -> None:
        key = (order.client_id, order.order_id)
        if not ours:
            self._foreign.add(key)
            return
        self._perm_ids[key] = order.perm_id
        if order.status in DONE:
            self._orders.pop(order.perm_id, None)
        elif order.perm_id:
            self._seen_orders.add(order.perm_id)
            self._orders[order.perm_id] = order

    def _apply_status(self, status: OrderStatus) -> bool:
        key = (status.client_id, status.order_id)
        if key in self._foreign:
            return False
        if status.status in DONE:
            self._orders.pop(status.perm_id or self._perm_ids.get(key, 0), None)
        return True

    def poll(self) -> list[Envelope]:
        """All messages that wait, oldest first; at once."""
        found = []
        while True:
            try:
                found.append(self._queue.get_nowait())
            except queue.Empty:
                return found

    def wait(self, timeout: float) -> Envelope | None:
        """Return the next message, or None if none comes within ``timeout`` seconds."""
        try:
            return self._queue.get(timeout=timeout)
        except queue.Empty:
            return None

    def snapshot(self, state: State) -> Snapshot:
        """Copy what is known now."""
        with self._lock:
            return Snapshot(
                seq=self._seq,
                state=state,
                account=self._account,
                values=MappingProxyType(dict(self._values)),
                positions=MappingProxyType(dict(self._positions)),
                open_orders=MappingProxyType(dict(self._orders)),
            )
