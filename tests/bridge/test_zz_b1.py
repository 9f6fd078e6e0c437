import os
from tests.bridge.test_random_interleavings import *
import tests.bridge.test_random_interleavings as t
def test_x(history, connect):
    old = t.Monkey.settled
    state = {}
    def settled(self):
        r = old(self); b=self.control.book(); self.control_cash=(b.cash, b.positions, self.control.now); state['m'] = self; self.bookx=[(o.ref,o.status,o.filled,o.quantity,o.kind) for o in self.control.book().orders]; return r
    t.Monkey.settled = settled
    import time as _t
    try:
        for seed in map(int, os.environ['SEEDS'].split(',')):
            try: play(history, connect, seed)
            except AssertionError as e:
                m = state['m']; print(e)
                with_book = {o.ref: o for o in m.last.orders} if hasattr(m,'last') else {}
                for o in m.orders: 
                    k = m.desk.store.book.orders.get(o.ib_ref)
                    if o.alive(): print(o.ib_ref, o.getstatusname(), o.getordername(), o.transmit, k and (k.stage, k.absent, k.assumed, k.reason, k.inactive, k.order_id), m.desk.store.desk._doubts, m.desk.store.desk._cancelled, o in m.desk.broker._batch)
                print(m.bookx); print(m.desk.broker.getcash(), m.control_cash, {d.facts.symbol: m.desk.broker.getposition(d).size for d in m.desk.datas}, m.desk.store.watch._rows, m.desk.store.watch._cash, m.desk.store.watch._last, m.desk.store.watch._differs_since, m.desk.store.book.unpaid_since())
                for n in m.desk.notes[-12:]: print("  ", n)
    finally: t.Monkey.settled = old
