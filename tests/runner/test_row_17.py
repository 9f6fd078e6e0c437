"""Row 17: kill switch between signal and submit, full exit issued twice, disconnect in mid-rebalance."""

from __future__ import annotations

import collections

import pytest

from live.journal.reader import JournalReader
from tests.runner.mid_batch import CHOSEN, LIMITS, NAMES, PURCHASES, SALES, InterruptedRunner, sides


@pytest.fixture
def reading(tmp_path):
    def opened():
        return JournalReader.open(f"sqlite:///{tmp_path / 'journal' / 'journal-paper.sqlite'}", "paper")

    return opened


def test_row_17_a_kill_switch_between_signal_and_submit_lets_no_order_out(run, gateway, reading):
    runner = run(kind=InterruptedRunner, sessions=2, chosen=CHOSEN, config={"limits": LIMITS})
    # The second session is decided on and journalled; its first order is about to be asked about.
    runner.trip_at = NAMES + 1
    runner.trip = lambda: runner.journal.halt("HALT", "ann", "now")
    runner.run()
    assert len(runner.before_trip) == NAMES
    assert gateway.recorder.order_refs() == runner.before_trip
    with reading() as journal:
        last = journal.rebalances()[-1]
        assert len([d for d in journal.decisions(last.rebalance_id) if d.outcome == "order"]) == 2 * NAMES
        assert journal.orders(session=last.session) == []


def test_row_17_a_full_exit_that_is_issued_twice_closes_once(run, gateway, reading):
    class Twice(InterruptedRunner):
        def _closed(self, session):
            super()._closed(session)
            if self.closed in (2, 3):
                # Again while its orders work, and again when they have filled.
                for _ in range(2):
                    self.journal.halt("FLATTEN", "ann", "out")
                    self.store.pump()

    runner = run(kind=Twice, sessions=4, chosen=CHOSEN, config={"limits": LIMITS})
    runner.trip_at, runner.trip = NAMES + 1, lambda: runner.journal.halt("HALT", "ann", "no second batch")
    done = runner.run()
    assert runner.shares() == {}
    assert done.differences == 0
    sent = gateway.recorder.order_refs()
    assert sides(sent) == ["BUY"] * NAMES + ["SELL"] * NAMES
    assert len(set(sent)) == len(sent)
    with reading() as journal:
        assert journal.positions() == {}
        closed = collections.Counter(
            o.intent.con_id for o in journal.orders() if o.intent.purpose == "flatten"
        )
        assert set(closed.values()) == {1}
        assert len(closed) == NAMES


@pytest.mark.parametrize("at", [SALES, PURCHASES])
def test_row_17_a_disconnect_in_mid_rebalance_is_resumed_by_reconciliation_without_a_repeated_order(
    run, gateway, reading, at
):
    runner = run(kind=InterruptedRunner, sessions=4, chosen=CHOSEN, config={"limits": LIMITS})
    runner.trip_at, runner.trip = at, lambda: gateway.drop(reset=True)
    done = runner.run()
    sent = gateway.recorder.order_refs()
    assert len(set(sent)) == len(sent)
    assert done.differences == 0
    assert runner.reconciler.gate.comparisons > 1 + 4  # the start, every close, and once more
    with reading() as journal:
        # The rest of the batch went out once journal and gateway had been compared again.
        assert {r.outcome for r in journal.rebalances()} == {"done"}
        for rebalance in journal.rebalances():
            decided = {d.con_id for d in journal.decisions(rebalance.rebalance_id) if d.outcome == "order"}
            ordered = [o.intent.con_id for o in journal.orders(rebalance_id=rebalance.rebalance_id)]
            assert sorted(ordered) == sorted(decided)
        held = {p.symbol: p.shares for p in journal.positions().values()}
        wanted = {
            d.symbol for d in journal.decisions(journal.rebalances()[2].rebalance_id) if d.target_weight > 0
        }
    assert held == {name.replace(" ", "-"): shares for name, shares in runner.shares().items()}
    assert held.keys() == wanted
