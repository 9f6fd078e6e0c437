"""Cached targets: the second run computes no signal, and never takes another computation's answer."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import resource
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import run
from ares7.book import RegimeLabels, Targets, delayed
from ares7.errors import ConfigError
from ares7.panel import Panel
from feeds import target_cache
from feeds.backtest import computed_diagnostics
from feeds.target_cache import KEEP, TargetEntry
from strategies import registry
from strategies.equal_weight import EqualWeight
from strategies.regime_ensemble import RegimeEnsemble
from tests.cli.conftest import Commands
from tests.feeds.cached_targets import (
    MARKET,
    commands,
    entries,
    entry_of,
    forbidden,
    replaced,
    same,
    settle,
    small_panel,
    targets_of,
)


@pytest.fixture(autouse=True)
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    settle(monkeypatch)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("panels")


@pytest.fixture(scope="module")
def panel(home: Path) -> Panel:
    return small_panel(home)


@pytest.fixture
def cli(tmp_path: Path, home: Path) -> Commands:
    return commands(tmp_path, home)


@pytest.mark.parametrize("engine", ["event", "compiled"])
def test_the_second_run_computes_no_signal_and_writes_the_same(
    cli: Commands, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    answers = [cli("backtest", "--json", "--engine", engine, *MARKET)]
    forbidden(monkeypatch, EqualWeight, RegimeEnsemble)
    answers.append(cli("backtest", "--json", "--engine", engine, *MARKET))
    assert [answer.code for answer in answers] == [0, 0], answers[-1].err
    assert answers[0].json["metrics"] == answers[1].json["metrics"]
    one, other = (cli.folder / "runs" / name for name in cli.runs())
    for path in one.iterdir():
        if path.name != "provenance.json":
            assert path.read_bytes() == (other / path.name).read_bytes(), path.name
    assert "coverage" in json.loads((one / "metrics.json").read_text())
    assert len(entries(cli.cache)) == 2


def test_engines_share_an_entry(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("backtest", "--engine", "event", *MARKET).code == 0
    forbidden(monkeypatch, EqualWeight, RegimeEnsemble)
    assert cli("backtest", "--engine", "compiled", *MARKET).code == 0


def test_a_forbidden_strategy_is_noticed(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    forbidden(monkeypatch, EqualWeight)
    assert "computed again" in cli("backtest", *MARKET).err


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Calls of the equal-weight strategy's ``weights``."""
    calls: list[str] = []
    weights = EqualWeight.weights

    def called(panel: Panel, params: Any) -> Targets:
        calls.append("weights")
        return weights(panel, params)

    replaced(monkeypatch, EqualWeight, "weights", called)
    return calls


def test_null_is_no_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = counted(monkeypatch)
    monkeypatch.chdir(tmp_path)
    places = [f"--set=runs.folder={tmp_path / 'runs'}", "--set=data.cache=null", "--strategy=equal_weight"]
    assert run.main(["backtest", *MARKET, *places]) == 0, capsys.readouterr().err
    assert calls == ["weights"] * 2
    assert [p.name for p in tmp_path.iterdir()] == ["runs"]


def test_a_strategy_that_is_its_own_baseline_is_computed_once(
    cli: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = counted(monkeypatch)
    assert cli("backtest", *MARKET, "--strategy", "equal_weight").code == 0
    assert calls == ["weights"]


@pytest.mark.parametrize("name", registry.names())
def test_stored_equals_fresh_bit_for_bit(panel: Panel, tmp_path: Path, name: str) -> None:
    strategy = registry.resolve(name)
    params = {"mix": {"TLT": 0.5, "SPY": 0.5}} if name == "fixed_mix" else {}
    fresh = targets_of(panel, strategy, tmp_path, **params)
    stored = entry_of(tmp_path, panel, strategy, **params).targets()
    assert stored is not None
    same(fresh, stored)
    (entry,) = entries(tmp_path)
    held = np.load(entry / "decided.npy")
    assert len(held) == fresh.decide.sum() < len(fresh.decide)


def test_scale_and_hold_survive(panel: Panel, tmp_path: Path) -> None:
    panel = panel.starting(panel.dates[600])
    params = {"risk": {"vol_target": 0.12}, "regime": {"min_hold": 3}}
    fresh = targets_of(panel, RegimeEnsemble, tmp_path, **params)
    stored = entry_of(tmp_path, panel, RegimeEnsemble, **params).targets()
    assert fresh.scale is not None
    assert stored is not None
    same(fresh, stored)


def other_bits(weights: Any) -> Any:
    weights[5] = [0.0, 0.25]
    return weights


def negative_zero(weights: Any) -> Any:
    weights[0] = -0.0
    return weights


@pytest.mark.parametrize("change", [other_bits, negative_zero], ids=lambda f: f.__name__)
def test_rows_that_do_not_follow_from_the_decided_ones_are_stored_whole(tmp_path: Path, change: Any) -> None:
    decide = np.array([False, False, True, False, False, False, True])
    weights = np.zeros((7, 2))
    weights[2:6], weights[6] = [0.5, 0.3], [0.1, 0.2]
    plain = Targets(weights, decide, np.zeros(7, dtype=bool), RegimeLabels(*np.ones((2, 7), dtype=np.int8)))
    for name, targets in (
        ("plain", plain),
        ("odd", dataclasses.replace(plain, weights=change(weights.copy()))),
    ):
        entry = TargetEntry(tmp_path, name, "strategies.equal_weight")
        assert entry.keep_targets(targets)
        stored = entry.targets()
        assert stored is not None
        same(targets, stored)
    assert (tmp_path / "plain" / "decided.npy").exists()
    assert (tmp_path / "odd" / "weights.npy").exists()


@pytest.mark.parametrize(
    "weights",
    [np.asfortranarray(np.ones((3, 2))), np.ones((3, 4))[:, ::2], [[1.0]], np.array([[None]], dtype=object)],
    ids=["fortran", "strided", "list", "objects"],
)
def test_what_does_not_come_back_the_same_is_not_stored(tmp_path: Path, weights: Any) -> None:
    flags = np.ones(len(weights), dtype=bool)
    assert not TargetEntry(tmp_path, "key", "strategies.equal_weight").keep_targets(
        Targets(weights, flags, flags)
    )
    assert list(tmp_path.iterdir()) == []


def cut(entry: Path) -> None:
    path = entry / "decided.npy"
    path.write_bytes(path.read_bytes()[:-8])


def flipped(entry: Path) -> None:
    path = entry / "decided.npy"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def rewritten(entry: Path, **changes: Any) -> None:
    path = entry / "meta.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


HARM = {
    "cut": cut,
    "flipped": flipped,
    "no decided": lambda entry: (entry / "decided.npy").unlink(),
    "empty": lambda entry: (entry / "decide.npy").write_bytes(b""),
    "shape": lambda entry: np.save(entry / "decide.npy", np.ones(3, dtype=bool)),
    "pickle": lambda entry: np.save(entry / "decide.npy", np.array([{}], dtype=object)),
    "no meta": lambda entry: (entry / "meta.json").unlink(),
    "half meta": lambda entry: (entry / "meta.json").write_text('{"version": 1'),
    "list": lambda entry: (entry / "meta.json").write_text("[]"),
    "version": lambda entry: rewritten(entry, version=99),
    "another's": lambda entry: rewritten(entry, key="another"),
    "sleeves": lambda entry: rewritten(entry, sleeves=["a", "b", "c"]),
}


@pytest.mark.parametrize("harm", HARM)
def test_a_damaged_entry_is_made_again(
    panel: Panel, tmp_path: Path, harm: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = targets_of(panel, EqualWeight, tmp_path)
    (entry,) = entries(tmp_path)
    HARM[harm](entry)
    with caplog.at_level(logging.WARNING):
        same(fresh, targets_of(panel, EqualWeight, tmp_path))
    assert "damaged" in caplog.text
    caplog.clear()
    forbidden(monkeypatch, EqualWeight)
    same(fresh, targets_of(panel, EqualWeight, tmp_path))
    assert caplog.text == ""
    assert entries(tmp_path) == [entry]


@pytest.mark.parametrize("call", ["numpy.save", "pathlib.Path.mkdir", "pathlib.Path.replace"])
def test_a_full_disk_goes_on_without(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, call: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    fresh = targets_of(panel, EqualWeight, None)
    monkeypatch.setattr(call, full)
    with caplog.at_level(logging.WARNING):
        same(fresh, targets_of(panel, EqualWeight, tmp_path))
    assert "No space left on device); going on without it" in caplog.text
    assert not list(tmp_path.rglob("*.npy"))


def test_a_file_that_may_not_grow_goes_on_without(
    panel: Panel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with caplog.at_level(logging.WARNING):
            got = targets_of(panel, EqualWeight, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    same(targets_of(panel, EqualWeight, None), got)
    assert "going on without it" in caplog.text
    assert list((tmp_path / "signals").iterdir()) == []


def test_a_cache_that_is_a_file_goes_on_without(
    panel: Panel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "signals").write_text("not a folder")
    with caplog.at_level(logging.WARNING):
        same(targets_of(panel, EqualWeight, None), targets_of(panel, EqualWeight, tmp_path))
        computed_diagnostics(panel, EqualWeight, EqualWeight.Params(), "it", tmp_path)
    assert caplog.text.count("is not usable") == 1


def test_writers_at_once_leave_one_whole_entry(panel: Panel, tmp_path: Path) -> None:
    entry, targets = entry_of(tmp_path, panel), targets_of(panel, EqualWeight, None)
    ready, kept = threading.Barrier(6), []

    def write() -> None:
        ready.wait()
        kept.append(entry.keep_targets(targets))

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept == [True] * 6
    assert [p.name for p in (tmp_path / "signals").iterdir()] == [entry.key]
    stored = entry.targets()
    assert stored is not None
    same(targets, stored)


def test_oldest_entries_are_removed(tmp_path: Path) -> None:
    flags = np.ones(1, dtype=bool)
    for k in range(KEEP + 2):
        entry = TargetEntry(tmp_path / "signals", f"key{k:03}", "strategies.equal_weight")
        assert entry.keep_targets(Targets(np.ones((1, 1)), flags, flags))

        os.utime(entry.folder / entry.key, (k, k))
    assert [p.name for p in entries(tmp_path)] == [f"key{k:03}" for k in range(2, KEEP + 2)]


def test_unusable_targets_are_refused_every_time_and_never_stored(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(panel: Panel, params: Any) -> Targets:
        flags = np.ones(len(panel.dates), dtype=bool)
        return Targets(np.full(panel.shape, 1.0), flags, flags)

    replaced(monkeypatch, EqualWeight, "weights", wrong)
    for _ in range(2):
        with pytest.raises(ConfigError, match="above gross"):
            targets_of(panel, EqualWeight, tmp_path)
    assert entries(tmp_path) == []


def test_a_later_fill_is_another_run_of_the_same_entry(
    cli: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    lags = [["--set", "account.exec_lag=2"], ["--set", "account.exec_lag=0", "--set", "allow_lookahead=true"]]
    plain = [cli("backtest", "--json", *MARKET, *lag, "--set", "baseline=low_volatility") for lag in lags]
    shutil.rmtree(cli.cache / "signals")
    assert cli("backtest", *MARKET, "--set", "baseline=low_volatility").code == 0
    forbidden(monkeypatch, RegimeEnsemble)
    cached = [cli("backtest", "--json", *MARKET, *lag, "--set", "baseline=low_volatility") for lag in lags]
    for before, after in zip(plain, cached, strict=True):
        assert after.code == 0, after.err
        # Three runs are three trials, whichever of them was computed.
        counted = ("trials", "luck")
        assert {k: v for k, v in before.json["metrics"].items() if k not in counted} == {
            k: v for k, v in after.json["metrics"].items() if k not in counted
        }
    assert cached[1].json["metrics"]["stamps"] == ["SYNTHETIC", "LOOKAHEAD"]


def test_delayed_targets_leave_the_entry_alone(panel: Panel, tmp_path: Path) -> None:
    first = targets_of(panel, EqualWeight, tmp_path)
    moved = delayed(targets_of(panel, EqualWeight, tmp_path), 3, panel.start_row)
    moved.weights[:] = 7.0
    same(first, targets_of(panel, EqualWeight, tmp_path))


def diagnosed(panel: Panel, cache: Path, found: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What two runs are given where ``diagnostics`` returns ``found``, and how often it is called."""
    calls = []

    def answer(panel: Panel, params: Any) -> Any:
        calls.append(1)
        return found

    replaced(monkeypatch, EqualWeight, "diagnostics", answer)
    given = [computed_diagnostics(panel, EqualWeight, EqualWeight.Params(), "it", cache) for _ in range(2)]
    return [*given, len(calls)]


def test_diagnostics_are_kept_beside_their_targets(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"notes": ["ä"], "coverage": {"2016": 0.1 + 0.2}, "warnings": [], "other": None}
    assert diagnosed(panel, tmp_path, found, monkeypatch) == [found, found, 2]
    targets_of(panel, EqualWeight, tmp_path)
    assert diagnosed(panel, tmp_path, found, monkeypatch) == [found, found, 1]
    assert len(entries(tmp_path)) == 1


@pytest.mark.parametrize(
    "found",
    [{"notes": ("a",)}, {"coverage": {2016: 1.0}}, {"x": np.int64(3)}, {"x": float("nan")}, {"x": {1}}],
    ids=["tuple", "integer key", "numpy", "nan", "set"],
)
def test_diagnostics_that_json_would_change_are_computed_again(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: dict[str, Any]
) -> None:
    targets_of(panel, EqualWeight, tmp_path)
    one, other, calls = diagnosed(panel, tmp_path, found, monkeypatch)
    assert one is other is found
    assert calls == 2


@pytest.mark.parametrize("text", ["", "[]", '{"notes": [', '{"notes": "\ud800"}'])
def test_damaged_diagnostics_are_made_again(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    targets_of(panel, EqualWeight, tmp_path)
    (entry,) = entries(tmp_path)
    (entry / target_cache.DIAGNOSTICS).write_bytes(text.encode("utf-8", "surrogatepass"))
    with caplog.at_level(logging.WARNING):
        assert diagnosed(panel, tmp_path, {"notes": ["a"]}, monkeypatch) == [{"notes": ["a"]}] * 2 + [1]
    assert caplog.text.count("is damaged") == 1
