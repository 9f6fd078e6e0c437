"""SIGKILL between writing an alert down and telling it, and between telling it and writing that down."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from tests.alerts.receivers import Receiver, secret_url
from tests.monitor.desk import ROOT

VICTIM = """
import datetime as dt, os, signal, sys
from pathlib import Path
from live.alerts import courier, outbox
where, when = sys.argv[1], sys.argv[2]
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if when == "before":
    courier.Courier.send = die
elif when == "written":
    outbox.Outbox.notice = die
else:
    outbox.Outbox.delivered = die
import run
run.main(["monitor", "--once", "--mode", "paper", "--set", f"halt.folder={where}", "--set", f"daily.logs={where}/logs",
          "--set", "alerts.rolling_sharpe=null"])
"""


@pytest.fixture
def script(script, clock):
    """A journal that is written now: the processes of these tests have the clock of the machine."""
    clock.now = dt.datetime.now(dt.UTC)
    return script


def call(script, *arguments, receiver):
    environment = {**os.environ, "ARES7_ALERT_URLS": receiver.url}
    places = ["--set", f"halt.folder={script.folder}", "--set", f"daily.logs={script.folder / 'logs'}"]
    return subprocess.run(
        [sys.executable, "run.py", *arguments, *places],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(("when", "messages"), [("written", 1), ("before", 1), ("after", 2)])
def test_a_killed_monitor_tells_it_after_all(script, receiver, when, messages):
    """At least once: what was sent, but not noted, is sent again under the same number; nothing is lost."""
    script.alert("error", "gateway-outage", "no order was possible", session=dt.date(2024, 1, 5))
    done = subprocess.run(
        [sys.executable, "-c", VICTIM, str(script.folder), when],
        cwd=ROOT,
        env={**os.environ, "ARES7_ALERT_URLS": receiver.url},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    call(script, "monitor", "--once", receiver=receiver)
    outages = [body["message"] for body in receiver.got if "gateway-outage" in body["title"]]
    assert len(outages) == messages
    assert len({text.split("alert ")[1] for text in outages}) == 1


def test_two_monitors_at_once(script, receiver):
    from live.alerts.sole import sole

    with sole(script.folder):
        done = call(script, "monitor", "--once", receiver=receiver)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: another monitor (process {os.getpid()}) watches {script.folder}")


def test_a_running_monitor_tells_within_a_moment_and_ends_in_order(script, receiver):
    """From a row in the journal to the receiver, over real processes and sockets; measured, never judged."""
    environment = {**os.environ, "ARES7_ALERT_URLS": receiver.url}
    command = ["monitor", "--interval", "0.2", "--set", f"halt.folder={script.folder}"]
    process = subprocess.Popen(
        [sys.executable, "run.py", *command, "--set", f"daily.logs={script.folder / 'logs'}"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        watchman = threading.Timer(100, process.kill)
        watchman.start()
        # The first look tells that the journal is years behind; then everything is loaded.
        assert receiver.came.wait(90)
        receiver.came.clear()
        written = dt.datetime.now(dt.UTC).timestamp()
        script.alert("error", "gateway-outage", "now")
        assert receiver.came.wait(60)
        print(f"from the row to the receiver: {1000 * (receiver.times[-1] - written):.0f} ms")  # noqa: T201
        assert "gateway-outage" in receiver.got[-1]["title"]
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    finally:
        watchman.cancel()
        process.kill()
        process.communicate()
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert "monitoring paper every 0.2 s" in said


@pytest.mark.parametrize("trouble", ["refuses", "hangs", "absent", "wrong"])
def test_no_part_of_a_url_reaches_a_log_a_file_or_a_metric(script, trouble):
    receiver = Receiver()
    url = {
        "refuses": receiver.url,
        "hangs": receiver.url,
        "absent": secret_url("127.0.0.1:9/s3cret-path/"),
        "wrong": secret_url("x/s3cret-path", "nonsense"),
    }[trouble]
    receiver.status = 500
    if trouble == "hangs":
        receiver.release.clear()
    script.alert("error", "gateway-outage", "no order was possible")
    where = ["--set", f"halt.folder={script.folder}", "--set", f"daily.logs={script.folder / 'logs'}"]
    environment = {**os.environ, "ARES7_ALERT_URLS": url}
    said = []
    for arguments in (
        ["monitor", "--once", "--json", "--set", "alerts.timeout_s=0.5"],
        ["alerts", "test", "--set", "alerts.timeout_s=0.5"],
        ["alerts", "--all", "--json"],
        ["show-config"],
    ):
        done = subprocess.run(
            [sys.executable, "run.py", *arguments, *where],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr
        said += [done.stdout, done.stderr]
    receiver.close()
    kept = b"".join(path.read_bytes() for path in script.folder.rglob("*") if path.is_file())
    assert b"gateway-outage" in kept
    for secret in ("hunter2", "s3cret"):
        assert secret not in "".join(said)
        assert secret.encode() not in kept
    assert json.loads(said[0])["undelivered"] > 0
