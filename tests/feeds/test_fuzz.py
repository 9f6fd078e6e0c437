"""Random damage either loads whole or raises an error of ours; numbers never become NaN by themselves."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ares7.errors import Ares7Error
from ares7.panel import Panel
from feeds.load import load_panel
from tests.feeds.small_folder import DAYS, TODAY, config, tables, write

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
