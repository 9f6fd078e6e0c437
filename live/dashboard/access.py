"""Who may ask the page for what: this machine only, with a token, and nothing is written."""

from __future__ import annotations

import hmac
import re
import secrets
from typing import TYPE_CHECKING, Any

from ares7.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LOOPBACK = ("127.0.0.1", "localhost", "::1")
TOKEN = "ARES7_DASHBOARD_TOKEN"  # noqa: S105 - a name of a variable
SHORTEST = 16
LARGEST = 256 * 1024
"""Bytes of a request."""
PATHS = re.compile(
    r"/|/_dash-(layout|dependencies|update-component)|/_favicon\.ico"
    r"|/_dash-component-suites/(dash|plotly)(/[A-Za-z0-9_@-][A-Za-z0-9_@.-]*)+"
)


def check_host(host: str) -> str:
    """Return an address of this machine.

    Raises
    ------
    ConfigError
        Others could reach it.
    """
    if host not in LOOPBACK:
        raise ConfigError(
            f"--host {host}: the dashboard serves this machine only; use {LOOPBACK[0]}, and from elsewhere an ssh "
            "tunnel (ssh -L 8050:127.0.0.1:8050 HOST)"
        )
    return host


def token_of(environment: Mapping[str, str]) -> str:
    """Return the token of the environment, or a new one.

    Raises
    ------
    ConfigError
        It is too short, or holds what an address may not.
    """
    given = environment.get(TOKEN)
    if given is None:
        return secrets.token_urlsafe(32)
    if len(given) < SHORTEST or not re.fullmatch(r"[A-Za-z0-9_-]+", given):
        raise ConfigError(f"{TOKEN} must have at least {SHORTEST} characters, letters, digits, - and _ only")
    return given


def same(given: str, wanted: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode())


def host_allowed(header: str, port: int) -> bool:
    """Whether a Host header names this machine: a foreign name may have been made to point here."""
    names = {f"[{name}]" if ":" in name else name for name in LOOPBACK}
    return header.lower() in {f"{name}:{port}" for name in names}


def guard(server: Any, token: str, port: int) -> None:
    """Make a Flask server ask everybody for the token.

    Parameters
    ----------
    server : Flask
    token : str
    port : int
        Where it listens.
    """
    import flask

    session, cookie = secrets.token_urlsafe(32), f"ares7-dashboard-{port}"
    server.config["MAX_CONTENT_LENGTH"] = LARGEST

    def check() -> Any:
        asked = flask.request
        if not host_allowed(asked.headers.get("Host", ""), port):
            return _refused(400)
        if same(asked.cookies.get(cookie, ""), session):
            return _known(asked)
        if asked.path == "/" and same(asked.args.get("token", ""), token):
            answer = flask.redirect("/", 303)
            answer.set_cookie(cookie, session, httponly=True, samesite="Strict", path="/")
            return answer
        return _refused(401)

    server.before_request(check)


def _known(asked: Any) -> Any:
    if (asked.content_length or 0) > LARGEST:
        return _refused(413)
    if not PATHS.fullmatch(asked.path) or ".." in asked.path:
        return _refused(404)
    wanted = ("POST",) if asked.path == "/_dash-update-component" else ("GET", "HEAD")
    return None if asked.method in wanted else _refused(405)


def _refused(code: int) -> Any:
    import flask

    return flask.Response(f"{code}\n", code, mimetype="text/plain")


def protect(server: Any, script_hashes: Callable[[], list[str]]) -> None:
    """Add the headers that let the page fetch from here only; call after every callback was added."""
    policy = (
        f"default-src 'none'; script-src 'self' {' '.join(script_hashes())}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )

    def add(answer: Any) -> Any:
        answer.headers["Content-Security-Policy"] = policy
        answer.headers["X-Frame-Options"] = "DENY"
        answer.headers["Referrer-Policy"] = "no-referrer"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        if "/_dash-component-suites/" not in _path():
            answer.headers["Cache-Control"] = "no-store"
        return answer

    server.after_request(add)


def _path() -> str:
    import flask

    return str(flask.request.path)
