"""D9: how many trials stand behind a result, and which out-of-sample windows have helped to choose it (C10)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from ares7.audit.finding import Finding, Severity, found
from ares7.audit.subject import Subject

NAMED = 3
"""Windows and runs that a message names; the evidence holds all."""


class TrialCount:
    """D9: trials, deflated Sharpe ratios, and contaminated windows, as the run ledger has them."""

    id: ClassVar[str] = "D9"
    title: ClassVar[str] = "Trials and contaminated windows"

    def run(self, subject: Subject) -> Iterable[Finding]:
        """Read what the ledger says of the subject's run; nothing is computed again."""
        ledger = subject.ledger
        if "trials" not in ledger:
            return [
                found(self, Severity.SKIPPED, "no run ledger: how often something was tried is not known")
            ]
        findings = [self._counted(ledger["trials"], ledger.get("luck", {}))]
        touched = ledger.get("touched", [])
        if touched:
            findings.append(self._contaminated(touched))
        return findings

    def _counted(self, trials: Mapping[str, Any], luck: Mapping[str, Any]) -> Finding:
        figures: dict[str, Any] = {
            name: _number(luck.get(name)) for name in ("dsr", "active_dsr", "psr", "active_psr")
        }
        message = (
            f"trials on this market: {trials['count']}, {trials['distinct']} distinct, about {trials['effective']} "
            f"independent; deflated Sharpe ratio {_told(figures['dsr'])} of total and "
            f"{_told(figures['active_dsr'])} of active returns"
        )
        return found(self, Severity.PASS, message, **dict(trials), **figures)

    def _contaminated(self, touched: Sequence[Mapping[str, Any]]) -> Finding:
        windows = {
            (str(t["name"]), str(t["start"]), str(t["end"])): None for t in touched
        }  # a dict keeps the order
        runs = list(dict.fromkeys(str(t["run"]) for t in touched))
        named = ", ".join(f"{name} ({start} to {end})" for name, start, end in list(windows)[:NAMED])
        more = f" and {len(windows) - NAMED} more" if len(windows) > NAMED else ""
        others = f" and {len(runs) - NAMED} more" if len(runs) > NAMED else ""
        return found(
            self,
            Severity.WARNING,
            f"selection-contaminated: {named}{more} helped to choose parameters in {', '.join(runs[:NAMED])}{others}",
            "quote no figure of these windows as out-of-sample; keep later sessions that no search has seen",
            windows=[{"name": name, "start": start, "end": end} for name, start, end in windows],
            runs=runs,
            reasons=list(dict.fromkeys(str(t.get("reason", "")) for t in touched)),
        )


def _number(value: Any) -> float | None:
    """Return a finite number, or None."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _told(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.2f}"
