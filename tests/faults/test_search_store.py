"""The curves of an unfinished search: whole or not there, on a full disk, after a kill, in a damaged folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from ares7 import search_store
from ares7.batch import Curves
from ares7.errors import DataError
from ares7.search_store import CurveStore, prune

ROOT = Path(__file__).resolve().parents[2]
POINTS, SESSIONS = 40, 50


def some(rows: list[int] | np.ndarray) -> Curves:
    """Curves that tell their row."""
    rows = np.asarray(rows, dtype=np.float64)
    nav = rows[:, None] * 1000 + np.arange(SESSIONS)
    return Curves(nav, rows / 7, rows / 3, rows, rows % 2 == 1)


OPEN: list[CurveStore] = []


def store(folder: Path, digest: str = "abc", points: int = POINTS, sessions: int = SESSIONS) -> CurveStore:
    OPEN.append(CurveStore(folder / "abc" if digest == "xyz" else folder / digest, digest, points, sessions))
    return OPEN[-1]


@pytest.fixture(autouse=True)
def _closed():
    yield
    while OPEN:
        OPEN.pop().close()


def assert_rows(found: CurveStore, rows: list[int]) -> None:
    got, wanted = found.curves(np.array(rows)), some(rows)
    for name in ("nav", "turnover", "fees", "fills", "exact"):
        assert np.array_equal(getattr(got, name), getattr(wanted, name)), name


def test_what_was_kept_is_there_for_the_next_process(tmp_path):
    first = store(tmp_path)
    assert not first.done.any()
    for rows in ([0, 1, 2], [7, 8, 20, 21, 39], [5]):
        first.keep(np.array(rows), some(rows))
    first.close()
    second = store(tmp_path)
    assert np.flatnonzero(second.done).tolist() == [0, 1, 2, 5, 7, 8, 20, 21, 39]
    assert_rows(second, [0, 1, 2, 5, 7, 8, 20, 21, 39])
    second.close()


@pytest.mark.parametrize("name", ["curves.npy", "totals.npy", "done.npy"])
def test_what_was_changed_or_lost_since_is_not_done(tmp_path, name):
    """As after a power cut: some bytes of a point never reached the disk."""
    first = store(tmp_path)
    first.keep(np.arange(POINTS), some(np.arange(POINTS)))
    width = first._read[name.removesuffix(".npy")].strides[0]
    first.close()
    path = tmp_path / "abc" / name
    content = bytearray(path.read_bytes())
    start = len(content) - width
    content[start : start + 8] = bytes(8)
    path.write_bytes(bytes(content))
    assert np.flatnonzero(~store(tmp_path).done).tolist() == [POINTS - 1]


def test_every_curve_can_be_mapped_and_outlives_the_files(tmp_path):
    made = store(tmp_path)
    made.keep(np.arange(POINTS), some(np.arange(POINTS)))
    every = made.all_curves()
    made.remove()
    assert not (tmp_path / "abc").exists()
    assert np.array_equal(every.nav, some(np.arange(POINTS)).nav)
    assert not every.nav.flags.writeable


@pytest.mark.parametrize("other", ["digest", "points", "sessions"])
def test_another_search_finds_nothing_of_this_one(tmp_path, other):
    made = store(tmp_path)
    made.keep(np.array([1]), some([1]))
    made.close()
    changed = {other: "xyz" if other == "digest" else 45}
    assert not store(tmp_path, **changed).done.any()


DAMAGE = {
    "no description": lambda folder: (folder / "search.json").unlink(),
    "half a description": lambda folder: (folder / "search.json").write_text('{"digest": "a'),
    "no folder": lambda folder: shutil.rmtree(folder),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_folder_that_was_left_half_made_is_made_again(tmp_path, case):
    made = store(tmp_path)
    made.keep(np.array([1]), some([1]))
    made.close()
    DAMAGE[case](tmp_path / "abc")
    again = store(tmp_path)
    assert not again.done.any()
    again.keep(np.array([1]), some([1]))
    assert_rows(again, [1])


@pytest.mark.parametrize("name", ["curves.npy", "totals.npy", "done.npy"])
def test_a_file_that_is_gone_or_short_starts_anew(tmp_path, name):
    made = store(tmp_path)
    made.keep(np.array([1]), some([1]))
    made.close()
    path = tmp_path / "abc" / name
    path.write_bytes(path.read_bytes()[:100])
    assert not store(tmp_path).done.any()
    path.unlink()
    assert not store(tmp_path).done.any()


def test_more_than_fits_on_the_disk_is_refused_before_anything_is_run(tmp_path):
    with pytest.raises(DataError, match=r"GiB are needed and .* GiB are free.*data\.cache"):
        CurveStore(tmp_path / "huge", "huge", 10**9, 5000)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine\n")
    with pytest.raises(DataError, match=r"cannot be kept in .*data\.cache=DIR"):
        CurveStore(tmp_path / "file" / "abc", "abc", POINTS, SESSIONS)
    assert (tmp_path / "file").read_text() == "mine\n"


FULL = """
    import resource, sys
    from pathlib import Path
    from ares7.errors import DataError
    from tests.faults.test_search_store import some, store
    import numpy as np

    made = store(Path(sys.argv[1]))
    made.keep(np.array([0]), some([0]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
    try:
        made.keep(np.arange(1, 40), some(np.arange(1, 40)))
    except DataError as error:
        print(error)
    made.close()
"""


def test_a_disk_that_fills_up_is_one_error_and_keeps_what_was_there(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL), str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "cannot be kept in" in done.stdout
    assert "free space" in done.stdout
    again = store(tmp_path)
    assert np.flatnonzero(again.done).tolist() == [0]
    assert_rows(again, [0])


KILLED = """
    import sys, time
    from pathlib import Path
    from tests.faults.test_search_store import some, store
    import numpy as np

    made = store(Path(sys.argv[1]))
    for row in range(40):
        made.keep(np.array([row]), some([row]))
        print(row, flush=True)
"""


@pytest.mark.parametrize("after", [0, 4, 17])
def test_a_kill_at_any_time_leaves_whole_curves(tmp_path, after):
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    with child.stdout as lines:
        for line in lines:
            if int(line) == after:
                break
        os.kill(child.pid, signal.SIGKILL)
    child.wait()
    again = store(tmp_path)
    rows = np.flatnonzero(again.done).tolist()
    assert len(rows) >= after + 1
    assert_rows(again, rows)


def test_only_the_newest_searches_are_kept_and_always_the_one_that_is_asked_for(tmp_path):
    for i, name in enumerate("abcdef"):
        store(tmp_path, name).close()
        os.utime(tmp_path / name, (i, i))
    prune(tmp_path, 2, "a")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "e", "f"]
    prune(tmp_path / "nowhere", 2, "a")


def test_two_processes_may_run_the_same_search(tmp_path):
    one, two = store(tmp_path), store(tmp_path)
    one.keep(np.array([1]), some([1]))
    two.keep(np.array([1, 2]), some([1, 2]))
    one.remove()
    assert_rows(two, [1, 2])
    two.keep(np.array([3]), some([3]))
    assert_rows(two, [1, 2, 3])


def test_room_is_taken_only_where_curves_are(tmp_path):
    made = CurveStore(tmp_path / "a", "a", 1000, 5000)
    sizes = (tmp_path / "a" / "curves.npy").stat()
    assert sizes.st_size > 40e6
    assert sizes.st_blocks * 512 < 1e6
    made.remove()
    assert search_store.SPARE > 0
