"""``gateway``, ``doctor`` and ``live --shadow`` as a person types them, each in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = [sys.executable, str(ROOT / "run.py")]


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    folder = tmp_path_factory.mktemp("market")
    made = subprocess.run(
        [*RUN, "data", "synth", str(folder), "--symbols", "12", "--set", "data.synthetic.start=2023-01-03"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture
def gateway(market, tmp_path):
    record = tmp_path / "wire.jsonl"
    options = ["--data", str(market), "--port", "0", "--start", "2025-06-30 15:00", "--speed", "20000"]
    process = subprocess.Popen(
        [*RUN, "gateway", *options, "--record", str(record), "--json"], stdout=subprocess.PIPE, text=True
    )
    try:
        greeting = json.loads(process.stdout.readline())
        yield greeting, record
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        process.stdout.close()


LIMITS = ("--set", "limits.max_weight=0.2", "--set", "limits.max_order_usd=200000")
"""For a market of a dozen names."""


def run(*arguments, timeout=120):
    return subprocess.run([*RUN, *arguments], capture_output=True, text=True, timeout=timeout)


def test_doctor_finds_nothing_wrong_with_a_calm_gateway_and_places_nothing(gateway):
    greeting, record = gateway
    done = run("doctor", "--port", str(greeting["port"]), "--clock", "gateway", "--json")
    assert done.returncode == 0, done.stdout
    levels = {check["level"] for check in json.loads(done.stdout)["checks"]}
    assert "FAIL" not in levels
    assert orders_in(record) == 0


def test_doctor_says_what_to_do_where_nobody_listens():
    done = run("doctor", "--port", "1")
    assert done.returncode == 3
    assert "nothing listens" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_live_is_shadow_it_shows_orders_and_the_gateway_never_sees_one(gateway, market, tmp_path):
    greeting, record = gateway
    done = run(
        *("live", "--now", "--data", str(market), "--strategy", "equal_weight", *LIMITS),
        *("--set", f"halt.folder={tmp_path / 'journal'}"),
        *("--port", str(greeting["port"]), "--clock", "gateway", "--sessions", "2", "--json"),
    )
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert content["sent"] == 0
    assert len(content["orders"]) >= 8, "\n".join(content["notes"])
    assert {order["side"] for order in content["orders"]} == {"BUY"}
    assert orders_in(record) == 0
    assert greeting["account"] not in done.stderr


def test_shadow_and_arm_together_are_refused():
    done = run("live", "--shadow", "--arm")
    assert done.returncode == 2
    assert "contradict" in done.stderr


def test_what_set_says_of_mode_and_account_does_not_count_for_real_money(gateway, market, tmp_path):
    greeting, _ = gateway
    done = run(
        *("live", "--arm", "--data", str(market), "--strategy", "equal_weight", "--sessions", "1", "--json"),
        *(
            "--port",
            str(greeting["port"]),
            "--clock",
            "gateway",
            "--set",
            f"halt.folder={tmp_path / 'journal'}",
        ),
        *("--set", "live.mode=live", "--set", f"live.account={greeting['account']}"),
    )
    # Had they counted, a paper account under mode live would have been refused.
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["mode"] == "paper"


def test_paper_sends_orders_that_fill_and_status_tells_of_them(gateway, market, tmp_path):
    greeting, record = gateway
    journal = ("--set", f"halt.folder={tmp_path / 'journal'}")
    done = run(
        *("paper", "--data", str(market), "--strategy", "equal_weight", "--now"),
        *(
            "--port",
            str(greeting["port"]),
            "--clock",
            "gateway",
            "--sessions",
            "3",
            "--json",
            *journal,
            *LIMITS,
        ),
    )
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert content["mode"] == "paper"
    assert content["filled"] >= 8
    assert orders_in(record) >= 8
    status = run("status", "--json", *journal)
    assert status.returncode == 0, status.stderr
    assert greeting["account"] not in status.stdout


def test_live_where_nobody_listens_is_one_error(market):
    done = run("live", "--shadow", "--data", str(market), "--strategy", "equal_weight", "--port", "1")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


def orders_in(record):
    """Orders that reached the gateway."""
    entries = [json.loads(line) for line in record.read_text().splitlines()]
    assert any(entry["name"] == "startApi" for entry in entries)
    return sum(entry["name"] == "placeOrder" for entry in entries)
