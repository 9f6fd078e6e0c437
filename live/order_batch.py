"""Orders of one step of a strategy, held until the step is over, so that those that belong together leave together.

A bracket is complete only with its last child, and the first order of an OCO group learns of the group only from the
second.
"""

from __future__ import annotations

from live.bt_order import IBOrder


class OrderBatch:
    """What was submitted and not written yet, in order of submission."""

    def __init__(self) -> None:
        self._held: dict[int, IBOrder] = {}
        self._released: set[int] = set()

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, order: IBOrder) -> bool:
        return order.ref in self._held

    def hold(self, order: IBOrder) -> str:
        """Take an order; returns why it cannot be sent, or nothing."""
        partner = order.oco
        if partner is not None:
            if partner.ref not in self._held:
                return "its oco partner was sent in an earlier step and has no group; give both orders in one step"
            # The second order names the group; the first is its namesake.
            held = self._held[partner.ref]
            held.oca_group = held.oca_group or held.ib_ref
            order.oca_group = held.oca_group
        self._held[order.ref] = order
        if order.transmit:
            # Stays released when this very order is cancelled again.
            self._released.add(self._head(order))
        return ""

    def _head(self, order: IBOrder) -> int:
        """Reference of the first order of its group that is held."""
        root = _root(order)
        return int(root.ref if root.ref in self._held else order.ref)

    def drop(self, order: IBOrder) -> list[IBOrder]:
        """Take an order and its children out again; returns them."""
        family = [other for other in self._held.values() if other is order or _root(other) is order]
        for other in family:
            del self._held[other.ref]
        return family

    def drop_all(self) -> list[IBOrder]:
        """Take everything out that was not written."""
        left = list(self._held.values())
        self._held.clear()
        self._released.clear()
        return left

    def take(self) -> list[list[IBOrder]]:
        """Groups that are complete, parents first; an order whose ``transmit`` is False waits for its last child."""
        groups: dict[int, list[IBOrder]] = {}
        for order in self._held.values():
            groups.setdefault(self._head(order), []).append(order)
        complete = [group for head, group in groups.items() if head in self._released]
        self._released.clear()
        for group in complete:
            for order in group:
                del self._held[order.ref]
        return complete


def _root(order: IBOrder) -> IBOrder:
    while order.parent is not None:
        order = order.parent
    return order
