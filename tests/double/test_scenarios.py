"""Scenarios by name, and the command that serves one."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from ares7.errors import ConfigError
from live.double import scenario
from live.double.history import from_closes
from live.double.recorder import Recorder
from tests.double.client import connected, order, settle, stock

ROOT = Path(__file__).resolve().parents[2]
SERVE = textwrap.dedent(
    """
    import argparse, sys
    from ares7.errors import Ares7Error
    from live.double.arguments import add_arguments
    from live.double.command import run_gateway
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    parser.add_argument("--json", action="store_true")
    try:
        sys.exit(run_gateway(parser.parse_args()))
    except Ares7Error as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    """
)


def test_the_scenarios_that_are_promised_are_there():
    assert scenario.names() == ["calm", "flaky", "nightly_reset", "partial", "readonly", "storm"]
    assert all(scenario.load(name).about for name in scenario.names())


@pytest.mark.parametrize("name", ["calm", "flaky", "nightly_reset", "partial", "readonly", "storm"])
def test_every_scenario_runs_over_two_nights_and_its_books_stay_right(start, name):
    chosen = scenario.load(name)
    control = start(chosen.knobs, chosen.script, start="2024-01-22 09:00")
    with connected(control, readonly=name == "readonly") as ib:
        for i in range(15):
            ib.placeOrder(stock(), order(tif="OPG", orderRef=str(i)))
        settle(ib)
        control.advance_to("2024-01-24 12:00")
        settle(ib)
    book = control.book()
    bought = sum(e.shares for e in book.executions)
    assert bought == {"readonly": 0, "flaky": 140}.get(name, 150)
    assert book.positions["DU1234567"].get("AAPL", 0) == bought
    spent = sum(e.shares * e.price + e.fee for e in book.executions)
    assert book.cash["DU1234567"] == pytest.approx(1_000_000 - spent)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("about: x\nknobs: {nonsense: 1}", "nonsense"),
        ("about: x\nscript: [{on: placeOrder, do: explode}]", "entry 1"),
        ("- about", "mapping"),
        ("about: [", "YAML"),
        ("knobs: {}", "about"),
    ],
)
def test_a_wrong_scenario_says_what_is_wrong(tmp_path, content, says):
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=says):
        scenario.load(str(path))


def test_an_unknown_scenario_names_those_there_are():
    with pytest.raises(ConfigError, match="calm, flaky, nightly_reset"):
        scenario.load("quiet")


def data_folder(folder):
    lines = ["date,symbol,open,high,low,close,adj_close,volume"]
    lines += [f"2024-01-{day:02d},AAPL,100,101,99,100,100,1000" for day in (2, 3, 4, 5)]
    (folder / "prices.csv").write_text("\n".join(lines))
    return str(folder)


@contextmanager
def serve(folder, *options):
    """The command in a process of its own, which is gone afterwards whatever happens."""
    command = [sys.executable, "-c", SERVE, "--data", data_folder(folder), *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as server:
        try:
            yield server
        finally:
            server.kill()


class Served:
    """Address of a gateway in another process, as the tests' client wants it."""

    def __init__(self, line):
        self.host, self.port = line["host"], line["port"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_the_command_serves_clients_and_ends_cleanly(tmp_path, number, code):
    record = tmp_path / "record.jsonl"
    options = ("--port", "0", "--json", "--record", str(record), "--account", "DU77", "--cash", "5000")
    with serve(tmp_path, *options, "--start", "2024-01-03 10:00") as server:
        line = json.loads(server.stdout.readline())
        assert (line["account"], line["scenario"], line["now"]) == ("DU77", "calm", "2024-01-03 10:00:00")
        assert line["synthetic"] is False
        with connected(Served(line)) as ib:
            assert [v.value for v in ib.accountValues() if v.tag == "TotalCashValue"] == ["5000.00"]
        server.send_signal(number)
        out, err = server.communicate(timeout=10)
        assert (server.returncode, out, err) == (code, "", "")
    entries = [json.loads(text) for text in record.read_text().splitlines()]
    assert {"version", "startApi", "nextValidId"} <= {entry["name"] for entry in entries}
    assert set(entries[0]) == {"virtual", "real", "client", "way", "name", "fields"}


def test_a_port_in_use_is_one_clear_error_and_code_3(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with serve(tmp_path, "--port", str(taken.getsockname()[1])) as server:
            out, err = server.communicate(timeout=20)
    assert (server.returncode, out) == (3, "")
    assert "cannot be listened on" in err
    assert "--port" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--port", "70000"), "--port 70000"),
        (("--speed", "0"), "--speed"),
        (("--cash", "-1"), "--cash"),
        (("--account", "D U"), "--account"),
        (("--start", "soon"), "no time"),
        (("--start", "1990-01-01"), "before"),
        (("--scenario", "quiet"), "no scenario"),
        (("--data", "/nowhere"), "does not exist"),
        (("--record", "/nowhere/file"), "cannot be written"),
    ],
)
def test_wrong_options_are_one_line_and_code_2(tmp_path, options, says):
    with serve(tmp_path, *options) as server:
        _, err = server.communicate(timeout=20)
    assert server.returncode == 2
    assert says in err
    assert len(err.splitlines()) == 1


def test_the_recorder_answers_what_tests_ask(tmp_path):
    recorder = Recorder(tmp_path / "record.jsonl")
    recorder.add(1.0, 7, "in", "placeOrder", ["3", "1", *[""] * 24, "A7-1"])
    recorder.add(2.0, 7, "out", "error", ["4", "2", "1", "201", "no"])
    recorder.close()
    assert recorder.order_refs() == ["A7-1"]
    assert recorder.errors() == [(1, 201)]
    assert (recorder.count("error"), recorder.count("error", "in")) == (1, 0)
    assert recorder.names() == ["error"]
    assert len((tmp_path / "record.jsonl").read_text().splitlines()) == 2


def test_the_double_needs_neither_a_client_library_nor_an_engine():
    code = "import sys, live.double.command, live.double.control\n"
    code += "print(*[n for n in ('ib_insync', 'ib_async', 'backtrader', 'eventkit', 'pandas') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_without_a_folder_it_is_the_market_of_the_configuration(tmp_path):
    from ares7.config import DataConfig, SyntheticConfig
    from feeds.load import load_panel
    from live.double.history import from_config

    market = SyntheticConfig(symbols=5, start="2019-01-02", end="2020-06-30")
    config = DataConfig(cache=tmp_path, synthetic=market)
    history, panel = from_config(config, "total_return"), load_panel(config)
    assert set(panel.symbols) <= set(history.symbols)
    assert history.synthetic
    column = panel.symbols.index("SPY")
    same = history.close[history.symbols.index("SPY")]
    assert (same[-len(panel.dates) :] == panel.fields["close"][:, column]).all()


def test_only_the_canonical_layout_is_replayed(tmp_path):
    from ares7.config import DataConfig
    from live.double.history import from_config

    with pytest.raises(ConfigError, match="canonical"):
        from_config(DataConfig(path=tmp_path, layout="polygon_day_aggs"))


def test_thirty_days_with_a_restart_each_night_keep_every_order_once(start):
    market = from_closes("2024-01-02", {"AAPL": [100.0 + i for i in range(33)]})
    script = [
        {"daily": "23:45", "do": "restart", "rollback": 5},
        {"daily": "00:15", "do": "notice", "code": 1100},
    ]
    control = start(None, script, market=market, start="2024-01-02 20:00")
    for day in range(30):
        with connected(control) as ib:
            # A client that takes the gateway's word for its next order id is given used ones every day.
            ib.placeOrder(stock(), order("BUY" if day % 3 else "SELL", 10, tif="OPG", orderRef=f"day {day}"))
            control.wait_for("placeOrder", day + 1)
            control.next_session()
            control.advance(12 * 3600)
        for _ in range(200):
            try:
                socket.create_connection((control.host, control.port), 1).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.005)
    book = control.book()
    assert [e.ref for e in book.executions] == [f"day {day}" for day in range(30)]
    assert len({o.order_id for o in book.orders}) < 30
    assert len({o.perm_id for o in book.orders}) == 30
    assert book.positions["DU1234567"] == {"AAPL": 100.0}
