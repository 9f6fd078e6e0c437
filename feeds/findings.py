"""What is wrong with data: findings are listed by ``data check`` and raised by the loader."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ares7.errors import DataError

Input = Literal[
    "prices", "etfs", "index", "vix", "fundamentals", "earnings", "buybacks", "membership", "symbols"
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem in one file.

    Attributes
    ----------
    severity : "error" or "warning"
        Errors stop a run that needs the input; warnings are counted and shown (rulings 23).
    input : str
        Which input the problem touches; a run that does not read that input is not stopped by it.
    code : str
        Stable slug, for example ``duplicate-row``.
    message : str
        What, where, limit, remedy, in one sentence.
    count : int
        Rows or names concerned.
    first, last : datetime64[D] or None
        Span of dates concerned; None means that the whole file is unusable.
    kind : type
        Exception that the loader raises for it.
    """

    severity: Literal["error", "warning"]
    input: Input
    code: str
    message: str
    count: int = 1
    first: np.datetime64 | None = None
    last: np.datetime64 | None = None
    kind: type[DataError] = DataError

    def plain(self) -> dict[str, object]:
        """What ``--json`` tells of it."""
        return {name: getattr(self, name) for name in ("severity", "input", "code", "count", "message")}

    def touches(self, first: np.datetime64 | None, last: np.datetime64 | None) -> bool:
        """Whether the finding lies inside the dates that a run reads."""
        if self.first is None or self.last is None:
            return True
        return not ((last is not None and self.first > last) or (first is not None and self.last < first))


def raise_errors(
    findings: Iterable[Finding],
    needs: frozenset[str],
    first: np.datetime64 | None = None,
    last: np.datetime64 | None = None,
) -> None:
    """Raise the first error among inputs that the run needs; prices and membership are always needed.

    Raises
    ------
    DataError
        Or the subclass that the finding names; the message says how many further errors there are.
    """
    always = frozenset({"prices", "membership", "symbols"})
    errors = [
        f for f in findings if f.severity == "error" and f.input in needs | always and f.touches(first, last)
    ]
    if errors:
        more = f" ({len(errors) - 1} more: run 'python run.py data check DIR')" if len(errors) > 1 else ""
        raise errors[0].kind(errors[0].message + more)
