"""The monitor: looks again and again, keeps what it saw, tells who must know. It writes to no journal."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ares7.errors import Ares7Error
from live.alerts.conditions import figures_events, freshness_events, runner_events, unreadable, unusable
from live.alerts.event import Event
from live.alerts.outbox import OutboxFailed
from live.alerts.record import elapsed
from live.alerts.sources import SEVERITIES, FilePlace, file_events, journal_events
from live.monitor.snapshot import Snapshot, snapshot_of
from live.monitor.surroundings import Surroundings, surroundings_of

if TYPE_CHECKING:
    from ares7.config import Config
    from live.alerts.dispatch import Dispatcher
    from live.alerts.outbox import Outbox
    from live.journal.reader import JournalReader
    from live.monitor.place import JournalPlace

EVALUATE_S = 15.0
"""Figures are computed anew when a value was journalled, and after this time."""
RUNNER_CODES = ("runner-gone", "runner-frozen", "runner-silent", "runner-clock", "runner-heartbeat")
"""What the watchdog tells, and the monitor finds itself: one fact, one alert."""
FIGURE_CODES = ("drawdown", "low-sharpe", "figures-unknown", "session-missing", "data-old")
DAY_S = 86400.0
SAME_DEATH_S = 5.0
"""A runner that failed writes so while it ends; its last sign of life is not much later."""


class Watch:
    """Looks at one journal and at the files around it.

    Parameters
    ----------
    config : Config
    place : JournalPlace
        Where the journal lies; it may come later, and go.
    outbox : Outbox
    dispatcher : Dispatcher
    now : callable
        UTC.
    tell : callable
        Shows a line to a person.

    Attributes
    ----------
    latest : Snapshot or None
        Of the last look at the figures; None while the journal cannot be read.
    counts : (dict of severity to int, int)
        Open alerts, and messages that are not delivered.
    """

    def __init__(
        self,
        config: Config,
        place: JournalPlace,
        outbox: Outbox,
        dispatcher: Dispatcher,
        now: Callable[[], dt.datetime],
        tell: Callable[[str], None],
    ) -> None:
        self._config, self._place, self._outbox, self._dispatcher = config, place, outbox, dispatcher
        self._now, self._tell = now, tell
        self.latest: Snapshot | None = None
        self.counts: tuple[dict[str, int], int] = ({}, 0)
        self._evaluated: tuple[int, dt.datetime] | None = None
        self._lost: dt.datetime | None = None
        self._said = ""

    @property
    def mode(self) -> str:
        """Mode of the journal."""
        return self._place.mode

    def look(self, wait_s: float = 0.0) -> None:
        """Look once: take in what is new, tell what is due. Whatever fails is told and tried again next time."""
        now = self._now()
        try:
            self._take_in(now)
            self._dispatcher.step(now, wait_s)
            self._count()
        except Ares7Error as error:
            if str(error) != self._said:
                self._tell(str(error))
            self._said = str(error)
        else:
            self._said = ""

    def _count(self) -> None:
        """Count for whoever asks from another thread."""
        found = dict.fromkeys(SEVERITIES, 0)
        for alert in self._outbox.alerts():
            found[alert.severity] += 1
        self.counts = (found, self._dispatcher.undelivered)

    def _take_in(self, now: dt.datetime) -> None:
        """What others have written comes first, so that the monitor does not say it again."""
        journal = self._reading(now, self._rows)
        around = surroundings_of(self._config, now, journal, self.mode)
        self._lines(self._runner(around, now), now)
        if journal is not None and self._reading(now, partial(self._figures, around)) is not None:
            self._lost = None
            self._outbox.end_others((), ("journal-unreadable",), self.mode, now)

    # The journal

    def _reading(
        self, now: dt.datetime, act: Callable[[JournalReader, dt.datetime], None]
    ) -> JournalReader | None:
        """Do something with the journal; return it, or None if it cannot be read."""
        try:
            journal = self._place.opened()
            act(journal, now)
        except OutboxFailed:
            raise
        except Ares7Error as error:
            self._place.close()
            self._unreadable(error, now)
            return None
        return journal

    def _unreadable(self, error: Ares7Error, now: dt.datetime) -> None:
        self.latest, self._evaluated = None, None
        if self._lost is None:
            self._lost = now
            self._tell(f"the journal cannot be read: {error}")
        if elapsed(self._lost, now) >= self._config.alerts.journal_patience_s:
            self._take([unreadable(self.mode, str(error), now)], now)

    def _rows(self, journal: JournalReader, now: dt.datetime) -> None:
        place = f"journal {self.mode}"
        before = self._outbox.meta(place)
        events, last = journal_events(journal, int(before) if before.isdigit() else 0)
        self._take(events, now)
        self._outbox.set_meta(place, str(last))

    def _figures(self, around: Surroundings, journal: JournalReader, now: dt.datetime) -> None:
        nav = journal.latest_nav()
        number = -1 if nav is None else nav.id or 0
        before = self._evaluated
        if before is not None and before[0] == number and elapsed(before[1], now) < EVALUATE_S:
            return
        config = self._config
        try:
            found = snapshot_of(journal, now, around, calendar=config.data.calendar)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # Rows that nobody foresaw: all else is told all the same.
            self.latest, self._evaluated = None, (number, now)
            self._take([unusable(self.mode, f"{type(error).__name__}: {error}", now)], now)
            return
        # Five sessions a week.
        ages = (config.data.max_fundamentals_age_days, config.data.max_earnings_age_sessions * 7 // 5)
        events = figures_events(found, config.alerts) + freshness_events(found, ages)
        if self._told_of_data(now):
            events = [event for event in events if event.code != "data-old"]
        self._take(events, now)
        self._outbox.end_others(events, FIGURE_CODES, self.mode, now)
        self._acknowledged(journal, now)
        self.latest, self._evaluated = found, (number, now)

    def _told_of_data(self, now: dt.datetime) -> bool:
        """Whether the daily job has told of stale data within a day: it is the same fact."""
        told = self._outbox.alert_of("stale-data")
        return told is not None and elapsed(told.opened_at, now) < DAY_S

    def _acknowledged(self, journal: JournalReader, now: dt.datetime) -> None:
        """Take over what was acknowledged in the journal."""
        known = journal.acknowledged()
        for alert in self._outbox.waiting():
            numbers = [number for mode, number in self._outbox.journal_ids(alert.id) if mode == self.mode]
            if numbers and all(number in known for number in numbers):
                who, note = known[numbers[-1]]
                self._outbox.ack(alert.id, who, note, now)

    # What lies around it

    def _runner(self, around: Surroundings, now: dt.datetime) -> dict[str, int]:
        """Take in what is wrong with the runner; return the alerts that tell it, by code."""
        events = runner_events(around, self.mode, now)
        told: dict[str, int] = {}
        for event in list(events):
            failed = self._same_death(event, around)
            if failed:
                events.remove(event)
                told[event.code] = failed
        numbers = self._take(events, now)
        told |= {event.code: numbers[event.key] for event in events if event.key in numbers}
        codes = (*RUNNER_CODES, "halt") if around.halt_readable else RUNNER_CODES
        self._outbox.end_others(events, codes, self.mode, now)
        return told

    def _same_death(self, event: Event, around: Surroundings) -> int:
        """Return the alert of the runner's own words about its end, 0 if there are none."""
        failed = self._outbox.alert_of("runner-failed") if event.code == "runner-gone" else None
        if failed is None or around.beat is None:
            return 0
        at = self._outbox.last_event_at(failed.id)
        return failed.id if at is not None and (around.beat.time - at).total_seconds() <= SAME_DEATH_S else 0

    def _lines(self, same: dict[str, int], now: dt.datetime) -> None:
        before = FilePlace.parse(self._outbox.meta("alerts.jsonl"))
        events, place = file_events(self._config.daily.logs, before, self._tell)
        for event in events:
            if event.code in same:
                self._outbox.absorb(event, same[event.code])
        self._take([event for event in events if event.code not in same], now)
        self._outbox.set_meta("alerts.jsonl", str(place))

    def _take(self, events: list[Event], now: dt.datetime) -> dict[str, int]:
        return self._outbox.take(events, now, self._config.alerts.group_s) if events else {}

    def close(self) -> None:
        """Let go of journal and outbox."""
        self._place.close()
        self._outbox.close()
