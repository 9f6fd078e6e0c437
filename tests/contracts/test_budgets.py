"""What keeps the code readable: short files and functions, documented names, no vague ones."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("ares7", "strategies", "feeds", "analyzers", "live")
MAX_FILE, MAX_FUNCTION = 400, 50
VAGUE = {"utils", "util", "helpers", "helper", "manager", "enhanced", "v2", "final"}
PATHS = [
    "run.py",
    *sorted(p.relative_to(ROOT).as_posix() for folder in FOLDERS for p in (ROOT / folder).rglob("*.py")),
]
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def parsed(path):
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def long_functions(tree):
    """Name and statement lines, docstring and signature excluded, of every function over the limit."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS):
            body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
            lines = (node.end_lineno or 0) - body[0].lineno + 1
            if lines > MAX_FUNCTION:
                found[node.name] = lines
    return found


def undocumented(tree):
    """Public functions, classes and methods without a docstring; inner functions are private."""
    nodes = [("", node) for node in tree.body]
    found = [] if ast.get_docstring(tree) else ["module"]
    while nodes:
        owner, node = nodes.pop()
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            nodes += [(f"{node.name}.", child) for child in node.body]
        elif not isinstance(node, FUNCTIONS) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            found.append(owner + node.name)
    return found


def vague_names(path, tree):
    """Names of files, classes and functions that hold a word which says nothing."""
    names = [path.removesuffix(".py").replace("/", "_")]
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS | ast.ClassDef):
            names.append(node.name)
    words = {name: re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+", name) for name in names}
    return sorted(name for name, parts in words.items() if VAGUE & {part.lower() for part in parts})


@pytest.mark.parametrize("path", PATHS)
def test_a_file_is_short(path):
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= MAX_FILE


@pytest.mark.parametrize("path", PATHS)
def test_functions_are_short(path):
    assert long_functions(parsed(path)) == {}


@pytest.mark.parametrize("path", PATHS)
def test_public_names_are_documented(path):
    assert undocumented(parsed(path)) == []


@pytest.mark.parametrize("path", PATHS)
def test_names_say_something(path):
    assert vague_names(path, parsed(path)) == []


def test_what_breaks_a_budget_is_found():
    tree = ast.parse("def work():\n" + "    x = 1\n" * (MAX_FUNCTION + 1))
    assert long_functions(tree) == {"work": MAX_FUNCTION + 1}
    assert undocumented(tree) == ["module", "work"]
    assert vague_names("ares7/utils.py", ast.parse("class OrderManager:\n    pass")) == [
        "OrderManager",
        "ares7_utils",
    ]
