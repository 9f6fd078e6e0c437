"""The operator of an episode: accepts differences after some days, trips halts and lifts them."""

from __future__ import annotations

import time

from live.halt.file_source import HaltFile
from live.halt.level import HaltLevel
from live.machine import utc_now
from tests.campaign import operator_deeds
from tests.campaign.books import read_journal
from tests.campaign.ledger import Halt
from tests.campaign.process import Hung, forked

PATIENCE_FOR_SIGNALS = 20.0
"""Real seconds in which a runner puts a signal into the halt file."""


class People:
    """Who is beside the runner.

    Parameters
    ----------
    episode : tests.campaign.episode.Episode
    """

    def __init__(self, episode):
        self._episode = episode
        self._accept_on = self._resume_on = None

    @property
    def halted(self):
        """A halt is in force."""
        return self._resume_on is not None

    def evening(self, *, runner):
        """Do what is due; differences are accepted while there is a ``runner``."""
        day = self._episode.day_number
        if self._resume_on is not None and self._resume_on <= day:
            self._resume()
        if any(self._episode.ledger.drift.values()):
            self._accept_on = self._accept_on or day + self._episode.trouble.rng.randrange(3)
            if runner and self._accept_on <= day:
                self.accept()

    def accept(self):
        """Take every difference over, and say whose foreign holdings are."""
        episode = self._episode
        aside = read_journal(episode.folder).aside
        left = operator_deeds.accept(episode.control, episode.folder, episode.trouble.rng.random() < 0.5)
        episode.figures.accepted += 1
        self._accept_on = None
        if not left:
            episode.ledger.accepted(aside)

    def halt(self, level, way, *, paused=False):
        """Trip a halt from another process; what comes to the socket from now on counts.

        A signal holds once the runner has put it into the halt file. A runner that is killed before has lost it, and
        one that is ``paused`` does it when it goes on.
        """
        episode = self._episode
        if way == "signal" and episode.process is None:
            way = "file"
        pid = 0 if episode.process is None else episode.process.pid
        _in_process(operator_deeds.trip, episode.folder, way, level, pid)
        self._resume_on = episode.day_number + episode.trouble.rng.randint(1, 2)
        if way == "signal" and not paused and not self._is_taken(HaltLevel[level]):
            episode.figures.halts["signals that died with the runner"] += 1
            return
        episode.figures.halts[f"{level} by {way}"] += 1
        episode.ledger.halts.append(Halt(level, way, episode.sends.take(episode.control)))

    def _is_taken(self, level):
        """Wait until the halt file has the level; False if the runner died before."""
        episode, file = self._episode, HaltFile(self._episode.folder, utc_now)
        process, until = episode.process, time.monotonic() + PATIENCE_FOR_SIGNALS
        while file.read().level < level:
            if episode.process is not process:
                return file.read().level >= level
            if time.monotonic() > until:
                raise Hung(
                    f"{episode.where}, day {episode.day_number}: a signal that the runner does not take"
                )
            episode.listen(0.003)
        return True

    def _resume(self):
        episode = self._episode
        _in_process(operator_deeds.resume, episode.folder)
        self._resume_on = None
        sent = episode.sends.take(episode.control)
        for halt in episode.ledger.halts:
            halt.until = sent if halt.until is None else halt.until


def _in_process(deed, *arguments):
    made = forked().Process(target=deed, args=arguments, daemon=True)
    made.start()
    made.join()
    if made.exitcode:
        raise AssertionError(f"{deed.__name__}{arguments} ended with {made.exitcode}")
