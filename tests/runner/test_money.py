"""What the strategy may use of an account, money that comes and goes, and what is not its own (rulings 28, 29)."""

from __future__ import annotations

import pytest

from ares7.config import LiveConfig
from ares7.errors import ConfigError
from live.account_view import figures_of
from live.journal.operator_journal import OperatorJournal
from live.journal.reader import JournalReader
from live.journal.rows import IGNORE, Adjustment
from tests.runner.conftest import SteppedRunner, positions


@pytest.fixture
def reading(tmp_path):
    def opened():
        return JournalReader.open(f"sqlite:///{tmp_path / 'journal' / 'journal-paper.sqlite'}", "paper")

    return opened


def invested(control):
    """USD in positions at the latest prices, by the gateway's books."""
    book = control.book()
    return 1_000_000.0 - book.cash[control.account]


@pytest.mark.parametrize(
    ("live", "share"), [({"capital_fraction": 0.4}, 0.4), ({"capital_usd": 250_000.0}, 0.25)]
)
def test_the_book_is_sized_for_the_capital_and_the_rest_stays_cash(run, gateway, reading, live, share):
    done = run(sessions=2, config={"live": live}).run()
    assert done.differences == 0
    with reading() as journal:
        (rebalance,) = journal.rebalances()
        assert rebalance.capital_usd == pytest.approx(1_000_000.0 * share)
        assert rebalance.nav_usd == pytest.approx(1_000_000.0)
        decisions = journal.decisions()
        worth = sum(d.target_shares * d.price for d in decisions)
        wanted = sum(d.target_weight for d in decisions)
        ordered = sum(d.delta_shares * d.price for d in decisions if d.outcome == "order")
    assert worth == pytest.approx(1_000_000.0 * share * wanted, rel=0.01)
    assert invested(gateway) == pytest.approx(ordered, rel=0.03)


def test_capital_above_the_account_is_the_account(run, gateway, reading):
    run(sessions=2, config={"live": {"capital_usd": 5e6}}).run()
    with reading() as journal:
        (rebalance,) = journal.rebalances()
    assert rebalance.capital_usd == rebalance.nav_usd == pytest.approx(1_000_000.0)


def test_two_ways_to_say_the_capital_contradict_each_other():
    with pytest.raises(ValueError, match="contradict"):
        LiveConfig(capital_usd=1.0, capital_fraction=0.5)


def test_a_deposit_while_the_runner_trades_is_a_flow_and_no_profit(run, gateway, reading):
    class Paid(SteppedRunner):
        def _closed(self, session):
            super()._closed(session)
            if self.closed == 2:
                gateway.deposit(300_000.0)

    run(kind=Paid, sessions=5).run()
    with reading() as journal:
        (flow,) = journal.flows()
        navs = journal.navs()
        assert flow.amount_usd == pytest.approx(300_000.0)
        # It counts in the session whose value it is in.
        (at,) = [i for i, nav in enumerate(navs) if nav.session == flow.session]
        assert navs[at].nav_usd - navs[at - 1].nav_usd == pytest.approx(300_000.0, abs=30_000.0)
        figures = figures_of(journal)
        assert abs(figures["total_return"]) < 0.05
        assert figures["flows_usd"] == {"unknown": pytest.approx(300_000.0)}
        assert not [alert for alert in journal.alerts() if "loss" in alert.code]


def test_a_withdrawal_is_no_loss_of_the_day(run, gateway, reading):
    """Six tenths of the account leave; the daily-loss limit would refuse every purchase if that were a loss."""

    class Withdrawn(SteppedRunner):
        def _closed(self, session):
            super()._closed(session)
            if self.closed == 3:
                gateway.deposit(-200_000.0)

    config = {"live": {"capital_fraction": 0.5}, "limits": {"max_daily_loss": 0.05, "max_drawdown": 0.10}}
    done = run(kind=Withdrawn, sessions=6, config=config).run()
    assert done.differences == 0
    with reading() as journal:
        assert [round(flow.amount_usd) for flow in journal.flows()] == [-200_000]
        later = [r for r in journal.rebalances() if r.reason == "month_end"]
        assert later
        rows = journal.decisions(later[0].rebalance_id)
        assert not [row for row in rows if "loss" in row.reason]


def test_shares_that_were_set_aside_are_neither_sold_nor_counted(run, gateway, reading, tmp_path):
    gateway.set_position("S001", 100)

    class Aside(SteppedRunner):
        def _open_gate(self):
            facts = next(f.facts for f in self.store.datas if f._name == "S001")
            url = f"sqlite:///{tmp_path / 'journal' / 'journal-paper.sqlite'}"
            with OperatorJournal.open(url, "paper") as journal:
                at = self.store.now()
                journal.adopt(
                    Adjustment(facts.con_id, "S001", IGNORE, 100.0, 0.0, None, "test", "mine", at=at)
                )
            super()._open_gate()

    done = run(kind=Aside, sessions=2).run()
    assert done.differences == 0
    with reading() as journal:
        held = {p.symbol: p.shares for p in journal.positions().values()}
        decided = {d.symbol: d for d in journal.decisions()}
        assert decided["S001"].held_shares == 0.0
        assert positions(gateway)["S001"] == held["S001"] + 100
        nav = journal.navs()[0]
        assert nav.nav_usd == pytest.approx(1_000_000.0)


def test_a_journal_url_of_another_kind_or_with_a_password_is_refused(run):
    with pytest.raises(ConfigError, match="PGPASSWORD"):
        run(config={"live": {"journal": "postgresql://a:b@localhost/x"}}).run()
    with pytest.raises(ConfigError, match=r"halt\.folder"):
        run(config={"live": {"journal": "sqlite:///x.sqlite"}}).run()
