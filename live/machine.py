"""The clock of a computer, and who sits at it. Imports nothing heavy: every command reads it."""

from __future__ import annotations

import datetime as dt
import getpass
import os
import socket


def utc_now() -> dt.datetime:
    """Present moment by the clock of this computer, UTC."""
    return dt.datetime.now(dt.UTC)


def who() -> str:
    """Name of the user and the computer; the user's number where it has no name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
