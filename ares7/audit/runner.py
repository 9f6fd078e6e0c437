"""Run the checks, in order, and say what each of them found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ares7.audit.finding import Check, Finding, Severity, worst
from ares7.audit.subject import Subject
from ares7.errors import CheckFailed


@dataclass(frozen=True, slots=True)
class Audit:
    """All findings about one subject.

    Attributes
    ----------
    name : str
        Of the subject.
    findings : tuple of Finding
    """

    name: str
    findings: tuple[Finding, ...]

    @property
    def worst(self) -> Severity:
        """The worst severity."""
        return worst(self.findings)

    @property
    def failed(self) -> tuple[Finding, ...]:
        """Failures alone."""
        return tuple(f for f in self.findings if f.severity is Severity.FAILURE)

    def require(self) -> None:
        """Do nothing if no check failed: what a user's own test calls.

        Raises
        ------
        CheckFailed
            Naming every check that failed.
        """
        if self.failed:
            told = "; ".join(f"{f.check} {f.message}" for f in self.failed)
            raise CheckFailed(f"{self.name} fails {len(self.failed)} checks: {told}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "name": self.name,
            "worst": str(self.worst),
            "findings": [finding.to_dict() for finding in self.findings],
        }


def audit(subject: Subject, checks: Sequence[Check], on_step: Callable[[int], None] | None = None) -> Audit:
    """Run checks on a subject.

    Parameters
    ----------
    on_step : callable, optional
        Called with 1 after each check.
    """
    findings: list[Finding] = []
    for check in checks:
        findings.extend(check.run(subject))
        if on_step is not None:
            on_step(1)
    # Imported here: the checks import this module's neighbours.
    from ares7.audit.concentration import escalate

    return Audit(subject.name, escalate(findings))
