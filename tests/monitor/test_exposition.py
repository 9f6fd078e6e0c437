"""Metrics as text, as promtool likes them, and as a real Prometheus stores them."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import pytest

from ares7.errors import ConfigError, ServiceUnavailable
from live.monitor.exposition import Exposition, MetricsServer, address
from live.monitor.snapshot import snapshot_of
from live.monitor.surroundings import surroundings_of
from tests.monitor.desk import ROOT, configured
from tests.shortfall.journals import four_sessions

NOW = dt.datetime(2024, 3, 6, 22, 0, tzinfo=dt.UTC)
PATIENCE_S = 60.0


@pytest.fixture
def snapshot(tmp_path):
    desk = four_sessions(tmp_path)
    desk.journal.halt("BLOCK_NEW", "op", "earnings")
    found = snapshot_of(desk.journal, NOW, surroundings_of(configured(tmp_path), NOW, desk.journal, "paper"))
    desk.journal.close()
    return found


@pytest.fixture
def server(snapshot):
    made = MetricsServer(
        Exposition(lambda: snapshot, lambda: NOW, lambda: ({"error": 2, "info": 0}, 1)), "127.0.0.1:0"
    )
    yield made
    made.close()


def scraped(server):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=20) as answer:
        return answer.read().decode()


def values(text):
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[name] = float(value)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:9108", ("127.0.0.1", 9108)),
        ("localhost:1", ("127.0.0.1", 1)),
        (":9108", ("127.0.0.1", 9108)),
        ("9108", ("127.0.0.1", 9108)),
        ("[::1]:9108", ("::1", 9108)),
    ],
)
def test_an_address_of_this_machine(text, expected):
    assert address(text) == expected


@pytest.mark.parametrize("text", ["0.0.0.0:9108", "192.168.1.5:9108", "example.com:9108", "[::]:9108"])
def test_another_address_is_refused(text):
    with pytest.raises(ConfigError, match="no password"):
        address(text)


@pytest.mark.parametrize("text", ["127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", ""])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ConfigError):
        address(text)


def test_the_figures_are_those_of_the_snapshot(server, snapshot):
    text = scraped(server)
    found = values(text)
    own = '{mode="paper",strategy=""}'
    assert found["ares7_up"] == 1.0
    assert found[f"ares7_nav_usd{own}"] == snapshot.money.nav_usd
    assert found[f"ares7_drawdown_ratio{own}"] == snapshot.money.drawdown
    assert found[f"ares7_halt_level{own}"] == 1.0
    assert found['ares7_position_shares{mode="paper",strategy="",symbol="TLT"}'] == 200.5
    assert found['ares7_alerts_open{severity="error"}'] == 2.0
    assert 'account="DU*****67"' in text
    assert "DU1234567" not in text
    assert all(name.startswith("ares7_") for name in found)
    assert all(math.isfinite(value) for value in found.values())


def test_every_metric_of_the_document_is_one_and_no_other(server):
    listed = set(re.findall(r"ares7_[a-z_]+", (ROOT / "docs/monitoring.md").read_text())) - {"ares7_"}
    source = (ROOT / "live/monitor/exposition.py").read_text()
    served = {line.split()[2] for line in scraped(server).splitlines() if line.startswith("# HELP")}
    assert served <= listed
    for name in listed:
        assert f'"{name.removeprefix("ares7_")}"' in source, name


def test_without_a_snapshot_no_old_figure_is_served():
    server = MetricsServer(Exposition(lambda: None, lambda: NOW), "127.0.0.1:0")
    assert values(scraped(server)) == {"ares7_up": 0.0}
    server.close()


def test_a_port_that_is_taken_is_told(server):
    with pytest.raises(ServiceUnavailable, match="choose another port"):
        MetricsServer(Exposition(lambda: None, lambda: NOW), f"127.0.0.1:{server.port}")


def test_the_library_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "prometheus_client", None)
    with pytest.raises(ConfigError, match=r"\[monitor\]"):
        MetricsServer(Exposition(lambda: None, lambda: NOW), "127.0.0.1:0")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def asked(port, query):
    url = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.parse.quote(query)}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]["result"]
    except OSError:
        return []


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool: apt-get install prometheus")
def test_promtool_finds_nothing_wrong(server):
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=scraped(server),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="no Prometheus: apt-get install prometheus")
def test_a_real_prometheus_scrapes_it(server, snapshot, tmp_path):
    document = (ROOT / "docs/monitoring.md").read_text()
    (config,) = re.findall(r"^```yaml\n(scrape_configs:.*?)^```", document, re.DOTALL | re.MULTILINE)
    config = config.replace("127.0.0.1:9108", f"127.0.0.1:{server.port}").replace("15s", "1s")
    (tmp_path / "prometheus.yml").write_text(config)
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
    ]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not (found := asked(port, "ares7_nav_usd")):
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.1)
        (series,) = found
        assert float(series["value"][1]) == snapshot.money.nav_usd
        assert series["metric"]["mode"] == "paper"
        shares = {s["metric"]["symbol"]: float(s["value"][1]) for s in asked(port, "ares7_position_shares")}
        assert shares == {"AAPL": 60.0, "TLT": 200.5}
        assert asked(port, "up")[0]["value"][1] == "1"
    finally:
        process.terminate()
        process.wait(30)
