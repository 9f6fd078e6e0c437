"""The panel that a strategy sees live: prices of the gateway, fundamentals and events of the data folder (rulings 30).

It holds ``warmup`` rows behind the latest session, which is all that a strategy reads (C3).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ares7 import sessions
from ares7.arrays import AnyArray, Bool1D, Float1D, Float2D
from ares7.config import DataConfig
from ares7.database_url import DatabasePath
from ares7.errors import MissingData, ServiceUnavailable, StaleData
from ares7.panel import PRICE_FIELDS, Panel
from ares7.proposal import Carrier
from ares7.signals.windows import latest_bar
from feeds.findings import raise_errors
from feeds.fundamentals import point_in_time_fields
from feeds.load import load_panel, local_config
from feeds.membership import find_membership, member_mask, read_membership
from feeds.surprises import surprise_fields
from feeds.tables import find_table
from live.client.history import DailyBars

AHEAD_ROWS = 300
"""Sessions after the first for which calendar, membership and fundamentals are laid out at once."""
ROLES = ("index", "vix")


@dataclass(frozen=True, slots=True)
class Roster:
    """Who is traded.

    Attributes
    ----------
    symbols : tuple of N str
        Stocks and funds, sorted.
    is_stock : (N,) bool
    indices : mapping of role to symbol
        ``index`` and ``vix``.
    """

    symbols: tuple[str, ...]
    is_stock: Bool1D
    indices: Mapping[str, str]

    @property
    def contracts(self) -> list[tuple[str, str]]:
        """(symbol, kind) of everything whose bars are needed."""
        return [*((name, "STK") for name in self.symbols), *((name, "IND") for name in self.indices.values())]


def roster_of(config: DataConfig, needs: frozenset[str], rows: int) -> Roster:
    """Names of the data folder that had a bar in its last ``rows`` sessions, the funds of the configuration, indices.

    Raises
    ------
    DataError, ConfigError
        As `feeds.load.load_panel`.
    """
    panel = load_panel(config, frozenset())
    alive = panel.bar[-rows:].any(axis=0)
    order = np.flatnonzero(alive)
    indices = {"index": config.index, "vix": config.vix}
    return Roster(
        tuple(panel.symbols[i] for i in order),
        panel.is_stock[order],
        {role: symbol for role, symbol in indices.items() if role in needs},
    )


class LivePanel:
    """Rows behind the latest session, and room ahead.

    Parameters
    ----------
    roster : Roster
    config : DataConfig
    needs : frozenset of str
        Inputs that the strategy reads.
    warmup : int
        Rows that it reads.
    """

    def __init__(self, roster: Roster, config: DataConfig, needs: frozenset[str], warmup: int) -> None:
        self.roster, self._needs, self.warmup = roster, needs, warmup
        self._source, self._config = config, local_config(config)
        self.start: np.datetime64 | None = None
        self.carrier: Carrier | None = None
        """Who admits the strategy's orders (`live.conductor.Conductor`); None lets all pass."""
        self._column = {name: i for i, name in enumerate(roster.symbols)}
        self._role = {symbol: role for role, symbol in roster.indices.items()}
        self._history: dict[str, DailyBars] = {}
        self._frame: Panel | None = None
        self._latest = self._told = -1
        self._newest_filing: np.datetime64 | None = None
        self._filed: tuple[tuple[str, int, int], ...] | None = None

    @property
    def names(self) -> list[str]:
        """Every symbol whose bars are observed, indices included."""
        return [*self.roster.symbols, *self.roster.indices.values()]

    def lay_out(self, session: dt.date) -> None:
        """Make room around a session: calendar, membership, fundamentals.

        Raises
        ------
        DataError
            The data folder cannot serve the strategy.
        """
        day = np.datetime64(session, "D")
        span = np.timedelta64(2 * (self.warmup + AHEAD_ROWS) + 40, "D")
        known = sessions.sessions(day - span, day + span, self._config.calendar)
        at = int(np.searchsorted(known, day))
        dates = known[max(0, at - self.warmup + 1) : at + AHEAD_ROWS]
        shape = (len(dates), len(self.roster.symbols))
        month_end, week_end = sessions.period_ends(dates, self._config.calendar)
        empty = {name: np.full(shape, np.nan) for name in (*PRICE_FIELDS, "price", "volume")}
        frame = Panel(
            dates,
            self.roster.symbols,
            empty,
            {role: np.full(len(dates), np.nan) for role in self.roster.indices},
            self.roster.is_stock,
            self._members(dates),
            month_end,
            week_end,
        )
        self._frame = replace(frame, fields={**empty, **self._fundamentals(frame, day)})
        for name, bars in self._history.items():
            self._place(name, bars)

    def _members(self, dates: AnyArray) -> AnyArray:
        folder = self._config.path
        path = (
            None
            if folder is None or self._config.universe not in ("auto", "members")
            else find_membership(folder)
        )
        if path is None:
            return np.ones((len(dates), len(self.roster.symbols)), dtype=bool)
        mask = member_mask(read_membership(path)[0], dates, self.roster.symbols)
        mask[:, ~self.roster.is_stock] = True
        return mask

    def _fundamentals(self, frame: Panel, today: np.datetime64) -> dict[str, Float2D]:
        """Figures of every row, also those to come: what is filed by now becomes visible then."""
        folder = self._config.path
        if "fundamentals" not in self._needs or folder is None:
            return {}
        fields, findings, found = point_in_time_fields(folder, self._config, frame.dates, frame.symbols)
        # What is wrong with rows to come is not known yet.
        raise_errors(findings, frozenset({"fundamentals"}), None, today)
        self._newest_filing = np.datetime64(found["newest_filing"], "D")
        self._filed = _signature(folder)
        return fields

    def _require_fresh_filings(self, session: np.datetime64, newest: np.datetime64) -> None:
        age, limit = session - newest, self._config.max_fundamentals_age_days
        if age > np.timedelta64(limit, "D"):
            raise StaleData(
                f"the newest filing of {self._config.path} is of {newest}, {age} before {session}; the "
                f"limit is {limit} days (data.max_fundamentals_age_days); load newer filings"
            )

    def adopt(self, bars: DailyBars) -> None:
        """Take the whole history of one name, in place of what is known."""
        self._history[bars.symbol] = bars
        self._place(bars.symbol, bars)

    def observe(self, bars: DailyBars) -> bool:
        """Take bars of one name; True if they do not continue what is known: its whole history must be asked for.

        A dividend since the last session rescales every earlier adjusted close.
        """
        known = self._history.get(bars.symbol)
        if known is None or len(bars.dates) >= self.warmup:
            self.adopt(bars)
            return False
        shared, mine, theirs = np.intersect1d(known.dates, bars.dates, return_indices=True)
        if len(shared) == 0 or not np.array_equal(known.close[mine], bars.close[theirs]):
            return True
        fresh = bars.dates > known.dates[-1]

        def joined(name: str) -> AnyArray:
            return np.concatenate([getattr(known, name), getattr(bars, name)[fresh]])[-2 * self.warmup :]

        self._history[bars.symbol] = replace(
            known,
            dates=joined("dates"),
            open=joined("open"),
            high=joined("high"),
            low=joined("low"),
            close=joined("close"),
            volume=joined("volume"),
        )
        self._place(bars.symbol, bars)
        return False

    def _place(self, name: str, bars: DailyBars) -> None:
        frame = self._frame
        if frame is None:
            return
        rows = np.searchsorted(frame.dates, bars.dates)
        inside = (rows < len(frame.dates)) & (bars.dates >= frame.dates[0])
        rows = rows[inside]
        if name in self._role:
            frame.series[self._role[name]][rows] = bars.close[inside]
            return
        column = self._column[name]
        for field in (*PRICE_FIELDS, "volume"):
            frame.fields[field][rows, column] = getattr(bars, field)[inside]
        frame.fields["price"][rows, column] = bars.close[inside]

    def close_session(self, session: dt.date) -> None:
        """Make a session the latest one."""
        day = np.datetime64(session, "D")
        if self._frame is None or day > self._frame.dates[-1] or self._filings_changed():
            self.lay_out(session)
            self._told = -1
        dates = self._frame.dates if self._frame is not None else np.zeros(0, dtype="datetime64[D]")
        self._latest = int(np.searchsorted(dates, day))

    def _filings_changed(self) -> bool:
        if isinstance(self._source.path, DatabasePath):
            return self._database_changed()
        folder = self._config.path
        return self._filed is not None and folder is not None and _signature(folder) != self._filed

    def _database_changed(self) -> bool:
        """Whether the database holds something else than what was read; one that is away changes nothing."""
        try:
            fresh = local_config(self._source)
        except ServiceUnavailable:
            return False
        changed, self._config = fresh.path != self._config.path, fresh
        return changed

    def is_new_session(self) -> bool:
        """The latest session is later than at the last call."""
        new, self._told = self._latest > self._told, self._latest
        return new

    def panel(self) -> Panel:
        """Return the rows up to the latest session.

        Raises
        ------
        StaleData
            An index or VIX has no value at the latest session, or the earnings are too old.
        MissingData
        """
        if self._frame is None or self._latest < 0:
            raise MissingData("no session was closed yet; the live panel has no row")
        first = max(0, self._latest - self.warmup + 1)
        if self.start is None:
            # The first session that is decided on decides, whatever the calendar says (rulings 2).
            self.start = self._frame.dates[self._latest]
        panel = self._frame.rows(first, self._latest + 1).starting(self.start)
        for role, values in panel.series.items():
            if not np.isfinite(values[-1]):
                raise StaleData(
                    f"{self.roster.indices[role]} has no close on {panel.dates[-1]}; nothing is decided without it"
                )
        if self._newest_filing is not None:
            self._require_fresh_filings(panel.dates[-1], self._newest_filing)
        return panel if "earnings" not in self._needs else self._with_surprises(panel)

    def _with_surprises(self, panel: Panel) -> Panel:
        folder = self._config.path
        path = None if folder is None else find_table(folder, "earnings")
        if path is None:
            raise MissingData(
                f"{folder} has no earnings table; add earnings.parquet, or take pead off the overlays"
            )
        fields, findings, _ = surprise_fields(path, self._config, panel, panel.dates[-1])
        raise_errors(
            [f for f in findings if f.code != "future-date"], frozenset({"earnings"}), None, panel.dates[-1]
        )
        return replace(panel, fields={**panel.fields, **fields})

    def prices(self, held: Float1D) -> tuple[Float1D, Bool1D]:
        """Traded closes of the latest session, the last known where there is none, and where there is a bar.

        Parameters
        ----------
        held : (N,) shares

        Returns
        -------
        close : (N,) USD
            1 for a name that has never had a price: it is neither held nor wanted, and one NaN would make the value
            of the account NaN.
        bar : (N,) bool

        Raises
        ------
        StaleData
            A name is held and has no price.
        """
        if self._frame is None:
            raise MissingData("no session was closed yet")
        close = self._frame.fields["price"][: self._latest + 1]
        last = latest_bar(np.isfinite(close))[-1]
        known = last >= 0
        if (held[~known] != 0).any():
            name = self.roster.symbols[int(np.flatnonzero(~known & (held != 0))[0])]
            raise StaleData(
                f"{name} is held and has no price; nothing is decided; find out what became of it"
            )
        filled = np.where(known, close[np.maximum(last, 0), np.arange(len(last))], 1.0)
        return filled, np.isfinite(close[-1])


def _signature(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, size and time of the files of fundamentals: what tells that newer ones were put there."""
    stats = [(path.name, path.stat()) for path in sorted(folder.glob("fundamentals*"))]
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
