"""Which names are fetched: a list, a file, or the tables of the folder. No list of members is made up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ares7.errors import ConfigError, DataError, MissingData
from feeds.membership import find_membership, read_membership
from feeds.tables import find_table, read_table

INDEX = re.compile(r"(?:sp|SP|nasdaq|russell)\d+")
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9.\-]{0,14}")
SURVIVORS = (
    "the names are a list of one day: those that failed or were bought before it are missing, so returns over the "
    "years before carry survivorship bias; a membership table with their intervals is the remedy"
)
MEMBERS = "the names are members of the period, those that left included; a name that the source no longer has is told"


@dataclass(frozen=True, slots=True)
class Universe:
    """Names to fetch.

    Attributes
    ----------
    symbols : tuple of str
        Sorted, each once.
    source : str
        Where they are from.
    survivorship : str
        What is to be said about names that are missing.
    """

    symbols: tuple[str, ...]
    source: str
    survivorship: str


def universe(text: str, folder: Path, first: np.datetime64, last: np.datetime64) -> Universe:
    """Names that ``--universe`` means.

    Parameters
    ----------
    text : str
        ``AAPL,MSFT``; a file with one symbol a line or a column ``symbol``; ``members`` or an index as ``sp100``.
    folder : Path
        Data folder, whose ``membership*`` and ``symbols`` tables are read for the latter.
    first, last : datetime64[D]
        Members of this period are meant.

    Raises
    ------
    ConfigError
        A name that is no symbol, or nothing that could be read.
    DataError
        An unreadable file.
    """
    path = file_of(text)
    if text == "members" or (INDEX.fullmatch(text) and path is None):
        return _of_folder(text, folder, first, last)
    if path is not None:
        return Universe(_checked(_of_file(path), str(path)), str(path), SURVIVORS)
    if text.endswith((".csv", ".txt", ".parquet")) or "/" in text:
        raise MissingData(f"--universe {text} does not exist; correct the path, or name symbols: AAPL,MSFT")
    return Universe(_checked(text.split(","), "--universe"), "--universe", SURVIVORS)


def file_of(text: str) -> Path | None:
    """Return the file that a text names, absolute; None if it names none."""
    if "," in text or not text:
        return None
    path = Path(text).expanduser().resolve()
    return path if path.is_file() else None


def _of_file(path: Path) -> list[str]:
    if path.suffix == ".parquet":
        return read_table(path, ["symbol"], text=["symbol"])["symbol"].tolist()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"universe {path} cannot be read ({error}); correct the file") from None
    first = lines[0].split(",") if lines else []
    if "symbol" in first:
        if path.suffix == ".csv":
            return read_table(path, ["symbol"], text=["symbol"])["symbol"].tolist()
        raise DataError(f"universe {path} has a header; name it .csv, or leave one symbol a line")
    return [line.partition("#")[0] for line in lines if line.partition("#")[0].strip()]


def _of_folder(text: str, folder: Path, first: np.datetime64, last: np.datetime64) -> Universe:
    """Members of the period by the folder's intervals, else the names that its ``symbols`` table flags."""
    found = find_membership(folder) if folder.is_dir() else None
    fits = found is not None and (
        text == "members" or text.lower() in found.stem.lower() or found.stem == "membership"
    )
    if found is not None and fits:
        members, problems = read_membership(found)
        if problems:
            raise problems[0].kind(problems[0].message)
        inside = (members.first <= last) & (members.last >= first)
        names = _checked(sorted(set(members.symbols[inside])), str(found))
        return Universe(names, str(found), MEMBERS)
    flagged = _flagged(text, folder)
    if flagged is None:
        raise ConfigError(
            f"--universe {text}: no list of its members is shipped, because none is both free and right at every date; "
            f"put a table membership_{text}.csv (symbol,start_date,end_date) or symbols.csv with a column {text} into "
            f"{folder}, or name a file or symbols: --universe AAPL,MSFT"
        )
    return Universe(flagged, f"{folder}/symbols", SURVIVORS)


def _flagged(text: str, folder: Path) -> tuple[str, ...] | None:
    path = find_table(folder, "symbols") if folder.is_dir() else None
    if path is None:
        return None
    rows = read_table(path, ["symbol"], text=["symbol"], flags=[text, f"in_{text}"])
    for column in (text, f"in_{text}"):
        if column in rows:
            return _checked(rows.loc[rows[column].to_numpy(dtype=bool), "symbol"].tolist(), str(path))
    return None


def _checked(names: list[str], source: str) -> tuple[str, ...]:
    found = sorted({name.strip() for name in names} - {""})
    wrong = [name for name in found if not _SYMBOL.fullmatch(name)]
    if wrong:
        raise ConfigError(
            f"{source}: {wrong[0]!r} is no symbol; write capitals as in AAPL or BRK-B, separated by commas"
        )
    if not found:
        raise ConfigError(f"{source} names no symbol; name at least one, as in --universe AAPL,MSFT")
    return tuple(found)
