"""What a check says: how bad, where, by which numbers, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from ares7.audit.subject import Subject


class Severity(StrEnum):
    """How bad a finding is; the worst of all decides the exit code."""

    PASS = "pass"  # noqa: S105 - not a password
    SKIPPED = "skipped"
    """The check could not be made; the message says why."""
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """Outcome of one check.

    Attributes
    ----------
    check : str
        Id, for example ``D1``.
    title : str
        What was checked.
    severity : Severity
    message : str
        What was found, in one line: what, where, by how much.
    evidence : mapping
        Dates, symbols, fields and numbers behind it; JSON values.
    remedy : str
        What to do; empty for a pass.
    """

    check: str
    title: str
    severity: Severity
    message: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    remedy: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "check": self.check,
            "title": self.title,
            "severity": str(self.severity),
            "message": self.message,
            "evidence": dict(self.evidence),
            "remedy": self.remedy,
        }


class Check(Protocol):
    """One detector.

    Attributes
    ----------
    id, title : str
    """

    id: ClassVar[str]
    title: ClassVar[str]

    def run(self, subject: Subject) -> Iterable[Finding]:
        """Look at a subject; at least one finding."""


def found(check: Check, severity: Severity, message: str, remedy: str = "", **evidence: Any) -> Finding:
    """Return a finding of a check."""
    return Finding(check.id, check.title, severity, message, evidence, remedy)


def worst(findings: Iterable[Finding]) -> Severity:
    """Return the worst severity; a pass where there is nothing."""
    order = list(Severity)
    return max((finding.severity for finding in findings), key=order.index, default=Severity.PASS)
