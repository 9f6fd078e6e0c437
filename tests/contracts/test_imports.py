"""The arrows of the house: who may import whom, and what may be imported only when it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ("ares7", "strategies", "feeds", "analyzers", "live")
FORBIDDEN = {
    "ares7": {"strategies", "feeds", "analyzers", "live", "backtrader", "ib_insync", "ib_async"},
    "strategies": {"feeds", "analyzers", "live", "ib_insync", "ib_async"},
    "feeds": {"strategies", "analyzers", "live", "ib_insync", "ib_async"},
    "analyzers": {"strategies", "feeds", "live", "ib_insync", "ib_async"},
    "live": {"strategies", "analyzers"},
}
SOLE_IMPORTER = {
    "ib_insync": "live/client/seam.py",
    "ib_async": "live/client/seam.py",
    "exchange_calendars": "ares7/sessions.py",
}
LAZY = {"plotly", "exchange_calendars", "pyarrow", "rich", "scipy", "empyrical", "matplotlib", "pywt"}
"""Slow to import, so never at the top of a module."""


def sources():
    return sorted(p.relative_to(ROOT).as_posix() for folder in OURS for p in (ROOT / folder).rglob("*.py"))


def imported(tree):
    """(package, whether the import runs when the module is imported) of every import statement."""
    inside = set()
    for node in ast.walk(tree):
        body = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        typing = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if body or typing:
            inside |= {id(child) for child in ast.walk(node)}
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the arrow"
            names = [node.module]
        for name in names:
            yield name.split(".")[0], id(node) not in inside


def forbidden_imports(path, text):
    """Packages that a file of this path must not import, in the order of the file."""
    package = path.split("/")[0]
    wrong = []
    for name, at_once in imported(ast.parse(text)):
        against = name in FORBIDDEN[package]
        early = name in LAZY and at_once
        if against or early or path != SOLE_IMPORTER.get(name, path):
            wrong.append(name)
    return wrong


@pytest.mark.parametrize("path", sources())
def test_a_module_imports_only_along_the_arrows(path):
    assert forbidden_imports(path, (ROOT / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("ares7/book.py", "import backtrader"),
        ("ares7/book.py", "def f():\n    import backtrader as bt"),
        ("ares7/book.py", "from strategies.base import PortfolioStrategy"),
        ("feeds/load.py", "from strategies import registry"),
        ("analyzers/sharpe.py", "import feeds.load"),
        ("strategies/mine.py", "from feeds.load import load_panel"),
        ("ares7/tearsheet.py", "import plotly.graph_objects as go"),
        ("live/runner.py", "import ib_insync"),
        ("live/client/client.py", "def f():\n    import ib_async.wrapper"),
        ("feeds/load.py", "def f():\n    import exchange_calendars"),
    ],
)
def test_an_import_against_the_arrows_is_found(path, text):
    assert forbidden_imports(path, text)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("ares7/tearsheet.py", "def f():\n    import plotly.graph_objects as go"),
        ("ares7/sessions.py", "def f():\n    import exchange_calendars"),
        ("feeds/cerebro.py", "import backtrader as bt"),
        ("live/client/seam.py", "def f():\n    import ib_insync"),
        ("strategies/mine.py", "from ares7.book import Targets"),
    ],
)
def test_an_import_along_the_arrows_is_not(path, text):
    assert forbidden_imports(path, text) == []


def test_the_core_runs_without_backtrader_ib_insync_and_anything_slow():
    names = [path[: -len(".py")].replace("/", ".") for path in sources() if path.startswith("ares7/")]
    names = [name.removesuffix(".__init__") for name in names]
    # The compiled twin is numba; whoever runs it pays for the import.
    numba = ("batch", "batch_kernel", "figure_kernels", "kernels", "search", "search_store", "simulate")
    numba += ("signals.filter_kernels",)
    names = [name for name in names if name.removeprefix("ares7.") not in numba]
    names = [name for name in names if not name.startswith("ares7.cuda.")]
    slow = sorted({"backtrader", "ib_insync", "ib_async", *LAZY})
    code = f"import importlib, sys\nfor n in {names!r}: importlib.import_module(n)\n"
    code += f"print(*[n for n in {slow!r} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_nothing_imports_the_benchmarks():
    product = [path for path in sources() if not path.startswith("bench/")]
    assert product
    for path in product:
        text = (ROOT / path).read_text(encoding="utf-8")
        assert "import bench" not in text, path
        assert "from bench" not in text, path
