"""The panel cache: the same panel, in milliseconds, never a damaged one."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ares7.config import DataConfig, SyntheticConfig
from ares7.errors import DataError, StaleData
from ares7.panel import Panel
from feeds import cache
from feeds.assemble import content_hash
from feeds.findings import Finding
from feeds.load import load_panel, load_with_findings
from tests.feeds.small_folder import DAYS, TODAY, config, tables, write

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "data", tables())


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def load(folder: Path, store: Path | None, **settings: object) -> Panel:
    return load_panel(config(folder, cache=store, **settings), today=TODAY)


def entries(store: Path) -> list[Path]:
    return sorted((store / "panels").iterdir())


def same(a: Panel, b: Panel) -> None:
    assert a.symbols == b.symbols
    assert list(a.fields) == list(b.fields)
    assert list(a.series) == list(b.series)
    assert a.provenance == b.provenance
    assert content_hash(a) == content_hash(b)
    for x, y in zip(a.fields.values(), b.fields.values(), strict=True):
        assert (x.dtype, x.flags.c_contiguous, x.flags.writeable, type(x)) == (
            y.dtype,
            y.flags.c_contiguous,
            y.flags.writeable,
            type(y),
        )


def test_stored_equals_fresh_bit_for_bit(folder: Path, store: Path) -> None:
    fresh, first = load(folder, None), load(folder, store)
    second = load(folder, store)
    same(fresh, first)
    same(fresh, second)
    assert len(entries(store)) == 1


def test_arrays_are_mapped_and_locked(folder: Path, store: Path) -> None:
    load(folder, store)
    close = load(folder, store).field("close")
    assert isinstance(close.base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        close[0, 0] = 1.0


def test_findings_survive(tmp_path: Path, store: Path) -> None:
    content = tables()
    gone = (content["market"]["symbol"] == "VIX") & content["market"]["date"].isin(DAYS[5:10].astype(str))
    content["market"] = content["market"][~gone]
    folder = write(tmp_path / "data", content)
    settings = config(folder, cache=store)
    _, fresh = load_with_findings(settings, today=TODAY)
    _, stored = load_with_findings(settings, today=TODAY)
    assert stored == fresh
    with pytest.raises(StaleData):
        load_panel(settings, frozenset({"vix"}), today=TODAY)


def test_second_load_does_not_read_the_files(
    folder: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(folder, store)
    monkeypatch.setattr("feeds.assemble.assemble", None)
    load(folder, store)


@pytest.mark.parametrize(
    "settings",
    [{"universe": "all"}, {"etfs": ("SPY",)}, {"max_vix_gap_sessions": 2}, {"pit_delay_days": 45}],
    ids=lambda s: next(iter(s)),
)
def test_other_settings_are_another_entry(folder: Path, store: Path, settings: dict[str, object]) -> None:
    load(folder, store)
    load(folder, store, **settings)
    assert len(entries(store)) == 2


def test_changed_file_is_read_again(folder: Path, store: Path) -> None:
    before = load(folder, store)
    content = tables()
    content["prices"].loc[4, "adj_close"] = "7.5"
    write(folder, content)
    after = load(folder, store)
    assert after.provenance["panel_sha256"] != before.provenance["panel_sha256"]
    assert after.provenance["files"]["prices.csv"] != before.provenance["files"]["prices.csv"]


def test_touched_file_gives_the_same_panel(folder: Path, store: Path) -> None:
    before = load(folder, store)
    os.utime(folder / "prices.csv", ns=(1, 1))
    same(before, load(folder, store))
    assert len(entries(store)) == 2


def cut(entry: Path) -> None:
    path = entry / "field-close.npy"
    path.write_bytes(path.read_bytes()[:-40])


def other_shape(entry: Path) -> None:
    np.save(entry / "member.npy", np.ones((3, 2), dtype=bool))


def other_type(entry: Path) -> None:
    path = entry / "field-open.npy"
    np.save(path, np.load(path).astype(np.float32))


def pickled(entry: Path) -> None:
    np.save(entry / "field-open.npy", np.array([{}], dtype=object), allow_pickle=True)


@pytest.mark.parametrize(
    "harm",
    [
        cut,
        other_shape,
        other_type,
        pickled,
        lambda entry: (entry / "meta.json").unlink(),
        lambda entry: (entry / "meta.json").write_text('{"version": 1'),
        lambda entry: (entry / "meta.json").write_text("[]"),
        lambda entry: (entry / "meta.json").write_text(
            json.dumps(json.loads((entry / "meta.json").read_text()) | {"version": 99})
        ),
        lambda entry: (entry / "dates.npy").write_bytes(b""),
        lambda entry: (entry / "series-vix.npy").unlink(),
    ],
    ids=[
        "cut",
        "shape",
        "type",
        "pickle",
        "no-meta",
        "half-meta",
        "list-meta",
        "version",
        "empty-npy",
        "no-npy",
    ],
)
def test_damaged_entry_is_built_again(
    folder: Path, store: Path, harm: object, caplog: pytest.LogCaptureFixture
) -> None:
    before = load(folder, store)
    reference = load(folder, None)
    (entry,) = entries(store)
    del before
    harm(entry)  # type: ignore[operator]
    with caplog.at_level(logging.WARNING):
        same(reference, load(folder, store))
    assert "damaged" in caplog.text
    caplog.clear()
    same(reference, load(folder, store))
    assert caplog.text == ""
    assert entries(store) == [entry]


def test_partial_entry_is_not_seen(folder: Path, store: Path) -> None:
    reference = load(folder, store)
    (entry,) = entries(store)
    entry.rename(entry.with_name(".partial-1-dead"))
    same(reference, load(folder, store))


@pytest.mark.parametrize("call", ["numpy.save", "pathlib.Path.mkdir", "pathlib.Path.replace"])
def test_full_disk_goes_on_without_a_cache(
    folder: Path, store: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, call: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    reference = load(folder, None)
    monkeypatch.setattr(call, full)
    with caplog.at_level(logging.WARNING):
        same(reference, load(folder, store))
    assert "No space left on device" in caplog.text
    assert "going on without it" in caplog.text
    monkeypatch.undo()
    assert not (store / "panels").exists() or entries(store) == []


def test_cache_that_is_a_file_goes_on_without(
    folder: Path, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store.write_text("not a folder")
    with caplog.at_level(logging.WARNING):
        same(load(folder, None), load(folder, store))
    assert "is not usable" in caplog.text


def test_file_that_changes_while_it_is_read_is_not_stored(
    folder: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from feeds import assemble

    build = assemble.assemble

    def slow(*args: object, **settings: object) -> assemble.Assembled:
        built = build(*args, **settings)  # type: ignore[arg-type]
        os.utime(folder / "prices.csv", ns=(5, 5))
        return built

    monkeypatch.setattr("feeds.assemble.assemble", slow)
    load(folder, store)
    assert not (store / "panels").exists()


def test_future_rows_are_not_stored(folder: Path, store: Path) -> None:
    with pytest.raises(DataError, match="after today"):
        load_panel(config(folder, cache=store), today=DAYS[20])
    assert not (store / "panels").exists()


def test_several_processes_share_one_entry(folder: Path, store: Path) -> None:
    code = (
        "import sys, pathlib, numpy as np; from feeds.load import load_panel; from ares7.config import DataConfig;"
        "p = load_panel(DataConfig(path=pathlib.Path(sys.argv[1]), cache=pathlib.Path(sys.argv[2]), "
        "etfs=('SPY', 'TLT'))); print(p.provenance['panel_sha256'])"
    )
    command = [sys.executable, "-c", code, str(folder), str(store)]
    running = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    results = [process.communicate(timeout=60) for process in running]
    assert {out.strip() for out, _ in results} == {load(folder, None).provenance["panel_sha256"]}
    assert [err for _, err in results] == [""] * 2
    assert len(entries(store)) == 1


def test_oldest_entries_are_removed(folder: Path, store: Path) -> None:
    panel = load(folder, None)
    for k in range(cache.KEEP + 3):
        assert cache.store(store / "panels", f"key{k:02}", panel, [])
        os.utime(store / "panels" / f"key{k:02}", (k, k))
    assert [entry.name for entry in entries(store)] == [f"key{k:02}" for k in range(3, cache.KEEP + 3)]


def test_finding_round_trip(folder: Path, store: Path) -> None:
    panel = load(folder, None)
    full = Finding("error", "vix", "stale-vix", "text", 3, DAYS[0], DAYS[2], StaleData)
    assert cache.store(store, "key", panel, [full, dataclasses.replace(full, first=None, last=None)])
    stored = cache.load(store, "key")
    assert stored is not None
    assert stored[1] == [full, dataclasses.replace(full, first=None, last=None)]


def test_cached_load_imports_no_pandas(folder: Path, store: Path) -> None:
    load_panel(config(folder, cache=store))
    code = (
        "import sys, pathlib; from feeds.load import load_panel; from ares7.config import DataConfig;"
        "load_panel(DataConfig(path=pathlib.Path(sys.argv[1]), cache=pathlib.Path(sys.argv[2]), "
        "etfs=('SPY', 'TLT')));"
        "print([m for m in ('pandas', 'pyarrow', 'exchange_calendars') if m in sys.modules])"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(store)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip() == "[]"


def test_cached_load_of_4000_by_200_takes_milliseconds(folder: Path, store: Path) -> None:
    small = load(folder, None)
    rng = np.random.default_rng(0)
    shape = (4000, 200)
    dates = np.datetime64("2000-01-03") + np.arange(shape[0])
    flags = np.zeros(shape[0], dtype=bool)
    names = (
        *small.fields,
        "roe",
        "ebitda_margin",
        "operating_margin",
        "debt_to_equity",
        "liabilities_to_equity",
    )
    panel = dataclasses.replace(
        small,
        dates=dates,
        symbols=tuple(f"S{i:03}" for i in range(shape[1])),
        fields={name: rng.random(shape) for name in names},
        series={"vix": rng.random(shape[0]), "index": rng.random(shape[0])},
        is_stock=np.ones(shape[1], dtype=bool),
        member=np.ones(shape, dtype=bool),
        month_end=flags,
        week_end=flags,
    )
    assert cache.store(store, "key", panel, [])
    taken = []
    for _ in range(5):
        begin = time.perf_counter()
        assert cache.load(store, "key") is not None
        taken.append(time.perf_counter() - begin)
    shutil.rmtree(store)
    assert min(taken) < 0.015


def test_synthetic_market_needs_no_cache(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    small = SyntheticConfig(symbols=20, start=dt.date(2015, 1, 2), end=dt.date(2016, 12, 30))
    (tmp_path / "cache").write_text("not a folder")
    plain, _ = load_with_findings(DataConfig(cache=None, synthetic=small))
    with caplog.at_level(logging.WARNING):
        hindered, _ = load_with_findings(DataConfig(cache=tmp_path / "cache", synthetic=small))
    stored, _ = load_with_findings(DataConfig(cache=tmp_path / "other", synthetic=small))
    assert plain is not None
    assert hindered is not None
    assert stored is not None
    same(plain, hindered)
    same(plain, stored)
    assert "is not usable" in caplog.text


def test_cached_synthetic_market_needs_no_files(tmp_path: Path) -> None:
    small = SyntheticConfig(symbols=20, start=dt.date(2015, 1, 2), end=dt.date(2016, 12, 30))
    first, _ = load_with_findings(DataConfig(cache=tmp_path, synthetic=small))
    for folder in tmp_path.glob("synthetic-*"):
        shutil.rmtree(folder)
    second, _ = load_with_findings(DataConfig(cache=tmp_path, synthetic=small))
    assert first is not None
    assert second is not None
    same(first, second)
    assert not list(tmp_path.glob("synthetic-*"))
