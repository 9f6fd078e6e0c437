"""Pre-trade limits: one object that backtests, shadow and live trading ask before an order leaves (docs/limits.md)."""

from ares7.limits.check import Limits
from ares7.limits.params import LimitParams
from ares7.limits.view import AccountView, Name, ProposedOrder, Verdict, Working

__all__ = ["AccountView", "LimitParams", "Limits", "Name", "ProposedOrder", "Verdict", "Working"]
