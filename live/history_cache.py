"""Daily history of a contract on disk, good for one session: a restart on the same day does not ask IB again."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from ares7.errors import ConfigError
from live.client.history import DailyBars
from live.client.messages import ContractFacts

COLUMNS = ("open", "high", "low", "close", "volume")


class HistoryCache:
    """One file for each contract and kind of prices; a later session replaces it.

    Adjusted prices change with every dividend, and all prices with every split, so that yesterday's file is worth
    nothing today. Give a gateway double a folder of its own: its prices are not IB's.

    Parameters
    ----------
    folder : Path
        Made when the first file is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, facts: ContractFacts, what: str) -> Path:
        return self._folder / f"{facts.con_id}-{what}.npz"

    def read(self, facts: ContractFacts, what: str, session: dt.date, count: int) -> DailyBars | None:
        """Return what was stored, or None if it is another session's, too short, or damaged.

        Parameters
        ----------
        facts : ContractFacts
        what : str
        session : date
            Latest finished session.
        count : int
            Bars needed. A file asked for as many is long enough, however many IB had.
        """
        try:
            with self._path(facts, what).open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                found = {name: file[name] for name in file.files}
            bars = DailyBars(
                facts.con_id,
                facts.symbol,
                what,
                found["dates"].astype("datetime64[D]"),
                *(found[name].astype(np.float64) for name in COLUMNS),
            )
            asked = int(found["asked"])
            if str(found["digest"]) != _digest(bars, session, asked) or asked < count:
                return None
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
            return None
        return bars

    def write(self, bars: DailyBars, session: dt.date, asked: int) -> None:
        """Store bars up to a session, whole or not at all.

        Raises
        ------
        ConfigError
            The folder cannot be written.
        """
        columns = {name: getattr(bars, name) for name in COLUMNS}
        target = self._folder / f"{bars.con_id}-{bars.what}.npz"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".part", delete=False) as file:
                digest = _digest(bars, session, asked)
                np.savez(file, dates=bars.dates, digest=digest, asked=asked, **columns)
                file.flush()
                os.fsync(file.fileno())
            Path(file.name).replace(target)
        except OSError as error:
            raise ConfigError(
                f"history cannot be stored in {self._folder}: {error}; correct data.cache"
            ) from None


def _digest(bars: DailyBars, session: dt.date, asked: int) -> str:
    """Of everything that makes the file right: contract, kind, session, and each figure."""
    digest = hashlib.sha256(f"{bars.con_id} {bars.symbol} {bars.what} {session} {asked}".encode())
    for column in (bars.dates.astype("datetime64[D]").astype(np.int64), *(getattr(bars, c) for c in COLUMNS)):
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()
