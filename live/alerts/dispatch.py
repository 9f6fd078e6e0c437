"""From the outbox to the targets: what is due becomes a message, and is tried until it is told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from ares7.alerts_config import AlertsConfig
from live.alerts.courier import Courier
from live.alerts.outbox import Outbox
from live.alerts.record import Notice
from live.alerts.schedule import due, words

FIRST_RETRY_S, LAST_RETRY_S = 5.0, 600.0
"""A failed delivery is tried again after 5, 10, 20, ... at most 600 s, until it is done or somebody acknowledged."""


def retry_s(attempts: int) -> float:
    """Seconds until the next attempt after so many."""
    return float(min(FIRST_RETRY_S * 2.0 ** min(attempts - 1, 20), LAST_RETRY_S))


class Dispatcher:
    """Tells people.

    Parameters
    ----------
    outbox : Outbox
    courier : Courier
    rules : AlertsConfig
    tell : callable
        Shows a line to a person.
    """

    def __init__(
        self, outbox: Outbox, courier: Courier, rules: AlertsConfig, tell: Callable[[str], None]
    ) -> None:
        self._outbox, self._courier, self._rules, self._tell = outbox, courier, rules, tell
        self._lonely = False

    def step(self, now: dt.datetime, wait_s: float = 0.0) -> None:
        """Write what is due, send what is open, take in what came back; waits only ``wait_s`` for answers."""
        self._take_in(now, wait_s)
        self._write(now)
        self._send(now)

    def finish(self, clock: Callable[[], dt.datetime], patience_s: float) -> None:
        """Wait for what is on its way, up to ``patience_s`` of the clock."""
        until = clock() + dt.timedelta(seconds=patience_s)
        while self._courier.flying and clock() < until:
            self.step(clock(), wait_s=0.05)

    @property
    def undelivered(self) -> int:
        """Messages that some target still has to be told."""
        return len(self._outbox.notices())

    def _write(self, now: dt.datetime) -> None:
        open_notices = {(notice.alert_id, notice.stage) for notice in self._outbox.notices()}
        for alert in self._outbox.waiting():
            found = due(alert, self._rules, max(self._courier.stages, 1), now)
            # While a message about it has not arrived, another one would only come with it.
            if found is not None and (alert.id, found[1]) not in open_notices:
                kind, stage = found
                self._tell(f"ALERT {alert.severity} {alert.code}: {alert.message}")
                self._outbox.notice(alert, kind, stage, *words(alert, kind), now)

    def _send(self, now: dt.datetime) -> None:
        notices = self._outbox.notices()
        if notices and not self._courier.targets and not self._lonely:
            self._lonely = True
            self._tell(f"nobody can be told: {len(notices)} messages wait in {self._outbox.path}")
        for notice in notices:
            self._send_one(notice, now)

    def _send_one(self, notice: Notice, now: dt.datetime) -> None:
        stage = min(notice.stage, self._courier.stages - 1)
        wanted = [target for target in self._courier.targets if target.stage == stage]
        before = self._outbox.deliveries(notice.id)
        missing = [t for t in wanted if t.label not in before or not before[t.label][2]]
        if wanted and not missing:
            self._outbox.settle(notice.id, now)
        for target in missing:
            next_at = before[target.label][1] if target.label in before else None
            if not self._courier.busy(target) and _is_time(next_at, now):
                self._courier.send(notice, target)

    def _take_in(self, now: dt.datetime, wait_s: float) -> None:
        for result in self._courier.results(wait_s):
            attempts = self._outbox.deliveries(result.notice_id).get(result.target, (0, None, False))[0] + 1
            if not result.error:
                self._outbox.delivered(result.notice_id, result.target, now)
                if attempts > 1:
                    self._tell(f"message {result.notice_id} reached {result.target} at attempt {attempts}")
                continue
            pause = retry_s(attempts)
            self._outbox.failed(
                result.notice_id, result.target, result.error, now + dt.timedelta(seconds=pause)
            )
            if attempts & (attempts - 1) == 0:  # 1, 2, 4, 8, ...: a target that is away for days fills no log
                self._tell(
                    f"message {result.notice_id} did not reach {result.target} at attempt {attempts}: {result.error}; "
                    f"tried again in {pause:g} s"
                )


def _is_time(next_at: dt.datetime | None, now: dt.datetime) -> bool:
    """Whether an attempt may be made; one that lies farther off than any pause was planned by another clock."""
    return next_at is None or next_at <= now or (next_at - now).total_seconds() > LAST_RETRY_S
