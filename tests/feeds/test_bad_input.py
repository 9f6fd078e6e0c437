"""Bad input: one clear error that names the file, the place, the limit and the remedy; never a guess."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ares7.errors import Ares7Error, DataError, MissingData, StaleData
from feeds.load import load_panel
from tests.feeds.bending import (
    at_noon,
    aware,
    both_suffixes,
    bytes_of,
    cell,
    cut_parquet,
    edited,
    more_names,
    no_symbol,
    removed,
    rows,
    swap,
    twice,
    without,
)
from tests.feeds.small_folder import ALL, DAYS, NUMBERS, TODAY, Tables, config, tables, write


@dataclass(frozen=True)
class Case:
    """One way to spoil a good folder, and what the error must say."""

    name: str
    error: type[Ares7Error]
    says: tuple[str, ...]
    bend: Callable[[Tables], object] | None = None
    harm: Callable[[Path], object] | None = None
    settings: dict[str, Any] = field(default_factory=dict)


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
