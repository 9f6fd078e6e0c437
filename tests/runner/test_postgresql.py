"""The journal in a PostgreSQL database by ``live.journal``: the runner and every command use that one."""

from __future__ import annotations

import collections
import json

import pytest

import run as command_line
from ares7.errors import ConfigError
from live.halt.file_source import HaltFile
from live.halt.level import HaltLevel
from live.interlock import Wish
from live.journal.failures import JournalUnavailable, WrongJournal
from live.journal.reader import JournalReader
from live.journal.rows import CashFlow
from live.journal.writer import Journal
from live.machine import utc_now
from live.order_state import Stage
from live.runner import Runner
from tests import postgres
from tests.bridge.stepping import MINUTES_AFTER
from tests.runner.conftest import SteppedRunner, positions

READER = "reader"
LOST = "the server does not answer|the connection to the server was lost"


@pytest.fixture(scope="module")
def cluster():
    if postgres.binaries() is None:
        pytest.skip("no PostgreSQL server: apt-get install postgresql")
    with postgres.running() as server:
        yield server


@pytest.fixture
def server(cluster):
    if cluster.process is None:
        cluster.start()
    cluster.empty_database()
    yield cluster
    if cluster.process is None:
        cluster.start()


@pytest.fixture
def url(server):
    return server.url()


@pytest.fixture
def start(run, url):
    """One start of the process, its journal in the database."""

    def make(**options):
        return run(config={"live": {"journal": url}}, **options)

    return make


@pytest.fixture
def type_(tmp_path, url, gateway, capsys):
    """Types a command; returns exit code, JSON answer and stderr."""

    def call(*words, url=url):
        settings = {
            "costs": "{model: bps, bps: 10}",
            "halt.folder": tmp_path / "journal",
            "daily.logs": tmp_path / "logs",
            "live.journal": url,
            "live.clock": "gateway",
            "live.port": gateway.port,
        }
        given = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
        code = command_line.main([*words, "--json", *given])
        out, err = capsys.readouterr()
        assert gateway.account not in out + err
        return code, json.loads(out) if out else None, err

    return call


def refs(control):
    return collections.Counter(order.ref for order in control.book().orders)


def test_runner_and_commands_share_the_journal_in_the_database(start, url, gateway, type_, tmp_path):
    done = start(sessions=3).run()
    assert done.differences == 0
    assert not list((tmp_path / "journal").glob("*.sqlite"))
    with JournalReader.open(url, "paper") as journal:
        held = {p.symbol: p.shares for p in journal.positions().values()}
        session = str(journal.rebalances()[0].session)
    assert held == positions(gateway)

    code, found, _ = type_("status")
    assert (code, found["mode"], found["positions"]) == (0, "paper", len(held))
    assert "schema ares7_paper" in found["journal"]
    assert found["halt"]["level"] == "NONE"
    code, found, _ = type_("positions")
    assert {p["symbol"]: p["shares"] for p in found["positions"]} == held
    assert len(type_("orders", "--date", session)[1]["orders"]) == done.orders
    assert type_("flows") == (0, {"flows": []}, "")
    code, found, _ = type_("explain", "--date", session)
    assert (code, found["session"]) == (0, session)
    assert type_("reconcile")[:2] == (0, {"accepted": [], "differences": [], "gate": "open"})


def test_what_commands_write_is_in_the_database(start, url, gateway, type_):
    start(sessions=2).run()
    name = next(iter(positions(gateway)))
    gateway.manual_order(name, 5)
    assert type_("reconcile")[0] == 1
    assert type_("reconcile", "--accept", name)[0] == 0
    gateway.set_position("S023", 7)
    assert type_("adopt", "--ignore", "S023")[0] == 0
    assert [a["shares"] for a in type_("positions")[1]["ignored"]] == [7]
    with Journal.open(url, "paper") as journal:
        journal.flow(CashFlow(journal.navs()[-1].session, "unknown", 2_500.0))
    (flow,) = type_("flows")[1]["flows"]
    assert type_("flows", "--name", str(flow["id"]), "deposit")[1]["flows"][0]["kind"] == "deposit"
    assert type_("halt", "--reason", "a test")[1]["problems"] == []
    with JournalReader.open(url, "paper") as journal:
        assert journal.halt_level() == "HALT"
    assert set(type_("status")[1]["halt"]["sources"]) == {"file", "journal-paper"}
    assert type_("resume")[0] == 0
    with JournalReader.open(url, "paper") as journal:
        assert journal.halt_level() == "NONE"


def test_a_halt_by_command_stops_the_runner_that_trades_from_the_database(start, gateway, type_):
    class Halted(SteppedRunner):
        def _open_gate(self):
            super()._open_gate()
            assert type_("halt")[0] == 0

    done = start(kind=Halted, sessions=2).run()
    assert done.filled == 0
    assert not refs(gateway)


def test_each_mode_has_a_schema_and_commands_ask_which(start, type_, url):
    assert "holds no journal yet" in type_("positions")[2]
    assert type_("status")[1]["journal"] is None
    start(wish=Wish("live", False, "shadow", ""), sessions=1).run()
    start(client_id=8, sessions=1).run()
    code, _, err = type_("positions")
    assert (code, "paper, shadow; choose one with --mode" in err) == (2, True)
    assert type_("status", "--mode", "shadow")[1]["mode"] == "shadow"
    code, _, err = type_("status", "--mode", "real")
    assert (code, "is not there" in err) == (2, True)


def test_without_the_server_each_command_says_so_once_and_a_halt_holds(
    start, server, type_, tmp_path, gateway
):
    start(sessions=2).run()
    server.stop()
    for words in (("positions",), ("orders",), ("flows",), ("reconcile",), ("adopt", "--all")):
        code, found, err = type_(*words, "--mode", "paper")
        assert code == 3, err
        assert err.count("error: ") == 1
        assert "the server does not answer" in err
        assert found["kind"] == "JournalUnavailable"
    code, found, _ = type_("status")
    assert (code, found["journal"], found["halt"]["level"]) == (3, None, "HALT")
    assert "the server does not answer" in found["error"]
    code, found, _ = type_("halt", "--flatten")
    assert code == 0
    assert ["the server does not answer" in text for text in found["problems"]] == [True]
    assert HaltFile(tmp_path / "journal", utc_now).read().level is HaltLevel.FLATTEN
    code, found, _ = type_("resume")
    assert (code, found["level"]) == (1, "HALT")
    before = refs(gateway)
    with pytest.raises(JournalUnavailable, match="the server does not answer"):
        start(sessions=1).run()
    assert refs(gateway) == before
    server.start()
    assert type_("resume")[:1] == (0,)
    assert type_("reconcile")[0] == 0


class Losing(SteppedRunner):
    """The server is gone after so many orders were journalled."""

    server, after = None, 3

    def _take_up(self, portfolio):
        super()._take_up(portfolio)
        written = self.conductor.before_writing

        def before_writing(ticket, order_id):
            if self.after == 0 and self.server.process is not None:
                self.server.stop()
            written(ticket, order_id)
            self.after -= 1

        self.store.desk.journal = before_writing


def test_an_order_that_cannot_be_journalled_is_not_sent_and_a_restart_converges(
    start, server, gateway, url, type_
):
    runner = start(kind=Losing, sessions=3)
    runner.server = server
    with pytest.raises(JournalUnavailable, match=LOST):
        runner.run()
    assert sum(refs(gateway).values()) == 3
    server.start()
    done = start(sessions=3).run()
    assert done.differences == 0
    assert max(refs(gateway).values()) == 1
    with JournalReader.open(url, "paper") as journal:
        assert {order.intent.ref for order in journal.orders()} == set(refs(gateway))
        assert {p.symbol: p.shares for p in journal.positions().values()} == positions(gateway)
        (rebalance,) = journal.rebalances()
        assert rebalance.outcome == "done"
        wanted = {d.symbol for d in journal.decisions() if d.outcome == "order"}
    assert set(positions(gateway)) == wanted


def test_a_server_that_is_lost_between_two_sessions_ends_the_run_with_one_error(start, server, gateway, url):
    class Lost(SteppedRunner):
        def _closed(self, session):
            super()._closed(session)
            if self.closed == 2:
                server.stop()

    runner = start(kind=Lost, sessions=5)
    with pytest.raises(JournalUnavailable, match=LOST):
        runner.run()
    server.start()
    done = start(sessions=2).run()
    assert done.differences == 0
    assert max(refs(gateway).values()) == 1
    with JournalReader.open(url, "paper") as journal:
        assert {p.symbol: p.shares for p in journal.positions().values()} == positions(gateway)
        assert {order.stage for order in journal.orders()} == {"filled"}


def test_a_server_that_restarts_meanwhile_took_the_lock_with_it(start, server, gateway):
    class Restarted(SteppedRunner):
        def _closed(self, session):
            super()._closed(session)
            if self.closed == 1:
                server.stop()
                server.start()

    with pytest.raises(JournalUnavailable, match=LOST):
        start(kind=Restarted, sessions=3).run()
    assert start(sessions=2).run().differences == 0
    assert max(refs(gateway).values()) == 1


def test_a_user_who_may_only_read_reads_and_cannot_write(start, server, gateway, type_, url):
    start(sessions=1).run()
    gateway.set_position("S023", 7)
    server.execute(
        f"DROP ROLE IF EXISTS {READER}",
        f"CREATE ROLE {READER} LOGIN",
        f"GRANT USAGE ON SCHEMA ares7_paper TO {READER}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA ares7_paper TO {READER}",
    )
    own = url.replace(f"{postgres.OWNER}@", f"{READER}@")
    try:
        assert type_("status", url=own)[0] == 0
        code, found, _ = type_("halt", url=own)
        assert code == 0
        assert "may not do this" in found["problems"][0]
        code, _, err = type_("adopt", "--all", url=own)
        assert (code, "may not do this" in err) == (3, True)
        code, _, err = type_("status", url=url.replace(f"{postgres.OWNER}@", "nobody_known@"))
        assert code == 3
    finally:
        server.execute(f"DROP OWNED BY {READER}", f"DROP ROLE {READER}")


def test_another_version_another_account_and_another_program_are_refused(start, server, type_, url):
    start(sessions=1).run()
    with pytest.raises(WrongJournal, match="account"):
        Journal.open(url, "paper", "DU7654321")
    server.execute("INSERT INTO ares7_paper.schema_versions (at, version) VALUES (now(), 99)")
    code, _, err = type_("positions")
    assert (code, "a later program" in err) == (2, True)
    assert "a later program" in type_("halt")[1]["problems"][0]
    server.empty_database()
    server.execute("CREATE SCHEMA ares7_real", "CREATE TABLE ares7_real.other (x int)")
    code, _, err = type_("positions")
    assert (code, "another program" in err) == (2, True)


@pytest.mark.parametrize(
    "journal",
    [
        "postgresql://me:letmein@host/db",  # pragma: allowlist secret
        "postgresql://me@host/db?sslmode=require&password=letmein",  # pragma: allowlist secret
    ],
)
def test_a_password_in_the_configuration_is_refused_and_never_shown(run, type_, journal):
    code, _, err = type_("status", url=journal)
    assert (code, "PGPASSWORD" in err, "letmein" in err) == (2, True, False)
    with pytest.raises(ConfigError, match="PGPASSWORD") as refused:
        run(config={"live": {"journal": journal}})
    assert "letmein" not in str(refused.value)


def test_a_password_on_the_command_line_is_never_shown(type_):
    url = "postgresql://me:letmein@127.0.0.1:1/db?sslpassword=letmein"  # pragma: allowlist secret
    for words in (("status",), ("positions",), ("adopt", "--all")):
        code, found, err = type_(*words, "--mode", "paper", "--journal", url, url='""')
        assert code == 3
        assert "letmein" not in json.dumps(found) + err


@pytest.mark.parametrize("journal", ["sqlite:///here.sqlite", "mysql://host/db", "a database"])
def test_what_names_no_postgresql_database_is_one_error_and_prevents_no_halt(type_, journal, tmp_path):
    code, _, err = type_("positions", url=journal)
    assert code == 2
    assert err.count("error: ") == 1
    code, found, _ = type_("halt", url=journal)
    assert (code, len(found["problems"])) == (0, 1)
    assert HaltFile(tmp_path / "journal", utc_now).read().level is HaltLevel.HALT


def test_a_server_that_is_lost_while_orders_wait_cancels_none_of_them(start, server, gateway, url):
    class Idle(Runner):
        """Nothing is heard for a while after the orders have left, and the server is gone meanwhile."""

        rounds = 0

        def _round(self):
            self.rounds += self.closed == 1
            if self.rounds == 20:
                assert {known.stage for known in self.store.book.working()} == {Stage.WORKING}
                server.stop()
            super()._round()

    with pytest.raises(JournalUnavailable, match=LOST):
        start(kind=Idle, sessions=5).run()
    assert {order.status for order in gateway.book().orders} & {"Cancelled", "PendingCancel"} == set()
    server.start()
    gateway.end_session(MINUTES_AFTER)
    done = start(sessions=2).run()
    assert done.differences == 0
    assert max(refs(gateway).values()) == 1
    with JournalReader.open(url, "paper") as journal:
        assert {order.stage for order in journal.orders()} == {"filled"}
        assert {p.symbol: p.shares for p in journal.positions().values()} == positions(gateway)
