"""The runner on a paper account of the gateway double: decisions once, everything journalled, restartable."""

from __future__ import annotations

import collections

import pytest

from ares7.errors import CheckFailed, ConfigError
from live.interlock import Mode, Wish
from live.journal.reader import JournalReader
from live.runner import Runner
from tests.runner.conftest import SteppedRunner, positions


@pytest.fixture
def reading(tmp_path):
    def opened(mode="paper"):
        return JournalReader.open(f"sqlite:///{tmp_path / 'journal' / f'journal-{mode}.sqlite'}", mode)

    return opened


def refs(control):
    return collections.Counter(order.ref for order in control.book().orders)


def test_a_paper_run_fills_what_it_decided_and_the_journal_is_the_gateways_book(run, gateway, reading):
    done = run(sessions=3).run()
    assert done.mode is Mode.PAPER
    assert done.sessions == 3
    assert done.differences == 0
    assert done.filled >= 8
    with reading() as journal:
        held = {p.symbol: p.shares for p in journal.positions().values()}
        assert held == {name.replace(" ", "-"): shares for name, shares in positions(gateway).items()}
        assert len(journal.rebalances()) == 1
        assert journal.rebalances()[0].outcome == "done"
        assert [nav.session for nav in journal.navs()] == sorted({nav.session for nav in journal.navs()})
        assert len(journal.navs()) == 3
        assert {order.stage for order in journal.orders()} == {"filled"}
        assert len(journal.fees()) == len(journal.fills())


def test_a_second_start_repeats_no_order(run, gateway):
    run(sessions=2).run()
    before = refs(gateway)
    gateway.end_session(25)
    run(sessions=2).run()
    after = refs(gateway)
    assert max(after.values()) == 1
    assert set(before) <= set(after)


def test_orders_of_an_earlier_process_are_followed_to_their_end(run, gateway, reading):
    run(sessions=1).run()
    with reading() as journal:
        assert {order.stage for order in journal.orders()} == {"working"}
    gateway.end_session(25)
    done = run(sessions=1).run()
    assert done.differences == 0
    with reading() as journal:
        assert {order.stage for order in journal.orders()} == {"filled"}
        assert journal.working() == []
        held = {p.symbol: p.shares for p in journal.positions().values()}
    assert held == positions(gateway)


class Crash(BaseException):
    """The process dies here."""


def dying(after):
    """A runner that dies right after its n-th order was journalled, before the socket write."""

    class Dying(SteppedRunner):
        def _take_up(self, portfolio):
            super()._take_up(portfolio)
            written, left = self.conductor.before_writing, [after]

            def before_writing(ticket, order_id):
                written(ticket, order_id)
                left[0] -= 1
                if left[0] == 0:
                    raise Crash

            self.store.desk.journal = before_writing

    return Dying


@pytest.mark.parametrize("after", [1, 4])
def test_a_crash_between_journal_and_socket_loses_at_most_that_order_and_repeats_none(
    run, gateway, reading, after
):
    with pytest.raises(Crash):
        run(kind=dying(after)).run()
    assert sum(refs(gateway).values()) == after - 1
    done = run(sessions=2).run()
    assert max(refs(gateway).values()) == 1
    with reading() as journal:
        intended = {order.intent.ref for order in journal.orders()}
        assert set(refs(gateway)) < intended
        assert len(intended) == len(refs(gateway)) + 1
        assert len(journal.rebalances()) == 1
    assert done.differences == 0


def test_foreign_holdings_at_a_first_start_refuse_until_the_operator_speaks(run, gateway):
    gateway.set_position("S001", 100)
    with pytest.raises(CheckFailed, match="adopt"):
        run().run()
    assert not refs(gateway)


def test_a_halt_stops_every_order_that_follows(run, gateway, reading, tmp_path):
    class Halting(SteppedRunner):
        def _open_gate(self):
            super()._open_gate()
            self.journal.halt("HALT", "test", "stop")

    done = run(kind=Halting, sessions=2).run()
    assert not refs(gateway)
    assert done.filled == 0
    with reading() as journal:
        assert journal.orders() == []


def test_flatten_closes_what_the_journal_bought_once_and_nothing_else(run, gateway, reading):
    class Flattening(SteppedRunner):
        def _closed(self, session):
            super()._closed(session)
            if self.closed == 2:
                self.journal.halt("FLATTEN", "test", "out")

    done = run(kind=Flattening, sessions=5).run()
    assert done.differences == 0
    assert positions(gateway) == {}
    assert max(refs(gateway).values()) == 1
    with reading() as journal:
        assert journal.positions() == {}
        sales = [order.intent for order in journal.orders() if order.intent.side == "SELL"]
        assert {intent.purpose for intent in sales} == {"flatten"}
        assert len({intent.con_id for intent in sales}) == len(sales)


def test_shadow_sends_nothing_and_keeps_a_journal_of_its_own(run, gateway, reading):
    done = run(wish=Wish("live", False, "shadow", ""), sessions=2).run()
    assert done.mode is Mode.SHADOW
    assert not refs(gateway)
    with reading("shadow") as journal:
        assert len(journal.decisions()) >= 8


def test_real_orders_are_refused_on_a_paper_account(run, gateway):
    with pytest.raises(ConfigError, match="paper account"):
        run(wish=Wish("live", True, "live", gateway.account)).run()
    assert not refs(gateway)


def test_a_strategy_that_is_not_due_waits_for_its_next_rebalance(run, gateway, reading):
    done = run(sessions=3, start_now=False).run()
    assert done.sessions == 3
    assert not refs(gateway)
    with reading() as journal:
        assert journal.rebalances() == []


def test_the_month_end_decides(run, gateway, reading):
    done = run(sessions=7, start_now=False).run()
    assert done.filled >= 8
    with reading() as journal:
        (rebalance,) = journal.rebalances()
        assert (str(rebalance.session), rebalance.reason) == ("2024-06-28", "month_end")


def test_the_plain_runner_is_what_the_tests_step():
    assert issubclass(SteppedRunner, Runner)


def test_the_default_strategy_trades_the_synthetic_market_that_the_double_replays(
    run, gateway, reading, tmp_path
):
    synthetic = {"symbols": 24, "start": "2023-01-03", "end": "2024-12-31"}
    data = {"path": None, "cache": str(tmp_path / "cache"), "synthetic": synthetic}
    limits = {"max_weight": None, "max_order_usd": None, "max_volume_share": None}
    done = run(strategy="regime_ensemble", sessions=2, config={"data": data, "limits": limits}).run()
    assert done.filled >= 5
    assert done.differences == 0
    with reading() as journal:
        (rebalance,) = [r for r in journal.rebalances() if r.reason == "start"]
        assert rebalance.detail["regime"]
