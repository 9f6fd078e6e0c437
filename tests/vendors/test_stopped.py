"""A fetch that is stopped at any moment leaves the folder as it was, and the next one goes on from there."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from ares7.config import DataConfig
from ares7.errors import DataError
from feeds.fetch.commit import commit, recover
from feeds.fetch.pieces import PieceStore
from feeds.fetch.source import Got, Origin, Piece
from feeds.load import PENDING, check_path
from tests.vendors import layouts, made

ROOT = Path(__file__).resolve().parents[2]
WORDS = ("--universe", ",".join(made.STOCKS), "--start", "2022-01-03", "--end", "2024-03-08")


@pytest.fixture
def polygon(vendor):
    found = layouts.Polygon()
    vendor.routes |= found.routes()
    return found


def started(options, folder, *words):
    """The command in a process of its own."""
    command = [sys.executable, "run.py", "data", "fetch", "--source", "polygon", "--to", str(folder)]
    return subprocess.Popen(
        [*command, *options, *words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts this suite in the background would have made it deaf to the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def stopped_at(vendor, options, folder, request, by, *words):
    """Stop the command while its request of this number is not answered yet."""
    process = None

    def gate(number):
        if number == request and process is not None:
            process.send_signal(by)
            process.wait(30)

    vendor.gate = gate
    process = started(options, folder, *words)
    out, err = process.communicate(timeout=60)
    vendor.gate = None
    return process.returncode, out, err


def tables(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


@pytest.mark.parametrize("request_number", [1, 4, 11])
def test_a_killed_fetch_goes_on_from_the_pieces_that_it_had(
    fetch, vendor, polygon, options, folder, tmp_path, request_number
):
    code, _, _ = stopped_at(vendor, options, folder, request_number, signal.SIGKILL, *WORDS)
    assert code == -signal.SIGKILL
    assert tables(folder) == {}
    vendor.requests.clear()
    code, _, _ = fetch("polygon", *WORDS)
    assert code == 0
    # Eleven symbols, one request each; those before the kill are not asked for again.
    assert len(vendor.requests) == 11 - (request_number - 1)
    assert fetch("polygon", *WORDS, to=tmp_path / "other")[0] == 0
    assert tables(folder) == tables(tmp_path / "other")
    assert [path.name for path in (folder / ".fetch").iterdir()] == ["lock"]


def test_a_killed_addition_leaves_the_tables_as_they_were(fetch, vendor, polygon, options, folder):
    fetch("polygon", *WORDS[:-1], "2024-03-06")
    before = {path.name: path.read_bytes() for path in folder.glob("[a-z]*")}
    vendor.requests.clear()
    stopped_at(vendor, options, folder, 3, signal.SIGKILL, *WORDS)
    assert {path.name: path.read_bytes() for path in folder.glob("[a-z]*")} == before
    vendor.requests.clear()
    assert fetch("polygon", *WORDS)[0] == 0
    assert len(vendor.requests) == 7 - 2
    assert pd.read_parquet(folder / "prices.parquet")["date"].max() == pd.Timestamp("2024-03-08")


def test_control_c_says_that_what_was_fetched_is_kept(vendor, polygon, options, folder):
    code, out, err = stopped_at(vendor, options, folder, 4, signal.SIGINT, *WORDS)
    assert code == 130
    assert out == ""
    assert "Traceback" not in err
    assert (
        err.strip().splitlines()[-1]
        == "interrupted; what was fetched is kept; the same command goes on from there"
    )


def test_a_fetch_that_is_continued_the_next_day_finishes_and_adds_the_day(fetch_yahoo, yahoo, folder):
    yahoo.errors = [None] * 6 + [KeyboardInterrupt()]
    words = ("--universe", ",".join(made.STOCKS), "--start", "2022-01-03")
    with pytest.raises(KeyboardInterrupt):
        fetch_yahoo(*words, now=dt.datetime(2024, 3, 7, 23, tzinfo=dt.UTC))
    yahoo.asked.clear()
    fetch_yahoo(*words, now=dt.datetime(2024, 3, 8, 23, tzinfo=dt.UTC))
    # Seven were left of the day before; then thirteen for the new day.
    assert [last.isoformat() for _, _, last in yahoo.asked] == ["2024-03-07"] * 7 + ["2024-03-08"] * 13
    assert pd.read_parquet(folder / "prices.parquet")["date"].max() == pd.Timestamp("2024-03-08")


class Killed(BaseException):
    """What no handler of the code expects."""


@pytest.mark.parametrize("renames", range(7))
def test_a_kill_between_the_renames_is_finished_by_the_next_fetch(
    fetch, polygon, folder, monkeypatch, renames
):
    """Four files are staged, then the list, then each is renamed into its place."""
    fetch("polygon", *WORDS[:-1], "2024-03-06")
    before = {path.name: path.read_bytes() for path in folder.glob("[a-z]*")}
    rename, count = Path.replace, -1

    def killed(path, target):
        nonlocal count
        count += Path(target).parent.name != "polygon"
        if count > renames:
            raise Killed
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(Killed):
        fetch("polygon", *WORDS)
    monkeypatch.undo()
    monkeypatch.setenv("ARES7_POLYGON_KEY", "polygon-key-for-tests")
    now = {path.name: path.read_bytes() for path in folder.glob("[a-z]*")}
    if (folder / PENDING).exists():
        with pytest.raises(DataError, match="is being written"):
            check_path(DataConfig(path=folder), folder)
    else:
        assert now == before
    code, _, _ = fetch("polygon", *WORDS)
    assert code == 0
    check_path(DataConfig(path=folder), folder)
    assert pd.read_parquet(folder / "prices.parquet")["date"].max() == pd.Timestamp("2024-03-08")
    told = json.loads((folder / "fetch.json").read_text())
    assert told["tables"]["prices"]["last"] == "2024-03-08"


def test_data_check_and_backtest_refuse_a_folder_between_two_states(fetch, polygon, folder, data_check):
    import run

    fetch("polygon", *WORDS)
    (folder / PENDING).write_text('{"files": {}, "remove": []}')
    assert run.main(["data", "check", str(folder)]) == 2
    assert run.main(["backtest", "--data", str(folder), "--set", "runs.report=false"]) == 2
    recover(folder)
    assert data_check(folder)[0] in (0, 1)


def test_a_staged_file_that_is_lost_is_told(tmp_path):
    commit(tmp_path, {"a.txt": b"one"})
    (tmp_path / PENDING).write_text(json.dumps({"files": {"a.txt": "0" * 8}, "remove": []}))
    with pytest.raises(DataError, match=r"a\.txt is not what a stopped fetch was to put there"):
        recover(tmp_path)


def test_files_that_others_take_the_place_of_go_with_them(tmp_path):
    (tmp_path / "old.csv").write_text("x")
    commit(tmp_path, {"new.parquet": b"y"}, ("old.csv",))
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != ".fetch") == ["new.parquet"]


def test_a_damaged_piece_is_fetched_again_and_a_perishable_one_does_not_last(tmp_path):
    store = PieceStore(tmp_path)
    today = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    rows = made.bars("AAPL").assign(symbol="AAPL")

    def piece(perishable):
        return Piece("bars", ("AAPL",), made.FIRST, made.LAST, perishable=perishable)

    store.write(piece(False), Got(rows, (Origin("u", "s", 1, "2020-01-01T00:00:00+00:00"),)))
    assert store.read(piece(False)) is not None
    assert store.read(piece(True)) is None
    store.write(piece(True), Got(rows, (Origin("u", "s", 1, today),)))
    assert store.read(piece(True)) is not None
    (path,) = tmp_path.glob("*.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    assert store.read(piece(True)) is None
    os.truncate(path, 0)
    assert store.read(piece(True)) is None
