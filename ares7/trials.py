"""The trial ledger: every parameter point ever evaluated, so that a winner can be held against all of them.

A *trial* is one point evaluated on one data set and range of dates. Trials belong to one *family*, whose size
is the number that a deflated Sharpe ratio needs, where they were tried on the same luck:

- the same market, real or one synthetic market;
- sets of symbols of which the smaller lies by more than half in the larger, so that neither an added name nor
  a narrowed universe starts a new count;
- dates that share at least one session, so that an appended day does not either;

and whatever is in a family with one of them (transitive closure). The fields that were read make no
difference: the prices whose luck a selection exploits are the same, whichever other columns it looked at.
Neither do data hash, costs or version of the code: a later download, another fee or a corrected line gives
the same names in the same years.
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, get_args

import numpy as np

from ares7.errors import ConfigError
from ares7.trials_family import Family, family_of, recorded_market, weekly
from ares7.trials_records import (
    Count,
    DataSet,
    ReturnMoments,
    Touch,
    Trial,
    canonical,
    condition_columns,
    data_set_of,
    day,
    figure_columns,
    iso,
    params_hash,
    point_columns,
    trial_of,
    universe_key,
    utc,
    weekly_columns,
)
from ares7.trials_schema import failing, open_ledger, transaction

__all__ = [
    "Count",
    "DataSet",
    "Family",
    "Purpose",
    "ReturnMoments",
    "Touch",
    "Trial",
    "TrialLedger",
    "canonical",
    "data_set_of",
    "params_hash",
    "universe_key",
    "weekly",
]

Columns = tuple[str | int, ...]
Purpose = Literal["grid", "walkforward", "optimize", "backtest", "cpcv"]


class TrialLedger:
    """A ledger file, open for reading and appending; a context manager.

    Several processes may have it open; one thread a ledger. Nothing is ever changed or deleted.

    Parameters
    ----------
    path : Path
        Made where it is not there, with its folder.

    Raises
    ------
    DataError
        Here and by every method: the file is damaged, no ledger, of a newer version, on a full disk or not to
        be written. What was recorded before stays.
    ServiceUnavailable
        Likewise: another process held it for a minute.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = open_ledger(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def _using(self, lock: Literal["IMMEDIATE", "DEFERRED"]) -> Iterator[sqlite3.Connection]:
        """One transaction, to write (immediate) or to read (deferred): whole, and of one moment."""
        with failing(self.path), transaction(self._connection, lock):
            yield self._connection

    def record(
        self, data_set: DataSet, trials: Sequence[Trial], *, run: str, purpose: Purpose, created: dt.datetime
    ) -> int:
        """Append trials, all of them or none; on the disk when it returns.

        A trial that is there already (same data set and hash, dates, settings, version of the code, strategy
        and parameters) is left as it is.

        Parameters
        ----------
        run : str
            Name of the run that evaluated them.
        created : datetime
            When, with a time zone; stored in UTC.

        Returns
        -------
        int
            How many were new.

        Raises
        ------
        ConfigError
            A purpose that does not exist, a time without a zone, parameters that are no JSON, dates or weeks
            that cannot be; nothing is recorded.
        """
        if purpose not in get_args(Purpose):
            raise ConfigError(f"trial purpose {purpose!r} does not exist; use one of {get_args(Purpose)}")
        stamp = utc(created)
        new = 0
        with self._using("IMMEDIATE") as connection:
            batch = connection.execute(_INSERT_BATCH, (run, purpose, stamp)).lastrowid
            data_set_id = _data_set_id(connection, data_set)
            conditions: dict[tuple[str, ...], int] = {}
            for trial in trials:
                under = condition_columns(trial)
                if under not in conditions:
                    of_batch = (data_set_id, data_set.data_hash, *under)
                    conditions[under] = _row_id(connection, _INSERT_CONDITIONS, _FIND_CONDITIONS, of_batch)
                digest, *point_text = point_columns(trial)
                point = _row_id(connection, _INSERT_POINT, _FIND_POINT, (digest,), *point_text)
                columns = (conditions[under], point, batch, *figure_columns(trial))
                weeks = weekly_columns(trial)
                done = connection.execute(_INSERT_TRIAL, columns)
                new += done.rowcount
                if done.rowcount and weeks:
                    connection.execute(_INSERT_WEEKS, (done.lastrowid, *weeks))
        return new

    def family(self, data_set: DataSet, *, limit: int = 5000) -> Family:
        """Collect all trials that share their luck with a data set, by whatever run and purpose.

        Parameters
        ----------
        limit : int
            Rows of `Family.weekly` at most, the newest first; it bounds the memory, never the counts.
        """
        with self._using("DEFERRED") as connection:
            market = recorded_market(connection, data_set.market, data_set.symbols)
            return family_of(connection, market, data_set.first, data_set.last, limit)

    def known(
        self,
        data_set: DataSet,
        settings_hash: str,
        first: np.datetime64,
        last: np.datetime64,
        *,
        code_version: str,
    ) -> set[str]:
        """`params_hash` of every trial of exactly this data, settings, dates and version of the code."""
        with self._using("DEFERRED") as connection:
            found = connection.execute(
                _KNOWN, _known_key(data_set, settings_hash, first, last, code_version)
            ).fetchall()
        return {row[0] for row in found}

    def stored(
        self,
        data_set: DataSet,
        settings_hash: str,
        first: np.datetime64,
        last: np.datetime64,
        *,
        code_version: str,
    ) -> dict[str, Trial]:
        """Read the trials of `known` back, by `params_hash`; weekly returns come back as float32."""
        key = _known_key(data_set, settings_hash, first, last, code_version)
        with self._using("DEFERRED") as connection:
            return {row[0]: trial_of(row) for row in connection.execute(_STORED, key)}

    def touch(
        self,
        window_name: str,
        start: np.datetime64,
        end: np.datetime64,
        data_set: DataSet,
        run: str,
        reason: str,
        *,
        created: dt.datetime,
    ) -> None:
        """Mark an out-of-sample window, both dates inclusive, as used by a selection.

        Raises
        ------
        ConfigError
            Dates in the wrong order, or a time without a zone.
        """
        if not start <= end:
            raise ConfigError(f"window {window_name} runs from {start} to {end}; give the earlier date first")
        stamp = utc(created)
        with self._using("IMMEDIATE") as connection:
            key = _data_set_id(connection, data_set)
            connection.execute(
                "INSERT INTO touched_windows (data_set, name, first_date, last_date, run, reason, created) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (key, window_name, iso(start), iso(end), run, reason, stamp),
            )

    def touched(self, data_set: DataSet) -> list[Touch]:
        """Windows used by a selection on a universe that shares its luck, and that overlap the dates.

        Ordered by when they were marked.
        """
        with self._using("DEFERRED") as connection:
            alike = recorded_market(connection, data_set.market, data_set.symbols).alike
            found = connection.execute(
                "SELECT name, first_date, last_date, run, reason, created FROM touched_windows WHERE data_set IN "
                "(SELECT value FROM json_each(?)) AND first_date <= ? AND last_date >= ? ORDER BY id",
                (json.dumps(alike), iso(data_set.last), iso(data_set.first)),
            ).fetchall()
        return [Touch(name, day(start), day(end), *rest) for name, start, end, *rest in found]

    def counts(self) -> list[Count]:
        """What is recorded, by market, universe, strategy and purpose."""
        with self._using("DEFERRED") as connection:
            return [Count(*row) for row in connection.execute(_COUNTS)]


# The queries are put together from these constants alone; whatever varies is a parameter.
_FIGURES = (
    "sessions, sharpe, mean, sd, skew, kurtosis, active_sharpe, active_mean, active_sd, active_skew, "
    "active_kurtosis, nav_ratio, max_drawdown, turnover"
)
_INSERT_DATA_SET = "INSERT INTO data_sets (market, universe_key, fields, symbols) VALUES (?, ?, ?, ?)"
_FIND_DATA_SET = "SELECT id FROM data_sets WHERE market = ? AND universe_key = ? AND fields = ?"
_INSERT_CONDITIONS = (
    "INSERT INTO conditions (data_set, data_hash, first_session, last_session, settings_hash, code_version) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
_FIND_CONDITIONS = (
    "SELECT id FROM conditions WHERE data_set = ? AND data_hash = ? AND first_session = ? "
    "AND last_session = ? AND settings_hash = ? AND code_version = ?"
)
_INSERT_POINT = "INSERT INTO points (params_hash, strategy, params) VALUES (?, ?, ?)"
_FIND_POINT = "SELECT id FROM points WHERE params_hash = ?"
_INSERT_BATCH = "INSERT INTO batches (run, purpose, created) VALUES (?, ?, ?)"
_INSERT_TRIAL = f"INSERT INTO trials (conditions, point, batch, {_FIGURES}) VALUES ({', '.join('?' * 17)})"  # noqa: S608
_INSERT_WEEKS = "INSERT INTO weekly_returns (trial, first_week, active) VALUES (?, ?, ?)"
_SAME = (
    "FROM data_sets AS d JOIN conditions AS c ON c.data_set = d.id JOIN trials AS t ON t.conditions = c.id "
    "JOIN points AS p ON p.id = t.point "
    "WHERE d.market = ? AND d.universe_key = ? AND d.fields = ? AND c.data_hash = ? "
    "AND c.first_session = ? AND c.last_session = ? AND c.settings_hash = ? AND c.code_version = ?"
)
_KNOWN = f"SELECT p.params_hash {_SAME}"
_STORED = (
    "SELECT p.params_hash, p.strategy, p.params, c.first_session, c.last_session, c.settings_hash, "  # noqa: S608
    "c.code_version, (SELECT first_week FROM weekly_returns WHERE trial = t.id), "
    f"(SELECT active FROM weekly_returns WHERE trial = t.id), {_FIGURES} {_SAME}"
)
_COUNTS = (
    "SELECT market, universe_key, strategy, purpose, count(*), count(DISTINCT params_hash || settings_hash), "
    "min(first_session), max(last_session), max(created) FROM every_trial "
    "GROUP BY market, universe_key, strategy, purpose ORDER BY market, universe_key, strategy, purpose"
)


def _row_id(connection: sqlite3.Connection, insert: str, select: str, key: Columns, *rest: str) -> int:
    """Id of the row with this key, inserted with ``rest`` where it is not there."""
    done = connection.execute(insert, (*key, *rest))
    if done.rowcount:
        return int(done.lastrowid or 0)
    return int(connection.execute(select, key).fetchone()[0])


def _data_set_id(connection: sqlite3.Connection, data_set: DataSet) -> int:
    key = (data_set.market, data_set.universe_key, data_set.fields_key)
    symbols = json.dumps(sorted(set(data_set.symbols)))
    return _row_id(connection, _INSERT_DATA_SET, _FIND_DATA_SET, key, symbols)


def _known_key(
    data_set: DataSet, settings_hash: str, first: np.datetime64, last: np.datetime64, code_version: str
) -> tuple[str, ...]:
    universe = (data_set.market, data_set.universe_key, data_set.fields_key)
    return (*universe, data_set.data_hash, iso(first), iso(last), settings_hash, code_version)
