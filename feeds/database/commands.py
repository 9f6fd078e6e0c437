"""The verbs ``data load``, ``data dump`` and ``data role``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ares7.errors import ConfigError

URL = "postgresql://USER@HOST/DATABASE"


@dataclass(frozen=True, slots=True)
class Done:
    """What a verb did: for ``--json``, for a person, exit code."""

    content: dict[str, Any]
    lines: list[str] = field(default_factory=list)
    code: int = 0


def add_database_verbs(verb: Callable[..., Any], data: Any, produce: Callable[..., int]) -> None:
    """Add the verbs.

    Parameters
    ----------
    verb : callable
        ``verb(name, call, *parents, within=, text=)`` makes a parser.
    data : subparsers
        Of ``data``.
    produce : callable
        Runs ``args.act`` and shows what it did.
    """
    made = verb("load", produce, within=data, text=load.__doc__)
    made.set_defaults(act=load)
    made.add_argument("folder", metavar="DIR")
    made.add_argument("--to", required=True, metavar="URL", help=URL)
    made.add_argument("--replace", action="store_true", help="rows of the past that differ are meant")
    made = verb("dump", produce, within=data, text=dump.__doc__)
    made.set_defaults(act=dump)
    made.add_argument("folder", metavar="DIR")
    made.add_argument("--from", required=True, dest="source", metavar="URL", help=URL)
    made = verb("role", produce, within=data, text=role.__doc__)
    made.set_defaults(act=role)
    made.add_argument("name", metavar="NAME")


def _server(text: str, option: str) -> Any:
    from ares7.database_url import database_path
    from feeds.database.server import Server

    try:
        return Server(database_path(text))
    except ValueError as error:
        raise ConfigError(f"{option}: {error}") from None


def load(call: Any) -> Done:
    """Load a data folder into PostgreSQL; again: only what is new.

    Exit 1 if rows of the past differ: then nothing is written.
    """
    from feeds.database.loading import load_folder

    args: argparse.Namespace = call.args
    server = _server(args.to, "--to")
    done = load_folder(Path(args.folder).expanduser(), server, replace=args.replace)
    held = done.content
    content: dict[str, Any] = {
        "load": done.number,
        "content": None if held is None else held.name,
        "changes": None if held is None else held.changes,
        "tables": {change.name: change.counts for change in done.changes},
        "findings": [finding.plain() for finding in done.findings],
    }
    lines = [f"{f.severity} {f.code}: {f.message}" for f in done.findings]
    if done.refused:
        return Done(content, [*lines, "nothing was loaded"], 1)
    for change in done.changes:
        parts = [f"{count} {name}" for name, count in change.counts.items() if count and name != "rows"]
        lines.append(f"{change.name}: {change.rows} rows; {', '.join(parts) or 'all there already'}")
    return Done(content, [*lines, f"load {done.number} into {server}"])


def dump(call: Any) -> Done:
    """Write the tables of a PostgreSQL database as a data folder of Parquet files."""
    from feeds.database.dumping import dump_folder

    args: argparse.Namespace = call.args
    server = _server(args.source, "--from")
    held = dump_folder(server, Path(args.folder).expanduser())
    content = {"folder": args.folder, "content": held.name, "changes": held.changes}
    return Done(content, [f"wrote {args.folder} from {server}"])


def role(call: Any) -> Done:
    """Print the SQL that lets a database user read market data and journals, and write nothing."""
    from feeds.database.roles import reader_sql

    text = reader_sql(call.args.name)
    return Done({"role": call.args.name, "sql": text}, [text.rstrip("\n")])
