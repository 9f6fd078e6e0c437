"""What may send an order, and to which money (C12, R2): one rule, one table, decided before anything is sent.

Paper or real is decided by the account, never by the port. There is exactly one way to real orders: ``run.py live
--arm``, with ``live.mode: live`` and the account's id typed in the configuration, on that account.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from ares7.errors import ConfigError
from live.client.messages import AccountKind

Verb = Literal["live", "paper"]
ConfiguredMode = Literal["shadow", "paper", "live"]


class Mode(StrEnum):
    """How a run trades; also the name of its journal."""

    SHADOW = "shadow"
    PAPER = "paper"
    REAL = "real"

    @property
    def sends(self) -> bool:
        """Orders leave this program."""
        return self is not Mode.SHADOW


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for.

    Attributes
    ----------
    verb : str
        ``live`` or ``paper``.
    armed : bool
        ``--arm`` was given.
    configured_mode : str
        ``live.mode``.
    configured_account : str
        ``live.account`` as it stands in the configuration file; an account given on the command line is not typed
        in the configuration and does not count.
    """

    verb: Verb
    armed: bool
    configured_mode: ConfiguredMode
    configured_account: str


def mode_of(wish: Wish, account: str, kind: AccountKind) -> Mode:
    """Decide how a run on this account trades, or refuse it.

    Parameters
    ----------
    wish : Wish
    account : str
        The account that the gateway gave.
    kind : AccountKind
        Of that account, by its id.

    Returns
    -------
    Mode

    Raises
    ------
    ConfigError
        What was asked for and the account do not go together.
    """
    if wish.verb == "paper":
        if kind is not AccountKind.PAPER:
            raise ConfigError(
                "run.py paper trades simulated money, and this login has a real account; log in with the paper user, "
                "or use run.py live"
            )
        return Mode.PAPER
    if not wish.armed:
        return Mode.SHADOW
    if kind is AccountKind.PAPER:
        if wish.configured_mode == "live":
            raise ConfigError(
                "live.mode is live and the account is a paper account; log in with the real user, or set live.mode: "
                "paper"
            )
        return Mode.PAPER
    if wish.configured_mode != "live":
        raise ConfigError(
            f"the account is real and live.mode is {wish.configured_mode}; real orders need live.mode: live, the "
            "account's id in live.account, and --arm"
        )
    if wish.configured_account != account:
        raise ConfigError(
            "real orders need the id of the account typed in live.account of the configuration file; it is "
            f"{'empty' if not wish.configured_account else 'another account'}"
        )
    return Mode.REAL
