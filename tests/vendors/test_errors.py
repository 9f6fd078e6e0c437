"""Whatever a server answers: one clear error, the right exit code, and nothing half-written."""

from __future__ import annotations

import email.utils
import socket
import time

import pytest

from tests.vendors import made
from tests.vendors.server import Reply

FRED = ("fred", "--start", "2022-01-03", "--end", "2024-03-08", "--set", "fetch.fred.names={VIX: VIXCLS}")
HTML = "<!DOCTYPE html><html><body>Please log in</body></html>"


def untouched(folder):
    """No table and no record were written."""
    return not [path for path in folder.glob("*") if path.name != ".fetch"]


def one_line(err):
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    return lines[0]


@pytest.mark.parametrize(
    ("reply", "code", "words"),
    [
        (Reply(HTML, kind="text/html"), 2, ["web page", "fetch"]),
        (Reply(HTML, kind="text/csv"), 2, ["web page"]),
        (Reply(""), 2, ["answered with nothing"]),
        (Reply("  \n"), 2, ["answered with nothing"]),
        (Reply("observation_date,VIXCLS\n"), 2, ["no rows"]),
        (Reply("date,VIXCLS\n2024-01-02,13.2\n"), 2, ["observation_date", "changed"]),
        (Reply("observation_date,VIXCLS\n2024-01-02,high\n"), 2, ["'high'", "not a number"]),
        (Reply("observation_date,VIXCLS\n2024-01-02\n"), 2, ["data row 1", "fields"]),
        (Reply("no", 401), 2, ["401"]),
        (Reply("no", 403), 2, ["403"]),
        (Reply("bad request", 400), 2, ["400", "bad request"]),
        (Reply("gone", 404), 2, ["404"]),
        (
            Reply("elsewhere", 302, {"Location": "http://other.example.com/x"}),
            2,
            ["redirects", "other.example.com"],
        ),
        (Reply("elsewhere", 301, {"Location": "file:///etc/passwd"}), 2, ["301"]),
    ],
)
def test_an_answer_that_is_none_is_one_error_and_is_not_asked_for_again(
    fetch, vendor, folder, reply, code, words
):
    vendor.routes["/graph/fredgraph.csv"] = reply
    got, out, err = fetch(*FRED)
    line = one_line(err)
    assert got == code
    assert out == ""
    assert all(word in line for word in words), line
    assert len(vendor.requests) == 1
    assert untouched(folder)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply("slow down", 429), ["429", "3 times"]),
        (Reply("oops", 500), ["500"]),
        (Reply("oops", 503), ["503"]),
        (Reply(made.fred_csv(), cut=100), ["ended after 100 of"]),
        (Reply(made.fred_csv().encode()[:90], headers={"Content-Encoding": "gzip"}), ["gzip"]),
    ],
)
def test_what_may_pass_is_tried_again_and_then_told_with_exit_code_3(fetch, vendor, folder, reply, words):
    vendor.routes["/graph/fredgraph.csv"] = reply
    code, _, err = fetch(*FRED)
    line = one_line(err)
    assert code == 3
    assert all(word in line for word in words), line
    assert len(vendor.requests) == 3
    assert untouched(folder)


@pytest.mark.parametrize("status", [429, 500, 502])
def test_a_moment_of_weakness_is_no_error(fetch, vendor, folder, status):
    vendor.faults = [Reply("wait", status), Reply(made.fred_csv(), cut=50)]
    code, out, _ = fetch(*FRED)
    assert code == 0
    assert "market" in out
    assert (folder / "market.parquet").is_file()


def test_a_server_is_given_the_time_that_it_asks_for(fetch, vendor):
    vendor.faults = [Reply("wait", 429, {"Retry-After": "1"})]
    began = time.monotonic()
    assert fetch(*FRED)[0] == 0
    assert time.monotonic() - began >= 1.0


def test_the_time_that_a_server_asks_for_may_be_a_date(fetch, vendor):
    until = email.utils.formatdate(time.time() + 2, usegmt=True)
    vendor.faults = [Reply("wait", 503, {"Retry-After": until})]
    began = time.monotonic()
    assert fetch(*FRED)[0] == 0
    assert time.monotonic() - began >= 0.9


def test_more_patience_than_is_allowed_ends_the_fetch_at_once(fetch, vendor):
    vendor.faults = [Reply("wait", 429, {"Retry-After": "86400"})]
    code, _, err = fetch(*FRED)
    assert code == 3
    assert "86400 s" in one_line(err)
    assert len(vendor.requests) == 1


def test_a_silent_server_is_not_waited_for_without_end(fetch, vendor):
    vendor.routes["/graph/fredgraph.csv"] = Reply(made.fred_csv(), delay=0.6)
    code, _, err = fetch(*FRED, "--set", "fetch.timeout_s=0.1", "--set", "fetch.retries=1")
    assert code == 3
    assert "silent for 0.1 s" in one_line(err)


def test_a_server_that_is_not_there(fetch, folder):
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
        code, _, err = fetch(*FRED, "--set", f"fetch.fred.url=http://127.0.0.1:{port}")
    assert code == 3
    assert "cannot be reached" in one_line(err)
    assert untouched(folder)


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(fetch, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert fetch(*FRED)[0] == 0


def test_a_redirect_on_the_same_host_is_followed(fetch, vendor):
    vendor.routes["/graph/fredgraph.csv"] = lambda path, query: Reply("", 302, {"Location": "/new?id=VIXCLS"})
    vendor.routes["/new"] = Reply(made.fred_csv())
    assert fetch(*FRED)[0] == 0


@pytest.mark.parametrize(
    "url",
    ["http://fred.stlouisfed.org", "ftp://127.0.0.1", "https://jane@host", "https://host?key=1", "host"],
)
def test_an_address_is_encrypted_or_of_this_machine(fetch, vendor, url):
    code, _, err = fetch(*FRED, "--set", f"fetch.fred.url={url}")
    assert code == 2
    assert "fetch.fred.url" in one_line(err)
    assert vendor.requests == []


@pytest.mark.parametrize(
    ("source", "variable"),
    [("polygon", "ARES7_POLYGON_KEY"), ("sharadar", "ARES7_SHARADAR_KEY"), ("sec", "ARES7_SEC_AGENT")],
)
@pytest.mark.parametrize("value", [None, "", "two words"])
def test_a_missing_key_is_told_with_its_variable(fetch, vendor, monkeypatch, source, variable, value):
    monkeypatch.delenv(variable, raising=False)
    if value is not None:
        monkeypatch.setenv(variable, value)
    code, _, err = fetch(source, "--universe", "AAPL", "--start", "2024-01-02", "--end", "2024-03-08")
    assert code == 2
    assert variable in one_line(err)
    assert vendor.requests == []


@pytest.mark.parametrize("source", ["polygon", "sharadar"])
def test_a_key_is_in_no_address_no_message_and_no_file(fetch, vendor, folder, source):
    key = f"{source}-key-for-tests"
    vendor.routes = {"/*": lambda path, query: Reply(f'{{"error": "key {key} has expired"}}', 403)}
    code, out, err = fetch(source, "--universe", "AAPL", "--start", "2024-01-02", "--end", "2024-03-08")
    assert code == 2
    line = one_line(err)
    assert f"ARES7_{source.upper()}_KEY" in line
    assert "has expired" in line
    assert key not in out + err
    assert all(key not in path + str(query) for path, query, _ in vendor.requests)
    assert any(key in str(headers) for _, _, headers in vendor.requests)
    for path in folder.rglob("*"):
        assert path.is_dir() or key.encode() not in path.read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--universe", "AAPL", "--start", "yesterday"], "--start"),
        (["--universe", "AAPL", "--end", "2999-01-01"], "--end 2999-01-01"),
        (["--universe", "AAPL", "--start", "2024-03-09", "--end", "2024-03-08"], "--start"),
        (["--universe", "aapl,msft"], "'aapl'"),
        (["--universe", "nowhere.csv"], "nowhere.csv"),
        (["--universe", "sp100"], "membership_sp100.csv"),
        ([], "--universe"),
        (["--universe", ","], "no symbol"),
        (["--universe", "AAPL", "--kinds", "bars,gossip"], "gossip"),
    ],
)
def test_a_wish_that_makes_no_sense_asks_nobody(fetch, vendor, folder, words, said):
    code, _, err = fetch("polygon", *words)
    assert code == 2
    assert said in one_line(err)
    assert vendor.requests == []
    assert untouched(folder)


def test_files_of_this_machine_are_for_some_sources(fetch, tmp_path):
    code, _, err = fetch("fred", "--from", str(tmp_path))
    assert code == 2
    assert "--from is for sharadar and polygon" in one_line(err)


def test_the_synthetic_market_is_not_fetched_over(fetch, folder):
    folder.mkdir()
    (folder / "provenance.json").write_text('{"synthetic": true}')
    code, _, err = fetch(*FRED)
    assert code == 2
    assert "synthetic" in one_line(err)


def test_a_table_of_the_users_own_is_not_replaced(fetch, folder):
    folder.mkdir()
    (folder / "market.csv").write_text("date,symbol,close\n2024-01-02,VIX,13.2\n")
    code, _, err = fetch(*FRED)
    assert code == 2
    assert "market.csv was not written by data fetch" in one_line(err)
    assert (folder / "market.csv").read_text().count("\n") == 2
