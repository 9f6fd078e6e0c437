"""Triggers that make the tables append-only: a guard against mistakes, not against who owns the database."""

from __future__ import annotations

import sqlalchemy as sa

from live.journal.schema import metadata, unique_keys

MESSAGE = "the journal is append-only"


def create_guards(connection: sa.Connection) -> None:
    """Refuse UPDATE, DELETE, TRUNCATE and INSERT OR REPLACE on every table; safe to call again."""
    make = _postgresql if connection.dialect.name == "postgresql" else _sqlite
    for statement in make():
        connection.exec_driver_sql(statement)


def _sqlite() -> list[str]:
    raised = f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
    made = []
    for name, table in metadata.tables.items():
        # REPLACE deletes without firing the triggers of DELETE.
        same = [" AND ".join(f"{c} = NEW.{c}" for c in key) for key in unique_keys(table)]
        exists = f"EXISTS (SELECT 1 FROM {name} WHERE {' OR '.join(f'({text})' for text in same)})"  # noqa: S608
        made += [
            f"CREATE TRIGGER IF NOT EXISTS {name}_no_update BEFORE UPDATE ON {name} {raised}",
            f"CREATE TRIGGER IF NOT EXISTS {name}_no_delete BEFORE DELETE ON {name} {raised}",
            f"CREATE TRIGGER IF NOT EXISTS {name}_no_insert BEFORE INSERT ON {name} WHEN {exists} {raised}",
        ]
    return made


def _postgresql() -> list[str]:
    body = f"BEGIN RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation'; END"
    made = [
        f"CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $guard$ {body} $guard$"
    ]
    made += [
        f"CREATE OR REPLACE TRIGGER {name}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {name} "
        "FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
        for name in metadata.tables
    ]
    # One message: a server that is far away answers once.
    return ["; ".join(made)]
