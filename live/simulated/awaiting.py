"""Waits for the next session: its close by the clock, its rows in the data folder."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from ares7.config import LiveConfig
from ares7.errors import DataError, StaleData
from live.live_panel import Roster
from live.simulated.bars import GrowingFolder
from live.simulated.days import ExchangeDays

SHOWN = 5


class Awaiting:
    """Says whether a session may be acted on.

    Parameters
    ----------
    folder : GrowingFolder
    days : ExchangeDays
    live : LiveConfig
        ``bar_patience_s`` and ``on_missing``.
    now : callable
        UTC.
    tell : callable
    """

    def __init__(
        self,
        folder: GrowingFolder,
        days: ExchangeDays,
        live: LiveConfig,
        now: Callable[[], dt.datetime],
        tell: Callable[[str], None],
    ) -> None:
        self._folder, self._days, self._now, self._tell = folder, days, now, tell
        self._patience, self._aborts = dt.timedelta(seconds=live.bar_patience_s), live.on_missing == "abort"
        self._told = ""

    def look(self) -> None:
        """Read the folder again if it changed; what is half written is read once it has changed again."""
        try:
            self._folder.renewed()
        except DataError as error:
            self._say(f"the data folder cannot be read now: {error}")

    def _say(self, text: str) -> None:
        """Show a line, once in a row."""
        if text != self._told:
            self._told = text
            self._tell(text)

    def latest_settled(self) -> dt.date:
        """Return the newest session of the folder that is final by the clock."""
        session = self._days.on_or_after(self._folder.latest)
        while session > self._folder.first and self._now() < self._days.settled(session):
            session = self._days.before(session)
        return session

    def is_due(self, session: dt.date) -> bool:
        """Whether a session has closed, and so long ago that its bars are final."""
        return self._now() >= self._days.settled(session)

    def lacking(self, session: dt.date, roster: Roster) -> tuple[str, ...]:
        """Indices without a value of a session, and names that had a bar in the session before and have none now."""
        there = self._folder.traded_on(session)
        before = self._folder.traded_on(self._days.before(session))
        expected = {name for name in roster.symbols if name in before} | set(roster.indices.values())
        return tuple(sorted(expected - there))

    def why_not(self, session: dt.date, roster: Roster) -> str:
        """Return why a session cannot be acted on yet, or an empty text.

        Raises
        ------
        StaleData
            The folder has later sessions and not this one, or lacks names and ``live.on_missing`` is abort.
        """
        folder = self._folder
        if not self.is_due(session):
            return f"session {session} is final at {self._days.settled(session):%Y-%m-%d %H:%M} UTC"
        if not folder.has(session):
            if folder.latest > session:
                raise StaleData(
                    f"{folder.folder} has no bar of session {session} and has some of {folder.latest}; nothing is "
                    "decided out of order; add the missing session"
                )
            return f"{folder.folder} has no bar of session {session}, the newest are of {folder.latest}; load them"
        lacking = self.lacking(session, roster)
        if not lacking:
            return ""
        named = f"{', '.join(lacking[:SHOWN])} ({len(lacking)} names)"
        until = self._days.closes(session) + self._patience
        if self._now() < until:
            waited = f"they are waited for until {until:%Y-%m-%d %H:%M} UTC"
            return f"{folder.folder} has no bar of session {session} for {named}; {waited}"
        if self._aborts:
            raise StaleData(
                f"no bar of {session} for {named}; nothing was decided; find out why, or set live.on_missing: skip"
            )
        self._say(f"session {session} without {named}")
        return ""
