"""A runner in a process of its own, which says how far it is and waits to be told to go on."""

from __future__ import annotations

import logging
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

import backtrader as bt

from ares7.config import build_config
from ares7.errors import ServiceUnavailable
from feeds.engines import Chosen
from live.client.options import HistoryPacing, Options, Reconnect
from live.interlock import Wish
from live.run_settings import Place
from live.runner import Runner
from live.store_options import StoreOptions
from tests.campaign.churn import Churn, ChurnParams
from tests.campaign.deaths import Death, Moments

CLIENT_ID = 7
UP, RESTING, ACTED, ORDER, DYING, ENDED = "up", "resting", "acted", "order", "dying", "ended"
FIRST_ROUNDS = 3
"""After them a runner with nothing to decide has taken in everything that its start asked for."""
STORE = StoreOptions(clock="gateway", poll_s=0.002, bar_patience_s=1400)
CLIENT = Options(
    messages_per_s=0,
    max_skew_s=None,
    quiet=None,
    request_timeout_s=3.0,
    heartbeat_s=1.0,
    history_timeout_s=10.0,
    reconnect=Reconnect(first_s=0.02, cap_s=0.2),
    history=HistoryPacing(identical_s=0, per_contract=10**6, per_ten_minutes=10**6),
)


@dataclass(frozen=True)
class Start:
    """What a runner is started with; the same for every start on one account but for ``death``.

    Attributes
    ----------
    host, port, account
        Of the double.
    market, folder : Path
        Data folder; folder of journal and halt file.
    churn : ChurnParams
    limits : mapping
    death : Death or None
        When to die, counted from the start of the process.
    """

    host: str
    port: int
    account: str
    market: Path
    folder: Path
    churn: ChurnParams
    limits: dict
    death: Death | None = None

    def dying(self, death):
        """The same, dying at a moment of its start."""
        return replace(self, death=death)


@dataclass(frozen=True)
class GoOn:
    """Answer to everything but `ENDED`: go on, and die or stop later."""

    death: Death | None = None
    pause_at: int = 0
    """Say `ORDER` before the n-th order from now; 0 for never."""
    keep: bool = False
    """What was said last still holds."""
    end: bool = False
    """End in order, as after Ctrl-C."""


class Parley(bt.Analyzer):
    """Says when the runner is up and when it has acted on a session."""

    params = (("runner", None),)

    def start(self):
        self.p.runner.is_up()

    def prenext(self):
        self.next()

    def nextstart(self):
        self.next()

    def next(self):
        self.p.runner.has_acted(self.strategy.datetime.date(0))


class ObservedRunner(Runner):
    """The runner of production, with somebody who asks how far it is."""

    parley = moments = rounds = None

    def _portfolio(self):
        portfolio = super()._portfolio()
        portfolio.cerebro.addanalyzer(Parley, runner=self)
        return portfolio

    def is_up(self):
        """Compared with the gateway, nothing decided yet."""
        self._orders, self._pause_at = 0, 0
        self._written, self.store.desk.journal = self.store.desk.journal, self._before_order
        again = self.store.feeds.again
        self._say(UP, again)
        self._again, self._first_rounds = again, FIRST_ROUNDS
        self._round_before, self.store.on_round = self.store.on_round, self._one_round

    def _one_round(self):
        self._round_before()
        self.rounds.value += 1
        self._first_rounds -= 1
        if self._first_rounds == 0:
            self._say(RESTING, self._again)

    def has_acted(self, session):
        """What was decided is at the gateway before anybody is told."""
        try:
            self.store.begin_round()
            self.store.client.server_time()
        except ServiceUnavailable:
            # The connection broke meanwhile: the next session will show what became of the orders.
            pass
        self._say(ACTED, session)

    def _before_order(self, ticket, order_id):
        self._orders += 1
        if self._orders == self._pause_at:
            self._say(ORDER, ticket.ref)
        self._written(ticket, order_id)

    def _say(self, what, about):
        self.parley.send((what, about))
        answer = self.parley.recv()
        if answer.keep:
            return
        self.moments.await_death(answer.death)
        self._orders, self._pause_at = 0, answer.pause_at
        if answer.end:
            raise KeyboardInterrupt


def configuration(start):
    """The same for every start: the rebalance's number is made of it."""
    data = {"path": str(start.market), "cache": str(start.folder / "cache"), "etfs": []}
    given = {"costs": {"model": "bps", "bps": 10}, "data": data, "limits": start.limits}
    return build_config(given, start.folder, "campaign")


def run(start, parley, rounds):
    """Run until somebody ends it; says `ENDED` with the error, if it is not killed. Counts its rounds."""
    # A gateway that cuts the connection is no news here.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    moments = Moments(lambda death, step: parley.send((DYING, (death, step))))
    moments.watch()
    moments.await_death(start.death)
    place = Place(start.host, start.port, CLIENT_ID, start.account, STORE, CLIENT, start.folder)
    chosen = Chosen("churn", Churn, start.churn)
    with (start.folder / "told.log").open("a", encoding="utf-8", buffering=1) as told:
        runner = ObservedRunner(
            configuration(start),
            chosen,
            place,
            Wish("paper", True, "shadow", ""),
            lambda line: told.write(line + "\n"),
            start_now=True,
        )
        runner.parley, runner.moments, runner.rounds = parley, moments, rounds
        try:
            runner.run()
            parley.send((ENDED, ""))
        except KeyboardInterrupt:
            parley.send((ENDED, ""))
        except BaseException as error:
            told.write(traceback.format_exc())
            parley.send((ENDED, f"{type(error).__name__}: {error}"))
