"""``run.py drift`` on the double: a paper run beside a shadow run and a backtest of the same sessions."""

from __future__ import annotations

import json
import math
import threading
from pathlib import Path

import backtrader as bt
import numpy as np
import pytest

import run as command_line
from ares7.config import build_config
from feeds.synthetic import generate, write
from live.double.history import from_folder
from live.halt.signal_source import SignalSource
from live.interlock import Wish
from live.journal.rows import CashFlow, Nav
from live.journal.writer import Journal
from live.runner import Runner
from tests import postgres
from tests.bridge.stepping import MINUTES_AFTER
from tests.runner.conftest import FIRST

SESSIONS = 8
LAST = "2024-09-30"
SHADOW = Wish("live", False, "shadow", "")
CENT = 0.01
PART = 200
DEARER = 1.003


class Meeting:
    """Where two runners on one gateway wait for each other, session by session."""

    def __init__(self):
        self.changed, self.acted, self.broken = threading.Condition(), 0, None

    def shadow_acted(self):
        with self.changed:
            self.acted += 1
            self.changed.notify_all()

    def await_shadow(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: self.acted >= count or self.broken, 60)
        assert self.broken is None, self.broken


class Meets(bt.Analyzer):
    """Ends the session once both have decided on it."""

    params = (("runner", None), ("meeting", None))

    def start(self):
        self.sessions = 0

    def next(self):
        runner, meeting = self.p.runner, self.p.meeting
        runner.store.begin_round()
        runner.store.client.server_time()
        self.sessions += 1
        if not runner.mode.sends:
            meeting.shadow_acted()
        elif not runner.store.finished:
            meeting.await_shadow(self.sessions)
            runner.meanwhile(self.sessions)
            runner.control.end_session(MINUTES_AFTER)

    def prenext(self):
        self.next()

    def nextstart(self):
        self.next()


class Meeter(Runner):
    meeting = None

    def meanwhile(self, sessions):
        """Before the session after so many is played."""

    def _portfolio(self):
        portfolio = super()._portfolio()
        portfolio.cerebro.addanalyzer(Meets, runner=self, meeting=self.meeting)
        return portfolio


@pytest.fixture
def both(run, monkeypatch):
    """Runs paper and shadow beside each other on one account."""

    def go(kind=Meeter, **options):
        paper, shadow = (
            run(kind=kind, sessions=SESSIONS, **options),
            run(kind=Meeter, client_id=1007, wish=SHADOW, sessions=SESSIONS, **options),
        )
        paper.meeting = shadow.meeting = meeting = Meeting()
        # Signals belong to the main thread, where the paper run is.
        for name in ("install", "restore"):
            own = getattr(SignalSource, name)
            monkeypatch.setattr(SignalSource, name, in_main_thread(own))

        def beside():
            try:
                shadow.run()
            except BaseException as error:
                meeting.broken = error
                with meeting.changed:
                    meeting.changed.notify_all()

        thread = threading.Thread(target=beside)
        thread.start()
        try:
            paper.run()
        finally:
            thread.join(60)
        assert meeting.broken is None, meeting.broken
        return paper

    return go


def in_main_thread(own):
    def called(self):
        if threading.current_thread() is threading.main_thread():
            own(self)

    return called


@pytest.fixture
def type_(tmp_path, market, capsys):
    def call(*words, data=market):
        settings = {
            "costs": "{model: bps, bps: 10}",
            "halt.folder": tmp_path / "journal",
            "runs.folder": tmp_path / "runs",
            "runs.report": "false",
            "data.path": data,
            "data.cache": tmp_path / "cache",
        }
        given = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
        code = command_line.main([*words, *given])
        out, err = capsys.readouterr()
        return code, json.loads(out) if "--json" in words and out else out, err

    return call


@pytest.fixture
def backtest(type_):
    def made(strategy="equal_weight", first=FIRST, last=LAST, *more):
        words = ("backtest", "--strategy", strategy, "--start", first, "--end", last, "--json", *more)
        code, found, err = type_(*words)
        assert code == 0, err
        return found["run"]

    return made


class Faulty(Meeter):
    """S003 is filled in part and S006 dearer than at the open, S005 is refused, S004 trades a session late."""

    def _open_gate(self):
        super()._open_gate()
        self.control.arm(on="placeOrder", do="error", contains="S005", client=7, text="refused by the test")

    def meanwhile(self, sessions):
        for name in ("S003", "S004"):
            (self.control.halt if sessions == 1 else self.control.resume)(name)
        if sessions == 1:
            self.control.advance_to("2024-06-25 09:00")
            self.dearer("S003", PART)
            self.dearer("S006")

    def dearer(self, name, shares=None):
        (order,) = [o for o in self.journal.orders() if o.intent.symbol == name]
        self.control.fill(order.intent.ref, order.intent.decision_price * DEARER, shares)


@pytest.fixture
def prices(market):
    """``prices("open", "S005", "2024-06-25")``."""
    history = from_folder(market, basis="total_return")

    def price(field, name, day):
        row = int(np.searchsorted(history.dates, np.datetime64(day)))
        return float(getattr(history, field)[history.symbols.index(name), row])

    return price


def adds_up(found):
    """Causes of a cent or more; everything adds up, and follows from the two values."""
    assert math.fsum(found["causes_usd"].values()) == pytest.approx(found["difference_usd"], abs=1e-6)
    assert math.fsum(found["causes_bps"].values()) == pytest.approx(found["difference_bps"], abs=1e-9)
    for session in found["by_session"]:
        assert math.fsum(session["causes_usd"].values()) == pytest.approx(session["difference_usd"], abs=1e-6)
    one, two = (found[side]["nav_to_usd"] - found[side]["nav_from_usd"] for side in ("first", "second"))
    assert one - two == pytest.approx(found["difference_usd"], abs=1e-6)
    assert found["unexplained"]["good"]
    return {name: value for name, value in found["causes_usd"].items() if abs(value) >= CENT}


def report(tmp_path, session, mode="paper"):
    return json.loads((tmp_path / "journal" / "days" / f"day-{session}-{mode}.json").read_text())


def test_without_faults_nothing_drifts(both, type_, backtest, tmp_path):
    both()
    words = ("drift", "--mode", "paper", "--run", backtest(), "--against", "shadow")
    code, found, err = type_(*words, "--json")
    assert code == 0, err
    assert found["prices"] == "total_return"
    assert len(found["comparisons"]) == 3
    for one in found["comparisons"]:
        assert adds_up(one) == {}
        assert (one["base"], one["sessions"]) == (FIRST, SESSIONS - 1)
        assert one["return_difference"] == pytest.approx(0.0, abs=1e-12)
        assert one["first"]["return"] != 0.0
    assert found["not_filled"] == []
    assert found["shortfall"]["orders"] > 24
    assert found["shortfall"]["execution_usd"] == pytest.approx(0.0, abs=1e-6)
    code, text, _ = type_(*words)
    assert (code, text.count("paper against shadow: 7 sessions"), "NOT EXPLAINED" in text) == (0, 1, False)
    (title,) = report(tmp_path, "2024-06-25")["drift"]
    for session in ("2024-06-25", "2024-07-01", "2024-07-03"):
        drifted = report(tmp_path, session)["drift"][title]
        assert (drifted["from"], drifted["to"]) == (session, session)
        assert max(map(abs, drifted["causes_usd"].values())) < CENT
    assert report(tmp_path, FIRST)["drift"] == {}
    assert report(tmp_path, "2024-07-01", "shadow")["drift"] == {}


def test_faults_are_told_apart_and_add_up(both, type_, backtest, prices, tmp_path):
    both(kind=Faulty)
    code, found, err = type_("drift", "--mode", "paper", "--run", backtest(), "--against", "shadow", "--json")
    assert code == 0, err
    shadow, run, model = found["comparisons"]
    causes = adds_up(shadow)
    assert set(causes) == {"fills", "fees", "missing_orders"}
    assert set(adds_up(run)) <= {"fills", "fees", "missing_orders", "rounding"}
    assert run["causes_usd"]["fills"] == pytest.approx(causes["fills"], rel=1e-3)
    assert run["causes_usd"]["missing_orders"] == pytest.approx(causes["missing_orders"], rel=1e-2)
    # The shadow run decided on the account that paper traded, so its later targets are those of a smaller account.
    assert set(adds_up(model)) <= {"fees", "rounding"}
    assert found["comparisons"][1]["difference_usd"] == pytest.approx(
        shadow["difference_usd"] + model["difference_usd"]
    )
    decided = {row["symbol"]: row["decided"] for row in found["not_filled"]}
    assert {row["symbol"]: (row["stage"], row["left"]) for row in found["not_filled"]} == {
        "S003": ("cancelled", decided["S003"] - PART),
        "S004": ("cancelled", decided["S004"]),
        "S005": ("rejected", decided["S005"]),
    }
    reasons = {row["symbol"]: row["reason"] for row in found["not_filled"]}
    assert "refused by the test" in reasons["S005"]
    # By hand: a refused order is missing from one open to the open at which the next rebalance makes up for it.
    gained = {
        name: prices("open", name, "2024-07-01") - prices("open", name, "2024-06-25") for name in decided
    }
    assert shadow["names_usd"]["S005"] == pytest.approx(-decided["S005"] * gained["S005"])
    late = prices("open", "S004", "2024-06-26") - prices("open", "S004", "2024-06-25")
    assert shadow["names_usd"]["S004"] == pytest.approx(-decided["S004"] * late)
    (title,) = report(tmp_path, "2024-06-25")["drift"]
    drifted = report(tmp_path, "2024-06-25")["drift"][title]
    first = shadow["by_session"][0]
    assert drifted["total_usd"] == pytest.approx(first["difference_usd"])
    assert drifted["causes_usd"] == pytest.approx(first["causes_usd"], abs=1e-6)
    code, text, _ = type_("drift", "--mode", "paper", "--worst", "2")
    assert "not filled: 3" in text
    assert "missing_orders: rejected and unfilled orders" in text
    assert text.count("\n    2024-") == 2


def test_a_part_of_the_sessions_is_compared_from_the_close_before(run, type_, backtest):
    run(sessions=SESSIONS).run()
    tested = backtest()
    words = ("drift", "--run", tested, "--json")
    code, found, _ = type_(*words, "--from", "2024-06-27", "--to", "2024-07-01")
    (one,) = found["comparisons"]
    assert code == 0
    assert (one["base"], one["from"], one["to"], one["sessions"]) == (
        "2024-06-26",
        "2024-06-27",
        "2024-07-01",
        3,
    )
    assert adds_up(one) == {}
    # A backtest that began earlier held something already: it is scaled to the account.
    code, found, _ = type_("drift", "--run", backtest(first="2024-05-28"), "--json")
    (one,) = found["comparisons"]
    assert code == 0
    assert one["second"]["nav_from_usd"] == pytest.approx(1_000_000.0)
    assert "scaled by" in one["second"]["note"]
    assert "rounding" in adds_up(one)


def test_what_the_books_do_not_explain_ends_with_1_and_says_so(run, type_, backtest, tmp_path):
    run(sessions=4).run()
    tested = backtest()
    with Journal.open(f"sqlite:///{tmp_path / 'journal' / 'journal-paper.sqlite'}", "paper") as journal:
        last = journal.navs("close")[-1]
        journal.nav(Nav(last.session, "close", last.nav_usd + 500.0, last.cash_usd))
    code, text, _ = type_("drift", "--run", tested)
    assert (code, "NOT EXPLAINED: up to 500.00 USD, more than 100.00" in text) == (1, True)
    assert type_("drift", "--run", tested, "--tolerance", "6")[0] == 0
    # Money that came is a flow, and no return.
    with Journal.open(f"sqlite:///{tmp_path / 'journal' / 'journal-paper.sqlite'}", "paper") as journal:
        journal.flow(CashFlow(last.session, "deposit", 500.0))
    code, found, _ = type_("drift", "--run", tested, "--json")
    (one,) = found["comparisons"]
    assert code == 0
    assert adds_up(one) == {"flows": pytest.approx(500.0)}
    assert one["return_difference"] == pytest.approx(0.0, abs=1e-5)


def test_a_simulated_account_drifts_from_a_backtest_by_nothing(type_, backtest, market):
    words = ("paper", "--simulated", "--strategy", "equal_weight", "--now", "--from", FIRST)
    code, _, err = type_(*words, "--sessions", str(SESSIONS), "--prices", "total_return")
    assert code == 0, err
    code, found, err = type_("drift", "--mode", "simulated", "--run", backtest(), "--json")
    assert code == 0, err
    (one,) = found["comparisons"]
    assert adds_up(one) == {}
    assert one["first"]["name"] == "simulated"


def test_an_account_at_traded_prices_differs_from_total_returns_by_prices_alone(type_, backtest):
    words = ("paper", "--simulated", "--strategy", "equal_weight", "--now", "--from", FIRST)
    assert type_(*words, "--sessions", "40", "--prices", "traded")[0] == 0
    code, found, err = type_("drift", "--mode", "simulated", "--run", backtest(), "--json")
    assert code == 0, err
    assert found["prices"] == "traded"
    (one,) = found["comparisons"]
    assert "prices" in adds_up(one)
    assert set(adds_up(one)) <= {"prices", "rounding", "fills", "fees", "flows"}


def test_what_cannot_be_compared_is_one_error_with_its_remedy(run, type_, backtest, tmp_path):
    def refused(*words, **options):
        code, out, err = type_("drift", *words, **options)
        assert (code, out) == (2, "")
        (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
        return line

    assert "choose the account with --mode" in refused()
    assert "is not there" in refused("--mode", "paper", "--run", "nothing")
    run(sessions=2).run()
    assert "journal-shadow.sqlite is not there" in refused()
    assert "does not exist" in refused("--run", "nothing")
    assert "are one journal; name two" in refused("--mode", "shadow", "--against", "shadow")
    assert "is after --to" in refused("--from", "2024-07-01", "--to", "2024-06-01")
    assert "write it YYYY-MM-DD" in refused("--from", "soon")
    assert "must not be negative" in refused("--tolerance", "-1")
    assert "also needs --mode" in refused("--journal", "sqlite:///x.sqlite")
    assert "no two sessions in common" in refused("--run", backtest(first="2024-07-08"))
    assert "no two sessions in common between 2024-09-02 and ..." in refused(
        "--run", backtest(), "--from", "2024-09-02"
    )
    assert "of different strategies" in refused("--run", backtest("low_volatility"))
    folder = Path(backtest())
    metrics = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps(metrics | {"kind": "grid"}))
    assert "is a grid, which holds no book" in refused("--run", folder.name)
    synthetic = {"symbols": 24, "start": "2023-01-03", "end": "2024-12-31", "seed": 99}
    other = tmp_path / "other"
    config = {"costs": {"model": "bps", "bps": 10}, "data": {"synthetic": synthetic}}
    write(generate(build_config(config, other, "test").data.synthetic), other, "parquet")
    assert "other closes than the journal's decisions" in refused("--run", backtest(), data=other)


def test_a_shadow_journal_in_another_folder_is_named_by_its_url(both, type_, tmp_path):
    both()
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in (tmp_path / "journal").glob("journal-shadow.sqlite*"):
        path.rename(moved / path.name)
    assert type_("drift")[0] == 2
    url = f"sqlite:///{moved / 'journal-shadow.sqlite'}"
    assert type_("drift", "--against-journal", url)[0] == 0


def test_journals_in_a_postgresql_database_drift_alike(both, type_, backtest, tmp_path):
    if postgres.binaries() is None:
        pytest.skip("no PostgreSQL server: apt-get install postgresql")
    with postgres.running() as server:
        both(config={"live": {"journal": server.url()}})
        code, found, err = type_("drift", "--json", "--set", f"live.journal={server.url()}")
        assert code == 0, err
        (one,) = found["comparisons"]
        assert (one["first"]["name"], one["second"]["name"], adds_up(one)) == ("paper", "shadow", {})
        assert len(report(tmp_path, "2024-07-01")["drift"]) == 1
        place = ("--set", f"live.journal={server.url()}")
        words = ("paper", "--simulated", "--strategy", "equal_weight", "--now", "--from", FIRST, *place)
        code, _, err = type_(*words, "--sessions", "4", "--prices", "total_return")
        assert code == 0, err
        words = ("drift", "--mode", "simulated", "--run", backtest(), "--json", *place)
        assert adds_up(type_(*words)[1]["comparisons"][0]) == {}
        words = ("--mode", "paper", "--journal", server.url(), "--against", "shadow")
        assert type_("drift", *words)[0] == 0
        server.stop()
        code, _, err = type_("drift", "--set", f"live.journal={server.url()}")
        assert (code, err.count("error: ")) == (3, 1)
