"""The drift of one session for its report: an account against the shadow run beside it, both from the same shares."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np

from ares7.config import Config
from ares7.errors import Ares7Error
from ares7.panel import Panel
from live.book_history import of_journal, traded_names
from live.drift import Drift, drift
from live.journal.reader import JournalReader
from live.journal_choice import KnownJournals
from live.model_book import SHADOW, decided_names, of_shadow, splits_of
from live.price_table import PriceTable


def day_drift(
    config: Config, journal: JournalReader, panel: Panel, session: dt.date, reports: Path
) -> dict[str, Drift]:
    """Return why an account moved otherwise in a session than the shadow run's decisions would have.

    Parameters
    ----------
    config : Config
    journal : JournalReader
        Of the account, with the closing value of the session.
    panel : Panel
        Up to the session.
    session : date
    reports : Path
        Folder of the day reports: the one before has the closes at which the account was valued then.

    Returns
    -------
    dict
        Empty if no shadow run acted on the session before.

    Raises
    ------
    Ares7Error
        A journal cannot be read, or a name has no price.
    """
    known = KnownJournals(config.live.journal, config.halt.folder)
    closes = [nav.session for nav in journal.navs("close") if nav.session < session]
    if journal.mode == SHADOW or not closes or SHADOW not in known.modes():
        return {}
    with JournalReader.open(known.url(SHADOW), SHADOW) as shadow:
        if closes[-1] not in {nav.session for nav in shadow.navs("close")} or not _same_strategy(
            journal, shadow
        ):
            return {}
        dates = np.array([closes[-1], session], dtype="datetime64[D]")
        names = sorted((set(traded_names(journal)) | decided_names(shadow)) & set(panel.symbols))
        table = PriceTable.of(panel, "traded")
        table.require(dates)
        close = table.closes(names, dates)
        valued = _valued(reports / f"day-{closes[-1]}-{journal.mode}.json")
        # A panel of a gateway rescales earlier closes after a dividend.
        close[0] = [valued.get(name, price) for name, price in zip(names, close[0].tolist(), strict=True)]
        live = of_journal(journal, dates, names, close)
        splits = splits_of(journal, live)
        book = of_shadow(shadow, live, table.opens(names, dates), config.costs, splits)
        return {f"{journal.mode} against shadow, this session": drift(live, book)}


def _same_strategy(journal: JournalReader, shadow: JournalReader) -> bool:
    return journal.runs()[-1].strategy == shadow.runs()[-1].strategy


def _valued(path: Path) -> dict[str, float]:
    """Closes by name of an earlier report; empty without one."""
    try:
        found = json.loads(path.read_bytes()).get("closes_usd")
    except (OSError, ValueError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


def told_drift(
    config: Config, journal: JournalReader, panel: Panel, session: dt.date, reports: Path
) -> tuple[dict[str, Drift], str]:
    """Return `day_drift`, or nothing and why: a report is written whatever a shadow run does."""
    try:
        return day_drift(config, journal, panel, session, reports), ""
    except Ares7Error as error:
        return {}, f"the report of {session} has no drift: {error}"
