"""What a campaign did and found, as a table."""

from __future__ import annotations

import collections
from dataclasses import dataclass, field

from tests.campaign.faults import TABLE
from tests.campaign.invariants import BOOKS, FILLS, HALTS, LIMITS, ONCE

INVARIANTS = (ONCE, FILLS, BOOKS, LIMITS, HALTS)


@dataclass
class Figures:
    """Counts; ``findings`` are (where, finding)."""

    days: int = 0
    checks: int = 0
    rebalances: int = 0
    orders: int = 0
    executions: int = 0
    limited: int = 0
    starts: int = 0
    refused: int = 0
    accepted: int = 0
    untold: int = 0
    feeless: int = 0
    resets: int = 0
    half_days: int = 0
    holidays: int = 0
    deaths: collections.Counter = field(default_factory=collections.Counter)
    halts: collections.Counter = field(default_factory=collections.Counter)
    faults: collections.Counter = field(default_factory=collections.Counter)
    ends: collections.Counter = field(default_factory=collections.Counter)
    findings: list = field(default_factory=list)

    def add(self, other):
        """Sum of two campaigns."""
        for name, value in vars(other).items():
            mine = getattr(self, name)
            if isinstance(mine, collections.Counter):
                mine.update(value)
            elif isinstance(mine, list):
                mine += value
            else:
                setattr(self, name, mine + value)

    def lines(self):
        """For a person."""
        yield f"{'rebalances':<52}{self.rebalances:>8}"
        yield f"{'days, and comparisons of all five invariants':<52}{self.days:>8}{self.checks:>8}"
        yield f"{'orders that reached the gateway, executions':<52}{self.orders:>8}{self.executions:>8}"
        yield f"{'executions, fees of a day without a runner: not told':<52}{self.untold:>8}{self.feeless:>8}"
        yield f"{'orders that a limit kept back':<52}{self.limited:>8}"
        yield f"{'starts of a runner, of them refused or ended':<52}{self.starts:>8}{self.refused:>8}"
        yield f"{'resets of the gateway':<52}{self.resets:>8}"
        yield f"{'half days, holidays':<52}{self.half_days:>8}{self.holidays:>8}"
        yield f"{'differences that the operator accepted':<52}{self.accepted:>8}"
        yield from self._table("kills", self.deaths)
        yield from self._table("halts", self.halts)
        yield from self._table("starts refused, and runs ended", self.ends)
        yield "failures, by row of the table"
        for row in TABLE:
            count = sum(self.faults[row.failure, fault.name] for fault in row.faults)
            yield f"  {row.failure:<70}" + (f"{count:>8}" if row.faults else f"   none: {row.why_not}")
        yield "violations"
        found = collections.Counter(finding.invariant for _, finding in self.findings)
        for invariant in INVARIANTS:
            yield f"  {invariant:<50}{found[invariant]:>8}"
        others = sum(found.values()) - sum(found[invariant] for invariant in INVARIANTS)
        yield f"  {'a runner that hangs or will not start':<50}{others:>8}"

    @staticmethod
    def _table(title, counter):
        yield f"{title + ', all together':<52}{sum(counter.values()):>8}"
        for name, count in sorted(counter.items()):
            yield f"  {name:<50}{count:>8}"
