"""A process that loads a folder, and tells when each table is in the transaction; to be killed by a test."""

from __future__ import annotations

import sys
from pathlib import Path

from ares7.database_url import database_path
from feeds.database import loading
from feeds.database.server import Server


def say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def main(folder: str, url: str, stop_after: str) -> None:
    load_table = loading._load_table

    def told(connection, layout, *rest):
        load_table(connection, layout, *rest)
        if layout.name == stop_after:
            say(layout.name)
            sys.stdin.readline()

    loading._load_table = told
    loading.load_folder(Path(folder), Server(database_path(url)), replace=True)
    say("done")


main(*sys.argv[1:])
