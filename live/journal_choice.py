"""Which journal a command reads and writes: of one mode, in a file of SQLite or in a PostgreSQL database."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ares7.errors import ConfigError, MissingData

if TYPE_CHECKING:
    from ares7.config import Config
    from live.commands import Call
    from live.journal.reader import JournalReader

MODES = ("paper", "real", "shadow", "simulated")


def journal_options() -> argparse.ArgumentParser:
    """Options that choose a journal."""
    kept = argparse.ArgumentParser(add_help=False)
    kept.add_argument("--mode", choices=MODES, help="whose journal; default: the only one that there is")
    kept.add_argument("--journal", metavar="URL", help="default: live.journal, or a file in halt.folder")
    return kept


@dataclass(frozen=True, slots=True)
class KnownJournals:
    """The journals of a configuration.

    Attributes
    ----------
    configured : str
        ``live.journal``: URL of a PostgreSQL database, or empty.
    folder : Path
        Holds the files of SQLite.
    """

    configured: str
    folder: Path

    @classmethod
    def of(cls, config: Config) -> KnownJournals:
        """Return those of a configuration."""
        return cls(config.live.journal, config.halt.folder)

    def url(self, mode: str) -> str:
        """Return where the journal of a mode lies.

        Raises
        ------
        ConfigError
            ``live.journal`` is no URL of a PostgreSQL database.
        """
        from live.journal.place import journal_url

        return journal_url(self.configured, self.folder, mode)

    def modes(self) -> list[str]:
        """Modes of which there is a journal.

        Raises
        ------
        ConfigError, JournalUnavailable
        """
        if self.configured:
            from live.journal.schemas import modes_on

            there = modes_on(self.url("paper"))
        else:
            there = {mode for mode in MODES if (self.folder / f"journal-{mode}.sqlite").exists()}
        return [mode for mode in MODES if mode in there]

    def __str__(self) -> str:
        """Where, without a password."""
        if not self.configured:
            return str(self.folder)
        from live.journal.schemas import server_of

        return str(server_of(self.configured))


def url_and_mode(call: Call) -> tuple[str, str]:
    """Return URL and mode of the journal that a command line means.

    Raises
    ------
    ConfigError
        There are several, or the options contradict each other.
    MissingData
        There is none.
    JournalUnavailable
        The server does not answer.
    """
    args, known = call.args, KnownJournals.of(call.config)
    if args.journal is not None:
        if args.mode is None:
            raise ConfigError("--journal also needs --mode: every mode has a journal of its own")
        return args.journal, args.mode
    found = [args.mode] if args.mode is not None else known.modes()
    if not found:
        raise MissingData(
            f"{known} holds no journal yet; start run.py paper once, or name the journal with --journal and --mode"
        )
    if len(found) > 1:
        raise ConfigError(f"{known} holds journals of {', '.join(found)}; choose one with --mode")
    return known.url(found[0]), found[0]


@contextmanager
def reading(call: Call) -> Iterator[JournalReader]:
    """Read the journal that a command line means."""
    from live.journal.reader import JournalReader

    with JournalReader.open(*url_and_mode(call)) as journal:
        yield journal
