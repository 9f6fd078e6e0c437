"""What a person does beside a runner: halts, resumes, accepts differences. Halts come from a process of their own."""

from __future__ import annotations

import os
import signal

from live.client.client import Client
from live.halt.file_source import HaltFile
from live.halt.level import HaltLevel
from live.journal.operator_journal import OperatorJournal
from live.journal.place import default_url
from live.machine import utc_now
from live.reconcile.hints import PriceHints
from live.reconcile.journal_side import JournalAdapter, adjustments_of
from live.reconcile.ownership import ALL, accepted, adopted, ignored
from live.reconcile.rounds import Reconciler
from tests.campaign.child import CLIENT, CLIENT_ID

WHO = "campaign"
OPERATOR_OFFSET = 2000


def trip(folder, way, level, pid):
    """Halt by the file, by a row of the journal or by a signal; whichever it is, it holds when this returns."""
    if way == "file":
        HaltFile(folder, utc_now).trip(HaltLevel[level], WHO, "drill")
    elif way == "journal":
        with OperatorJournal.open(default_url(folder, "paper"), "paper") as journal:
            journal.halt(level, WHO, "drill")
    else:
        os.kill(pid, signal.SIGUSR1 if level == "BLOCK_NEW" else signal.SIGUSR2)


def resume(folder):
    """Lift the halt of file and journal."""
    HaltFile(folder, utc_now).resume(WHO, "drill over")
    with OperatorJournal.open(default_url(folder, "paper"), "paper") as journal:
        latest = journal.latest_halt()
        if latest is not None and latest.level != "NONE":
            journal.halt("NONE", WHO, "drill over")


def accept(control, folder, adopts):
    """Take over every difference; foreign holdings are adopted, or set aside."""
    with OperatorJournal.open(default_url(folder, "paper"), "paper") as journal:
        options = CLIENT.model_copy(update={"read_only": True})
        with Client(
            control.host, control.port, CLIENT_ID + OPERATOR_OFFSET, control.account, options=options
        ) as client:
            mine = Reconciler(
                client, JournalAdapter(journal), client.server_time, PriceHints(journal, client)
            )
            found = mine.round("operator")
            decisions = (adopted if adopts else ignored)(found, [ALL])
            taken = {one.con_id for one in decisions}
            decisions += [one for one in accepted(found, [ALL]) if one.con_id not in taken]
            journal.adopt(*adjustments_of(decisions, journal, WHO, client.server_time()))
            return mine.round("operator")
