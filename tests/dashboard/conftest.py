from __future__ import annotations

import datetime as dt
import socket
import threading

import pytest

pytest.importorskip("dash", reason="no dash: pip install dash")

from werkzeug.serving import make_server

from live.dashboard.app import _Quiet, application
from live.dashboard.view import look_at_journal
from tests.monitor.desk import Clock, Script, configured
from tests.report.devtools import Chromium
from tests.report.in_browser import CHROMIUM

TOKEN = "synthetic-token-of-a-test"  # noqa: S105
DAYS = [dt.date(2024, 1, day) for day in (2, 3, 4, 5)]


class Served:
    def __init__(self, folder, script):
        self.script, self.folder = script, folder
        self.config = configured(folder, "live.clock=gateway")
        self.looker = look_at_journal(self.config, script.url, script.mode)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.app = application(self.looker, TOKEN, self.port)
        self.server = make_server("127.0.0.1", self.port, self.app, threaded=True, request_handler=_Quiet)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    @property
    def url(self):
        return f"http://{self.host}/?token={TOKEN}"

    def client(self, *, known=True):
        made = self.app.test_client()
        if known:
            answer = made.get(f"/?token={TOKEN}", headers={"Host": self.host}, base_url=f"http://{self.host}")
            assert answer.status_code == 303
        return made

    def close(self):
        self.looker.close()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def script(tmp_path):
    clock = Clock(dt.datetime(2024, 1, 5, 21, 30, tzinfo=dt.UTC))
    made = Script(tmp_path / "journal", clock)
    for day, change in zip(DAYS, (0.0, 0.011, -0.02, 0.004), strict=True):
        made.regime(day, "BULL" if day.day < 4 else "BEAR")
        made.close(day, change)
    made.alert("error", "order-rejected", "one <b>order</b> was rejected")
    yield made
    made.journal.close()


@pytest.fixture
def served(tmp_path, script):
    made = Served(tmp_path / "journal", script)
    yield made
    made.close()


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    made = Chromium(CHROMIUM, tmp_path_factory.mktemp("profile"))
    yield made
    made.close()
