"""One account over some sessions: a double, a runner that is killed and started again, and what must hold every day."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

import numpy as np

from live.double.clock import local
from tests.campaign import invariants, timetable
from tests.campaign.books import Sends, read_journal
from tests.campaign.child import ACTED, ENDED, ORDER, RESTING, UP, GoOn
from tests.campaign.deaths import Death
from tests.campaign.faults import BATCH, EVENING, NOON, PHASES
from tests.campaign.invariants import Finding
from tests.campaign.ledger import Ledger
from tests.campaign.people import People
from tests.campaign.process import DEAD, Hung, RunnerProcess
from tests.campaign.trouble import Trouble

WHOLE_DAY = 6.5 * 3600.0
HANGS = "a runner hangs or will not start"
SILENCE = 60.0
"""Real seconds after which a runner that should say something hangs."""
ROUNDS, PATIENCE_TO_SETTLE = 3, 0.5
"""Real seconds that a step waits for a runner which may be cut off."""
AFTER_CLOSE = (21.0, 22.5, 25.0)
"""Minutes: the bars are asked for, asked for again, and given up."""
ADOPT = "run.py adopt"
ENDS_IN_A_ROW = 3
LOOKS, LOOK_SECONDS = 2, 20.0
"""Steps of an evening in which orders that nobody has heard of are looked for."""


@dataclass
class Plan:
    """What happens on one day.

    Attributes
    ----------
    faults : list of (row, Fault)
    death : Death or None
        Of the runner, counted from the evening.
    start_death : Death or None
        Of the next start after a death.
    kill_in : str
        Phase in which the runner is killed at a random moment.
    pause_at : int
        Something happens before this order of the decision.
    halt : (level, way, phase) or None
    """

    faults: list = field(default_factory=list)
    death: Death | None = None
    start_death: Death | None = None
    kill_in: str = ""
    pause_at: int = 0
    halt: tuple | None = None

    @property
    def calm(self):
        """Nothing happens: the day is one step."""
        return not (self.faults or self.kill_in or self.halt)


class Episode:
    """Runs days on one account.

    Parameters
    ----------
    control : live.double.control.Control
        Standing after a close.
    start : Start
    planner : callable
        ``planner(episode, day)``: the `Plan` of a day.
    figures : Figures
    where : str
        How to find this episode again, for findings.
    seed : int
    """

    def __init__(self, control, start, planner, figures, where, seed):
        self.control, self.start, self.planner, self.figures = control, start, planner, figures
        self.where, self.seed = where, seed
        self.folder = start.folder
        self.ledger = Ledger(cash_start=control.book().cash[start.account])
        self.sends = Sends()
        self.trouble, self.people = Trouble(self), People(self)
        self.stocks = control.call(
            lambda gateway: sorted(s for s in gateway.market.history.symbols if s.startswith("S0"))
        )
        self.process = None
        self.day_number = 0
        self.plan = Plan()
        self.today = None
        self.died = []
        self._lifts = []
        self._absent = None
        self._ends = 0
        self._starting, self._started_on = False, 0
        self._was_troubled = False
        self._known = set()
        self._done = False

    # Days

    def run(self, days):
        """Live through so many sessions, or fewer if the planner is through."""
        self._mark()
        self.today = timetable.closed(self.control)
        self._begin()
        self._until_done()
        try:
            while self.day_number < days and not getattr(self.planner, "over", False):
                self.day()
        finally:
            self._tally()
            if self.process is not None:
                self.process.close()

    def day(self):
        """From one evening to the next."""
        self.day_number += 1
        self._done = False
        self.figures.days += 1
        self.trouble.rng = random.Random(f"{self.seed} {self.where} {self.day_number}")
        self.trouble.quiet()
        self.people.evening(runner=not self._absent)
        self.plan = self.planner(self, self.day_number)
        self.died = []
        self._count_calendar()
        if self.process is not None:
            self.process.answer(GoOn(self.plan.death, self.plan.pause_at))
        if self._was_troubled:
            self._look_for_orders()
        self._was_troubled = not self.plan.calm or self.plan.death is not None
        if not self.plan.calm or self._absent or self._lifts:
            for phase in self._phases():
                self._phase(phase)
        self._close()

    def _count_calendar(self):
        """The next session, whether it is a half day, and the holidays before it."""
        session = timetable.coming(self.control)
        self.figures.half_days += session.closes - session.opens < WHOLE_DAY
        self.figures.holidays += int(np.busday_count(self.today, session.date)) - 1
        self.today = session.date

    def _look_for_orders(self):
        """Some seconds pass, in which orders that nobody has heard of are looked for twice."""
        for _ in range(LOOKS):
            self.control.advance(LOOK_SECONDS)
            self.settle()

    def _phases(self):
        """Those in which something happens, and noon: what the open brought is looked at before the close."""
        plan, absent = self.plan, self._absent
        busy = {NOON, EVENING, plan.kill_in, *(until for until, _ in self._lifts)}
        busy |= {phase for _, fault in plan.faults for phase in (fault.phase, fault.until)}
        busy |= {absent[1]} if absent else set()
        busy |= {plan.halt[2]} if plan.halt else set()
        return [phase for phase in PHASES if phase in busy]

    def _phase(self, phase):
        timetable.reach(self.control, phase)
        self._perhaps_start(phase)
        self._lift(phase)
        if self.plan.kill_in == phase:
            self.kill("at a random time", self.trouble.rng.uniform(0.0, 0.03))
        self._make(phase)
        self.settle()

    def _make(self, phase):
        for row, fault in self.plan.faults:
            if fault.phase == phase:
                self.figures.faults[row, fault.name] += 1
                fault.make(self.trouble)
                if fault.lift is not None:
                    self._lifts.append((fault.until, fault.lift))
        if self.plan.halt is not None and self.plan.halt[2] == phase:
            self.people.halt(*self.plan.halt[:2], paused=phase == BATCH)

    def _lift(self, phase):
        for entry in [entry for entry in self._lifts if entry[0] == phase]:
            self._lifts.remove(entry)
            entry[1](self.trouble)

    # Time

    def _close(self):
        """The session ends; the runner acts on it."""
        for minutes in AFTER_CLOSE:
            timetable.reach_close(self.control, self.today, minutes)
            self._mark()
            if self._absent:
                return
            self._lift(BATCH)
            self.settle(patience=2.0)
            if self._done:
                return
        self._lift(EVENING)
        self._until_done()

    def _mark(self):
        """Equity and closes by the gateway, for the weights that the decision of this session makes."""
        session = timetable.closed(self.control)

        def closes(gateway):
            return {s: gateway.market.last(gateway.market.named(s)) for s in self.stocks}

        self.ledger.marks[session] = self.control.book().equity[self.start.account], self.control.call(closes)

    # The runner

    def _begin(self):
        """Start a runner."""
        self.figures.starts += 1
        death, self.plan.start_death = self.plan.start_death, None
        self.process = RunnerProcess(self.start.dying(death))
        self._starting, self._started_on = True, self.day_number

    def kill(self, why, seconds=0.0):
        """Kill the runner, at once or after so many real seconds in which it may say something."""
        if self.process is not None and seconds:
            self.listen(seconds)
        if self.process is not None:
            self.figures.deaths[f"killed {why}"] += 1
            self.process.kill()

    def absent_until(self, days, phase):
        """Start no runner before a phase of a later day."""
        self._absent = (self.day_number + days, phase)

    def _perhaps_start(self, phase):
        if self._absent is not None and self._absent[0] <= self.day_number and self._absent[1] == phase:
            self._settle_death()
            self._absent = None
            self._revive()

    def _settle_death(self):
        """Take note of a death that nobody has noticed yet."""
        while self.process is not None:
            self.listen(5.0)

    def _revive(self):
        """A start after a death: what the gateway tells no more is not held against the runner."""
        self._note_untold()
        self._begin()

    def _note_untold(self):
        """Executions and fees of an earlier day that no runner has heard of will not be told any more."""

        def past(gateway):
            today = local(gateway.clock.now).date()
            return [
                (e.exec_id.rpartition(".")[0], e.order.ref, e.order.listing.symbol, e.order.sign * e.shares)
                for e in gateway.engine.executions
                if e.order.account == self.start.account and local(e.time).date() < today
            ]

        journal, ledger = read_journal(self.folder), self.ledger
        booked = {fill.root for fill in journal.fills}
        for root, ref, symbol, shares in self.control.call(past):
            if root in booked and root not in journal.fees:
                ledger.feeless.add(root)
            elif root not in booked | ledger.untold:
                ledger.untold.add(root)
                # A trade by hand is in the ledger already.
                self.ledger.drifts(symbol, shares if ref else 0.0)

    def settle(self, rounds=ROUNDS, patience=PATIENCE_TO_SETTLE):
        """Wait until a start is over, then for some rounds of the runner; it may be cut off, dead or absent."""
        while self._starting and self.process is not None:
            if not self.listen(SILENCE):
                raise Hung(f"{self.where}, day {self.day_number}: a start that does not end")
        until = time.monotonic() + patience
        seen = self.process.rounds if self.process is not None else 0
        while self.process is not None and time.monotonic() < until and not self._done:
            if self.process.rounds >= seen + rounds and not self._starting:
                break
            if self.listen(0.003):
                return self.settle(rounds, patience)

    def _until_done(self):
        while not self._done:
            if self.process is None and self._absent:
                return
            if not self.listen(SILENCE):
                raise Hung(f"{self.where}, day {self.day_number}: the runner says nothing for a minute")

    def listen(self, seconds):
        """Take in one thing that the runner says; False if it says nothing."""
        said = self.process.hear(seconds)
        if said is None:
            return False
        what, about = said
        {
            UP: self._up,
            RESTING: self._resting,
            ACTED: self._acted,
            ORDER: self._order,
            DEAD: self._dead,
            ENDED: self._ended,
        }[what](about)
        return True

    def _up(self, again):
        self.check("up")
        self._go_on(over=False)

    def _resting(self, again):
        """It has taken in what its start asked for; ``again`` is a session that it will act on now."""
        self._starting = False
        self.check("resting")
        self._go_on(over=again is None and timetable.closed(self.control) == self.today)

    def _acted(self, session):
        self._ends, self._starting = 0, False
        self.check("acted", acted=True)
        self._go_on(over=session == self.today)

    def _go_on(self, *, over):
        """Answer, unless the day is over: the next day answers."""
        self._done = over
        if not over:
            self.process.answer(GoOn(keep=True))

    def _order(self, ref):
        """Between two orders of the decision."""
        self._make(BATCH)
        self._go_on(over=False)

    def _dead(self, death):
        if death is not None:
            moment, step = death
            self.died.append(moment)
            self.figures.deaths[f"{moment.when} {moment.kind} of {step}"] += 1
        self.process.close()
        self.process = None
        self._done = False
        if self._absent is None:
            self._revive()

    def _ended(self, error):
        """It ended by itself: if a fault is the reason, the next start has none."""
        self.figures.refused += 1
        self.figures.ends[error.partition(":")[0]] += 1
        self._ends += 1
        if self._ends >= ENDS_IN_A_ROW:
            self._found([Finding(HANGS, "start", error)])
            raise Hung(f"{self.where}, day {self.day_number}: {error}")
        self.process.close()
        self.process = None
        self.trouble.quiet()
        if ADOPT in error:
            # Shares came before the first order of all: somebody must say whose they are.
            self.people.accept()
        self._revive()

    # What must hold

    def check(self, moment, acted=False):
        """Compare; findings are kept with where they were found.

        A runner that has ``acted`` has compared at the close; one that has just been started may lack a fee.
        """
        self.figures.checks += 1
        self.sends.take(self.control)
        book = self.control.book()
        self.ledger.unpaid = self.ledger.feeless | self.control.call(
            lambda g: {e.exec_id.rpartition(".")[0] for e in g.engine.executions if not e.reported}
        )
        self.ledger.held(book.positions[self.start.account])
        journal = read_journal(self.folder)
        # An order that never arrived is given up after two looks: a runner that was started since has had fewer.
        looked = acted and self._started_on < self.day_number
        judge = invariants.every if looked else invariants.without_doubts if acted else invariants.at_a_start
        found = judge(journal, book, self.sends.refs, self.ledger, self.start.account, self.start.limits)
        self._found(found, moment)

    def _found(self, found, moment=""):
        names = [fault.name for _, fault in self.plan.faults]
        # What stays wrong is told once.
        found = [finding for finding in found if finding not in self._known]
        self._known.update(found)
        place = f"{self.where}, day {self.day_number} ({self.today}, {moment}; {names}, {self.plan.death})"
        self.figures.findings += [(place, finding) for finding in found]

    def _tally(self):
        journal, book = read_journal(self.folder), self.control.book()
        self.figures.rebalances += journal.rebalances
        self.figures.limited += journal.limited
        self.figures.untold += len(self.ledger.untold)
        self.figures.feeless += len(self.ledger.feeless)
        self.figures.orders += len(self.sends.refs)
        self.figures.executions += sum(e.account == self.start.account for e in book.executions)
