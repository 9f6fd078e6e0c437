"""How far trading is halted, who halted it, when and why."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from ares7.errors import ConfigError, DataError


class HaltLevel(IntEnum):
    """Levels in rising order; each does what the ones below it do.

    =================  ====================================================================================
    NONE               trade
    BLOCK_NEW          no order that adds exposure is sent; one that only reduces it still is
    CANCEL_WORKING     working orders are cancelled and no order is sent
    FLATTEN            what the journal bought is closed; no other order is sent
    HALT               nothing is sent at all but cancellations; positions stay as they are
    =================  ====================================================================================
    """

    NONE = 0
    BLOCK_NEW = 1
    CANCEL_WORKING = 2
    FLATTEN = 3
    HALT = 4

    @property
    def cancels_working(self) -> bool:
        """Whether working orders of the strategy are to be cancelled."""
        return self >= HaltLevel.CANCEL_WORKING

    @classmethod
    def parse(cls, text: str) -> HaltLevel:
        """Read a level by its name; case, ``-`` and spaces do not matter.

        Raises
        ------
        ConfigError
            There is no such level.
        """
        name = text.strip().upper().replace("-", "_").replace(" ", "_")
        if name not in cls.__members__:
            raise ConfigError(f"halt level {text!r} does not exist; one of {', '.join(cls.__members__)}")
        return cls[name]


@dataclass(frozen=True, slots=True)
class HaltRecord:
    """One setting of a level.

    Attributes
    ----------
    level : HaltLevel
    who, why : str
    when : datetime
        UTC.
    """

    level: HaltLevel
    who: str
    when: dt.datetime
    why: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "level": self.level.name,
            "who": self.who,
            "when": self.when.isoformat(timespec="seconds"),
            "why": self.why,
        }

    @classmethod
    def from_dict(cls, content: Any) -> HaltRecord:
        """Read what `to_dict` made.

        Raises
        ------
        DataError
            It is anything else.
        """
        try:
            level, when = HaltLevel[content["level"]], dt.datetime.fromisoformat(content["when"])
            who, why = content["who"], content["why"]
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"it is no halt record ({type(error).__name__}: {error})") from None
        if when.tzinfo is None or not isinstance(who, str) or not isinstance(why, str):
            raise DataError("it is no halt record (who and why must be text, when a time with its zone)")
        return cls(level, who, when.astimezone(dt.UTC), why)

    def describe(self) -> str:
        """One line for a person."""
        return f"{self.level.name}, set by {self.who} on {self.when:%Y-%m-%d %H:%M:%S} UTC: {self.why}"
