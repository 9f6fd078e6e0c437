"""Which targets are found again: the key of an entry, and what is never kept."""

from __future__ import annotations

import dataclasses
import os
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ares7.book import Targets
from ares7.config import DataConfig
from ares7.panel import Panel
from feeds import target_cache
from feeds.load import load_panel
from feeds.target_cache import TargetEntry, imports_known_code, target_entry
from strategies import registry
from strategies.equal_weight import EqualWeight
from strategies.fixed_mix import FixedMix
from strategies.quality_momentum import QualityMomentum
from tests.cli.conftest import Commands
from tests.feeds.cached_targets import (
    MARKET,
    ROOT,
    SMALL,
    commands,
    entries,
    entry_of,
    settle,
    small_panel,
)

OUTSIDE = """
from pathlib import Path
from strategies.equal_weight import EqualWeight

class Mine(EqualWeight):
    @staticmethod
    def weights(panel, params):
        with Path(__file__).with_suffix(".log").open("a") as log:
            log.write("called ")
        return EqualWeight.weights(panel, params)
"""


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


def test_every_part_of_the_key_changes_it(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mix = {"TLT": 0.5, "SPY": 0.4}
    changed = dataclasses.replace(panel, provenance={**panel.provenance, "panel_sha256": "ab"})
    fewer = dataclasses.replace(panel, fields={k: v for k, v in panel.fields.items() if k != "roe"})
    keys = [
        entry_of(tmp_path, panel).key,
        entry_of(tmp_path, panel, gross=0.9).key,
        entry_of(tmp_path, panel, FixedMix, mix=mix).key,
        entry_of(tmp_path, panel, FixedMix, mix=dict(reversed(mix.items()))).key,
        entry_of(tmp_path, panel, QualityMomentum).key,
        entry_of(tmp_path, changed).key,
        entry_of(tmp_path, fewer).key,
        entry_of(tmp_path, panel.rows(0, 700)).key,
        entry_of(tmp_path, panel.rows(1, len(panel.dates))).key,
        entry_of(tmp_path, panel.starting(panel.dates[301])).key,
        entry_of(tmp_path, panel.starting(None)).key,
        entry_of(tmp_path, dataclasses.replace(panel, symbols=(*panel.symbols[:-1], "ZZZ"))).key,
    ]
    version = metadata.version
    changes: list[tuple[Any, str, Any]] = [
        (target_cache, "LAYOUT_VERSION", 99),
        (platform, "python_version", lambda: "3.99.1"),
        (platform, "machine", lambda: "other"),
    ]
    for library in target_cache.LIBRARIES:
        changes.append((metadata, "version", lambda n, one=library: "0" if n == one else version(n)))
    for place, name, value in changes:
        with monkeypatch.context() as patch:
            patch.setattr(place, name, value)
            target_cache._code_and_versions.cache_clear()
            keys.append(entry_of(tmp_path, panel).key)
    with monkeypatch.context() as patch:
        patch.setenv("NUMBA_DISABLE_JIT", "other")
        target_cache._code_and_versions.cache_clear()
        keys.append(entry_of(tmp_path, panel).key)
    target_cache._code_and_versions.cache_clear()
    assert len(set(keys)) == len(keys)
    assert entry_of(tmp_path, panel).key == keys[0]


def test_what_changes_nothing_keeps_the_key(panel: Panel, home: Path, tmp_path: Path) -> None:
    again = load_panel(DataConfig(cache=home, synthetic=SMALL)).starting(panel.start)
    uncached = load_panel(DataConfig(cache=None, synthetic=SMALL)).starting(panel.start)
    key = entry_of(tmp_path, panel).key
    assert [entry_of(tmp_path / "x", p).key for p in (again, uncached)] == [key, key]


def test_changed_code_is_another_entry_though_its_size_and_time_stay(tmp_path: Path, home: Path) -> None:
    for name in ("ares7", "feeds", "strategies"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    code = (
        "import sys, pathlib; sys.dont_write_bytecode = True\n"
        "from ares7.config import DataConfig, SyntheticConfig; from feeds.load import load_panel\n"
        "from feeds.target_cache import target_entry; from strategies.equal_weight import EqualWeight\n"
        f"s = SyntheticConfig(symbols=25, start='{SMALL.start}', end='{SMALL.end}')\n"
        "p = load_panel(DataConfig(cache=pathlib.Path(sys.argv[1]), synthetic=s))\n"
        "print(target_entry(pathlib.Path('c'), p, EqualWeight, EqualWeight.Params()).key)"
    )

    def key() -> str:
        command = [
            sys.executable,
            "-P",
            "-c",
            f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{code}",
            str(home),
        ]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    keys = [key()]
    for place in ("strategies/defensive.py", "ares7/signals/windows.py"):
        path = tmp_path / place
        stat, text = path.stat(), path.read_bytes()
        path.write_bytes(text.replace(b"e", b"E", 1))

        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert path.stat().st_size == stat.st_size
        keys.append(key())
        path.write_bytes(text)
    assert len(set(keys)) == 3


def test_code_that_changed_since_the_process_began_goes_without(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert entry_of(tmp_path, panel)
    gone = ((str(ROOT / "gone.py"), 1, 1),)
    for now in (gone, None):
        monkeypatch.setattr(target_cache, "_stamp", lambda now=now: now)
        assert target_entry(tmp_path, panel, EqualWeight, EqualWeight.Params()) is None
    for both in (None, gone):
        monkeypatch.setattr(target_cache, "_LOADED", both)
        monkeypatch.setattr(target_cache, "_stamp", lambda both=both: both)
        assert target_entry(tmp_path, panel, EqualWeight, EqualWeight.Params()) is None


def test_the_stamp_names_every_source_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(target_cache, "ROOT", tmp_path)
    for name in ("ares7/signals/a.py", "ares7/b.py", "strategies/c.py", "feeds/d.py", "ares7/e.css"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    stamp = target_cache._stamp()
    assert stamp
    assert [Path(name).name for name, *_ in stamp] == ["b.py", "a.py", "c.py"]
    (tmp_path / "ares7" / "f.py").symlink_to("nowhere")
    assert target_cache._stamp() is None


def test_a_panel_that_is_not_as_it_was_loaded_goes_without(panel: Panel, tmp_path: Path) -> None:
    fields = {**panel.fields, "close": panel.fields["close"] * 1.0}
    bent = dataclasses.replace(panel, fields=fields)
    unknown = dataclasses.replace(panel, provenance={})
    for other in (bent, unknown, panel.columns([1, 0]), panel.rows(0, 0)):
        assert target_entry(tmp_path, other, EqualWeight, EqualWeight.Params()) is None


def test_a_strategy_outside_the_folder_is_never_kept(cli: Commands, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(OUTSIDE)
    for _ in range(2):
        answer = cli("backtest", "--strategy", f"{path}:Mine", *MARKET, "--set", "baseline=low_volatility")
        assert answer.code == 0, answer.err
    assert path.with_suffix(".log").read_text() == "called called "
    assert len(entries(cli.cache)) == 1


def test_a_class_that_holds_anothers_function_is_never_kept(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Inside(EqualWeight):
        pass

    Inside.__module__ = EqualWeight.__module__
    assert target_entry(tmp_path, panel, Inside, Inside.Params()) is None
    for name in ("weights", "diagnostics"):
        with monkeypatch.context() as patch:
            patch.setattr(EqualWeight, name, staticmethod(lambda panel, params: {}))
            assert target_entry(tmp_path, panel, EqualWeight, EqualWeight.Params()) is None
    assert entry_of(tmp_path, panel)


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("import math\nimport numpy as np\nfrom ares7.book import Targets\nimport scipy.stats", True),
        ("from strategies import known\nimport strategies.known", True),
        ("import somebodys_signals", False),
        ("def weights(panel, params):\n    from somebodys_signals import best", False),
        ("from strategies import foreign", False),
        ("from strategies.foreign import best", False),
        ("import strategies.known, strategies.foreign", False),
        ("from . import known", False),
        ("from strategies.clean.inner import best", True),
        ("import strategies.clean.inner as inner", True),
        ("from strategies.dirty.inner import best", False),
        ("def half(:", False),
    ],
)
def test_imports_that_no_key_covers_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, known: bool
) -> None:
    monkeypatch.setattr(target_cache, "ROOT", tmp_path)
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "known.py").write_text("import numpy\nimport strategies.mine")
    (tmp_path / "strategies" / "foreign.py").write_text("import pickle\nimport sklearn")
    for package, content in (("clean", "import math"), ("dirty", "import sklearn")):
        (tmp_path / "strategies" / package).mkdir()
        (tmp_path / "strategies" / package / "__init__.py").write_text(content)
        (tmp_path / "strategies" / package / "inner.py").write_text("import numpy")
    (tmp_path / "strategies" / "mine.py").write_text(text)
    assert imports_known_code("strategies.mine") is known
    flags = np.ones(1, dtype=bool)
    entry = TargetEntry(tmp_path / "cache", "key", "strategies.mine")
    assert entry.keep_targets(Targets(np.ones((1, 1)), flags, flags)) is known


def test_every_registered_strategy_is_kept() -> None:
    assert not imports_known_code("strategies.not_there")
    assert [n for n in registry.names() if not imports_known_code(f"strategies.{n}")] == []
