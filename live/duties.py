"""What a runner does besides trading: its run in the journal, signs of life, halts, alerts, the close of a session."""

from __future__ import annotations

import datetime as dt
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from ares7.config import Config
from ares7.errors import Ares7Error
from ares7.explain import Dissection, Explainer
from ares7.limits import Limits
from ares7.panel import Panel
from feeds.engines import Chosen
from feeds.limit_report import sectors_of
from live.capital import Capital
from live.conductor import Conductor
from live.day_drift import told_drift
from live.day_report import DayPrice, day_record, write_day_report
from live.halt.file_source import HaltFile
from live.halt.journal_source import JournalSource
from live.halt.redis_source import RedisSource, connect
from live.halt.signal_source import SignalSource
from live.halt.switch import HaltSource, HaltSwitch
from live.heartbeat import STARTING, STOPPED, Heartbeat
from live.journal import rows
from live.journal.writer import Journal
from live.machine import utc_now
from live.mandate import Mandate, Market
from live.pre_trade import Day, PreTrade
from live.reconcile.journal_side import owners_of
from live.reconcile.ownership import require_sole_strategy
from live.redis_state import RedisState, session_state


class Duties:
    """Duties of one run.

    Parameters
    ----------
    config : Config
    chosen : Chosen
    journal : Journal
    folder : Path
        Of halt file, heartbeat and day reports.
    tell : callable
        Shows a line to a person.
    client_id : int
    armed : bool
        Orders are sent.

    """

    def __init__(
        self,
        config: Config,
        chosen: Chosen,
        journal: Journal,
        folder: Path,
        tell: Callable[[str], None],
        *,
        client_id: int = 0,
        armed: bool = True,
    ) -> None:
        self._config, self._chosen, self._journal, self._folder = config, chosen, journal, folder
        self._tell, self._client_id, self._armed = tell, client_id, armed
        self._heartbeat = Heartbeat(folder, utc_now)
        self._halt_file = HaltFile(folder, utc_now)
        self._redis = RedisState(config.redis, journal.mode)
        self._switch: HaltSwitch | None = None

    # The run

    @contextmanager
    def run(self) -> Iterator[None]:
        """Journal the start and the end of a run.

        Only an orderly end, or a person's, tells the watchdog that silence is meant.

        Raises
        ------
        ConfigError
            Another strategy trades on this account.
        """
        run = rows.Run(
            self._chosen.name,
            self._config.digest(),
            pid=os.getpid(),
            host=socket.gethostname(),
            client_id=self._client_id,
            armed=self._armed,
        )
        self._journal.begin_run(run)
        self.beat(STARTING)
        try:
            require_sole_strategy(self._chosen.name, owners_of(self._journal))
            yield
        except BaseException as error:
            # What went wrong matters more than that it could not be written.
            meant = isinstance(error, KeyboardInterrupt | SystemExit)
            with suppress(Ares7Error):
                self._journal.end_run(f"{type(error).__name__}: {error}")
                if not meant:
                    self.alarm("runner-failed", f"{type(error).__name__}: {error}")
            if meant:
                self.beat(STOPPED)
            raise
        else:
            self._journal.heartbeat(rows.Heartbeat(STOPPED, os.getpid()))
            self._journal.end_run("finished")
            self.beat(STOPPED)
        finally:
            self._redis.close()

    def beat(self, state: str, session: dt.date | None = None) -> None:
        """Write a sign of life, of a run that sends orders only.

        A shadow run may use the folder of one that trades: its sign of life would speak for the other.
        """
        if self._armed:
            self._heartbeat.beat(state, session)
            self._redis.beat(state, session)

    @contextmanager
    def halting(self) -> Iterator[HaltSwitch]:
        """Read the halt from everywhere that may halt: file, signals, journal, and Redis if one is configured."""
        self._halt_file.prepare()
        halt = self._config.halt
        signals = SignalSource(self._halt_file, utc_now)
        sources: list[HaltSource] = [self._halt_file, signals, JournalSource(self._journal)]
        redis = None
        if halt.redis is not None:
            redis = RedisSource(connect(halt.redis), halt.redis_key, self._folder, utc_now, self.alarm)
            sources.append(redis)
        signals.install()
        try:
            self._switch = HaltSwitch(sources, self.alarm, utc_now)
            yield self._switch
        finally:
            signals.restore()
            if redis is not None:
                redis.close()

    def conductor(
        self, columns: Sequence[tuple[str, int | None]], market: Market, switch: HaltSwitch
    ) -> Conductor:
        """Make what carries out the decisions of this run.

        Parameters
        ----------
        columns : sequence of (symbol, contract id or None)
            Of the panel; a name without a contract is never traded.
        market : Market
        switch : HaltSwitch
        """
        config, limits = self._config, Limits(self._config.limits)
        contracts = [contract for _, contract in columns]
        mandate = Mandate(
            self._chosen.name,
            config.digest(),
            self._client_id,
            {symbol: contract for symbol, contract in columns if contract is not None},
            sectors_of(config),
            Capital(config.live, contracts, self._journal.ignored),
            limits,
            config.live.remainder_sessions,
        )
        pre_trade = PreTrade(limits, switch, Day({}, float("nan"), float("nan")))
        return Conductor(self._journal, mandate, market, pre_trade, alert=self.alert, explain=self.explained)

    def explained(self, panel: Panel) -> Dissection | str:
        """Take the latest row of targets apart, or say why that cannot be done."""
        try:
            return Explainer(panel, self._chosen.strategy, self._chosen.settings).at(len(panel.dates) - 1)
        except Ares7Error as error:
            return str(error)

    # A session

    def closed(self, nav: rows.Nav, panel: Panel) -> None:
        """Journal what the account is worth at a close, and write the report of the session.

        Parameters
        ----------
        nav : Nav
        panel : Panel
            Up to the session.
        """
        self._journal.nav(nav)
        self._journal.heartbeat(rows.Heartbeat("running", os.getpid(), nav.session))
        reports = self._folder / "days"
        drifts, why_not = told_drift(self._config, self._journal, panel, nav.session, reports)
        if why_not:
            self._tell(why_not)
        record = day_record(self._journal, nav.session, _prices(panel, nav.session), drifts)
        write_day_report(reports, record)
        state = session_state(
            nav,
            strategy=self._chosen.name,
            halt="NONE" if self._switch is None else self._switch.level().name,
            positions={held.symbol: held.shares for held in self._journal.positions().values()},
            alerts=len(record["alerts"]),
        )
        self._redis.publish(state)

    # Alerts

    def alarm(self, code: str, text: str) -> None:
        """Alert of severity ``error``."""
        self.alert("error", code, text)

    def alert(self, severity: str, code: str, text: str) -> None:
        """Journal an alert and show it; one that cannot be journalled is shown all the same.

        Raises
        ------
        JournalUnavailable
            The journal is lost for this run.
        """
        self._tell(f"ALERT {severity} {code}: {text}")
        try:
            self._journal.alert(rows.Alert(severity=severity, code=code, message=text))
        except Ares7Error as error:
            self._tell(f"the alert is not in the journal: {error}")
            if self._journal.is_lost:
                # No order can leave any more. Ending leaves those that work alone; going on would count as a halt.
                raise


def _prices(panel: Panel, session: dt.date) -> dict[str, DayPrice]:
    opens, closes = panel.fields["open"][-1], panel.fields["close"][-1]
    return {
        name: DayPrice(float(opens[i]), float(closes[i]))
        for i, name in enumerate(panel.symbols)
        if panel.dates[-1].item() == session and np.isfinite(opens[i]) and np.isfinite(closes[i])
    }
