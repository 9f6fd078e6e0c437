"""What the connection raises, beside the exceptions of `ares7.errors`.

::

    ConfigError
    +-- Refused             the gateway refused one request; ``code`` is its code
    |   +-- ReadOnlyApi     the gateway refuses all orders
    +-- WrongAccount        the login does not have the account, or which one is meant is open
    ServiceUnavailable
    +-- NotSynchronised     a start-up query was not answered
    +-- ClockSkew           the gateway's clock and ours differ
    +-- NoAnswer            a request was not answered in time
    +-- NotSent             an order was certainly not sent: nothing was written to the socket
"""

from __future__ import annotations

import socket

from ares7.errors import Ares7Error, ConfigError, ServiceUnavailable
from live.client.notices import CLIENT_ID_IN_USE, remedy

PORTS = "7497 TWS paper, 7496 TWS live, 4002 IB Gateway paper, 4001 IB Gateway live"
API_SETTINGS = "Configure > API > Settings"


class Refused(ConfigError):
    """The gateway refused a request.

    Attributes
    ----------
    code : int
        The gateway's error code.
    text : str
        The gateway's words.
    """

    def __init__(self, what: str, code: int, text: str) -> None:
        self.code = code
        self.text = text
        hint = remedy(code)
        super().__init__(
            f"{what} refused by the gateway (code {code}): {text}" + (f"; {hint}" if hint else "")
        )


class ReadOnlyApi(Refused):
    """The gateway refuses orders: its setting Read-Only API is on."""


class WrongAccount(ConfigError):
    """The configured account is not there, or none is configured and there are several."""


class NotSynchronised(ServiceUnavailable):
    """Connected, but a start-up query failed: nothing may be traded on half a picture."""


class ClockSkew(ServiceUnavailable):
    """The gateway's clock and ours differ too much."""


class NoAnswer(ServiceUnavailable):
    """A request was not answered within its time."""


class NotSent(ServiceUnavailable):
    """An order did not leave this program; it cannot be at the gateway."""


def nobody_listens(where: str) -> ServiceUnavailable:
    """The connection was refused."""
    return ServiceUnavailable(
        f"nothing listens on {where}; start TWS or IB Gateway and log in, tick {API_SETTINGS} > Enable ActiveX "
        f"and Socket Clients, and compare the port with Socket port there ({PORTS})"
    )


def closed_at_once(where: str, errors: list[tuple[int, str]], had_version: bool) -> Ares7Error:
    """The gateway accepted the connection and closed it before it was usable."""
    for code, text in errors:
        if code == CLIENT_ID_IN_USE:
            return Refused(f"connecting to {where}", code, text)
    if errors:
        return Refused(f"connecting to {where}", *errors[-1])
    if had_version:
        return ServiceUnavailable(
            f"{where} greeted and closed the connection; most likely the client id is in use, or the login is "
            "not complete: look at the gateway's window, use one client_id a program"
        )
    return ServiceUnavailable(
        f"{where} accepts connections and closes them: the API is not enabled for us, or this is no TWS; tick "
        f"{API_SETTINGS} > Enable ActiveX and Socket Clients, add this computer to Trusted IPs or untick Allow "
        f"connections from localhost only, and check the port ({PORTS})"
    )


def no_handshake(where: str, seconds: float, *, connected: bool, had_version: bool) -> ServiceUnavailable:
    """Nothing, or not enough, came within the time for connecting."""
    if had_version:
        text = "greeted and did not start the session; is the login complete? Look at its window for a dialog"
    elif connected:
        text = (
            "accepts connections and says nothing: a dialog waits to be answered (Accept incoming connection), "
            f"the gateway hangs, or this is no TWS; add this computer to {API_SETTINGS} > Trusted IPs, restart "
            f"the gateway, or correct the port ({PORTS})"
        )
    else:
        text = "does not answer; is a firewall between, is the computer on?"
    return ServiceUnavailable(f"{where} {text} (waited {seconds:g} s)")


def cannot_connect(where: str, error: BaseException) -> Ares7Error:
    """Reason for a failed connection before any byte was exchanged."""
    if isinstance(error, ConnectionRefusedError):
        return nobody_listens(where)
    if isinstance(error, socket.gaierror):
        return ConfigError(
            f"host of {where} is not known: {error.strerror}; correct host, for example 127.0.0.1"
        )
    return ServiceUnavailable(f"{where} cannot be reached: {error}; check host and port, and the network")
