"""SQL that lets a database user read, and nothing else."""

from __future__ import annotations

import re

from ares7.errors import ConfigError

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_TEXT = """\
-- Lets {name} read market data (ares7_data) and journals (ares7_paper, ...), and write nothing.
-- Run it as the user who loads data and runs the runner, who owns the schemas; again after a new schema was made:
--     python run.py data role {name} | psql --single-transaction --set ON_ERROR_STOP=1 --dbname DATABASE
-- It sets no password: \\password {name}
DO $ares7$
DECLARE
    place text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') THEN
        CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO {name}', current_database());
    FOR place IN SELECT nspname FROM pg_namespace WHERE nspname ~ '^ares7_[a-z]+$' ORDER BY nspname LOOP
        EXECUTE format('REVOKE ALL ON SCHEMA %I FROM {name}', place);
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM {name}', place);
        EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA %I FROM {name}', place);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO {name}', place);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO {name}', place);
        EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT ON TABLES TO {name}', place);
    END LOOP;
END
$ares7$;
ALTER ROLE {name} SET default_transaction_read_only = on;
"""


def reader_sql(name: str) -> str:
    """Return the statements for a role that reads.

    Parameters
    ----------
    name : str
        Of the role; it is made if it is not there.

    Raises
    ------
    ConfigError
        The name is not of lower-case letters, digits and underscores, or the server's own.
    """
    if (
        not _NAME.fullmatch(name)
        or name.startswith("pg_")
        or name in ("public", "none", "user", "current_user")
    ):
        raise ConfigError(
            f"role {name!r} is no name for a role; write lower-case letters, digits and underscores, for example "
            "ares7_reader"
        )
    return _TEXT.format(name=name)
