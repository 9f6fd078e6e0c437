"""Only this machine, only with the token, and only to look."""

from __future__ import annotations

import pytest

from ares7.errors import ConfigError
from live.dashboard.access import check_host, host_allowed, token_of


def ask(served, path, *, known=True, method="GET", host=None, **more):
    client = served.client(known=known)
    return client.open(
        path, method=method, base_url=f"http://{served.host}", headers={"Host": host or served.host}, **more
    )


@pytest.mark.parametrize(
    "path", ["/", "/?token=wrong", "/?token=", "/_dash-layout", "/anything", "/%2e%2e/x"]
)
def test_without_the_token_there_is_nothing(served, path):
    answer = ask(served, path, known=False)
    assert answer.status_code == 401
    assert answer.text == "401\n"
    assert "Set-Cookie" not in answer.headers


def test_the_token_becomes_a_cookie_that_no_script_reads(served):
    answer = ask(served, served.url.partition(served.host)[2], known=False)
    cookie = answer.headers["Set-Cookie"]
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/"
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert served.url.rpartition("=")[2] not in cookie


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "127.0.0.1:1"])
def test_another_host_header_is_refused(served, host):
    assert ask(served, "/", host=host).status_code == 400
    assert not host_allowed(host, served.port)


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/assets/../../etc/passwd",
        "/_dash-component-suites/dash/../../../etc/passwd",
        "/_dash-component-suites/dash/%2e%2e/%2e%2e/etc/passwd",
        "/_dash-component-suites/dash//etc/passwd",
        "/_dash-component-suites/live/dashboard/app.py",
        "/_reload-hash",
        "/static/x",
    ],
)
def test_no_path_opens_a_file(served, path):
    answer = ask(served, path)
    assert answer.status_code == 404
    assert answer.text == "404\n"


def test_only_looking_is_allowed(served):
    assert ask(served, "/", method="POST").status_code == 405
    assert ask(served, "/", method="OPTIONS").status_code == 405
    big = ask(served, "/_dash-update-component", method="POST", data=b"x" * 300_000)
    assert big.status_code == 413


def test_headers_let_the_page_fetch_from_here_only(served):
    answer = ask(served, "/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "unsafe-inline" not in policy.split("style-src")[0]
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com", ""])  # noqa: S104
def test_other_addresses_are_refused(host):
    with pytest.raises(ConfigError, match="this machine only"):
        check_host(host)


def test_a_token_of_the_environment_must_be_long():
    with pytest.raises(ConfigError, match="at least 16"):
        token_of({"ARES7_DASHBOARD_TOKEN": "short"})
    assert token_of({}) != token_of({})
