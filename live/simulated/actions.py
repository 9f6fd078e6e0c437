"""Dividends and splits, as the prices of a data folder imply them."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from fractions import Fraction

from ares7.errors import DataError
from live.journal.rows import Adjustment
from live.simulated.bars import GrowingFolder

SPLIT = "split"
SMALLEST_DIVIDEND = 2e-4
"""Fraction of the price; less is the rounding of adjusted prices."""
LARGEST_TERM = 10
"""Splits have small terms (3-for-2), or one term of 1 (25-for-1)."""
SLACK = 1e-3
"""By how much a price of the past may differ from a split's: files round prices."""
CENT = 0.01
CORRECTION = 0.005
"""A price of the past that moved by less is a correction of the data and no event."""
REASON = re.compile(r"^(\d{4}-\d{2}-\d{2}) (\d+)-for-(\d+) split$")


@dataclass(frozen=True, slots=True)
class Split:
    """``new`` shares for ``old`` ones, found when ``session`` was acted on."""

    session: dt.date
    new: int
    old: int

    @property
    def reason(self) -> str:
        """How the journal keeps it."""
        return f"{self.session} {self.new}-for-{self.old} split"

    def shares(self, held: float) -> tuple[float, float]:
        """Whole shares after it, and the fraction of a share that is paid out."""
        made = held * self.new / self.old
        whole = math.floor(made + 1e-9)
        return float(whole), max(made - whole, 0.0)

    def price(self, before: float) -> float:
        """USD a share after it."""
        return before * self.old / self.new


def split_of(row: Adjustment) -> Split | None:
    """Return the split that a row of the journal is."""
    found = REASON.match(row.reason) if row.kind == SPLIT else None
    if found is None:
        return None
    return Split(dt.date.fromisoformat(found[1]), int(found[2]), int(found[3]))


def dividend_usd(folder: GrowingFolder, symbol: str, session: dt.date) -> float:
    """USD a share that go ex in a session: ``close before * (1 - ratio before / ratio after)``; 0 without one."""
    before = folder.last_bar(symbol, session - dt.timedelta(days=1))
    if before is None:
        return 0.0
    after = folder.value("ratio", symbol, session)
    part = 1.0 - folder.value("ratio", symbol, before) / after
    if not math.isfinite(part) or part < SMALLEST_DIVIDEND:
        return 0.0
    return folder.value("close", symbol, before) * part


def split_between(
    folder: GrowingFolder, symbol: str, field: str, day: dt.date, price: float, session: dt.date
) -> Split | None:
    """Compare a price that was traded or decided at with what the folder says of it now.

    Parameters
    ----------
    folder : GrowingFolder
    symbol : str
    field : {"open", "close"}
        Which price of ``day`` it was.
    day : date
    price : float
        USD a share, adjusted for the splits that the journal knows.
    session : date
        That is acted on.

    Returns
    -------
    Split or None

    Raises
    ------
    DataError
        The past changed in a way that no split explains.
    """
    now = folder.value(field, symbol, day)
    if folder.basis == "total_return":
        if now != price:
            raise _changed(
                folder, symbol, field, day, price, now, "total-return prices are rescaled by dividends"
            )
        return None
    if not math.isfinite(now) or now <= 0:
        raise _changed(folder, symbol, field, day, price, now, "the bar is gone")
    factor = price / now
    slack = SLACK + CENT / min(price, now)
    if abs(factor - 1.0) <= max(CORRECTION, slack):
        return None
    ratio = _simple(factor)
    if ratio == 1 or abs(math.log(factor / ratio)) > slack:
        raise _changed(folder, symbol, field, day, price, now, "no split has such a ratio")
    return Split(session, ratio.numerator, ratio.denominator)


def _simple(factor: float) -> Fraction:
    if factor >= 1:
        return Fraction(factor).limit_denominator(LARGEST_TERM)
    return 1 / Fraction(1 / factor).limit_denominator(LARGEST_TERM)


def _changed(
    folder: GrowingFolder, symbol: str, field: str, day: dt.date, price: float, now: float, why: str
) -> DataError:
    remedy = "restore the files"
    if folder.basis == "total_return":
        remedy += ", or trade at traded prices (--prices traded) in a folder of its own (halt.folder)"
    return DataError(
        f"{folder.folder}: the {field} of {symbol} on {day} was {price:.6g} when it was acted on and is {now:.6g} now; "
        f"{why}; nothing is decided; {remedy}"
    )
