"""Bad input: one clear error that names the file, the place, the limit and the remedy; never a guess."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ares7.errors import Ares7Error, ConfigError, DataError, MissingData, StaleData
from ares7.panel import Panel
from feeds.load import load_panel
from feeds.tables import find_table, read_table
from tests.feeds.small_folder import DAYS, NUMBERS, TODAY, Tables, bars, config, tables, typed, write

ALL = frozenset({"etfs", "index", "vix"})


@dataclass(frozen=True)
class Case:
    """One way to spoil a good folder, and what the error must say."""

    name: str
    error: type[Ares7Error]
    says: tuple[str, ...]
    bend: Callable[[Tables], object] | None = None
    harm: Callable[[Path], object] | None = None
    settings: dict[str, Any] = field(default_factory=dict)


def cell(table: str, row: int, **values: str) -> Callable[[Tables], object]:
    def bend(content: Tables) -> None:
        for name, value in values.items():
            content[table].loc[row, name] = value

    return bend


def without(table: str, *columns: str) -> Callable[[Tables], object]:
    return lambda content: content.update({table: content[table].drop(columns=list(columns))})


def rows(table: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Tables], object]:
    return lambda content: content.update({table: change(content[table])})


def no_symbol(table: str, symbol: str) -> Callable[[Tables], object]:
    return rows(table, lambda frame: frame[frame["symbol"] != symbol])


def removed(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def bytes_of(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def edited(name: str, change: Callable[[str], str]) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(change((folder / name).read_text()))


def swap(frame: pd.DataFrame) -> pd.DataFrame:
    order = list(range(len(frame)))
    order[4], order[5] = order[5], order[4]
    return frame.iloc[order]


def twice(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame.iloc[:8], frame.iloc[7:]])


def aware(folder: Path) -> None:
    frame = typed(tables()["prices"])
    frame["date"] = frame["date"].dt.tz_localize("America/New_York")
    (folder / "prices.csv").unlink()
    frame.to_parquet(folder / "prices.parquet")


def at_noon(folder: Path) -> None:
    frame = typed(tables()["prices"])
    hours = np.where(np.arange(len(frame)) == 3, 16, 0)
    frame["date"] += pd.to_timedelta(hours, unit="h")
    (folder / "prices.csv").unlink()
    frame.to_parquet(folder / "prices.parquet")


def cut_parquet(folder: Path) -> None:
    (folder / "prices.csv").unlink()
    typed(tables()["prices"]).to_parquet(folder / "prices.parquet")
    whole = (folder / "prices.parquet").read_bytes()
    (folder / "prices.parquet").write_bytes(whole[: len(whole) // 2])


def both_suffixes(folder: Path) -> None:
    typed(tables()["prices"]).to_parquet(folder / "prices.parquet")


def more_names() -> list[pd.DataFrame]:
    return [pd.DataFrame(bars(symbol, 12.0)) for symbol in ("X1", "X2", "X3")]


D3, D9 = str(DAYS[3]), str(DAYS[9])
CASES = [
    # Files
    Case("no-prices", MissingData, ("prices.parquet or prices.csv", "add it"), harm=removed("prices.csv")),
    Case("no-market", MissingData, ("market.parquet or market.csv", "add it"), harm=removed("market.csv")),
    Case("empty-file", DataError, ("prices.csv", "is empty", "replace"), harm=bytes_of("prices.csv", b"")),
    Case("blank-file", DataError, ("prices.csv", "is empty"), harm=bytes_of("prices.csv", b"\n\r\n\n")),
    Case(
        "header-only",
        DataError,
        ("prices.csv", "a header and no rows", "replace"),
        harm=edited("prices.csv", lambda text: text.split("\n")[0] + "\n"),
    ),
    Case(
        "not-utf8",
        DataError,
        ("prices.csv", "UTF-8", "byte 0"),
        harm=bytes_of("prices.csv", b"\xff\xfea,b\n1"),
    ),
    Case(
        "nul-bytes",
        DataError,
        ("prices.csv", "NUL", "replace"),
        harm=edited("prices.csv", lambda text: text[:500] + "\0" * 9 + text[509:]),
    ),
    Case(
        "open-quote",
        DataError,
        ("prices.csv", "quoted", "replace"),
        harm=edited("prices.csv", lambda text: text.replace("AAA", '"AAA', 1)),
    ),
    Case("cut-parquet", DataError, ("prices.parquet", "no readable Parquet", "replace"), harm=cut_parquet),
    Case("csv-and-parquet", DataError, ("prices.parquet and prices.csv", "keep one"), harm=both_suffixes),
    Case(
        "two-membership-files",
        DataError,
        ("2 membership files", "membership_x.csv", "keep one"),
        harm=bytes_of("membership_y.csv", b"symbol,start_date,end_date\nA,2020-01-02,\n"),
    ),
    Case(
        "broken-provenance",
        DataError,
        ("provenance.json", "JSON"),
        harm=bytes_of("provenance.json", b"{'a': 1}"),
    ),
    Case(
        "list-provenance", DataError, ("provenance.json", "object"), harm=bytes_of("provenance.json", b"[1]")
    ),
    # Columns and cells
    Case(
        "no-column",
        MissingData,
        ("prices.csv", "['adj_close']", "it has", "'close'", "add or rename"),
        bend=without("prices", "adj_close"),
    ),
    Case(
        "renamed-column",
        MissingData,
        ("prices.csv", "['volume']", "'Volume'"),
        bend=rows("prices", lambda frame: frame.rename(columns={"volume": "Volume"})),
    ),
    Case("market-no-close", MissingData, ("market.csv", "['close']"), bend=without("market", "close")),
    Case(
        "market-no-open",
        MissingData,
        ("market.csv", "'SPY'", "no number in open"),
        bend=without("market", "open"),
    ),
    Case(
        "column-twice",
        DataError,
        ("prices.csv", "['close'] more than once", "keep one"),
        harm=edited("prices.csv", lambda text: text.replace("adj_close", "close", 1)),
    ),
    Case(
        "short-row",
        DataError,
        ("prices.csv", "data row 1 has 7 fields and the header 8", "correct or remove"),
        harm=edited("prices.csv", lambda text: text.replace(",1000.0\n", "\n", 1)),
    ),
    Case(
        "long-row",
        DataError,
        ("prices.csv", "data row 1 has 9 fields", "correct or remove"),
        harm=edited("prices.csv", lambda text: text.replace(",1000.0\n", ",1000.0,\n", 1)),
    ),
    Case(
        "word-in-number",
        DataError,
        ("prices.csv", "'close'", "data row 6", "'n/a'", "not a number"),
        bend=cell("prices", 5, close="n/a"),
    ),
    Case(
        "two-bad-columns",
        DataError,
        ("'close' data row 6", "'open' data row 2"),
        bend=lambda content: (cell("prices", 5, close="x")(content), cell("prices", 1, open="y")(content)),
    ),
    Case(
        "thousands-separator",
        DataError,
        ("prices.csv", "'volume'", "'1,000'"),
        bend=cell("prices", 5, volume="1,000"),
    ),
    Case("decimal-comma", DataError, ("prices.csv", "'9,5'"), bend=cell("prices", 5, close="9,5")),
    # Dates
    Case(
        "american-date",
        DataError,
        ("prices.csv", "'date'", "data row 4", "'01/07/2020'", "YYYY-MM-DD"),
        bend=cell("prices", 3, date="01/07/2020"),
    ),
    Case(
        "compact-date",
        DataError,
        ("prices.csv", "'20200107'", "YYYY-MM-DD"),
        bend=cell("prices", 3, date="20200107"),
    ),
    Case(
        "impossible-date",
        DataError,
        ("prices.csv", "'2020-02-30'"),
        bend=cell("prices", 3, date="2020-02-30"),
    ),
    Case(
        "zone-in-csv",
        DataError,
        ("prices.csv", "data row 4", "-05:00", "time zone", "YYYY-MM-DD"),
        bend=cell("prices", 3, date=f"{D3}T00:00:00-05:00"),
    ),
    Case(
        "mixed-zones",
        DataError,
        ("prices.csv", "data row 4", "time zone"),
        bend=lambda content: (
            cell("prices", 3, date=f"{D3}T00:00:00-05:00")(content),
            cell("prices", 9, date=f"{D9}T05:00:00+00:00")(content),
        ),
    ),
    Case("zone-in-parquet", DataError, ("prices.parquet", "'date'", "time zone", "YYYY-MM-DD"), harm=aware),
    Case("time-in-parquet", DataError, ("prices.parquet", "data row 4", "16:00", "midnight"), harm=at_noon),
    Case(
        "no-date", DataError, ("prices.csv", "data row 4", "no date", "add"), bend=cell("prices", 3, date="")
    ),
    Case(
        "future-date",
        DataError,
        ("prices.csv", "'AAA' on 2021-03-01", f"after today, {TODAY}", "correct"),
        bend=cell("prices", len(DAYS) - 1, date="2021-03-01"),
    ),
    Case(
        "ancient-date",
        DataError,
        ("prices.csv", "1066-10-14", "before 1900-01-01", "correct"),
        bend=cell("prices", 0, date="1066-10-14"),
    ),
    Case(
        "saturday",
        DataError,
        ("prices.csv", "'AAA' on 2020-01-04", "no exchange session", "remove the row"),
        bend=cell("prices", 2, date="2020-01-04"),
    ),
    Case(
        "holiday",
        DataError,
        ("prices.csv", "2020-01-20", "no exchange session", "data.calendar"),
        bend=rows("prices", lambda frame: frame.replace("2020-01-21", "2020-01-20")),
    ),
    Case(
        "unsorted",
        DataError,
        ("prices.csv", "'AAA'", "data row 6", "before that of the symbol's previous row", "sort the file"),
        bend=rows("prices", swap),
    ),
    Case(
        "duplicate",
        DataError,
        ("prices.csv", f"'AAA' on {DAYS[7]}", "data row 9", "(date, symbol)", "keep one row"),
        bend=rows("prices", twice),
    ),
    # Values
    *(
        Case(
            f"zero-{name}",
            DataError,
            ("prices.csv", f"'AAA' on {D9}", "data row 10", f"{name} 0.0", "not above 0", "correct"),
            bend=cell("prices", 9, **{name: "0"}),
        )
        for name in NUMBERS[:-1]
    ),
    Case(
        "negative-price",
        DataError,
        ("'AAA'", "close -3.0", "not above 0"),
        bend=cell("prices", 9, close="-3"),
    ),
    Case("huge-price", DataError, ("'AAA'", "close 1e+300", "1e+15"), bend=cell("prices", 9, close="1e300")),
    *(
        Case(
            f"empty-{name}",
            MissingData,
            ("prices.csv", f"'AAA' on {D9}", "data row 10", f"no number in {name}", "remove the row"),
            bend=cell("prices", 9, **{name: ""}),
        )
        for name in ("open", "close", "adj_close", "volume")
    ),
    Case("nan-close", MissingData, ("'AAA'", "no number in close"), bend=cell("prices", 9, close="NaN")),
    Case("infinite", DataError, ("'AAA'", "high inf", "not finite"), bend=cell("prices", 9, high="inf")),
    Case(
        "overflow", DataError, ("'AAA'", "volume inf", "not finite"), bend=cell("prices", 9, volume="1e999")
    ),
    Case("high-low", DataError, ("'AAA'", "high 1.0", "below low"), bend=cell("prices", 9, high="1")),
    Case(
        "negative-volume", DataError, ("'AAA'", "volume -1.0", "below 0"), bend=cell("prices", 9, volume="-1")
    ),
    Case("empty-symbol", DataError, ("prices.csv", "''", "empty symbol"), bend=cell("prices", 9, symbol="")),
    Case("spaced-symbol", DataError, ("'AAA '", "spaces"), bend=cell("prices", 9, symbol="AAA ")),
    Case(
        "many-at-once",
        DataError,
        ("close 0.0", "(2 more: run 'python run.py data check DIR')"),
        bend=lambda content: (
            cell("prices", 9, close="0")(content),
            cell("prices", 50, high="1")(content),
            cell("market", 9, volume="-1")(content),
        ),
    ),
    Case(
        "session-without-rows",
        MissingData,
        ("prices.csv", "no row at all", f"1 exchange sessions from {D9}", "add the rows", "data.calendar"),
        bend=lambda content: (
            content.update(prices=pd.concat([content["prices"], *more_names()])),
            content.update(prices=content["prices"][content["prices"]["date"] != D9]),
        ),
    ),
    # Market
    Case("fund-missing", MissingData, ("market.csv", "'TLT'", "data.etfs"), bend=no_symbol("market", "TLT")),
    Case(
        "index-missing", MissingData, ("market.csv", "'SPX'", "data.index"), bend=no_symbol("market", "SPX")
    ),
    Case("vix-missing", MissingData, ("market.csv", "'VIX'", "data.vix"), bend=no_symbol("market", "VIX")),
    Case(
        "vix-zero",
        DataError,
        ("market.csv", "'VIX'", "close 0.0"),
        bend=cell("market", 3 * len(DAYS) + 4, close="0"),
    ),
    Case(
        "vix-stale",
        StaleData,
        ("market.csv", "'VIX'", f"from {DAYS[8]}", "older than 3 sessions", "add them"),
        bend=rows(
            "market",
            lambda frame: frame[~((frame["symbol"] == "VIX") & frame["date"].isin(DAYS[5:10].astype(str)))],
        ),
    ),
    Case(
        "vix-twice",
        DataError,
        ("market.csv", "'VIX'", "(date, symbol)"),
        bend=rows("market", lambda frame: pd.concat([frame, frame.iloc[[-1]]])),
    ),
    Case("fund-zero", DataError, ("market.csv", "'SPY'", "low 0.0"), bend=cell("market", 4, low="0")),
    Case(
        "fund-in-both",
        DataError,
        ("prices.csv", "market.csv", "['SPY']", "remove"),
        bend=lambda content: content.update(
            prices=pd.concat([content["prices"], content["market"][content["market"]["symbol"] == "SPY"]])
        ),
    ),
    # Membership and universe
    Case(
        "interval-backwards",
        DataError,
        ("membership_x.csv", "'BBB'", "data row 2", "before its start_date", "correct"),
        bend=cell("membership_x", 1, end_date="2019-01-01"),
    ),
    Case(
        "interval-without-start",
        DataError,
        ("membership_x.csv", "'BBB'", "no start_date", "write"),
        bend=cell("membership_x", 1, start_date=""),
    ),
    Case(
        "member-nameless",
        DataError,
        ("membership_x.csv", "empty symbol"),
        bend=cell("membership_x", 1, symbol=""),
    ),
    Case(
        "no-end-column",
        MissingData,
        ("membership_x.csv", "end_date"),
        bend=without("membership_x", "end_date"),
    ),
    Case(
        "no-member-has-prices",
        MissingData,
        ("membership_x.csv", "no member has a price", "data.universe"),
        bend=rows("membership_x", lambda frame: frame.assign(symbol=frame["symbol"] + ".US")),
    ),
    Case(
        "universe-becomes-empty",
        MissingData,
        ("membership_x.csv", "becomes empty", f"to {DAYS[-1]}", "end the period before"),
        bend=rows("membership_x", lambda frame: frame.assign(end_date="2020-01-31")),
    ),
    Case(
        "members-without-file",
        MissingData,
        ("membership", "data.universe"),
        harm=removed("membership_x.csv"),
        settings={"universe": "members"},
    ),
    Case(
        "unknown-symbol-listed",
        MissingData,
        ("prices.csv", "['ZZZ']", "data.universe"),
        settings={"universe": ("AAA", "ZZZ")},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_gets_one_clear_error(tmp_path: Path, case: Case) -> None:
    content = tables()
    if case.bend:
        case.bend(content)
    folder = write(tmp_path / "data", content)
    if case.harm:
        case.harm(folder)
    with pytest.raises(Ares7Error) as caught:
        load_panel(config(folder, **case.settings), ALL, today=TODAY)
    message = str(caught.value)
    assert type(caught.value) is case.error, message
    assert caught.value.exit_code == 2
    assert "\n" not in message
    assert [part for part in case.says if part not in message] == [], message


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"nowhere does not exist; correct data\.path or --data"):
        load_panel(config(tmp_path / "nowhere"))


def test_file_where_a_folder_is_meant(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text("date\n")
    with pytest.raises(DataError, match=r"is a file; .*data\.layout"):
        load_panel(config(tmp_path / "prices.csv"))


def test_vendor_layout_without_files() -> None:
    with pytest.raises(ConfigError, match=r"data\.layout is yfinance_single and data\.path is not set"):
        load_panel(config(None, layout="yfinance_single"))  # type: ignore[arg-type]


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path, tables(), ".parquet")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ConfigError, match="pip install 'pyarrow>=18'"):
        load_panel(config(folder), today=TODAY)


# read_table on its own


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "t.csv"
    path.write_text(text)
    return path


def test_read_table_types_and_order(tmp_path: Path) -> None:
    path = table(tmp_path, "n,f,extra,d,s\n1.5,true,?,2020-01-02,0007\n,0,?,,\n")
    frame = read_table(path, ["d"], dates=["d"], text=["s"], numbers=["n", "absent"], flags=["f"])
    assert list(frame) == ["d", "s", "n", "f"]
    assert frame["d"].tolist() == [pd.Timestamp("2020-01-02"), pd.NaT]
    assert frame["s"].tolist() == ["0007", ""]
    assert frame["n"].to_numpy().tolist()[0] == 1.5
    assert np.isnan(frame["n"].to_numpy()[1])
    assert frame["f"].tolist() == [True, False]


@pytest.mark.parametrize("word", ["True", "false", "0x10", "1_000", "NA", "N/A", "null", "-", "1.2.3", "١"])
def test_words_are_no_numbers(tmp_path: Path, word: str) -> None:
    with pytest.raises(DataError, match=r"'n' data row 1 holds .*not a number"):
        read_table(table(tmp_path, f"n\n{word}\n"), ["n"], numbers=["n"])


@pytest.mark.parametrize("word", ["yes", "", "2", "TRUE "])
def test_words_are_no_flags(tmp_path: Path, word: str) -> None:
    with pytest.raises(DataError, match="not a flag; write true or false"):
        read_table(table(tmp_path, f"f,g\n{word},1\n"), ["f"], flags=["f"])


def test_numbers_in_a_parquet_text_column(tmp_path: Path) -> None:
    pd.DataFrame({"s": [1, 2]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="must hold text"):
        read_table(tmp_path / "t.parquet", ["s"])


def test_unknown_suffix(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"neither \.csv nor \.parquet"):
        read_table(tmp_path / "t.xlsx", ["s"])


def test_excel_csv_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'\xef\xbb\xbfs,n\r\n"A, B",1\r\n')
    frame = read_table(path, ["s"], numbers=["n"])
    assert frame["s"].tolist() == ["A, B"]
    assert frame["n"].tolist() == [1.0]


def test_find_table(tmp_path: Path) -> None:
    assert find_table(tmp_path, "prices") is None
    (tmp_path / "prices.csv").write_text("x")
    assert find_table(tmp_path, "prices") == tmp_path / "prices.csv"


# Fuzz: random damage either loads or raises an Ares7Error; numbers never become NaN by themselves.

FUZZ = int(os.environ.get("ARES7_FUZZ", "150"))
GARBAGE = st.one_of(
    st.sampled_from(
        [
            "",
            "0",
            "-1",
            "nan",
            "inf",
            "1e400",
            "NA",
            "x",
            "2020-01-03",
            "2020-01-04",
            "9999-12-31",
            '"',
            ",",
            "True",
        ]
    ),
    st.text(max_size=6),
)


def small_csv(days: int = 6) -> list[list[str]]:
    frame = tables()["prices"]
    frame = frame[frame["date"].isin(DAYS[:days].astype(str))]
    return [list(frame.columns), *frame.to_numpy().tolist()]


def spoil(draw: st.DrawFn, grid: list[list[str]]) -> list[list[str]]:
    row = draw(st.integers(0, len(grid) - 1))
    column = draw(st.integers(0, max(0, len(grid[row]) - 1)))
    other = draw(st.integers(0, len(grid) - 1))
    action = draw(st.sampled_from(["cell", "cell", "drop", "repeat", "swap", "drop column", "short"]))
    line = grid[row]
    if action == "drop":
        return grid[:row] + grid[row + 1 :]
    if action == "drop column":
        return [cells[:column] + cells[column + 1 :] for cells in grid]
    changed = {
        "cell": {row: [*line[:column], draw(GARBAGE), *line[column + 1 :]]},
        "repeat": {other: line},
        "swap": {row: grid[other], other: line},
        "short": {row: line[:column]},
    }[action]
    return [changed.get(i, cells) for i, cells in enumerate(grid)]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    grid = small_csv()
    for _ in range(draw(st.integers(0, 3))):
        grid = spoil(draw, grid)
    content = "\n".join(",".join(line) for line in grid).encode("utf-8", "surrogatepass") + b"\n"
    for _ in range(draw(st.integers(0, 2))):
        here = draw(st.integers(0, len(content)))
        content = content[:here] + draw(st.binary(max_size=3)) + content[here + draw(st.integers(0, 3)) :]
    return content


def attempt(load: Callable[[], Panel]) -> Panel | str:
    """A panel, or the message of an error that was raised on purpose; anything else fails the test."""
    try:
        return load()
    except Ares7Error as error:
        return str(error)


@settings(max_examples=FUZZ, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=damaged())
def test_damaged_prices_load_whole_or_raise(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzz"
    folder.mkdir(exist_ok=True)
    (folder / "prices.csv").write_bytes(content)
    panel = attempt(lambda: load_panel(config(folder, etfs=()), today=TODAY))
    if isinstance(panel, str):
        assert "\n" not in panel
        return
    # Loaded: every bar is complete, and every cell of the panel is a number of the file.
    bar = panel.bar
    for name in ("open", "high", "low", "close", "price", "volume"):
        np.testing.assert_array_equal(np.isfinite(panel.field(name)), bar)
    written = {cell for line in content.decode().splitlines() for cell in line.replace('"', "").split(",")}
    numbers = {float(cell) for cell in written if is_number(cell)}
    assert set(panel.field("price")[bar].tolist()) <= numbers
    assert bar.sum() == len([line for line in content.decode().splitlines()[1:] if line.strip()])


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damaged_membership_loads_or_raises(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = tables()
    frame = content["membership_x"]
    for _ in range(data.draw(st.integers(1, 3))):
        row, column = data.draw(st.integers(0, len(frame) - 1)), data.draw(st.sampled_from(list(frame)))
        frame.loc[row, column] = data.draw(GARBAGE)
    folder = write(tmp_path_factory.getbasetemp() / "fuzz_members", content)
    panel = attempt(lambda: load_panel(config(folder), today=TODAY))
    if isinstance(panel, str):
        assert "membership" in panel
    else:
        assert panel.member.any()
