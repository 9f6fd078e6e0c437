"""Where alerts go: URLs of apprise, from the environment and from nowhere else, and never shown."""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ares7.errors import ConfigError

BETWEEN = re.compile(r"[\s,]+(?=[a-z][a-z0-9+.-]*://)", re.IGNORECASE)
"""URLs are separated by blanks or commas; a URL may hold a comma itself."""
STATUS = re.compile(r"error=(\d{3})\b")
KINDS = {"info": "info", "warning": "warning", "error": "failure", "critical": "failure"}
"""Severity in the words of apprise."""
Send = Callable[[str, str, str], str]
"""``send(title, body, severity)``: returns why it failed, an empty text if it did not."""


@dataclass(frozen=True, slots=True)
class Target:
    """One URL.

    Attributes
    ----------
    label : str
        Variable, number and kind: all that is ever shown of it.
    stage : int
        Group in which it is told, from 0.
    send : callable
    """

    label: str
    stage: int
    send: Send = field(repr=False)


def targets_of(
    names: Sequence[str], environment: Mapping[str, str], tell: Callable[[str], None]
) -> list[Target]:
    """Return the targets that environment variables name, one group a variable.

    A variable that is not set is told and left out, and so is a URL that apprise does not understand: alerts are kept
    until there is somebody to tell.

    Raises
    ------
    ConfigError
        A variable is set, and apprise is not installed.
    """
    found: list[Target] = []
    stage = 0
    for name in names:
        urls = [url for url in BETWEEN.split(environment.get(name, "").strip()) if url]
        made = [_target(name, number, url, stage, tell) for number, url in enumerate(urls, 1)]
        known = [target for target in made if target is not None]
        if not urls:
            tell(f"environment variable {name} is not set: nobody is told through it")
        found += known
        stage += bool(known)
    return found


def _target(name: str, number: int, url: str, stage: int, tell: Callable[[str], None]) -> Target | None:
    kind = url.partition("://")[0].lower()
    label = f"{name} {number} ({kind if kind.isalnum() else 'unknown'})"
    send = apprise_sender(url)
    if send is None:
        tell(f"{label} is no URL that apprise understands; see docs/monitoring.md")
        return None
    return Target(label, stage, send)


class _Heard(logging.Handler):
    """Keeps the number of an HTTP error from what apprise logs; all else may hold parts of a URL, and is dropped."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: dict[int, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record in."""
        match = STATUS.search(record.getMessage())
        if match is not None:
            self.said[threading.get_ident()] = match[1]


_heard = _Heard()


def _quiet() -> None:
    """Let nothing that apprise or its libraries log reach a file or a screen."""
    for name in ("apprise", "urllib3", "requests"):
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.handlers = [_heard] if name == "apprise" else [logging.NullHandler()]


def apprise_sender(url: str) -> Send | None:
    """Return what sends to a URL of apprise; None if apprise does not understand it.

    Raises
    ------
    ConfigError
        apprise is not installed.
    """
    with warnings.catch_warnings():
        # The library and its many kinds of targets are none of the reader's business.
        warnings.simplefilter("ignore")
        apprise = _library()
        _quiet()
        asset = apprise.AppriseAsset(app_id="ARES7", app_desc="ARES7", app_url="", secure_logging=True)
        try:
            # The target itself, without the pool of threads that all targets share: one that hangs would fill it.
            service = apprise.Apprise.instantiate(url, asset=asset)
        except Exception:  # whatever it is, it may quote the URL
            service = None
    if service is None:
        return None

    def send(title: str, body: str, severity: str) -> str:
        own = threading.get_ident()
        _heard.said.pop(own, None)
        try:
            reached = service.notify(title=title, body=body, notify_type=KINDS[severity])
        except Exception as error:  # a kind of target may raise anything, with its URL in the text
            return f"{type(error).__name__}"
        if reached:
            return ""
        status = _heard.said.pop(own, "")
        return f"it answered {status}" if status else "it did not answer, or refused"

    return send


def _library() -> Any:
    try:
        import apprise
    except ImportError:
        raise ConfigError('alerts are sent by apprise; install it: pip install -e ".[monitor]"') from None
    return apprise
