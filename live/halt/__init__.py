"""Halt: levels, where they are set, and what may still be sent under each (docs/limits.md)."""

from live.halt.file_source import HaltFile
from live.halt.flatten import ClosingOrder, FlattenPlan, Placed, flatten_plan
from live.halt.gate import halt_verdict, verdict
from live.halt.level import HaltLevel, HaltRecord
from live.halt.switch import HaltSource, HaltStanding, HaltSwitch

__all__ = [
    "ClosingOrder",
    "FlattenPlan",
    "HaltFile",
    "HaltLevel",
    "HaltRecord",
    "HaltSource",
    "HaltStanding",
    "HaltSwitch",
    "Placed",
    "flatten_plan",
    "halt_verdict",
    "verdict",
]
